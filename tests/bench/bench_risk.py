"""The risk desk on 100,000 members and a million vouches: a search for circles, a thousand draws.

The book is made, not read: loans for half of the members, covered by their own stake and by those
who vouch for them, as approval would. Wall and processor time, on two threads; memory is the
process's peak. The shock is the common factor by the template's failure rates.
BENCH_RISK_MEMBERS sets another size.
"""

from __future__ import annotations

import os
import resource
import time
from datetime import date

import numpy as np

from community.communities.charter import LiabilityMode, RiskClass, read_rules
from community.communities.templates import load
from community.guarantees.plan import HeldLine
from community.risk.ahead import Book, CoveredLine, LoanOut, Purse, Signed, fail
from community.risk.book import Desk, LoanTraits
from community.risk.closed import Limits, closed_pools
from community.risk.scan import scan
from community.risk.stress import Shock, Stress, Tally, summed_up
from tests.bench.networks import village_network

MEMBERS = int(os.environ.get("BENCH_RISK_MEMBERS", "100000"))
DEGREE, SEED, DRAWS, THREADS = 10, 4, 1_000, 2
CLASSES = [RiskClass.NORMAL] * 90 + [RiskClass.SPECIAL_MENTION] * 6 + [RiskClass.SUBSTANDARD] * 4


def run() -> None:
    """Make the book, search it, stress it."""
    desk = make_desk(MEMBERS)
    rules = read_rules(load("village-cooperative")["rules"])
    print(
        f"   {desk.network.n:,} members, {desk.vouch_ids.size:,} vouches, {len(desk.book.loans):,}"
        f" loans, {sum(len(loan.lines) for loan in desk.book.loans):,} cover lines"
    )
    # Compiled loops are kept; a first small run loads them and is not counted.
    small = make_desk(6_000)
    Stress(small, rules, Shock(frozenset(), background=True), 1).work(range(200), Tally())
    scan(small, rules)
    started, used = time.perf_counter(), time.process_time()
    found = scan(desk, rules, threads=THREADS)
    taken, used = time.perf_counter() - started, time.process_time() - used
    print(
        f"   search: {taken:.1f} s ({used:.1f} s of processor time) for"
        f" {len(found.found):,} circles; {_memory()} (aim: 10 s)"
    )
    limits = Limits(
        rules.circle_members_max,
        rules.self_dealing_bps,
        rules.self_dealing_promised_bps,
        rules.self_dealing_owed_bps,
    )
    network = desk.network
    heads = network.out_head.astype(np.int64)
    promises = (network.tails.astype(np.int64), heads, network.out_room)
    started, used = time.perf_counter(), time.process_time()
    closed = closed_pools(desk.book.loans, desk.book.purses, *promises, limits=limits)
    taken, used = time.perf_counter() - started, time.process_time() - used
    print(
        f"   circles that cover their own loans: {taken:.1f} s ({used:.1f} s of processor time),"
        f" {len(closed):,} told; {_memory()}"
    )
    stress = Stress(desk, rules, Shock(frozenset(), background=True), SEED)
    started, used = time.perf_counter(), time.process_time()
    tally = Tally()
    rows = stress.work(range(1, DRAWS + 1), tally, threads=THREADS)
    taken, used = time.perf_counter() - started, time.process_time() - used
    told = summed_up(rows, tail_bps=rules.shortfall_tail_bps)
    failed = sum(row.failed for row in rows) // len(rows)
    print(
        f"   {DRAWS:,} draws: {taken:.1f} s ({used:.1f} s of processor time), {failed:,} borrowers"
        f" fail in each, lost on average {told['lost']['mean_minor']:,},"
        f" shortfall {told['lost']['shortfall_minor']:,};"
        f" {_memory()} (aim: 60 s)"
    )
    started = time.perf_counter()
    one = stress.calls(told["worst_draw"])
    taken = time.perf_counter() - started
    same = one.lost_minor == told["lost"]["worst_minor"]
    print(
        f"   the worst draw by the plain rules: {len(one.calls):,} calls in {taken:.1f} s, the same"
        f" loss: {same}"
    )
    assert same
    assert fail(desk.book, ()).lost_minor == 0


def make_desk(members: int) -> Desk:
    """A book on the network of the other benches."""
    rng = np.random.default_rng(SEED)
    tails, heads, rooms, standings = village_network(members, DEGREE, SEED)
    given: dict[int, list[int]] = {}
    for number, head in enumerate(heads.tolist()):
        given.setdefault(head, []).append(number)
    free = standings.tolist()
    left = rooms.tolist()
    used = np.zeros(members, np.int64)
    reserved = np.zeros(rooms.size, np.int64)
    voucher = tails.tolist()
    loans = []
    traits = {}
    line_id = 1
    modes = [LiabilityMode.SEVERAL, LiabilityMode.JOINT_AND_SEVERAL]
    for loan_id, borrower in enumerate(rng.permutation(members)[: members // 2].tolist(), 1):
        lines = []
        signed = []
        for number in given.get(borrower, ())[:5]:
            who = voucher[number]
            amount = min(free[who], left[number], 2_000)
            if amount > 0:
                held = HeldLine(line_id, who, who, None, amount)
                lines.append(CoveredLine(held, number, None))
                signed.append(Signed(number, who, int(rooms[number])))
                free[who] -= amount
                left[number] -= amount
                used[who] += amount
                reserved[number] += amount
                line_id += 1
            for other in given.get(who, ())[:1]:
                outer = voucher[other]
                more = min(free[outer], left[other], left[number], 500)
                if more > 0 and outer != borrower:
                    held = HeldLine(line_id, outer, who, outer, more)
                    lines.append(CoveredLine(held, number, other))
                    free[outer] -= more
                    used[outer] += more
                    line_id += 1
                    for vouch in (number, other):
                        left[vouch] -= more
                        reserved[vouch] += more
        owed = sum(line.held.held_minor for line in lines)
        if owed:
            loans.append(
                LoanOut(
                    loan_id, borrower, owed, modes[loan_id % 2], tuple(lines),
                    tuple({s.guarantor_id: s for s in signed}.values()),
                )
            )  # fmt: skip
            traits[loan_id] = LoanTraits(str(loan_id), CLASSES[loan_id % 100], None)
    share = rng.random(members)
    purses = {
        member: Purse(stake := int(held * share[member]), held - stake, int(used[member]))
        for member, held in enumerate(standings.tolist())
    }
    numbers = np.arange(rooms.size)
    return Desk(
        community_id=1,
        currency="CNY",
        on=date(2026, 3, 2),
        book=Book(purses, tuple(loans), dict(enumerate(left))),
        traits=traits,
        vouch_ids=numbers,
        vouchers=tails,
        borrowers=heads,
        amounts=rooms,
        reserved=reserved,
        reserve_fund_minor=0,
    )


def _memory() -> str:
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
