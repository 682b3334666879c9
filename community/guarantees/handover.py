"""A guarantor leaves a live loan: another takes over, or the rest of the circle carries it.

All in one unit of work: the loan, its cover and everybody among whom new cover is looked for are
locked; the new cover is reserved, written down, and only then the old is let go. So at no moment,
not inside the unit either, is less held than the loan needs. What is called stays where it is.

New cover comes from promises that their givers have signed and that have room, and from the
borrower's own standing; what the leaving guarantor holds is not counted on before it is free.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import LiabilityMode
from community.guarantees.cover import (
    HeldOn,
    LoanCover,
    lock_cover,
    read_cover,
    release_line,
    reserve,
    sign_for_taken,
    stands_for,
)
from community.guarantees.errors import (
    CoverChangeOpen,
    CoverChangeOver,
    CoverIsCalled,
    CoverNotMoving,
    CoverShortOf,
    CoversNothing,
    NotInCoverChange,
)
from community.guarantees.models import (
    CoverChange,
    CoverChangeKind,
    CoverChangeStatus,
    CoverLine,
)
from community.ledger.events import record_event
from community.loans.history import instalments_of, owed
from community.loans.models import Loan, LoanStatus
from community.loans.queries import get_loan_by_id
from community.loans.states import ON_PLAN
from community.members import queries as members
from community.members.queries import Named
from community.money import format_minor, say_amount
from community.trust.models import Vouch
from community.trust.queries import exposure_of
from community.trust.snapshot import Neighbourhood, neighbourhood
from graph.limits import CoverLimit, cover_limit, reserve_cover

# A cover line has room for two promises; see graph.limits.reserve_cover.
_CIRCLE = 2
# In these states a loan's cover may go over to others; what is called stays where it is.
MOVABLE = (LoanStatus.APPROVED, *ON_PLAN, LoanStatus.OVERDUE)


@dataclass(frozen=True, slots=True)
class _Handover:
    """A locked loan, what the leaving guarantor holds of it, and where else cover may come from."""

    cover: LoanCover
    leaving: tuple[CoverLine, ...]
    around: Neighbourhood
    circle: int

    @property
    def freed_minor(self) -> int:
        return sum(line.held_minor for line in self.leaving)

    @property
    def wanted_minor(self) -> int:
        """What has to be held anew so that as much is held as the loan needs, or as before."""
        held = self.cover.held_minor
        return max(min(self.cover.needed_minor, held) - (held - self.freed_minor), 0)


@dataclass(frozen=True, slots=True)
class Takeover:
    """What somebody would hold, and could owe, if they took over a guarantor's cover today."""

    loan: Loan
    borrower: Named
    leaving: Named
    currency: str
    on: date
    mode: LiabilityMode
    # The loan as it is now: what is owed, since how long it is late, when it ends by its plan.
    owed_minor: int
    days_overdue: int
    last_due_on: date | None
    # What has to be held in the place of who leaves; of it from their own standing, and from
    # those behind them, who are asked through them; what of it nobody could hold now.
    wanted_minor: int
    own_minor: int
    behind_minor: int
    missing_minor: int
    # The most that could be asked of them on this loan, now and then; not known while some is
    # missing.
    cap_before_minor: int
    cap_after_minor: int | None
    # What rests on all their promises in the community, now and then.
    resting_before_minor: int
    resting_after_minor: int | None

    @property
    def principal_minor(self) -> int:
        return self.loan.principal_minor


