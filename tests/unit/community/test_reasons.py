"""The platform's own reasons: rows keep a sentence, readers get a code and their language."""

import re
from datetime import date

import pytest

from app.reasons import because_view
from community.reasons import REASONS, because, read_because

FACTS: dict[str, dict[str, int | date]] = {
    "endorsed": {"given": 1, "needed": 2},
    "unpaid": {"overdue_minor": 1234, "since_on": date(2026, 5, 4)},
    "call_day": {"days": 31, "call_day": 30},
    "nobody_left": {"days": 180},
}


@pytest.mark.parametrize("code", list(REASONS))
def test_what_is_written_is_read_back(code: str) -> None:
    facts = FACTS.get(code, {})
    found = read_because(because(code, **facts))
    assert found is not None
    assert found.code == code
    assert {name: str(value) for name, value in found.facts.items()} == {
        name: str(value) for name, value in facts.items()
    }
    words = found.words("CNY")
    assert re.search("[\u3400-\u9fff]", words["zh-CN"])
    assert not re.search("[\u3400-\u9fff]", words["en"])
    for text in words.values():
        assert "{" not in text
        assert all(name == "overdue_minor" or str(v) in text for name, v in facts.items())


def test_rows_that_are_there_already_are_read() -> None:
    # As they stand in books of earlier days.
    old = {
        "2 of 2 endorsements": "需要 2 人联名，已有 2 人",
        "1234 minor units unpaid since 2026-05-04": "自 2026-05-04 起有 12.34 元 未还",
        "31 days overdue, the charter calls after 30": "逾期 31 天；章程规定满 30 天请担保人代偿",
        "nobody is left to ask after 180 days": "过了 180 天，已没有人可以代偿",
        "money of an earlier day was entered": "补记了早先收到的钱",
        "applied": "申请加入",
        "taken in": "获准加入",
    }
    said = {text: because_view(text, "CNY") for text in old}
    assert {text: view and view["text"]["zh-CN"] for text, view in said.items()} == old
    unpaid = said["1234 minor units unpaid since 2026-05-04"]
    assert unpaid is not None
    assert unpaid["facts"] == {
        "overdue": {"amount": "12.34", "currency": "CNY"},
        "since_on": "2026-05-04",
    }


@pytest.mark.parametrize("typed", ["", "too early", "2 of 2 endorsements, he says", "²of 2"])
def test_what_somebody_typed_stays_theirs(typed: str) -> None:
    assert because_view(typed) is None


def test_facts_are_told_whole() -> None:
    with pytest.raises(ValueError, match="endorsed is told by"):
        because("endorsed", given=1)
