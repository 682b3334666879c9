"""Refusals of the loans room."""

from community.errors import (
    AlreadyExists,
    AmountOutOfRange,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    WrongState,
)


class LoanNotFound(NotFound):
    """There is no such loan, or the caller may not know that there is."""

    code = "loan-not-found"
    title = "No such loan"


class GroupLoanNotFound(NotFound):
    """There is no such group loan, or the caller may not know that there is."""

    code = "group-loan-not-found"
    title = "No such group loan"


class StepNotAllowed(WrongState):
    """The loan is in a state without this step; `allowed` lists the steps that it has."""

    code = "loan-step-not-allowed"
    title = "The loan cannot take this step now"


class PrincipalOutOfRange(AmountOutOfRange):
    """The amount asked for is below or above what the product lends."""

    code = "principal-out-of-range"
    title = "The product does not lend this amount"


class InstalmentsOutOfRange(Invalid):
    """The number of instalments is below or above what the product allows."""

    code = "instalments-out-of-range"
    title = "The product does not allow this number of instalments"


class SeasonNeeded(Invalid):
    """A seasonal product needs a season, and only a seasonal product takes one."""

    code = "season-needed"
    title = "A seasonal product and a season belong together"


class SeasonOver(Conflict):
    """The season has come to its harvest: there is nothing left to sow."""

    code = "season-over"
    title = "The season is over for new loans"


class BorrowerTooYoung(Conflict):
    """The borrower is below the age from which the charter lends."""

    code = "borrower-too-young"
    title = "The charter does not lend at this age"


class GroupNotReady(Conflict):
    """Only an active group can apply for a loan."""

    code = "group-not-active"
    title = "The group is not active"


class NotASignedMember(Conflict):
    """Every borrower of a group loan has signed the group's agreement."""

    code = "not-a-signed-member"
    title = "Not a signed member of the group"


class NotTheLeader(NotAllowed):
    """Only the group's leader applies for the group."""

    code = "not-the-leader"
    title = "Only the group's leader may do this"


class SharesDoNotAddUp(Invalid):
    """The shares of a group loan sum to its total, to the minor unit."""

    code = "shares-do-not-add-up"
    title = "The shares do not sum to the total"


class DecidedTogether(Conflict):
    """The shares of a group loan are decided together, never one alone."""

    code = "decided-together"
    title = "This share belongs to a group loan"


class EndorserNotEligible(NotAllowed):
    """A borrower and their household cannot endorse the loan."""

    code = "endorser-not-eligible"
    title = "This member cannot endorse the loan"


class AlreadyEndorsed(AlreadyExists):
    """The member has endorsed this loan already."""

    code = "already-endorsed"
    title = "Endorsed already by this member"


class MoreThanOwed(AmountOutOfRange):
    """More was offered than the loan owes."""

    code = "more-than-owed"
    title = "More than the loan owes"


class DayNotOpen(Invalid):
    """Money cannot have come on this day, or what was done since rests on what was owed then."""

    code = "day-not-open"
    title = "The day is not open for this loan"


class NothingToSettle(WrongState):
    """Only a running loan is settled early."""

    code = "nothing-to-settle"
    title = "There is nothing to settle early"


class NotThePayoff(Invalid):
    """The amount is not what settles the loan on this day."""

    code = "not-the-payoff"
    title = "This amount does not settle the loan"


class ReceiptReversed(Conflict):
    """The receipt was taken back already."""

    code = "receipt-reversed"
    title = "The receipt was taken back already"


class ReceiptNotReversible(Conflict):
    """Others have acted on this money; it cannot be taken back by itself."""

    code = "receipt-not-reversible"
    title = "This receipt cannot be taken back"


class PaidByOthers(Conflict):
    """Less would be owed than guarantors or the reserve have paid, and now claim back."""

    code = "paid-by-others"
    title = "Others have paid what this would let go"


class ChargeNotFound(NotFound):
    """There is no such charge, or the caller may not know that there is."""

    code = "charge-not-found"
    title = "No such charge"


class ChargeWaived(Conflict):
    """The charge was waived already."""

    code = "charge-waived"
    title = "The charge was waived already"


class ChangeNotFound(NotFound):
    """There is no such change of plan that could be taken back."""

    code = "change-not-found"
    title = "No such change of plan"


class PlanNotChanged(Conflict):
    """The change leaves the loan's plan as it is."""

    code = "plan-not-changed"
    title = "Nothing of the plan would change"


class RestructuredTooOften(Conflict):
    """The loan was restructured as often as the charter allows."""

    code = "restructured-too-often"
    title = "The charter does not allow another restructuring"


class TrancheNotDue(Conflict):
    """The season pays out this tranche later, or nothing is left to pay out."""

    code = "tranche-not-due"
    title = "No tranche is due to be paid out"


class PayeeRefused(Invalid):
    """A part of a disbursement goes to the payee of a use that the loan states, within both."""

    code = "payee-refused"
    title = "This cannot go straight to the payee"


class PayeesRequired(Conflict):
    """The charter sends this money straight to payees; `rule` names its rule."""

    code = "payees-required"
    title = "This money goes straight to the payees"
