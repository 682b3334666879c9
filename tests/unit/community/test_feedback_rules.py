"""Feedback's pure rules: likeness of texts, weights of voices, and when a mean tells nobody's."""

from collections import Counter
from datetime import date, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from community.communities.charter import CharterRules, read_rules
from community.communities.templates import load
from community.feedback.models import MessageKind
from community.feedback.similarity import alike_bps, fingerprint, grams, most_alike
from community.feedback.weighing import (
    Voice,
    half_stars,
    may_be_shown,
    voice_bps,
    weigh,
)
from community.feedback.words import message_words

DAY = date(2026, 3, 2)


def rules(**changes: int) -> CharterRules:
    document = load("village-cooperative")["rules"]
    values = {
        "feedback_weight_days": 100,
        "feedback_tied_bps": 5_000,
        "feedback_burst_days": 7,
        "feedback_burst_min": 3,
    }
    for name, value in (values | changes).items():
        document[name] = {"value": value, "source": "test"}
    return read_rules(document)


def test_a_text_is_wholly_alike_itself_and_not_at_all_another() -> None:
    assert alike_bps(grams("利率太高了"), grams("利率太高了")) == 10_000
    assert alike_bps(grams("利率太高了"), grams("开会时间")) == 0
    assert alike_bps(grams("!!!"), grams("利率")) == 0
    # 利 率 利率 and 利 率 高 利率 率高: three shared of three and of five.
    assert alike_bps(grams("利率"), grams("利率高")) == int(10_000 * 3 / 15**0.5)


@pytest.mark.parametrize(
    ("asked", "same", "other"),
    [
        ("利率太高，希望降低", "希望把贷款利率降低一点", "开会的地方太远了"),
        ("Please lower the interest rate", "the interest rate is too high", "meet at the mill"),
        ("Repay after harvest, 收割后还款", "收割以后再还款", "leader never answers"),
    ],
)
def test_what_belongs_together_is_found_in_both_languages(
    asked: str, same: str, other: str
) -> None:
    least = read_rules(load("village-cooperative")["rules"]).theme_alike_bps
    found = most_alike(asked, [(1, other), (2, same)], least_bps=least, most=5)
    assert [key for key, _ in found] == [2]


def test_likeness_is_bounded_ordered_and_ties_go_by_key() -> None:
    texts = [(3, "a loan"), (1, "a loan"), (2, "loans")]
    assert [key for key, _ in most_alike("a loan", texts, least_bps=1, most=2)] == [1, 3]


def test_the_same_words_in_another_dress_are_the_same() -> None:
    assert fingerprint("Too  LATE!") == fingerprint("too late")
    assert fingerprint("利率，太高") != fingerprint("利率太低")
    assert fingerprint("！？") != fingerprint("。")


def test_a_voice_grows_with_days_of_membership() -> None:
    known = rules()
    assert [voice_bps(days, known) for days in (-1, 0, 25, 100, 900)] == [0, 0, 2500, 10000, 10000]
    assert voice_bps(0, rules(feedback_weight_days=0)) == 10_000


def test_everybody_counts_once_and_ties_weigh_less() -> None:
    voices = [Voice(1, DAY, 200), Voice(2, DAY, 50), Voice(3, DAY, 100)]
    # 1 and 2 of one house: 1 + half of a half; 3 alone: 1.
    told = weigh(voices, [(1, 2), (9, 1)], rules())
    assert (told.raw, told.hundredths) == (3, 225)
    assert weigh(voices, [], rules()).hundredths == 250


def test_a_burst_is_many_new_or_tied_ones_within_the_days() -> None:
    def new(*days: int) -> list[Voice]:
        return [Voice(n, DAY + timedelta(days=day), 1) for n, day in enumerate(days)]

    assert weigh(new(0, 3, 6), [], rules()).is_burst
    assert not weigh(new(0, 3, 7), [], rules()).is_burst
    known = [Voice(n, DAY, 500) for n in range(3)]
    assert not weigh(known, [], rules()).is_burst
    assert weigh(known, [(0, 1), (1, 2)], rules()).is_burst


def test_a_mean_is_shown_of_enough_who_do_not_all_agree() -> None:
    assert not may_be_shown({}, {1: 5, 2: 4, 3: 3, 4: 2}, 5)
    assert may_be_shown({}, {1: 5, 2: 4, 3: 3, 4: 2, 5: 1}, 5)
    # One who gave the 4 would know that all the others gave 5.
    assert not may_be_shown({}, {1: 5, 2: 5, 3: 5, 4: 5, 5: 4}, 5)
    shown = {1: 5, 2: 4, 3: 3, 4: 2, 5: 1}
    # Whoever comes alone waits for others, and so does whoever changes their mind alone.
    assert not may_be_shown(shown, shown | {6: 1}, 5)
    assert not may_be_shown(shown, shown | {1: 1}, 5)
    assert may_be_shown(shown, shown | {1: 4, 6: 1, 7: 2, 8: 3, 9: 5}, 5)
    assert [half_stars(stars) for stars in ([5] * 9, [1] * 9, [3, 4], [4, 4, 5])] == [9, 3, 7, 9]


@pytest.mark.parametrize("kind", MessageKind)
def test_every_message_has_words_in_both_languages(kind: MessageKind) -> None:
    facts = {
        "title": "收割后还款",
        "reason": "voted",
        "yes": 3,
        "no": 1,
        "abstain": 0,
        "product": "plain",
        "version": 2,
        "valid_from": "2026-06-01",
        "number": 7,
        "due_on": "2026-06-02",
        "outcome": "partly",
        "reopen_until": "2026-07-01",
    }
    words = message_words(kind, facts)
    assert set(words) == {"zh-CN", "en"}
    assert ("收割后还款" if kind.value.startswith("theme") else "7") in words["zh-CN"]
    assert "{" not in words["zh-CN"] + words["en"]


STARS = st.integers(1, 5)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.integers(1, 12), STARS, max_size=12), max_size=5))
def test_what_is_published_never_differs_by_fewer_than_the_least(
    changes: list[dict[int, int]],
) -> None:
    """Whatever two means that follow each other somebody compares, and knowing their own rating."""
    least, shown, now = 4, {}, {}
    for change in changes:
        now = now | change
        if not may_be_shown(shown, now, least):
            continue
        moved = [member for member in now if shown.get(member) != now[member]]
        assert len(moved) >= least
        # Leave out anybody: the others still did not all say the same.
        for stars in ({m: now[m] for m in moved}, now):
            for others in combinations(stars, len(stars) - 1):
                assert len(Counter(stars[member] for member in others)) > 1
        shown = now
