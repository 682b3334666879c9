"""What still holds a member in a group: what they owe, and what rests on the group's promises.

A refusal names each loan and promise with what helps, as far as the one who asks may see it: what
is others' business is counted, not told.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.groups.models import Group
from community.groups.queries import living_members
from community.guarantees.models import Claim, CoverLine, GuaranteePayment
from community.loans.models import GroupLoan, Loan, LoanStatus, Repayment
from community.loans.states import LIVE, OPEN
from community.members.queries import names_of
from community.money import format_minor, say_amount
from community.trust.models import Vouch


class BondKind(StrEnum):
    OWN_LOAN = "own_loan"  # approved or paid out, and not repaid
    GROUP_APPLICATION = "group_application"  # a share of a group loan that is not decided
    RECOURSE = "recourse"  # others paid for the member, and have not got it back
    PROMISE_GIVEN = "promise_given"  # loans rest on what they promised
    PROMISE_RECEIVED = "promise_received"  # loans rest on what was promised for them


REMEDIES: Mapping[BondKind, str] = {
    BondKind.OWN_LOAN: "Repay this loan.",
    BondKind.GROUP_APPLICATION: "Withdraw this application, or wait until it is decided and over.",
    BondKind.RECOURSE: "Pay back what others paid for this member.",
    BondKind.PROMISE_GIVEN: "The loans that rest on this promise have to be repaid, or covered by "
    "others.",
    BondKind.PROMISE_RECEIVED: "The loans that rest on this promise have to be repaid, or covered "
    "by others.",
}


@dataclass(frozen=True, slots=True)
class Bond:
    """One thing that still binds; `seen_by` are the members whose business it is."""

    kind: BondKind
    public_id: str
    amount_minor: int
    loans: tuple[str, ...]
    seen_by: frozenset[int]
    # For a promise: who stands behind whom.
    voucher_id: int | None = None
    borrower_id: int | None = None

    @property
    def remedy(self) -> str:
        return REMEDIES[self.kind]


def bonds_of_member(
    session: Session, group: Group, member_id: int, vouches: Iterable[Vouch]
) -> list[Bond]:
    """What holds a member in a group. `vouches` are the group's promises, locked."""
    theirs = [
        vouch
        for vouch in vouches
        if vouch.group_id == group.id and member_id in (vouch.voucher_id, vouch.borrower_id)
    ]
    return [
        *_own_loans(session, group, member_id),
        *_recourse(session, group.community_id, member_id),
        *bonds_on(session, theirs, member_id),
    ]


def bonds_on(
    session: Session, vouches: Iterable[Vouch], member_id: int | None = None
) -> list[Bond]:
    """The promises on which loans rest, each with those loans."""
    resting = [vouch for vouch in vouches if vouch.reserved_minor]
    loans = _loans_on(session, [vouch.id for vouch in resting])
    return [
        Bond(
            kind=BondKind.PROMISE_RECEIVED
            if vouch.borrower_id == member_id
            else BondKind.PROMISE_GIVEN,
            public_id=vouch.public_id,
            amount_minor=vouch.reserved_minor,
            loans=loans.get(vouch.id, ()),
            seen_by=frozenset({vouch.voucher_id, vouch.borrower_id}),
            voucher_id=vouch.voucher_id,
            borrower_id=vouch.borrower_id,
        )
        for vouch in sorted(resting, key=lambda vouch: vouch.id)
    ]


def group_loans_alive(session: Session, group: Group) -> list[Bond]:
    """Shares of the group's loans that are applied for, approved or not repaid."""
    rows = session.scalars(
        select(Loan)
        .join(GroupLoan, GroupLoan.id == Loan.group_loan_id)
        .where(
            GroupLoan.group_id == group.id,
            Loan.status.in_([*OPEN, LoanStatus.APPROVED, *LIVE]),
        )
        .order_by(Loan.id)
        .execution_options(populate_existing=True)
    )
    fellows = _fellows(session, group)
    return [_of_loan(loan, 0, fellows) for loan in rows]


def told(
    session: Session,
    bonds: Collection[Bond],
    *,
    currency: str,
    viewer_id: int | None,
    sees_all: bool,
) -> dict[str, Any]:
    """The members of a refusal: each bond that the viewer may see, and how many are hidden.

    A viewer of None is the platform itself.
    """
    shown = [bond for bond in bonds if sees_all or viewer_id is None or viewer_id in bond.seen_by]
    people = names_of(session, (end for b in shown for end in (b.voucher_id, b.borrower_id)))
    return {
        "bonds": [
            {
                "kind": bond.kind.value,
                "id": bond.public_id,
                "amount": {
                    "amount": format_minor(bond.amount_minor, currency),
                    "currency": currency,
                },
                "loans": list(bond.loans),
                "voucher": None if bond.voucher_id is None else people[bond.voucher_id].public_id,
                "borrower": None
                if bond.borrower_id is None
                else people[bond.borrower_id].public_id,
                "remedy": bond.remedy,
            }
            for bond in shown
        ],
        "hidden": len(bonds) - len(shown),
    }


