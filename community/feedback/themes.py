"""Themes: items grouped, put to the vote, decided, shipped, and everybody who asked is told.

Locks: the theme (of two that merge, both in the order of their ids), then its poll, then items.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Membership, MembershipStatus
from community.errors import Invalid
from community.feedback.errors import (
    FeedbackHidden,
    NotAccepted,
    NotAVoter,
    PollNotOpen,
    PollNotPossible,
    ThemeNotFound,
    ThemeNotOpen,
    VersionDoesNotNameIt,
    VotedAlready,
    VoteMissing,
)
from community.feedback.messages import tell
from community.feedback.models import (
    FeedbackItem,
    MessageKind,
    PlacedBecause,
    Placement,
    Poll,
    PollChoice,
    PollStatus,
    PollVoter,
    Theme,
    ThemeStatus,
)
from community.ledger.events import record_event
from community.locks import lock, lock_one, lock_where
from community.products.models import Product, ProductVersion

# Until it is decided a theme gathers further items.
_GATHERING = (ThemeStatus.OPEN, ThemeStatus.VOTING, ThemeStatus.VOTED)


def create(
    session: Session,
    *,
    community_id: int,
    title: str,
    summary: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> Theme:
    """A theme without items yet."""
    theme = Theme(
        community_id=community_id,
        title=title,
        summary=summary,
        status=ThemeStatus.OPEN,
        created_by_id=actor_id,
        created_on=on,
        version=1,
    )
    session.add(theme)
    session.flush()
    _record(session, theme, "created", actor_id, now, {"title": title})
    return theme


def place(
    session: Session, *, item_id: int, theme: Theme | None, on: date, actor_id: int
) -> FeedbackItem:
    """Put an item into a theme, or take it out; where it was before stays on record.

    Locks both themes and the item. Raises ThemeNotOpen, FeedbackHidden.
    """
    known = session.get_one(FeedbackItem, item_id)
    before = known.theme_id
    themes = lock(
        session, Theme, [key for key in (before, theme.id if theme else None) if key is not None]
    )
    item = lock_one(session, FeedbackItem, item_id)
    if item.theme_id not in (before, None if theme is None else theme.id):
        raise ThemeNotOpen("Somebody else has just moved the item; look at it again.")
    if item.hidden_on is not None:
        raise FeedbackHidden()
    for row in themes.values():
        if row.status not in _GATHERING:
            raise ThemeNotOpen(f"The theme is {row.status.value}.", status=row.status.value)
    if theme is not None and theme.community_id != item.community_id:
        raise ThemeNotFound()
    if item.theme_id != (None if theme is None else theme.id):
        because = PlacedBecause.TAKEN_OUT if theme is None else PlacedBecause.GROUPED
        _move(session, [item], None if theme is None else theme.id, because, on, actor_id)
    return item


def merge(
    session: Session, *, theme_id: int, into: Theme, on: date, now: datetime, actor_id: int
) -> Theme:
    """All items of one open theme go into another one, which stands for both from here on.

    The merged theme stays, and says into which one it went. Raises ThemeNotOpen.
    """
    if theme_id == into.id:
        raise Invalid("A theme is merged into another one.", field="into")
    rows = lock(session, Theme, [theme_id, into.id])
    theme, into = rows[theme_id], rows[into.id]
    if theme.community_id != into.community_id:
        raise ThemeNotFound()
    _only_in(theme, ThemeStatus.OPEN)
    _only_in(into, ThemeStatus.OPEN)
    items = lock_where(session, FeedbackItem, FeedbackItem.theme_id == theme.id)
    _move(session, list(items.values()), into.id, PlacedBecause.MERGED, on, actor_id)
    theme.status, theme.merged_into_id = ThemeStatus.MERGED, into.id
    theme.version += 1
    into.version += 1
    facts = {"into": into.public_id, "items": len(items)}
    _record(session, theme, "merged", actor_id, now, facts)
    return into


def put_to_vote(
    session: Session,
    *,
    theme_id: int,
    opens_on: date,
    closes_on: date,
    on: date,
    now: datetime,
    actor_id: int,
) -> Poll:
    """A vote of the community's members, with the quorum and majority of the charter of today.

    Raises ThemeNotOpen, PollNotPossible.
    """
    theme = _only_in(lock_one(session, Theme, theme_id), ThemeStatus.OPEN)
    charter = communities.charter_on(session, theme.community_id, on)
    rules = charter.rules
    days = (closes_on - opens_on).days + 1
    if opens_on < on:
        raise PollNotPossible("A vote opens today or later.", field="opens_on")
    if not rules.theme_poll_days_min <= days <= rules.theme_poll_days_max:
        raise PollNotPossible(
            f"A vote is open for {rules.theme_poll_days_min} to {rules.theme_poll_days_max} days"
            " by the charter.",
            field="closes_on",
            days_min=rules.theme_poll_days_min,
            days_max=rules.theme_poll_days_max,
        )
    joined_by_on = opens_on - timedelta(days=rules.theme_voter_days)
    voters = session.scalar(
        select(func.count())
        .select_from(Membership)
        .where(
            Membership.community_id == theme.community_id,
            Membership.status == MembershipStatus.ACTIVE,
            Membership.since_on <= joined_by_on,
        )
    )
    if not voters:
        raise PollNotPossible(
            f"Nobody has been a member since {joined_by_on}, as the charter asks of voters.",
            field="opens_on",
            joined_by_on=joined_by_on.isoformat(),
        )
    last = _last_poll(session, theme.id)
    poll = Poll(
        theme_id=theme.id,
        number=1 if last is None else last.number + 1,
        opens_on=opens_on,
        closes_on=closes_on,
        joined_by_on=joined_by_on,
        voters_count=voters,
        quorum_bps=rules.theme_quorum_bps,
        majority_bps=rules.theme_majority_bps,
        charter_id=charter.charter_id,
        status=PollStatus.OPEN,
        put_by_id=actor_id,
    )
    session.add(poll)
    theme.status = ThemeStatus.VOTING
    theme.version += 1
    session.flush()
    facts = {"opens_on": opens_on.isoformat(), "closes_on": closes_on.isoformat(), "may": voters}
    _record(session, theme, "put_to_vote", actor_id, now, facts)
    return poll


def vote(session: Session, *, theme_id: int, member_id: int, choice: PollChoice, on: date) -> Poll:
    """One vote, secret: only that the member voted is kept, and the sum.

    Locks the poll. Raises PollNotOpen, NotAVoter, VotedAlready.
    """
    known = _last_poll(session, theme_id)
    if known is None:
        raise PollNotOpen()
    poll = lock_one(session, Poll, known.id)
    if poll.status is not PollStatus.OPEN or not poll.opens_on <= on <= poll.closes_on:
        raise PollNotOpen(
            f"The vote is open from {poll.opens_on} to {poll.closes_on}.",
            opens_on=poll.opens_on.isoformat(),
            closes_on=poll.closes_on.isoformat(),
        )
    theme = session.get_one(Theme, theme_id)
    own = communities.find_membership(session, community_id=theme.community_id, member_id=member_id)
    if own is None or own.status is not MembershipStatus.ACTIVE or own.since_on > poll.joined_by_on:
        raise NotAVoter(
            f"Active members vote who joined by {poll.joined_by_on}.",
            joined_by_on=poll.joined_by_on.isoformat(),
        )
    if session.get(PollVoter, (poll.id, member_id)) is not None:
        raise VotedAlready()
    session.add(PollVoter(poll_id=poll.id, member_id=member_id))
    name = f"{choice.value}_count"
    setattr(poll, name, getattr(poll, name) + 1)
    session.flush()
    return poll


def polls_to_count(
    session: Session, community_id: int, on: date, *, after_id: int, limit: int
) -> list[int]:
    """Themes whose vote is over by the evening of a day and not counted."""
    return list(
        session.scalars(
            select(Theme.id)
            .join(Poll, Poll.theme_id == Theme.id)
            .where(
                Theme.community_id == community_id,
                Theme.id > after_id,
                Poll.status == PollStatus.OPEN,
                Poll.closes_on < on,
            )
            .order_by(Theme.id)
            .limit(limit)
        )
    )


def count(session: Session, *, theme_id: int, on: date, now: datetime) -> Poll | None:
    """Count the vote on a theme if it is over; its last vote, if there was any."""
    count_over(session, theme_ids=[theme_id], on=on, now=now)
    return _last_poll(session, theme_id)


def count_over(session: Session, *, theme_ids: Sequence[int], on: date, now: datetime) -> int:
    """Count the votes on these themes that are over. Repeatable. Locks themes, then polls."""
    themes = lock(session, Theme, theme_ids)
    polls = lock_where(
        session,
        Poll,
        Poll.theme_id.in_(themes) & (Poll.status == PollStatus.OPEN) & (Poll.closes_on < on),
    )
    for poll in polls.values():
        theme = themes[poll.theme_id]
        poll.status, poll.counted_on = outcome_of(poll), on
        is_void = poll.status is PollStatus.VOID
        theme.status = ThemeStatus.OPEN if is_void else ThemeStatus.VOTED
        theme.version += 1
        facts: dict[str, Any] = {"poll": poll.number, "outcome": poll.status.value, **sums(poll)}
        _record(session, theme, "counted", None, now, facts)
    return len(polls)


def outcome_of(poll: Poll) -> PollStatus:
    """What the votes amount to: abstentions count for the quorum, and for neither side."""
    cast = poll.yes_count + poll.no_count + poll.abstain_count
    if cast == 0 or cast * 10_000 < poll.voters_count * poll.quorum_bps:
        return PollStatus.VOID
    is_carried = poll.yes_count * 10_000 > poll.majority_bps * (poll.yes_count + poll.no_count)
    return PollStatus.CARRIED if is_carried else PollStatus.REJECTED


def sums(poll: Poll | None) -> dict[str, int]:
    """The three sums of a vote."""
    if poll is None:
        return {"yes": 0, "no": 0, "abstain": 0}
    return {"yes": poll.yes_count, "no": poll.no_count, "abstain": poll.abstain_count}


def decide(
    session: Session,
    *,
    theme_id: int,
    accepted: bool,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> Theme:
    """Accept what a vote has carried, or decline; everybody whose items are in it is told.

    Declining needs no vote, only a reason, but not while one is under way. Raises VoteMissing,
    ThemeNotOpen.
    """
    poll = count(session, theme_id=theme_id, on=on, now=now)
    theme = lock_one(session, Theme, theme_id)
    if theme.status not in (ThemeStatus.OPEN, ThemeStatus.VOTED):
        raise ThemeNotOpen(f"The theme is {theme.status.value}.", status=theme.status.value)
    if accepted and (poll is None or poll.status is not PollStatus.CARRIED):
        raise VoteMissing(outcome=poll.status.value if poll else None)
    theme.status = ThemeStatus.ACCEPTED if accepted else ThemeStatus.DECLINED
    theme.decided_on, theme.decided_by_id, theme.reason = on, actor_id, reason
    theme.poll_number = None if poll is None else poll.number
    theme.version += 1
    _record(session, theme, theme.status.value, actor_id, now, {"reason": reason, **sums(poll)})
    _tell_askers(
        session,
        theme,
        MessageKind.THEME_ACCEPTED if accepted else MessageKind.THEME_DECLINED,
        {"reason": reason, **sums(poll)},
        on,
    )
    return theme


def ship(
    session: Session,
    *,
    theme_id: int,
    version: ProductVersion,
    on: date,
    now: datetime,
    actor_id: int,
) -> Theme:
    """A product version that names the decision in its source brings it; the askers are told.

    Raises NotAccepted, VersionDoesNotNameIt.
    """
    theme = lock_one(session, Theme, theme_id)
    if theme.status is not ThemeStatus.ACCEPTED or theme.decided_on is None:
        raise NotAccepted(f"The theme is {theme.status.value}.", status=theme.status.value)
    product = session.get_one(Product, version.product_id)
    path = communities.get_community_by_id(session, theme.community_id).path_ids
    if (
        product.community_id not in path
        or version.created_at.date() < theme.decided_on
        or theme.public_id not in version.source
    ):
        raise VersionDoesNotNameIt(field="version", theme=theme.public_id)
    theme.status = ThemeStatus.SHIPPED
    theme.shipped_version_id, theme.shipped_on = version.id, on
    theme.version += 1
    facts = {
        "product": product.name,
        "version": version.version,
        "valid_from": version.valid_from.isoformat(),
    }
    _record(session, theme, "shipped", actor_id, now, facts | {"product": product.public_id})
    _tell_askers(session, theme, MessageKind.THEME_SHIPPED, facts, on, version.id)
    return theme


def get_theme(session: Session, public_id: str) -> Theme:
    """The theme of this public id. Raises ThemeNotFound."""
    theme = session.scalar(select(Theme).where(Theme.public_id == public_id))
    if theme is None:
        raise ThemeNotFound()
    return theme


def list_themes(community_id: int, status: ThemeStatus | None = None) -> Select[Theme]:
    """What a community's members ask for; page by Theme.id."""
    query = select(Theme).where(Theme.community_id == community_id)
    return query if status is None else query.where(Theme.status == status)


