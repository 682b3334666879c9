"""Portfolio figures of a hamlet, worked by hand, on both databases."""

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.charter import CharterRules, RiskClass
from community.communities.models import CommunityKind
from community.communities.queries import charter_on
from community.groups.models import Group, GroupStatus
from community.guarantees.failure import advance_loan
from community.loans.models import GroupLoan, Loan, LoanStatus
from community.portfolio.at_risk import Basis, Grouping, RiskReport, portfolio_at_risk
from community.portfolio.errors import BadMonth, DayToCome
from community.portfolio.measures import Part
from community.portfolio.queries import class_report, loan_class_file, non_accrual_loan_ids
from community.portfolio.rolls import roll_rates
from community.portfolio.vintages import EverLate, vintages
from tests.hamlet import FAR, Hamlet
from tests.portfolio_life import counted, end_day, lending_hamlet

CALM: dict[str, Any] = {"call_day": 5, "write_off_day": 20, "reserve_fund_stands_in": False}


def told(session: Session) -> tuple[Hamlet, dict[str, Loan]]:
    """What happens until the end of July; days on which a class changes, and months, are ended.

    2 March: ana borrows 1,200 over 12 months, ben twice 600 over 6, cai 300 over 3.
    2 April: ben pays 100 on his second, cai 100. 20 April: dou borrows 100, eva 200, due 20 May.
    20 May: dou pays. 26 May, 10 June: eva's is called, written off. 1 June: cai pays the rest.
    5 June: ben pays all of his second.
    """
    hamlet = lending_hamlet(session, "ana", "ben", "cai", "dou", "eva", **CALM)
    made = {
        "ana": hamlet.lend("ana", 1_200, 12),
        "ben": hamlet.lend("ben", 600, 6),
        "ben2": hamlet.lend("ben", 600, 6),
        "cai": hamlet.lend("cai", 300, 3),
    }
    end_day(hamlet)
    end_day(hamlet, date(2026, 3, 31))
    _on(hamlet, date(2026, 4, 2), ("ben2", 100), ("cai", 100), made=made)
    end_day(hamlet, date(2026, 4, 3))
    hamlet.day = date(2026, 4, 20)
    made |= {"dou": hamlet.lend("dou", 100), "eva": hamlet.lend("eva", 200)}
    end_day(hamlet, date(2026, 4, 30))
    end_day(hamlet, date(2026, 5, 3))
    _on(hamlet, date(2026, 5, 20), ("dou", 100), made=made)
    _advance(hamlet, date(2026, 5, 26), made["eva"])
    end_day(hamlet, date(2026, 5, 31))
    _on(hamlet, date(2026, 6, 1), ("cai", 200), made=made)
    _on(hamlet, date(2026, 6, 5), ("ben2", 500), made=made)
    _advance(hamlet, date(2026, 6, 10), made["eva"])
    for day in (date(2026, 6, 30), date(2026, 7, 2), date(2026, 7, 31)):
        end_day(hamlet, day)
    return hamlet, made


def _on(hamlet: Hamlet, day: date, *paid: tuple[str, int], made: dict[str, Loan]) -> None:
    hamlet.day = day
    for name, amount in paid:
        hamlet.repay(made[name], amount)
    end_day(hamlet)


def _advance(hamlet: Hamlet, day: date, loan: Loan) -> None:
    hamlet.day = day
    hamlet.do(advance_loan, loan_id=loan.id, **hamlet.when)
    end_day(hamlet)


def par(
    hamlet: Hamlet, on: date, *, today: date | None = None, by: Grouping | None = None
) -> RiskReport:
    return portfolio_at_risk(
        hamlet.session, community=hamlet.community, on=on, today=today or hamlet.day, by=by
    )


def figures(report: RiskReport) -> tuple[int, int, dict[int, Part]]:
    total = report.total
    return total.loans, total.outstanding_minor, {each.days: each.out for each in total.at_risk}


NOTHING = Part(0, 0, 0)


