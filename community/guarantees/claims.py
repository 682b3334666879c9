"""The book of claims: who paid for whom, what came of it, what is left (docs/recourse.md).

Only this module changes claims. Every change of a row is a movement beside it; what is open on the
borrowers' claims stands on the memorandum accounts of the ledger too. Whoever works on a claim
holds its loan, its payment and all claims of that payment.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import read_rules
from community.communities.models import Charter
from community.errors import CurrencyMismatch, Invalid
from community.guarantees import recourse
from community.guarantees.errors import (
    ClaimNotFound,
    MoreThanClaimed,
    NotAParty,
    NotTheClaimant,
    PaidThroughTheLoan,
    SettlementAnswered,
    SettlementNotFound,
    SettlementNotReversible,
)
from community.guarantees.models import (
    Call,
    CallGround,
    Claim,
    ClaimGround,
    ClaimMovement,
    ClaimSettlement,
    GuaranteePayment,
    MovementKind,
    PaidAs,
    SettlementStatus,
)
from community.ledger import rules
from community.ledger.events import record_event
from community.ledger.rules import Leg
from community.ledger.service import post, reverse
from community.loans import service as loans
from community.loans.models import Loan, Repayment, RepaymentSource
from community.locks import lock, lock_one, lock_where
from community.money import Money, say_amount

_PAID_AS = {
    CallGround.DIRECT: PaidAs.DIRECT,
    CallGround.SECOND_HOP: PaidAs.SECOND_HOP,
    CallGround.CO_GUARANTOR: PaidAs.BEYOND_SHARE,
}
_NO_CLAIM = "Nothing is left of the claim but {left}."


@dataclass(slots=True)
class Bundle:
    """What one claimant has to get from one payment: linked claims, the borrower's first."""

    claims: list[Claim]

    @property
    def chief(self) -> Claim:
        """The claim on the borrower, which stands for the money in the books."""
        return self.claims[0]

    @property
    def principal(self) -> list[int]:
        return [claim.principal_open_minor for claim in self.claims]

    def accrual(self, on: date) -> list[tuple[int, int]]:
        """Interest to book up to a day and the carry then, layer by layer."""
        return [
            recourse.interest(
                layer,
                max((on - claim.interest_through_on).days, 0),
                rate_ppm=claim.rate_ppm,
                year_days=claim.year_days,
                carry=claim.interest_carry,
            )
            for claim, layer in zip(self.claims, recourse.layers(self.principal), strict=True)
        ]

    def interest(self, on: date) -> list[int]:
        """Open interest by rank on a day, also what is not booked yet."""
        grown = [amount for amount, _ in self.accrual(on)]
        return [
            claim.interest_open_minor + sum(grown[rank:]) for rank, claim in enumerate(self.claims)
        ]


@dataclass(slots=True)
class _Steps:
    """Movements that are written once the entry that they belong to is there."""

    on: date
    now: datetime
    actor_id: int | None
    about: dict[str, Any] = field(default_factory=dict)
    rows: list[ClaimMovement] = field(default_factory=list)

    def note(self, claim: Claim, kind: MovementKind, principal: int, interest: int) -> None:
        if not principal and not interest:
            return
        claim.version += 1
        self.rows.append(
            ClaimMovement(
                claim_id=claim.id,
                kind=kind,
                principal_minor=principal,
                interest_minor=interest,
                moved_on=self.on,
                actor_id=self.actor_id,
                recorded_at=self.now,
                **self.about,
            )
        )

    def write(self, session: Session, entry_id: int | None, chiefs: Iterable[int]) -> None:
        """`chiefs`: the claims on borrowers, which the entry is about."""
        of_entry = set(chiefs)
        for row in self.rows:
            row.entry_id = entry_id if row.claim_id in of_entry else None
        session.add_all(self.rows)
        self.rows = []


def bundles(claims: Iterable[Claim]) -> list[Bundle]:
    """Linked claims together, in the order of their first ids."""
    found: dict[tuple[int, int], list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: (claim.rank, claim.id)):
        found.setdefault((claim.payment_id, claim.settlement_id or 0), []).append(claim)
    return sorted((Bundle(linked) for linked in found.values()), key=lambda one: one.chief.id)


