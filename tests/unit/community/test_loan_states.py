"""The life of a loan, by its one table."""

import pytest

from community.loans.errors import StepNotAllowed
from community.loans.models import LoanStatus as S
from community.loans.states import ALLOWED, DISBURSED, ENDED, LIVE, OPEN, check_step


def reachable(start: S) -> set[S]:
    found, waiting = {start}, [start]
    while waiting:
        for status in ALLOWED[waiting.pop()] - found:
            found.add(status)
            waiting.append(status)
    return found


def test_every_status_is_in_the_table_and_can_be_reached() -> None:
    assert set(ALLOWED) == set(S)
    assert reachable(S.DRAFT) == set(S)


@pytest.mark.parametrize("status", [S.WRITTEN_OFF, S.REJECTED, S.WITHDRAWN, S.EXPIRED])
def test_no_path_leads_out_of_an_end(status: S) -> None:
    assert reachable(status) == {status}
    assert status in ENDED


def test_a_closed_loan_runs_on_only_when_a_receipt_is_taken_back() -> None:
    assert ALLOWED[S.CLOSED] == {S.CURRENT, S.RESTRUCTURED}
    assert S.CLOSED in ENDED


def test_a_restructured_loan_is_never_just_current_again() -> None:
    assert S.CURRENT not in ALLOWED[S.RESTRUCTURED]
    assert {status for status in S if S.RESTRUCTURED in ALLOWED[status]} == {
        S.CURRENT,
        S.OVERDUE,
        S.CALLED,
        S.CLOSED,
    }


def test_money_goes_out_only_after_approval() -> None:
    before = {status for status in S if ALLOWED[status] & DISBURSED and status not in DISBURSED}
    assert before == {S.APPROVED}
    assert S.APPROVED not in set().union(*(ALLOWED[status] for status in DISBURSED))


def test_approval_comes_only_after_endorsement() -> None:
    assert {status for status in S if S.APPROVED in ALLOWED[status]} == {S.ENDORSED}


def test_a_loan_that_was_paid_out_ends_paid_or_given_up() -> None:
    for status in LIVE:
        assert reachable(status) & ENDED == {S.CLOSED, S.WRITTEN_OFF}
        assert reachable(status) <= DISBURSED
    assert not OPEN & DISBURSED


def test_a_refused_step_names_the_ones_that_are_allowed() -> None:
    check_step(S.ENDORSED, S.APPROVED)
    with pytest.raises(StepNotAllowed) as refusal:
        check_step(S.SUBMITTED, S.APPROVED)
    assert refusal.value.members["allowed"] == ["endorsed", "expired", "rejected", "withdrawn"]
