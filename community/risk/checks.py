"""What the desk's rows have to agree on: a verifier's look at them."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.risk.models import (
    RiskCircle,
    RiskCircleMember,
    RiskRun,
    StressDraw,
    StressMember,
    StressStatus,
    StressTest,
)


def check_risk(session: Session) -> Iterator[Breach]:
    """Runs have the circles that they say, circles their members, tests their draws and sums."""
    members = (
        select(
            RiskCircleMember.circle_id,
            func.count().label("number"),
            func.sum(RiskCircleMember.owed_minor).label("owed"),
        )
        .group_by(RiskCircleMember.circle_id)
        .subquery()
    )
    for circle in session.scalars(
        select(RiskCircle)
        .outerjoin(members, members.c.circle_id == RiskCircle.id)
        .where(
            (func.coalesce(members.c.number, 0) != RiskCircle.size)
            | (func.coalesce(members.c.owed, 0) != RiskCircle.exposure_minor)
        )
        .order_by(RiskCircle.id)
    ):
        yield Breach(7, "risk_circles", str(circle.id), "its members are not those that it counts")
    found = (
        select(RiskCircle.run_id, func.count().label("number"))
        .group_by(RiskCircle.run_id)
        .subquery()
    )
    for run in session.scalars(
        select(RiskRun)
        .outerjoin(found, found.c.run_id == RiskRun.id)
        .where(func.coalesce(found.c.number, 0) != RiskRun.circles)
        .order_by(RiskRun.id)
    ):
        yield Breach(7, "risk_runs", str(run.id), "its circles are not those that it counts")
    draws = (
        select(
            StressDraw.test_id,
            func.count().label("number"),
            func.sum(StressDraw.members_minor).label("paid"),
        )
        .group_by(StressDraw.test_id)
        .subquery()
    )
    paid = (
        select(StressMember.test_id, func.sum(StressMember.paid_sum_minor).label("paid"))
        .group_by(StressMember.test_id)
        .subquery()
    )
    for test in session.scalars(
        select(StressTest)
        .outerjoin(draws, draws.c.test_id == StressTest.id)
        .outerjoin(paid, paid.c.test_id == StressTest.id)
        .where(
            StressTest.status == StressStatus.DONE,
            (func.coalesce(draws.c.number, 0) != StressTest.draws)
            | (func.coalesce(draws.c.paid, 0) != func.coalesce(paid.c.paid, 0)),
        )
        .order_by(StressTest.id)
    ):
        yield Breach(7, "risk_stress_tests", str(test.id), "its draws do not sum to what it says")
