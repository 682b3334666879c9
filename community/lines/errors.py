"""Refusals of the lines room."""

from community.errors import (
    AlreadyExists,
    AmountOutOfRange,
    Conflict,
    Invalid,
    LimitReached,
    NotFound,
    WrongState,
)


class LineNotFound(NotFound):
    code = "credit-line-not-found"
    title = "No such credit line"


class LineExists(AlreadyExists):
    """The charter allows one line of a holder for a product: change it, or close it first."""

    code = "credit-line-exists"
    title = "The holder has a line for this product already"


class LineHolderNotReady(WrongState):
    """Only an active group holds a line."""

    code = "credit-line-holder-not-ready"
    title = "The group cannot hold a credit line"


class LineNotInForce(Conflict):
    """A line is drawn on while it is active and within its term; those that run go on."""

    code = "credit-line-not-in-force"
    title = "Nothing can be drawn on this line now"


class LineForAnotherProduct(Conflict):
    """The line is for loans of one product: name that one, or leave the line out."""

    code = "credit-line-for-another-product"
    title = "The line is for another product"


class NoSubLimit(Conflict):
    """A draw needs a sub-limit of the borrower on the line: ask an officer for one."""

    code = "no-sub-limit"
    title = "The borrower has no sub-limit on this line"


class LineTooLarge(AmountOutOfRange):
    """The charter says how large a line may be, a temporary raise included."""

    code = "credit-line-too-large"
    title = "The line is above what the charter allows"


class LineTooLong(Invalid):
    """The charter says for how long a line may be opened."""

    code = "credit-line-term"
    title = "The line's term does not fit the charter"


class SubLimitTooLarge(AmountOutOfRange):
    """No sub-limit is above its line."""

    code = "sub-limit-too-large"
    title = "The sub-limit is above the line"


class SubLimitsTooLarge(LimitReached):
    """The charter says how far all sub-limits together may exceed the line: lower one first."""

    code = "sub-limits-too-large"
    title = "The sub-limits together are above what the charter allows"


class NotOfTheHolder(Conflict):
    """Sub-limits on a group's line are for those who have signed its agreement."""

    code = "not-of-the-line-holder"
    title = "The member is not in the group that holds the line"


class LineInUse(LimitReached):
    """More is drawn than the new limit: wait for repayment, or say that nobody draws until then."""

    code = "credit-line-in-use"
    title = "More is drawn than the new limit"


class LineStepNotAllowed(WrongState):
    """A line is suspended and resumed, and closed for good once nothing is drawn on it."""

    code = "credit-line-step-not-allowed"
    title = "The line is in a state from which this step is not possible"


class RaiseTooLarge(AmountOutOfRange):
    """The charter says by how much a limit may be raised for a while."""

    code = "temporary-raise-too-large"
    title = "The temporary raise is above what the charter allows"


class RaiseTooLong(Invalid):
    """The charter says for how long a limit may be raised."""

    code = "temporary-raise-term"
    title = "The temporary raise does not end in time"
