"""A town whose people hang together in every way that the platform knows, so that acts collide.

Eight people in a ring of promises and across it, four of them a group, a line on which six draw,
loans that are current, called, written off. All amounts are small against what acts ask for: most
promises, stakes and limits are nearly full, and refusals are as frequent as answers.
"""

import itertools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from community.engine import session_factory
from community.guarantees.models import Call
from community.lines import service as lines
from community.loans.models import Loan
from community.members import service as members
from community.members.principal import Role
from community.products.models import Product
from community.trust.models import Vouch
from tests.circle import RULES, Circle
from tests.hamlet import yuan

DAY = date(2026, 3, 2)
GROUP = ("an", "bo", "chen", "ding")
PEOPLE = (*GROUP, "feng", "gao", "han", "ji")
BEHIND = ("kong", "lu")
TERMS: dict[str, Any] = {
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 240_000,
    "day_count": "actual/365",
    "period_unit": "week",
    "penalty_yearly_rate_ppm": 365_000,
    "liability_mode": "joint_and_several",
}


class Known:
    """What may be asked about, by kind. Clients add to it what they make; threads share it."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def add(self, kind: str, *row: str) -> None:
        with self._lock:
            rows = self._rows.setdefault(kind, [])
            if row not in rows:
                rows.append(row)

    def one(self, kind: str, dice: random.Random, latest: int = 12) -> tuple[str, ...] | None:
        """One of the latest, so that several clients meet at the same thing."""
        with self._lock:
            rows = self._rows.get(kind, [])[-latest:]
        return dice.choice(rows) if rows else None


@dataclass
class Town:
    """What clients need to know."""

    engine: Engine
    now: datetime
    community: str
    product: str
    officer: str
    tokens: dict[str, str]
    ids: dict[str, str]
    known: Known = field(default_factory=Known)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return self.engine.url.render_as_string(hide_password=False)

    @property
    def on(self) -> date:
        return self.now.date()

    @contextmanager
    def session(self) -> Iterator[Session]:
        with session_factory(self.engine)() as session:
            yield session


def found_town(engine: Engine) -> Town:
    """Found the town in a database that has its tables and no rows."""
    with session_factory(engine)() as session:
        circle = Circle(
            session,
            day=DAY,
            rules={**RULES, "call_day": 5, "call_deadline_days": 12, "write_off_day": 30},
            terms=TERMS,
        )
        circle.fund(60_000, reserve=400)
        circle.bind(*GROUP, cap=300, stake=250)
        for name in PEOPLE[4:]:
            circle.person(name, stake=200, assessed=900)
        for name in BEHIND:
            circle.person(name, assessed=3_000)
        for name in PEOPLE:
            circle.save(name, 500)
        for voucher, borrower in zip(PEOPLE, [*PEOPLE[1:], PEOPLE[0]], strict=True):
            circle.vouch(voucher, borrower, 900)
        for number, voucher in enumerate(BEHIND):
            for borrower in PEOPLE[number::2]:
                circle.vouch(voucher, borrower, 700)
        line = circle.do(
            lines.open_line,
            community_id=circle.community.id,
            name="seed",
            limit=yuan(1_500),
            sub_limits={circle.id(name): yuan(500) for name in PEOPLE[:6]},
            from_on=DAY,
            until_on=DAY + timedelta(days=360),
            reason="decided",
            actor_id=circle.officer.id,
            **circle.when,
        )
        failing = [circle.lend(name, 700, 3) for name in ("bo", "feng", "han")]
        good = [circle.lend(name, 600, 12) for name in ("an", "gao")]
        for _ in range(3):
            circle.wait(7, *failing)
        circle.wait(1, *failing)
        town = _town(engine, circle, line.public_id)
        for loan in (*good, *failing):
            receipt = circle.repay(loan, 40)
            town.known.add("receipt", receipt.public_id, loan.public_id)
        circle.check()
    return town


def _town(engine: Engine, circle: Circle, line: str) -> Town:
    session = circle.session
    circle.do(
        members.grant_role,
        member_id=circle.officer.id,
        role=Role.OFFICER,
        community_id=circle.community.id,
        now=circle.now,
    )
    people = {**circle.people, "officer": circle.officer}
    tokens = {
        name: circle.do(
            members.issue_token,
            member_id=member.id,
            label=name,
            lifetime=timedelta(days=30),
            lifetime_max=timedelta(days=30),
            now=circle.now,
        )[1]
        for name, member in people.items()
    }
    town = Town(
        engine=engine,
        now=circle.now,
        community=circle.community.public_id,
        product=session.get_one(Product, circle.product_id).public_id,
        officer=tokens["officer"],
        tokens=tokens,
        ids={name: member.public_id for name, member in people.items()},
    )
    names = {member.id: name for name, member in people.items()}
    for vouch in session.scalars(select(Vouch).where(Vouch.group_id.is_(None))):
        ends = (names[vouch.voucher_id], names[vouch.borrower_id])
        town.known.add("vouch", vouch.public_id, *ends)
    for loan in session.scalars(select(Loan).order_by(Loan.id)):
        town.known.add("running", loan.public_id, names[loan.borrower_id])
    for call in session.scalars(select(Call).order_by(Call.id)):
        town.known.add("call", call.public_id, names[call.guarantor_id])
    town.known.add("line", line)
    town.known.add("group", circle.group.public_id)
    return town
