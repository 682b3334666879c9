"""The story of seven: a loan that fails at harvest, told to the cent, under each liability mode.

`python -m tests.seven` puts the figures into docs/joint-guarantee.md; a test holds it to them.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import LiabilityMode
from community.engine import make_engine, session_factory
from community.guarantees import service as guarantees
from community.guarantees.models import Call, CallStatus, CoverLine, GuaranteePayment
from community.ledger.models import AccountKind
from community.ledger.service import balance
from community.loans import service as loans
from community.loans.models import Loan, Repayment
from community.products import service as products
from community.trust.models import Standing
from tests.circle import Circle
from tests.databases import create_all
from tests.hamlet import CURRENCY, yuan

PAGE = Path(__file__).parents[1] / "docs" / "joint-guarantee.md"
NOTHING = "–"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

SEVEN = ("An", "Bo", "Chen", "Ding", "Fei", "Guo", "Hua")
SIGNED_ON = date(2026, 3, 2)
LENT_ON = date(2026, 3, 20)
HARVEST_ON = date(2026, 10, 15)
TWO_YEARS_ON = date(2028, 11, 6)
PRINCIPAL = 10_000_00
CAP = 3_000_00
POOL = 50_000_00
RESERVE = 12_000_00
STAKES = {"An": 2_600_00, "Bo": 2_500_00, "Chen": 1_000_00, "Ding": 2_000_00, "Wei": 1_200_00}
# What her neighbours think that Fei can pay; nothing of it is locked.
FEI_ASSESSED = 400_01
TERMS: dict[str, Any] = {
    "amortisation": "seasonal",
    "rate_method": "declining_balance",
    "yearly_rate_ppm": 80_000,
    "day_count": "actual/365",
    "cover_ratio_bps": 9_000,
}
RULES: dict[str, Any] = {
    "group_size_min": 3,
    "group_size_max": 10,
    "leverage_bps": 12_000,
    # By hand, so that there is something to tell; pledges are taken whatever it says.
    "set_off_stake": False,
    "call_day": 10,
    "call_deadline_days": 14,
}


@dataclass(frozen=True)
class Step:
    """What stood in the books after a step. Minor units."""

    on: date
    what: str
    owed: int
    asked: int
    guarantors_out: int
    reserve: int
    pool: int


@dataclass
class Story:
    """One mode's story: its steps, who paid and who got back how much."""

    mode: LiabilityMode
    steps: list[Step] = field(default_factory=list)
    cover: dict[str, int] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    back: dict[str, int] = field(default_factory=dict)
    halfway: dict[str, int] = field(default_factory=dict)


def tell(session: Session, mode: LiabilityMode, on_step: Callable[[Circle], None]) -> Story:
    """Live through it; `on_step` is called with the village after every step."""
    return _Telling(session, mode, on_step).told()