def test_par_counts_the_whole_of_a_loan_from_the_day_after_the_thirtieth(
    db_session: Session,
) -> None:
    hamlet, _ = told(db_session)
    # Since 2 April: 30 days late on 2 May, 31 on 3 May.
    assert figures(par(hamlet, date(2026, 5, 2))) == (
        6,
        2_800,
        {30: NOTHING, 60: NOTHING, 90: NOTHING},
    )
    # ana's 1,200 and ben's 600 of 1,200 + 600 + 500 + 200 + 100 + 200.
    assert figures(par(hamlet, date(2026, 5, 3))) == (
        6,
        2_800,
        {30: Part(2, 1_800, 6_429), 60: NOTHING, 90: NOTHING},
    )
    # On 4 June ben's second is 33 days late too; cai and dou have paid, eva's due is of 20 May.
    assert figures(par(hamlet, date(2026, 6, 4))) == (
        4,
        2_500,
        {30: Part(3, 2_300, 9_200), 60: Part(2, 1_800, 7_200), 90: NOTHING},
    )
    # At the end only ana's and ben's first are out: 120 days late.
    assert figures(par(hamlet, date(2026, 7, 31))) == (
        2,
        1_800,
        {days: Part(2, 1_800, 10_000) for days in (30, 60, 90)},
    )


def test_what_was_reported_on_a_day_is_what_history_says_of_it_later(db_session: Session) -> None:
    """A seeded life: rows of each day against schedules and receipts, asked at the end."""
    dice = random.Random(7)
    hamlet = lending_hamlet(db_session, **CALM | {"call_day": 9, "write_off_day": 50})
    out: list[Loan] = []
    reported = []
    for _ in range(36):
        hamlet.day += timedelta(days=dice.choice([1, 4, 9]))
        if dice.random() < 0.3:
            borrower = f"borrower {len(out)}"
            hamlet.person(borrower)
            for _ in range(dice.choice([1, 2])):
                out.append(hamlet.lend(borrower, dice.choice([90, 700]), dice.choice([1, 4])))
        for loan in out:
            if loan.status in (LoanStatus.CURRENT, LoanStatus.OVERDUE, LoanStatus.CALLED):
                if dice.random() < 0.15 and loan.outstanding_minor:
                    amount = dice.choice([10, 60, loan.outstanding_minor])
                    hamlet.repay(loan, min(amount, loan.outstanding_minor))
                hamlet.do(advance_loan, loan_id=loan.id, **hamlet.when)
        end_day(hamlet)
        reported.append(par(hamlet, hamlet.day))
    statuses = {loan.status for loan in out}
    assert {LoanStatus.CLOSED, LoanStatus.WRITTEN_OFF} <= statuses
    assert any(report.total.at_risk[0].out.loans for report in reported)
    later = hamlet.day + timedelta(days=1)
    for report in reported:
        again = par(hamlet, report.on, today=later)
        assert again.basis is Basis.HISTORY
        assert replace(again, basis=Basis.ROWS) == report
    hamlet.check()


def test_today_is_read_from_rows_and_the_future_from_nowhere(db_session: Session) -> None:
    hamlet = lending_hamlet(db_session, "ana")
    hamlet.lend("ana", 100)
    assert par(hamlet, hamlet.day).basis is Basis.ROWS
    assert par(hamlet, hamlet.day).total.outstanding_minor == 100
    with pytest.raises(DayToCome):
        par(hamlet, hamlet.day + timedelta(days=1))
    early = par(hamlet, hamlet.day, today=hamlet.day + timedelta(days=1))
    assert early.total.outstanding_minor == 100
    hamlet.day += timedelta(days=40)
    assert figures(par(hamlet, date(2026, 3, 2), today=hamlet.day))[:2] == (1, 100)


def test_par_by_what_it_is_broken_down_by(db_session: Session) -> None:
    hamlet, made = told(db_session)
    group = Group(
        community_id=hamlet.community.id,
        name="East bank",
        status=GroupStatus.ACTIVE,
        pair_cap_minor=1,
        vouch_expires_on=FAR,
        founder_id=hamlet.officer.id,
        leader_id=hamlet.officer.id,
        leader_until_on=FAR,
        created_at=hamlet.now,
    )
    db_session.add(group)
    db_session.flush()
    shared = GroupLoan(
        group_id=group.id,
        community_id=hamlet.community.id,
        total_minor=1_200,
        submitted_by_id=hamlet.officer.id,
        created_at=hamlet.now,
    )
    db_session.add(shared)
    db_session.flush()
    made["ana"].group_loan_id = shared.id
    other = hamlet.product("other", {"liability_mode": "none", "cover_ratio_bps": 0})
    hamlet.product_id = other
    hamlet.lend("cai", 200)
    end_day(hamlet)
    on = hamlet.day

    def by(grouping: Grouping) -> list[tuple[str | None, int, int]]:
        report = par(hamlet, on, by=grouping)
        assert report.total == par(hamlet, on).total
        assert sum(row.outstanding_minor for row in report.rows) == 2_000
        past = par(hamlet, on, today=on + timedelta(days=1), by=grouping)
        assert replace(past, basis=Basis.ROWS) == report
        return [
            (row.name, row.outstanding_minor, row.at_risk[0].out.share_bps) for row in report.rows
        ]

    assert by(Grouping.COMMUNITY) == [("Hamlet", 2_000, 9_000)]
    assert by(Grouping.GROUP) == [("East bank", 1_200, 10_000), (None, 800, 7_500)]
    assert by(Grouping.PRODUCT) == [("plain", 1_800, 10_000), ("other", 200, 0)]
    assert by(Grouping.OFFICER) == [("officer", 2_000, 9_000)]
    assert by(Grouping.CROP) == [(None, 2_000, 9_000)]


