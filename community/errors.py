"""The tree of refusals that the domain can answer with.

Every refusal has a stable `code` (clients branch on it), a `title` in plain words and keyword
details that name field, rule and remedy. `app.problems` turns the tree into HTTP answers by the
five kinds below; a feature adds its own leaves next to its services.
"""

from typing import Any, ClassVar


class CommunityError(Exception):
    """A request that the domain refuses, with its reason."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request was refused"

    def __init__(self, detail: str = "", **members: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.members = members


class NotFound(CommunityError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not-found"
    title = "Not found"


class NotAllowed(CommunityError):
    """The caller is known but this is not theirs to do."""

    code = "not-allowed"
    title = "Not allowed"


class Invalid(CommunityError):
    """A value that no state of the system could make right."""

    code = "invalid"
    title = "Invalid value"


class CurrencyMismatch(Invalid):
    """Two amounts of different currencies were put together."""

    code = "currency-mismatch"
    title = "Currencies do not match"


class AmountOutOfRange(Invalid):
    """An amount of money is below or above what the rule admits."""

    code = "amount-out-of-range"
    title = "Amount out of range"


class Conflict(CommunityError):
    """A right request in the wrong state."""

    code = "conflict"
    title = "The state does not allow this"


class WrongState(Conflict):
    """The thing is in a state from which this step is not allowed."""

    code = "wrong-state"
    title = "Not possible in this state"


class AlreadyExists(Conflict):
    """The same thing is there already."""

    code = "already-exists"
    title = "It exists already"


class LimitReached(Conflict):
    """The request is right but there is no room for it."""

    code = "limit-reached"
    title = "There is no room for this"


class InsufficientFunds(LimitReached):
    """An account does not hold enough."""

    code = "insufficient-funds"
    title = "Not enough money in the account"


class StaleSnapshot(Conflict):
    """Somebody else changed the rows that a decision was computed on; the whole unit is run again.

    The transaction edge replays the unit of work. Only when the tries are used up does the
    caller see this, as a 409 that can be repeated.
    """

    code = "changed-meanwhile"
    title = "Somebody else was faster; please try again"


class Unavailable(CommunityError):
    """The service cannot answer now; the same request may succeed later."""

    code = "unavailable"
    title = "Temporarily unavailable"
