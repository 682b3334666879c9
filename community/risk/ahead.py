"""What would happen if these members failed: the calls, who pays, what the pool loses. Pure.

The same functions say who is asked for how much as for real calls (`guarantees.plan`), in the same
order: own stake, direct guarantors, further out, across co-guarantors. What only reality knows is
assumed, and said: everything that is out is asked at once, a called guarantor pays from locked
stake and from what was assessed (as far as `assessed_pays_bps`), one who failed pays from stake
only, and nobody disputes. `graph.failing` does the same on arrays, for many draws.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from community.communities.charter import LiabilityMode
from community.guarantees.models import CallGround
from community.guarantees.plan import (
    HeldLine,
    co_guarantor_shares,
    first_demands,
    near_first,
    outward_demands,
    released_parts,
)
from community.money import allocate

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Purse:
    """What a member could be made to pay: locked stake, and what was assessed beside it."""

    stake_minor: int
    assessed_minor: int
    reserved_minor: int
    is_overdue: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """A direct guarantor's promise on a loan: which vouch, and what is left of the signed cap."""

    vouch_id: int
    guarantor_id: int
    cap_minor: int


@dataclass(frozen=True, slots=True)
class CoveredLine:
    """A cover line with the vouches that it travels along."""

    held: HeldLine
    inner_vouch_id: int | None
    outer_vouch_id: int | None


@dataclass(frozen=True, slots=True)
class LoanOut:
    """A loan with principal out, and what covers it."""

    loan_id: int
    borrower_id: int
    owed_minor: int
    mode: LiabilityMode
    lines: tuple[CoveredLine, ...] = ()
    # One a member, by vouch: whom joint liability can ask for another's share.
    signed: tuple[Signed, ...] = ()
    stake_first: bool = True


@dataclass(frozen=True)
class Book:
    """A community's loans, purses and what is left of each vouch, at one moment."""

    purses: Mapping[int, Purse]
    loans: tuple[LoanOut, ...]
    # Live vouches: limit less what is reserved and spent.
    rooms: Mapping[int, int]
    # Of a part of a book: what pledge-only loans of the whole hold of each stake.
    whole_pledged: Mapping[int, int] | None = None

    @cached_property
    def pledged(self) -> Mapping[int, int]:
        """What pledge-only loans hold of each stake: nobody else's."""
        if self.whole_pledged is not None:
            return self.whole_pledged
        found: dict[int, int] = {}
        for loan in self.loans:
            if loan.mode is LiabilityMode.PLEDGE_ONLY:
                for line in loan.lines:
                    owner = line.held.owner_id
                    found[owner] = found.get(owner, 0) + line.held.held_minor
        return found

    @cached_property
    def loans_of(self) -> dict[int, list[LoanOut]]:
        """Loans by borrower, ids upwards."""
        found: dict[int, list[LoanOut]] = {}
        for loan in sorted(self.loans, key=lambda loan: loan.loan_id):
            found.setdefault(loan.borrower_id, []).append(loan)
        return found

    def part(self, borrowers: Iterable[int]) -> "Book":
        """The loans of these, and whatever their failing can touch: `fail` says the same of it."""
        loans = [loan for member in set(borrowers) for loan in self.loans_of.get(member, ())]
        members: set[int] = set()
        vouches: set[int] = set()
        for loan in loans:
            members.add(loan.borrower_id)
            for line in loan.lines:
                held = line.held
                members |= {
                    m for m in (held.owner_id, held.direct_id, held.outer_id) if m is not None
                }
                vouches |= {v for v in (line.inner_vouch_id, line.outer_vouch_id) if v is not None}
            members |= {signed.guarantor_id for signed in loan.signed}
            vouches |= {signed.vouch_id for signed in loan.signed}
        return Book(
            {m: self.purses[m] for m in sorted(members) if m in self.purses},
            tuple(sorted(loans, key=lambda loan: loan.loan_id)),
            {v: self.rooms[v] for v in sorted(vouches) if v in self.rooms},
            {m: self.pledged[m] for m in sorted(members) if m in self.pledged},
        )


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call that would be made, and what would come of it."""

    loan_id: int
    guarantor_id: int
    for_guarantor_id: int | None
    ground: CallGround
    amount_minor: int
    paid_minor: int
    # Made on the first day of calling (1), or when a call of the step before has lapsed (2, 3, …).
    step: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the failing of some members comes to."""

    # Left unpaid by loan, before the reserve fund.
    lost: dict[int, int]
    # What each member paid for others, and borrowers from their own stake.
    paid: dict[int, int]
    own: dict[int, int]
    calls: tuple[MadeCall, ...]
    # Others than those who failed first, whose stake is gone.
    ruined: tuple[int, ...]
    # All who failed: with `spread`, also those who were ruined.
    failed: frozenset[int]

    @property
    def lost_minor(self) -> int:
        return sum(self.lost.values())

    @property
    def paid_minor(self) -> int:
        return sum(self.paid.values())


