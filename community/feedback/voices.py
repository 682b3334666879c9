"""Since when members belong here, who is tied to whom, and what their voices weigh together."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities.charter import CharterRules
from community.communities.models import Community, Membership
from community.feedback.models import FeedbackItem
from community.feedback.weighing import Voice, Weighed, weigh
from community.members import queries as members
from community.trust.models import Vouch, VouchStatus


def joined_on(session: Session, community_id: int, member_ids: Collection[int]) -> dict[int, date]:
    """Since when each member has been in the community or one that nests in it."""
    rows = select_by(
        session,
        select(Membership.member_id, func.min(Membership.since_on))
        .join(Community, Community.id == Membership.community_id)
        .where(Community.path.contains(f"/{community_id}/", autoescape=True))
        .group_by(Membership.member_id),
        Membership.member_id,
        set(member_ids),
    )
    return {row[0]: row[1] for row in rows}


def ties_among(session: Session, member_ids: Collection[int]) -> list[tuple[int, int]]:
    """Pairs of one household, and pairs who stand behind each other, both ways."""
    asked = set(member_ids)
    at_home: defaultdict[int, list[int]] = defaultdict(list)
    for member_id, household_id in members.households_of(session, sorted(asked)).items():
        if household_id is not None:
            at_home[household_id].append(member_id)
    found = [pair for people in at_home.values() for pair in pairwise(sorted(people))]
    rows = select_by(
        session,
        select(Vouch.voucher_id, Vouch.borrower_id).where(Vouch.status == VouchStatus.LIVE),
        Vouch.voucher_id,
        asked,
    )
    promises = {(row[0], row[1]) for row in rows if row[1] in asked}
    found += [(a, b) for a, b in sorted(promises) if a < b and (b, a) in promises]
    return found


def weigh_people(
    session: Session,
    community_id: int,
    said_on: Mapping[int, date],
    rules: CharterRules,
) -> Weighed:
    """What members weigh together, who said something first on these days."""
    since = joined_on(session, community_id, said_on)
    voices = [
        Voice(member_id, on, (on - since.get(member_id, on)).days)
        for member_id, on in sorted(said_on.items())
    ]
    return weigh(voices, ties_among(session, said_on), rules)


def weigh_themes(
    session: Session, community_id: int, theme_ids: Iterable[int], rules: CharterRules
) -> dict[int, Weighed]:
    """What is behind each theme: everybody once, hidden texts left out."""
    wanted = list(theme_ids)
    rows = session.execute(
        select(FeedbackItem.theme_id, FeedbackItem.author_id, func.min(FeedbackItem.written_on))
        .where(FeedbackItem.theme_id.in_(wanted), FeedbackItem.hidden_on.is_(None))
        .group_by(FeedbackItem.theme_id, FeedbackItem.author_id)
    )
    said: dict[int, dict[int, date]] = {theme_id: {} for theme_id in wanted}
    for theme_id, author_id, on in rows:
        if theme_id is not None:
            said[theme_id][author_id] = on
    people = {author for one in said.values() for author in one}
    since = joined_on(session, community_id, people)
    ties = ties_among(session, people)
    return {
        theme_id: weigh(
            [
                Voice(author, on, (on - since.get(author, on)).days)
                for author, on in sorted(one.items())
            ],
            ties,
            rules,
        )
        for theme_id, one in said.items()
    }