class _Telling:
    def __init__(
        self, session: Session, mode: LiabilityMode, on_step: Callable[[Circle], None]
    ) -> None:
        self.story = Story(mode)
        self.on_step = on_step
        terms = TERMS | {"liability_mode": mode.value}
        if mode is LiabilityMode.NONE:
            terms["cover_ratio_bps"] = 0
        self.village = Circle(session, day=SIGNED_ON, rules=RULES, terms=terms)
        self.loan: Loan | None = None

    def told(self) -> Story:
        self._signed()
        self._lent()
        self._failed()
        self._called()
        self._deadline()
        self._settled_without_chen()
        self._chen_returns()
        return self.story

    # The chapters

    def _signed(self) -> None:
        village = self.village
        village.fund(POOL, reserve=RESERVE)
        for name, stake in STAKES.items():
            village.person(name, stake=stake)
        village.person("Fei", assessed=FEI_ASSESSED)
        village.person("Guo")
        village.person("Hua")
        village.bind(*SEVEN, cap=CAP)
        village.vouch("Wei", "Fei", 1_200_00)
        self._step("the seven sign, each for each up to 3,000.00; Wei vouches for Fei")

    def _lent(self) -> None:
        village = self.village
        season = village.do(
            products.add_season,
            community_id=village.community.id,
            code="rice-2026",
            crop="rice",
            sow_from=LENT_ON,
            sow_until=LENT_ON + timedelta(days=30),
            harvest_from=HARVEST_ON - timedelta(days=20),
            selling=[{"due_on": HARVEST_ON.isoformat(), "weight": 1}],
            now=village.now,
            actor_id=None,
        )
        village.day = LENT_ON
        applied = village.do(
            loans.apply,
            community_id=village.community.id,
            borrower_id=village.id("Chen"),
            product_id=village.product_id,
            principal=yuan(PRINCIPAL),
            purpose="seed and fertiliser",
            instalments=None,
            season_id=season.id,
            actor_id=village.id("Chen"),
            **village.when,
        )
        self.loan = village.approve(applied)
        village.do(
            loans.disburse, loan_id=self.loan.id, actor_id=village.officer.id, **village.when
        )
        self._step("Chen borrows 10,000.00 for the season")
        self.story.cover = self._held()

    def _failed(self) -> None:
        village = self.village
        village.day = HARVEST_ON
        self._repay(300_00)
        self._step("hail took the rice; Chen brings 300.00")
        village.wait(1, self._the_loan)
        self._step("it is overdue; Chen can vouch for nobody any more")

    def _called(self) -> None:
        village = self.village
        village.wait(10, self._the_loan)
        called = "more than ten days late, it is called as a whole"
        if self.story.mode is LiabilityMode.PLEDGE_ONLY:
            called += ": every pledge is taken, and the reserve fund gives the rest"
        elif self.story.mode is LiabilityMode.NONE:
            called += ": nobody stands behind it, the reserve fund pays"
        else:
            called += "; Chen's own 1,000.00 is taken, four are asked"
        self._step(called)
        if self._open("An"):
            village.wait(1)
            self._pay("An")
            self._step("An pays")
            self._promise("Bo", village.day + timedelta(days=3))
            village.wait(3)
            self._pay("Bo")
            self._step("Bo pays on the day that he promised")
            self._act(guarantees.dispute_call, "Ding", reason="that is not my signature")
            self._step("Ding disputes: the clock of his call stands still")

    def _deadline(self) -> None:
        if not self._open("Fei"):
            return
        self.village.wait(11, self._the_loan)
        self._step("Fei could not pay by her deadline: Wei, who vouched for her, is asked")
        # Jointly and severally, those who have paid already are asked once more.
        for name in ("Wei", "An", "Bo"):
            if self._open(name):
                self._pay(name)
                self._step(f"{name} pays")

    def _settled_without_chen(self) -> None:
        village = self.village
        if self._open("Ding", CallStatus.DISPUTED):
            village.wait(5)
            [call] = self._open("Ding", CallStatus.DISPUTED)
            village.do(
                guarantees.resolve_dispute,
                call_id=call.id,
                reason="the notary has the sheet that he signed",
                actor_id=village.officer.id,
                **village.when,
            )
            self._pay("Ding")
            self._step("the signature stands, and Ding pays")
            village.wait(1, self._the_loan)
            self._step("nobody is left to ask: the reserve fund gives the rest")
        self.story.paid = self._payments("amount_minor")

    def _chen_returns(self) -> None:
        self.village.day = TWO_YEARS_ON
        self._repay(5_000_01)
        self._step("two years later Chen brings 5,000.01")
        self.story.halfway = self._payments("recovered_minor")
        rest = sum(self.story.paid.values()) - sum(self.story.halfway.values())
        self._repay(rest)
        self._step("and the rest")
        self.story.back = self._payments("recovered_minor")

    # The hands

    @property
    def _the_loan(self) -> Loan:
        assert self.loan is not None
        return self.loan

    def _repay(self, amount: int) -> Repayment:
        return self.village.repay(self._the_loan, amount)

    def _open(self, name: str, status: CallStatus = CallStatus.OPEN) -> list[Call]:
        query = (
            select(Call)
            .where(
                Call.loan_id == self._the_loan.id,
                Call.guarantor_id == self.village.id(name),
                Call.status == status,
            )
            .order_by(Call.id)
        )
        return list(self.village.session.scalars(query))

    def _pay(self, name: str) -> None:
        for call in self._open(name):
            self.village.pay(call, call.open_minor)

    def _promise(self, name: str, on: date) -> None:
        [call] = self._open(name)
        self.village.do(
            guarantees.promise_call,
            call_id=call.id,
            member_id=self.village.id(name),
            pay_on=on,
            now=self.village.now,
        )

    def _act(self, act: Callable[..., Any], name: str, **facts: Any) -> None:
        [call] = self._open(name)
        who = {"call_id": call.id, "member_id": self.village.id(name)}
        self.village.do(act, **who, **facts, **self.village.when)

    # What the books say

    def _step(self, what: str) -> None:
        self.on_step(self.village)
        session, loan = self.village.session, self.loan
        calls = (
            []
            if loan is None
            else session.scalars(
                select(Call).where(
                    Call.loan_id == loan.id, Call.status.in_([CallStatus.OPEN, CallStatus.DISPUTED])
                )
            )
        )
        payments = (
            []
            if loan is None
            else session.scalars(
                select(GuaranteePayment).where(GuaranteePayment.loan_id == loan.id)
            )
        )
        self.story.steps.append(
            Step(
                on=self.village.day,
                what=what,
                owed=0
                if loan is None
                else loans.owed(session, loan=loan, on=self.village.day).total_minor,
                asked=sum(call.open_minor for call in calls),
                guarantors_out=sum(
                    payment.amount_minor - payment.recovered_minor
                    for payment in payments
                    if payment.payer_id is not None
                ),
                reserve=self._account(AccountKind.RESERVE_FUND),
                pool=self._account(AccountKind.LENDING_CASH),
            )
        )

    def _account(self, kind: AccountKind) -> int:
        return balance(
            self.village.session,
            community_id=self.village.community.id,
            kind=kind,
            currency=CURRENCY,
        )

    def _held(self) -> dict[str, int]:
        names = {member.id: name for name, member in self.village.people.items()}
        found: dict[str, int] = {}
        for line, standing in self.village.session.execute(
            select(CoverLine, Standing)
            .join(Standing, Standing.id == CoverLine.standing_id)
            .where(CoverLine.loan_id == self._the_loan.id)
            .order_by(CoverLine.id)
        ):
            name = names[standing.member_id]
            found[name] = found.get(name, 0) + line.held_minor
        return found

    def _payments(self, column: str) -> dict[str, int]:
        names = {member.id: name for name, member in self.village.people.items()}
        found: dict[str, int] = {}
        for payment in self.village.session.scalars(
            select(GuaranteePayment).where(GuaranteePayment.loan_id == self._the_loan.id)
        ):
            name = "the reserve fund" if payment.payer_id is None else names[payment.payer_id]
            found[name] = found.get(name, 0) + int(getattr(payment, column))
        return found


