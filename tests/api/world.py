"""One small community with something of everything, for tests that ask much and change nothing.

Built once per database by the services. People have first names; things have the names in
`World.ids`, which give their public ids. Time stands still on the last day of the story.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from psycopg import sql
from sqlalchemy import make_url, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from community.campaigns import deciding
from community.campaigns import service as campaigns
from community.campaigns.models import (
    Campaign,
    CampaignAssignment,
    CampaignFinding,
    CampaignHousehold,
    Debts,
    Decision,
    VisitResult,
)
from community.communities import queries as community_queries
from community.communities import service as communities
from community.communities import templates
from community.communities.charter import ComplaintKind, MotionSubject, Purpose, RiskRule
from community.communities.models import Community, CommunityKind
from community.feedback import complaints, items, ratings, themes
from community.feedback.models import FeedbackItem, ItemKind, Message, PollChoice, Theme
from community.groups import amendments, expulsions
from community.groups import service as groups
from community.groups.models import Group, GroupAmendment, GroupExpulsion, Settlement
from community.guarantees import claims, handover
from community.guarantees import service as guarantees
from community.guarantees.models import Call, Claim, ClaimSettlement
from community.ledger import queries as ledger
from community.ledger.models import JournalEntry
from community.lines import service as lines
from community.lines.models import CreditLine
from community.loans import service as loans
from community.loans.models import ChangeKind, ChargeKind, GroupLoan, Loan, Repayment
from community.members import service as members
from community.members.models import Household, Member, MemberKind, RoleGrant
from community.members.principal import Role
from community.models import metadata
from community.monitoring import cases, meetings, proceeds, reports, visits
from community.monitoring.models import (
    AttendanceKind,
    Ballot,
    CaseOutcome,
    Choice,
    RiskCase,
)
from community.monitoring.signals import Signal
from community.portfolio.service import classify_loans, provide
from community.products import queries as product_queries
from community.products import service as products
from community.products.models import Product, Season
from community.receiving import bank, collecting
from community.receiving.collecting import Entry
from community.receiving.matching import Line
from community.receiving.models import BankLine, Collection
from community.records import service as records
from community.records.models import CreditRecord, RecordConsent
from community.records.signing import load_signer
from community.records.statement import RecordField, RecordPurpose
from community.risk import service as risk
from community.risk import stress_service
from community.risk.models import CircleName, RiskRun, ShockKind, StressTest
from community.scoring import service as scoring
from community.scoring.models import ModelTraining, TrainingStatus, WarningModel, WarningRun
from community.seasons import service as seasons
from community.seasons.models import EventKind
from community.servicing import service as servicing
from community.trust import service as trust
from community.trust import standings
from community.trust.models import Assessment, AssessmentKind, Vouch, VouchSide
from community.webhooks import service as webhooks
from community.webhooks.addresses import Rules
from community.webhooks.models import WebhookCursor
from community.webhooks.signing import Sealer
from config.settings import Settings
from tests.api.documented import assert_documented
from tests.databases import database_copy, lasting_copy
from tests.hamlet import FAR, Hamlet, yuan
from tests.hamlet import TERMS as HAMLET_TERMS
from tests.keys import KEYS
from tests.village_life import right_answers
from tests.warning_life import made_model

API = "/api/v1"
RULES: dict[str, Any] = {
    "group_size_min": 3,
    "group_size_max": 3,
    "cooling_off_days": 3,
    "endorsements_min": 1,
    "vouch_minor_max": 1_000_000,
    "vouch_days_max": 1_000,
    "campaign_reviewers_per_household": 3,
    "campaign_known_min": 2,
    "campaign_rounds_max": 1,
    "campaign_recheck_bps": 2_000,
    "campaign_household_minor_max": 100_00,
}
TERMS: dict[str, Any] = {"principal_minor_min": 10_00, "instalments_max": 12}
SEASONAL = {"amortisation": "seasonal", "day_count": "actual/365"}
CAP_MINOR = 100_00
# A key that everybody knows, of no use outside of this test suite.
RECORD_KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
NAMED = re.compile("@([a-z_]+)")


@dataclass
class World:
    """The application on the finished database."""

    app: Flask
    ids: dict[str, str]
    tokens: dict[str, str]
    watch: "SqliteWatch | PostgresWatch | None" = None
    known: dict[str, str] = field(default_factory=dict)

    def named(self, value: Any) -> Any:
        """The same value with every `@name` in its texts replaced by that thing's public id."""
        if isinstance(value, str):
            return NAMED.sub(lambda found: self.ids[found[1]], value)
        if isinstance(value, list):
            return [self.named(inner) for inner in value]
        if isinstance(value, dict):
            return {self.named(name): self.named(inner) for name, inner in value.items()}
        return value

    def call(self, who: str | None, method: str, path: str, **options: Any) -> TestResponse:
        """One request of somebody (None: without a token), with names in its path."""
        headers = dict(options.pop("headers", None) or {})
        if who is not None:
            headers.setdefault("Authorization", f"Bearer {self.tokens[who]}")
        where = self.named(path)
        where = where if where.startswith("/problems") else API + where
        answer = self.app.test_client().open(where, method=method, headers=headers, **options)
        assert_documented(self.app, method, where, answer)
        return answer

    def changed(self) -> list[str]:
        """The tables whose rows have changed since this was last asked."""
        assert self.watch is not None
        before, self.known = self.known, self.watch.rows()
        return [name for name in before if before[name] != self.known[name]]


# Who looked at whose data: reading writes there, and only there.
NOTES = "access_notes"


class SqliteWatch:
    """Reads all rows of an SQLite file, if anybody has committed since the last time."""

    def __init__(self, url: str) -> None:
        self.connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        self.version = -1
        self.found: dict[str, str] = {}

    def rows(self) -> dict[str, str]:
        """A checksum of every table."""
        # Counts what other connections commit.
        [version] = self.connection.execute("PRAGMA data_version").fetchone()
        if version != self.version:
            self.version = version
            self.found = {name: self._checksum(name) for name in metadata.tables if name != NOTES}
        return self.found

    def _checksum(self, name: str) -> str:
        rows = self.connection.execute(f'SELECT * FROM "{name}"').fetchall()
        return hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()


