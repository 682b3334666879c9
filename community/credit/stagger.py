"""Staggered lending in a group: two, two and then the leader, as the charter says. Pure.

A member has begun with their first approved loan since the group was activated, and has shown with
so many instalments paid. Who begins in a batch waits until all who began in the batches before
have shown. The leader begins in the last batch, and so does everybody for whom no batch is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Stagger:
    """Where the members of a borrower's group are."""

    size: int
    leads: bool  # the borrower does
    has_begun: bool  # the borrower has
    # Of the others who have begun, in the order in which they did: who has shown.
    shown: tuple[bool, ...]

    def after(self, begun: int) -> "Stagger":
        """The same once so many others have begun too, who have shown nothing yet."""
        return replace(self, shown=(*self.shown, *[False] * begun))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a member does not begin yet."""

    batch: int  # theirs, from 1
    others_begun: int
    others_needed: int  # so many have to have begun before
    waits_for: int  # so many of them have not shown yet
    reason: str


def waiting(stagger: Stagger, batches: Sequence[int]) -> Waiting | None:
    """Whether a member waits for their batch; None: they may begin, or have begun."""
    if stagger.has_begun:
        return None
    ends = list(accumulate(batches))
    begun = len(stagger.shown)
    earlier = min(ends[-2] if len(ends) > 1 else 0, stagger.size - 1)
    if stagger.leads and begun < earlier:
        late = stagger.shown.count(False)
        return Waiting(
            len(ends), begun, earlier, late, "The leader borrows in the last batch of the group."
        )
    batch = next((n for n, end in enumerate(ends) if begun < end), len(ends) - 1)
    needed = ends[batch - 1] if batch else 0
    late = stagger.shown[:needed].count(False)
    if not late:
        return None
    return Waiting(
        batch + 1, begun, needed, late, "Those of the batches before have not repaid enough yet."
    )
