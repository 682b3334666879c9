"""The panel from lives whose truth is known: who is in it, how it is cut, what is refused."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from community.communities.charter import CharterRules, read_rules
from community.communities.templates import load
from community.scoring.errors import TooLittleHistory
from community.scoring.facts import Lives, policy_of
from community.scoring.features import (
    NONE,
    Around,
    LoanLife,
    MemberLife,
    Plan,
    Receipt,
    Word,
    build_row,
    comes_into_trouble,
    days_late,
    is_in_trouble,
)
from community.scoring.model import score_rows
from community.scoring.training import (
    Panel,
    fingerprint,
    make_model,
    make_panel,
    month_ends,
    slice_panel,
)
from tests.warning_life import FIRST, make_lives

TODAY = FIRST + timedelta(days=24 * 30)


@pytest.fixture(scope="module")
def rules() -> CharterRules:
    """The template's, with a minimum that a generated village reaches."""
    document = load("village-cooperative")["rules"]
    document["warning_bad_min"] = {"value": 60, "source": "test"}
    return read_rules(document)


@pytest.fixture(scope="module")
def panel(rules: CharterRules) -> Panel:
    return make_panel(make_lives(900, 11), rules=rules, from_on=FIRST, on=TODAY)


def _loan(*receipts: Receipt) -> LoanLife:
    """100 due on days 130, 160 and 190, paid out on day 100."""
    return LoanLife(1, 1, 1, 100, 300, (Plan(0, (130, 160, 190), (100, 200, 300)),), receipts)


def test_days_late_by_hand() -> None:
    loan = _loan(Receipt(140, 140, 100), Receipt(165, 170, 60))
    told = {day: days_late(loan, day) for day in (129, 130, 131, 139, 140, 160, 161, 175)}
    # On its day nothing is late yet; 100 came on day 140; the second is short by 40 ever after.
    assert told == {129: 0, 130: 0, 131: 1, 139: 9, 140: 0, 160: 0, 161: 1, 175: 15}


def test_trouble_by_hand(rules: CharterRules) -> None:
    policy = replace(policy_of(rules), days_late=10, horizon_days=20)
    # The first is late beyond ten days from day 141 to day 149.
    loan = _loan(Receipt(150, 150, 100), Receipt(160, 160, 200))
    well = {day: comes_into_trouble(loan, day, policy) for day in (120, 121, 140, 148, 149, 150)}
    assert well == {120: False, 121: True, 140: True, 148: True, 149: False, 150: False}
    assert [is_in_trouble(loan, day, policy) for day in (140, 141, 149, 150)] == [
        False,
        True,
        True,
        False,
    ]
    # A guarantor's money is trouble however early it comes, and so is a plan made anew.
    paid_for = _loan(Receipt(132, 132, 100, by_borrower=False, is_loss=True))
    assert comes_into_trouble(paid_for, 131, policy)
    assert is_in_trouble(paid_for, 132, policy)
    assert comes_into_trouble(replace(loan, restructured=125), 120, policy)
    # Money that was taken back never came.
    bounced = _loan(Receipt(130, 130, 100, gone=200))
    assert comes_into_trouble(bounced, 130, policy)
    assert not is_in_trouble(bounced, 150, policy)


def test_a_row_by_hand(rules: CharterRules) -> None:
    loan = _loan(Receipt(140, 140, 100))
    loan = replace(loan, words=(Word(131, 131, 135, 100), Word(141, 141, 200, 50)))
    member = MemberLife(
        joined=1,
        deposits=((120, 120), (100, 100), (95, 190)),
        stakes=((50, 50, 400), (140, 140, -100)),
        meetings=((120, True), (127, False), (170, True)),
    )
    row = build_row(
        loan,
        day=165,
        policy=replace(policy_of(rules), horizon_days=25, stake_days=30, cover_days=30),
        own=[loan],
        member=member,
        others={},
        around=Around(),
    )
    # Five days late; two dues, both late (ten days, and five so far); a third paid, a third ahead.
    assert row[:5] == (5, 10_000, 10, 3_333, 3_333)
    # Two months saved (what was written down on day 190 was not known); a quarter of the stake.
    assert row[5:9] == (2, 2_500, 5_000, 1)
    # Nobody vouches, no crop; five months a member; the first loan.
    assert row[9:] == (NONE, NONE, NONE, NONE, 5, 1)