def sentence(session: Session, group: Group, bonds: Collection[Bond]) -> str:
    """How much still binds, in a sentence that names nobody."""
    currency = communities.get_community_by_id(session, group.community_id).currency
    counted = [
        f"{sum(bond.kind is kind for bond in bonds)} {kind.value.replace('_', ' ')}"
        f" ({say_amount(sum(b.amount_minor for b in bonds if b.kind is kind), currency)})"
        for kind in BondKind
        if any(bond.kind is kind for bond in bonds)
    ]
    return f"Still binding: {', '.join(counted)}."


def _own_loans(session: Session, group: Group, member_id: int) -> Iterable[Bond]:
    recovered = (
        select(func.coalesce(func.sum(Repayment.recovered_minor), 0))
        .where(Repayment.loan_id == Loan.id)
        .correlate(Loan)
        .scalar_subquery()
    )
    of_group = select(GroupLoan.id).where(GroupLoan.group_id == group.id)
    rows = session.execute(
        select(Loan, recovered)
        .where(
            Loan.community_id == group.community_id,
            Loan.borrower_id == member_id,
            or_(
                Loan.status.in_([LoanStatus.APPROVED, *LIVE, LoanStatus.WRITTEN_OFF]),
                Loan.status.in_(OPEN) & Loan.group_loan_id.in_(of_group),
            ),
        )
        .order_by(Loan.id)
        # It may have been repaid, or approved, while the locks were waited for.
        .execution_options(populate_existing=True)
    )
    shares = set(session.scalars(of_group))
    fellows = _fellows(session, group)
    for loan, back in rows:
        known_to = fellows if loan.group_loan_id in shares else frozenset()
        bond = _of_loan(loan, int(back), known_to)
        if bond.amount_minor or loan.status is not LoanStatus.WRITTEN_OFF:
            yield bond


def _fellows(session: Session, group: Group) -> frozenset[int]:
    """Whoever is in the group knows the shares of its loans."""
    return frozenset(place.member_id for place in living_members(session, group.id))


def _of_loan(loan: Loan, recovered_minor: int, known_to: frozenset[int]) -> Bond:
    if loan.status in OPEN or loan.status is LoanStatus.APPROVED:
        owed = loan.principal_minor
    else:
        owed = loan.outstanding_minor + loan.undisbursed_minor
        owed += max(0, loan.written_off_minor - recovered_minor)
    return Bond(
        kind=BondKind.GROUP_APPLICATION if loan.status in OPEN else BondKind.OWN_LOAN,
        public_id=loan.public_id,
        amount_minor=owed,
        loans=(loan.public_id,),
        seen_by=frozenset({loan.borrower_id}) | known_to,
    )


def _recourse(session: Session, community_id: int, member_id: int) -> Iterable[Bond]:
    rows = session.execute(
        select(Claim, GuaranteePayment, Loan.public_id)
        .join(GuaranteePayment, GuaranteePayment.id == Claim.payment_id)
        .join(Loan, Loan.id == Claim.loan_id)
        .where(Claim.debtor_id == member_id, Loan.community_id == community_id)
        .order_by(Claim.id)
        .execution_options(populate_existing=True)
    )
    for claim, payment, loan in rows:
        left = min(
            claim.amount_minor - claim.settled_minor,
            payment.amount_minor - payment.recovered_minor,
        )
        if left > 0:
            ends = (claim.debtor_id, claim.claimant_id)
            seen_by = frozenset(end for end in ends if end is not None)
            yield Bond(BondKind.RECOURSE, claim.public_id, left, (loan,), seen_by)


def _loans_on(session: Session, vouch_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    if not vouch_ids:
        return {}
    held = CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor
    rows = session.execute(
        select(CoverLine.inner_vouch_id, CoverLine.outer_vouch_id, Loan.public_id)
        .join(Loan, Loan.id == CoverLine.loan_id)
        .where(
            or_(CoverLine.inner_vouch_id.in_(vouch_ids), CoverLine.outer_vouch_id.in_(vouch_ids)),
            held > 0,
        )
        .order_by(Loan.id, CoverLine.id)
    )
    found: dict[int, dict[str, None]] = {}
    for inner, outer, public_id in rows:
        for vouch_id in (inner, outer):
            if vouch_id is not None:
                found.setdefault(vouch_id, {})[public_id] = None
    return {vouch_id: tuple(loans) for vouch_id, loans in found.items()}