class PostgresWatch:
    """Reads all rows of a PostgreSQL database, if anybody may have written since the last time."""

    def __init__(self, url: str) -> None:
        plain = make_url(url).set(drivername="postgresql").render_as_string(False)
        self.connection = psycopg.connect(plain, autocommit=True)
        self.question = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t").format(
                sql.Literal(name), sql.Identifier(name)
            )
            for name in metadata.tables
            if name != NOTES
        )
        self.snapshot = ""
        self.found: dict[str, str] = {}

    def rows(self) -> dict[str, str]:
        """A checksum of every table."""
        # Whoever writes takes a number, and is seen to run or to have ended.
        row = self.connection.execute("SELECT pg_current_snapshot()::text").fetchone()
        assert row is not None
        if row[0] != self.snapshot:
            self.snapshot = row[0]
            self.found = dict(self.connection.execute(self.question))
        return self.found


@contextmanager
def make_world(template: str, folder: Path) -> Iterator[World]:
    """The finished story on a copy of its database, the clock stopped at its end.

    It is told once on a copy of the template database; whoever changes things gets the next copy.
    """
    told = _TOLD.get(template)
    if told is None:
        told = _TOLD[template] = _tell(template, folder)
    with database_copy(told.url, folder) as url:
        app = _application(url, folder)
        app.extensions["clock"].fixed = told.now
        watch = SqliteWatch(url) if url.startswith("sqlite") else PostgresWatch(url)
        world = World(app, dict(told.ids), dict(told.tokens), watch)
        world.changed()
        try:
            yield world
        finally:
            watch.connection.close()
            _close(app)


@dataclass(frozen=True)
class Told:
    """A database with the finished story, to which nobody is connected."""

    url: str
    ids: dict[str, str]
    tokens: dict[str, str]
    now: datetime


_TOLD: dict[str, Told] = {}


def _tell(template: str, folder: Path) -> Told:
    url = lasting_copy(template, folder)
    app = _application(url, folder)
    with app.app_context():
        story = Story(db.session())
        story.tell()
        db.session.remove()
    app.extensions["clock"].fixed = story.hamlet.now
    world = World(app, story.ids, story.tokens)
    paid = world.call(
        "officer",
        "POST",
        "/communities/@village/members/@wang/savings/deposits",
        json={"amount": {"amount": "8.00", "currency": "CNY"}, "reference": "slip 8"},
        headers={"Idempotency-Key": "deposit-of-wang-8"},
    )
    assert paid.status_code == 201, paid.text
    for name in ("hold", "other_hold"):
        held = world.call(
            "officer",
            "POST",
            "/communities/@village/members/@wang/holds",
            json={
                "amount": {"amount": "1.00", "currency": "CNY"},
                "expires_on": "2027-01-01",
                "reason": "seed",
                "reference": name,
            },
            headers={"Idempotency-Key": f"{name}-of-wang"},
        )
        assert held.status_code == 201, held.text
        world.ids[name] = held.get_json()["id"]
    listed = world.call("officer", "GET", "/communities/@village/members?limit=1")
    world.ids["cursor"] = listed.get_json()["next_cursor"]
    _close(app)
    return Told(url, world.ids, world.tokens, story.hamlet.now)


def _application(url: str, folder: Path) -> Flask:
    app = create_app(
        Settings(
            database_url=url,
            database_pool_size=4,
            database_durable=False,
            secret_key="of no use outside of this test suite",
            rate_limits=False,
            log_level="ERROR",
            record_key=RECORD_KEY,
            var_dir=folder,
            **KEYS,
        )
    )
    app.testing = True
    return app


def _close(app: Flask) -> None:
    app.extensions["cache"].close()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@dataclass
