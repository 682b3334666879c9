"""The posting rules: which accounts move at which event. Pure; one function per event.

Debits are positive, credits negative; the legs of every rule sum to zero for any input, and so do
those of memorandum accounts by themselves, which the tests check rule by rule. `RULES` lists them
by the kind of their journal entry.

Interest is income when the day close accrues it (`interest_accrued`), and then paid out of what is
receivable; what was never accrued is income when it is paid. A payment says how much is which.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from community.ledger.models import AccountKind as A


class Leg(NamedTuple):
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
    """One member brings money: `many_savings_deposited` of one."""
    return many_savings_deposited({member_id: amount})


def many_savings_deposited(amounts: Mapping[int, int]) -> list[Leg]:
    """Members bring money, by member id; it goes into custody, never into the lending pool."""
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
    """Money leaves suspense, to be booked on by the rule of what it turned out to be."""
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


def loan_paid_to_payees(
    loan_id: int, borrower_id: int, principal: int, parts: Sequence[int]
) -> list[Leg]:
    """Principal leaves the lending pool straight for payees that the loan names.

    The rest goes to the borrower, who owes the whole. One leg a payee: who they are stands in rows
    beside the entry, and in no dimension of it.
    """
    out = [*parts, principal - sum(parts)]
    return _moving(
        [
            Leg(A.LOAN_PRINCIPAL, principal, member_id=borrower_id, loan_id=loan_id),
            *(Leg(A.LENDING_CASH, -part, member_id=borrower_id, loan_id=loan_id) for part in out),
        ]
    )


def loan_repaid(
    loan_id: int,
    payer_id: int | None,
    *,
    principal: int,
    interest: int,
    interest_receivable: int = 0,
    fee: int = 0,
    penalty: int = 0,
    overpaid: int = 0,
) -> list[Leg]:
    """Money comes in on a loan; what exceeds the debt is held for the payer.

    `interest` is income now; `interest_receivable` was accrued before. Fees and penalties were
    charged before they are paid.
    """
    parts = _loan_settled(loan_id, payer_id, principal, interest, interest_receivable, fee, penalty)
    legs = [Leg(A.LENDING_CASH, -_sum(parts), member_id=payer_id, loan_id=loan_id), *parts]
    if overpaid:
        legs += [
            Leg(A.SAVINGS_CASH, overpaid, member_id=payer_id, loan_id=loan_id),
            Leg(A.OVERPAYMENT, -overpaid, owner_id=payer_id, member_id=payer_id, loan_id=loan_id),
        ]
    return _moving(legs)


def receipt_moved(
    loan_id: int, payer_id: int | None, *, principal: int, interest: int, fee: int, penalty: int
) -> list[Leg]:
    """What a receipt paid moves within its loan; the sum of the moves comes from overpayment.

    Money of an earlier day was entered, or taken back: amounts are changes and may be negative.
    Without a payer (the reserve) they sum to zero.
    """
    total = principal + interest + fee + penalty
    return loan_repaid(
        loan_id,
        payer_id,
        principal=principal,
        interest=interest,
        fee=fee,
        penalty=penalty,
        overpaid=-total,
    )


def loan_paid_from_stake(
    loan_id: int,
    guarantor_id: int,
    *,
    principal: int,
    interest: int,
    interest_receivable: int = 0,
    fee: int = 0,
    penalty: int = 0,
) -> list[Leg]:
    """A stake is set off against a loan: custody pays the lending pool."""
    repaid = loan_repaid(
        loan_id,
        guarantor_id,
        principal=principal,
        interest=interest,
        interest_receivable=interest_receivable,
        fee=fee,
        penalty=penalty,
    )
    total = principal + interest + interest_receivable + fee + penalty
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
            *repaid,
        ]
    )


def loan_paid_from_reserve(
    loan_id: int,
    *,
    principal: int,
    interest: int,
    interest_receivable: int = 0,
    fee: int = 0,
    penalty: int = 0,
) -> list[Leg]:
    """The community's reserve stands in for a loan; its money lies in the lending pool already."""
    parts = _loan_settled(loan_id, None, principal, interest, interest_receivable, fee, penalty)
    return _moving([Leg(A.RESERVE_FUND, -_sum(parts), loan_id=loan_id), *parts])


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


