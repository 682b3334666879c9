"""Moving cover: reserve, release, pay. The only code that changes what is reserved.

Whatever happens to a cover line happens to its standing and to each of its vouches in the same
step, so that their `reserved` stays the sum of their lines.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from community.communities.charter import LiabilityMode
from community.guarantees.errors import CapReached
from community.guarantees.models import (
    Call,
    CallLine,
    CallStatus,
    Claim,
    CoverLine,
    Guarantee,
    GuaranteePayment,
)
from community.guarantees.plan import HeldLine, released_parts
from community.lines.draws import Drawn, lock_drawn
from community.loans.errors import LoanNotFound
from community.loans.models import Loan
from community.locks import lock, lock_where
from community.money import share_bps
from community.trust.models import Assessment, AssessmentKind, Standing, Vouch, VouchStatus
from graph.limits import CoverPath

# A call in one of these states may still be paid before its deadline.
PENDING = (CallStatus.OPEN, CallStatus.DISPUTED)


@dataclass(slots=True)
class LoanCover:
    """A loan with everything that its cover touches, all locked and as it is now."""

    loan: Loan
    lines: dict[int, CoverLine]
    standings: dict[int, Standing]
    vouches: dict[int, Vouch]
    guarantees: dict[int, Guarantee]
    calls: dict[int, Call]
    call_lines: list[CallLine]
    payments: dict[int, GuaranteePayment]
    claims: list[Claim]
    assessments: dict[int, Assessment]  # live standing assessments by member
    drawn: Drawn | None  # the shared line that the loan draws on

    @property
    def mode(self) -> LiabilityMode:
        return LiabilityMode(self.loan.terms["product"]["liability_mode"])

    @property
    def held_minor(self) -> int:
        return sum(line.held_minor for line in self.lines.values())

    @property
    def needed_minor(self) -> int:
        """Cover that the loan needs while nobody is called: what is out and what is to go out."""
        return cover_for(self.loan, self.loan.outstanding_minor + self.loan.undisbursed_minor)

    def asked_by_line(self) -> dict[int, int]:
        """What calls that are still pending ask of each line."""
        pending = {call.id for call in self.calls.values() if call.status in PENDING}
        asked: dict[int, int] = {}
        for item in self.call_lines:
            if item.call_id in pending:
                asked[item.cover_line_id] = asked.get(item.cover_line_id, 0) + item.open_minor
        return asked

    def as_held(self, line: CoverLine, held_minor: int) -> HeldLine:
        """The line as a plan sees it."""
        inner, outer = line.inner_vouch_id, line.outer_vouch_id
        return HeldLine(
            line_id=line.id,
            owner_id=self.standings[line.standing_id].member_id,
            direct_id=None if inner is None else self.vouches[inner].voucher_id,
            outer_id=None if outer is None else self.vouches[outer].voucher_id,
            held_minor=held_minor,
        )

    def standing_of(self, member_id: int) -> Standing | None:
        """The member's standing in the loan's community, if it is among the locked rows."""
        return next(
            (
                standing
                for standing in self.standings.values()
                if standing.member_id == member_id
                and standing.community_id == self.loan.community_id
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class HeldOn:
    """So much is held on these promises: on the borrower's own standing without any."""

    inner_vouch_id: int | None
    outer_vouch_id: int | None
    held_minor: int

    @classmethod
    def of(cls, line: CoverLine) -> "HeldOn":
        return cls(line.inner_vouch_id, line.outer_vouch_id, line.held_minor)

    @classmethod
    def along(cls, path: CoverPath) -> "HeldOn":
        ids = [int(str(promise)) for promise in path.promises]
        return cls(ids[-1] if ids else None, ids[-2] if len(ids) == 2 else None, int(path.amount))

    @property
    def vouch_ids(self) -> tuple[int, ...]:
        return tuple(i for i in (self.inner_vouch_id, self.outer_vouch_id) if i is not None)


def cover_for(loan: Loan, principal_minor: int) -> int:
    """The cover that so much principal of a loan needs, by the terms that it froze."""
    ratio: int = loan.terms["product"]["cover_ratio_bps"]
    return share_bps(principal_minor, ratio, up=True)


