"""The promises that a group's agreement holds: written, raised, lowered, extended, ended with it.

One promise a pair and direction. What loans rest on is never let go: a promise that ends runs on
with what is reserved, and comes back to life, rather than a second one beside it, if the pair
agrees anew while something still rests on it. So nobody stands for more than the cap.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import permutations

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.groups.models import Group
from community.ledger.events import record_event
from community.trust.models import Vouch, VouchKind, VouchSide, VouchStatus
from community.trust.promise_checks import Change
from community.trust.snapshot import lock_rows


@dataclass(frozen=True, slots=True)
class PromiseChanges:
    """What came of the promises when an amendment came into force; public ids."""

    written: tuple[str, ...]
    raised: tuple[str, ...]
    lowered: tuple[str, ...]
    extended: tuple[str, ...]


def hold_group_vouches(
    session: Session, community_id: int, group_ids: Collection[int], member_ids: Collection[int]
) -> dict[int, Vouch]:
    """Lock the standings of members, then all promises of groups; returns the promises.

    With a member's standing held, no loan of theirs is approved meanwhile.
    """
    ids = session.scalars(select(Vouch.id).where(Vouch.group_id.in_(sorted(set(group_ids)))))
    return lock_rows(session, community_id, member_ids, list(ids))


def new_group_vouch(group: Group, voucher_id: int, borrower_id: int, now: datetime) -> Vouch:
    """A promise of a group's member for another, with the cap and the end of its agreement."""
    return Vouch(
        community_id=group.community_id,
        kind=VouchKind.GROUP,
        group_id=group.id,
        voucher_id=voucher_id,
        borrower_id=borrower_id,
        offered_by=VouchSide.VOUCHER,
        limit_minor=group.pair_cap_minor,
        reserved_minor=0,
        spent_minor=0,
        status=VouchStatus.LIVE,
        offered_at=now,
        accepted_at=now,
        expires_on=group.vouch_expires_on,
        version=1,
    )


def group_changes(
    group_id: int,
    member_ids: Iterable[int],
    vouches: Iterable[Vouch],
    cap_minor: int,
    expires_on: date,
) -> list[Change]:
    """What every member's promises become when an agreement binds or is amended.

    `vouches` are the group's promises that are there already.
    """
    by_pair: dict[tuple[int, int], list[Vouch]] = {}
    for vouch in vouches:
        if vouch.group_id == group_id:
            by_pair.setdefault((vouch.voucher_id, vouch.borrower_id), []).append(vouch)
    changes = []
    for pair in permutations(sorted(member_ids), 2):
        held = _to_carry_on(by_pair.get(pair, ()))
        spent = 0 if held is None else held.spent_minor
        changes.append(
            Change(
                *pair,
                max(cap_minor - spent, 0),
                expires_on,
                None if held is None else held.id,
                group_id,
            )
        )
    return changes


def too_low_for(
    vouches: Iterable[Vouch], member_ids: Collection[int], cap_minor: int
) -> list[Vouch]:
    """The (locked) promises among members on which more rests than a new cap would hold."""
    return [
        vouch
        for vouch in vouches
        if {vouch.voucher_id, vouch.borrower_id} <= set(member_ids)
        and (vouch.status is VouchStatus.LIVE or vouch.reserved_minor)
        and vouch.reserved_minor + vouch.spent_minor > cap_minor
    ]


def amend_group_vouches(
    session: Session,
    group: Group,
    vouches: Iterable[Vouch],
    member_ids: Collection[int],
    *,
    now: datetime,
    actor_id: int | None,
) -> PromiseChanges:
    """Every member stands behind every other by the group's new cap and end, as all have signed.

    `vouches` are the group's promises, locked; whoever calls this has seen that none is too low.
    """
    by_pair: dict[tuple[int, int], list[Vouch]] = {}
    for vouch in vouches:
        if vouch.group_id == group.id:
            by_pair.setdefault((vouch.voucher_id, vouch.borrower_id), []).append(vouch)
    written: list[Vouch] = []
    raised: list[Vouch] = []
    lowered: list[Vouch] = []
    extended: list[Vouch] = []
    for pair in permutations(sorted(member_ids), 2):
        promise = _to_carry_on(by_pair.get(pair, ()))
        if promise is None:
            written.append(new_group_vouch(group, *pair, now))
            continue
        if promise.status is not VouchStatus.LIVE:
            promise.status, promise.ended_at, promise.accepted_at = VouchStatus.LIVE, None, now
            written.append(promise)
        elif group.pair_cap_minor > promise.limit_minor:
            raised.append(promise)
        elif group.pair_cap_minor < promise.limit_minor:
            lowered.append(promise)
        if group.vouch_expires_on != promise.expires_on:
            extended.append(promise)
        promise.limit_minor = group.pair_cap_minor
        promise.expires_on = group.vouch_expires_on
        promise.version += 1
    session.add_all(written)
    session.flush()  # the event names them
    changes = PromiseChanges(*map(_named, (written, raised, lowered, extended)))
    record_event(
        session,
        community_id=group.community_id,
        kind="group.vouches_amended",
        subject=group.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "pair_cap_minor": group.pair_cap_minor,
            "expires_on": group.vouch_expires_on.isoformat(),
            "written": list(changes.written),
            "raised": list(changes.raised),
            "lowered": list(changes.lowered),
            "other_end": list(changes.extended),
        },
    )
    return changes


def end_group_vouches(
    session: Session,
    group: Group,
    vouches: Iterable[Vouch],
    *,
    now: datetime,
    actor_id: int | None,
    member_id: int | None = None,
) -> int:
    """The group's (locked) promises by and for a member back nothing new; None: all of them.

    What is reserved on them runs on. Returns how many ended.
    """
    ended: dict[str, int] = {}
    for vouch in vouches:
        if (
            vouch.group_id != group.id
            or vouch.status is not VouchStatus.LIVE
            or (member_id is not None and member_id not in (vouch.voucher_id, vouch.borrower_id))
        ):
            continue
        vouch.limit_minor = vouch.reserved_minor + vouch.spent_minor
        vouch.status, vouch.ended_at = VouchStatus.REVOKED, now
        vouch.version += 1
        ended[vouch.public_id] = vouch.reserved_minor
    if ended:
        record_event(
            session,
            community_id=group.community_id,
            kind="group.vouches_ended",
            subject=group.public_id,
            actor_id=actor_id,
            now=now,
            facts={"reserved_minor": ended},
        )
    return len(ended)


def reserved_for(vouches: Mapping[int, Vouch], group_id: int, borrower_id: int) -> dict[int, int]:
    """What loans rest on of each member's promise for somebody in a group, by voucher."""
    found: dict[int, int] = {}
    for vouch in vouches.values():
        if vouch.group_id == group_id and vouch.borrower_id == borrower_id:
            found[vouch.voucher_id] = found.get(vouch.voucher_id, 0) + vouch.reserved_minor
    return found


def _to_carry_on(pair: Iterable[Vouch]) -> Vouch | None:
    """The pair's live promise; else the one that ended and on which something still rests."""
    rows = sorted(pair, key=lambda vouch: vouch.id)
    live = [vouch for vouch in rows if vouch.status is VouchStatus.LIVE]
    resting = [vouch for vouch in rows if vouch.reserved_minor]
    return next(iter([*live, *resting]), None)


def _named(vouches: Iterable[Vouch]) -> tuple[str, ...]:
    return tuple(vouch.public_id for vouch in vouches)
