"""What falls due when, on both databases, worked by hand; and in a fixed number of statements."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.models import Community, CommunityKind
from community.guarantees import service as guarantees
from community.loans.models import (
    ChangeKind,
    ChargeKind,
    Instalment,
    Loan,
    LoanStatus,
    RepaymentSource,
)
from community.products.service import add_season
from community.seasons import calendar
from community.seasons.calendar import (
    CalendarLine,
    Dimension,
    Step,
    dues_calendar,
    member_calendar,
    payout_calendar,
)
from community.seasons.errors import CalendarTooWide
from community.servicing import service as servicing
from tests.lending import NOW, TODAY, Village, cny, make_village

# Rice: 60 % on 15 October, 40 % on 1 December. 1,000.00 for 204 days at 9.6 % cost 53.65, 400.00
# for 47 days 4.94; of 500.00 it is 26.83 and 2.47. Wheat: all on 30 July, 127 days: 3.34 on 100.00.
YEAR = {"from_on": date(2027, 1, 1), "until_on": date(2027, 12, 31)}
OCTOBER, DECEMBER, JULY = date(2027, 10, 1), date(2027, 12, 1), date(2027, 7, 1)


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """The statements that the session sends."""
    sent: list[str] = []
    connection: Connection = session.connection()

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(connection, "before_cursor_execute", note)


@pytest.fixture
def village(db_session: Session) -> Village:
    return make_village(db_session)


@pytest.fixture
def harvest(village: Village) -> dict[str, Any]:
    """Three loans for rice by two members, one for wheat, one that follows no season."""
    wheat = add_season(
        village.session,
        community_id=village.village.id,
        code="wheat",
        crop="wheat",
        sow_from=date(2026, 10, 1),
        sow_until=date(2026, 11, 1),
        harvest_from=date(2027, 6, 1),
        selling=[{"due_on": "2027-07-30", "weight": 1}],
        now=NOW,
        actor_id=None,
    )
    wang, li = village.person("Wang"), village.person("Li")

    def lend(borrower: Any, minor: int, season: Any) -> Loan:
        product = village.seasonal if season is not None else village.monthly
        return village.disbursed(
            borrower,
            minor,
            product_id=product.id,
            season_id=season.id if season is not None else None,
            instalments=None if season is not None else 3,
        )

    made = {
        "wang": wang,
        "li": li,
        "rice": [lend(wang, 1_000_00, village.rice), lend(wang, 500_00, village.rice)],
        "li_rice": lend(li, 1_000_00, village.rice),
        "wheat": lend(li, 100_00, wheat),
        "monthly": lend(li, 300_00, None),
    }
    guarantees.record_repayment(
        village.session,
        loan_id=made["li_rice"].id,
        amount=cny(700_00),
        payer_id=None,
        source=RepaymentSource.BORROWER,
        on=TODAY + timedelta(days=9),
        now=NOW,
        actor_id=None,
    )
    village.session.commit()
    return made


def test_dues_by_crop_and_month(village: Village, harvest: dict[str, Any]) -> None:
    lines = dues_calendar(village.session, community=village.township, **YEAR)
    assert all(line.region is None and line.product is None for line in lines)
    rice = [line for line in lines if line.crop == "rice"]
    # Of the 700.00, October takes 653.65; 46.35 of December are paid in advance.
    assert [figures(line) for line in rice] == [
        (OCTOBER, 3, 2, 1_500_00, 134_13, 653_65, 980_48),
        (DECEMBER, 3, 2, 1_000_00, 12_35, 46_35, 966_00),
    ]
    [wheat] = [line for line in lines if line.crop == "wheat"]
    assert figures(wheat) == (JULY, 1, 1, 100_00, 3_34, 0, 103_34)
    none = [line for line in lines if line.crop is None]
    assert [line.from_on for line in none] == [date(2027, m, 1) for m in (4, 5, 6)]
    assert sum(line.principal_minor for line in none) == 300_00


def test_dues_by_week_and_by_window(village: Village, harvest: dict[str, Any]) -> None:
    weeks = dues_calendar(
        village.session, community=village.village, crop="rice", step=Step.WEEK, **YEAR
    )
    # 15 October 2027 is a Friday, 1 December a Wednesday.
    assert [line.from_on for line in weeks] == [date(2027, 10, 11), date(2027, 11, 29)]
    windows = dues_calendar(village.session, community=village.village, step=Step.WINDOW, **YEAR)
    found = {(line.crop, line.window): line.loans for line in windows}
    assert found == {(None, None): 1, ("rice", "sell"): 3, ("wheat", "sell"): 1}
    # A Monday begins its own week, a Sunday belongs to the Monday before.
    for day, monday in (
        (date(2027, 10, 11), 11),
        (date(2027, 10, 17), 11),
        (date(2027, 10, 18), 18),
    ):
        row = harvest["wheat"]
        instalment = loan_row(village.session, row)
        instalment.due_on = day
        village.session.flush()
        [line] = dues_calendar(
            village.session, community=village.village, crop="wheat", step=Step.WEEK, **YEAR
        )
        assert line.from_on == date(2027, 10, monday)


def test_dues_by_place_and_product(village: Village, harvest: dict[str, Any]) -> None:
    elsewhere = _other_village(village)
    lines = dues_calendar(
        village.session,
        community=village.township,
        by=[Dimension.REGION, Dimension.PRODUCT],
        from_on=OCTOBER,
        until_on=date(2027, 10, 31),
    )
    [line] = lines
    assert (line.region, line.product, line.crop) == (village.village, village.seasonal, None)
    assert dues_calendar(village.session, community=elsewhere, **YEAR) == []
    product = {"product_id": village.monthly.id}
    assert len(dues_calendar(village.session, community=village.township, **YEAR, **product)) == 3


def test_tranches_of_approved_loans_are_to_go_out(village: Village) -> None:
    maize = add_season(
        village.session,
        community_id=village.township.id,
        code="maize",
        crop="maize",
        sow_from=date(2027, 4, 10),
        sow_until=date(2027, 5, 15),
        harvest_from=date(2027, 9, 10),
        selling=[{"due_on": "2027-10-15", "weight": 1}],
        tranches=[{"pay_on": "2027-04-01", "weight": 2}, {"pay_on": "2027-05-01", "weight": 1}],
        now=NOW,
        actor_id=None,
    )
    facts = {"product_id": village.seasonal.id, "season_id": maize.id, "instalments": None}
    for minor in (100_00, 100_00, 200_00):
        village.approved(village.person(), minor, **facts)
    village.applied(village.person(), **facts)
    lines = payout_calendar(village.session, community=village.township, **YEAR)
    # 66.67 and 33.33 of a hundred, twice; 133.34 and 66.66 of two hundred.
    assert [(line.season.crop, line.pay_on, line.loans, line.amount_minor) for line in lines] == [
        ("maize", date(2027, 4, 1), 3, 266_68),
        ("maize", date(2027, 5, 1), 3, 133_32),
    ]
    april = {"from_on": date(2027, 4, 1), "until_on": date(2027, 4, 30)}
    assert len(payout_calendar(village.session, community=village.village, **april)) == 1
    none = payout_calendar(village.session, community=village.township, **YEAR, crop="rice")
    assert none == []
    # One goes out on 25 March, before its first day: its second tranche is still to come.
    running = village.disbursed(village.person(), 100_00, **facts)
    assert running.disbursed_minor == 66_67
    lines = payout_calendar(village.session, community=village.township, **YEAR)
    assert [(line.pay_on, line.loans, line.amount_minor) for line in lines] == [
        (date(2027, 4, 1), 3, 266_68),
        (date(2027, 5, 1), 4, 166_65),
    ]
    servicing.pay_tranche(
        village.session, loan_id=running.id, on=date(2027, 5, 1), now=NOW, actor_id=None
    )
    village.session.commit()
    lines = payout_calendar(village.session, community=village.township, **YEAR)
    assert [line.loans for line in lines] == [3, 3]


def test_charges_are_on_the_calendar_and_restructured_loans_too(village: Village) -> None:
    loan = village.disbursed(
        village.person(),
        product_id=village.seasonal.id,
        season_id=village.rice.id,
        instalments=None,
    )
    act: dict[str, Any] = {"loan_id": loan.id, "on": TODAY, "now": NOW, "actor_id": None}
    for kind, minor in ((ChargeKind.FEE, 7_00), (ChargeKind.PENALTY, 3_00)):
        due_on = date(2027, 10, 15)
        servicing.add_charge(
            village.session, kind=kind, amount=cny(minor), due_on=due_on, reason="x", **act
        )
    servicing.restructure(
        village.session,
        kind=ChangeKind.SPLIT,
        parameters={"from_on": "2027-12-01", "until_on": "2027-12-01", "parts": 2},
        reason="x",
        **act,
    )
    village.session.commit()
    assert loan.status is LoanStatus.RESTRUCTURED
    line, *_ = dues_calendar(village.session, community=village.township, **YEAR)
    assert (line.fee_minor, line.penalty_minor, line.due_minor) == (7_00, 3_00, 663_65)
    due, *_ = member_calendar(village.session, member_id=loan.borrower_id, **YEAR)
    assert (due.fee_minor, due.penalty_minor, due.due_minor) == (7_00, 3_00, 663_65)


def test_a_member_sees_each_of_their_own_dues(village: Village, harvest: dict[str, Any]) -> None:
    dues = member_calendar(village.session, member_id=harvest["wang"].id, **YEAR)
    assert [(d.loan, d.crop, d.due_on, d.principal_minor, d.due_minor) for d in dues] == [
        (harvest["rice"][0], "rice", date(2027, 10, 15), 600_00, 653_65),
        (harvest["rice"][1], "rice", date(2027, 10, 15), 300_00, 326_83),
        (harvest["rice"][0], "rice", DECEMBER, 400_00, 404_94),
        (harvest["rice"][1], "rice", DECEMBER, 200_00, 202_47),
    ]


def test_no_more_statements_for_more_loans(village: Village, harvest: dict[str, Any]) -> None:
    by = list(Dimension)
    with statements(village.session) as sent:
        few = dues_calendar(village.session, community=village.township, by=by, **YEAR)
    village.disbursed(
        village.person(),
        product_id=village.seasonal.id,
        season_id=village.rice.id,
        instalments=None,
    )
    village.session.expire_all()
    township = village.township.path
    with statements(village.session) as more:
        dues_calendar(village.session, community=village.township, by=by, **YEAR)
    assert township
    assert len(sent) == len(more) == 3
    assert few


def test_too_many_lines_are_refused(
    village: Village, harvest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calendar, "LINES_MAX", 3)
    with pytest.raises(CalendarTooWide):
        dues_calendar(village.session, community=village.township, **YEAR)
    with pytest.raises(CalendarTooWide):
        member_calendar(village.session, member_id=harvest["wang"].id, **YEAR)


def figures(line: CalendarLine) -> tuple[Any, ...]:
    return (
        line.from_on,
        line.loans,
        line.members,
        line.principal_minor,
        line.interest_minor,
        line.paid_minor,
        line.due_minor,
    )


def loan_row(session: Session, loan: Loan) -> Any:
    return session.scalars(select(Instalment).where(Instalment.loan_id == loan.id)).one()


def _other_village(village: Village) -> Community:
    return communities.create_community(
        village.session,
        kind=CommunityKind.REGION,
        name="Elsewhere",
        reference="elsewhere",
        currency="CNY",
        now=NOW,
        actor_id=None,
        parent_id=village.township.id,
    )