def takes_items(session: Session, theme_id: int | None) -> bool:
    """Whether what stands in this theme, or in none, can still be moved."""
    return theme_id is None or session.get_one(Theme, theme_id).status in _GATHERING


def list_gathering(community_id: int) -> Select[Theme]:
    """A community's themes that items can still be put into."""
    return select(Theme).where(Theme.community_id == community_id, Theme.status.in_(_GATHERING))


def versions_naming(
    session: Session, theme: Theme, *, most: int
) -> Sequence[tuple[ProductVersion, Product]]:
    """Versions that may bring what was decided, newest first: those whose source names the theme.

    Of products here or above, published since the decision, as `ship` asks.
    """
    if theme.decided_on is None:
        return []
    path = communities.get_community_by_id(session, theme.community_id).path_ids
    rows = session.execute(
        select(ProductVersion, Product)
        .join(Product, Product.id == ProductVersion.product_id)
        .where(
            Product.community_id.in_(path),
            ProductVersion.source.contains(theme.public_id, autoescape=True),
        )
        .order_by(ProductVersion.id.desc())
        .limit(most)
    )
    return [
        (version, product)
        for version, product in rows
        if version.created_at.date() >= theme.decided_on
    ]


def themes_shipped_in(session: Session, version_ids: Collection[int]) -> Sequence[Theme]:
    """The themes that product versions brought."""
    return session.scalars(
        select(Theme).where(Theme.shipped_version_id.in_(version_ids)).order_by(Theme.id)
    ).all()


