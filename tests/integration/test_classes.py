"""Classes and provisions of a hamlet's loans, worked by hand, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities import service as communities
from community.communities import templates
from community.communities.charter import RiskClass, read_rules
from community.communities.models import CommunityKind
from community.engine import session_factory
from community.guarantees.failure import advance_loan
from community.ledger.models import Event, JournalEntry
from community.loans import service as loans
from community.loans.models import Loan
from community.portfolio.classes import TIERS
from community.portfolio.models import LoanClass, LoanClassChange, ProvisionChange
from community.portfolio.provisions import (
    bps_expression,
    bps_of,
    provision_expression,
    provision_minor,
)
from community.portfolio.service import classify_loans, loan_ranges, provide
from community.products import service as products
from community.verification import verify
from tests.hamlet import Hamlet, yuan
from tests.portfolio_life import (
    allowance,
    class_of,
    counted,
    end_day,
    end_days,
    history,
    lending_hamlet,
    provisions,
    tiers,
)

N, SM, SS, D, L = TIERS
START = date(2026, 3, 2)


def lent(session: Session, **rules: Any) -> tuple[Hamlet, dict[str, Loan]]:
    """On 2 March ana borrows 1,200 over 12 months, ben twice 600 over 6, cai 300 over 3."""
    hamlet = lending_hamlet(session, "ana", "ben", "cai", **rules)
    made = {
        "ana": hamlet.lend("ana", 1_200, 12),
        "ben": hamlet.lend("ben", 600, 6),
        "ben2": hamlet.lend("ben", 600, 6),
        "cai": hamlet.lend("cai", 300, 3),
    }
    return hamlet, made


def test_new_loans_are_normal_and_one_percent_is_set_aside(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    classified, provided = end_day(hamlet)
    assert (classified.looked_at, classified.written) == (4, 4)
    assert (classified.worsened, classified.improved) == (0, 0)
    assert tiers(hamlet, *made.values()) == [N] * 4
    # 1 % of 1,200, 600, 600 and 300.
    assert provisions(hamlet, *made.values()) == [12, 6, 6, 3]
    assert (provided.loans, provided.raised_minor, provided.released_minor) == (4, 27, 0)
    assert len(provided.entry_ids) == 1
    assert allowance(hamlet) == 27
    assert history(hamlet, made["ana"]) == []
    assert class_of(hamlet, made["ana"]).since_on == START
    hamlet.check()


def test_a_late_loan_takes_the_members_other_loan_with_it(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    end_day(hamlet)
    # On 2 April ben pays one of his loans, cai hers; ana pays nothing.
    hamlet.day = date(2026, 4, 2)
    hamlet.repay(made["ben2"], 100)
    hamlet.repay(made["cai"], 100)
    classified, provided = end_day(hamlet, date(2026, 4, 3))
    assert tiers(hamlet, *made.values()) == [SM, SM, SM, N]
    # ana and ben's first by their own lateness, ben's second by his first; cai is not looked at.
    assert (classified.looked_at, classified.worsened) == (3, 3)
    assert classified.into == {SM: 3}
    assert class_of(hamlet, made["ben2"]).own_class is N
    # 2 % of 1,200, 600, 500, and 1 % of 200: 12 + 6 + 4 more, 1 less.
    assert provisions(hamlet, *made.values()) == [24, 12, 10, 2]
    assert (provided.raised_minor, provided.released_minor) == (22, 1)
    assert len(provided.entry_ids) == 2
    assert allowance(hamlet) == 48
    [change] = db_session.scalars(
        select(LoanClassChange).where(LoanClassChange.loan_id == made["ben2"].id)
    )
    assert change.reasons == [
        {
            "rule": "worst_loan_per_member",
            "class": "special_mention",
            "loan": made["ben"].public_id,
        },
        {"rule": "class_days", "class": "normal", "days_overdue": 0},
    ]
    hamlet.check()


def test_where_the_charter_says_so_each_loan_stands_alone(db_session: Session) -> None:
    hamlet, made = lent(db_session, worst_loan_per_member=False)
    hamlet.day = date(2026, 4, 2)
    hamlet.repay(made["ben2"], 100)
    end_day(hamlet, date(2026, 4, 3))
    assert tiers(hamlet, made["ben"], made["ben2"]) == [SM, N]
    hamlet.check()


def test_the_classes_of_a_loan_that_is_never_paid(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    ana = made["ana"]
    # The first due is of 2 April 2026; the days are counted from it.
    due = date(2026, 4, 2)
    for days, tier, provision in (
        (0, N, 12),
        (1, SM, 24),
        (90, SM, 24),
        (91, SS, 300),
        (270, SS, 300),
        (271, D, 600),
        (360, D, 600),
        (361, L, 1_200),
    ):
        end_day(hamlet, due + timedelta(days=days))
        assert tiers(hamlet, ana) == [tier], days
        assert provisions(hamlet, ana) == [provision], days
        assert class_of(hamlet, ana).overdue_since_on == (due if days else None)
    assert history(hamlet, ana) == [
        (date(2026, 4, 3), N, SM),
        (date(2026, 7, 2), SM, SS),
        (date(2026, 12, 29), SS, D),
        (date(2027, 3, 29), D, L),
    ]
    hamlet.check()


def test_paid_arrears_are_watched_for_half_a_year(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    ana = made["ana"]
    end_day(hamlet, date(2026, 7, 2))  # 91 days late
    assert tiers(hamlet, ana) == [SS]
    hamlet.day = date(2026, 7, 10)
    hamlet.repay(ana, 1_000)  # dues until January 2027
    end_day(hamlet)
    assert tiers(hamlet, ana) == [SS]
    assert class_of(hamlet, ana).clean_since_on == date(2026, 7, 10)
    assert provisions(hamlet, ana) == [50]  # a quarter of 200
    # 10 July and 180 days is 6 January 2027; nothing is due before 2 February.
    end_day(hamlet, date(2027, 1, 5))
    assert tiers(hamlet, ana) == [SS]
    end_day(hamlet, date(2027, 1, 6))
    assert tiers(hamlet, ana) == [N]
    assert provisions(hamlet, ana) == [2]
    hamlet.check()


def test_nothing_changes_when_a_day_is_done_again(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    end_day(hamlet, date(2026, 7, 2))
    before = _everything(db_session)
    classified, provided = end_day(hamlet)
    assert (classified.written, classified.worsened) == (0, 0)
    assert provided == type(provided)()
    assert _everything(db_session) == before
    # What was decided on a later day stays.
    classified, _ = end_day(hamlet, date(2026, 5, 1))
    assert classified.written == 0
    assert tiers(hamlet, made["ana"]) == [SS]


def test_day_by_day_gives_the_same_as_one_day_for_all(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    end_days(hamlet, date(2026, 7, 3))
    assert tiers(hamlet, *made.values()) == [SS, SS, SS, SS]
    assert provisions(hamlet, *made.values()) == [300, 150, 150, 75]
    assert allowance(hamlet) == 675
    # Only changes are rows: a loan that is late all the time has two.
    assert history(hamlet, made["ana"]) == [
        (date(2026, 4, 3), N, SM),
        (date(2026, 7, 2), SM, SS),
    ]
    hamlet.check()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_ranges_in_any_order_give_what_the_whole_gives(db_session: Session, size: int) -> None:
    hamlet, made = lent(db_session)
    hamlet.day = date(2026, 4, 2)
    hamlet.repay(made["ben2"], 100)
    hamlet.day = date(2026, 7, 2)
    parts = loan_ranges(db_session, community_id=hamlet.community.id, size=size)
    assert [loan_id for part in parts for loan_id in part] == [loan.id for loan in made.values()]
    assert max(map(len, parts)) == size
    for loan_ids in reversed(parts):
        end_day(hamlet, loan_ids=loan_ids)
    assert tiers(hamlet, *made.values()) == [SS, SS, SS, SS]
    assert provisions(hamlet, *made.values()) == [300, 150, 125, 75]
    again, _ = end_day(hamlet)
    assert again.written == 0
    hamlet.check()


def test_a_closed_loan_leaves_and_what_was_set_aside_for_it_is_free(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    cai = made["cai"]
    end_day(hamlet, date(2026, 7, 2))
    assert provisions(hamlet, cai) == [75]
    hamlet.repay(cai, 300)
    _, provided = end_day(hamlet, date(2026, 7, 3))
    row = class_of(hamlet, cai)
    assert (row.left_on, row.provision_minor) == (date(2026, 7, 2), 0)
    assert provided.released_minor == 75
    _, provided = end_day(hamlet, date(2026, 7, 4))
    assert cai.id not in _written_on(db_session, date(2026, 7, 4))
    assert provided.loans == 0
    hamlet.check()


def test_a_loan_that_was_written_off_is_a_loss_and_holds_down_the_members_others(
    db_session: Session,
) -> None:
    hamlet = lending_hamlet(db_session, "ben", call_day=5, write_off_day=20, class_watch_days=10)
    bad, good = hamlet.lend("ben", 300, 1), hamlet.lend("ben", 600, 6)
    due = date(2026, 4, 2)
    hamlet.day = due
    hamlet.repay(good, 600 // 6)
    for days in (1, 6, 21):
        hamlet.day = due + timedelta(days=days)
        hamlet.do(advance_loan, loan_id=bad.id, **hamlet.when)
        end_day(hamlet)
    assert class_of(hamlet, bad).left_on == due + timedelta(days=21)
    assert tiers(hamlet, bad, good) == [L, L]
    # Nothing is out on the bad one; the whole of the good one is set aside.
    assert provisions(hamlet, bad, good) == [0, 500]
    end_day(hamlet, date(2026, 4, 30))
    assert tiers(hamlet, good) == [L]
    # All of it comes back after all: nothing holds the good one down any more.
    hamlet.repay(bad, 300)
    end_day(hamlet, date(2026, 5, 1))
    assert tiers(hamlet, bad, good) == [L, N]
    assert provisions(hamlet, good) == [5]
    hamlet.check()


def test_a_new_loan_is_held_down_by_one_that_was_written_off_before_classes_began(
    db_session: Session,
) -> None:
    hamlet = lending_hamlet(db_session, "ben", call_day=5, write_off_day=20)
    bad, good = hamlet.lend("ben", 300, 1), hamlet.lend("ben", 600, 6)
    hamlet.day = date(2026, 4, 2)
    hamlet.repay(good, 100)
    for day in (date(2026, 4, 8), date(2026, 4, 23)):
        hamlet.day = day
        hamlet.do(advance_loan, loan_id=bad.id, **hamlet.when)
    end_day(hamlet, loan_ids=range(good.id, good.id + 1))
    assert tiers(hamlet, bad, good) == [L, L]
    hamlet.check()


def test_an_accelerated_loan_is_late_since_its_first_missed_due(db_session: Session) -> None:
    hamlet = lending_hamlet(db_session, "ben", call_day=5, reserve_fund_stands_in=False)
    loan = hamlet.lend("ben", 600, 6)
    hamlet.day = date(2026, 4, 8)
    hamlet.do(advance_loan, loan_id=loan.id, **hamlet.when)
    assert loan.accelerated_on == date(2026, 4, 8)
    end_day(hamlet)
    assert class_of(hamlet, loan).overdue_since_on == date(2026, 4, 2)
    # With the first due paid, all the rest is late since the day of the call.
    hamlet.repay(loan, 100)
    end_day(hamlet, date(2026, 4, 9))
    assert class_of(hamlet, loan).overdue_since_on == date(2026, 4, 8)
    assert class_of(hamlet, loan).overdue_since_on == (
        loans.owed(db_session, loan=loan, on=hamlet.day).overdue_since_on
    )
    hamlet.check()


def test_a_seasonal_loan_is_classed_by_seasons_where_the_charter_counts_them(
    db_session: Session,
) -> None:
    hamlet = lending_hamlet(db_session, "ana", day=date(2026, 3, 2), class_crop_seasons=1)

    def season(year: int) -> int:
        return hamlet.do(
            products.add_season,
            community_id=hamlet.community.id,
            code=f"rice-{year}",
            crop="rice",
            sow_from=date(year, 3, 1),
            sow_until=date(year, 5, 1),
            harvest_from=date(year, 9, 1),
            selling=[{"due_on": f"{year}-10-01", "weight": 1}],
            now=hamlet.now,
            actor_id=None,
        ).id

    first = season(2026)
    season(2027)
    hamlet.product_id = hamlet.product(
        "rice",
        {
            "amortisation": "seasonal",
            "day_count": "actual/365",
            "liability_mode": "none",
            "cover_ratio_bps": 0,
        },
    )
    loan = hamlet.do(
        loans.apply,
        community_id=hamlet.community.id,
        borrower_id=hamlet.people["ana"].id,
        product_id=hamlet.product_id,
        principal=yuan(1_000),
        purpose="seed",
        season_id=first,
        actor_id=None,
        **hamlet.when,
    )
    hamlet.approve(loan)
    hamlet.do(loans.disburse, loan_id=loan.id, actor_id=None, **hamlet.when)
    end_day(hamlet, date(2026, 10, 2))
    assert tiers(hamlet, loan) == [SM]
    end_day(hamlet, date(2027, 9, 30))  # 364 days late: by days it would be a loss
    assert tiers(hamlet, loan) == [SM]
    end_day(hamlet, date(2027, 10, 2))  # the next season is sold, and nothing came
    assert tiers(hamlet, loan) == [SS]
    [_, change] = db_session.scalars(
        select(LoanClassChange)
        .where(LoanClassChange.loan_id == loan.id)
        .order_by(LoanClassChange.id)
    )
    assert change.reasons == [
        {
            "rule": "class_crop_seasons",
            "class": "substandard",
            "days_overdue": 366,
            "seasons_missed": 1,
        }
    ]
    hamlet.check()


def test_changes_are_one_event_of_the_chain(db_session: Session) -> None:
    hamlet, made = lent(db_session)
    end_day(hamlet)
    end_day(hamlet, date(2026, 4, 3))
    [recorded] = db_session.scalars(select(Event).where(Event.kind == "portfolio.classified"))
    assert recorded.subject == hamlet.community.public_id
    assert recorded.facts == {
        "on": "2026-04-03",
        "charter": 1,
        "changes": [[loan.public_id, "normal", "special_mention"] for loan in made.values()],
    }


def test_each_product_has_entries_of_its_own(db_session: Session) -> None:
    hamlet, _ = lent(db_session)
    other = hamlet.product("other", {"liability_mode": "none", "cover_ratio_bps": 0})
    hamlet.product_id = other
    hamlet.lend("cai", 1_000, 2)
    _, provided = end_day(hamlet)
    entries = db_session.scalars(
        select(JournalEntry).where(JournalEntry.id.in_(provided.entry_ids))
    ).all()
    amounts = {
        entry.reference: sum(
            row.after_minor - row.before_minor
            for row in db_session.scalars(
                select(ProvisionChange).where(ProvisionChange.entry_id == entry.id)
            )
        )
        for entry in entries
    }
    assert sorted(amounts.values()) == [10, 27]
    assert all(entry.kind == "provision.raised" for entry in entries)
    hamlet.check()


def test_a_days_work_takes_the_same_statements_for_few_loans_and_for_many(
    db_session: Session,
) -> None:
    hamlet, _ = lent(db_session)
    end_day(hamlet)
    hamlet.day = date(2026, 4, 3)
    with counted(hamlet) as few:
        end_day(hamlet)
    for name in ("dou", "eva", "fei", "gao", "hua"):
        hamlet.person(name)
        hamlet.lend(name, 500, 5)
    end_day(hamlet)
    hamlet.day = date(2026, 5, 4)
    with counted(hamlet) as many:
        classified, _ = end_day(hamlet)
    assert classified.worsened == 5
    assert len(many) <= len(few)


def test_history_cannot_be_changed_by_sql(db_session: Session) -> None:
    hamlet, _ = lent(db_session)
    end_day(hamlet, date(2026, 4, 3))
    for statement in (
        "UPDATE loan_class_changes SET to_class = 'normal'",
        "DELETE FROM loan_class_changes",
        "UPDATE provision_changes SET after_minor = 1",
        "DELETE FROM provision_changes",
    ):
        with pytest.raises(DBAPIError, match="the past is not changed"), db_session.begin_nested():
            db_session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "table", "law"),
    [
        ("UPDATE loan_classes SET provision_minor = provision_minor + 1", "loan_classes", 5),
        ("UPDATE loan_classes SET provision_minor = provision_minor + 1", "communities", 1),
        ("UPDATE loan_classes SET risk_class = 'normal'", "loan_classes", 7),
        (
            "INSERT INTO provision_changes (entry_id, loan_id, risk_class, outstanding_minor,"
            " before_minor, after_minor) SELECT entry_id, loan_id, 'loss', 1, 5, 6"
            " FROM provision_changes WHERE id = (SELECT min(id) FROM provision_changes)",
            "provision_changes",
            5,
        ),
        (
            "INSERT INTO provision_changes (entry_id, loan_id, risk_class, outstanding_minor,"
            " before_minor, after_minor) SELECT entry_id, loan_id, 'loss', 1, 5, 6"
            " FROM provision_changes WHERE id = (SELECT min(id) FROM provision_changes)",
            "journal_entries",
            1,
        ),
        (
            "INSERT INTO loan_class_changes (loan_id, community_id, from_class, to_class,"
            " changed_on, reasons, charter_id, recorded_at) SELECT loan_id, community_id, 'loss',"
            " 'doubtful', changed_on, reasons, charter_id, recorded_at FROM loan_class_changes"
            " WHERE id = (SELECT min(id) FROM loan_class_changes)",
            "loan_class_changes",
            7,
        ),
    ],
)
def test_the_verifier_names_what_was_forged(
    db_session: Session, statement: str, table: str, law: int
) -> None:
    hamlet, _ = lent(db_session)
    end_day(hamlet, date(2026, 4, 3))
    hamlet.check()
    db_session.execute(text(statement))
    db_session.expire_all()
    found = verify(db_session).breaches
    assert (table, law) in {(breach.table, breach.law) for breach in found}


def test_a_community_without_a_charter_has_nothing_to_classify(db_session: Session) -> None:
    hamlet = lending_hamlet(db_session)
    bare = hamlet.do(
        communities.create_community,
        kind=CommunityKind.REGION,
        name="Bare",
        reference="bare",
        currency="CNY",
        now=hamlet.now,
        actor_id=None,
    )
    work: dict[str, Any] = {"community_id": bare.id, **hamlet.when}
    assert hamlet.do(classify_loans, **work).looked_at == 0
    assert hamlet.do(provide, **work).loans == 0


def test_two_who_do_the_same_day_set_aside_once(engine: Engine) -> None:
    """Both at once: one finds the work done, or runs again and finds it done."""
    with session_factory(engine)() as session:
        hamlet, _ = lent(session)
        end_day(hamlet)
        work: dict[str, Any] = {
            "community_id": hamlet.community.id,
            "on": date(2026, 7, 2),
            "now": hamlet.now,
        }
    start = Barrier(2)

    def run(_: int) -> int:
        with session_factory(engine)() as own:
            start.wait()
            changed = run_unit(own, classify_loans, **work).worsened
            run_unit(own, provide, **work)
            return int(changed)

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(run, range(2))) == [0, 4]
    with session_factory(engine)() as session:
        hamlet.session = session
        assert allowance(hamlet) == 675
        assert verify(session).breaches == ()


RULES = read_rules(templates.load("village-cooperative")["rules"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 10**15), st.integers(0, 10_000), st.sampled_from(TIERS))
def test_the_database_rounds_provisions_as_the_rule_does(
    db_session: Session, outstanding: int, bps: int, tier: RiskClass
) -> None:
    whole = literal(outstanding, LoanClass.provision_minor.type)
    by_share = provision_expression(whole, literal(bps))
    by_class = bps_expression(literal(tier, LoanClass.risk_class.type), RULES)
    row = db_session.execute(select(by_share, by_class)).one()
    assert tuple(row) == (provision_minor(outstanding, bps), bps_of(tier, RULES))


def _everything(session: Session) -> list[list[Any]]:
    session.expire_all()
    return [
        [tuple(row) for row in session.execute(select(model.__table__))]
        for model in (LoanClass, LoanClassChange, ProvisionChange, JournalEntry, Event)
    ]


def _written_on(session: Session, day: date) -> set[int]:
    return set(session.scalars(select(LoanClass.loan_id).where(LoanClass.as_of_on == day)))
