"""The agreement, the election, and the questions that prove understanding."""

import copy
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community.communities import templates
from community.communities.charter import read_rules
from community.groups.agreement import (
    Signatory,
    agreement_document,
    agreement_hash,
    exposure_minor,
)
from community.groups.elections import elected
from community.groups.understanding import QuestionKind, judge, passed, questions_for
from community.money import Money, say_amount

PEOPLE = ["An", "Bo", "Chen", "Ding", "E", "Fang", "Gao", "He", "Jin", "Kang"]


def agreement(size: int = 5, cap_minor: int = 200_000, currency: str = "CNY") -> dict[str, Any]:
    return agreement_document(
        group_id="grp_1",
        group_name="Third brigade",
        community_id="com_1",
        community_name="Nanhu",
        currency=currency,
        charter_version=3,
        rules=read_rules(templates.load("village-cooperative")["rules"]),
        pair_cap_minor=cap_minor,
        vouch_expires_on=date(2027, 11, 23),
        leader_id="mem_0",
        leader_until_on=date(2027, 11, 22),
        fixed_on=date(2026, 11, 23),
        members=[Signatory(f"mem_{n}", PEOPLE[n]) for n in range(size)],
    )


def ask(document: dict[str, Any], member_id: str = "mem_1", attempt: int = 0) -> Any:
    digest = agreement_hash(document)
    return questions_for(document, agreement_hash=digest, member_id=member_id, attempt=attempt)


def test_exposure_is_the_cap_once_for_every_other_member() -> None:
    assert exposure_minor(200_000, 5) == 800_000


def test_the_agreement_names_everybody_with_their_exposure_in_both_languages() -> None:
    document = agreement()
    assert [m["exposure_minor"] for m in document["members"]] == [800_000] * 5
    for language, most in (("en", "CNY 8,000.00"), ("zh-CN", "8,000.00 元")):
        text = document["text"][language]
        assert most in text
        for number in range(5):
            assert f"{PEOPLE[number]}" in text
            assert f"mem_{number}" in text
        assert "2027-11-23" in text


def test_the_hash_is_that_of_the_content_and_not_of_the_order_it_is_written_in() -> None:
    document = agreement()
    turned = dict(reversed(document.items()))
    assert agreement_hash(document) == agreement_hash(turned)
    assert len(agreement_hash(document)) == 64


@pytest.mark.parametrize("field", ["pair_cap_minor", "vouch_expires_on", "leader", "members"])
def test_whatever_the_exposure_depends_on_changes_the_hash(field: str) -> None:
    document = agreement()
    other = copy.deepcopy(document)
    other[field] = None
    assert agreement_hash(other) != agreement_hash(document)


def test_the_questions_are_about_ones_own_figures() -> None:
    expected = {question.id: question.expected for question in ask(agreement())}
    assert expected["exposure_all"] == Money(800_000, "CNY")
    assert expected["exposure_one"] == Money(200_000, "CNY")
    assert expected["promise_ends"] == "no"
    assert expected["own_loan_on_top"] == "yes"


def test_nobody_is_asked_about_themselves() -> None:
    for attempt in range(50):
        for question in ask(agreement(), "mem_1", attempt):
            assert PEOPLE[1] not in question.text["en"]


def test_the_same_try_asks_the_same_and_later_tries_ask_about_others() -> None:
    document = agreement()
    texts = {question.text["en"] for n in range(20) for question in ask(document, attempt=n)}
    assert ask(document, attempt=3) == ask(document, attempt=3)
    assert len(texts) > 8


def test_some_means_more_than_one_and_less_than_all() -> None:
    for attempt in range(50):
        some = next(q for q in ask(agreement(), attempt=attempt) if q.id == "exposure_some")
        assert 400_000 <= some.expected.amount_minor <= 600_000
        names = [name for name in PEOPLE if name in some.text["en"].split(" all fail")[0]]
        assert some.expected == Money(200_000 * len(names), "CNY")


def test_a_pair_is_not_asked_about_some() -> None:
    assert "exposure_some" not in {question.id for question in ask(agreement(2), "mem_1")}


def test_all_right_answers_pass() -> None:
    questions = ask(agreement())
    verdicts = judge(questions, {q.id: q.expected for q in questions})
    assert passed(verdicts)


@pytest.mark.parametrize("wrong", ["exposure_all", "exposure_one", "exposure_some"])
@pytest.mark.parametrize("off_by", [-1, 1])
def test_a_cent_beside_the_mark_does_not_pass(wrong: str, off_by: int) -> None:
    questions = ask(agreement())
    answers = {q.id: q.expected for q in questions}
    right = answers[wrong]
    answers[wrong] = Money(right.amount_minor + off_by, "CNY")
    verdicts = judge(questions, answers)
    assert not passed(verdicts)
    assert [v.question.id for v in verdicts if not v.right] == [wrong]


def test_the_right_number_in_another_currency_does_not_pass() -> None:
    questions = ask(agreement())
    answers = {q.id: q.expected for q in questions}
    answers["exposure_all"] = Money(800_000, "USD")
    assert not passed(judge(questions, answers))


def test_what_is_left_out_is_wrong_and_nothing_asked_is_not_passed() -> None:
    questions = ask(agreement())
    answers = {q.id: q.expected for q in questions[:-1]}
    assert not passed(judge(questions, answers))
    assert not passed(())


def test_a_wrong_answer_is_explained_with_its_working() -> None:
    question = next(q for q in ask(agreement()) if q.id == "exposure_all")
    assert (
        question.explanation["en"]
        == "4 other members, up to CNY 2,000.00 each: CNY 8,000.00 together."
    )
    assert "8,000.00 元" in question.explanation["zh-CN"]
    assert question.kind is QuestionKind.MONEY


@given(
    size=st.integers(2, 10),
    cap=st.integers(1, 10**12),
    attempt=st.integers(0, 1000),
    who=st.integers(0, 9),
)
def test_no_question_expects_more_than_the_exposure_that_is_signed(
    size: int, cap: int, attempt: int, who: int
) -> None:
    document = agreement(size, cap)
    most = exposure_minor(cap, size)
    questions = ask(document, f"mem_{who % size}", attempt)
    amounts = [q.expected.amount_minor for q in questions if isinstance(q.expected, Money)]
    assert max(amounts) == most
    assert all(0 < value <= most for value in amounts)


@pytest.mark.parametrize(
    ("votes", "winner"),
    [
        ({}, None),
        ({1: 1}, 1),
        ({1: 1, 2: None}, None),
        ({1: 1, 2: 1, 3: 2}, 1),
        ({1: 1, 2: 1, 3: 2, 4: 2}, None),
        ({1: 1, 2: 1, 3: None, 4: None}, None),
        ({1: 9, 2: 9, 3: 9}, None),
        ({1: 2, 2: 2, 3: 2}, 2),
    ],
)
def test_a_leader_needs_more_than_half_of_all_members(
    votes: dict[int, int | None], winner: int | None
) -> None:
    assert elected(votes) == winner


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (1, "CNY", "en", "CNY 0.01"),
        (123_456_789, "CNY", "zh-CN", "1,234,567.89 元"),
        (5000, "VND", "zh-CN", "5,000 VND"),
        (1_234_567, "TND", "en", "TND 1,234.567"),
        (-50, "CNY", "en", "CNY -0.50"),
    ],
)
def test_amounts_are_written_with_all_decimals(
    minor: int, currency: str, language: str, text: str
) -> None:
    assert say_amount(minor, currency, language) == text