def open_minor(claims: Iterable[Claim], on: date) -> int:
    """What the borrower owes on these claims on a day, interest and all, each debt once."""
    return sum(one.principal[0] + one.interest(on)[0] for one in bundles(claims))


def open_on(claim: Claim, linked: Iterable[Claim], on: date) -> tuple[int, int]:
    """Principal and interest open on a claim on a day; `linked` holds at least its bundle."""
    for one in bundles(linked):
        if claim in one.claims:
            return claim.principal_open_minor, one.interest(on)[one.claims.index(claim)]
    raise ClaimNotFound()


def arise(
    session: Session,
    *,
    loan: Loan,
    payment: GuaranteePayment,
    source: RepaymentSource,
    call: Call | None,
    on: date,
    now: datetime,
) -> list[Claim]:
    """Whoever paid on a loan gets their claims: on the borrower, and on who left it to them."""
    if payment.payer_id is None:
        paid_as = PaidAs.RESERVE
    elif source is RepaymentSource.STAKE or call is None:
        paid_as = PaidAs.STAKE
    else:
        paid_as = _PAID_AS[call.ground]
    charter = read_rules(session.get_one(Charter, loan.charter_id).rules)
    claims = [
        _claim(
            payment,
            debtor_id,
            ground=ground,
            rank=rank,
            claimant_id=payment.payer_id,
            paid_as=paid_as,
            amount_minor=payment.amount_minor,
            rate_ppm=charter.recourse_yearly_rate_ppm,
            year_days=charter.recourse_year_days,
            interest_first=charter.recourse_interest_first,
            on=on,
            now=now,
        )
        for rank, (debtor_id, ground) in enumerate(_debtors(session, loan, payment, call))
    ]
    session.add_all(claims)
    session.flush()  # movements name their claims
    entry_id = post(
        session,
        community_id=loan.community_id,
        currency=loans.currency_of(loan),
        kind="recourse.arisen",
        legs=rules.recourse_arisen(loan.id, payment.payer_id, payment.amount_minor),
        on=on,
        now=now,
        reference=payment.public_id,
    )
    steps = _Steps(on, now, None, {"repayment_id": payment.repayment_id})
    for claim in claims:
        steps.note(claim, MovementKind.ARISEN, claim.amount_minor, 0)
    steps.write(session, entry_id, [claims[0].id])
    return claims


def settle_by_borrower(
    session: Session,
    *,
    loan: Loan,
    claims: Sequence[Claim],
    payments: dict[int, GuaranteePayment],
    repayment: Repayment,
    payer_id: int,
    amount_minor: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> int:
    """The borrower's money, after the lender's, over all claims on them; returns the entry's id."""
    whole = bundles(claims)
    _accrue(session, loan, whole, on=on, now=now, actor_id=actor_id)
    parts = recourse.spread(
        amount_minor,
        [(one.chief.interest_open_minor, one.chief.principal_open_minor) for one in whole],
        interest_first=whole[0].chief.interest_first,
    )
    steps = _Steps(on, now, actor_id, {"repayment_id": repayment.id})
    by_claimant: dict[int | None, int] = {}
    for one, (interest, principal) in zip(whole, parts, strict=True):
        _pay(steps, one, 0, interest=interest, principal=principal)
        payments[one.chief.payment_id].recovered_minor += principal
        if interest + principal:
            owner = one.chief.claimant_id
            by_claimant[owner] = by_claimant.get(owner, 0) + interest + principal
    entry_id = post(
        session,
        community_id=loan.community_id,
        currency=loans.currency_of(loan),
        kind="recourse.settled",
        legs=rules.recourse_settled(
            loan.id,
            payer_id,
            sorted(by_claimant.items(), key=lambda item: (item[0] is None, item[0] or 0)),
        ),
        on=on,
        now=now,
        reference=repayment.public_id,
        actor_id=actor_id,
    )
    steps.write(session, entry_id, [one.chief.id for one in whole])
    return entry_id


def state_settlement(
    session: Session,
    *,
    claim_id: int,
    member_id: int,
    amount: Money,
    paid_on: date,
    on: date,
    now: datetime,
) -> ClaimSettlement:
    """A debtor says that they gave the claimant money outside the loan; the claimant, that they
    got it, which confirms it at once.

    Raises NotAParty, PaidThroughTheLoan, MoreThanClaimed, CurrencyMismatch, Invalid.
    """
    desk = _locked(session, claim_id)
    claim = desk.claim
    if member_id not in (claim.claimant_id, claim.debtor_id):
        raise NotAParty("Debtor or claimant says so; the office keeps the book.")
    if claim.claimant_id is None:
        raise PaidThroughTheLoan("Pay it as a repayment of the loan: that money is the community's")
    _check_amount(desk, amount, on)
    if not desk.claim.created_on <= paid_on <= on:
        raise Invalid(
            f"The money changed hands between {desk.claim.created_on} and {on}.", field="paid_on"
        )
    settlement = ClaimSettlement(
        claim_id=claim.id,
        amount_minor=amount.amount_minor,
        principal_minor=0,
        interest_minor=0,
        status=SettlementStatus.STATED,
        paid_on=paid_on,
        stated_by_id=member_id,
        stated_on=on,
        reason="",
        created_at=now,
    )
    session.add(settlement)
    session.flush()  # a claim that is taken over names it
    _note(session, desk, "claim.settlement_stated", member_id, now, settlement)
    if member_id == claim.claimant_id:
        _confirm(session, desk, settlement, on=on, now=now)
    return settlement


def confirm_settlement(
    session: Session, *, settlement_id: int, member_id: int, on: date, now: datetime
) -> ClaimSettlement:
    """The claimant has the money: the claim falls, and with it the linked ones.

    Who pays from behind the borrower steps into the claim on those before them. Raises
    NotTheClaimant, SettlementAnswered, MoreThanClaimed (less is left by now).
    """
    desk, settlement = _answered_by(session, settlement_id, member_id)
    _confirm(session, desk, settlement, on=on, now=now)
    return settlement


def decline_settlement(
    session: Session,
    *,
    settlement_id: int,
    member_id: int,
    reason: str,
    on: date,
    now: datetime,
) -> ClaimSettlement:
    """The claimant did not get this money; nothing moves."""
    desk, settlement = _answered_by(session, settlement_id, member_id)
    settlement.status = SettlementStatus.DECLINED
    settlement.answered_on = on
    settlement.reason = reason
    _note(session, desk, "claim.settlement_declined", member_id, now, settlement)
    return settlement


def reverse_settlement(
    session: Session, *, settlement_id: int, actor_id: int, reason: str, on: date, now: datetime
) -> ClaimSettlement:
    """A correction: the money never came. Everything is as if it had not been confirmed.

    Interest is caught up for the days between. Raises SettlementAnswered, SettlementNotReversible
    (the claim that the payer took over has moved since).
    """
    desk, settlement = _locked_settlement(session, settlement_id)
    if settlement.status is not SettlementStatus.CONFIRMED:
        raise SettlementAnswered(
            f"The settlement is {settlement.status.value}.", status=settlement.status.value
        )
    answered = settlement.answered_on
    assert answered is not None  # confirmed on a day
    whole = desk.bundles
    taken = next((o for o in whole if o.chief.settlement_id == settlement.id), None)
    if taken is not None and any(
        claim.settled_minor
        or claim.relieved_minor
        or claim.waived_minor
        or claim.interest_settled_minor
        or claim.interest_relieved_minor
        or claim.interest_waived_minor
        for claim in taken.claims
    ):
        raise SettlementNotReversible(
            "Whoever paid has taken over the claim, and it was settled or waived since. Agree on "
            "a settlement the other way."
        )
    _accrue(session, desk.loan, whole, on=on, now=now, actor_id=actor_id)
    steps = _Steps(on, now, actor_id, {"settlement_id": settlement.id, "reason": reason})
    one = desk.bundle
    moved = {
        row.claim_id: row
        for row in session.scalars(
            select(ClaimMovement).where(
                ClaimMovement.settlement_id == settlement.id,
                ClaimMovement.kind.in_([MovementKind.SETTLED, MovementKind.RELIEVED]),
            )
        )
    }
    back = [
        (-moved[claim.id].principal_minor, -moved[claim.id].interest_minor)
        if claim.id in moved
        else (0, 0)
        for claim in one.claims
    ]
    for claim, (principal, interest) in zip(one.claims, back, strict=True):
        if claim is desk.claim:
            claim.settled_minor -= principal
            claim.interest_settled_minor -= interest
        else:
            claim.relieved_minor -= principal
            claim.interest_relieved_minor -= interest
        steps.note(claim, MovementKind.REVERSED, principal, interest)
    parts: list[tuple[int, int | None, int]] = []
    if taken is None:
        desk.payment.recovered_minor -= back[0][0]
    else:
        parts.append((desk.loan.id, taken.chief.claimant_id, _taken_back(steps, taken, settlement)))
    entry_id = _entry_of(session, settlement)
    back_id = reverse(session, entry_id=entry_id, on=on, now=now, actor_id=actor_id)
    chiefs = [one.chief.id] + ([] if taken is None else [taken.chief.id])
    steps.write(session, back_id, chiefs)
    grown = _grow(
        steps, one, recourse.layers([principal for principal, _ in back]), (on - answered).days
    )
    parts.append((desk.loan.id, one.chief.claimant_id, grown))
    _post_interest(session, desk.loan, steps, parts, chiefs)
    settlement.status = SettlementStatus.REVERSED
    settlement.reversed_on = on
    settlement.reason = reason
    _note(session, desk, "claim.settlement_reversed", actor_id, now, settlement)
    return settlement


def waive(
    session: Session,
    *,
    claim_id: int,
    member_id: int,
    amount: Money | None,
    reason: str,
    on: date,
    now: datetime,
) -> Claim:
    """The claimant lets a claim go, in part or (no amount) all that is left of it.

    Those before the debtor owe it still, those behind do not. For the reserve fund's claims the
    caller has seen to it that `member_id` acts for the community.
    Raises NotTheClaimant, MoreThanClaimed, CurrencyMismatch, Invalid.
    """
    desk = _locked(session, claim_id)
    claim, one = desk.claim, desk.bundle
    if claim.claimant_id is not None and member_id != claim.claimant_id:
        raise NotTheClaimant()
    if amount is None:
        principal, interest = open_on(claim, one.claims, on)
        amount = Money(principal + interest, loans.currency_of(desk.loan))
    _check_amount(desk, amount, on)
    _accrue(session, desk.loan, [one], on=on, now=now, actor_id=member_id)
    interest, principal = recourse.split(
        amount.amount_minor,
        claim.interest_open_minor,
        claim.principal_open_minor,
        interest_first=claim.interest_first,
    )
    rank = claim.rank
    falls = zip(
        one.claims,
        recourse.waived(one.principal, rank, principal),
        recourse.waived([item.interest_open_minor for item in one.claims], rank, interest),
        strict=True,
    )
    steps = _Steps(on, now, member_id, {"reason": reason})
    for item, less_principal, less_interest in falls:
        item.waived_minor += less_principal
        item.interest_waived_minor += less_interest
        steps.note(item, MovementKind.WAIVED, -less_principal, -less_interest)
    entry_id = None
    if rank == 0:
        desk.payment.recovered_minor += principal
        entry_id = _post(
            session,
            desk,
            "recourse.waived",
            rules.recourse_waived(desk.loan.id, claim.claimant_id, amount.amount_minor),
            reference=claim.public_id,
            on=on,
            now=now,
            actor_id=member_id,
        )
    steps.write(session, entry_id, [one.chief.id])
    record_event(
        session,
        community_id=desk.loan.community_id,
        kind="claim.waived",
        subject=claim.public_id,
        actor_id=member_id,
        now=now,
        facts={"amount_minor": amount.amount_minor, "reason": reason},
    )
    return claim


@dataclass(slots=True)
class _Desk:
    """A claim with all that working on it touches, locked."""

    loan: Loan
    payment: GuaranteePayment
    claim: Claim
    bundles: list[Bundle]

    @property
    def bundle(self) -> Bundle:
        """The claim with those linked to it."""
        return next(one for one in self.bundles if self.claim in one.claims)


def _locked(session: Session, claim_id: int) -> _Desk:
    found = session.execute(
        select(Claim.loan_id, Claim.payment_id).where(Claim.id == claim_id)
    ).one_or_none()
    if found is None:
        raise ClaimNotFound()
    loan = lock_one(session, Loan, found.loan_id)
    payment = lock_one(session, GuaranteePayment, found.payment_id)
    claims = lock_where(session, Claim, Claim.payment_id == found.payment_id)
    return _Desk(loan, payment, claims[claim_id], bundles(claims.values()))


def _locked_settlement(session: Session, settlement_id: int) -> tuple[_Desk, ClaimSettlement]:
    claim_id = session.scalar(
        select(ClaimSettlement.claim_id).where(ClaimSettlement.id == settlement_id)
    )
    if claim_id is None:
        raise SettlementNotFound()
    desk = _locked(session, claim_id)
    return desk, lock(session, ClaimSettlement, [settlement_id])[settlement_id]


def _answered_by(
    session: Session, settlement_id: int, member_id: int
) -> tuple[_Desk, ClaimSettlement]:
    desk, settlement = _locked_settlement(session, settlement_id)
    if member_id != desk.claim.claimant_id:
        raise NotTheClaimant()
    if settlement.status is not SettlementStatus.STATED:
        raise SettlementAnswered(
            f"The settlement is {settlement.status.value}.", status=settlement.status.value
        )
    return desk, settlement


def _check_amount(desk: _Desk, amount: Money, on: date) -> None:
    currency = loans.currency_of(desk.loan)
    if amount.currency != currency:
        raise CurrencyMismatch(f"The claim is in {currency}.", expected=currency)
    left = sum(open_on(desk.claim, desk.bundle.claims, on))
    if amount.amount_minor > left or not left:
        raise MoreThanClaimed(
            f"{say_amount(left, currency)} are left of the claim.", left_minor=left
        )
    if not amount.is_positive:
        raise Invalid("This is a positive amount.", field="amount")


def _confirm(
    session: Session, desk: _Desk, settlement: ClaimSettlement, *, on: date, now: datetime
) -> None:
    claim, one, loan = desk.claim, desk.bundle, desk.loan
    claimant_id = claim.claimant_id
    assert claimant_id is not None  # the reserve fund is paid through the loan
    _check_amount(desk, Money(settlement.amount_minor, loans.currency_of(loan)), on)
    _accrue(session, loan, [one], on=on, now=now, actor_id=claimant_id)
    interest, principal = recourse.split(
        settlement.amount_minor,
        claim.interest_open_minor,
        claim.principal_open_minor,
        interest_first=claim.interest_first,
    )
    settlement.status = SettlementStatus.CONFIRMED
    settlement.answered_on = on
    settlement.principal_minor = principal
    settlement.interest_minor = interest
    steps = _Steps(on, now, claimant_id, {"settlement_id": settlement.id})
    _pay(steps, one, claim.rank, interest=interest, principal=principal)
    chiefs = [one.chief.id]
    if claim.rank == 0:
        desk.payment.recovered_minor += principal
        kind = "recourse.settled_outside"
        legs = rules.recourse_settled_outside(loan.id, claimant_id, settlement.amount_minor)
    else:
        kind = "recourse.taken_over"
        legs = rules.recourse_taken_over(
            loan.id, claimant_id, claim.debtor_id, settlement.amount_minor
        )
        taken = _take_over(session, desk, settlement, steps, on=on, now=now)
        chiefs += [taken.id] if taken is not None else []
    entry_id = _post(
        session,
        desk,
        kind,
        legs,
        reference=settlement.public_id,
        on=on,
        now=now,
        actor_id=claimant_id,
    )
    steps.write(session, entry_id, chiefs)
    _note(session, desk, "claim.settled", claimant_id, now, settlement)


def _take_over(
    session: Session,
    desk: _Desk,
    settlement: ClaimSettlement,
    steps: _Steps,
    *,
    on: date,
    now: datetime,
) -> Claim | None:
    """Who paid from behind has the claim on those before them now, as it stood."""
    claim = desk.claim
    claims = [
        _claim(
            desk.payment,
            before.debtor_id,
            ground=before.ground,
            rank=before.rank,
            claimant_id=claim.debtor_id,
            paid_as=PaidAs.SETTLEMENT,
            settlement_id=settlement.id,
            # What was interest stays interest: it bears none.
            amount_minor=settlement.principal_minor,
            interest_minor=settlement.interest_minor,
            rate_ppm=claim.rate_ppm,
            year_days=claim.year_days,
            interest_first=claim.interest_first,
            on=on,
            now=now,
        )
        for before in desk.bundle.claims[: claim.rank]
    ]
    session.add_all(claims)
    session.flush()  # movements name their claims
    for taken in claims:
        steps.note(
            taken, MovementKind.ARISEN, settlement.principal_minor, settlement.interest_minor
        )
    desk.bundles.append(Bundle(claims))
    return claims[0]


def _taken_back(steps: _Steps, taken: Bundle, settlement: ClaimSettlement) -> int:
    """A claim that was taken over is gone again; returns by how much its later interest falls."""
    later = taken.chief.interest_minor - settlement.interest_minor
    for claim in taken.claims:
        claim.relieved_minor = claim.amount_minor
        claim.interest_relieved_minor = claim.interest_minor
        claim.interest_carry = 0
        steps.note(claim, MovementKind.REVERSED, -claim.amount_minor, -claim.interest_minor)
    return -later


def _pay(steps: _Steps, one: Bundle, rank: int, *, interest: int, principal: int) -> None:
    """The debtor of a rank pays: their claim is settled, the linked ones are relieved."""
    falls = zip(
        one.claims,
        recourse.paid(one.principal, rank, principal),
        recourse.paid([claim.interest_open_minor for claim in one.claims], rank, interest),
        strict=True,
    )
    for claim, less_principal, less_interest in falls:
        if claim.rank == rank:
            claim.settled_minor += less_principal
            claim.interest_settled_minor += less_interest
            kind = MovementKind.SETTLED
        else:
            claim.relieved_minor += less_principal
            claim.interest_relieved_minor += less_interest
            kind = MovementKind.RELIEVED
        steps.note(claim, kind, -less_principal, -less_interest)


def _accrue(
    session: Session,
    loan: Loan,
    whole: Sequence[Bundle],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """Book interest up to a day."""
    steps = _Steps(on, now, actor_id)
    parts: list[tuple[int, int | None, int]] = []
    for one in whole:
        accrual = one.accrual(on)
        for rank, claim in enumerate(one.claims):
            grown = sum(amount for amount, _ in accrual[rank:])
            claim.interest_minor += grown
            claim.interest_carry = accrual[rank][1]
            claim.interest_through_on = max(claim.interest_through_on, on)
            steps.note(claim, MovementKind.INTEREST, 0, grown)
        parts.append((loan.id, one.chief.claimant_id, sum(amount for amount, _ in accrual)))
    _post_interest(session, loan, steps, parts, [one.chief.id for one in whole])


def _grow(steps: _Steps, one: Bundle, layers: Sequence[int], days: int) -> int:
    """Interest for days in which these layers were taken for paid; returns it."""
    grown = []
    for claim, layer in zip(one.claims, layers, strict=True):
        amount, carry = recourse.interest(
            layer,
            days,
            rate_ppm=claim.rate_ppm,
            year_days=claim.year_days,
            carry=claim.interest_carry,
        )
        claim.interest_carry = carry
        grown.append(amount)
    for rank, claim in enumerate(one.claims):
        claim.interest_minor += sum(grown[rank:])
        steps.note(claim, MovementKind.INTEREST, 0, sum(grown[rank:]))
    return sum(grown)


def _post_interest(
    session: Session,
    loan: Loan,
    steps: _Steps,
    parts: Sequence[tuple[int, int | None, int]],
    chiefs: Sequence[int],
) -> None:
    legs = rules.recourse_interest(parts)
    entry_id = None
    if legs:
        entry_id = post(
            session,
            community_id=loan.community_id,
            currency=loans.currency_of(loan),
            kind="recourse.interest",
            legs=legs,
            on=steps.on,
            now=steps.now,
            reference=loan.public_id,
            actor_id=steps.actor_id,
        )
    steps.write(session, entry_id, chiefs)


def _post(
    session: Session,
    desk: _Desk,
    kind: str,
    legs: Sequence[Leg],
    *,
    reference: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> int:
    return post(
        session,
        community_id=desk.loan.community_id,
        currency=loans.currency_of(desk.loan),
        kind=kind,
        legs=legs,
        on=on,
        now=now,
        reference=reference,
        actor_id=actor_id,
    )


def _entry_of(session: Session, settlement: ClaimSettlement) -> int:
    return session.scalars(
        select(ClaimMovement.entry_id)
        .where(
            ClaimMovement.settlement_id == settlement.id,
            ClaimMovement.kind.in_([MovementKind.SETTLED, MovementKind.RELIEVED]),
            ClaimMovement.entry_id.is_not(None),
        )
        .limit(1)
    ).one()  # type: ignore[return-value]  # not null by the condition


def _debtors(
    session: Session, loan: Loan, payment: GuaranteePayment, call: Call | None
) -> list[tuple[int, ClaimGround]]:
    """Who answers for a payment: the borrower, then, call by call, whoever left it to the next."""
    behind: list[tuple[int, ClaimGround]] = []
    while call is not None and call.for_guarantor_id is not None:
        ground = (
            ClaimGround.COVERED_MEMBER
            if call.ground is CallGround.SECOND_HOP
            else ClaimGround.CO_GUARANTOR
        )
        behind.append((call.for_guarantor_id, ground))
        call = None if call.after_call_id is None else session.get_one(Call, call.after_call_id)
    row = [(loan.borrower_id, ClaimGround.BORROWER), *reversed(behind)]
    # Nobody claims from themselves, or twice from the same member.
    seen = {payment.payer_id}
    return [
        (debtor, ground)
        for debtor, ground in row
        if debtor not in seen and not seen.add(debtor)  # type: ignore[func-returns-value]
    ]


def _claim(
    payment: GuaranteePayment,
    debtor_id: int,
    *,
    ground: ClaimGround,
    rank: int,
    claimant_id: int | None,
    paid_as: PaidAs,
    amount_minor: int,
    rate_ppm: int,
    year_days: int,
    interest_first: bool,
    on: date,
    now: datetime,
    settlement_id: int | None = None,
    interest_minor: int = 0,
) -> Claim:
    return Claim(
        loan_id=payment.loan_id,
        payment_id=payment.id,
        settlement_id=settlement_id,
        claimant_id=claimant_id,
        debtor_id=debtor_id,
        ground=ground,
        paid_as=paid_as,
        rank=rank,
        amount_minor=amount_minor,
        settled_minor=0,
        relieved_minor=0,
        waived_minor=0,
        interest_minor=interest_minor,
        interest_settled_minor=0,
        interest_relieved_minor=0,
        interest_waived_minor=0,
        interest_through_on=on,
        interest_carry=0,
        rate_ppm=rate_ppm,
        year_days=year_days,
        interest_first=interest_first,
        version=1,
        created_on=on,
        created_at=now,
    )


def _note(
    session: Session,
    desk: _Desk,
    kind: str,
    actor_id: int | None,
    now: datetime,
    settlement: ClaimSettlement,
) -> None:
    record_event(
        session,
        community_id=desk.loan.community_id,
        kind=kind,
        subject=settlement.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "claim": desk.claim.public_id,
            "amount_minor": settlement.amount_minor,
            "reason": settlement.reason,
        },
    )