def propose_substitution(
    session: Session,
    *,
    loan_id: int,
    leaving_id: int,
    coming_id: int,
    reason: str,
    now: datetime,
    actor_id: int,
) -> CoverChange:
    """One of the three asks the others that `coming` takes over what `leaving` covers.

    Who asks has agreed. Locks the loan and its cover. Raises NotInCoverChange, NotAMember,
    CoverNotMoving, CoverIsCalled, CoversNothing, CoverChangeOpen.
    """
    cover = lock_cover(session, [loan_id])[loan_id]
    loan = cover.loan
    if actor_id not in (leaving_id, coming_id, loan.borrower_id):
        raise NotInCoverChange()
    if coming_id in (leaving_id, loan.borrower_id):
        raise NotInCoverChange("Somebody else than the borrower and the guarantor takes over.")
    communities.require_active(
        session, community_id=loan.community_id, member_id=coming_id, hold=True
    )
    _require_movable(cover, leaving_id)
    _require_none_open(session, loan_id, leaving_id)
    change = CoverChange(
        loan_id=loan_id,
        kind=CoverChangeKind.SUBSTITUTION,
        status=CoverChangeStatus.PROPOSED,
        leaving_id=leaving_id,
        coming_id=coming_id,
        reason=reason,
        proposed_by_id=actor_id,
        proposed_at=now,
        freed_minor=0,
        taken_minor=0,
        cap_before_minor=0,
    )
    _note_consent(change, loan, actor_id, now)
    session.add(change)
    session.flush()  # the event names it
    _note(session, loan, change, "cover.substitution_proposed", now, actor_id)
    return change


def agree(
    session: Session, *, change_id: int, on: date, now: datetime, actor_id: int
) -> CoverChange:
    """One of the three agrees; with the last of them the cover goes over, at once.

    Raises CoverChangeOver, NotInCoverChange, and for the last: CoverNotMoving, CoverIsCalled,
    CoversNothing, CoverShortOf (nothing of it stays, the consent neither).
    """
    seen = session.get_one(CoverChange, change_id)
    found = _hold(session, seen.loan_id, seen.leaving_id, on=on, coming_id=seen.coming_id)
    change = _open(session, change_id)
    loan = found.cover.loan
    _note_consent(change, loan, actor_id, now)
    agreed = (change.leaving_agreed_at, change.coming_agreed_at, change.borrower_agreed_at)
    if None in agreed:
        _note(session, loan, change, "cover.substitution_agreed", now, actor_id)
        return change
    _move(session, found, change, on=on, now=now, actor_id=actor_id)
    return change


def refuse(session: Session, *, change_id: int, now: datetime, actor_id: int) -> CoverChange:
    """One of the three says no, or takes back their consent: all stays as it was.

    Raises CoverChangeOver, NotInCoverChange.
    """
    seen = session.get_one(CoverChange, change_id)
    loan = lock_cover(session, [seen.loan_id])[seen.loan_id].loan
    change = _open(session, change_id)
    if actor_id not in (change.leaving_id, change.coming_id, loan.borrower_id):
        raise NotInCoverChange()
    taken_back = actor_id == change.proposed_by_id
    change.status = CoverChangeStatus.WITHDRAWN if taken_back else CoverChangeStatus.REFUSED
    change.ended_at = now
    _note(session, loan, change, f"cover.substitution_{change.status.value}", now, actor_id)
    return change