def polls_of(session: Session, theme_ids: Collection[int]) -> Sequence[Poll]:
    """The votes on themes, in order."""
    return session.scalars(
        select(Poll).where(Poll.theme_id.in_(theme_ids)).order_by(Poll.theme_id, Poll.number)
    ).all()


def placements_of(session: Session, item_id: int) -> Sequence[Placement]:
    """Where an item has been, in order."""
    return session.scalars(
        select(Placement).where(Placement.item_id == item_id).order_by(Placement.number)
    ).all()


def askers_of(session: Session, theme_id: int) -> Sequence[int]:
    """Everybody who has an item in the theme, hidden or not."""
    return session.scalars(
        select(FeedbackItem.author_id)
        .where(FeedbackItem.theme_id == theme_id)
        .distinct()
        .order_by(FeedbackItem.author_id)
    ).all()


def _last_poll(session: Session, theme_id: int) -> Poll | None:
    return session.scalar(
        select(Poll).where(Poll.theme_id == theme_id).order_by(Poll.number.desc()).limit(1)
    )


def _move(
    session: Session,
    items: Sequence[FeedbackItem],
    theme_id: int | None,
    because: PlacedBecause,
    on: date,
    actor_id: int,
) -> None:
    rows = session.execute(
        select(Placement.item_id, func.max(Placement.number))
        .where(Placement.item_id.in_([item.id for item in items]))
        .group_by(Placement.item_id)
    )
    last = {row[0]: row[1] for row in rows}
    for item in items:
        item.theme_id = theme_id
        session.add(
            Placement(
                item_id=item.id,
                number=last.get(item.id, 0) + 1,
                theme_id=theme_id,
                because=because,
                placed_by_id=actor_id,
                placed_on=on,
            )
        )
    session.flush()


def _only_in(theme: Theme, status: ThemeStatus) -> Theme:
    if theme.status is not status:
        raise ThemeNotOpen(f"The theme is {theme.status.value}.", status=theme.status.value)
    return theme


def _tell_askers(
    session: Session,
    theme: Theme,
    kind: MessageKind,
    facts: dict[str, Any],
    on: date,
    version_id: int | None = None,
) -> None:
    tell(
        session,
        community_id=theme.community_id,
        member_ids=askers_of(session, theme.id),
        kind=kind,
        about=f"{theme.public_id}:{kind.value}",
        facts={"title": theme.title, **facts},
        on=on,
        theme_id=theme.id,
        product_version_id=version_id,
    )


def _record(
    session: Session,
    theme: Theme,
    what: str,
    actor_id: int | None,
    now: datetime,
    facts: dict[str, Any],
) -> None:
    record_event(
        session,
        community_id=theme.community_id,
        kind=f"theme.{what}",
        subject=theme.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )
