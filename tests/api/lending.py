"""A village that lends, for tests through HTTP."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.extensions import db
from community.communities.models import Community
from community.members.models import Member
from community.members.principal import Role
from community.members.service import grant_role
from community.products.models import Product, Season
from tests.api.people import Person, register
from tests.lending import NOW, Village, make_village

TERMS: dict[str, Any] = {
    "principal_min": {"amount": "100.00", "currency": "CNY"},
    "principal_max": {"amount": "50000.00", "currency": "CNY"},
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 96_000,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 3,
    "instalments_max": 36,
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "several",
}


@dataclass
class Hamlet:
    """Public ids of what `tests.lending` made, and people with tokens. Its day is TODAY."""

    app: Flask
    township: str
    village: str
    monthly: str
    seasonal: str
    rice: str
    village_id: int
    borrower: Person
    friend: Person
    officer: Person

    def joined(self, name: str, **facts: Any) -> Person:
        """Somebody with a token who is active in the village."""
        someone = register(self.app, name, lifetime=timedelta(days=30), **facts)
        self.run(lambda world: world.join(world.session.get_one(Member, someone.member_id)))
        return someone

    def run(self, work: Any) -> Any:
        """Do something behind the API, with the domain's services, and commit it."""
        with self.app.app_context():
            session: Session = db.session()
            answer = work(_reopened(session))
            session.commit()
            return answer


def make_hamlet(app: Flask) -> Hamlet:
    """Found the village on the application's database; the application's clock stands at NOW."""
    app.extensions["clock"].fixed = NOW
    with app.app_context():
        session: Session = db.session()
        world = make_village(session, {"liability_modes": ["several", "joint_and_several"]})
        ids = {
            "township": world.township.public_id,
            "village": world.village.public_id,
            "monthly": world.monthly.public_id,
            "seasonal": world.seasonal.public_id,
            "rice": world.rice.public_id,
        }
        township_id, village_id = world.township.id, world.village.id
    borrower, friend, officer = (
        register(app, name, lifetime=timedelta(days=30))
        for name in ("Wang Fang", "Zhao Jun", "Officer Liu")
    )
    hamlet = Hamlet(
        app, **ids, village_id=village_id, borrower=borrower, friend=friend, officer=officer
    )

    def settle(world: Village) -> None:
        for person in (borrower, friend):
            world.join(world.session.get_one(Member, person.member_id))
            world.session.commit()
        grant_role(
            world.session,
            member_id=officer.member_id,
            role=Role.OFFICER,
            community_id=township_id,
            now=NOW,
        )

    hamlet.run(settle)
    return hamlet


def _reopened(session: Session) -> Village:
    places = {row.reference: row for row in session.scalars(select(Community))}
    offers = {row.code: row for row in session.scalars(select(Product))}
    return Village(
        session,
        places["township"],
        places["village"],
        offers["monthly"],
        offers["seasonal"],
        session.scalars(select(Season).order_by(Season.id)).all()[0],
    )