def release_early(
    session: Session,
    *,
    loan_id: int,
    member_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> CoverChange:
    """A guarantor asks to be released; granted at once if the rest can carry what they hold.

    The rest: promises that others have signed, as far as they have room, and the borrower's own
    standing (who may lock savings for it first). Raises NotInCoverChange, CoverNotMoving,
    CoverIsCalled, CoversNothing, CoverChangeOpen, CoverShortOf, which says how much is missing and
    who could fill it.
    """
    if actor_id != member_id:
        raise NotInCoverChange("Only the guarantor can ask for this.")
    found = _hold(session, loan_id, member_id, on=on, coming_id=None)
    _require_none_open(session, loan_id, member_id)
    change = CoverChange(
        loan_id=loan_id,
        kind=CoverChangeKind.RELEASE,
        status=CoverChangeStatus.PROPOSED,
        leaving_id=member_id,
        reason=reason,
        proposed_by_id=actor_id,
        proposed_at=now,
        leaving_agreed_at=now,
        freed_minor=0,
        taken_minor=0,
        cap_before_minor=0,
    )
    session.add(change)
    session.flush()  # lines that are let go name it
    _move(session, found, change, on=on, now=now, actor_id=actor_id)
    return change


def preview_takeover(session: Session, change: CoverChange, *, on: date) -> Takeover:
    """What a change would mean for who comes, before they agree to it.

    Nothing is locked or written: `agree` looks again, under locks. Raises CoverChangeOver,
    CoverNotMoving, CoverIsCalled, CoversNothing.
    """
    _require_open(change)
    coming_id = change.coming_id
    assert coming_id is not None, "a release is never left open"
    cover = read_cover(session, change.loan_id)
    loan = cover.loan
    leaving = _require_movable(cover, change.leaving_id)
    around, circle = _look(session, loan, on)
    found = _Handover(
        cover, leaving, _without(around, change.leaving_id, loan.borrower_id, coming_id), circle
    )
    wanted = found.wanted_minor
    where = (loan.borrower_id, found.around.standings, found.around.promises)
    able = min(cover_limit(*where, circle=circle).value, wanted)
    paths = reserve_cover(*where, able, circle=circle)
    own = sum(int(path.amount) for path in paths if path.standing_of == coming_id)
    guarantee = cover.guarantees.get(coming_id)
    cap = 0 if guarantee is None else guarantee.cap_minor
    community = communities.get_community_by_id(session, loan.community_id)
    resting = exposure_of(
        session,
        community_id=community.id,
        member_id=coming_id,
        currency=community.currency,
        on=on,
    ).now_minor
    cap_after, resting_after = None, None
    if able == wanted:
        taken = [HeldOn.along(path) for path in paths]
        let_go = [HeldOn.of(line) for line in leaving]
        kept = [HeldOn.of(line) for line in cover.lines.values() if line not in leaving]
        promised = {**cover.vouches, **_promised(session, taken)}
        stands = stands_for(coming_id, [*kept, *taken], promised, mode=cover.mode)
        paid = 0 if guarantee is None else guarantee.paid_minor
        cap_after = max(cap, paid + stands) if taken else cap
        resting_after = resting + sum(
            sign * item.held_minor
            for sign, items in ((1, taken), (-1, let_go))
            for item in items
            if coming_id in {promised[vouch_id].voucher_id for vouch_id in item.vouch_ids}
        )
    debt = owed(session, loan=loan, on=on)
    people = members.names_of(session, (loan.borrower_id, change.leaving_id))
    return Takeover(
        loan=loan,
        borrower=people[loan.borrower_id],
        leaving=people[change.leaving_id],
        currency=community.currency,
        on=on,
        mode=cover.mode,
        owed_minor=debt.total_minor,
        days_overdue=debt.days_overdue,
        last_due_on=max((row.due_on for row in instalments_of(session, loan.id)), default=None),
        wanted_minor=wanted,
        own_minor=own,
        behind_minor=able - own,
        missing_minor=wanted - able,
        cap_before_minor=cap,
        cap_after_minor=cap_after,
        resting_before_minor=resting,
        resting_after_minor=resting_after,
    )


def _look(session: Session, loan: Loan, on: date) -> tuple[Neighbourhood, int]:
    """Who can stand behind the borrower, as of now, and over how many promises."""
    charter = communities.charter_on(session, loan.community_id, on).rules
    mode = LiabilityMode(loan.terms["product"]["liability_mode"])
    circle = min(charter.circle_of_trust, _CIRCLE)
    around = neighbourhood(
        session,
        community_id=loan.community_id,
        borrower_id=loan.borrower_id,
        on=on,
        circle=circle,
        pledge_only=mode is LiabilityMode.PLEDGE_ONLY,
    )
    return around, circle


def _hold(
    session: Session, loan_id: int, leaving_id: int, *, on: date, coming_id: int | None
) -> _Handover:
    """Lock the loan, its cover and all among whom new cover is looked for; look under the locks."""
    known = get_loan_by_id(session, loan_id)
    seen, circle = _look(session, known, on)
    people = {int(str(member)) for member in seen.standings}
    promises = set(seen.vouch_rows)
    cover = lock_cover(session, [loan_id], besides_members=people, besides_vouches=promises)[
        loan_id
    ]
    leaving = _require_movable(cover, leaving_id)
    around = _look(session, known, on)[0].within(people, promises)
    return _Handover(
        cover, leaving, _without(around, leaving_id, known.borrower_id, coming_id), circle
    )


def _without(
    around: Neighbourhood, leaving_id: int, borrower_id: int, coming_id: int | None
) -> Neighbourhood:
    """Where new cover may come from: nothing of who leaves; by way of who comes, if named."""
    rows = around.vouch_rows
    standings = {m: 0 if m == leaving_id else amount for m, amount in around.standings.items()}
    if coming_id is not None:
        standings[borrower_id] = 0
    kept = []
    for promise in around.promises:
        row = rows[int(str(promise.id))]
        if row.voucher_id == leaving_id:
            continue
        if coming_id is not None and coming_id != (
            row.voucher_id if row.borrower_id == borrower_id else row.borrower_id
        ):
            continue
        kept.append(promise)
    return replace(around, standings=standings, promises=tuple(kept))


def _require_movable(cover: LoanCover, leaving_id: int) -> tuple[CoverLine, ...]:
    """The lines that rest on a guarantor, if they can go over to others."""
    status = cover.loan.status
    if status is LoanStatus.CALLED:
        raise CoverIsCalled(loan=cover.loan.public_id)
    if status not in MOVABLE:
        raise CoverNotMoving(f"The loan is {status.value}.", status=status.value)
    asked = cover.asked_by_line()
    lines = tuple(
        line
        for line in sorted(cover.lines.values(), key=lambda line: line.id)
        if line.held_minor
        and any(
            vouch_id is not None and cover.vouches[vouch_id].voucher_id == leaving_id
            for vouch_id in (line.inner_vouch_id, line.outer_vouch_id)
        )
    )
    if not lines:
        raise CoversNothing()
    if any(asked.get(line.id) for line in lines):
        raise CoverIsCalled(loan=cover.loan.public_id)
    return lines


def _require_none_open(session: Session, loan_id: int, leaving_id: int) -> None:
    found = session.scalar(
        select(CoverChange.public_id).where(
            CoverChange.loan_id == loan_id,
            CoverChange.leaving_id == leaving_id,
            CoverChange.status == CoverChangeStatus.PROPOSED,
        )
    )
    if found is not None:
        raise CoverChangeOpen(change=found)


def _open(session: Session, change_id: int) -> CoverChange:
    """The change as it is now, under its loan's lock."""
    change = session.get_one(CoverChange, change_id, populate_existing=True)
    _require_open(change)
    return change


def _require_open(change: CoverChange) -> None:
    if change.status is not CoverChangeStatus.PROPOSED:
        raise CoverChangeOver(f"The change is {change.status.value}.", status=change.status.value)


def _note_consent(change: CoverChange, loan: Loan, member_id: int, now: datetime) -> None:
    if member_id == change.leaving_id:
        change.leaving_agreed_at = change.leaving_agreed_at or now
    elif member_id == change.coming_id:
        change.coming_agreed_at = change.coming_agreed_at or now
    elif member_id == loan.borrower_id:
        change.borrower_agreed_at = change.borrower_agreed_at or now
    else:
        raise NotInCoverChange()


def _move(
    session: Session,
    found: _Handover,
    change: CoverChange,
    *,
    on: date,
    now: datetime,
    actor_id: int,
) -> None:
    """Hold the new cover, then let the old go. Both in this order, in one unit of work."""
    cover, wanted = found.cover, found.wanted_minor
    loan = cover.loan
    limit = cover_limit(
        loan.borrower_id, found.around.standings, found.around.promises, circle=found.circle
    )
    if limit.value < wanted:
        raise _short(session, found, change, limit, wanted)
    paths = reserve_cover(
        loan.borrower_id,
        found.around.standings,
        found.around.promises,
        wanted,
        circle=found.circle,
    )
    freed = found.freed_minor
    before = {line.id: line.held_minor for line in found.leaving}
    taken = reserve(session, loan=loan, paths=paths, standing_ids=found.around.standing_ids)
    vouches = _promised(session, [HeldOn.of(line) for line in taken])
    sign_for_taken(session, cover, taken, vouches, let_go=found.leaving)
    session.flush()  # the new cover is held in the database before anything of the old is let go
    for line in found.leaving:
        release_line(session, line, line.held_minor)
        line.change_id = change.id
    for line in taken:
        cover.lines[line.id] = line
    guarantee = cover.guarantees.get(change.leaving_id)
    if guarantee is not None:
        change.cap_before_minor = guarantee.cap_minor
        # Nothing more can be asked of them on this loan, for others' shares either.
        guarantee.cap_minor = guarantee.paid_minor
    change.freed_minor, change.taken_minor = freed, wanted
    change.status, change.ended_at, change.done_on = CoverChangeStatus.DONE, now, on
    session.flush()
    verb = "substituted" if change.kind is CoverChangeKind.SUBSTITUTION else "released"
    _note(
        session,
        loan,
        change,
        f"cover.{verb}",
        now,
        actor_id,
        freed={str(line_id): held for line_id, held in before.items()},
        taken={str(line.id): line.amount_minor for line in taken},
        cap_before_minor=change.cap_before_minor,
    )


def _promised(session: Session, items: Sequence[HeldOn]) -> dict[int, Vouch]:
    ids = {vouch_id for item in items for vouch_id in item.vouch_ids}
    return {vouch_id: session.get_one(Vouch, vouch_id) for vouch_id in sorted(ids)}


def _short(
    session: Session, found: _Handover, change: CoverChange, limit: CoverLimit, wanted: int
) -> CoverShortOf:
    """How much is missing, and whose promise or savings would help: those on the loan by name."""
    loan = found.cover.loan
    missing = wanted - limit.value
    currency = communities.get_community_by_id(session, loan.community_id).currency
    could: set[tuple[int, str]] = {(loan.borrower_id, "lock_stake")}
    if change.coming_id is not None:
        could = {(change.coming_id, "raise_promise"), (change.coming_id, "lock_stake")}
    else:
        for item in limit.raises(missing):
            if not item.gain or not isinstance(item.id, int):
                continue
            row = found.around.vouch_rows.get(item.id) if item.kind == "promise" else None
            if row is not None:
                could.add((row.voucher_id, "raise_promise"))
            elif item.kind != "promise":
                could.add((item.id, "lock_stake"))
    known = {loan.borrower_id, change.coming_id, *found.cover.guarantees}
    named = sorted(pair for pair in could if pair[0] in known and pair[0] != change.leaving_id)
    people = members.names_of(session, (member_id for member_id, _ in named))
    told: list[dict[str, Any]] = [
        {"id": people[member_id].public_id, "name": people[member_id].name, "how": how}
        for member_id, how in named
    ]
    amount = format_minor(missing, currency)
    return CoverShortOf(
        f"{say_amount(wanted, currency)} have to be held anew; "
        f"{say_amount(missing, currency)} of it are missing.",
        missing={"amount": amount, "currency": currency},
        could_fill=told,
        others=len({member_id for member_id, _ in could} - {m for m, _ in named}),
    )


def _note(
    session: Session,
    loan: Loan,
    change: CoverChange,
    kind: str,
    now: datetime,
    actor_id: int,
    **facts: object,
) -> None:
    ends = [i for i in (change.leaving_id, change.coming_id) if i is not None]
    people = members.names_of(session, ends)
    record_event(
        session,
        community_id=loan.community_id,
        kind=kind,
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "change": change.public_id,
            "leaving": people[change.leaving_id].public_id,
            "coming": None if change.coming_id is None else people[change.coming_id].public_id,
            "freed_minor": change.freed_minor,
            "taken_minor": change.taken_minor,
            **facts,
        },
    )