def recourse_interest(parts: Iterable[tuple[int, int | None, int]]) -> list[Leg]:
    """Interest on claims, beside the books, by loan and claimant (None: the reserve fund)."""
    return _moving(
        leg
        for loan_id, claimant_id, amount in parts
        for leg in recourse_arisen(loan_id, claimant_id, amount)
    )


def recourse_settled_outside(loan_id: int, claimant_id: int, amount: int) -> list[Leg]:
    """The borrower paid a claimant from hand to hand; no money of the books moves."""
    return recourse_arisen(loan_id, claimant_id, -amount)


def recourse_taken_over(loan_id: int, from_id: int, to_id: int, amount: int) -> list[Leg]:
    """Somebody who answers behind the borrower paid a claimant, and steps into the claim."""
    return [
        *recourse_arisen(loan_id, from_id, -amount),
        *recourse_arisen(loan_id, to_id, amount),
    ]


def recourse_waived(loan_id: int, claimant_id: int | None, amount: int) -> list[Leg]:
    """A claim on the borrower is let go, in whole or in part."""
    return recourse_arisen(loan_id, claimant_id, -amount)


def interest_accrued(
    amount: int, *, member_id: int | None = None, loan_id: int | None = None
) -> list[Leg]:
    """Interest is earned and not paid yet: one loan's, or a whole product's in one sum.

    The parts of the single loans then stand beside the books and sum to the entry.
    """
    return _moving(
        [
            Leg(A.INTEREST_RECEIVABLE, amount, member_id=member_id, loan_id=loan_id),
            Leg(A.INTEREST_INCOME, -amount, member_id=member_id, loan_id=loan_id),
        ]
    )


def interest_taken_back(
    amount: int, *, member_id: int | None = None, loan_id: int | None = None
) -> list[Leg]:
    """Interest that was booked as earned is not expected any more, or was never earned."""
    return interest_accrued(-amount, member_id=member_id, loan_id=loan_id)


def fee_charged(loan_id: int, borrower_id: int, amount: int) -> list[Leg]:
    """A fee falls due on a loan."""
    return _charged(A.FEE_RECEIVABLE, A.FEE_INCOME, loan_id, borrower_id, amount)


def fee_waived(loan_id: int, borrower_id: int, amount: int) -> list[Leg]:
    """A fee that was charged and not paid is let go."""
    return _charged(A.FEE_RECEIVABLE, A.FEE_INCOME, loan_id, borrower_id, -amount)


def penalty_charged(loan_id: int, borrower_id: int, amount: int) -> list[Leg]:
    """A penalty for lateness falls due on a loan."""
    return _charged(A.PENALTY_RECEIVABLE, A.PENALTY_INCOME, loan_id, borrower_id, amount)


def penalty_waived(loan_id: int, borrower_id: int, amount: int) -> list[Leg]:
    """A penalty that was charged and not paid is let go."""
    return _charged(A.PENALTY_RECEIVABLE, A.PENALTY_INCOME, loan_id, borrower_id, -amount)


def line_reserve_paid_in(member_id: int, amount: int) -> list[Leg]:
    """A member puts savings into a shared line's first-loss reserve; they stay in custody."""
    return [
        _owned(A.MEMBER_SAVINGS, member_id, amount),
        Leg(A.LINE_RESERVE, -amount, member_id=member_id),
    ]


def line_reserve_set_aside(amount: int) -> list[Leg]:
    """The community puts some of its reserve fund into a shared line's first-loss reserve."""
    return [
        Leg(A.RESERVE_FUND, amount),
        Leg(A.LENDING_CASH, -amount),
        Leg(A.SAVINGS_CASH, amount),
        Leg(A.LINE_RESERVE, -amount),
    ]


