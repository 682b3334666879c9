"""What if: a circle's cost with other promises, and who would be called if somebody failed.

The losses are those of the search for circles (`losses`), the calls those of `ahead.fail`, each
worked out anew on the community's rows as they are now, or as they would be. Nothing is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, LiabilityMode
from community.communities.models import Community
from community.loans.models import Loan
from community.members import queries as members
from community.members.models import Member
from community.money import allocate
from community.risk.actions import (
    OUTSIDER,
    change_bps,
    replaced,
    stake_locked,
    without_outsider,
)
from community.risk.ahead import Book, CoveredLine, LoanOut, MadeCall, Outcome, fail
from community.risk.book import Desk, read_desk
from community.risk.errors import BadChange
from community.risk.losses import Cost, Reckoner, failure_bps
from community.trust.models import Vouch
from community.trust.snapshot import parts


@dataclass(frozen=True, slots=True)
class Changes:
    """What is supposed, by public ids: nothing of it is done."""

    # What a promise may stand for at most; below what rests on it, as if so much less rested.
    limits: Mapping[str, int]
    # Promises in whose place somebody from outside stands with locked savings.
    replaced: tuple[str, ...] = ()
    # What members of the circle lock of what was assessed of them.
    locked: Mapping[str, int] | None = None
    # Members of the circle who fail together.
    failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promise:
    """A vouch between members of a circle as it stands now."""

    vouch: str
    voucher_id: int
    borrower_id: int
    amount_minor: int
    reserved_minor: int


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that would be made: on which day, to be paid by when."""

    call: MadeCall
    loan: str
    on: date
    deadline_on: date


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What would happen if a payment due on `on` were not made by these members."""

    on: date
    owed_minor: int
    outcome: Outcome
    calls: tuple[PlannedCall, ...]
    people: Mapping[int, Member]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A circle's cost as it is and as it would be."""

    before: Cost
    after: Cost
    # Expected to be paid by whoever stands in from outside: it has not gone, it has moved.
    moved_minor: int
    plan_before: CallPlan | None
    plan_after: CallPlan | None

    @property
    def expected_change_bps(self) -> int:
        return change_bps(self.before.expected_minor, self.after.expected_minor - self.moved_minor)

    @property
    def worst_change_bps(self) -> int:
        outside = self.after.worst_paid.get(OUTSIDER, 0)
        return change_bps(self.before.worst_minor, self.after.worst_minor - outside)


def promises_within(
    session: Session, desk: Desk, inside: Iterable[int], *, most: int
) -> list[Promise]:
    """The promises among these members, those on which most rests first."""
    who = np.array(sorted(inside), np.int64)
    here = np.isin(desk.vouchers, who) & np.isin(desk.borrowers, who) & (desk.amounts > 0)
    places = np.flatnonzero(here)
    order = sorted(
        places.tolist(),
        key=lambda at: (-int(desk.reserved[at]), -int(desk.amounts[at]), int(desk.vouch_ids[at])),
    )[:most]
    wanted = [int(desk.vouch_ids[at]) for at in order]
    public: dict[int, str] = {}
    for part in parts(wanted):
        rows = session.execute(select(Vouch.id, Vouch.public_id).where(Vouch.id.in_(part)))
        public |= {row.id: row.public_id for row in rows}
    return [
        Promise(
            public[int(desk.vouch_ids[at])],
            int(desk.vouchers[at]),
            int(desk.borrowers[at]),
            int(desk.amounts[at]),
            int(desk.reserved[at]),
        )
        for at in order
    ]


def what_if(
    session: Session,
    *,
    community: Community,
    inside: Iterable[int],
    changes: Changes,
    on: date,
    desk: Desk | None = None,
) -> WhatIf:
    """What a circle of these members costs as it is, and with the changes. Raises BadChange."""
    rules = communities.charter_on(session, community.id, on).rules
    desk = desk or read_desk(session, community=community, on=on)
    members_inside = frozenset(inside)
    book = desk.book
    reckoner = Reckoner(
        book,
        failure_bps(book, desk.traits, rules),
        rules.fail_together_bps,
        rules.assessed_pays_bps,
    )
    before = reckoner.cost(members_inside)
    changed = _changed(session, desk, members_inside, changes)
    other = reckoner.on(changed)
    after = other.cost(members_inside)
    moved = 0
    if changes.replaced:
        moved = after.expected_members_minor - without_outsider(other, members_inside)
    failing = _members(session, members_inside, changes.failing, "fails")
    plans: list[CallPlan | None] = [None, None]
    if failing:
        plans = [
            _plan(session, each, rules, frozenset(failing.values()), on) for each in (book, changed)
        ]
    return WhatIf(before, after, moved, plans[0], plans[1])


def call_plan(session: Session, *, community: Community, member_id: int, on: date) -> CallPlan:
    """Who would be called for how much, and when, if this member stopped paying today."""
    rules = communities.charter_on(session, community.id, on).rules
    desk = read_desk(session, community=community, on=on)
    return _plan(session, desk.book, rules, frozenset({member_id}), on)


