"""The posting rules: which accounts move at which event. Pure; one function per event.

Debits are positive, credits negative; the legs of every rule sum to zero for any input, which
the tests check rule by rule. Interest is booked when it is paid (cash basis).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from community.ledger.models import AccountKind as A


@dataclass(frozen=True, slots=True)
class Leg:
    """One movement. `owner_id` names whose account (owned kinds); the rest are dimensions."""

    kind: A
    amount_minor: int
    owner_id: int | None = None
    member_id: int | None = None
    loan_id: int | None = None


def capital_received(amount: int) -> list[Leg]:
    """The lender puts money into the lending pool."""
    return [Leg(A.LENDING_CASH, amount), Leg(A.LENDER_FUNDS, -amount)]


def reserve_funded(amount: int) -> list[Leg]:
    """Money is set aside against losses; it lies in the lending pool, owed to the reserve."""
    return [Leg(A.LENDING_CASH, amount), Leg(A.RESERVE_FUND, -amount)]


def savings_deposited(member_id: int, amount: int) -> list[Leg]:
    """A member brings money. It goes into custody, never into the lending pool."""
    return [Leg(A.SAVINGS_CASH, amount), _owned(A.MEMBER_SAVINGS, member_id, -amount)]


def many_savings_deposited(amounts: Mapping[int, int]) -> list[Leg]:
    """Several members bring money on one sheet: amounts by member id."""
    return [
        Leg(A.SAVINGS_CASH, sum(amounts.values())),
        *(_owned(A.MEMBER_SAVINGS, member, -amount) for member, amount in amounts.items()),
    ]


def savings_withdrawn(member_id: int, amount: int) -> list[Leg]:
    """A member takes free savings out of custody."""
    return [_owned(A.MEMBER_SAVINGS, member_id, amount), Leg(A.SAVINGS_CASH, -amount)]


def suspense_received(amount: int) -> list[Leg]:
    """Money came in and nobody knows yet what it is for: it waits in custody."""
    return [Leg(A.SAVINGS_CASH, amount), Leg(A.SUSPENSE, -amount)]


def suspense_released(amount: int) -> list[Leg]:
    """Money leaves suspense: sent back, or booked on by the rule of what it turned out to be."""
    return [Leg(A.SUSPENSE, amount), Leg(A.SAVINGS_CASH, -amount)]


def stake_locked(amounts: Mapping[int, int]) -> list[Leg]:
    """Members lock savings as stake: amounts by member id."""
    return [
        leg
        for member, amount in amounts.items()
        for leg in (
            _owned(A.MEMBER_SAVINGS, member, amount),
            _owned(A.MEMBER_STAKE, member, -amount),
        )
    ]


def stake_released(member_id: int, amount: int) -> list[Leg]:
    """Unreserved stake becomes free savings again."""
    return [
        _owned(A.MEMBER_STAKE, member_id, amount),
        _owned(A.MEMBER_SAVINGS, member_id, -amount),
    ]


def loan_disbursed(loan_id: int, borrower_id: int, principal: int) -> list[Leg]:
    """Principal leaves the lending pool for the borrower."""
    return [
        Leg(A.LOAN_PRINCIPAL, principal, member_id=borrower_id, loan_id=loan_id),
        Leg(A.LENDING_CASH, -principal, member_id=borrower_id, loan_id=loan_id),
    ]


def loan_repaid(
    loan_id: int, payer_id: int, *, principal: int, interest: int, overpaid: int = 0
) -> list[Leg]:
    """Money comes in on a loan; what exceeds the debt is held for the payer."""
    total = principal + interest
    legs = [
        Leg(A.LENDING_CASH, total, member_id=payer_id, loan_id=loan_id),
        Leg(A.LOAN_PRINCIPAL, -principal, member_id=payer_id, loan_id=loan_id),
        Leg(A.INTEREST_INCOME, -interest, member_id=payer_id, loan_id=loan_id),
    ]
    if overpaid:
        legs += [
            Leg(A.SAVINGS_CASH, overpaid, member_id=payer_id, loan_id=loan_id),
            Leg(A.OVERPAYMENT, -overpaid, owner_id=payer_id, member_id=payer_id, loan_id=loan_id),
        ]
    return _moving(legs)


def loan_paid_from_stake(
    loan_id: int, guarantor_id: int, *, principal: int, interest: int
) -> list[Leg]:
    """A stake is set off against a loan: custody pays the lending pool."""
    total = principal + interest
    return _moving(
        [
            Leg(
                A.MEMBER_STAKE,
                total,
                owner_id=guarantor_id,
                member_id=guarantor_id,
                loan_id=loan_id,
            ),
            Leg(A.SAVINGS_CASH, -total, member_id=guarantor_id, loan_id=loan_id),
            *loan_repaid(loan_id, guarantor_id, principal=principal, interest=interest),
        ]
    )


def loan_paid_from_reserve(loan_id: int, *, principal: int, interest: int) -> list[Leg]:
    """The community's reserve stands in for a loan; its money lies in the lending pool already."""
    return _moving(
        [
            Leg(A.RESERVE_FUND, principal + interest, loan_id=loan_id),
            Leg(A.LOAN_PRINCIPAL, -principal, loan_id=loan_id),
            Leg(A.INTEREST_INCOME, -interest, loan_id=loan_id),
        ]
    )


