"""The life of a loan: one table says which step may follow which. Pure."""

from community.loans.errors import StepNotAllowed
from community.loans.models import LoanStatus as S

ALLOWED: dict[S, frozenset[S]] = {
    S.DRAFT: frozenset({S.SUBMITTED, S.WITHDRAWN}),
    S.SUBMITTED: frozenset({S.ENDORSED, S.REJECTED, S.WITHDRAWN, S.EXPIRED}),
    S.ENDORSED: frozenset({S.APPROVED, S.REJECTED, S.WITHDRAWN, S.EXPIRED}),
    # Leaving `approved` without the money frees the cover: that is decided where cover is kept.
    S.APPROVED: frozenset({S.CURRENT, S.REJECTED, S.WITHDRAWN, S.EXPIRED}),
    S.CURRENT: frozenset({S.OVERDUE, S.RESTRUCTURED, S.CLOSED}),
    S.OVERDUE: frozenset({S.CURRENT, S.CALLED, S.RESTRUCTURED, S.CLOSED, S.WRITTEN_OFF}),
    # Arrears paid in full bring a called loan back, unless the whole of it became due.
    S.CALLED: frozenset({S.CURRENT, S.RESTRUCTURED, S.CLOSED, S.WRITTEN_OFF}),
    # Restructured again, it stays where it is.
    S.RESTRUCTURED: frozenset({S.OVERDUE, S.CLOSED}),
    # A receipt that is taken back opens the loan again.
    S.CLOSED: frozenset({S.CURRENT, S.RESTRUCTURED}),
    # Money that still comes in is a recovery; the loan stays written off.
    S.WRITTEN_OFF: frozenset(),
    S.REJECTED: frozenset(),
    S.WITHDRAWN: frozenset(),
    S.EXPIRED: frozenset(),
}

# Not decided yet.
OPEN = frozenset({S.DRAFT, S.SUBMITTED, S.ENDORSED})
# The lender has principal out.
LIVE = frozenset({S.CURRENT, S.RESTRUCTURED, S.OVERDUE, S.CALLED})
# On its plan, nothing late.
ON_PLAN = frozenset({S.CURRENT, S.RESTRUCTURED})
# The money went out once.
DISBURSED = LIVE | {S.CLOSED, S.WRITTEN_OFF}
ENDED = frozenset({S.CLOSED, S.WRITTEN_OFF, S.REJECTED, S.WITHDRAWN, S.EXPIRED})


def check_pay_out(status: S) -> None:
    """Refuse to pay a loan out unless it is approved: many states lead to `current`, once paid."""
    if status is not S.APPROVED:
        raise StepNotAllowed(
            f"Only an approved loan is paid out; this one is {status}.",
            state=status.value,
            asked=S.CURRENT.value,
            allowed=sorted(to.value for to in ALLOWED[status] - {S.CURRENT}),
        )


def check_step(from_status: S, to_status: S) -> None:
    """Refuse a step that the table does not have; names the steps that it has."""
    if to_status not in ALLOWED[from_status]:
        raise StepNotAllowed(
            f"A loan that is {from_status} cannot become {to_status}.",
            state=from_status.value,
            asked=to_status.value,
            allowed=sorted(status.value for status in ALLOWED[from_status]),
        )