def line_reserve_used(loan_id: int, amount: int) -> list[Leg]:
    """A line's reserve hands the reserve fund what that then pays on one of the line's draws."""
    return [
        Leg(A.LINE_RESERVE, amount, loan_id=loan_id),
        Leg(A.SAVINGS_CASH, -amount, loan_id=loan_id),
        Leg(A.LENDING_CASH, amount, loan_id=loan_id),
        Leg(A.RESERVE_FUND, -amount, loan_id=loan_id),
    ]


def line_reserve_refilled(loan_id: int, amount: int) -> list[Leg]:
    """A borrower has paid back what a line's reserve paid for them: it goes back into it."""
    return [
        leg._replace(amount_minor=-leg.amount_minor) for leg in line_reserve_used(loan_id, amount)
    ]


def line_reserve_returned(parts: Mapping[int | None, int]) -> list[Leg]:
    """A closed line's reserve goes back to those who paid in (None: the reserve fund)."""
    legs = [Leg(A.LINE_RESERVE, sum(parts.values()))]
    for member_id, amount in parts.items():
        if member_id is None:
            legs += [
                Leg(A.SAVINGS_CASH, -amount),
                Leg(A.LENDING_CASH, amount),
                Leg(A.RESERVE_FUND, -amount),
            ]
        else:
            legs.append(_owned(A.MEMBER_SAVINGS, member_id, -amount))
    return legs


def provision_raised(amount: int) -> list[Leg]:
    """More is set aside against loans that may not come back."""
    return [Leg(A.PROVISION_EXPENSE, amount), Leg(A.LOAN_LOSS_ALLOWANCE, -amount)]


def provision_released(amount: int) -> list[Leg]:
    """Less needs to be set aside than before."""
    return [Leg(A.LOAN_LOSS_ALLOWANCE, amount), Leg(A.PROVISION_EXPENSE, -amount)]


def suspense_returned(amount: int) -> list[Leg]:
    """Money that waited goes back to where it came from."""
    return [Leg(A.SUSPENSE, amount), Leg(A.SAVINGS_CASH, -amount)]


@dataclass(frozen=True, slots=True)
class Rule:
    """A posting rule as people read of it: what the entry is called, and what makes its legs."""

    legs: Callable[..., list[Leg]]
    name_en: str
    name_zh: str

    @property
    def sentence(self) -> str:
        """What happens, in one sentence."""
        return (self.legs.__doc__ or "").strip().partition("\n")[0]


