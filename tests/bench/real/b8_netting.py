"""How much of a community's debts goes round in circles and can be struck out.

Protocol B8: net balances of a community currency, read as debts. What is found is checked by its
prices, and the list of rings against the debts.
"""

import time
from decimal import Decimal
from pathlib import Path

from graph.arrays import from_edges
from graph.netting import check_netting, net_debts, rings_of, rings_up_to
from tests.bench.real.result import Result
from tests.bench.real.tables import read_table

GOAL, RINGS_GOAL, SECONDS_GOAL = 0.67, 0.64, 15.0
# Published: cheapest flow with depth-first search, and depth-first search alone.
PUBLISHED, SEARCH_ALONE = 0.67, 0.60
SCALE = 1000


def run(data: Path) -> list[Result]:
    """Share of all debts settled, by the largest netting and by lists of rings; seconds."""
    table = read_table(data, "sarafu_net_balances", ("debtor", "creditor", "amount"))
    rows = zip(table["debtor"], table["creditor"], table["amount"], strict=True)
    debts = [(int(a), int(b), int(Decimal(x) * SCALE)) for a, b, x in rows if a != b]
    network = from_edges(debts)
    # Once on three debts, so that compiling is not measured.
    rings_of(net_debts(from_edges([(1, 2, 1), (2, 3, 1), (3, 1, 1)])))
    started = time.perf_counter()
    netting = net_debts(network)
    found_in = time.perf_counter() - started
    check_netting(netting, network)
    started = time.perf_counter()
    rings = rings_of(netting)
    listed_in = time.perf_counter() - started
    short = rings_of(netting, longest=30)
    plain = rings_up_to(network, 6)

    def seconds(figure: str, value: float, goal: float | None) -> Result:
        return Result("B8", figure, value, None, goal, smaller_is_better=True)

    return [
        Result("B8", "share settled, proved largest", netting.share, PUBLISHED, GOAL),
        seconds("seconds for it", found_in, SECONDS_GOAL),
        Result("B8", "share settled as a list of rings", rings.share, SEARCH_ALONE, RINGS_GOAL),
        seconds("seconds for the list", listed_in, None),
        seconds("rings in it", float(len(rings.rings)), None),
        Result(
            "B8", "the same, rings of 30 members at most", short.share, SEARCH_ALONE, RINGS_GOAL
        ),
        Result("B8", "short rings alone, 6 members at most", plain.share, None, None),
    ]