def page(stories: Sequence[Story]) -> str:
    """The figures of docs/joint-guarantee.md."""
    parts = [_side_by_side(stories)]
    for story in stories:
        parts.append(f"### {_NAMES[story.mode]}\n\n{steps(story)}")
    return "\n\n".join(parts) + "\n"


_NAMES = {
    LiabilityMode.SEVERAL: "Several: each for their own part",
    LiabilityMode.JOINT_AND_SEVERAL: "Joint and several: what one cannot pay, the others are asked",
    LiabilityMode.PLEDGE_ONLY: "Pledge only: what is locked, and nothing else",
    LiabilityMode.NONE: "None: individual liability",
}


def figures(story: Story) -> dict[str, str]:
    """A story's column in the table that puts all side by side."""
    found = {}
    for title, amounts in (
        ("cover of {}", story.cover),
        ("paid by {}", story.paid),
        ("back to {} from the first 5,000.01", story.halfway),
        ("back to {} in the end", story.back),
    ):
        for name in ("Chen", "An", "Bo", "Ding", "Fei", "Wei", "the reserve fund"):
            found[title.format(name)] = _money(amounts.get(name, 0))
    return found


def _side_by_side(stories: Sequence[Story]) -> str:
    columns = [figures(story) for story in stories]
    rows = [
        ["", *(story.mode.value.replace("_", " ") for story in stories)],
        ["---", *("---:" for _ in stories)],
    ]
    for title in columns[0]:
        row = [column[title] for column in columns]
        if set(row) != {NOTHING}:
            rows.append([title, *row])
    return _table(rows)


def steps(story: Story) -> str:
    """A story's own table."""
    rows = [
        ["Day", "What happens", "owed", "asked", "guarantors wait for", "reserve fund", "cash"],
        ["---", "---", *["---:"] * 5],
    ]
    for step in story.steps:
        amounts = (step.owed, step.asked, step.guarantors_out, step.reserve, step.pool)
        rows.append([step.on.isoformat(), step.what, *(_money(amount) for amount in amounts)])
    return _table(rows)


def _money(amount: int) -> str:
    return format(Decimal(amount) / 100, ",.2f") if amount else NOTHING


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def stories() -> list[Story]:
    """All four, each in a database of its own, all laws checked after every step."""
    told = []
    for mode in LiabilityMode:
        with TemporaryDirectory() as folder:
            engine = make_engine(f"sqlite:///{Path(folder) / 'story.sqlite3'}", durable=False)
            create_all(engine)
            with closing(session_factory(engine)()) as session:
                told.append(tell(session, mode, Circle.check))
            engine.dispose()
    return told


def main() -> None:
    """Put the figures into the page, between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{page(stories())}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
