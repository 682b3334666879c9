"""Loans from application to their end, on real databases."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities import templates
from community.communities.errors import NotAMember
from community.errors import (
    CommunityError,
    CurrencyMismatch,
    InsufficientFunds,
    Invalid,
    WrongState,
)
from community.ledger import rules as posting_rules
from community.ledger import service as ledger
from community.ledger.checks import check_ledger
from community.ledger.models import AccountKind, Event, JournalEntry
from community.loans import queries, service
from community.loans.checks import check_loans
from community.loans.errors import (
    AlreadyEndorsed,
    BorrowerTooYoung,
    DecidedTogether,
    EndorserNotEligible,
    GroupLoanNotFound,
    GroupNotReady,
    InstalmentsOutOfRange,
    LoanNotFound,
    MoreThanOwed,
    NotASignedMember,
    NotTheLeader,
    PrincipalOutOfRange,
    SeasonNeeded,
    SeasonOver,
    SharesDoNotAddUp,
    StepNotAllowed,
)
from community.loans.models import (
    GroupLoan,
    Instalment,
    Loan,
    LoanStatus,
    LoanStep,
    RepaymentSource,
)
from community.loans.schedule import schedule
from community.locks import lock_one
from community.members import service as members
from community.members.models import MemberKind
from community.products.errors import ProductNotFound, ProductNotInForce, RateAboveCap
from community.products.terms import read_terms
from tests.lending import MONTHLY, NOW, SELLING, TODAY, Village, cny, make_village, offer

DAY = timedelta(days=1)


@pytest.fixture
def village(db_session: Session) -> Village:
    return make_village(db_session)


def unit(session: Session, act: Callable[..., Any], **facts: Any) -> Any:
    """One step as the edge takes it: committed if it works, undone if it is refused."""
    try:
        answer = act(session, **facts)
        session.commit()
    except CommunityError:
        session.rollback()
        raise
    return answer


def repay(village: Village, loan: Loan, minor: int, on: date, **changes: Any) -> Any:
    facts: dict[str, Any] = {
        "amount_minor": minor,
        "source": RepaymentSource.BORROWER,
        "payer_id": loan.borrower_id,
        "on": on,
        "now": NOW,
        "actor_id": loan.borrower_id,
    }

    def act(session: Session) -> Any:
        return service.book_repayment(
            session, loan=lock_one(session, Loan, loan.id), **facts | changes
        )

    return unit(village.session, act)


def lawful(session: Session) -> bool:
    session.commit()
    return list(check_loans(session)) == [] and list(check_ledger(session)) == []


def instalments(village: Village, loan: Loan) -> list[tuple[int, int, int, int]]:
    rows = village.session.scalars(
        select(Instalment).where(Instalment.loan_id == loan.id).order_by(Instalment.number)
    )
    return [
        (r.principal_minor, r.interest_minor, r.paid_principal_minor, r.paid_interest_minor)
        for r in rows
    ]


def pool(village: Village) -> int:
    return ledger.balance(
        village.session,
        community_id=village.village.id,
        kind=AccountKind.LENDING_CASH,
        currency="CNY",
    )


# Applying


def test_an_application_freezes_the_terms_of_its_day(village: Village) -> None:
    borrower = village.person()
    loan = village.applied(borrower)
    assert (loan.status, loan.outstanding_minor) == (LoanStatus.SUBMITTED, 0)
    assert loan.terms == {"product": MONTHLY, "instalments": 3, "season": None}
    file = queries.get_loan_file(village.session, loan, TODAY)
    assert [(s.from_status, s.to_status) for s in file.steps] == [
        (None, LoanStatus.DRAFT),
        (LoanStatus.DRAFT, LoanStatus.SUBMITTED),
    ]
    assert file.owed.total_minor == 0
    assert lawful(village.session)


def test_without_asked_endorsements_an_application_is_endorsed_at_once(
    db_session: Session,
) -> None:
    village = make_village(db_session, {"endorsements_min": 0})
    assert village.applied(village.person()).status is LoanStatus.ENDORSED
    assert lawful(db_session)


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"principal": cny(99_99)}, PrincipalOutOfRange),
        ({"principal": cny(50_000_01)}, PrincipalOutOfRange),
        ({"principal": cny(-1)}, PrincipalOutOfRange),
        ({"instalments": 2}, InstalmentsOutOfRange),
        ({"instalments": 37}, InstalmentsOutOfRange),
        ({"instalments": None}, InstalmentsOutOfRange),
        ({"on": TODAY - DAY}, ProductNotInForce),
    ],
)
def test_an_application_outside_the_products_terms_is_refused(
    village: Village, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    borrower = village.person()
    with pytest.raises(refusal):
        village.applied(borrower, **changes)
    assert village.session.scalars(select(Loan)).all() == []


def test_another_currency_is_refused(village: Village) -> None:
    with pytest.raises(CurrencyMismatch):
        village.applied(village.person(), principal=type(cny(1))(1_000_00, "USD"))


def test_a_product_counts_in_the_path_of_its_community_only(village: Village) -> None:
    own = offer(village.session, village.village, "own", MONTHLY)
    borrower = village.person()
    village.applied(borrower, product_id=own.id)
    with pytest.raises(ProductNotFound):
        service.quote(
            village.session,
            community_id=village.township.id,
            product_id=own.id,
            principal=cny(1_000_00),
            instalments=3,
            on=TODAY,
        )


def test_a_loan_above_the_legal_cap_of_the_day_is_refused(village: Village) -> None:
    rules = templates.load("village-cooperative")["rules"]
    rules["yearly_rate_ppm_max"] = {"value": 96_000, "source": "a lower LPR"}
    communities.adopt_charter(
        village.session,
        community_id=village.village.id,
        rules_document=rules,
        valid_from=TODAY + DAY,
        source="the assembly",
        now=NOW,
        actor_id=None,
    )
    borrower = village.person()
    village.applied(borrower)  # 9.6 % paid monthly is above 9.6 % a year, below 12 %
    with pytest.raises(RateAboveCap) as refusal:
        village.applied(borrower, on=TODAY + DAY)
    assert refusal.value.members["yearly_rate_ppm_max"] == 96_000
    assert refusal.value.members["rate_cap_basis"]


def test_only_active_members_of_age_borrow(village: Village) -> None:
    stranger = members.register_member(
        village.session, kind=MemberKind.PERSON, name="Stranger", now=NOW
    )
    with pytest.raises(NotAMember):
        village.applied(stranger)
    grown = village.person(birth_year=2009)
    village.applied(grown)
    grown.birth_year = 2010
    with pytest.raises(BorrowerTooYoung):
        village.applied(grown)


# Seasons


def test_a_season_belongs_to_a_seasonal_product(village: Village) -> None:
    borrower = village.person()
    seasonal = {"product_id": village.seasonal.id, "instalments": None}
    with pytest.raises(SeasonNeeded):
        village.applied(borrower, **seasonal)
    with pytest.raises(SeasonNeeded):
        village.applied(borrower, season_id=village.rice.id)
    with pytest.raises(InstalmentsOutOfRange):
        village.applied(borrower, **seasonal | {"instalments": 3}, season_id=village.rice.id)
    loan = village.applied(borrower, **seasonal, season_id=village.rice.id)
    assert loan.terms["instalments"] == 2


def test_there_is_no_seasonal_loan_once_the_harvest_begins(village: Village) -> None:
    borrower = village.person()
    facts = {
        "product_id": village.seasonal.id,
        "instalments": None,
        "season_id": village.rice.id,
    }
    harvest = village.rice.harvest_from
    loan = village.approved(borrower, **facts, on=harvest - DAY)
    with pytest.raises(SeasonOver):
        village.applied(borrower, **facts, on=harvest)
    village.fund(1_000_00)
    with pytest.raises(SeasonOver):
        unit(village.session, service.disburse, loan_id=loan.id, on=harvest, now=NOW, actor_id=None)


def test_nothing_is_due_before_the_crop_is_sold(village: Village) -> None:
    loan = village.disbursed(
        village.person(),
        5_000_00,
        product_id=village.seasonal.id,
        instalments=None,
        season_id=village.rice.id,
    )
    assert instalments(village, loan) == [(3_000_00, 268_27, 0, 0), (2_000_00, 24_72, 0, 0)]
    before = village.rice.harvest_from
    assert service.owed(village.session, loan=loan, on=before).due_minor == 0
    first = date.fromisoformat(str(SELLING[0]["due_on"]))
    assert service.owed(village.session, loan=loan, on=first).due_minor == 3_268_27
    assert service.owed(village.session, loan=loan, on=first + DAY).overdue_minor == 3_268_27


# Endorsing and deciding


def test_neither_borrower_nor_household_endorses_and_nobody_twice(village: Village) -> None:
    home = members.register_household(village.session, reference="12", now=NOW)
    borrower = village.person(household_id=home.id)
    kin = village.person(household_id=home.id)
    neighbour = village.person()
    loan = village.applied(borrower)
    for close in (borrower, kin):
        with pytest.raises(EndorserNotEligible):
            unit(
                village.session,
                service.endorse,
                loan_id=loan.id,
                endorser_id=close.id,
                on=TODAY,
                now=NOW,
            )
    word = {"loan_id": loan.id, "endorser_id": neighbour.id, "on": TODAY, "now": NOW}
    unit(village.session, service.endorse, **word, comment="They pay.")
    assert loan.status is LoanStatus.ENDORSED
    with pytest.raises(AlreadyEndorsed):
        unit(village.session, service.endorse, **word)
    stranger = members.register_member(
        village.session, kind=MemberKind.PERSON, name="Stranger", now=NOW
    )
    with pytest.raises(NotAMember):
        unit(village.session, service.endorse, **word | {"endorser_id": stranger.id})


def test_an_application_needs_as_many_words_as_its_charter_asked_for(db_session: Session) -> None:
    village = make_village(db_session, {"endorsements_min": 2})
    loan = village.applied(village.person())
    village.endorse(loan)
    assert loan.status is LoanStatus.SUBMITTED
    with pytest.raises(StepNotAllowed):
        unit(db_session, service.mark_approved, loan=loan, on=TODAY, now=NOW, actor_id=None)
    village.endorse(loan)
    assert loan.status is LoanStatus.ENDORSED
    assert lawful(db_session)


def test_an_open_application_can_be_withdrawn_or_rejected_and_then_no_more(
    village: Village,
) -> None:
    ends = {"on": TODAY, "now": NOW, "actor_id": None}
    one, two = village.applied(village.person()), village.applied(village.person())
    word = {"endorser_id": village.person().id, "on": TODAY, "now": NOW}
    unit(village.session, service.withdraw, loan_id=one.id, **ends)
    unit(village.session, service.reject, loan_id=two.id, **ends, reason="too early")
    assert (one.status, two.status) == (LoanStatus.WITHDRAWN, LoanStatus.REJECTED)
    assert (one.ended_on, two.ended_on) == (TODAY, TODAY)
    for loan in (one, two):
        with pytest.raises(WrongState):
            unit(village.session, service.withdraw, loan_id=loan.id, **ends)
        with pytest.raises(WrongState):
            unit(village.session, service.endorse, loan_id=loan.id, **word)
    approved = village.approved(village.person())
    with pytest.raises(WrongState):
        unit(village.session, service.withdraw, loan_id=approved.id, **ends)
    assert lawful(village.session)


# Money


def test_only_an_approved_loan_is_paid_out_and_only_once(village: Village) -> None:
    village.fund(5_000_00)
    loan = village.applied(village.person())
    pays = {"loan_id": loan.id, "on": TODAY, "now": NOW, "actor_id": None}
    with pytest.raises(StepNotAllowed):
        unit(village.session, service.disburse, **pays)
    village.endorse(loan)
    with pytest.raises(StepNotAllowed):
        unit(village.session, service.disburse, **pays)
    village.approve(loan)
    unit(village.session, service.disburse, **pays)
    assert (loan.status, loan.outstanding_minor, loan.disbursed_on) == (
        LoanStatus.CURRENT,
        1_000_00,
        TODAY,
    )
    assert pool(village) == 4_000_00
    with pytest.raises(StepNotAllowed):
        unit(village.session, service.disburse, **pays)
    assert pool(village) == 4_000_00
    assert lawful(village.session)


def test_the_schedule_is_that_of_the_frozen_terms_from_the_day_of_the_money(
    village: Village,
) -> None:
    loan = village.approved(village.person())
    village.fund(1_000_00)
    later = TODAY + timedelta(days=9)
    unit(village.session, service.disburse, loan_id=loan.id, on=later, now=NOW, actor_id=None)
    rows = schedule(read_terms(MONTHLY), 1_000_00, 3, later)
    assert instalments(village, loan) == [
        (row.principal_minor, row.interest_minor, 0, 0) for row in rows
    ]


def test_a_short_pool_pays_nothing_out(village: Village) -> None:
    loan = village.approved(village.person())
    village.fund(999_99)
    with pytest.raises(InsufficientFunds) as refusal:
        unit(village.session, service.disburse, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
    assert refusal.value.members["account"] == "lending_cash"


def test_a_loan_paid_on_time_is_closed_and_the_books_show_it(village: Village) -> None:
    loan = village.disbursed(village.person())
    for row in schedule(read_terms(MONTHLY), 1_000_00, 3, TODAY):
        receipt = repay(village, loan, row.total_minor, row.due_on)
        assert (receipt.principal_minor, receipt.interest_minor) == (
            row.principal_minor,
            row.interest_minor,
        )
    last = TODAY + timedelta(days=92)
    assert service.owed(village.session, loan=loan, on=last).total_minor == 0
    unit(village.session, service.close_if_paid, loan=loan, on=last, now=NOW, actor_id=None)
    assert (loan.status, loan.outstanding_minor, loan.ended_on) == (LoanStatus.CLOSED, 0, last)
    # A receipt that is taken back opens a closed loan again; a second pay-out does not.
    with pytest.raises(StepNotAllowed):
        unit(village.session, service.disburse, loan_id=loan.id, on=last, now=NOW, actor_id=None)
    income = ledger.balance(
        village.session,
        community_id=village.village.id,
        kind=AccountKind.INTEREST_INCOME,
        currency="CNY",
    )
    assert pool(village) == 1_000_00 + income == 1_016_04
    assert lawful(village.session)


def test_nobody_pays_more_than_is_owed(village: Village) -> None:
    loan = village.disbursed(village.person())
    with pytest.raises(MoreThanOwed) as refusal:
        repay(village, loan, 1_016_05, TODAY)
    assert refusal.value.members["owed_minor"] == 1_016_04
    for amount in (0, -1):
        with pytest.raises(Invalid):
            repay(village, loan, amount, TODAY)
    with pytest.raises(Invalid):
        repay(village, loan, 1, TODAY, source=RepaymentSource.WRITE_OFF)
    with pytest.raises(Invalid):
        repay(village, loan, 1, TODAY, payer_id=None)
    with pytest.raises(WrongState):
        repay(village, village.approved(village.person()), 1, TODAY)
    assert not unit(
        village.session, service.close_if_paid, loan=loan, on=TODAY, now=NOW, actor_id=None
    )
    assert lawful(village.session)


def test_a_late_loan_says_since_when_and_a_part_payment_moves_that_day(village: Village) -> None:
    loan = village.disbursed(village.person())
    first, second, _ = schedule(read_terms(MONTHLY), 1_000_00, 3, TODAY)
    late = second.due_on + DAY
    debt = service.owed(village.session, loan=loan, on=late)
    assert (debt.overdue_minor, debt.overdue_since_on) == (
        first.total_minor + second.total_minor,
        first.due_on,
    )
    step = {"loan": loan, "on": late, "now": NOW}
    unit(village.session, service.mark_overdue, **step)
    repay(village, loan, first.total_minor, late)
    assert loan.overdue_since_on == second.due_on
    repay(village, loan, second.total_minor, late)
    unit(village.session, service.mark_current, **step)
    assert (loan.status, loan.overdue_since_on) == (LoanStatus.CURRENT, None)
    assert lawful(village.session)


def test_the_reserve_and_a_stake_pay_through_their_own_accounts(village: Village) -> None:
    borrower, friend = village.person(), village.person()
    loan = village.disbursed(borrower)
    session = village.session
    common = {
        "community_id": village.village.id,
        "currency": "CNY",
        "on": TODAY,
        "now": NOW,
        "reference": "test",
    }
    ledger.post(session, kind="reserve.funded", legs=posting_rules.reserve_funded(100_00), **common)
    ledger.post(
        session, kind="saved", legs=posting_rules.savings_deposited(friend.id, 200_00), **common
    )
    ledger.post(
        session, kind="locked", legs=posting_rules.stake_locked({friend.id: 200_00}), **common
    )
    session.commit()
    paid = repay(village, loan, 150_00, TODAY, source=RepaymentSource.STAKE, payer_id=friend.id)
    stood_in = repay(village, loan, 100_00, TODAY, source=RepaymentSource.RESERVE, payer_id=None)
    kinds = [session.get_one(JournalEntry, receipt.entry_id).kind for receipt in (paid, stood_in)]
    assert kinds == ["loan.paid_from_stake", "loan.paid_from_reserve"]
    assert service.owed(session, loan=loan, on=TODAY).total_minor == 1_016_04 - 250_00
    assert lawful(session)


def test_what_was_written_off_can_come_back_but_no_more(village: Village) -> None:
    loan = village.disbursed(village.person())
    repay(village, loan, 100_00, TODAY)
    left = loan.outstanding_minor
    late = TODAY + timedelta(days=500)
    step = {"loan": loan, "on": late, "now": NOW}
    unit(village.session, service.mark_overdue, **step)
    unit(village.session, service.write_off, **step, actor_id=None)
    assert (loan.status, loan.outstanding_minor, loan.written_off_minor) == (
        LoanStatus.WRITTEN_OFF,
        0,
        left,
    )
    receipt = repay(village, loan, 40_00, late)
    assert (receipt.recovered_minor, receipt.principal_minor) == (40_00, 0)
    assert service.owed(village.session, loan=loan, on=late).total_minor == left - 40_00
    with pytest.raises(MoreThanOwed):
        repay(village, loan, left, late)
    with pytest.raises(WrongState):
        repay(village, loan, 1, late, source=RepaymentSource.RESERVE, payer_id=None)
    assert lawful(village.session)


def test_an_accelerated_loan_owes_all_principal_and_no_later_interest(village: Village) -> None:
    loan = village.disbursed(village.person())
    rows = schedule(read_terms(MONTHLY), 1_000_00, 3, TODAY)
    day = rows[0].due_on + DAY
    step = {"loan": loan, "on": day, "now": NOW}
    unit(village.session, service.mark_overdue, **step)
    unit(village.session, service.mark_called, **step, accelerate=True)
    debt = service.owed(village.session, loan=loan, on=day)
    assert (debt.principal_minor, debt.interest_minor) == (1_000_00, rows[0].interest_minor)
    assert debt.due_minor == debt.total_minor
    repay(village, loan, debt.total_minor, day)
    assert service.owed(village.session, loan=loan, on=day).total_minor == 0
    unit(village.session, service.close_if_paid, loan=loan, on=day, now=NOW, actor_id=None)
    assert lawful(village.session)


# Groups


def group_loan(village: Village, changes: dict[str, Any] | None = None) -> tuple[Any, list[Any]]:
    group, people = village.active_group()
    facts: dict[str, Any] = {
        "group_id": group.id,
        "product_id": village.monthly.id,
        "shares": {people[0].id: 500_00, people[1].id: 300_00},
        "total": cny(800_00),
        "instalments": 3,
        "purpose": "seedlings",
        "on": TODAY,
        "now": NOW,
        "actor_id": people[0].id,
    }
    return unit(village.session, service.apply_as_group, **facts | (changes or {})), people


def test_a_group_loan_is_the_sum_of_its_shares(village: Village) -> None:
    total, people = group_loan(village)
    shares = queries.list_shares(village.session, total.id)
    assert [(s.borrower_id, s.principal_minor) for s in shares] == [
        (people[0].id, 500_00),
        (people[1].id, 300_00),
    ]
    assert total.total_minor == 800_00
    assert lawful(village.session)


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"total": cny(800_01)}, SharesDoNotAddUp),
        ({"shares": {}}, Invalid),
        ({"actor_id": -1}, NotTheLeader),
        ({"shares": {-1: 800_00}}, NotASignedMember),
    ],
)
def test_a_group_loan_that_is_not_right_leaves_nothing(
    village: Village, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        group_loan(village, changes)
    assert village.session.scalars(select(GroupLoan)).all() == []


def test_only_an_active_group_with_a_leader_in_office_applies(village: Village) -> None:
    group, people = village.active_group()
    facts: dict[str, Any] = {
        "group_id": group.id,
        "product_id": village.monthly.id,
        "shares": {people[0].id: 500_00},
        "total": cny(500_00),
        "instalments": 3,
        "purpose": "seedlings",
        "now": NOW,
        "actor_id": people[0].id,
    }
    with pytest.raises(NotTheLeader):
        unit(village.session, service.apply_as_group, **facts, on=TODAY + timedelta(days=400))
    group.status = type(group.status).DISSOLVED
    with pytest.raises(GroupNotReady):
        unit(village.session, service.apply_as_group, **facts, on=TODAY)


def test_the_shares_of_a_group_loan_are_decided_together(village: Village) -> None:
    total, people = group_loan(village)
    session = village.session
    shares = queries.list_shares(session, total.id)
    step = {"on": TODAY, "now": NOW}
    for act in (service.withdraw, service.disburse):
        with pytest.raises(DecidedTogether):
            unit(session, act, loan_id=shares[0].id, **step, actor_id=None)
    given = unit(
        session,
        service.endorse_group_loan,
        group_loan_id=total.id,
        endorser_id=people[0].id,
        **step,
    )
    assert [word.loan_id for word in given] == [shares[1].id]
    unit(
        session,
        service.endorse_group_loan,
        group_loan_id=total.id,
        endorser_id=people[2].id,
        **step,
    )
    assert {share.status for share in shares} == {LoanStatus.ENDORSED}
    with pytest.raises(EndorserNotEligible):
        unit(
            session,
            service.endorse_group_loan,
            group_loan_id=total.id,
            endorser_id=people[2].id,
            **step,
        )
    pays = {"group_loan_id": total.id, **step, "actor_id": None}
    village.fund(800_00)
    village.approve(shares[0])
    with pytest.raises(StepNotAllowed):
        unit(session, service.disburse_group_loan, **pays)
    assert pool(village) == 800_00
    village.approve(shares[1])
    unit(session, service.disburse_group_loan, **pays)
    assert pool(village) == 0
    assert {share.outstanding_minor for share in shares} == {500_00, 300_00}
    assert lawful(session)


def test_a_group_application_ends_for_all_shares(village: Village) -> None:
    total, _ = group_loan(village)
    unit(
        village.session,
        service.end_group_application,
        group_loan_id=total.id,
        to=LoanStatus.WITHDRAWN,
        on=TODAY,
        now=NOW,
        actor_id=None,
    )
    shares = queries.list_shares(village.session, total.id)
    assert {share.status for share in shares} == {LoanStatus.WITHDRAWN}
    assert lawful(village.session)


# Reading and proving


def test_what_does_not_exist_is_not_found(village: Village) -> None:
    session = village.session
    with pytest.raises(LoanNotFound):
        queries.get_loan(session, "lon_0000000000000000")
    with pytest.raises(LoanNotFound):
        unit(session, service.disburse, loan_id=10**9, on=TODAY, now=NOW, actor_id=None)
    with pytest.raises(GroupLoanNotFound):
        unit(
            session,
            service.disburse_group_loan,
            group_loan_id=10**9,
            on=TODAY,
            now=NOW,
            actor_id=None,
        )


def test_loans_are_listed_by_borrower_community_and_status(village: Village) -> None:
    one, two = village.person(), village.person()
    mine, theirs = village.applied(one), village.approved(two)

    def ids(**filters: Any) -> set[int]:
        return {loan.id for loan in village.session.scalars(queries.list_loans(**filters))}

    assert ids(borrower_id=one.id) == {mine.id}
    assert ids(community_ids=[village.village.id]) == {mine.id, theirs.id}
    assert ids(community_ids=[village.township.id]) == set()
    assert ids(statuses=[LoanStatus.APPROVED]) == {theirs.id}


def test_every_step_is_recorded_in_the_chain(village: Village) -> None:
    loan = village.disbursed(village.person())
    village.session.commit()
    kinds = village.session.scalars(
        select(Event.kind).where(Event.subject == loan.public_id).order_by(Event.id)
    ).all()
    assert kinds == [
        "loan.draft",
        "loan.submitted",
        "loan.endorsement_given",
        "loan.endorsed",
        "loan.approved",
        "loan.current",
    ]
    assert lawful(village.session)


@pytest.mark.parametrize(
    "law, harm",
    [
        (5, lambda loan, row, step: setattr(loan, "outstanding_minor", loan.outstanding_minor - 1)),
        (1, lambda loan, row, step: setattr(loan, "outstanding_minor", loan.outstanding_minor - 1)),
        (5, lambda loan, row, step: setattr(loan, "written_off_minor", 1)),
        (5, lambda loan, row, step: setattr(row, "principal_minor", row.principal_minor + 1)),
        (5, lambda loan, row, step: setattr(row, "paid_interest_minor", 0)),
        (7, lambda loan, row, step: setattr(loan, "status", LoanStatus.OVERDUE)),
        (7, lambda loan, row, step: setattr(loan, "ended_on", TODAY)),
        (7, lambda loan, row, step: setattr(step, "to_status", LoanStatus.REJECTED)),
    ],
)
def test_figures_changed_behind_the_services_are_found(
    village: Village, law: int, harm: Any
) -> None:
    loan = village.disbursed(village.person())
    repay(village, loan, 50_00, TODAY)
    row = village.session.scalars(select(Instalment).where(Instalment.number == 1)).one()
    step = village.session.scalars(
        select(LoanStep).where(LoanStep.to_status == LoanStatus.SUBMITTED).order_by(LoanStep.id)
    ).all()[0]
    assert lawful(village.session)
    harm(loan, row, step)
    village.session.flush()
    assert law in {breach.law for breach in check_loans(village.session)}


def test_a_group_loan_that_lost_a_cent_is_found(village: Village) -> None:
    total, _ = group_loan(village)
    total.total_minor += 1
    village.session.flush()
    assert [(b.table, b.row) for b in check_loans(village.session)] == [
        ("group_loans", total.public_id)
    ]
