"""The answer to "how much may I borrow, and why": an object in which every number has a source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from community.credit.limits import REMEDIES, BorrowerFacts, Constraint, Source
from community.members.queries import Named, names_of
from community.trust.networks import Source as NetworkSource
from community.trust.snapshot import Neighbourhood
from community.trust.worth import VouchFacts
from graph.limits import CoverLimit, CoverPath, Raise


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A promise that is not there: what if this member stood behind the borrower with so much?"""

    voucher_id: int
    amount_minor: int

    @property
    def promise_id(self) -> str:
        return f"what-if:{self.voucher_id}"


@dataclass(frozen=True, slots=True)
class PathView:
    """Who covers how much through whom. `vouches` are public ids, outermost first."""

    standing_of: Named
    via: tuple[Named, ...]
    vouches: tuple[str | None, ...]
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A promise or a standing that the limit runs into.

    `member` is whose standing it is, or who promises; `towards` for whom. `vouch` is None for a
    standing and for a promise that is only supposed.
    """

    kind: str
    member: Named
    towards: Named | None
    vouch: str | None
    room_minor: int


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much trust and the limit would rise if this one promise or standing grew."""

    kind: str
    member: Named
    towards: Named | None
    vouch: str | None
    trust_gain_minor: int
    limit_gain_minor: int


@dataclass(frozen=True, slots=True)
class RecordBound:
    """What a voucher's record admits of a promise that was asked about: all of it, or less.

    The record's own figures are for the voucher and for officers; the answer is about a borrower.
    """

    member: Named
    asked_minor: int
    admits_minor: int
    rule: str
    # The voucher's record, by the charter of that version.
    source: Source

    @property
    def binds(self) -> bool:
        return self.admits_minor < self.asked_minor


@dataclass(frozen=True, slots=True)
class CreditLimit:
    """What a member may still borrow in a community, with every reason for it."""

    member: Named
    community_public_id: str
    currency: str
    on: date
    amount_minor: int
    binding: Constraint
    constraints: tuple[Constraint, ...]
    facts: BorrowerFacts
    charter: Source
    product: Source | None
    circle: int
    flow_minor: int
    own_minor: int
    direct_minor: int
    second_minor: int
    farther_minor: int
    paths: tuple[PathView, ...]
    cut: tuple[Bottleneck, ...]
    raise_by_minor: int
    raises: tuple[Growth, ...]
    what_if: tuple[tuple[Named, int], ...] = ()
    # Of promises that are supposed here, or supposed to grow; empty: the charter has no such bound.
    record_bounds: tuple[RecordBound, ...] = ()
    # What the whole community could stand for, any number of promises away; None: not asked.
    ceiling_minor: int | None = None
    # Where the network was read that the ceiling is of.
    ceiling_source: NetworkSource | None = None

    @property
    def remedy(self) -> str:
        """What helps against the binding constraint."""
        return REMEDIES[self.binding.name]


@dataclass(frozen=True, slots=True)
class CoverPreview:
    """Who would be held for how much if a loan of this size were approved today.

    Where what is there does not reach, `paths` says what is, and `short_minor` what is missing.
    """

    limit: CreditLimit
    principal_minor: int
    cover_minor: int
    short_minor: int
    paths: tuple[PathView, ...]

    @property
    def is_admitted(self) -> bool:
        """Whether the limit admits the loan as things stand."""
        return self.principal_minor <= self.limit.amount_minor


class Names:
    """Names of all people in an answer, and which vouch is which: read once."""

    def __init__(
        self,
        session: Session,
        around: Neighbourhood,
        limit: CoverLimit,
        what_if: Iterable[WhatIf],
    ) -> None:
        self._vouches = around.vouch_rows
        self._supposed: Mapping[object, tuple[int, object]] = {
            item.promise_id: (item.voucher_id, limit.borrower) for item in what_if
        }
        wanted = {limit.borrower, *around.standings}
        self._people = names_of(session, (m for m in wanted if isinstance(m, int)))

    def person(self, member_id: object) -> Named:
        assert isinstance(member_id, int)
        return self._people[member_id]

    def vouch(self, promise_id: object) -> str | None:
        return None if promise_id in self._supposed else self._row(promise_id).public_id

    def place(self, kind: str, id_: object) -> tuple[Named, Named | None, str | None]:
        """Whose standing or promise it is, for whom, under which vouch."""
        if kind == "standing":
            return self.person(id_), None, None
        if id_ in self._supposed:
            voucher, borrower = self._supposed[id_]
            return self.person(voucher), self.person(borrower), None
        row = self._row(id_)
        return self.person(row.voucher_id), self.person(row.borrower_id), row.public_id

    def paths(self, found: Iterable[CoverPath]) -> tuple[PathView, ...]:
        return tuple(
            PathView(
                standing_of=self.person(path.standing_of),
                via=tuple(self.person(member) for member in path.via),
                vouches=tuple(self.vouch(promise) for promise in path.promises),
                # With three promises on a path an optimum may split a minor unit.
                amount_minor=int(path.amount),
            )
            for path in found
        )

    def cut(self, limit: CoverLimit) -> tuple[Bottleneck, ...]:
        return tuple(
            Bottleneck(item.kind, *self.place(item.kind, item.id), room_minor=item.capacity)
            for item in limit.cut
        )

    def growth(self, item: Raise, limit_gain_minor: int) -> Growth:
        return Growth(
            item.kind,
            *self.place(item.kind, item.id),
            trust_gain_minor=int(item.gain),
            limit_gain_minor=limit_gain_minor,
        )

    def _row(self, promise_id: object) -> VouchFacts:
        assert isinstance(promise_id, int)
        return self._vouches[promise_id]