def lock_cover(
    session: Session,
    loan_ids: Iterable[int],
    *,
    besides_members: Collection[int] = (),
    besides_vouches: Collection[int] = (),
) -> dict[int, LoanCover]:
    """Lock loans with all that their cover touches, in the one order, and read it afresh.

    Units that work on several loans name all of them here at once, and those that look for further
    cover the members and vouches among whom they look. Raises LoanNotFound.
    """
    wanted = sorted(set(loan_ids))
    loans = lock(session, Loan, wanted)
    if len(loans) < len(wanted):
        raise LoanNotFound()
    # Under the loans' locks nobody else adds lines, calls, payments or claims to them.
    lines = _rows(session, CoverLine, CoverLine.loan_id.in_(wanted))
    guarantees = _rows(session, Guarantee, Guarantee.loan_id.in_(wanted))
    # Few loans were ever called: one statement tells that there is nothing of all this.
    call_ids, payment_ids, claim_ids = _failure_ids(session, wanted)
    calls = lock(session, Call, call_ids)
    payments = lock(session, GuaranteePayment, payment_ids)
    claims = lock(session, Claim, claim_ids)
    call_lines = _rows(session, CallLine, CallLine.call_id.in_(list(calls))) if calls else []
    vouch_ids = {
        vouch_id
        for line in lines
        for vouch_id in (line.inner_vouch_id, line.outer_vouch_id)
        if vouch_id is not None
    }
    borrowers = sorted({loan.borrower_id for loan in loans.values()})
    members = set(borrowers)
    if vouch_ids:
        vouchers = select(Vouch.voucher_id).where(Vouch.id.in_(sorted(vouch_ids)))
        members |= set(session.scalars(vouchers))
    members |= set(besides_members)
    communities = sorted({loan.community_id for loan in loans.values()})
    assessments = lock_where(
        session,
        Assessment,
        and_(
            Assessment.member_id.in_(sorted(members)),
            Assessment.community_id.in_(communities),
            Assessment.kind == AssessmentKind.STANDING,
            Assessment.ended_at.is_(None),
        ),
    )
    standings = lock_where(
        session,
        Standing,
        or_(
            Standing.id.in_(sorted({line.standing_id for line in lines})),
            and_(Standing.member_id.in_(sorted(members)), Standing.community_id.in_(communities)),
            # All standings of the borrowers: an overdue loan marks its borrower everywhere.
            Standing.member_id.in_(borrowers),
        ),
    )
    vouches = lock(session, Vouch, vouch_ids | set(besides_vouches))
    drawn = lock_drawn(session, loans.values())
    return {
        loan_id: _part(
            loan, lines, guarantees, calls, call_lines, payments, claims, standings, vouches,
            assessments, drawn.get(loan_id),
        )
        for loan_id, loan in loans.items()
    }  # fmt: skip


def read_cover(session: Session, loan_id: int) -> LoanCover:
    """A loan with its cover and what is asked on it, only to be looked at: nothing is locked."""
    lines = _rows(session, CoverLine, CoverLine.loan_id == loan_id)
    promised = {vouch_id for line in lines for vouch_id in HeldOn.of(line).vouch_ids}
    calls = _rows(session, Call, Call.loan_id == loan_id)
    asked = CallLine.call_id.in_([call.id for call in calls])
    return LoanCover(
        loan=session.get_one(Loan, loan_id),
        lines={line.id: line for line in lines},
        standings={},
        vouches={row.id: row for row in _rows(session, Vouch, Vouch.id.in_(sorted(promised)))},
        guarantees={
            row.guarantor_id: row for row in _rows(session, Guarantee, Guarantee.loan_id == loan_id)
        },
        calls={call.id: call for call in calls},
        call_lines=_rows(session, CallLine, asked) if calls else [],
        payments={},
        claims=[],
        assessments={},
        drawn=None,
    )


