"""Promises, loans, calls and recourse lived through with the pure functions alone, and plain books.

What decides is what the platform itself calls: `cover_limit` and `reserve_cover`, the plans of
`community.guarantees.plan`, the arithmetic of `community.guarantees.recourse`. What is kept here
are sums that a child could keep. The laws are asked after every step; `PURE` times as many lives if
the environment says so (`make properties` does).
"""

import os
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from community.guarantees import recourse
from community.guarantees.plan import (
    HeldLine,
    co_guarantor_shares,
    first_demands,
    near_first,
    outward_demands,
    released_parts,
)
from community.money import share_bps
from graph.errors import CoverShort
from graph.limits import Promise, check_certificate, cover_limit, reserve_cover

MEMBERS = tuple(range(1, 7))
MODES = ("several", "joint_and_several", "pledge_only")
WHO = st.sampled_from(MEMBERS)
AMOUNT = st.integers(1, 400)
PICK = st.integers(0, 10**6)


@dataclass
class Vouch:
    voucher: int
    borrower: int
    limit: int
    reserved: int = 0
    spent: int = 0

    @property
    def room(self) -> int:
        return self.limit - self.reserved - self.spent


@dataclass
class Line:
    owner: int
    promises: tuple[int, ...]
    held: int
    paid: int = 0


@dataclass
class Call:
    guarantor: int
    parts: dict[int, int]
    covered: int | None = None
    direct: bool = True
    state: str = "open"

    @property
    def open(self) -> int:
        return sum(self.parts.values())


@dataclass
class Payment:
    """What a guarantor paid, and what each in the row of debtors owes them for it."""

    payer: int
    amount: int
    row: list[int]
    owed: list[int]
    back: int = 0