def fail(
    book: Book,
    failing: Collection[int],
    *,
    assessed_pays_bps: int = BPS,
    mode: LiabilityMode | None = None,
    spread: bool = False,
    called: Mapping[int, int] | None = None,
) -> Outcome:
    """Let these members stop paying: their loans are taken one after another, by id.

    `called`: only these loans are asked at first, for these amounts; what is not asked of them
    stays covered.

    `mode`: as if every loan were under this liability; else each under its own. `spread`: who loses
    the whole of a stake by this fails next, until nobody does.
    """
    world = _World(book, assessed_pays_bps)
    first, turn, done = frozenset(failing), set(failing), set[int]()
    while turn:
        for member in turn:
            world.hand[member] = 0
        done |= turn
        world.failed = done
        loans = [loan for member in turn for loan in book.loans_of.get(member, ())]
        if called and done == first:
            loans = [loan for loan in book.loans if loan.loan_id in called]
        asked = called if called and done == first else {}
        world.fail_loans(sorted(loans, key=lambda loan: loan.loan_id), mode, asked)
        turn = set(world.ruined(done)) if spread else set()
    return Outcome(
        lost=world.lost,
        paid={member: paid for member, paid in world.paid.items() if paid},
        own={member: paid for member, paid in world.own.items() if paid},
        calls=tuple(call.made() for call in world.made),
        ruined=tuple(world.ruined(first)),
        failed=frozenset(done),
    )


@dataclass(slots=True)
class _Line:
    """A cover line while its loan fails."""

    line_id: int
    owner: int
    direct: int | None
    outer: int | None
    inner_vouch: int | None
    outer_vouch: int | None
    held: int

    @property
    def hops(self) -> int:
        return (self.direct is not None) + (self.outer is not None)

    def as_held(self, held: int) -> HeldLine:
        return HeldLine(self.line_id, self.owner, self.direct, self.outer, held)


@dataclass(slots=True)
class _Call:
    """A call while its loan fails; `items` are what is open on each line."""

    loan_id: int
    guarantor: int
    for_guarantor: int | None
    ground: CallGround
    amount: int
    items: dict[int, int]
    step: int
    paid: int = 0
    is_pending: bool = True
    is_lapsed: bool = False

    @property
    def open(self) -> int:
        return self.amount - self.paid

    def made(self) -> MadeCall:
        return MadeCall(
            self.loan_id,
            self.guarantor,
            self.for_guarantor,
            self.ground,
            self.amount,
            self.paid,
            self.step,
        )


