"""A village behind the API: its officer, its operator, and people with tokens who join it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask

from app.extensions import db
from community.communities.models import Community
from community.loans.models import Loan
from community.members.models import Member
from community.members.principal import Role
from tests import trust_life
from tests.api.people import Person, register
from tests.lending import Village

# Tokens outlive the loans of a test.
LONG = timedelta(days=300)


def money(amount: str, currency: str = "CNY") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


@dataclass
class Hamlet:
    """The village of `tests.lending` in an application's database; time stands still."""

    app: Flask
    village: Village
    community_id: str
    officer: Person
    operator: Person

    def join(self, name: str, stake_minor: int = 0) -> Person:
        """A new active member with a token, and a stake."""
        person = register(self.app, name, lifetime=LONG)
        with self.app.app_context():
            village = self._village()
            member = db.session.get_one(Member, person.member_id)
            village.join(member)
            db.session.commit()
            if stake_minor:
                trust_life.stake(village, member, stake_minor)
        return person

    def vouch(self, voucher: Person, borrower: Person, minor: int) -> str:
        """A live vouch; returns its public id."""
        with self.app.app_context():
            live = trust_life.vouch(
                self._village(), self._member(voucher), self._member(borrower), minor
            )
            return live.public_id

    def applied(self, borrower: Person, minor: int) -> str:
        """An endorsed application; returns the loan's public id."""
        with self.app.app_context():
            loan: Loan = self._village().applied(self._member(borrower), minor)
            db.session.commit()
            return loan.public_id

    def at(self, person: Person, what: str) -> str:
        """The path of something that a member has in the village."""
        return f"/api/v1/communities/{self.community_id}/members/{person.public_id}/{what}"

    def _member(self, person: Person) -> Member:
        return db.session.get_one(Member, person.member_id)

    def _village(self) -> Village:
        old, session = self.village, db.session()
        return Village(
            session,
            session.get_one(Community, old.township.id),
            session.get_one(Community, old.village.id),
            old.monthly,
            old.seasonal,
            old.rice,
        )


def make_hamlet(app: Flask, **charter: Any) -> Hamlet:
    """Found it, with an officer of the township."""
    with app.app_context():
        village = trust_life.trusting_village(db.session(), **charter)
        db.session.commit()
        township, public_id = village.township.id, village.village.public_id
    return Hamlet(
        app,
        village,
        public_id,
        register(app, "Officer", roles=[(Role.OFFICER, township)], lifetime=LONG),
        register(app, "Operator", roles=[(Role.OPERATOR, None)], lifetime=LONG),
    )