def reserve(
    session: Session,
    *,
    loan: Loan,
    paths: Sequence[CoverPath],
    standing_ids: Mapping[int, int],
) -> list[CoverLine]:
    """Reserve cover for a loan along paths that a plan found.

    The caller has locked the touched standings and vouches and checked their room; the tables
    refuse whatever would exceed it all the same. `standing_ids` maps members to standings.
    """
    lines = []
    for path in paths:
        on = HeldOn.along(path)
        line = CoverLine(
            loan_id=loan.id,
            standing_id=standing_ids[int(str(path.standing_of))],
            inner_vouch_id=on.inner_vouch_id,
            outer_vouch_id=on.outer_vouch_id,
            amount_minor=on.held_minor,
            released_minor=0,
            called_minor=0,
            paid_minor=0,
        )
        _add_reserved(session, line, line.amount_minor)
        session.add(line)
        lines.append(line)
    _sign_caps(session, loan, lines)
    session.flush()  # a row without room is refused here, inside the unit
    return lines


def release(session: Session, cover: LoanCover, amount_minor: int) -> int:
    """Free that much held cover, the farthest paths first; returns what was freed.

    What an open call asks of a line stays held.
    """
    asked = cover.asked_by_line()
    lines = [
        (line.id, line.hops, max(line.held_minor - asked.get(line.id, 0), 0))
        for line in cover.lines.values()
    ]
    parts = released_parts(lines, amount_minor)
    for line_id, part in parts.items():
        release_line(session, cover.lines[line_id], part)
    return sum(parts.values())


def release_line(session: Session, line: CoverLine, amount_minor: int) -> None:
    """Free a part of one line on its standing and on each of its vouches."""
    line.released_minor += amount_minor
    line.called_minor = min(line.called_minor, line.amount_minor - line.released_minor)
    _add_reserved(session, line, -amount_minor)


def hold_again(session: Session, cover: LoanCover, amount_minor: int) -> int:
    """Hold cover again that was freed, the nearest paths first; returns what could be held.

    Only lines of the loan itself that were not handed over to others, nor let go as not owed, as
    far as their standing and their live promises have room: what was freed may back somebody else
    by now, and nobody is held to more than they signed.
    """
    left = amount_minor
    not_owed = {
        item.cover_line_id
        for item in cover.call_lines
        if cover.calls[item.call_id].upheld_on is not None
    }
    for line in sorted(cover.lines.values(), key=lambda line: (line.hops, line.id)):
        if line.change_id is not None or line.id in not_owed:
            continue  # handed over, others hold it now; or rightly disputed
        room = min(left, line.released_minor, _room(cover, line))
        if room > 0:
            line.released_minor -= room
            _add_reserved(session, line, room)
            left -= room
    session.flush()  # a row without room is refused here, inside the unit
    return amount_minor - left


def _room(cover: LoanCover, line: CoverLine) -> int:
    standing = cover.standings[line.standing_id]
    if standing.overdue_since_on is not None and standing.member_id != cover.loan.borrower_id:
        return 0
    rooms = [standing.stake_minor + standing.assessed_minor - standing.reserved_minor]
    for vouch_id in (line.inner_vouch_id, line.outer_vouch_id):
        if vouch_id is not None:
            vouch = cover.vouches[vouch_id]
            if vouch.status is not VouchStatus.LIVE:
                return 0
            rooms.append(vouch.limit_minor - vouch.reserved_minor - vouch.spent_minor)
    return min(rooms)


def pay_line(
    cover: LoanCover, line: CoverLine, amount_minor: int, *, payer_id: int, from_stake: bool
) -> None:
    """Record that a held line was paid: by the owner of its standing or by the direct guarantor.

    The line stops being reserved; every promise that was made good on it stays spent. Paid out
    of the owner's stake, the stake falls; paid by the owner's hand, the assessed part falls.
    """
    standing = cover.standings[line.standing_id]
    line.paid_minor += amount_minor
    standing.reserved_minor -= amount_minor
    for vouch_id in (line.inner_vouch_id, line.outer_vouch_id):
        if vouch_id is None:
            continue
        vouch = cover.vouches[vouch_id]
        vouch.reserved_minor -= amount_minor
        vouch.version += 1
        # A direct guarantor who pays themselves has not used the promise made to them.
        made_good = vouch_id == line.inner_vouch_id or payer_id == standing.member_id
        if made_good:
            vouch.spent_minor += amount_minor
    if from_stake:
        standing.stake_minor -= amount_minor
    elif payer_id == standing.member_id:
        _use_assessment(cover, standing, amount_minor)
    guarantee = cover.guarantees.get(payer_id)
    if guarantee is not None:
        if guarantee.paid_minor + amount_minor > guarantee.cap_minor:
            raise CapReached(
                f"The signed cap is {guarantee.cap_minor}, {guarantee.paid_minor} is paid.",
                cap_minor=guarantee.cap_minor,
                paid_minor=guarantee.paid_minor,
            )
        guarantee.paid_minor += amount_minor