def loan_written_off(loan_id: int, borrower_id: int, principal: int) -> list[Leg]:
    """Principal that nobody will pay leaves the receivables; the debt itself stays."""
    return [
        Leg(A.WRITE_OFF, principal, member_id=borrower_id, loan_id=loan_id),
        Leg(A.LOAN_PRINCIPAL, -principal, member_id=borrower_id, loan_id=loan_id),
    ]


def loan_recovered(loan_id: int, payer_id: int, amount: int) -> list[Leg]:
    """Money comes in on a loan that was written off."""
    return [
        Leg(A.LENDING_CASH, amount, member_id=payer_id, loan_id=loan_id),
        Leg(A.RECOVERY_INCOME, -amount, member_id=payer_id, loan_id=loan_id),
    ]


def recourse_arisen(loan_id: int, claimant_id: int | None, amount: int) -> list[Leg]:
    """Somebody paid for another (None: the reserve fund): noted beside the books."""
    return [
        Leg(A.RECOURSE_RECEIVABLE, amount, member_id=claimant_id, loan_id=loan_id),
        Leg(A.RECOURSE_CONTRA, -amount, member_id=claimant_id, loan_id=loan_id),
    ]


def recourse_settled(
    loan_id: int, debtor_id: int, parts: Iterable[tuple[int | None, int]]
) -> list[Leg]:
    """Money for those who paid: it goes to each claimant's savings (None: the reserve fund)."""
    legs: list[Leg] = []
    for claimant_id, amount in parts:
        if claimant_id is None:
            legs += [
                Leg(A.LENDING_CASH, amount, member_id=debtor_id, loan_id=loan_id),
                Leg(A.RESERVE_FUND, -amount, member_id=debtor_id, loan_id=loan_id),
            ]
        else:
            legs += [
                Leg(A.SAVINGS_CASH, amount, member_id=debtor_id, loan_id=loan_id),
                Leg(
                    A.MEMBER_SAVINGS,
                    -amount,
                    owner_id=claimant_id,
                    member_id=debtor_id,
                    loan_id=loan_id,
                ),
            ]
        legs += [
            Leg(A.RECOURSE_CONTRA, amount, member_id=claimant_id, loan_id=loan_id),
            Leg(A.RECOURSE_RECEIVABLE, -amount, member_id=claimant_id, loan_id=loan_id),
        ]
    return _moving(legs)


def _owned(kind: A, member_id: int, amount: int) -> Leg:
    return Leg(kind, amount, owner_id=member_id, member_id=member_id)


def _moving(legs: Iterable[Leg]) -> list[Leg]:
    """Without the legs that move nothing."""
    return [leg for leg in legs if leg.amount_minor]