def test_a_community_sees_those_inside_it_and_not_those_beside_it(db_session: Session) -> None:
    hamlet = lending_hamlet(db_session, "ana")
    hamlet.lend("ana", 100)
    inside, beside = (
        hamlet.do(
            communities.create_community,
            kind=CommunityKind.REGION,
            name=name,
            reference=name,
            currency="CNY",
            now=hamlet.now,
            actor_id=None,
            parent_id=parent,
        )
        for name, parent in (("inside", hamlet.community.id), ("beside", None))
    )
    [loan] = [hamlet.lend("ana", 40)]
    loan.community_id = inside.id
    [loan] = [hamlet.lend("ana", 7)]
    loan.community_id = beside.id
    db_session.flush()
    report = par(hamlet, hamlet.day, by=Grouping.COMMUNITY)
    assert [(row.name, row.outstanding_minor) for row in report.rows] == [
        ("Hamlet", 100),
        ("inside", 40),
    ]


def test_vintages_say_how_many_of_a_month_ever_went_bad(db_session: Session) -> None:
    hamlet, _ = told(db_session)
    report = vintages(
        db_session, community=hamlet.community, until=hamlet.day, today=hamlet.day, months=12
    )
    march, april = report.cohorts
    assert (march.month, march.loans, march.disbursed_minor) == ("2026-03", 4, 2_700)
    assert [age.months_on_book for age in march.ages] == [0, 1, 2, 3, 4]

    def ever(place: int, cohort: Any = march) -> list[tuple[int, int, int]]:
        late = [age.ever_late[place] for age in cohort.ages]
        assert {each.days for each in late} == {(30, 60, 90)[place]}
        return [(e.loans.loans, e.loans.amount_minor, e.loans.share_bps) for e in late]

    # ana and ben's first on 3 May; ben's second, due 2 May and paid on 5 June, on 2 June. cai was
    # 30 days late with her due of 2 May, which is not more than 30.
    assert ever(0) == [
        (0, 0, 0),
        (0, 0, 0),
        (2, 1_800, 6_667),
        (3, 2_400, 8_889),
        (3, 2_400, 8_889),
    ]
    assert ever(1) == [(0, 0, 0)] * 3 + [(2, 1_800, 6_667)] * 2  # 2 June
    assert ever(2) == [(0, 0, 0)] * 4 + [(2, 1_800, 6_667)]  # 2 July
    assert all(age.written_off == NOTHING for age in march.ages)
    # Of dou's 100 and eva's 200, eva's was given up in June; 31 days late it was on 20 June.
    assert (april.loans, april.disbursed_minor) == (2, 300)
    lost = Part(1, 200, 6_667)
    assert [age.written_off for age in april.ages] == [NOTHING, NOTHING, lost, lost]
    assert ever(0, april) == [(0, 0, 0), (0, 0, 0), (1, 200, 6_667), (1, 200, 6_667)]


def test_a_payment_on_the_day_itself_comes_before_lateness(db_session: Session) -> None:
    hamlet = lending_hamlet(db_session, "ana", "ben")
    soon, late = hamlet.lend("ana", 100), hamlet.lend("ben", 100)
    hamlet.day = date(2026, 5, 3)  # 31 days after 2 April
    hamlet.repay(soon, 100)
    hamlet.day = date(2026, 5, 4)
    hamlet.repay(late, 100)
    report = vintages(
        db_session, community=hamlet.community, until=hamlet.day, today=hamlet.day, months=2
    )
    assert report.cohorts[0].ages[-1].ever_late[0] == EverLate(30, Part(1, 100, 5_000))


def test_vintages_begin_as_far_back_as_is_asked(db_session: Session) -> None:
    hamlet, _ = told(db_session)
    report = vintages(
        db_session, community=hamlet.community, until=hamlet.day, today=hamlet.day, months=3
    )
    assert [cohort.month for cohort in report.cohorts] == ["2026-04"]


