"""Oracle methods ``guarantee_call.*``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Any

from graph.call_units import Mode
from graph.calls import check_web_calls, joint_and_several, several_pro_rata, web_calls
from tests.oracles.registry import (
    Case,
    Malformed,
    by_node,
    in_whole_units,
    method,
    node,
    number,
    rows,
)

Table = dict[Hashable, Fraction]
Pledges = list[tuple[Hashable, Hashable, Fraction]]


def _read(case: Case) -> tuple[Table, Table, Pledges]:
    pledges = [
        (node(g), node(i), number(q, f"pledge of {g!r} for {i!r}"))
        for g, i, q in rows(case.need("pledges_[guarantor,borrower,cap]"), 3, "pledges")
    ]
    named = [member for pledge in pledges for member in pledge[:2]]
    debts = by_node(case.need("own_debt_due"), named, "own_debt_due")
    means = by_node(case.need("resources"), named, "resources")
    return (
        {m: number(x, f"own debt of {m!r}") for m, x in debts.items()},
        {m: number(x, f"resources of {m!r}") for m, x in means.items()},
        pledges,
    )


def _per_member(case: Case, key: str, got: Mapping[Hashable, Any]) -> None:
    """A list in the order of the members, or an object by member."""
    if not case.wants(key):
        return
    want = case.expected[key]
    if isinstance(want, dict):
        case.compare(key, dict(got), "", by_node(want, got, key))
    else:
        case.compare(key, list(got.values()))


def _triples(case: Case, key: str, got: Mapping[tuple[Hashable, Hashable], Any]) -> None:
    """Rows [guarantor, borrower, amount]; a pair that is not listed counts as 0."""
    if not case.wants(key):
        return
    _compare_triples(case, key, key, case.expected[key], got)


def _compare_triples(
    case: Case, key: str, what: str, want: object, got: Mapping[tuple[Hashable, Hashable], Any]
) -> None:
    table: dict[tuple[Hashable, Hashable], Any] = {}
    for g, i, x in rows(want, 3, what):
        table[node(g), node(i)] = table.get((node(g), node(i)), 0) + x
    for g, i in sorted(table.keys() | got.keys(), key=str):
        case.compare(key, got.get((g, i), 0), f"{what}[{g},{i}]", table.get((g, i), 0))


def _in_units(case: Case, mode: Mode, shortfall: Mapping[Hashable, Any]) -> None:
    """The same web paid in whole units, as small as fit: it must come out almost the same."""
    debts, means, pledges = _read(case)
    amounts = [*debts.values(), *means.values(), *(q for _, _, q in pledges)]
    unit = in_whole_units(amounts)
    scale = 10**9 * unit
    while sum(amounts) * scale >= 2**50 and scale > 1000 * unit:
        scale //= 10
    if sum(amounts) * scale >= 2**50:
        return
    done = web_calls(
        {m: int(x * scale) for m, x in debts.items()},
        {m: int(x * scale) for m, x in means.items()},
        [(g, i, int(q * scale)) for g, i, q in pledges],
        mode,
    )
    check_web_calls(done)
    bound = 10 * (len(debts) + len(pledges))
    for member, units in done.shortfall.items():
        if abs(units - float(shortfall[member]) * scale) > bound + 1e-9 * scale:
            case.differences.append(
                f"in units of 1/{scale}: {member} is short of {units}, not {shortfall[member]}"
            )


@method("guarantee_call.several_pro_rata")
def several(case: Case) -> None:
    debts, means, pledges = _read(case)
    done = several_pro_rata(debts, means, pledges)
    _in_units(case, "several", done.shortfall)
    _per_member(case, "shortfall", done.shortfall)
    key = "shortfall_fractions"
    if case.wants(key):
        given = case.expected[key]
        if not isinstance(given, list):
            raise Malformed(f"{key} is not a list")
        case.compare(key, list(done.shortfall.values()), "", [Fraction(str(x)) for x in given])
    _triples(case, "called_[guarantor,borrower,amount]", done.called)
    _triples(case, "paid_[guarantor,borrower,amount]", done.paid)
    _per_member(case, "paid_total_by_guarantor", done.paid_total)
    _per_member(case, "lender_loss_by_borrower", done.loss)
    key = "rounds_of_shortfall"
    if case.wants(key):
        # Once at rest, every further round says the same; and a long list may be cut short.
        for i, want in enumerate(case.expected[key]):
            got = done.rounds[min(i, len(done.rounds) - 1)]
            case.compare(key, list(got), f"{key}[{i}]", want)
    if case.wants("defaulted"):
        want = {node(m) for m in case.expected["defaulted"]}
        if {str(m) for m in want} != {str(m) for m in done.defaulted}:
            case.differences.append(
                f"defaulted: expected {sorted(want, key=str)}, got {list(done.defaulted)}"
            )


@method("guarantee_call.joint_and_several")
def joint(case: Case) -> None:
    debts, means, pledges = _read(case)
    done = joint_and_several(debts, means, pledges)
    _in_units(case, "joint_and_several", done.own_shortfall)
    _per_member(case, "own_shortfall", done.own_shortfall)
    _per_member(case, "covered_by_guarantors", done.covered)
    _per_member(case, "lender_loss_by_borrower", done.loss)
    _per_member(case, "cash_left", done.cash_left)
    if case.wants("rounds"):
        for i, want in enumerate(case.expected["rounds"]):
            if not isinstance(want, dict) or "payments" not in want:
                raise Malformed(f"rounds[{i}] has no payments")
            at = want.get("round", i + 1)
            got = done.rounds[at - 1] if 1 <= at <= len(done.rounds) else {}
            _compare_triples(case, "rounds", f"round {at}", want["payments"], got)
    case.compare("n_rounds", len(done.rounds))
