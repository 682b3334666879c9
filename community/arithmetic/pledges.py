"""Money that guarantors pledge from their savings: held, freed by repayments, called. Pure.

This is a peer's convention, offered as an option: amounts stay exact fractions of a minor unit. Our
own loans are covered by lines along vouches (`community.guarantees`), which are whole minor units
and say on whose promise each stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Pledge:
    """One pledge: what was promised, what of it is held now, and what was taken."""

    by: str
    amount_minor: int
    own: bool = False
    held_minor: Fraction = Fraction(0)
    taken_minor: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class MinimumPledges:
    """The least that has to be pledged before approval, as parts of the principal."""

    total_bps: int = 0
    from_guarantors_bps: int = 0
    from_own_funds_bps: int = 0


def missing(
    pledges: Sequence[Pledge], principal_minor: int, minimum: MinimumPledges
) -> tuple[str, ...]:
    """Which minimums are not met: of `total`, `from_guarantors`, `from_own_funds`."""
    own = sum(pledge.amount_minor for pledge in pledges if pledge.own)
    others = sum(pledge.amount_minor for pledge in pledges if not pledge.own)
    found = {
        "total": (own + others, minimum.total_bps),
        "from_guarantors": (others, minimum.from_guarantors_bps),
        "from_own_funds": (own, minimum.from_own_funds_bps),
    }
    return tuple(
        name for name, (have, bps) in found.items() if have * 10_000 < principal_minor * bps
    )


def hold(pledges: Sequence[Pledge]) -> tuple[Pledge, ...]:
    """Approval: every pledge is held in full."""
    return tuple(replace(pledge, held_minor=Fraction(pledge.amount_minor)) for pledge in pledges)


def free(pledges: Sequence[Pledge]) -> tuple[Pledge, ...]:
    """Nothing is held any more: the approval was undone, or the loan closed or written off."""
    return tuple(replace(pledge, held_minor=Fraction(0)) for pledge in pledges)


def release(
    pledges: Sequence[Pledge], principal_part_minor: int, principal_minor: int
) -> tuple[Pledge, ...]:
    """A repayment frees its share of all that was pledged: principal part × pledged / principal.

    Guarantors come first, pro rata to what each has on hold; own funds only when they are free.
    """
    pledged = sum(pledge.amount_minor for pledge in pledges)
    left = Fraction(principal_part_minor * pledged, principal_minor)
    held: dict[int, Fraction] = {}
    for own in (False, True):
        group = [i for i, pledge in enumerate(pledges) if pledge.own is own]
        on_hold = sum((pledges[i].held_minor for i in group), Fraction(0))
        freed = min(left, on_hold)
        for i in group:
            share = freed * pledges[i].held_minor / on_hold if on_hold else Fraction(0)
            held[i] = pledges[i].held_minor - share
        left -= freed
    return tuple(replace(pledge, held_minor=held[i]) for i, pledge in enumerate(pledges))


def call(pledges: Sequence[Pledge], principal_minor: int) -> tuple[Pledge, ...]:
    """Everything on hold is taken, own funds too, but never more than the principal by share."""
    pledged = sum(pledge.amount_minor for pledge in pledges)
    scale = min(Fraction(1), Fraction(principal_minor, pledged)) if pledged else Fraction(0)
    return tuple(
        replace(
            pledge,
            held_minor=Fraction(0),
            taken_minor=pledge.taken_minor + pledge.held_minor * scale,
        )
        for pledge in pledges
    )


def on_hold(pledges: Sequence[Pledge]) -> Mapping[str, Fraction]:
    """What is held of each."""
    return {pledge.by: pledge.held_minor for pledge in pledges}