def test_roll_rates_follow_each_class_from_month_to_month(db_session: Session) -> None:
    hamlet, _ = told(db_session)

    def rolls(month: str) -> dict[tuple[str, str], tuple[int, int, int]]:
        report = roll_rates(db_session, community=hamlet.community, month=month, today=hamlet.day)
        return {
            (roll.from_state, roll.to_state): (
                roll.loans.loans,
                roll.loans.amount_minor,
                roll.loans.share_bps,
            )
            for roll in report.rolls
        }

    assert rolls("2026-03") == {("new", "normal"): (4, 2_700, 10_000)}
    # Nobody but cai and ben's second paid; by his first the second is special mention too. cai has
    # paid what was due.
    assert rolls("2026-04") == {
        ("normal", "special_mention"): (3, 2_400, 8_889),
        ("normal", "normal"): (1, 300, 1_111),
        ("new", "normal"): (2, 300, 10_000),
    }
    assert rolls("2026-06") == {
        # 1,200 + 600; 500 + 200; 200: of the 2,700 that were out at the end of May.
        ("special_mention", "special_mention"): (2, 1_800, 6_667),
        ("special_mention", "closed"): (2, 700, 2_593),
        ("special_mention", "written_off"): (1, 200, 741),
    }
    assert rolls("2026-07") == {("special_mention", "substandard"): (2, 1_800, 10_000)}
    assert rolls("2026-02") == {}


@pytest.mark.parametrize("month", ["2026-08", "2026-13", "x"])
def test_a_month_that_has_not_ended_has_no_rolls(db_session: Session, month: str) -> None:
    hamlet = lending_hamlet(db_session)
    with pytest.raises(BadMonth):
        roll_rates(db_session, community=hamlet.community, month=month, today=date(2026, 8, 30))


def test_classes_with_what_is_set_aside(db_session: Session) -> None:
    hamlet, made = told(db_session)
    hamlet.lend("cai", 200)  # not classified before the day ends
    report = class_report(db_session, community=hamlet.community)
    by_tier = {total.tier: (total.out, total.provision_minor) for total in report.totals}
    assert by_tier[RiskClass.SUBSTANDARD] == (Part(2, 1_800, 9_000), 450)
    assert by_tier[RiskClass.NORMAL] == (NOTHING, 0)
    assert report.unclassified == Part(1, 200, 1_000)
    assert (report.loans, report.outstanding_minor, report.provision_minor) == (3, 2_000, 450)
    assert report.non_performing == Part(2, 1_800, 9_000)
    assert report.coverage_bps == 2_500
    # eva's, written off, is a loss.
    ids = db_session.scalars(non_accrual_loan_ids(hamlet.community.id, _rules(hamlet)))
    assert set(ids) == {made["ana"].id, made["ben"].id, made["eva"].id}


def test_the_file_of_one_loan(db_session: Session) -> None:
    hamlet, made = told(db_session)
    file = loan_class_file(db_session, made["ana"])
    assert file.current is not None
    assert file.current.risk_class is RiskClass.SUBSTANDARD
    assert file.days_overdue(hamlet.day) == 120
    assert [change.changed_on for change, _ in file.changes] == [
        date(2026, 7, 2),
        date(2026, 4, 3),
    ]
    assert {charter.version for _, charter in file.changes} == {1}
    fresh = hamlet.lend("dou", 50)
    file = loan_class_file(db_session, fresh)
    assert (file.current, list(file.changes), file.days_overdue(hamlet.day)) == (None, [], 0)


def test_reports_take_the_same_statements_for_few_loans_and_for_many(db_session: Session) -> None:
    hamlet = lending_hamlet(db_session, "ana")
    hamlet.lend("ana", 100)

    def statements() -> int:
        end_day(hamlet)
        today = hamlet.day
        with counted(hamlet) as sent:
            for by in Grouping:
                par(hamlet, today, by=by)
                par(hamlet, today - timedelta(days=1), by=by)
            vintages(db_session, community=hamlet.community, until=today, today=today, months=12)
            month = "2026-03"
            roll_rates(db_session, community=hamlet.community, month=month, today=today)
            class_report(db_session, community=hamlet.community)
        return len(sent)

    hamlet.day = date(2026, 4, 1)
    few = statements()
    for name in ("ben", "cai", "dou"):
        hamlet.person(name)
        for _ in range(3):
            hamlet.lend(name, 200, 4)
    hamlet.day = date(2026, 5, 3)
    assert statements() == few


def _rules(hamlet: Hamlet) -> CharterRules:
    return charter_on(hamlet.session, hamlet.community.id, hamlet.day).rules
