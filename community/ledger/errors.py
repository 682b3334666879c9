"""Refusals of the ledger."""

from community.errors import AlreadyExists, Conflict, Invalid, NotFound


class Unbalanced(Invalid):
    code = "unbalanced-entry"
    title = "Debits and credits of the entry differ"


class DayClosed(Conflict):
    """Closed days take no more postings and are never opened again.

    A correction goes to the first open day, which the answer names, with the value date of when
    the event was.
    """

    code = "day-closed"
    title = "This business day is closed"


class ValueDateLater(Invalid):
    """What is posted today cannot have its value only tomorrow."""

    code = "value-date-later"
    title = "The value date is later than the business day"


class PeriodInvalid(Invalid):
    """A period ends on the day on which it begins, or later."""

    code = "period-invalid"
    title = "The period is not possible"


class EntryNotFound(NotFound):
    code = "entry-not-found"
    title = "No such journal entry"


class AccountKindNotFound(NotFound):
    """The chart of accounts names the kinds that there are."""

    code = "account-kind-not-found"
    title = "No such kind of account"


class AlreadyReversed(Conflict):
    code = "already-reversed"
    title = "The entry was reversed already"


class HoldNotFound(NotFound):
    """There is no such hold, or it is on somebody else's savings."""

    code = "hold-not-found"
    title = "No such hold"


class HoldExists(AlreadyExists):
    """Money is on hold with this reference: the same paper is not held twice."""

    code = "hold-exists"
    title = "A hold with this reference is there already"


class HoldEnded(Conflict):
    """The hold was posted, voided or has expired; a new one can be placed."""

    code = "hold-ended"
    title = "The hold has ended"
