"""The chart of accounts is whole and agrees with what the database is built on."""

import re

from community.ledger.chart import CHART, LINES, AccountClass, Side
from community.ledger.models import DEBIT_KINDS, OWNED_KINDS, AccountKind

NATURAL = {
    AccountClass.ASSET: Side.DEBIT,
    AccountClass.LIABILITY: Side.CREDIT,
    AccountClass.EQUITY: Side.CREDIT,
    AccountClass.INCOME: Side.CREDIT,
    AccountClass.EXPENSE: Side.DEBIT,
}
DIGITS = {
    AccountClass.ASSET: "1",
    AccountClass.LIABILITY: "2",
    AccountClass.EQUITY: "3",
    AccountClass.INCOME: "4",
    AccountClass.EXPENSE: "5",
    AccountClass.MEMORANDUM: "9",
}


def test_every_kind_stands_in_the_chart_once() -> None:
    assert sorted(line.kind for line in CHART) == sorted(AccountKind)
    assert LINES.keys() == set(AccountKind)


def test_codes_are_unique_in_order_and_begin_with_their_class() -> None:
    codes = [line.code for line in CHART]
    assert codes == sorted(set(codes))
    for line in CHART:
        assert re.fullmatch("[0-9]{4}", line.code)
        assert line.code[0] == DIGITS[line.account_class]


def test_sides_and_owners_are_those_of_the_constraints() -> None:
    assert {line.kind for line in CHART if line.side is Side.DEBIT} == DEBIT_KINDS
    assert {line.kind for line in CHART if line.owned} == OWNED_KINDS


def test_only_the_allowance_stands_against_its_class() -> None:
    against = {
        line.kind
        for line in CHART
        if line.account_class in NATURAL and line.side is not NATURAL[line.account_class]
    }
    assert against == {AccountKind.LOAN_LOSS_ALLOWANCE}


def test_every_line_has_names_and_a_purpose() -> None:
    for line in CHART:
        assert re.search("[\u4e00-\u9fff]", line.name_zh)
        assert line.name_en.isascii()
        assert line.purpose.endswith(".")
    assert len({line.name_en for line in CHART}) == len({line.name_zh for line in CHART}) == 22