@dataclass
class Loan:
    borrower: int
    mode: str
    ratio: int
    lent: int
    outstanding: int
    lines: dict[int, Line] = field(default_factory=dict)
    caps: dict[int, int] = field(default_factory=dict)
    paid: dict[int, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    state: str = "live"

    @property
    def held(self) -> int:
        return sum(line.held for line in self.lines.values())


class Circle(RuleBasedStateMachine):
    """Six people without a database."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = dict.fromkeys(MEMBERS, 0)
        self.reserved = dict.fromkeys(MEMBERS, 0)
        self.purse = dict.fromkeys(MEMBERS, 0)
        self.vouches: dict[int, Vouch] = {}
        self.loans: list[Loan] = []
        self.pool = 0
        self.lost = 0
        self.numbers = 0

    @initialize(
        standings=st.lists(st.integers(0, 300), min_size=len(MEMBERS), max_size=len(MEMBERS)),
        promised=st.lists(st.tuples(WHO, WHO, AMOUNT), min_size=8, max_size=16),
    )
    def know_each_other(self, standings: list[int], promised: list[tuple[int, int, int]]) -> None:
        self.standing = dict(zip(MEMBERS, standings, strict=True))
        for voucher, borrower, amount in promised:
            if voucher != borrower:
                self.vouches[self.number()] = Vouch(voucher, borrower, amount)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    # Promises and standings

    @rule(who=WHO, amount=AMOUNT)
    def stands_for(self, who: int, amount: int) -> None:
        self.standing[who] += amount

    @rule(voucher=WHO, borrower=WHO, amount=AMOUNT)
    def vouches_for(self, voucher: int, borrower: int, amount: int) -> None:
        if voucher == borrower:
            return
        before = {who: self.limit(who) for who in MEMBERS}
        self.vouches[self.number()] = Vouch(voucher, borrower, amount)
        # Another promise never lowers anybody's limit.
        assert all(self.limit(who) >= before[who] for who in MEMBERS)

    @precondition(lambda self: self.vouches)
    @rule(pick=PICK, amount=st.integers(0, 400))
    def changes_a_promise(self, pick: int, amount: int) -> None:
        vouch = list(self.vouches.values())[pick % len(self.vouches)]
        vouch.limit = max(amount, vouch.reserved + vouch.spent)

    # Loans

    @rule(
        who=WHO,
        share=st.integers(1, 120),
        ratio=st.sampled_from([5_000, 9_999, 10_000, 13_333]),
        mode=st.sampled_from(MODES),
    )
    def borrows(self, who: int, share: int, ratio: int, mode: str) -> None:
        limit = self.limit(who)
        amount = limit * share * 100 // ratio
        if self.is_late(who) or not amount:
            return
        needed = share_bps(amount, ratio, up=True)
        free, promises = self.network()
        if needed > limit:
            with pytest.raises(CoverShort) as short:
                reserve_cover(who, free, promises, needed)
            assert short.value.limit == limit
            return
        paths = reserve_cover(who, free, promises, needed)
        loan = Loan(who, mode, ratio, amount, amount)
        for path in paths:
            assert isinstance(path.amount, int)
            promised = tuple(int(str(promise)) for promise in path.promises)
            line = Line(int(str(path.standing_of)), promised, 0)
            loan.lines[self.number()] = line
            self.hold(line, path.amount)
        for line in loan.lines.values():
            if not line.promises:
                continue
            inner = self.vouches[line.promises[-1]]
            if mode != "joint_and_several":
                loan.caps[inner.voucher] = loan.caps.get(inner.voucher, 0) + line.held
            if len(line.promises) == 2:
                loan.caps[line.owner] = loan.caps.get(line.owner, 0) + line.held
        if mode == "joint_and_several":
            for promise in {line.promises[-1] for line in loan.lines.values() if line.promises}:
                vouch = self.vouches[promise]
                cap = loan.caps.get(vouch.voucher, 0) + vouch.limit - vouch.spent
                loan.caps[vouch.voucher] = cap
        self.pool -= amount
        self.purse[who] += amount
        self.loans.append(loan)

    @precondition(lambda self: self.live())
    @rule(pick=PICK, amount=AMOUNT)
    def repays(self, pick: int, amount: int) -> None:
        loan = self.one_of(self.live(), pick)
        self.lender_gets(loan, loan.borrower, min(amount, loan.outstanding))
        self.settle(loan)

    # Failure

    @precondition(lambda self: self.live())
    @rule(pick=PICK)
    def fails(self, pick: int) -> None:
        loan = self.one_of(self.live(), pick)
        loan.state = "called"
        own, demands = first_demands(self.held_lines(loan), loan.outstanding)
        for line_id, part in own.items():
            self.pay(loan, loan.borrower, {line_id: part})
        asked = 0
        for demand in demands:
            loan.calls.append(Call(demand.guarantor_id, dict(demand.lines)))
            asked += demand.amount_minor
        assert asked == min(loan.outstanding, loan.held)
        if loan.mode == "pledge_only":
            # Pledges answer at once, each line out of its owner's.
            for call in list(loan.calls):
                for line_id, part in call.parts.items():
                    self.pay(loan, loan.lines[line_id].owner, {line_id: part})
                call.parts, call.state = {}, "paid"
        self.settle(loan)

    @precondition(lambda self: self.open_calls())
    @rule(pick=PICK, amount=AMOUNT)
    def answers(self, pick: int, amount: int) -> None:
        loan, call = self.one_of(self.open_calls(), pick)
        held = [line for line in self.held_lines(loan) if call.parts.get(line.line_id)]
        most = [
            HeldLine(
                line.line_id,
                line.owner_id,
                line.direct_id,
                line.outer_id,
                min(line.held_minor, call.parts[line.line_id]),
            )
            for line in held
        ]
        parts = near_first(most, min(amount, call.open, loan.outstanding))
        assert sum(parts.values()) == min(amount, call.open, loan.outstanding)
        self.pay(loan, call.guarantor, parts, covered=call.covered)
        for line_id, part in parts.items():
            call.parts[line_id] -= part
        if not call.open:
            call.state = "paid"
        self.settle(loan)

    @precondition(lambda self: self.open_calls())
    @rule(pick=PICK)
    def lets_it_lapse(self, pick: int) -> None:
        loan, call = self.one_of(self.open_calls(), pick)
        call.state = "lapsed"
        unpaid = left = min(call.open, loan.outstanding)
        call.parts = {}
        if call.direct:
            for demand in outward_demands(self.held_lines(loan), call.guarantor, unpaid):
                assert demand.for_guarantor_id == call.guarantor
                left -= demand.amount_minor
                loan.calls.append(
                    Call(demand.guarantor_id, dict(demand.lines), call.guarantor, direct=False)
                )
        assert left >= 0
        if loan.mode == "joint_and_several" and left:
            self.asks_across(loan, call, left)

    def asks_across(self, loan: Loan, lapsed: Call, left: int) -> None:
        failed = {call.guarantor for call in loan.calls if call.state == "lapsed"}
        room: dict[int, int] = {}
        promise: dict[int, int] = {}
        for number, vouch in sorted(self.vouches.items()):
            member = vouch.voucher
            used = any(number == line.promises[-1] for line in loan.lines.values() if line.promises)
            if not used or member in failed or member in room or self.is_late(member):
                continue
            pending = sum(c.open for c in loan.calls if c.guarantor == member and c.state == "open")
            room[member] = min(
                vouch.room,
                self.standing[member] - self.reserved[member],
                loan.caps[member] - loan.paid.get(member, 0) - pending,
            )
            promise[member] = number
        asked = sum(c.open for c in loan.calls if c.state == "open")
        shortfall = min(left, max(loan.outstanding - asked, 0))
        shares = co_guarantor_shares(room, shortfall)
        assert sum(shares.values()) == min(shortfall, sum(max(r, 0) for r in room.values()))
        for member, share in shares.items():
            assert share <= room[member]
            number = self.number()
            loan.lines[number] = Line(member, (promise[member],), 0)
            self.hold(loan.lines[number], share)
            loan.calls.append(Call(member, {number: share}, lapsed.guarantor, direct=False))

    @precondition(lambda self: any(self.given_up()))
    @rule(pick=PICK)
    def is_written_off(self, pick: int) -> None:
        loan = self.one_of(self.given_up(), pick)
        loan.state = "written off"
        self.lost += loan.outstanding
        self.release(loan, loan.held)

    @precondition(lambda self: any(loan.payments for loan in self.loans))
    @rule(pick=PICK, amount=AMOUNT)
    def pays_back_later(self, pick: int, amount: int) -> None:
        loan = self.one_of([loan for loan in self.loans if loan.payments], pick)
        if loan.outstanding:
            return  # the lender comes first
        owed = [(0, payment.owed[0]) for payment in loan.payments]
        money = min(amount, sum(principal for _, principal in owed))
        parts = recourse.spread(money, owed, interest_first=True)
        assert sum(principal for _, principal in parts) == money
        for payment, (_, part) in zip(loan.payments, parts, strict=True):
            self.gets_back(payment, 0, part, loan.borrower)

    @precondition(lambda self: any(len(p.row) > 1 for loan in self.loans for p in loan.payments))
    @rule(pick=PICK, amount=AMOUNT)
    def the_covered_member_pays(self, pick: int, amount: int) -> None:
        rows = [p for loan in self.loans for p in loan.payments if len(p.row) > 1]
        payment = self.one_of(rows, pick)
        self.gets_back(payment, 1, min(amount, payment.owed[1]), payment.row[1])

    # The books

    def network(self) -> tuple[dict[int, int], list[Promise]]:
        free = {
            who: 0 if self.is_late(who) else self.standing[who] - self.reserved[who]
            for who in MEMBERS
        }
        promises = [
            Promise(number, vouch.voucher, vouch.borrower, vouch.room, number)
            for number, vouch in self.vouches.items()
        ]
        return free, promises

    def limit(self, who: int) -> int:
        free, promises = self.network()
        found = cover_limit(who, free, promises)
        check_certificate(found, free, promises)
        assert isinstance(found.value, int)
        return found.value

    def is_late(self, who: int) -> bool:
        return any(
            loan.borrower == who and loan.state in ("called", "written off") and loan.outstanding
            for loan in self.loans
        )

    def live(self) -> list[Loan]:
        return [loan for loan in self.loans if loan.state == "live"]

    def open_calls(self) -> list[tuple[Loan, Call]]:
        return [
            (loan, call)
            for loan in self.loans
            if loan.state == "called"
            for call in loan.calls
            if call.state == "open" and call.open
        ]

    def given_up(self) -> list[Loan]:
        asked = {id(loan) for loan, _ in self.open_calls()}
        return [x for x in self.loans if x.state == "called" and id(x) not in asked]

    def one_of(self, items: list, pick: int):  # type: ignore[no-untyped-def,type-arg]
        return items[pick % len(items)]

    def held_lines(self, loan: Loan) -> list[HeldLine]:
        found = []
        for number, line in loan.lines.items():
            inner = self.vouches[line.promises[-1]].voucher if line.promises else None
            outer = line.owner if len(line.promises) == 2 else None
            found.append(HeldLine(number, line.owner, inner, outer, line.held))
        return found

    def hold(self, line: Line, amount: int) -> None:
        line.held += amount
        self.reserved[line.owner] += amount
        for promise in line.promises:
            self.vouches[promise].reserved += amount

    def release(self, loan: Loan, amount: int) -> None:
        lines = [(n, len(line.promises), line.held) for n, line in loan.lines.items()]
        parts = released_parts(lines, amount)
        assert sum(parts.values()) == min(amount, loan.held)
        for number, part in parts.items():
            self.hold(loan.lines[number], -part)

    def pay(
        self, loan: Loan, payer: int, parts: dict[int, int], covered: int | None = None
    ) -> None:
        for number, part in parts.items():
            line = loan.lines[number]
            self.hold(line, -part)
            line.paid += part
            for promise in line.promises:
                if promise == line.promises[-1] or payer == line.owner:
                    self.vouches[promise].spent += part
            if payer == line.owner:
                self.standing[payer] -= part
        amount = sum(parts.values())
        self.lender_gets(loan, payer, amount)
        if payer == loan.borrower or not amount:
            return
        loan.paid[payer] = loan.paid.get(payer, 0) + amount
        row = [loan.borrower] + ([covered] if covered not in (None, payer) else [])
        loan.payments.append(Payment(payer, amount, row, [amount] * len(row)))

    def lender_gets(self, loan: Loan, payer: int, amount: int) -> None:
        assert 0 <= amount <= loan.outstanding
        loan.outstanding -= amount
        self.purse[payer] -= amount
        self.pool += amount

    def settle(self, loan: Loan) -> None:
        if not loan.outstanding:
            loan.state = "closed"
            self.release(loan, loan.held)
            for call in loan.calls:
                call.parts = {}
        elif loan.state == "live":
            needed = share_bps(loan.outstanding, loan.ratio, up=True)
            self.release(loan, loan.held - needed)
        else:
            # No more is asked than is owed.
            over = sum(c.open for c in loan.calls if c.state == "open") - loan.outstanding
            for call in loan.calls:
                for number, part in call.parts.items():
                    cut = min(part, max(over, 0))
                    call.parts[number] -= cut
                    over -= cut

    def gets_back(self, payment: Payment, rank: int, part: int, debtor: int) -> None:
        falls = recourse.paid(payment.owed, rank, part)
        payment.owed = [owed - fall for owed, fall in zip(payment.owed, falls, strict=True)]
        payment.back += part
        self.purse[debtor] -= part
        self.purse[payment.payer] += part

    # The laws

    @invariant()
    def no_promise_is_spent_twice(self) -> None:
        lines = [line for loan in self.loans for line in loan.lines.values()]
        for number, vouch in self.vouches.items():
            assert vouch.reserved >= 0
            assert vouch.reserved + vouch.spent <= vouch.limit
            assert vouch.reserved == sum(x.held for x in lines if number in x.promises)
        for who in MEMBERS:
            assert 0 <= self.reserved[who] <= self.standing[who]
            assert self.reserved[who] == sum(x.held for x in lines if x.owner == who)

    @invariant()
    def cover_matches_debt(self) -> None:
        for loan in self.loans:
            if loan.state == "live":
                assert loan.held >= share_bps(loan.outstanding, loan.ratio, up=True)
            elif loan.state != "called":
                assert loan.held == 0

    @invariant()
    def nobody_pays_more_than_they_signed(self) -> None:
        for loan in self.loans:
            assert all(paid <= loan.caps[who] for who, paid in loan.paid.items())
            assert 0 <= loan.outstanding <= loan.lent

    @invariant()
    def money_is_where_it_should_be(self) -> None:
        assert self.pool + sum(self.purse.values()) == 0
        assert self.pool + sum(loan.outstanding for loan in self.loans) == 0

    @invariant()
    def nobody_gains_by_recourse(self) -> None:
        for loan in self.loans:
            for payment in loan.payments:
                assert 0 <= payment.back <= payment.amount
                assert payment.owed[0] == payment.amount - payment.back
                assert sorted(payment.owed, reverse=True) == payment.owed
                assert payment.owed[-1] >= 0


TestCircle = Circle.TestCase
TestCircle.settings = settings(
    max_examples=15 * int(os.environ.get("PURE", "1")),
    stateful_step_count=40,
    deadline=None,
    derandomize="PURE" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