def stake_for(session: Session, cover: LoanCover, standing: Standing) -> int:
    """What of a member's stake may be set off for this loan.

    Pledge-only loans rest on the stake and on nothing else: what others of them hold is theirs.
    The standing is locked, so that no line on it can change meanwhile.
    """
    pledged = session.scalar(
        select(func.sum(CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor))
        .join(Loan, Loan.id == CoverLine.loan_id)
        .where(
            CoverLine.standing_id == standing.id,
            CoverLine.loan_id != cover.loan.id,
            Loan.terms["product"]["liability_mode"].as_string() == LiabilityMode.PLEDGE_ONLY,
        )
    )
    return max(standing.stake_minor - int(pledged or 0), 0)


def _use_assessment(cover: LoanCover, standing: Standing, amount_minor: int) -> None:
    # What was paid by hand cannot be paid a second time.
    assessment = cover.assessments.get(standing.member_id)
    used = min(amount_minor, standing.assessed_minor)
    if assessment is not None and used:
        used = min(used, assessment.amount_minor - assessment.used_minor)
        assessment.used_minor += used
        standing.assessed_minor -= used


def _add_reserved(session: Session, line: CoverLine, change: int) -> None:
    standing = session.get_one(Standing, line.standing_id)
    standing.reserved_minor += change
    for vouch_id in (line.inner_vouch_id, line.outer_vouch_id):
        if vouch_id is not None:
            vouch = session.get_one(Vouch, vouch_id)
            vouch.reserved_minor += change
            vouch.version += 1


def _sign_caps(session: Session, loan: Loan, lines: Sequence[CoverLine]) -> None:
    """Open or widen the guarantors' caps.

    Whoever promised to the borrower answers for all that travels over the promise; jointly and
    severally, up to the promise itself. Whoever covers a guarantor answers for their lines.
    """
    mode = LiabilityMode(loan.terms["product"]["liability_mode"])
    caps: dict[int, int] = {}
    promised: dict[int, Vouch] = {}
    for line in lines:
        if line.inner_vouch_id is None:
            continue
        inner = session.get_one(Vouch, line.inner_vouch_id)
        if mode is LiabilityMode.JOINT_AND_SEVERAL:
            promised[inner.id] = inner
        else:
            caps[inner.voucher_id] = caps.get(inner.voucher_id, 0) + line.amount_minor
        if line.outer_vouch_id is not None:
            outer = session.get_one(Vouch, line.outer_vouch_id)
            caps[outer.voucher_id] = caps.get(outer.voucher_id, 0) + line.amount_minor
    for vouch in promised.values():
        caps[vouch.voucher_id] = (
            caps.get(vouch.voucher_id, 0) + vouch.limit_minor - vouch.spent_minor
        )
    rows = {
        guarantee.guarantor_id: guarantee
        for guarantee in session.scalars(select(Guarantee).where(Guarantee.loan_id == loan.id))
    }
    for member_id, cap in sorted(caps.items()):
        if member_id not in rows:
            session.add(Guarantee(loan_id=loan.id, guarantor_id=member_id, cap_minor=cap))


