"""Which loan a bank line is for: worked cases, and what holds for any line and any village."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community.receiving.matching import (
    Certainty,
    Known,
    KnownLoan,
    KnownMember,
    Line,
    Rule,
    Unmatched,
    match,
    references_in,
)

DAY = date(2026, 3, 2)
OLD, NEW, PAID_OFF, FAR, DOLLARS = (f"lon_{letter * 16}" for letter in "abcde")


def person(number: int, reference: str | None, name: str) -> KnownMember:
    return KnownMember(number, f"mem_{number:016d}", reference, name)


WANG = person(1, "hill-0012", "王伟")
LI = person(2, "17", "Li Na")
ZHAO = person(3, None, "Zhao Jun")
SUN = person(4, "sun.h", "Sun")


def loan(number: int, public_id: str, borrower: KnownMember, **changes: object) -> KnownLoan:
    facts = KnownLoan(number, public_id, borrower.member_id, "CNY", True, DAY, 100_00)
    return replace(facts, **changes)  # type: ignore[arg-type]


OLDER = loan(11, OLD, WANG, oldest_due_on=date(2026, 1, 1))
NEWER = loan(12, NEW, WANG, oldest_due_on=date(2026, 2, 1), next_due_minor=70_00)
LI_LOAN = loan(13, "lon_" + "f" * 16, LI)
GONE = loan(14, PAID_OFF, ZHAO, live=False, oldest_due_on=None, next_due_minor=0)
USD = loan(15, DOLLARS, SUN, currency="USD")


def known(*loans: KnownLoan, accounts: dict[str, KnownMember] | None = None) -> Known:
    people = [WANG, LI, ZHAO, SUN]
    live: dict[int, tuple[KnownLoan, ...]] = {}
    for one in loans:
        if one.live:
            live[one.borrower_id] = (*live.get(one.borrower_id, ()), one)
    return Known(
        loans={one.public_id: one for one in loans},
        members={one.public_id: one for one in people},
        references={one.reference: one for one in people if one.reference},
        accounts=accounts or {},
        live=live,
        people={one.member_id: one for one in people},
    )


VILLAGE = known(OLDER, NEWER, LI_LOAN, GONE, USD, accounts={"621700": LI, "900": ZHAO})


def line(text: str = "", amount: int = 50_00, **changes: object) -> Line:
    facts = Line("b-1", DAY, amount, "CNY", text=text)
    return replace(facts, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_line", "expected", "rule", "certainty"),
    [
        (line(f"repayment {NEW} thanks"), NEWER, Rule.LOAN_NAMED, Certainty.CERTAIN),
        (line(f"还款{NEW.upper()}谢谢"), NEWER, Rule.LOAN_NAMED, Certainty.CERTAIN),
        # The oldest due of several loans, however newer ones compare.
        (line("hill-0012"), OLDER, Rule.MEMBER_NAMED, Certainty.LIKELY),
        (line("hill-0012", 100_00), OLDER, Rule.MEMBER_NAMED, Certainty.CERTAIN),
        (line("hill-0012", 70_00), OLDER, Rule.MEMBER_NAMED, Certainty.LIKELY),
        (line("还款hill-0012，三月"), OLDER, Rule.MEMBER_NAMED, Certainty.LIKELY),
        (line(f"for {LI.public_id}."), LI_LOAN, Rule.MEMBER_NAMED, Certainty.LIKELY),
        # Digits need a second witness: the amount, or the name.
        (line("17", 100_00), LI_LOAN, Rule.MEMBER_NAMED, Certainty.CERTAIN),
        (line("no 17", payer_name="LI  NA"), LI_LOAN, Rule.MEMBER_NAMED, Certainty.LIKELY),
        (line("rent", payer_account="621700"), LI_LOAN, Rule.ACCOUNT_KNOWN, Certainty.LIKELY),
        # The text says for whom, the account only whose money it is.
        (line("hill-0012", payer_account="621700"), OLDER, Rule.MEMBER_NAMED, Certainty.LIKELY),
    ],
)
def test_a_line_finds_its_loan(
    given_line: Line, expected: KnownLoan, rule: Rule, certainty: Certainty
) -> None:
    found = match(given_line, VILLAGE)
    assert (found.loan, found.rule, found.certainty) == (expected, rule, certainty)
    assert found.reason is None


@pytest.mark.parametrize(
    ("given_line", "reason"),
    [
        (line("seed money"), Unmatched.NOTHING_NAMED),
        (line("paid on 17 March"), Unmatched.NOTHING_NAMED),
        (line("17", 100_00, currency="USD"), Unmatched.NOTHING_NAMED),
        (line(f"{OLD} {NEW}"), Unmatched.SEVERAL_LOANS),
        (line(FAR), Unmatched.LOAN_UNKNOWN),
        # A text that names a loan is not overruled by whom else it names.
        (line(f"{FAR} hill-0012"), Unmatched.LOAN_UNKNOWN),
        (line(f"{PAID_OFF} hill-0012"), Unmatched.LOAN_NOT_LIVE),
        (line(f"hill-0012 and {LI.public_id}"), Unmatched.SEVERAL_MEMBERS),
        (line(ZHAO.public_id), Unmatched.NO_LIVE_LOAN),
        (line("", payer_account="900"), Unmatched.NO_LIVE_LOAN),
        (line(OLD, currency="USD"), Unmatched.OTHER_CURRENCY),
        (line("sun.h"), Unmatched.OTHER_CURRENCY),
    ],
)
def test_a_line_that_is_not_clear_waits(given_line: Line, reason: Unmatched) -> None:
    found = match(given_line, VILLAGE)
    assert (found.loan, found.reason) == (None, reason)


def test_equally_old_loans_are_told_apart_by_the_amount_alone() -> None:
    twins = known(OLDER, replace(NEWER, oldest_due_on=OLDER.oldest_due_on))
    assert match(line("hill-0012"), twins).reason is Unmatched.LOANS_ALIKE
    found = match(line("hill-0012", 70_00), twins)
    assert (found.loan and found.loan.loan_id, found.certainty) == (12, Certainty.CERTAIN)
    same = known(OLDER, replace(NEWER, oldest_due_on=OLDER.oldest_due_on, next_due_minor=100_00))
    assert match(line("hill-0012", 100_00), same).reason is Unmatched.LOANS_ALIKE


@pytest.mark.parametrize(
    ("changes", "payer_id", "own"),
    [
        ({}, None, True),  # as at the counter: nobody else is named
        ({"payer_name": "王 伟"}, 1, True),
        ({"payer_name": "Li Na"}, None, False),  # a name is no proof of who else it is
        ({"payer_account": "621700"}, 2, False),
        ({"payer_account": "621700", "payer_name": "王伟"}, 2, False),
        ({"payer_account": "unheard of"}, None, False),
    ],
)
def test_whose_money_it_is(changes: dict[str, object], payer_id: int | None, own: bool) -> None:
    found = match(line(NEW, **changes), VILLAGE)
    assert (found.payer_id, found.borrower_pays) == (payer_id, own)


def test_the_evidence_is_told() -> None:
    found = match(line("hill-0012", 100_00, payer_name="王伟"), VILLAGE)
    assert found.facts == (
        ("reference", "hill-0012"),
        ("oldest_of", "2"),
        ("amount", "next_due"),
        ("payer", "name"),
    )


@given(reference=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=64))
def test_a_reference_set_apart_by_spaces_is_found(reference: str) -> None:
    if ";" in reference or "；" in reference:
        return
    assert reference in references_in(f"还款 {reference} 三月")


BORROWERS = st.integers(1, 4)
DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 4))
DUES = st.sampled_from([0, 50_00, 100_00])
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
LOANS = st.lists(
    st.builds(
        KnownLoan,
        loan_id=st.integers(1, 9),
        public_id=st.sampled_from([f"lon_{letter * 16}" for letter in LETTERS[:9]]),
        borrower_id=BORROWERS,
        currency=st.sampled_from(["CNY", "USD"]),
        live=st.booleans(),
        oldest_due_on=st.none() | DAYS,
        next_due_minor=DUES,
    ),
    max_size=6,
    unique_by=(lambda one: one.loan_id, lambda one: one.public_id),
)
WORDS = st.sampled_from(
    [f"lon_{letter * 16}" for letter in LETTERS[:12]]
    + [one.public_id for one in (WANG, LI, ZHAO, SUN)]
    + ["hill-0012", "17", "sun.h", "seed", "还款", ";", "mem_0000000000000099"]
)
LINES = st.lists(
    st.builds(
        Line,
        reference=st.uuids().map(str),
        booked_on=DAYS,
        amount_minor=st.sampled_from([1, 50_00, 100_00]),
        currency=st.sampled_from(["CNY", "USD"]),
        payer_name=st.sampled_from(["", "王伟", "li na", "somebody"]),
        payer_account=st.sampled_from(["", "a", "b", "unheard of"]),
        text=st.lists(WORDS, max_size=4).map(" ".join),
    ),
    max_size=5,
)
OWNERS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([WANG, LI, ZHAO, SUN]))


@given(loans=LOANS, elsewhere=LOANS, lines=LINES, owners=OWNERS, data=st.data())
def test_what_holds_for_any_line(
    loans: list[KnownLoan],
    elsewhere: list[KnownLoan],
    lines: list[Line],
    owners: dict[str, KnownMember],
    data: st.DataObject,
) -> None:
    here = known(*loans, accounts=owners)
    found = [match(one, here) for one in lines]
    ids = {one.loan_id for one in loans}
    for one, answer in zip(lines, found, strict=True):
        # Exactly one of: a loan with its rule, a reason.
        assert (answer.loan is None) == (answer.reason is not None)
        assert (answer.loan is None) == (answer.rule is None) == (answer.certainty is None)
        if answer.loan is not None:
            assert answer.loan.live
            assert answer.loan.currency == one.currency
            assert answer.loan.loan_id in ids
            named = [other for other in loans if other.public_id in one.text]
            assert not named or named == [answer.loan]
        if answer.borrower_pays:
            assert answer.loan is not None
            assert answer.payer_id in (None, answer.loan.borrower_id)
    # The same facts give the same answer, in whatever order facts and lines come.
    shuffled = known(*data.draw(st.permutations(loans)), accounts=dict(reversed(owners.items())))
    order = data.draw(st.permutations(range(len(lines))))
    again = {number: match(lines[number], shuffled) for number in order}
    assert [again[number] for number in range(len(lines))] == found
    # What is known of another community changes nothing: it is not asked.
    there = known(*elsewhere)
    for one in lines:
        other = match(one, there).loan
        assert other is None or other in elsewhere
