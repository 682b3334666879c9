"""What the graph methods refuse, and why, in words that can be shown.

Every error is a ``GraphError``, which is a ``ValueError``: the input is at fault, never the
state of a database or a network.
"""

from collections.abc import Hashable


class GraphError(ValueError):
    """The input cannot be worked with; the message says what to change."""


class UnknownNode(GraphError):
    """A member was named that the network does not hold."""

    def __init__(self, node: Hashable) -> None:
        self.node = node
        super().__init__(f"{node!r} is not in the network")


class BadCapacity(GraphError):
    """A room, standing, budget or weight is not a whole number of minor units >= 0."""

    def __init__(self, what: str, value: object) -> None:
        self.what = what
        self.value = value
        super().__init__(f"{what} must be a whole number >= 0, got {value!r}")


class SelfLoop(GraphError):
    """A member was said to stand behind themself."""

    def __init__(self, node: Hashable) -> None:
        self.node = node
        super().__init__(f"{node!r} cannot vouch for themself")


class BadParameter(GraphError):
    """An argument other than a capacity is outside its range."""


class DuplicateId(BadParameter):
    """Two promises or lines carry the same id."""

    def __init__(self, what: str, id_: Hashable) -> None:
        self.id = id_
        super().__init__(f"two {what} carry the id {id_!r}")


class CoverShort(GraphError):
    """More cover was asked for than the network holds; ``limit`` is what it holds."""

    def __init__(self, amount: int, limit: int) -> None:
        self.amount = amount
        self.limit = limit
        super().__init__(f"cover of {amount} was asked for, but only {limit} can be had")


class NoConvergence(GraphError):
    """A computation did not reach an answer that can be proved within its limits."""


class BadCertificate(GraphError):
    """An answer does not prove itself: a flow is outside its limits or a cut does not match."""


class BadSnapshot(GraphError):
    """A file is not a whole network of the format that is read here."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"{name} cannot be attached: {reason}")