def sign_for_taken(
    session: Session,
    cover: LoanCover,
    taken: Collection[CoverLine],
    vouches: Mapping[int, Vouch],
    *,
    let_go: Collection[CoverLine] = (),
) -> None:
    """Widen the caps of those who took over cover to what they stand for on the loan now.

    Never beyond the promises themselves, which they have signed. What is about to be `let_go`
    for it does not count.
    """
    for guarantee in _rows(session, Guarantee, Guarantee.loan_id == cover.loan.id):
        cover.guarantees[guarantee.guarantor_id] = guarantee
    promised = {**cover.vouches, **vouches}
    over = {line.id for line in let_go}
    lines = {**cover.lines, **{line.id: line for line in taken}}
    held = [HeldOn.of(line) for line in lines.values() if line.id not in over]
    touched = {
        promised[vouch_id].voucher_id
        for line in taken
        for vouch_id in (line.inner_vouch_id, line.outer_vouch_id)
        if vouch_id is not None
    }
    for member_id in touched:
        guarantee = cover.guarantees[member_id]
        stands = stands_for(member_id, held, promised, mode=cover.mode)
        guarantee.cap_minor = max(guarantee.cap_minor, guarantee.paid_minor + stands)


def stands_for(
    member_id: int,
    items: Iterable[HeldOn],
    promised: Mapping[int, Vouch],
    *,
    mode: LiabilityMode,
) -> int:
    """What a member answers for by their promises, with so much held on them.

    Jointly and severally, whoever promised to the borrower answers up to the promise itself.
    """
    joint = mode is LiabilityMode.JOINT_AND_SEVERAL
    stands = 0
    direct: set[int] = set()
    for item in items:
        for vouch_id in item.vouch_ids:
            if promised[vouch_id].voucher_id != member_id:
                continue
            if joint and vouch_id == item.inner_vouch_id and item.held_minor:
                direct.add(vouch_id)
            else:
                stands += item.held_minor
    return stands + sum(promised[i].limit_minor - promised[i].spent_minor for i in direct)


def _failure_ids(
    session: Session, loan_ids: Sequence[int]
) -> tuple[list[int], list[int], list[int]]:
    """The calls, the guarantors' payments and the claims of these loans."""
    found: tuple[list[int], list[int], list[int]] = ([], [], [])
    listed = union_all(
        select(literal(0), Call.id).where(Call.loan_id.in_(loan_ids)),
        select(literal(1), GuaranteePayment.id).where(GuaranteePayment.loan_id.in_(loan_ids)),
        select(literal(2), Claim.id).where(Claim.loan_id.in_(loan_ids)),
    )
    for place, row_id in session.execute(listed):
        found[place].append(row_id)
    return found


def _rows(session: Session, model: type, condition: object) -> list:  # type: ignore[type-arg]
    return list(
        session.scalars(
            select(model)
            .where(condition)  # type: ignore[arg-type]
            .order_by(model.id)  # type: ignore[attr-defined]
            .execution_options(populate_existing=True)
        )
    )


def _part(
    loan: Loan,
    lines: list[CoverLine],
    guarantees: list[Guarantee],
    calls: dict[int, Call],
    call_lines: list[CallLine],
    payments: dict[int, GuaranteePayment],
    claims: list[Claim] | dict[int, Claim],
    standings: dict[int, Standing],
    vouches: dict[int, Vouch],
    assessments: dict[int, Assessment],
    drawn: Drawn | None,
) -> LoanCover:
    all_claims = claims.values() if isinstance(claims, dict) else claims
    own_calls = {call_id: call for call_id, call in calls.items() if call.loan_id == loan.id}
    own_lines = {line.id: line for line in lines if line.loan_id == loan.id}
    promised = {line.inner_vouch_id for line in own_lines.values()}
    promised |= {line.outer_vouch_id for line in own_lines.values()}
    return LoanCover(
        loan=loan,
        lines=own_lines,
        standings=standings,
        # Whoever is locked with another loan, or besides, did not promise on this one.
        vouches={key: vouch for key, vouch in vouches.items() if key in promised},
        guarantees={g.guarantor_id: g for g in guarantees if g.loan_id == loan.id},
        calls=own_calls,
        call_lines=[item for item in call_lines if item.call_id in own_calls],
        payments={key: p for key, p in payments.items() if p.loan_id == loan.id},
        claims=[claim for claim in all_claims if claim.loan_id == loan.id],
        assessments={
            a.member_id: a for a in assessments.values() if a.community_id == loan.community_id
        },
        drawn=drawn,
    )