def limited(book: Book, vouch: int, amount_minor: int, amount_now_minor: int) -> Book:
    """A promise stands for at most so much: first what is free of it goes, then what rests on it.

    What rests on it goes from its lines pro rata; the loans stay as large and have less cover.
    """
    along = [
        line
        for loan in book.loans
        for line in loan.lines
        if vouch in (line.inner_vouch_id, line.outer_vouch_id)
    ]
    held = sum(line.held.held_minor for line in along)
    rooms = dict(book.rooms)
    if vouch in rooms:
        rooms[vouch] = max(rooms[vouch] + amount_minor - amount_now_minor, 0)
    excess = max(held - amount_minor, 0)
    if not excess:
        return Book(book.purses, book.loans, rooms, book.whole_pledged)
    split = allocate(excess, [line.held.held_minor for line in along])
    less = {line.held.line_id: part for line, part in zip(along, split, strict=True)}
    purses, pledged = dict(book.purses), dict(book.pledged)
    loans = []
    for loan in book.loans:
        cut = {line.held.line_id for line in loan.lines} & less.keys()
        if not cut:
            loans.append(loan)
            continue
        for line in loan.lines:
            part = less.get(line.held.line_id, 0)
            owner = line.held.owner_id
            if part and owner in purses:
                purse = purses[owner]
                purses[owner] = replace(purse, reserved_minor=purse.reserved_minor - part)
            if part and loan.mode is LiabilityMode.PLEDGE_ONLY:
                pledged[owner] = pledged.get(owner, 0) - part
        loans.append(_with_less(loan, vouch, less))
    return Book(purses, tuple(loans), rooms, pledged)


def _with_less(loan: LoanOut, vouch: int, less: Mapping[int, int]) -> LoanOut:
    lines = tuple(
        CoveredLine(
            replace(line.held, held_minor=line.held.held_minor - less.get(line.held.line_id, 0)),
            line.inner_vouch_id,
            line.outer_vouch_id,
        )
        for line in loan.lines
    )
    gone = sum(
        less.get(line.held.line_id, 0) for line in loan.lines if line.inner_vouch_id == vouch
    )
    signed = tuple(
        replace(each, cap_minor=max(each.cap_minor - gone, 0)) if each.vouch_id == vouch else each
        for each in loan.signed
    )
    return replace(loan, lines=tuple(line for line in lines if line.held.held_minor), signed=signed)


def _changed(session: Session, desk: Desk, inside: frozenset[int], changes: Changes) -> Book:
    """The book with all changes; a promise that is replaced has no limit of its own any more."""
    asked = {*changes.limits, *changes.replaced}
    rows = session.execute(
        select(Vouch.public_id, Vouch.id, Vouch.voucher_id, Vouch.borrower_id).where(
            Vouch.community_id == desk.community_id, Vouch.public_id.in_(asked)
        )
    )
    at = {int(vouch): place for place, vouch in enumerate(desk.vouch_ids.tolist())}
    known = {
        public: vouch
        for public, vouch, voucher, borrower in rows
        if (voucher in inside or borrower in inside) and vouch in at
    }
    missing = sorted(asked - known.keys())
    if missing:
        raise BadChange(
            "Name promises that bind and that a member of the circle gave or has.",
            field="limits",
            missing=missing,
        )
    book = desk.book
    for public in sorted(changes.limits.keys() - set(changes.replaced)):
        vouch = known[public]
        now_minor = int(desk.amounts[at[vouch]])
        book = limited(book, vouch, changes.limits[public], now_minor)
    for public in sorted(set(changes.replaced)):
        vouch = known[public]
        rests = sum(
            line.held.held_minor
            for loan in book.loans
            for line in loan.lines
            if vouch in (line.inner_vouch_id, line.outer_vouch_id)
        )
        book = replaced(book, vouch, rests)
    locked = changes.locked or {}
    who = _members(session, inside, locked, "locked")
    for public, member_id in sorted(who.items()):
        purse = book.purses.get(member_id)
        free = 0 if purse is None else purse.assessed_minor
        if locked[public] > free:
            raise BadChange(
                "Nobody can lock more than was assessed of them.",
                field="locked",
                member=public,
                most_minor=free,
            )
        if locked[public]:
            book = stake_locked(book, member_id, locked[public])
    return book


def _members(
    session: Session, inside: frozenset[int], public_ids: Iterable[str], field: str
) -> dict[str, int]:
    asked = set(public_ids)
    found = {
        public: member.id
        for public, member in members.find_members(session, asked).items()
        if member.id in inside
    }
    missing = sorted(asked - found.keys())
    if missing:
        raise BadChange("Name members of this circle.", field=field, missing=missing)
    return found


def _plan(
    session: Session, book: Book, rules: CharterRules, failing: frozenset[int], on: date
) -> CallPlan:
    outcome = fail(book.part(failing), failing, assessed_pays_bps=rules.assessed_pays_bps)
    loans: dict[int, str] = {}
    for part in parts({call.loan_id for call in outcome.calls}):
        rows = session.execute(select(Loan.id, Loan.public_id).where(Loan.id.in_(part)))
        loans |= {row.id: row.public_id for row in rows}
    who = {call.guarantor_id for call in outcome.calls} | failing
    who |= {call.for_guarantor_id for call in outcome.calls if call.for_guarantor_id is not None}
    # A payment due today that is not made is called when it has been late for longer than this.
    first = on + timedelta(days=rules.call_day + 1)
    calls = []
    for call in outcome.calls:
        # What is not paid by its deadline lapses on the day after, and others are asked that day.
        opened = first + timedelta(days=(call.step - 1) * (rules.call_deadline_days + 1))
        deadline = opened + timedelta(days=rules.call_deadline_days)
        calls.append(PlannedCall(call, loans[call.loan_id], opened, deadline))
    return CallPlan(
        on=on,
        owed_minor=sum(
            loan.owed_minor for member in failing for loan in book.loans_of.get(member, ())
        ),
        outcome=outcome,
        calls=tuple(calls),
        people=members.get_members_by_id(session, who - {OUTSIDER}),
    )