@dataclass(slots=True)
class _World:
    """Purses and rooms as they are while one loan after another fails."""

    book: Book
    pays_bps: int
    failed: set[int] = field(default_factory=set)
    stake: dict[int, int] = field(init=False)
    assessed: dict[int, int] = field(init=False)
    reserved: dict[int, int] = field(init=False)
    hand: dict[int, int] = field(init=False)
    # Of each stake, what pledge-only loans hold: nobody else's.
    pledged: dict[int, int] = field(init=False)
    room: dict[int, int] = field(init=False)
    lost: dict[int, int] = field(default_factory=dict)
    paid: dict[int, int] = field(default_factory=dict)
    own: dict[int, int] = field(default_factory=dict)
    made: list[_Call] = field(default_factory=list)
    next_line: int = 0

    def __post_init__(self) -> None:
        purses = self.book.purses
        self.stake = {member: purse.stake_minor for member, purse in purses.items()}
        self.assessed = {member: purse.assessed_minor for member, purse in purses.items()}
        self.reserved = {member: purse.reserved_minor for member, purse in purses.items()}
        self.hand = {m: purse.assessed_minor * self.pays_bps // BPS for m, purse in purses.items()}
        self.room = dict(self.book.rooms)
        self.pledged = dict(self.book.pledged)
        lines = (line.held.line_id for loan in self.book.loans for line in loan.lines)
        self.next_line = max(lines, default=0) + 1

    def ruined(self, but: Collection[int]) -> list[int]:
        """Members whose stake was there and is gone."""
        return [
            member
            for member, purse in self.book.purses.items()
            if purse.stake_minor and not self.stake[member] and member not in but
        ]

    def fail_loans(
        self, loans: Iterable[LoanOut], mode: LiabilityMode | None, asked: Mapping[int, int]
    ) -> None:
        """All are called on one day; what is not paid by the deadline lapses on one day, and so on.

        Within a day loans come one after another. Whoever pays by hand does so when the day's calls
        are all made, in their order. Where only stake is pledged nobody waits for a deadline.
        """
        failing = [
            _FailingLoan(
                self,
                loan,
                mode if mode and loan.mode is not LiabilityMode.NONE else None,
                asked.get(loan.loan_id, loan.owed_minor),
            )
            for loan in loans
        ]
        opened: list[tuple[_FailingLoan, _Call]] = []
        for each in failing:
            opened += [(each, call) for call in each.ask()]
        while opened:
            for each, call in opened:
                each.pay_by_hand(call)
            opened = []
            for each in failing:
                opened += [(each, call) for call in each.lapse()]
        for each in failing:
            self.lost[each.loan.loan_id] = self.lost.get(each.loan.loan_id, 0) + each.debt
            self.made.extend(each.calls)


class _FailingLoan:
    """One loan from its first call to the last."""

    def __init__(
        self, world: _World, loan: LoanOut, mode: LiabilityMode | None, asked: int
    ) -> None:
        self.world, self.loan, self.mode = world, loan, mode or loan.mode
        self.debt = asked
        self.rest = loan.owed_minor - asked
        self.lines = {
            line.held.line_id: _Line(
                line.held.line_id,
                line.held.owner_id,
                line.held.direct_id,
                line.held.outer_id,
                line.inner_vouch_id,
                line.outer_vouch_id,
                line.held.held_minor,
            )
            for line in loan.lines
        }
        self.cap = {signed.guarantor_id: signed.cap_minor for signed in loan.signed}
        self.calls: list[_Call] = []
        self.step = 1

    @property
    def is_pledge_only(self) -> bool:
        return self.mode is LiabilityMode.PLEDGE_ONLY

    def ask(self) -> list[_Call]:
        """Own stake, then everybody who promised to the borrower; the calls that were opened."""
        if self.mode is LiabilityMode.NONE:
            return []
        own, demands = first_demands(
            [line.as_held(line.held) for line in self.lines.values()], self.debt
        )
        borrower = self.loan.borrower_id
        unpaid: dict[int, int] = {}
        for line_id, part in own.items():
            line = self.lines[line_id]
            amount = min(part, self._stake_for(line.owner))
            if amount:
                self._pay_line(line, amount, payer=borrower, from_stake=True)
                self.world.own[borrower] = self.world.own.get(borrower, 0) + amount
            if part > amount:
                unpaid[line_id] = part - amount
        if unpaid:
            self._open(borrower, None, CallGround.OWN, unpaid)
        for demand in demands:
            self._open(demand.guarantor_id, None, CallGround.DIRECT, dict(demand.lines))
        self._settle()
        while self.is_pledge_only and self.lapse():
            pass
        return self.calls

    def lapse(self) -> list[_Call]:
        """Every call whose deadline has passed; those that are opened for it."""
        before = len(self.calls)
        for call in [call for call in self.calls if call.is_pending]:
            if not self.debt:
                break
            self._lapse_one(call)
            self._settle()
        return self.calls[before:]

    def _lapse_one(self, call: _Call) -> None:
        call.is_pending, call.is_lapsed = False, True
        # Where only stake is pledged nobody waits for a deadline.
        self.step = call.step + (not self.is_pledge_only)
        left = unpaid = self._payable(call)
        if call.ground is CallGround.DIRECT:
            held = [line.as_held(line.held) for line in self.lines.values()]
            for demand in outward_demands(held, call.guarantor, unpaid):
                left -= demand.amount_minor
                self._open(
                    demand.guarantor_id,
                    call.guarantor,
                    CallGround.SECOND_HOP,
                    dict(demand.lines),
                )
        if left and self.mode is LiabilityMode.JOINT_AND_SEVERAL:
            self._across(call, left)

    def _across(self, lapsed: _Call, shortfall: int) -> None:
        """The other direct guarantors, each within vouch, free standing and signed cap."""
        asked = sum(call.open for call in self.calls if call.is_pending)
        failed = {call.guarantor for call in self.calls if call.is_lapsed}
        room: dict[int, int] = {}
        promise: dict[int, int] = {}
        for signed in self.loan.signed:
            member = signed.guarantor_id
            if member in failed or signed.vouch_id not in self.world.room:
                continue
            pending = sum(
                call.open for call in self.calls if call.guarantor == member and call.is_pending
            )
            room[member] = min(
                self.world.room[signed.vouch_id], self._free(member), self.cap[member] - pending
            )
            promise[member] = signed.vouch_id
        shares = co_guarantor_shares(room, min(shortfall, max(self.debt - asked, 0)))
        other = None if lapsed.ground is CallGround.OWN else lapsed.guarantor
        for member, share in shares.items():
            line = _Line(self.world.next_line, member, member, None, promise[member], None, share)
            self.world.next_line += 1
            self.lines[line.line_id] = line
            self.world.reserved[member] += share
            self.world.room[promise[member]] -= share
            self._open(member, other, CallGround.CO_GUARANTOR, {line.line_id: share})

    def _open(
        self, guarantor: int, other: int | None, ground: CallGround, items: dict[int, int]
    ) -> None:
        call = _Call(
            self.loan.loan_id, guarantor, other, ground, sum(items.values()), items, self.step
        )
        self.calls.append(call)
        if ground is not CallGround.OWN and (self.loan.stake_first or self.is_pledge_only):
            self._set_off(call)

    def _set_off(self, call: _Call) -> None:
        """From the guarantor's own stake, as far as it backs the called lines."""
        backed, left = {}, self._stake_for(call.guarantor)
        for line_id, asked in sorted(call.items.items()):
            line = self.lines[line_id]
            if line.owner == call.guarantor:
                backed[line_id] = min(asked, line.held, left)
                left -= backed[line_id]
        self._pay(call, sum(backed.values()), from_stake=True, only=backed.keys())

    def pay_by_hand(self, call: _Call) -> None:
        """What the guarantor has beside the stake."""
        if self.is_pledge_only or not call.is_pending:
            return
        amount = min(self._payable(call), self.world.hand.get(call.guarantor, 0))
        self._pay(call, amount, from_stake=False)
        if amount:
            self.world.hand[call.guarantor] -= amount

    def _pay(
        self, call: _Call, amount: int, *, from_stake: bool, only: Collection[int] | None = None
    ) -> None:
        if not amount:
            return
        pool = [
            self.lines[line_id].as_held(min(asked, self.lines[line_id].held))
            for line_id, asked in sorted(call.items.items())
            if only is None or line_id in only
        ]
        if call.ground is CallGround.DIRECT:
            parts = near_first(pool, amount)
        else:
            split = allocate(amount, [line.held_minor for line in pool])
            parts = {line.line_id: part for line, part in zip(pool, split, strict=True) if part}
        for line_id, part in parts.items():
            call.items[line_id] -= part
            self._pay_line(self.lines[line_id], part, payer=call.guarantor, from_stake=from_stake)
        call.paid += amount
        call.is_pending = call.open > 0
        if call.guarantor in self.cap:
            self.cap[call.guarantor] -= amount
        self.world.paid[call.guarantor] = self.world.paid.get(call.guarantor, 0) + amount

    def _pay_line(self, line: _Line, amount: int, *, payer: int, from_stake: bool) -> None:
        world = self.world
        line.held -= amount
        world.reserved[line.owner] -= amount
        if self.loan.mode is LiabilityMode.PLEDGE_ONLY:
            world.pledged[line.owner] -= amount
        # Paid by the direct guarantor, the promise made to them has not been used.
        if line.outer_vouch in world.room and payer != line.owner and line.outer is not None:
            world.room[line.outer_vouch] += amount
        if from_stake:
            world.stake[line.owner] -= amount
        elif payer == line.owner:
            world.assessed[line.owner] -= min(amount, world.assessed[line.owner])
        self.debt -= amount

    def _settle(self) -> None:
        """Free cover that the debt does not need any more, the farthest paths first."""
        asked: dict[int, int] = {}
        for call in self.calls:
            if call.is_pending:
                for line_id, open_ in call.items.items():
                    asked[line_id] = asked.get(line_id, 0) + open_
        excess = sum(line.held for line in self.lines.values()) - self.debt - self.rest
        lines = [
            (line.line_id, line.hops, max(line.held - asked.get(line.line_id, 0), 0))
            for line in self.lines.values()
        ]
        world = self.world
        for line_id, part in released_parts(lines, max(excess, 0)).items():
            line = self.lines[line_id]
            line.held -= part
            world.reserved[line.owner] -= part
            if self.loan.mode is LiabilityMode.PLEDGE_ONLY:
                world.pledged[line.owner] -= part
            for vouch in (line.inner_vouch, line.outer_vouch):
                if vouch in world.room:
                    world.room[vouch] += part

    def _payable(self, call: _Call) -> int:
        held = sum(min(asked, self.lines[line_id].held) for line_id, asked in call.items.items())
        return min(call.open, held)

    def _stake_for(self, member: int) -> int:
        """The stake less what pledge-only loans of others hold of it."""
        pledged = self.world.pledged.get(member, 0)
        if self.loan.mode is LiabilityMode.PLEDGE_ONLY:
            pledged -= sum(line.held for line in self.lines.values() if line.owner == member)
        return max(self.world.stake.get(member, 0) - pledged, 0)

    def _free(self, member: int) -> int:
        """What new cover may still be reserved on: nothing of who is late."""
        world = self.world
        purse = world.book.purses.get(member)
        if purse is None or purse.is_overdue or member in world.failed:
            return 0
        return max(world.stake[member] + world.assessed[member] - world.reserved[member], 0)
