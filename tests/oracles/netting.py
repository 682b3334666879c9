"""Oracle methods ``multilateral_netting`` and its real file."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from graph.arrays import from_edges
from graph.netting import check_netting, net_debts, net_positions, rings_of
from tests.oracles.registry import Case, Malformed, in_whole_units, method, node, number, rows
from tests.oracles.tables import id_of, table

Debt = tuple[Hashable, Hashable, Fraction]


@method("multilateral_netting")
def netting(case: Case) -> None:
    given = next((v for k, v in case.input.items() if k.startswith("debts")), None)
    _compare(
        case,
        [
            (node(a), node(b), number(x, f"debt of {a!r} to {b!r}"))
            for a, b, x in rows(given, 3, "debts")
        ],
    )


@method("multilateral_netting.real")
def netting_real(case: Case) -> None:
    read = table(case.path(case.need("file")), "debtor", "creditor", "amount")
    try:
        debts = [(id_of(a), id_of(b), Fraction(Decimal(x))) for a, b, x in read]
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise Malformed(f"an amount is not a number: {error}") from None
    case.compare("balances", len(debts))
    _compare(case, debts)


def _compare(case: Case, debts: Iterable[Debt]) -> None:
    listed = list(debts)
    scale = in_whole_units(x for *_, x in listed)
    unit = Fraction(1, scale)
    # What somebody owes themself is no ring of others; it is owed all the same.
    own = sum((x for a, b, x in listed if a == b), Fraction(0))
    network = from_edges(
        ((a, b, int(x * scale)) for a, b, x in listed if a != b),
        nodes={m for a, b, _ in listed for m in (a, b)},
    )
    found = net_debts(network)
    check_netting(found, network)
    rings = rings_of(found)
    if rings.settled != found.settled:
        case.differences.append("the rings do not settle what the netting does")
    total, settled = found.total * unit + own, found.settled * unit + own
    positions = net_positions(network)
    case.compare("accounts", network.n)
    case.compare("total", total)
    case.compare("max_total_set_off", settled)
    case.compare("net_internal_debt", sum(max(p, 0) for p in positions.values()) * unit)
    case.compare("share", settled / total if total else Fraction(0))