class Story:
    """What happened until today."""

    session: Session
    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    grants: dict[str, RoleGrant] = field(default_factory=dict)

    def tell(self) -> None:
        self.hamlet = Hamlet(self.session, rules=RULES, terms=TERMS)
        self.do = self.hamlet.do
        self.place: dict[str, Any] = {"community_id": self.hamlet.community.id}
        self._people()
        self._failures_begin()
        self._sowing()
        self._active_group()
        self._late_loans()
        self._groups()
        self._vouches()
        self._loans()
        self._group_loans()
        self._group_proposals()
        self._portfolio()
        self._money_coming_in()
        self._papers()
        self._disaster()
        self._lines()
        self._campaign()
        self._watched()
        self._speaking_up()
        self._desk()
        self._warnings()
        self._far_away()
        self._records()
        self._tokens()
        self._collect()

    def _people(self) -> None:
        # Guarantors without a stake: a stake would be taken on the day of the call.
        stakes = {"wang": 500_00, "tycoon": 90_000_00}
        assessed = {"li": 900_00, "wei": 100_00}
        plain = ["zhao", "sun", "wu", "gao", "guo", "lin", "ma", "hu", "zhu"]
        plain += ["ding", "dong", "dai", "clerk"]
        home = self.do(members.register_household, reference="hh-1", now=self.hamlet.now)
        self.home = home
        for name in [*stakes, *assessed, *plain]:
            self.hamlet.person(name, stake=stakes.get(name, 0), assessed=assessed.get(name, 0))
        for name in ("qian", "zhou"):
            self.hamlet.person(name)
            self.do(
                members.move_to_household,
                member_id=self.id(name),
                household_id=home.id,
                now=self.hamlet.now,
                actor_id=None,
            )
        self.hamlet.person("feng")
        self.do(
            communities.suspend_membership,
            **self.of("feng"),
            reason="away",
            actor_id=None,
            **self.hamlet.when,
        )
        self.stranger("chen")
        self.do(
            communities.apply_for_membership, **self.of("chen"), actor_id=None, **self.hamlet.when
        )
        self.hamlet.people["officer"] = self.hamlet.officer
        for name in ("operator", "auditor", "inspector"):
            self.stranger(name)
        here = self.hamlet.community.id
        for name, role, place in (
            ("officer", Role.OFFICER, here),
            ("clerk", Role.OFFICER, here),
            ("auditor", Role.AUDITOR, here),
            ("inspector", Role.AUDITOR, None),
            ("operator", Role.OPERATOR, None),
        ):
            self.role(name, role, place)
        self.hamlet.fund(2_000_00, 50_00)

    def _failures_begin(self) -> None:
        # One of them will be called on li, one disputed by wei, one paid by hand.
        self.failing: dict[str, Loan] = {}
        for borrower, guarantor in (("ding", "li"), ("dong", "wei"), ("dai", "li")):
            self.hamlet.vouch(guarantor, borrower, 60_00)
            self.failing[borrower] = self.lend(borrower, 50_00)

    def _sowing(self) -> None:
        # The second tranche will be due long before today.
        later = self.hamlet.day + timedelta(days=5)
        self.beans = self.do(
            products.add_season,
            **self.place,
            code="beans",
            crop="beans",
            sow_from=self.hamlet.day,
            sow_until=later,
            harvest_from=date(2026, 9, 1),
            selling=[{"due_on": "2026-10-01", "weight": 1}],
            tranches=[
                {"pay_on": self.hamlet.day.isoformat(), "weight": 1},
                {"pay_on": later.isoformat(), "weight": 1},
            ],
            now=self.hamlet.now,
            actor_id=None,
        )
        loan = self.do(
            loans.apply,
            **self.place,
            borrower_id=self.id("tycoon"),
            product_id=self.hamlet.product("sowing", TERMS | SEASONAL),
            principal=yuan(10_00),
            purpose="beans",
            season_id=self.beans.id,
            actor_id=self.id("tycoon"),
            **self.hamlet.when,
        )
        self.hamlet.approve(self.endorse(loan))
        self.sown = self.do(
            loans.disburse, loan_id=loan.id, actor_id=self.hamlet.officer.id, **self.hamlet.when
        )

    def _active_group(self) -> None:
        self.active = self.gathered("wang", "zhao", "sun")
        self.signed(self.active, "wang", "zhao", "sun")
        self.hamlet.wait(4)
        self.do(
            trust.activate_group,
            group_id=self.active.id,
            actor_id=self.id("wang"),
            **self.hamlet.when,
        )

    def _late_loans(self) -> None:
        for days in (29, 8, 1):
            self.hamlet.wait(days, *self.failing.values())
        calls = {name: self.hamlet.calls(loan) for name, loan in self.failing.items()}
        self.call: Call = calls["ding"]["li"]
        self.disputed: Call = calls["dong"]["wei"]
        self.paid: Call = calls["dai"]["li"]
        self.do(
            guarantees.dispute_call,
            call_id=self.disputed.id,
            member_id=self.id("wei"),
            reason="was never asked",
            **self.hamlet.when,
        )
        self.hamlet.pay(self.paid, self.paid.amount_minor)
        self._claims()

    def _claims(self) -> None:
        # Li paid 50.00 for Dai and has 4.00 of it back; what Dai says of more waits for Li's word.
        self.claim: Claim = self.session.scalars(
            select(Claim).where(Claim.claimant_id == self.id("li"))
        ).one()
        self.words: dict[str, ClaimSettlement] = {
            label: self.do(
                claims.state_settlement,
                claim_id=self.claim.id,
                member_id=self.id(who),
                amount=yuan(amount),
                paid_on=self.hamlet.day,
                **self.hamlet.when,
            )
            for label, who, amount in (
                ("said", "dai", 5_00),
                ("doubted", "dai", 6_00),
                ("agreed", "li", 4_00),
            )
        }

    def _groups(self) -> None:
        self.signing = self.gathered("gao", "guo", "lin")
        self.fixed(self.signing, "gao")
        self.cooling = self.gathered("ma", "hu", "zhu")
        self.signed(self.cooling, "ma", "hu", "zhu")
        self.forming = self.gathered("wu", "qian")
        step = {"group_id": self.forming.id, **self.hamlet.when, "actor_id": None}
        self.do(groups.invite, member_id=self.id("zhou"), inviter_id=self.id("wu"), **step)

    def _vouches(self) -> None:
        self.live = self.hamlet.vouch("li", "wang", 300_00)
        self.free = self.hamlet.vouch("li", "zhao", 200_00)
        offers = {name: self.offer("wu", name) for name in ("gao", "guo", "lin")}
        self.offered, self.declined, self.revoked = offers.values()
        act: dict[str, Any] = {"now": self.hamlet.now}
        self.do(trust.decline_vouch, vouch_id=self.declined.id, actor_id=self.id("guo"), **act)
        self.do(
            trust.accept_vouch,
            vouch_id=self.revoked.id,
            actor_id=self.id("lin"),
            **self.hamlet.when,
        )
        self.do(trust.revoke_vouch, vouch_id=self.revoked.id, actor_id=self.id("wu"), **act)

    def _loans(self) -> None:
        self.submitted = self.hamlet.apply("wang", 20_00)
        self.endorsed = self.endorse(self.hamlet.apply("wang", 20_00))
        self.own = self.endorse(self.hamlet.apply("clerk", 20_00))
        self.large = self.endorse(self.hamlet.apply("wang", 9_999_00))
        self.approved = self.hamlet.approve(self.endorse(self.hamlet.apply("wang", 30_00)))
        self.unfunded = self.hamlet.approve(self.endorse(self.hamlet.apply("tycoon", 50_000_00)))
        # More than wang's own stake, so that it rests on li's promise too.
        self.current = self.lend("wang", 600_00, 3)
        self.receipt: Repayment = self.hamlet.repay(self.current, 10_00)
        self.handover = self.do(
            handover.propose_substitution,
            loan_id=self.current.id,
            leaving_id=self.id("li"),
            coming_id=self.id("guo"),
            reason="li moves away",
            now=self.hamlet.now,
            actor_id=self.id("li"),
        )
        self.settling = self.lend("tycoon", 12_00)
        self.charge = self.do(
            servicing.add_charge,
            loan_id=self.settling.id,
            kind=ChargeKind.FEE,
            amount=yuan(3_00),
            due_on=self.hamlet.day,
            reason="a visit",
            actor_id=None,
            **self.hamlet.when,
        )
        self.moved = self.do(
            servicing.change_plan,
            loan_id=self.settling.id,
            kind=ChangeKind.RESCHEDULE,
            parameters={
                "from_due_on": self.hamlet.day.isoformat(),
                "new_due_on": (self.hamlet.day + timedelta(days=90)).isoformat(),
            },
            reason="a dry well",
            actor_id=None,
            **self.hamlet.when,
        )
        self.closed = self.lend("tycoon", 15_00)
        self.hamlet.repay(self.closed, 15_00)
        self.rejected = self.endorse(self.hamlet.apply("wang", 20_00))
        decided: dict[str, Any] = {
            "actor_id": self.hamlet.officer.id,
            "reason": "too early",
            **self.hamlet.when,
        }
        self.do(loans.reject, loan_id=self.rejected.id, **decided)

    def _group_loans(self) -> None:
        self.group_loan = self.do(
            loans.apply_as_group,
            group_id=self.active.id,
            product_id=self.hamlet.product_id,
            shares={self.id("zhao"): 20_00, self.id("sun"): 20_00},
            total=yuan(40_00),
            purpose="seed",
            instalments=1,
            actor_id=self.id("wang"),
            **self.hamlet.when,
        )
        self.share = self.session.scalars(
            select(Loan).where(Loan.group_loan_id == self.group_loan.id).order_by(Loan.id)
        ).first()

    def _group_proposals(self) -> None:
        act: dict[str, Any] = {
            "group_id": self.active.id,
            "proposer_id": self.id("wang"),
            "reason": "a good year",
            "actor_id": self.id("wang"),
            **self.hamlet.when,
        }
        self.amendment: GroupAmendment = self.do(
            amendments.propose, pair_cap=yuan(CAP_MINOR + 1_00), **act
        )
        self.expulsion: GroupExpulsion = self.do(
            expulsions.propose,
            member_id=self.id("sun"),
            settlement=Settlement.REPAID,
            **act,
        )

    def _portfolio(self) -> None:
        for work in (classify_loans, provide):
            self.do(work, **self.place, **self.hamlet.when)

    def _desk(self) -> None:
        run: RiskRun = self.do(risk.find_circles, **self.place, actor_id=None, **self.hamlet.when)
        [first, *_] = self.session.scalars(
            select(CircleName).where(CircleName.first_run_id == run.id).order_by(CircleName.number)
        )
        stress: StressTest = self.do(
            stress_service.ask_stress,
            **self.place,
            asked=stress_service.Asked(ShockKind.COMMON_FACTOR),
            draws=5,
            seed=1,
            actor_id=None,
            **self.hamlet.when,
        )
        self.desk = {
            "run": run.public_id,
            "circle": first.public_id,
            "stress": stress.public_id,
        }
        self._told()

    def _told(self) -> None:
        """A receiver of what befell cases: one delivery given up, one that arrived, others wait."""
        webhook, _ = self.do(
            webhooks.subscribe,
            **self.place,
            url="https://receiver.example/hooks",
            kinds=["case.*"],
            rules=Rules(),
            sealer=Sealer(["of no use outside of this test suite"]),
            now=self.hamlet.now,
            actor_id=self.hamlet.officer.id,
        )
        self.session.execute(update(WebhookCursor).values(after_seq=0))
        self.do(webhooks.fan_out, webhook_id=webhook.id, now=self.hamlet.now, limit=1_000)
        once = webhooks.Retries(1, timedelta(seconds=1), timedelta(seconds=1))
        for result in (webhooks.Result(500, "500"), webhooks.Result(200)):
            parcel = self.do(
                webhooks.take,
                worker="us",
                lease=timedelta(minutes=1),
                now=self.hamlet.now,
                retries=once,
            )
            assert parcel is not None
            self.do(
                webhooks.settle,
                delivery_id=parcel.delivery_id,
                worker="us",
                result=result,
                now=self.hamlet.now,
                retries=once,
            )
            self.desk.setdefault("delivery", parcel.public_id)
        self.desk["webhook"] = webhook.public_id

    def _warnings(self) -> None:
        """A model that was made and counts, the night that it scored, and one that is asked for."""
        act: dict[str, Any] = {**self.place, **self.hamlet.when}
        model: WarningModel = self.do(
            scoring.keep_model, made=made_model(), seed=5, actor_id=None, **act
        )
        officer = self.hamlet.officer.id
        self.do(scoring.activate, model=model, reason="so it was decided", actor_id=officer, **act)
        night: WarningRun = self.do(scoring.score_night, **act)
        assert night.loans > 0
        training = ModelTraining(
            community_id=self.hamlet.community.id,
            seed=1,
            on_day=self.hamlet.day,
            status=TrainingStatus.QUEUED,
            created_at=self.hamlet.now,
        )
        self.session.add(training)
        self.session.commit()
        self.desk |= {"warning_model": model.public_id, "training": training.public_id}

    def _money_coming_in(self) -> None:
        sheet: dict[str, Any] = {
            "group_id": self.active.id,
            "collected_on": self.hamlet.day,
            "actor_id": self.id("wang"),
            **self.hamlet.when,
        }
        line = Entry(self.id("wang"), yuan(1_00), loan_id=self.current.id)
        self.draft: Collection = self.do(collecting.enter, entries=[line], **sheet)
        saved = [Entry(self.id(name), yuan(1_00)) for name in ("zhao", "sun")]
        self.sheet: Collection = self.do(collecting.collect, entries=saved, **sheet)
        texts = ["?", "?", "?", "?", self.current.public_id]
        taken = self.do(
            bank.take_in,
            **self.place,
            lines=[
                Line(f"bank-{number}", self.hamlet.day, 3_00, "CNY", text=text)
                for number, text in enumerate(texts)
            ],
            statement_hash="0" * 64,
            actor_id=self.hamlet.officer.id,
            **self.hamlet.when,
        )
        self.waiting: list[BankLine] = taken.suspense
        self.settled: BankLine = taken.applied[0]

    def _papers(self) -> None:
        grant: dict[str, Any] = {
            "kind": AssessmentKind.STANDING,
            "amount": yuan(50_00),
            "evidence": "seen",
            "expires_on": FAR,
            "actor_id": self.hamlet.officer.id,
            **self.hamlet.when,
        }
        self.assessment = self.do(standings.grant_assessment, **self.of("gao"), **grant)
        self.ended = self.do(standings.grant_assessment, **self.of("guo"), **grant)
        self.do(
            standings.end_assessment,
            assessment_id=self.ended.id,
            actor_id=self.hamlet.officer.id,
            **self.hamlet.when,
        )
        self.season = self.do(
            products.add_season,
            **self.place,
            code="rice",
            crop="rice",
            sow_from=date(2026, 4, 1),
            sow_until=date(2026, 6, 1),
            harvest_from=date(2026, 9, 1),
            selling=[{"due_on": "2026-10-01", "weight": 1}],
            now=self.hamlet.now,
            actor_id=None,
        )

    def _disaster(self) -> None:
        self.disaster = self.do(
            seasons.declare,
            **self.place,
            kind=EventKind.FLOOD,
            crop="rice",
            happened_on=self.hamlet.day,
            dues_from=self.hamlet.day,
            dues_until=date(2026, 12, 31),
            effect_document={"kind": "move", "days": 30, "interest": "runs"},
            reason="the river came",
            actor_id=self.hamlet.officer.id,
            **self.hamlet.when,
        )

    def _lines(self) -> None:
        term = {"from_on": self.hamlet.day, "until_on": self.hamlet.day + timedelta(days=364)}
        shares = {self.id(name): yuan(60_00) for name in ("wang", "zhao", "sun")}
        opened: dict[str, Any] = {
            **self.place,
            "limit": yuan(100_00),
            "reason": "decided in the assembly",
            "actor_id": self.hamlet.officer.id,
            **term,
            **self.hamlet.when,
        }
        self.line: CreditLine = self.do(
            lines.open_line, group_id=self.active.id, name="tools", sub_limits=shares, **opened
        )
        ours = {self.id("wang"): yuan(20_00)}
        self.common: CreditLine = self.do(lines.open_line, name="seed", sub_limits=ours, **opened)
        step: dict[str, Any] = {"reason": "a pause", "actor_id": None, **self.hamlet.when}
        self.do(lines.suspend, line_id=self.common.id, **step)
        other = self.hamlet.product("tools", self.hamlet.terms)
        self.special: CreditLine = self.do(
            lines.open_line, name="tools only", product_id=other, sub_limits=ours, **opened
        )
        self.draw: Loan = self.endorse(
            self.do(
                lines.apply,
                line_id=self.line.id,
                **self.place,
                borrower_id=self.id("wang"),
                product_id=self.hamlet.product_id,
                principal=yuan(60_01),
                purpose="a pump",
                instalments=1,
                actor_id=self.id("wang"),
                **self.hamlet.when,
            )
        )

    def _campaign(self) -> None:
        """Published, with one finding that was decided, one visit, and one open objection."""
        for name in ("wang", "zhao", "gao", "guo", "lin"):
            home = self.do(members.register_household, reference=name, now=self.hamlet.now)
            self.do(
                members.move_to_household,
                member_id=self.id(name),
                household_id=home.id,
                now=self.hamlet.now,
                actor_id=None,
            )
        act: dict[str, Any] = {"actor_id": self.hamlet.officer.id, **self.hamlet.when}
        self.campaign: Campaign = self.do(
            campaigns.open_campaign, **self.place, name="spring", seed="7", **act
        )
        step: dict[str, Any] = {"campaign_id": self.campaign.id, **act}
        self.do(campaigns.draw_reviewers, **step)
        asked = self.session.scalars(
            select(CampaignAssignment)
            .where(CampaignAssignment.campaign_id == self.campaign.id)
            .order_by(CampaignAssignment.household_id, CampaignAssignment.id)
        ).all()
        for number, one in enumerate(asked):
            self.do(
                campaigns.answer,
                assignment_id=one.id,
                knows=True,
                debts=Debts.NONE,
                reputation=4,
                limit=yuan(20_00 if number else 90_00),
                now=self.hamlet.now,
                actor_id=one.reviewer_id,
            )
        self.to_review = next(one for one in asked if one.reviewer_id == self.id("wang"))
        self.do(campaigns.close_round, **step)
        [self.finding] = self.session.scalars(select(CampaignFinding))
        keep: dict[str, Any] = {"decision": Decision.KEEP, "reason": "his own brother", **act}
        self.do(deciding.decide, finding_id=self.finding.id, **keep)
        rows = self.session.scalars(select(CampaignHousehold).order_by(CampaignHousehold.id)).all()
        for row in rows:
            if row.is_sampled:
                seen: dict[str, Any] = {"result": VisitResult.CONFIRMED, "remark": "seen", **act}
                self.do(deciding.visit, row_id=row.id, **seen)
        self.do(deciding.publish, **step)
        self.reviewed_home = next(row for row in rows if row.holder_id == self.id("wang"))
        self.objection = self.do(
            deciding.object_to,
            row_id=self.reviewed_home.id,
            reason="he gambles",
            actor_id=self.id("zhao"),
            **self.hamlet.when,
        )

    def _watched(self) -> None:
        # What the evening's rules find: loans that are late, of members in no group.
        self.do(cases.watch, **self.place, **self.hamlet.when, limit=100)
        charter = community_queries.charter_on(
            self.session, self.hamlet.community.id, self.hamlet.day
        )
        # Of a group, so that its leader has a case to answer: about zhao and about sun.
        raised = self.do(
            cases.raise_events,
            **self.place,
            signals=[
                Signal(RiskRule.MISSED_MEETINGS, self.hamlet.day, f"seen/{name}", self.id(name))
                for name in ("zhao", "sun")
            ],
            charter=charter,
            **self.hamlet.when,
        )
        self.case, self.closed_case = (
            self.session.get_one(RiskCase, event.case_id) for event in raised.events
        )
        self.do(
            cases.close,
            case_id=self.closed_case.id,
            outcome=CaseOutcome.FALSE_ALARM,
            text="was ill",
            actor_id=self.id("wang"),
            **self.hamlet.when,
        )

        self._meetings()
        self._reports()
        self._visits()
        self._uses()

    def _visits(self) -> None:
        drawn = self.do(
            visits.draw_round,
            group_id=self.active.id,
            purpose=Purpose.CROP,
            seed=1,
            due_on=self.hamlet.day + timedelta(days=7),
            actor_id=self.id("wang"),
            **self.hamlet.when,
        )
        rows = {row.visitor_id: row for row in visits.visits_of(self.session, drawn.id)}
        self.visit, self.visited = (rows[self.id(name)] for name in ("zhao", "sun"))
        self.photo = self.do(
            visits.add_photo,
            visit_id=self.visit.id,
            content=b"\xff\xd8\xff\xe0 field \xff\xd9",
            media_type="image/jpeg",
            **self.hamlet.when,
        )
        self.do(
            visits.answer,
            visit_id=self.visited.id,
            answers={"met": True, "planted": True, "healthy": True, "trouble": False},
            note="",
            place=None,
            seen_at=None,
            actor_id=self.id("sun"),
            **self.hamlet.when,
        )

    def _uses(self) -> None:
        act: dict[str, Any] = {"actor_id": self.id("ding"), **self.hamlet.when}
        loan = {"loan_id": self.failing["ding"].id}
        self.use = self.do(
            proceeds.state_use,
            **loan,
            purpose=Purpose.STOCK,
            payee_name="the mill",
            payee_id=self.id("clerk"),
            amount=yuan(30_00),
            **act,
        )
        self.do(
            proceeds.promise,
            **loan,
            amount=yuan(5_00),
            promised_on=self.hamlet.day + timedelta(days=5),
            **act,
        )

    def _reports(self) -> None:
        said: dict[str, Any] = {
            **self.place,
            "reporter_id": self.id("wu"),
            "kind": RiskRule.MISUSE,
            "text": "sold the seed",
            **self.hamlet.when,
        }
        for name in ("gao", "clerk"):
            self.do(reports.report, member_id=self.id(name), **said)
        self.reported, self.of_clerk = (
            self.session.scalars(select(RiskCase).where(RiskCase.member_id == self.id(name))).one()
            for name in ("gao", "clerk")
        )
        act = {"actor_id": self.hamlet.officer.id, **self.hamlet.when}
        self.do(cases.take, case_id=self.reported.id, **act)

    def _meetings(self) -> None:
        by: dict[str, Any] = {"actor_id": self.id("wang"), "now": self.hamlet.now}
        group = {"group_id": self.active.id}
        first = self.hamlet.day
        self.do(meetings.set_plan, first_on=first, every_days=7, place="mill", **group, **by)
        lines = [
            meetings.Present(self.id(name), AttendanceKind(kind))
            for name, kind in (("wang", "present"), ("zhao", "present"), ("sun", "absent"))
        ]
        held = {**group, "lines": lines, "held_on": first, "on": first, **by}
        self.meeting, over = (self.do(meetings.enter, **held) for _ in range(2))
        put: dict[str, Any] = {"subject": MotionSubject.GENERAL, "text": "a well", **by}
        self.motion, self.secret_motion = (
            self.do(meetings.propose, meeting_id=self.meeting.id, ballot=ballot, **put)
            for ballot in Ballot
        )
        voted = {"member_id": self.id("wang"), "actor_id": self.id("wang")}
        self.do(meetings.vote, motion_id=self.motion.id, choice=Choice.YES, **voted)
        self.counted = self.do(meetings.propose, meeting_id=over.id, ballot=Ballot.OPEN, **put)
        self.over = self.do(meetings.close, meeting_id=over.id, on=first, **by)

    def _speaking_up(self) -> None:
        today = self.hamlet.day
        version = product_queries.version_on(self.session, self.hamlet.product_id, today)
        for name, stars in zip(("wang", "zhao", "sun", "li", "ma"), (5, 4, 3, 2, 4), strict=True):
            self.do(ratings.rate, thing=version, member_id=self.id(name), stars=stars, on=today)
        self.do(ratings.publish_means, **self.place, on=today, after_id=0, limit=9)
        self.theme, self.open_theme, self.done_theme, self.merged_theme = (
            self._theme(title) for title in ("rates", "meetings", "harvest", "meeting place")
        )
        self.item = self._item("wang", "利率太高，希望降低", self.theme)
        self._item("sun", "请降低贷款利率", self.theme)
        self.hidden = self._item("li", "nonsense", None)
        self._item("zhao", "repay after harvest", self.done_theme)
        self.remark = self.do(
            items.say,
            **self.place,
            author_id=self.id("wang"),
            kind=ItemKind.COMMENT,
            text="clear terms",
            thing=version,
            on=today,
        )
        by: dict[str, Any] = {"actor_id": self.hamlet.officer.id, **self.hamlet.when}
        self.do(items.hide, item_id=self.hidden.id, reason="nonsense", **by)
        self.do(themes.merge, theme_id=self.merged_theme.id, into=self.open_theme, **by)
        begun = today - timedelta(days=6)
        for theme, opens_on in ((self.done_theme, begun), (self.theme, today)):
            self.do(
                themes.put_to_vote,
                theme_id=theme.id,
                opens_on=opens_on,
                closes_on=opens_on + timedelta(days=4),
                **by | {"on": opens_on},
            )
        villagers = [name for name in self.hamlet.people if self._is_in(name)]
        for name in villagers:
            self.do(
                themes.vote,
                theme_id=self.done_theme.id,
                member_id=self.id(name),
                choice=PollChoice.YES,
                on=begun,
            )
        self.do(themes.decide, theme_id=self.done_theme.id, accepted=True, reason="so voted", **by)
        product = self.do(
            products.create_product,
            **self.place,
            code="asked-for",
            name="asked for",
            now=self.hamlet.now,
            actor_id=None,
        )
        self.brought = product
        brings = self.do(
            products.publish_version,
            product_id=product.id,
            terms_document={**HAMLET_TERMS, **TERMS},
            valid_from=today,
            source=f"assembly, {self.done_theme.public_id}",
            **by,
        )
        self.do(themes.ship, theme_id=self.done_theme.id, version=brings, **by)
        ding = self.failing["ding"]
        for who, thing in (
            ("wang", self.over),
            ("wang", self.counted),
            ("wang", self.done_theme),
            ("ding", ding),
        ):
            self.do(ratings.rate, thing=thing, member_id=self.id(who), stars=3, on=today)
        self.message = self.session.scalars(
            select(Message).where(Message.member_id == self.id("zhao")).order_by(Message.id)
        ).first()
        told: dict[str, Any] = {
            **self.place,
            "complainant_id": self.id("wang"),
            "kind": ComplaintKind.MONEY,
            "title": "a receipt is missing",
            **self.hamlet.when,
        }
        # The one is the officer's to answer, the other the clerk's.
        self.complaint, self.against_officer = (
            self.do(complaints.file, text=f"since {whom}", against_id=whom, **told)
            for whom in (None, self.hamlet.officer.id)
        )

    def _theme(self, title: str) -> Theme:
        return self.do(
            themes.create,
            **self.place,
            title=title,
            summary="",
            actor_id=self.hamlet.officer.id,
            **self.hamlet.when,
        )

    def _item(self, name: str, text: str, theme: Theme | None) -> FeedbackItem:
        item = self.do(
            items.say,
            **self.place,
            author_id=self.id(name),
            kind=ItemKind.SUGGESTION,
            text=text,
            thing=None,
            on=self.hamlet.day,
        )
        if theme is not None:
            self.do(
                themes.place,
                item_id=item.id,
                theme=theme,
                on=self.hamlet.day,
                actor_id=self.hamlet.officer.id,
            )
        return item

    def _is_in(self, name: str) -> bool:
        place = community_queries.find_membership(self.session, **self.of(name))
        before = self.hamlet.day - timedelta(days=37)
        return place is not None and place.status.value == "active" and place.since_on <= before

    def _far_away(self) -> None:
        self.far = self.do(
            communities.create_community,
            kind=CommunityKind.INTEREST,
            name="Far away",
            reference="far-away",
            currency="CNY",
            now=self.hamlet.now,
            actor_id=None,
        )
        document = templates.load("savers-circle")["rules"]
        self.do(
            communities.adopt_charter,
            community_id=self.far.id,
            rules_document=document,
            valid_from=self.hamlet.day,
            source="test",
            now=self.hamlet.now,
            actor_id=None,
        )
        there: dict[str, Any] = {"community_id": self.far.id, "actor_id": None, **self.hamlet.when}
        self.stranger("stranger")
        self.do(communities.apply_for_membership, member_id=self.id("stranger"), **there)
        self.do(communities.activate_membership, member_id=self.id("stranger"), **there)
        self.stranger("foreign")
        self.role("foreign", Role.OFFICER, self.far.id)

    def _records(self) -> None:
        wang: dict[str, Any] = {**self.hamlet.when, "actor_id": self.id("wang")}
        given: dict[str, Any] = {
            **self.of("wang"),
            "purposes": [RecordPurpose.STANDING],
            "fields": [RecordField.STANDING, RecordField.DEBTS],
            "until_on": self.hamlet.day + timedelta(days=100),
            **wang,
        }
        self.consent: RecordConsent = self.do(
            records.give_consent, recipient=self.far.public_id, **given
        )
        signer = load_signer(RECORD_KEY.encode())
        self.record: CreditRecord = self.do(
            records.issue_record, consent_id=self.consent.id, signer=signer, **wang
        )
        self.withdrawn: RecordConsent = self.do(records.give_consent, recipient="A bank", **given)
        self.do(records.withdraw_consent, consent_id=self.withdrawn.id, reason="x", **wang)

    def _tokens(self) -> None:
        for name in self.hamlet.people:
            self.token(name, name)
        self.token("reader", "wang", scopes=frozenset({"read"}))
        self.token("writer", "wang", scopes=frozenset({"write"}))
        revoked = self.token("revoked", "wang")
        self.do(members.revoke_token, token=revoked, now=self.hamlet.now)
        long_ago = self.hamlet.now - timedelta(days=20)
        self.token("expired", "wang", now=long_ago, lifetime=timedelta(days=1))
        self.kept_token = self.token("kept", "wang")

    def _collect(self) -> None:
        rows: dict[str, Any] = {
            "village": self.hamlet.community,
            "far": self.far,
            "home": self.home,
            "plain": self.session.get_one(Product, self.hamlet.product_id),
            "rice": self.season,
            "disaster": self.disaster,
            "line": self.line,
            "common": self.common,
            "special": self.special,
            "draw": self.draw,
            "consent": self.consent,
            "record": self.record,
            "withdrawn": self.withdrawn,
            "campaign": self.campaign,
            "to_review": self.to_review,
            "finding": self.finding,
            "reviewed_home": self.reviewed_home,
            "objection": self.objection,
            "active": self.active,
            "amendment": self.amendment,
            "expulsion": self.expulsion,
            "signing": self.signing,
            "cooling": self.cooling,
            "forming": self.forming,
            "live": self.live,
            "free": self.free,
            "offered": self.offered,
            "declined": self.declined,
            "revoked_vouch": self.revoked,
            "submitted": self.submitted,
            "endorsed": self.endorsed,
            "own": self.own,
            "large": self.large,
            "approved": self.approved,
            "unfunded": self.unfunded,
            "current": self.current,
            "draft": self.draft,
            "sheet": self.sheet,
            "unmatched": self.waiting[0],
            "unmatched_too": self.waiting[1],
            "unmatched_still": self.waiting[2],
            "unmatched_last": self.waiting[3],
            "settled": self.settled,
            "closed": self.closed,
            "settling": self.settling,
            "sown": self.sown,
            "receipt": self.receipt,
            "handover": self.handover,
            "charge": self.charge,
            "moved": self.moved,
            "rejected": self.rejected,
            "late": self.failing["ding"],
            "group_loan": self.group_loan,
            "share": self.share,
            "call": self.call,
            "disputed": self.disputed,
            "paid_call": self.paid,
            "claim": self.claim,
            **self.words,
            "assessment": self.assessment,
            "ended": self.ended,
            "office": self.grants["officer"],
            "operation": self.grants["operator"],
            "kept": self.kept_token,
            "case": self.case,
            "closed_case": self.closed_case,
            "reported": self.reported,
            "of_clerk": self.of_clerk,
            "use": self.use,
            "visit": self.visit,
            "visited": self.visited,
            "meeting": self.meeting,
            "over": self.over,
            "motion": self.motion,
            "secret_motion": self.secret_motion,
            "counted": self.counted,
            "theme": self.theme,
            "open_theme": self.open_theme,
            "done_theme": self.done_theme,
            "merged_theme": self.merged_theme,
            "item": self.item,
            "hidden_item": self.hidden,
            "remark": self.remark,
            "message": self.message,
            "complaint": self.complaint,
            "against_officer": self.against_officer,
            "brought": self.brought,
        }
        kinds = (Community, Household, Product, Season, Group, Vouch, Loan, GroupLoan, Call)
        assert {type(row) for row in rows.values()} >= {*kinds, Assessment, RoleGrant}
        self.ids = {name: row.public_id for name, row in rows.items()}
        self.ids |= {name: member.public_id for name, member in self.hamlet.people.items()}
        self.ids |= self.desk
        entries = ledger.entries_of(self.hamlet.community.id).order_by(JournalEntry.id)
        self.ids["entry"] = str(self.session.scalars(entries.limit(1)).one().seq)
        self.ids["agreement"] = self.signing.agreement_hash or ""
        self.ids["proposed"] = self.amendment.agreement_hash
        self.session.rollback()

    def id(self, name: str) -> int:
        return self.hamlet.people[name].id

    def of(self, name: str) -> dict[str, Any]:
        return {**self.place, "member_id": self.id(name)}

    def stranger(self, name: str) -> Member:
        """Somebody who has nothing to do with the village."""
        self.hamlet.people[name] = self.do(
            members.register_member,
            kind=MemberKind.PERSON,
            name=name,
            birth_year=1980,
            now=self.hamlet.now,
        )
        return self.hamlet.people[name]

    def role(self, name: str, role: Role, community_id: int | None) -> None:
        grant = self.do(
            members.grant_role,
            member_id=self.id(name),
            role=role,
            community_id=community_id,
            now=self.hamlet.now,
        )
        self.grants[name] = grant

    def token(self, label: str, name: str, **changes: Any) -> Any:
        facts: dict[str, Any] = {
            "member_id": self.id(name),
            "label": label,
            "lifetime": timedelta(days=30),
            "lifetime_max": timedelta(days=400),
            "now": self.hamlet.now,
            **changes,
        }
        token, self.tokens[label] = self.do(members.issue_token, **facts)
        return token

    def endorse(self, loan: Loan) -> Loan:
        self.do(loans.endorse, loan_id=loan.id, endorser_id=self.id("wu"), **self.hamlet.when)
        return loan

    def lend(self, borrower: str, principal: int, instalments: int = 1) -> Loan:
        loan = self.hamlet.approve(
            self.endorse(self.hamlet.apply(borrower, principal, instalments))
        )
        return self.do(
            loans.disburse, loan_id=loan.id, actor_id=self.hamlet.officer.id, **self.hamlet.when
        )

    def offer(self, voucher: str, borrower: str) -> Vouch:
        return self.do(
            trust.offer_vouch,
            **self.place,
            voucher_id=self.id(voucher),
            borrower_id=self.id(borrower),
            side=VouchSide.VOUCHER,
            limit=yuan(50_00),
            expires_on=FAR,
            actor_id=self.id(voucher),
            **self.hamlet.when,
        )

    def gathered(self, founder: str, *others: str) -> Group:
        """A forming group whose members have accepted and voted for its founder."""
        group = self.do(
            groups.form_group,
            **self.place,
            founder_id=self.id(founder),
            name=f"Group of {founder}",
            pair_cap=yuan(CAP_MINOR),
            vouch_expires_on=FAR,
            actor_id=self.id(founder),
            **self.hamlet.when,
        )
        step = {"group_id": group.id, **self.hamlet.when, "actor_id": None}
        for name in others:
            who = {"member_id": self.id(name)}
            self.do(groups.invite, **who, inviter_id=self.id(founder), **step)
            self.do(groups.accept_invitation, **who, **step)
        for name in (founder, *others):
            vote = {"voter_id": self.id(name), "candidate_id": self.id(founder)}
            self.do(groups.vote_leader, **vote, **step)
        return group

    def fixed(self, group: Group, leader: str) -> None:
        self.do(
            groups.fix_agreement,
            group_id=group.id,
            actor_id=self.id(leader),
            **self.hamlet.when,
        )

    def signed(self, group: Group, *names: str) -> None:
        """Fixed, understood and signed by everybody."""
        self.fixed(group, names[0])
        for name in names:
            who: dict[str, Any] = {"group_id": group.id, "member_id": self.id(name)}
            asked = self.do(groups.questionnaire, **who)
            act: dict[str, Any] = {
                **who,
                "agreement_hash": asked.agreement_hash,
                "now": self.hamlet.now,
                "actor_id": self.id(name),
            }
            self.do(groups.answer_questions, **act, answers=right_answers(asked.questions))
            self.do(groups.sign, **act, on=self.hamlet.day)
