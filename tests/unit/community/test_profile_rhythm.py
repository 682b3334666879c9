"""How regularly somebody saves and how late they pay, by hand; who sees what, as one table."""

from datetime import date, timedelta

import pytest

from community.profiles.relations import Figure, Relation, Scope, seen_by
from community.profiles.rhythm import Band, Paid, late_bands, meet, rhythm_of

FIRST, LAST = date(2027, 1, 10), date(2027, 4, 30)


def test_a_rhythm_by_hand() -> None:
    days = [date(2027, 1, 10), date(2027, 1, 20), date(2027, 3, 1), date(2027, 3, 1)]
    found = rhythm_of([*days, date(2026, 12, 31), date(2027, 5, 1)], FIRST, LAST)
    # Ten days, then forty; nothing for sixty until the last day looked at.
    assert (found.count, found.months, found.months_with) == (4, 4, 2)
    assert (found.gap_days_median, found.gap_days_longest) == (25, 60)
    assert found.last_on == date(2027, 3, 1)
    nothing = rhythm_of([], FIRST, LAST)
    assert (nothing.count, nothing.months, nothing.gap_days_longest) == (0, 4, None)


def test_own_money_meets_the_oldest_dues() -> None:
    dues = [(FIRST, 50), (FIRST + timedelta(30), 50), (LAST + timedelta(1), 50), (FIRST, 0)]
    receipts = [(FIRST, 30), (FIRST + timedelta(4), 40), (LAST + timedelta(1), 100)]
    assert meet(dues, receipts, LAST) == [
        Paid(FIRST, 50, 50, FIRST + timedelta(4)),
        Paid(FIRST + timedelta(30), 50, 20, None),
    ]
    assert meet(dues, receipts, FIRST) == [Paid(FIRST, 50, 30, None)]


def test_bands_of_lateness_begin_with_on_time() -> None:
    paid = [
        Paid(FIRST, 10, 10, FIRST - timedelta(3)),
        Paid(FIRST, 20, 20, FIRST),
        Paid(FIRST, 40, 40, FIRST + timedelta(1)),
        Paid(FIRST, 80, 80, FIRST + timedelta(30)),
        Paid(FIRST, 160, 0, None),  # open for 110 days
    ]
    assert late_bands(paid, [30, 90], LAST) == [
        Band(0, 0, 2, 30),
        Band(1, 30, 2, 120),
        Band(31, 90, 0, 0),
        Band(91, None, 1, 160),
    ]


A, G, P, NO = "all", "group", "promise", "-"
# Self, officer, auditor, leader, voucher, backed: law 9, written a second time.
MATRIX = {
    "membership": (A, A, A, A, A, A),
    "activity": (A, A, A, NO, NO, NO),
    "savings": (A, A, A, NO, NO, NO),
    "repayment": (A, A, A, G, P, NO),
    "attendance": (A, A, A, G, NO, NO),
    "standing": (A, A, A, NO, NO, NO),
    "exposure": (A, A, A, NO, NO, NO),
    "promises": (A, A, A, G, P, NO),
    "vouching_given": (A, A, A, NO, NO, P),
    "vouching_received": (A, A, A, NO, P, NO),
    "voucher_record": (A, A, A, NO, NO, NO),
    "visits": (A, A, A, G, NO, NO),
}


@pytest.mark.parametrize(("place", "relation"), list(enumerate(Relation)))
def test_who_sees_what(place: int, relation: Relation) -> None:
    assert set(MATRIX) == {figure.value for figure in Figure}
    seen = seen_by([relation])
    shown = {
        figure.value: next(iter(scopes)).value
        for figure, scopes in seen.items()
        if len(scopes) == 1
    }
    assert shown == {name: row[place] for name, row in MATRIX.items() if row[place] != NO}


def test_two_relations_see_what_either_does_and_nobody_nothing() -> None:
    both = seen_by([Relation.LEADER, Relation.VOUCHER])
    assert both[Figure.REPAYMENT] == {Scope.GROUP, Scope.PROMISE}
    assert seen_by([Relation.LEADER, Relation.OFFICER])[Figure.REPAYMENT] == {Scope.ALL}
    assert seen_by([]) == {}
