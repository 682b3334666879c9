"""A loan's state from its events. The same events give the same state, in whatever order they came.

replay(contract, events, on)        the state on a day
payoff_minor(contract, events, on)  what settles the loan on a day
"""

from collections.abc import Iterable
from datetime import date

from community.arithmetic.events import Event
from community.arithmetic.state import State
from community.arithmetic.terms import Contract


def replay(contract: Contract, events: Iterable[Event], on: date) -> State:
    """The loan on the day `on`: events after that day are not looked at.

    Raises HistoryImpossible: money comes before any was lent, two receipts share a key, an amount
    is not positive.
    """
    raise NotImplementedError


def payoff_minor(contract: Contract, events: Iterable[Event], on: date) -> int:
    """What settles the loan on the day: all principal, what is due, and interest up to the day."""
    raise NotImplementedError
