"""Network files: written, attached, shared by workers, patched; the peer is a pickle of SciPy's CSR.

The peer holds one direction only, and every process that loads it has a copy of its own.
"""

import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from graph.arrays import from_rows
from graph.cuts import CutFinder
from graph.overlay import overlaid
from graph.snapshots import attach_network, write_network
from tests.bench.networks import village_network

DEGREE = 10
SIZES = [1_000, 10_000, 100_000, *([1_000_000] if os.environ.get("BENCH_MILLION") else [])]
WORKERS = 4
ROUNDS = 15

# A worker attaches, reads every array once, says what it holds alone, and stays until all have.
WORKER = """
import json, sys
from pathlib import Path
from graph.snapshots import attach_network
network = attach_network(Path(sys.argv[1]))
sums = sum(int(array.sum()) for array in network.arrays().values())
print("read", flush=True)
sys.stdin.readline()
held = 0
ours = False
for line in open("/proc/self/smaps"):
    name, _, rest = line.partition(":")
    if " " in name:
        ours = line.rstrip().endswith(sys.argv[1])
    elif ours and name == "Pss":
        held += int(rest.split()[0]) * 1024
print(json.dumps({"sums": sums, "held": held}), flush=True)
sys.stdin.readline()
"""


def run() -> None:
    """Print a row per size."""
    print(f"   {WORKERS} workers; times are medians of {ROUNDS} in ms")
    for members in SIZES:
        _measure(members)


def _measure(members: int) -> None:
    tails, heads, rooms, standings = village_network(members, DEGREE, 1)
    network = from_rows(tails, heads, rooms, ids=np.arange(members), standings=standings)
    with tempfile.TemporaryDirectory() as folder:
        ours, peers = Path(folder, "ours.network"), Path(folder, "peer.pickle")
        started = time.perf_counter()
        write_network(network, ours)
        written = time.perf_counter() - started
        peer = csr_array((rooms, (tails, heads)), shape=(members, members))
        peers.write_bytes(pickle.dumps(peer, protocol=5))
        attach = _median(lambda: attach_network(ours))
        load = _median(lambda: pickle.loads(peers.read_bytes()))
        held = _workers(ours)
        megabytes = network.nbytes / 1e6
        print(
            f"   {members:>9,} members, {network.m:>10,} promises: {megabytes:6.1f} MB, written in "
            f"{written:.2f} s; attach {attach:.3f} ms, peer loads {load:.3f} ms: "
            f"{load / attach:,.0f} × faster"
        )
        print(
            f"     {WORKERS} workers hold {held / 1e6:.1f} MB of it together, "
            f"{held / network.nbytes:.2f} × the file"
        )
        _changes(members, Path(folder, "ours.network"))


def _changes(members: int, file: Path) -> None:
    """What it costs to see a promise that has just been committed."""
    random = np.random.default_rng(2)
    finder = CutFinder(attach_network(file))
    borrowers = random.integers(0, members, 200).tolist()
    for borrower in borrowers[:5]:
        finder.value(borrower)
    plain, laid, both = [], [], []
    for borrower in borrowers:
        voucher = (borrower + 1) % members
        started = time.perf_counter()
        before = finder.value(borrower)
        plain.append(time.perf_counter() - started)
        started = time.perf_counter()
        changed = finder.overlaid({(voucher, borrower): 10_000}, {voucher: 10_000})
        laid.append(time.perf_counter() - started)
        assert changed.value(borrower) >= min(before, 1)
        both.append(time.perf_counter() - started)
    base = finder.network.base
    alone = _median(lambda: overlaid(base, {(1, 0): 10_000}))
    print(
        f"     a limit {1e3 * statistics.median(plain):.3f} ms; a change laid over the file "
        f"{1e3 * statistics.median(laid):.3f} ms (the network alone {alone:.3f} ms), with the next "
        f"limit {1e3 * statistics.median(both):.3f} ms: "
        f"{1e3 * (statistics.median(both) - statistics.median(plain)):.3f} ms more"
    )


def _workers(file: Path) -> int:
    """What several processes hold of the file together, each page counted once."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WORKERS)
    ]
    pipes = [(process.stdin, process.stdout) for process in processes]
    for _, out in pipes:
        assert out is not None
        assert out.readline() == "read\n"
    # Asked when all have read everything: a shared page counts for each by its share.
    answers = []
    for to, out in pipes:
        assert to is not None
        assert out is not None
        to.write("\n")
        to.flush()
        answers.append(json.loads(out.readline()))
    for process in processes:
        process.communicate("\n")
    assert len({answer["sums"] for answer in answers}) == 1
    return sum(int(answer["held"]) for answer in answers)


def _median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)