def test_what_comes_later_changes_no_row(rules: CharterRules) -> None:
    lives = make_lives(60, 3)
    policy = policy_of(rules)
    for end in (FIRST + timedelta(days=days) for days in (200, 320, 450)):
        day = end.toordinal()
        # As the day knew it: nothing that was known later.
        cut = Lives(
            (loans := tuple(_until(loan, day) for loan in lives.loans if loan.from_day <= day)),
            {
                member: tuple(loan for loan in loans if loan.borrower_id == member)
                for member in {loan.borrower_id for loan in loans}
            },
            {
                member: replace(
                    life,
                    deposits=tuple(one for one in life.deposits if one[1] <= day),
                    ties=tuple(tie for tie in life.ties if tie.known <= day),
                )
                for member, life in lives.members.items()
            },
        )
        then = {loan.loan_id: row for loan, row in cut.rows(day, policy)}
        assert then == {loan.loan_id: row for loan, row in lives.rows(day, policy)}
        assert then


def _until(loan: LoanLife, day: int) -> LoanLife:
    return replace(
        loan,
        receipts=tuple(receipt for receipt in loan.receipts if receipt.known <= day),
        ended=loan.ended if loan.ended is not None and loan.ended <= day else None,
    )


def test_slices_share_no_borrower_and_no_outcome(panel: Panel) -> None:
    slices = slice_panel(panel, seed=5, horizon_days=90)
    who = [set(part.borrowers.tolist()) for part in (slices.learn, slices.calibrate, slices.judge)]
    assert not who[0] & who[1]
    assert not (who[0] | who[1]) & who[2]
    first = int(slices.judge.days.min())
    # All that was learnt from was known before the first day that is judged.
    assert max(int(slices.learn.days.max()), int(slices.calibrate.days.max())) + 90 < first
    other = slice_panel(panel, seed=6, horizon_days=90)
    assert set(other.learn.borrowers.tolist()) != who[0]


def test_a_village_that_is_known_is_foretold(panel: Panel, rules: CharterRules) -> None:
    made = make_model(panel, rules=rules, seed=5)
    told = made.measures
    assert told.brier < told.brier_base
    assert told.auc is not None
    assert told.auc > 0.65
    assert told.lift is not None
    assert told.lift > 1.5
    # Beyond chance: a shift and a slope from few borrowers, whose rows come several at a time.
    rate = float(made.slices.calibrate.bad.mean())
    borrowers = np.unique(made.slices.calibrate.borrowers).size
    assert told.error < told.error_by_chance + 2 * np.sqrt(2 * rate * (1 - rate) / borrowers)
    strength = {part.code: part.coefficient * np.ptp(part.evidence) for part in made.card.parts}
    strongest = sorted(strength, key=lambda code: -strength[code])[:4]
    assert "savings_months" in strongest
    assert {"days_late", "late_share", "worst_late"} & set(strongest)
    # The reason of somebody who does not save is that.
    row = np.median(made.slices.learn.rows, axis=0).astype(np.int64)
    row[5] = 0
    parts = score_rows(made.card, row.reshape(1, -1)).contributions[0]
    assert int(parts.argmax()) == 5


def test_the_same_seed_makes_the_same_model(panel: Panel, rules: CharterRules) -> None:
    prints = [
        fingerprint(make_model(panel, rules=rules, seed=seed).to_document(), [seed])
        for seed in (5, 5, 6)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_too_little_history_is_refused_with_the_counts(panel: Panel, rules: CharterRules) -> None:
    few = replace(rules, warning_bad_min=10_000, warning_loans_min=10_000)
    with pytest.raises(TooLittleHistory) as refusal:
        make_model(panel, rules=few, seed=1)
    assert refusal.value.members["wanted"]["bad_loans"] == 10_000
    assert refusal.value.members["counted"]["bad_loans"] == panel.bad_loan_count
    # Enough of everything, but nobody in trouble among those it would be learnt from.
    fine = replace(panel, bad=np.zeros_like(panel.bad))
    none_needed = replace(rules, warning_bad_min=0)
    with pytest.raises(TooLittleHistory):
        make_model(fine, rules=none_needed, seed=1)


def test_month_ends() -> None:
    assert list(month_ends(date(2027, 1, 31), date(2027, 3, 30))) == [
        date(2027, 1, 31),
        date(2027, 2, 28),
    ]