# By the kind of the journal entry.
RULES: dict[str, Rule] = {
    "capital.received": Rule(capital_received, "Lender's money in", "放贷资金注入"),
    "reserve.funded": Rule(reserve_funded, "Set aside as reserve", "提取风险准备金"),
    "savings.deposit": Rule(many_savings_deposited, "Savings deposited", "存入储蓄"),
    "savings.withdrawal": Rule(savings_withdrawn, "Savings withdrawn", "支取储蓄"),
    "savings.stake_lock": Rule(stake_locked, "Savings locked as stake", "储蓄转质押"),
    "savings.stake_release": Rule(stake_released, "Stake released", "质押转储蓄"),
    "loan.disbursed": Rule(loan_disbursed, "Loan paid out", "发放贷款"),
    "loan.paid_to_payees": Rule(loan_paid_to_payees, "Loan paid to payees", "受托支付贷款"),
    "loan.repaid": Rule(loan_repaid, "Repayment", "还款"),
    "loan.paid_from_stake": Rule(loan_paid_from_stake, "Paid out of a stake", "质押储蓄代偿"),
    "loan.paid_from_reserve": Rule(
        loan_paid_from_reserve, "Paid out of the reserve", "风险准备金代偿"
    ),
    "loan.receipt_moved": Rule(receipt_moved, "Parts of a receipt moved", "还款分配调整"),
    "loan.written_off": Rule(loan_written_off, "Principal written off", "本金核销"),
    "loan.recovered": Rule(loan_recovered, "Recovered after write-off", "核销后收回"),
    "loan.fee_charged": Rule(fee_charged, "Fee charged", "收取手续费"),
    "loan.fee_waived": Rule(fee_waived, "Fee waived", "减免手续费"),
    "loan.penalty_charged": Rule(penalty_charged, "Penalty charged", "计收罚息"),
    "loan.penalty_waived": Rule(penalty_waived, "Penalty waived", "减免罚息"),
    "recourse.arisen": Rule(recourse_arisen, "Claim of a guarantor", "产生追偿权"),
    "recourse.settled": Rule(recourse_settled, "Claim settled", "清偿追偿权"),
    "recourse.interest": Rule(recourse_interest, "Interest on claims", "追偿权计息"),
    "recourse.settled_outside": Rule(
        recourse_settled_outside, "Claim settled from hand to hand", "私下清偿追偿权"
    ),
    "recourse.taken_over": Rule(recourse_taken_over, "Claim taken over", "追偿权转移"),
    "recourse.waived": Rule(recourse_waived, "Claim waived", "放弃追偿权"),
    "interest.accrued": Rule(interest_accrued, "Interest accrued", "计提利息"),
    "interest.taken_back": Rule(interest_taken_back, "Accrued interest taken back", "冲回利息"),
    "provision.raised": Rule(provision_raised, "Provision raised", "计提准备"),
    "provision.released": Rule(provision_released, "Provision released", "转回准备"),
    "firstloss.paid_in": Rule(
        line_reserve_paid_in, "Paid into a line's reserve", "缴存授信首损准备金"
    ),
    "firstloss.set_aside": Rule(
        line_reserve_set_aside, "Set aside for a line's reserve", "计提授信首损准备金"
    ),
    "firstloss.used": Rule(line_reserve_used, "Line's reserve used", "动用授信首损准备金"),
    "firstloss.refilled": Rule(
        line_reserve_refilled, "Line's reserve refilled", "补回授信首损准备金"
    ),
    "firstloss.returned": Rule(
        line_reserve_returned, "Line's reserve given back", "退还授信首损准备金"
    ),
    "suspense.received": Rule(suspense_received, "Unmatched money in", "待查款项收入"),
    "suspense.released": Rule(suspense_released, "Suspense released", "待查款项转出"),
    "suspense.returned": Rule(suspense_returned, "Suspense sent back", "待查款项退回"),
}


def _loan_settled(
    loan_id: int,
    payer_id: int | None,
    principal: int,
    interest: int,
    interest_receivable: int,
    fee: int,
    penalty: int,
) -> list[Leg]:
    """What a payment takes off a loan, account by account; all credits."""
    parts = (
        (A.LOAN_PRINCIPAL, principal),
        (A.INTEREST_INCOME, interest),
        (A.INTEREST_RECEIVABLE, interest_receivable),
        (A.FEE_RECEIVABLE, fee),
        (A.PENALTY_RECEIVABLE, penalty),
    )
    return [Leg(kind, -amount, member_id=payer_id, loan_id=loan_id) for kind, amount in parts]


def _charged(receivable: A, income: A, loan_id: int, borrower_id: int, amount: int) -> list[Leg]:
    return [
        Leg(receivable, amount, member_id=borrower_id, loan_id=loan_id),
        Leg(income, -amount, member_id=borrower_id, loan_id=loan_id),
    ]


def _sum(legs: Iterable[Leg]) -> int:
    return sum(leg.amount_minor for leg in legs)


def _owned(kind: A, member_id: int, amount: int) -> Leg:
    return Leg(kind, amount, owner_id=member_id, member_id=member_id)


def _moving(legs: Iterable[Leg]) -> list[Leg]:
    """Without the legs that move nothing."""
    return [leg for leg in legs if leg.amount_minor]
