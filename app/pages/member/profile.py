"""My own profile (会员画像): what the community knows of me, and where each figure is from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.communities.facts import membership_facts
from app.extensions import db
from app.marks import limited
from app.pages.entry import language
from app.pages.layout import date_text, money_text, page, percent_text
from app.pages.member.room import pages
from app.pages.words import Words
from app.permissions import Facts, permit, requires
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.errors import CommunityError
from community.members import queries as members
from community.members.models import Member
from community.money import Money
from community.profiles.profile import Profile, Seen, profile_of, ties_between
from community.profiles.relations import Relation

_SEEN_IN_HOME = (MembershipStatus.ACTIVE, MembershipStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class FigureView:
    """One figure in words."""

    name: str
    lines: tuple[tuple[str, str], ...]
    rows: int
    from_on: date | None
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlaceProfile:
    """The member's profile in one community; else why there is none."""

    community: Community
    figures: tuple[FigureView, ...]
    reason: CommunityError | None = None


@pages.listed("profile")
@pages.get("/me/profile")
@requires("profile:read")
@limited("heavy")
def profile() -> Response:
    """What each of my communities knows of me."""
    session, me = db.session(), caller().member_id
    permit("profile:read", Facts(owner_ids=frozenset({me})))
    member = members.get_member_by_id(session, me)
    words = Words("member", language())
    return page(
        "member/profile.html",
        member=member,
        places=[
            _place(session, community, member, words)
            for membership, community in communities.memberships_of(session, me)
            if membership.status in _SEEN_IN_HOME
        ],
    )


def _place(session: Session, community: Community, member: Member, words: Words) -> PlaceProfile:
    permit("profile:read", membership_facts(community, member))
    on = today()
    try:
        found: Profile = profile_of(
            session,
            community_id=community.id,
            member_id=member.id,
            viewer_id=member.id,
            relations=frozenset({Relation.SELF}),
            ties=ties_between(
                session,
                community_id=community.id,
                member_id=member.id,
                viewer_id=member.id,
                on=on,
            ),
            on=on,
        )
    except CommunityError as refusal:
        return PlaceProfile(community, (), refusal)
    return PlaceProfile(community, tuple(_figure(seen, words) for seen in found.figures))


def _figure(seen: Seen, words: Words) -> FigureView:
    return FigureView(
        name=words.of("figure", seen.figure),
        lines=tuple(
            (words.of("value", name), _said(name, value, words))
            for name, value in seen.values.items()
            # Bands of days late are a table of their own in the API.
            if not isinstance(value, list) and words.find(f"value.{name}") is not None
        ),
        rows=sum(seen.rows.values()),
        from_on=seen.from_on,
        rules=tuple(rule.rule for rule in seen.rules),
    )


def _said(name: str, value: Any, words: Words) -> str:
    if value is None:
        return "–"
    if isinstance(value, Money):
        return money_text(words.language, value.amount_minor, value.currency)
    if name.endswith("_ppm"):
        return percent_text(value, 1_000_000)
    if name.endswith("_on"):
        return date_text(words.language, date.fromisoformat(value))
    if name == "status":
        return words.of("membership_status", value)
    if isinstance(value, Mapping):
        return ", ".join(str(item) for item in value.values())
    return f"{value:g}" if isinstance(value, float) else str(value)
