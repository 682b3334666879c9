"""One figure of a benchmark, beside its baseline and its goal."""

from typing import NamedTuple


class Result(NamedTuple):
    """What was measured; `baseline` and `goal` come from the protocol, None where it states none.

    `spread` is the standard deviation over repeats or folds, where there are several.
    """

    benchmark: str
    figure: str
    ours: float
    baseline: float | None
    goal: float | None
    spread: float | None = None
    smaller_is_better: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        if self.smaller_is_better:
            return self.ours <= self.goal
        return self.ours >= self.goal
