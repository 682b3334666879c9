"""Declared events on both databases: a small village worked by hand, and what goes on meanwhile."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.models import CommunityKind
from community.errors import WrongState
from community.guarantees import service as guarantees
from community.guarantees.failure import advance_loan
from community.ledger.models import Event, JournalEntry
from community.loans import service as loans
from community.loans.checks import check_loans
from community.loans.errors import ChangeNotFound
from community.loans.models import (
    ChangeKind,
    ChargeKind,
    Instalment,
    Loan,
    LoanChange,
    LoanStatus,
    RepaymentSource,
)
from community.members.models import Member
from community.members.principal import Role
from community.members.service import grant_role
from community.products.service import add_season
from community.seasons import queries, service
from community.seasons.checks import check_seasons
from community.seasons.errors import (
    DeclaredEventNotFound,
    DeferralTooLong,
    EventInvalid,
    NotPreviewed,
    NotTheDeclarer,
    PortfolioChanged,
    SeasonInUse,
)
from community.seasons.models import (
    DeclaredEvent,
    DeclaredEventLoan,
    EventKind,
    EventLoanStatus,
    EventStatus,
)
from community.servicing import service as servicing
from community.verification import verify
from tests.lending import MONTHLY, NOW, SEASONAL, SELLING, TODAY, Village, cny, make_village, offer

# Loans are paid out on 25 March and fall due on 15 October (60 %) and 1 December (40 %), at 9.6 %
# a year: 204 days on 1,000.00 are 53.65, 47 days on 400.00 are 4.94.
OCTOBER, DECEMBER = date(2027, 10, 15), date(2027, 12, 1)
FLOOD = date(2027, 10, 1)
PLAN = [(OCTOBER, 600_00, 53_65), (DECEMBER, 400_00, 4_94)]
MOVE = {"kind": "move", "days": 73, "interest": "runs"}
FREEZE = {"kind": "freeze", "until": "2028-01-15", "interest": "waived"}
SPLIT = {
    "kind": "split",
    "parts": 2,
    "step_unit": "month",
    "step_length": 1,
    "interest": "runs",
}


@pytest.fixture
def village(db_session: Session) -> Iterator[Village]:
    made = lending(db_session, event_drift_bps_max=0)
    yield made
    db_session.rollback()
    db_session.expire_all()
    assert verify(db_session).breaches == ()


def lending(session: Session, **rules: Any) -> Village:
    """A village whose loans need no cover: that is for other tests."""
    village = make_village(session, rules)
    bare = {"cover_ratio_bps": 0}
    village.monthly = offer(session, village.township, "bare-monthly", MONTHLY | bare)
    village.seasonal = offer(session, village.township, "bare-seasonal", SEASONAL | bare)
    session.commit()
    return village


def seasonal(village: Village, minor: int = 1_000_00, **changes: Any) -> Loan:
    """A loan for rice, paid out today."""
    facts = {"product_id": village.seasonal.id, "season_id": village.rice.id, "instalments": None}
    return village.disbursed(village.person(), minor, **facts | changes)


def at(day: date) -> dict[str, Any]:
    return {"on": day, "now": datetime.combine(day, NOW.timetz())}


def declare(village: Village, effect: dict[str, Any] = MOVE, **changes: Any) -> DeclaredEvent:
    facts: dict[str, Any] = {
        "community_id": village.township.id,
        "kind": EventKind.FLOOD,
        "crop": "rice",
        "happened_on": FLOOD,
        "dues_from": FLOOD,
        "dues_until": date(2027, 12, 31),
        "effect_document": effect,
        "reason": "the river came",
        "actor_id": None,
        **at(FLOOD),
    }
    event = service.declare(village.session, **facts | changes)
    village.session.commit()
    return event


def previewed(village: Village, event: DeclaredEvent, day: date = FLOOD) -> DeclaredEvent:
    service.preview(village.session, event_id=event.id, actor_id=None, **at(day))
    village.session.commit()
    return event


def applied(village: Village, event: DeclaredEvent, day: date = FLOOD, limit: int = 2) -> None:
    act = {"event_id": event.id, "actor_id": None, **at(day)}
    service.begin_applying(village.session, reason="decided", **act)
    village.session.commit()
    while service.apply_some(village.session, limit=limit, **act):
        village.session.commit()
    village.session.commit()
    assert event.status is EventStatus.APPLIED


def undone(village: Village, event: DeclaredEvent, day: date = FLOOD, limit: int = 2) -> None:
    act = {"event_id": event.id, "actor_id": None, **at(day)}
    service.begin_undoing(village.session, reason="it dried up", **act)
    village.session.commit()
    while service.undo_some(village.session, limit=limit, **act):
        village.session.commit()
    village.session.commit()
    assert event.status is EventStatus.UNDONE


def flooded(village: Village, effect: dict[str, Any] = MOVE, **changes: Any) -> DeclaredEvent:
    """Declared, looked at and applied."""
    event = previewed(village, declare(village, effect, **changes))
    applied(village, event)
    return event


def pay(village: Village, loan: Loan, minor: int, day: date) -> None:
    guarantees.record_repayment(
        village.session,
        loan_id=loan.id,
        amount=cny(minor),
        payer_id=None,
        source=RepaymentSource.BORROWER,
        actor_id=None,
        **at(day),
    )
    village.session.commit()


def grow_old(village: Village, loan: Loan, day: date) -> None:
    advance_loan(village.session, loan_id=loan.id, **at(day))
    village.session.commit()


def plan(village: Village, loan: Loan) -> list[tuple[date, int, int]]:
    rows = village.session.scalars(
        select(Instalment).where(Instalment.loan_id == loan.id).order_by(Instalment.number)
    )
    return [(row.due_on, row.principal_minor, row.interest_minor) for row in rows]


def raw_rows(village: Village) -> Sequence[Any]:
    return village.session.execute(text("SELECT * FROM instalments ORDER BY id")).all()


def record(village: Village, event: DeclaredEvent, loan: Loan) -> DeclaredEventLoan:
    return village.session.scalars(
        select(DeclaredEventLoan).where(
            DeclaredEventLoan.event_id == event.id, DeclaredEventLoan.loan_id == loan.id
        )
    ).one()


def test_a_preview_says_what_would_be_and_changes_no_loan(village: Village) -> None:
    first, second = seasonal(village), seasonal(village)
    monthly = village.disbursed(village.person())
    before = raw_rows(village)
    entries = village.session.scalars(select(JournalEntry.id)).all()
    event = previewed(village, declare(village))
    assert raw_rows(village) == before
    assert village.session.scalars(select(JournalEntry.id)).all() == entries
    # 1,000.00 are out for 277 days, 72.85; then 400.00 for 47 days as before.
    assert event.preview == {
        "loans": 2,
        "members": 2,
        "refusals": {},
        "months": [
            {"currency": "CNY", "month": "2027-10", "before_minor": 2 * 653_65, "after_minor": 0},
            {
                "currency": "CNY",
                "month": "2027-12",
                "before_minor": 2 * 404_94,
                "after_minor": 2 * 672_85,
            },
            {"currency": "CNY", "month": "2028-02", "before_minor": 0, "after_minor": 2 * 404_94},
        ],
    }
    listed = village.session.execute(queries.loans_of(event.id)).all()
    assert {loan.id for _, loan, _ in listed} == {first.id, second.id}
    assert monthly.id not in {loan.id for _, loan, _ in listed}
    assert queries.progress_of(village.session, [event.id])[event.id].planned == 2


def test_dues_are_moved_and_undone_to_the_same_bytes(village: Village) -> None:
    loan = seasonal(village)
    assert plan(village, loan) == PLAN
    before = raw_rows(village)
    event = flooded(village)
    # A fifth of a year more for 1,000.00: 53.65 + 19.20.
    assert plan(village, loan) == [
        (date(2027, 12, 27), 600_00, 72_85),
        (date(2028, 2, 12), 400_00, 4_94),
    ]
    assert record(village, event, loan).deferral_days == 73
    assert verify(village.session).breaches == ()
    undone(village, event)
    assert raw_rows(village) == before
    steps = queries.steps_of(village.session, event.id)
    assert [(step.status.value, step.reason) for step in steps] == [
        ("draft", "the river came"),
        ("previewed", ""),
        ("applying", "decided"),
        ("applied", ""),
        ("undoing", "it dried up"),
        ("undone", ""),
    ]
    kinds = village.session.scalars(
        select(Event.kind).where(Event.subject == loan.public_id).order_by(Event.id)
    ).all()
    assert kinds[-2:] == ["loan.plan_changed", "loan.plan_change_undone"]


def test_dues_are_split_and_put_together_again(village: Village) -> None:
    loan, other = seasonal(village), seasonal(village, 500_00)
    before = raw_rows(village)
    event = flooded(village, SPLIT)
    # 700.00 for 31 days, 400.00 for 16 and 200.00 for 31.
    assert plan(village, loan) == [
        (OCTOBER, 300_00, 53_65),
        (date(2027, 11, 15), 300_00, 5_71),
        (DECEMBER, 200_00, 1_68),
        (date(2028, 1, 1), 200_00, 1_63),
    ]
    assert sum(row[1] for row in plan(village, other)) == 500_00
    undone(village, event)
    assert raw_rows(village) == before


def test_only_the_crop_the_region_and_the_window_are_reached(village: Village) -> None:
    wheat = add_season(
        village.session,
        community_id=village.village.id,
        code="wheat",
        crop="wheat",
        sow_from=date(2027, 3, 20),
        sow_until=date(2027, 5, 10),
        harvest_from=date(2027, 9, 20),
        selling=SELLING,
        now=NOW,
        actor_id=None,
    )
    elsewhere = communities.create_community(
        village.session,
        kind=CommunityKind.REGION,
        name="Elsewhere",
        reference="elsewhere",
        currency="CNY",
        now=NOW,
        actor_id=None,
        parent_id=village.township.id,
    )
    rice, other = seasonal(village), seasonal(village, season_id=wheat.id)
    december = {"dues_from": date(2027, 11, 1)}
    event = flooded(village, **december)
    assert plan(village, rice)[0] == PLAN[0]
    assert plan(village, rice)[1][0] == date(2028, 2, 12)
    assert plan(village, other) == PLAN
    assert flooded(village, community_id=elsewhere.id).preview == {
        "loans": 0,
        "members": 0,
        "refusals": {},
        "months": [],
    }
    later = flooded(village, crop=None, **december, dues_until=date(2028, 3, 31))
    assert later.preview is not None
    assert later.preview["loans"] == 2
    undone(village, event)
    # The later event stays: made anew on the plan without the first.
    assert plan(village, rice)[1] == (date(2028, 2, 12), 400_00, 12_62)


def test_what_was_late_before_stays_late_from_its_day(village: Village) -> None:
    loan = seasonal(village)
    late = OCTOBER + timedelta(days=5)
    grow_old(village, loan, late)
    assert loan.status is LoanStatus.OVERDUE
    event = declare(village, happened_on=late, dues_from=late, **at(late))
    applied(village, previewed(village, event, late), late)
    assert plan(village, loan) == [PLAN[0], (date(2028, 2, 12), 400_00, 12_62)]
    assert (loan.status, loan.overdue_since_on) == (LoanStatus.OVERDUE, OCTOBER)
    assert loans.owed(village.session, loan=loan, on=late).days_overdue == 5


def test_a_loan_late_only_by_the_event_is_current_again(village: Village) -> None:
    loan = seasonal(village)
    late = OCTOBER + timedelta(days=5)
    grow_old(village, loan, late)
    event = declare(village, **at(late))
    applied(village, previewed(village, event, late), late)
    assert (loan.status, loan.overdue_since_on) == (LoanStatus.CURRENT, None)
    undone(village, event, late)
    assert plan(village, loan) == PLAN
    # The next business day finds it late again, from its own day.
    grow_old(village, loan, late + timedelta(days=1))
    assert (loan.status, loan.overdue_since_on) == (LoanStatus.OVERDUE, OCTOBER)


def test_called_and_written_off_loans_are_refused_with_their_reason(village: Village) -> None:
    called, well = seasonal(village), seasonal(village)
    late = OCTOBER + timedelta(days=31)
    grow_old(village, called, late)
    assert called.status is LoanStatus.CALLED
    due_at_once = plan(village, called)
    pay(village, well, 653_65, OCTOBER)
    event = previewed(village, declare(village, **at(late)), late)
    assert event.preview is not None
    assert (event.preview["loans"], event.preview["refusals"]) == (1, {"called": 1})
    applied(village, event, late)
    assert plan(village, called) == due_at_once
    assert record(village, event, called).status is EventLoanStatus.REFUSED
    assert record(village, event, called).reason == "called"
    undone(village, event, late)
    grow_old(village, called, late + timedelta(days=330))
    assert called.status is LoanStatus.WRITTEN_OFF
    again = previewed(village, declare(village, **at(late)), late)
    assert again.preview is not None
    assert again.preview["refusals"] == {"written-off": 1}


def test_what_was_paid_since_stays_paid_when_the_event_is_undone(village: Village) -> None:
    loan = seasonal(village)
    pay(village, loan, 100_00, TODAY)
    event = flooded(village, FREEZE)
    # Interest first: 53.65 were paid of it, and 46.35 of the principal. No interest from 1 October
    # to 15 January: 190 days on 1,000.00 are 49.97, but 53.65 were paid. The difference comes off
    # the next due, three months later like the first: 46 days on 400.00 are 4.84, less 3.68.
    assert plan(village, loan) == [
        (date(2028, 1, 15), 600_00, 53_65),
        (date(2028, 3, 1), 400_00, 1_16),
    ]
    pay(village, loan, 300_00, DECEMBER)
    undone(village, event, DECEMBER)
    assert plan(village, loan) == PLAN
    owed = loans.owed(village.session, loan=loan, on=DECEMBER)
    assert (owed.principal_minor, owed.interest_minor) == (653_65, 4_94)
    assert loan.outstanding_minor == 653_65


def test_waived_interest_begins_with_the_window(village: Village) -> None:
    loan = seasonal(village)
    flooded(village, FREEZE)
    # 190 days to 1 October are 49.97; time stands still to 15 January; then 46 days on 400.00.
    assert plan(village, loan) == [
        (date(2028, 1, 15), 600_00, 49_97),
        (date(2028, 3, 1), 400_00, 4_84),
    ]


def test_loans_that_ended_or_were_called_keep_their_plan(village: Village) -> None:
    ended, beyond, called = seasonal(village), seasonal(village), seasonal(village)
    event = flooded(village)
    day = date(2027, 12, 27)
    pay(village, ended, 1_077_79, day)
    assert ended.status is LoanStatus.CLOSED
    # All interest of the longer plan, 77.79, which is more than the 58.59 of the old one.
    pay(village, beyond, 672_85, day)
    pay(village, beyond, 4_94, day)
    grow_old(village, called, day + timedelta(days=31))
    assert called.status is LoanStatus.CALLED
    plans = [plan(village, loan) for loan in (ended, called)]
    undone(village, event, day + timedelta(days=31))
    assert [plan(village, loan) for loan in (ended, called)] == plans
    reasons = [record(village, event, loan).reason for loan in (ended, beyond, called)]
    assert reasons == ["ended", "", "called"]
    assert queries.progress_of(village.session, [event.id])[event.id].kept == 2
    # What was too much for interest is principal under the old plan: 677.79 less 58.59.
    assert plan(village, beyond) == PLAN
    assert beyond.outstanding_minor == 1_000_00 - 619_20


def test_a_later_change_that_needs_the_event_keeps_it(village: Village) -> None:
    loan, free = seasonal(village), seasonal(village)
    event = flooded(village, MOVE | {"days": 200})
    # The last due was on 1 December without the event: there would be nothing to move.
    servicing.restructure(
        village.session,
        loan_id=loan.id,
        kind=ChangeKind.RESCHEDULE,
        parameters={"from_due_on": "2028-01-01", "new_due_on": "2028-09-01"},
        reason="no seed",
        actor_id=None,
        **at(DECEMBER),
    )
    village.session.commit()
    kept = plan(village, loan)
    undone(village, event, DECEMBER)
    assert (plan(village, loan), plan(village, free)) == (kept, PLAN)
    assert record(village, event, loan).reason == "built-upon"


def test_a_change_that_an_event_made_is_not_taken_back_alone(village: Village) -> None:
    loan = seasonal(village)
    event = flooded(village)
    change_id = record(village, event, loan).change_id
    assert change_id is not None
    with pytest.raises(ChangeNotFound):
        servicing.undo_change(
            village.session, change_id=change_id, reason="x", actor_id=None, **at(FLOOD)
        )


def test_charges_move_with_their_due_and_are_counted(village: Village) -> None:
    loan = seasonal(village)
    pay(village, loan, 653_65, TODAY)
    servicing.add_charge(
        village.session,
        loan_id=loan.id,
        kind=ChargeKind.FEE,
        amount=cny(7_00),
        due_on=OCTOBER,
        reason="a visit",
        actor_id=None,
        **at(TODAY),
    )
    village.session.commit()
    before = raw_rows(village)
    event = flooded(village)
    assert event.preview is not None
    # The fee is paid before principal, of which 7.00 are left in October; 407.00 are out for the
    # longer time: 7.81 on 53.65.
    assert event.preview["months"] == [
        {"currency": "CNY", "month": "2027-10", "before_minor": 7_00, "after_minor": 0},
        {"currency": "CNY", "month": "2027-12", "before_minor": 404_94, "after_minor": 14_82},
        {"currency": "CNY", "month": "2028-02", "before_minor": 0, "after_minor": 404_94},
    ]
    [shown] = [record(village, event, loan).after[0]]
    assert shown == ["2027-12-27", 600_00, 61_47, 7_00, 0, 593_00, 53_65, 7_00, 0]
    undone(village, event)
    assert raw_rows(village) == before


def test_what_was_paid_of_a_due_costs_nothing_for_the_longer_time(village: Village) -> None:
    loan = seasonal(village)
    pay(village, loan, 453_65, TODAY)
    flooded(village)
    # 400.00 of October's 600.00 are paid: the longer time is that of 600.00 of 1,000.00, 11.52.
    assert plan(village, loan) == [
        (date(2027, 12, 27), 600_00, 65_17),
        (date(2028, 2, 12), 400_00, 4_94),
    ]


def test_events_build_on_each_other_and_each_can_be_undone(village: Village) -> None:
    loan = seasonal(village)
    before = raw_rows(village)
    first = flooded(village, {"kind": "move", "days": 10, "interest": "runs"})
    second = flooded(village, SPLIT)
    assert len(plan(village, loan)) == 4
    undone(village, first)
    # As if only the second had been.
    assert [row[0] for row in plan(village, loan)] == [
        OCTOBER,
        date(2027, 11, 15),
        DECEMBER,
        date(2028, 1, 1),
    ]
    assert list(check_seasons(village.session)) == []
    undone(village, second)
    assert raw_rows(village) == before


def test_a_loan_is_put_off_only_so_long_by_all_events_together(village: Village) -> None:
    loan = seasonal(village)
    again = MOVE | {"days": 200}
    flooded(village, again)
    window = {"dues_until": date(2028, 12, 31)}
    event = previewed(village, declare(village, again, **window))
    assert event.preview is not None
    assert event.preview["refusals"] == {"deferred-enough": 1}
    applied(village, event)
    assert plan(village, loan)[0][0] == OCTOBER + timedelta(days=200)


def test_a_preview_that_the_loans_left_behind_is_made_again(village: Village) -> None:
    paid, other = seasonal(village), seasonal(village)
    event = previewed(village, declare(village))
    pay(village, paid, 100_00, FLOOD)
    late = seasonal(village)
    act = {"event_id": event.id, "actor_id": None, **at(FLOOD)}
    with pytest.raises(PortfolioChanged) as refusal:
        service.begin_applying(village.session, **act)
    village.session.rollback()
    assert refusal.value.members["changed"] == {
        "loans": 2,
        "added": 1,
        "altered": 1,
        "gone": 0,
        "some": sorted([paid.public_id, late.public_id]),
    }
    assert plan(village, other) == PLAN
    applied(village, previewed(village, event))
    assert plan(village, paid)[0][0] == date(2027, 12, 27)


def test_what_changes_while_it_is_applied_is_met_as_it_is(village: Village) -> None:
    first, second, third = seasonal(village), seasonal(village), seasonal(village)
    event = previewed(village, declare(village))
    act = {"event_id": event.id, "actor_id": None, **at(FLOOD)}
    service.begin_applying(village.session, **act)
    village.session.commit()
    assert service.apply_some(village.session, limit=1, **act) == 2
    village.session.commit()
    pay(village, second, 653_65, FLOOD)
    pay(village, second, 404_94, FLOOD)
    assert service.apply_some(village.session, limit=9, **act) == 0
    village.session.commit()
    assert event.status is EventStatus.APPLIED
    assert record(village, event, second).reason == "nothing-left"
    for loan in (first, third):
        assert plan(village, loan)[0][0] == date(2027, 12, 27)
    # Whatever is asked for again, nothing happens twice.
    rows = raw_rows(village)
    service.begin_applying(village.session, **act)
    assert service.apply_some(village.session, **act) == 0
    assert raw_rows(village) == rows


def test_a_small_drift_is_let_through_and_new_loans_join(db_session: Session) -> None:
    village = lending(db_session, event_drift_bps_max=10_000)
    seasonal(village)
    event = previewed(village, declare(village))
    late = seasonal(village)
    applied(village, event)
    assert record(village, event, late).status is EventLoanStatus.APPLIED
    assert verify(db_session).breaches == ()


def test_steps_out_of_order_are_refused(village: Village) -> None:
    seasonal(village)
    event = declare(village)
    act: dict[str, Any] = {"event_id": event.id, "actor_id": None, **at(FLOOD)}
    with pytest.raises(NotPreviewed):
        service.begin_applying(village.session, **act)
    with pytest.raises(WrongState):
        service.begin_undoing(village.session, reason="x", **act)
    applied(village, previewed(village, event))
    with pytest.raises(WrongState):
        service.preview(village.session, **act)
    undone(village, event)
    with pytest.raises(WrongState):
        service.begin_applying(village.session, **act)
    assert service.begin_undoing(village.session, reason="x", **act).status is EventStatus.UNDONE
    with pytest.raises(DeclaredEventNotFound):
        service.preview(village.session, **act | {"event_id": 10**6})


@pytest.mark.parametrize(
    "changes",
    [
        {"happened_on": FLOOD + timedelta(days=1), "dues_from": date(2027, 11, 1)},
        {"dues_from": FLOOD - timedelta(days=1)},
        {"dues_until": FLOOD - timedelta(days=1)},
        {"dues_until": date(2031, 1, 1)},
        {"effect_document": FREEZE | {"until": "2027-12-31"}},
        {"effect_document": {"kind": "forgive"}},
    ],
)
def test_an_event_that_cannot_be_is_refused(village: Village, changes: dict[str, Any]) -> None:
    with pytest.raises(EventInvalid):
        declare(village, **changes)


def test_the_charter_says_for_how_long_and_by_whom(db_session: Session) -> None:
    village = lending(db_session, event_declarers=["operator"], event_deferral_days_max=72)
    with pytest.raises(DeferralTooLong) as refusal:
        declare(village)
    assert refusal.value.members["event_deferral_days_max"] == 72
    officer, operator = village.person("Officer"), village.person("Operator")
    _grant(village, officer, Role.OFFICER, village.township.id)
    _grant(village, operator, Role.OPERATOR, None)
    with pytest.raises(NotTheDeclarer):
        declare(village, SPLIT, actor_id=officer.id)
    declare(village, SPLIT, actor_id=operator.id)


def test_an_officer_declares_for_their_own_place_only(village: Village) -> None:
    officer = village.person("Officer")
    _grant(village, officer, Role.OFFICER, village.village.id)
    declare(village, community_id=village.village.id, actor_id=officer.id)
    with pytest.raises(NotTheDeclarer):
        declare(village, actor_id=officer.id)


def test_a_season_changes_until_a_loan_rests_on_it(village: Village) -> None:
    change = {"season_id": village.rice.id, "now": NOW, "actor_id": None}
    service.change_season(
        village.session,
        changes={"harvest_until": date(2027, 10, 1), "notes": "late this year"},
        **change,
    )
    assert (village.rice.version, village.rice.notes) == (2, "late this year")
    assert village.rice.selling == SELLING
    village.session.commit()
    village.applied(
        village.person(),
        product_id=village.seasonal.id,
        season_id=village.rice.id,
        instalments=None,
    )
    with pytest.raises(SeasonInUse):
        service.change_season(village.session, changes={"notes": "x"}, **change)


def test_changes_behind_the_services_are_found(db_session: Session) -> None:
    village = lending(db_session)
    loan = seasonal(village)
    event = flooded(village)
    assert list(check_seasons(db_session)) == []
    change = db_session.get_one(LoanChange, record(village, event, loan).change_id)
    change.undone_on, change.undone_reason = FLOOD, "behind their backs"
    db_session.flush()
    assert [b.what for b in check_seasons(db_session)] == [
        "is applied but its loan's change of plan is not"
    ]
    assert any("not what its history says" in b.what for b in check_loans(db_session))
    change.undone_on = change.undone_reason = None
    own = change.source
    change.source = previewed(village, declare(village)).public_id
    db_session.flush()
    assert [b.what for b in check_seasons(db_session)] == [
        "is applied but its loan's change of plan is not",
    ]
    change.source = own
    stray = LoanChange(
        loan_id=loan.id,
        kind=change.kind,
        effective_on=FLOOD,
        parameters=change.parameters,
        reason="nobody knows",
        source=own,
        days_overdue=0,
        recorded_at=NOW,
    )
    db_session.add(stray)
    db_session.flush()
    assert [b.what for b in check_seasons(db_session)] == [
        f"has no record of the change {stray.public_id} that belongs to it"
    ]
    db_session.delete(stray)
    event.status = EventStatus.UNDONE
    db_session.flush()
    assert [b.what for b in check_seasons(db_session)] == [
        "is undone, its last step reached applied",
        "is undone but 1 of its loans are applied",
    ]


def _grant(village: Village, member: Member, role: Role, community_id: int | None) -> None:
    grant_role(village.session, member_id=member.id, role=role, community_id=community_id, now=NOW)
