"""Clearing after one loss and after a thousand, DebtRank, and calls over a web of pledges.

Times are of the processor: everything here runs on one core. The peer is the same iteration as a
sparse product in SciPy, stopped at the same nearness. In calm times members have 0.9 to 2.5 times
the outside assets that they need, and a shock moves a payment or two; in strained times 0.5 to 1.5
times, a third of all default before any shock, and one loss runs down chains of them.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from graph.arrays import from_rows
from graph.calls import check_web_calls, web_calls
from graph.clearing import clearing_vector
from graph.contagion import debt_rank, debt_rank_of_each, leverage_radius
from graph.debts import Debts, debts_of
from graph.shocks import clear_shocks
from tests.bench.networks import village_network

Floats = NDArray[np.float64]
SIZES = [1_000, 10_000, 100_000]
TIMES = {"calm": (0.9, 2.5), "strained": (0.5, 1.5)}
SHOCKS = 1_000
SINGLES = 5


def run() -> None:
    """Print medians, ratios and the growth with size."""
    sizes = [*SIZES, 1_000_000] if os.environ.get("BENCH_MILLION") == "1" else SIZES
    grown: dict[str, list[float]] = {}
    for members in sizes:
        print(f"   {members:,} members, degree 10")
        for name, took in one_size(members).items():
            grown.setdefault(name, []).append(took)
    for name, times in grown.items():
        power = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        print(f"   {name}: time grows with members to the power of {power:.2f}")


def one_size(members: int) -> dict[str, float]:
    tails, heads, rooms, standings = village_network(members, 10, seed=7)
    network = from_rows(tails, heads, rooms, ids=np.arange(members), standings=standings)
    debts, reading = timed(lambda: debts_of(network), 1)
    random = np.random.default_rng(11)
    random = np.random.default_rng(11)
    hit = random.choice(members, SHOCKS, replace=members < SHOCKS)
    print(f"      read in {reading * 1e3:.1f} ms")
    found = {}
    for name, (low, high) in TIMES.items():
        net = debts.obligation - np.bincount(debts.creditor, debts.owed, members)
        needed = np.maximum(net, 0.05 * debts.obligation)
        found |= shocked(name, debts, needed * random.uniform(low, high, members), hit)
    equity = 1.0 + np.bincount(debts.creditor, debts.owed, members) * random.uniform(
        1.0, 4.0, members
    )
    return found | ranked(debts, equity, hit) | called(members)


def shocked(name: str, debts: Debts, assets: Floats, hit: NDArray[np.int64]) -> dict[str, float]:
    clearing_vector(debts, assets)
    clear_shocks(debts, assets, hit[:20].tolist())
    baseline, single = timed(lambda: clearing_vector(debts, assets), SINGLES)
    batch, many = timed(lambda: clear_shocks(debts, assets, hit.tolist()), 1)
    received = csr_array(
        (debts.share, debts.creditor, debts.start), shape=(debts.n, debts.n)
    ).T.tocsr()
    ours, theirs = [], []
    for k in range(SINGLES):
        left = assets.copy()
        left[hit[k]] = 0.0
        alone, took = timed(lambda e=left: clearing_vector(debts, e), 1)  # type: ignore[misc]
        ours.append(took)
        peer, took = timed(lambda e=left: iterated(debts, received, e), 1)  # type: ignore[misc]
        theirs.append(took)
        assert near(alone.pay, batch.pay(k), debts)
        assert near(peer, batch.pay(k), debts)
    one, scipy_one = statistics.median(ours), statistics.median(theirs)
    each = many / SHOCKS
    failed = (baseline.round_of > 0).mean()
    print(
        f"      {name}: {failed:.0%} default in {len(baseline.rounds)} rounds; a shock brings down "
        f"{batch.new_defaults.mean():.1f} more (at most {batch.new_defaults.max()}) and lowers "
        f"{batch.changed.size / SHOCKS:.0f} payments"
    )
    print(
        f"         one shock from scratch {one * 1e3:.2f} ms, SciPy {scipy_one * 1e3:.2f} ms: "
        f"{scipy_one / one:.1f} times as fast"
    )
    print(
        f"         {SHOCKS:,} shocks at once {many * 1e3:.1f} ms: {one / each:,.0f} times as fast "
        f"as ours one by one, {scipy_one / each:,.0f} times SciPy"
    )
    return {f"clearing, {name}": single, f"{SHOCKS:,} shocks, {name}": many}


def ranked(debts: Debts, equity: Floats, hit: NDArray[np.int64]) -> dict[str, float]:
    shock = np.zeros(debts.n)
    shock[hit[0]] = 1.0
    lambda_ = csr_array((debts.owed / equity[debts.creditor], (debts.creditor, debts.debtor)))
    lambda_.resize(debts.n, debts.n)
    debt_rank(debts, equity, shock)
    done, took = timed(lambda: debt_rank(debts, equity, shock), SINGLES)
    peer, theirs = timed(lambda: products(lambda_, shock), 1)
    assert np.allclose(done.loss, peer, atol=1e-12)
    debt_rank_of_each(debts, equity, [0])
    some = hit[:20].tolist()
    _, each = timed(lambda: debt_rank_of_each(debts, equity, some), 1)
    radius, search = timed(lambda: leverage_radius(debts, equity), 1)
    print(
        f"      DebtRank of one {took * 1e3:.1f} ms, SciPy {theirs * 1e3:.1f} ms: "
        f"{theirs / took:.1f} times as fast; of 20 members {each * 50:.2f} ms each; radius "
        f"{radius.value:.6f} ± {(radius.upper - radius.lower) / 2:.0e} in {search * 1e3:.0f} ms"
    )
    return {"DebtRank": took}


def called(members: int) -> dict[str, float]:
    """As many pledges as members."""
    tails, heads, rooms, standings = village_network(members // 10, 10, seed=5)
    web = from_rows(tails, heads, rooms, ids=np.arange(members // 10))
    random = np.random.default_rng(3)
    due = random.integers(0, 60_000, web.n)
    means = standings + random.integers(0, 40_000, web.n)
    took = {}
    for mode in ("several", "joint_and_several", "pledge_only"):
        web_calls(due, means, web, mode)
        done, took[f"calls {mode}"] = timed(lambda m=mode: web_calls(due, means, web, m), 3)  # type: ignore[misc]
        check_web_calls(done)
        print(
            f"      calls over {web.m:,} pledges, {mode}: {took[f'calls {mode}'] * 1e3:.1f} ms, "
            f"{done.rounds} rounds, {done.loss_at.sum() / due.sum():.2%} of what is due lost"
        )
    return took


def iterated(debts: Debts, received: csr_array, assets: Floats) -> Floats:
    """The plain iteration from above."""
    pay = debts.obligation.copy()
    while True:
        after = np.minimum(debts.obligation, assets + received @ pay)
        if np.abs(after - pay).max() <= 1e-9:
            return after
        pay = after


def products(lambda_: csr_array, shock: Floats) -> Floats:
    """Differential DebtRank as a product a round."""
    loss, step = shock.copy(), shock
    while step.max() > 1e-15:
        after = np.minimum(1.0, loss + lambda_ @ step)
        loss, step = after, after - loss
    return loss


def near(one: Floats, other: Floats, debts: Debts) -> bool:
    return bool(np.all(np.abs(one - other) <= 1e-9 + 1e-9 * debts.obligation))


def timed(work: Callable[[], Any], times: int) -> tuple[Any, float]:
    took = []
    for _ in range(times):
        started = time.process_time()
        made = work()
        took.append(time.process_time() - started)
    return made, statistics.median(took)
