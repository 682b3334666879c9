"""Small routes that let tests see the foundation at work: paying in makes a household each."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, current_app
from sqlalchemy import func, select, text

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now
from app.extensions import cache, db
from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole
from app.idempotency import money_moving
from app.marks import accepts, limited, never_refused, public
from app.paging import PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import Facts, declare, holds_office, is_anybody, is_owner, permit, requires
from app.transaction import transactional
from community.errors import Invalid, StaleSnapshot
from community.locks import lock_one
from community.members.models import Household, Member
from community.members.service import register_household

declare(
    {
        "probe:read": (is_owner,),
        "probe:act": (holds_office,),
        "probe:pay": (is_anybody,),
        "secret:act": (holds_office,),
    }
)


class PaymentSchema(Schema):
    amount = Money(required=True)
    note = Text(80, load_default="")
    purpose = Text(20)
    on = Day()
    at = Instant()
    count = Whole(0, 100)
    member_id = PublicId("mem")


class ReceiptSchema(Schema):
    id = Text(40, attribute="public_id")
    reference = Text(80)


class RenameSchema(Schema):
    name = Text(120, required=True)


class MemberSchema(Schema):
    id = Text(40, attribute="public_id")
    name = Text(120)


def add_probe(app: Flask, inside: Callable[[], None] = lambda: None) -> None:
    """Add the routes to an application. `inside` is called within each payment's unit of work."""
    blp = Blueprint("probe", __name__, description="Routes for tests")
    app.extensions["probe_runs"] = []
    app.extensions["probe_computed"] = 0

    def pay(data: Mapping[str, Any]) -> Household:
        permit("probe:pay")
        current_app.extensions["probe_runs"].append(caller().member_id)
        inside()
        household = Household(
            reference=f"{data['amount']} {data['note']}#{count_households(db.session())}",
            created_at=now(),
        )
        db.session.add(household)
        db.session.flush()
        if data["note"] == "refuse":
            raise Invalid("This note is refused.")
        if data["note"] == "crash":
            raise ZeroDivisionError("secret detail")
        return household

    @blp.route("/probe/payments", methods=["POST"])
    @requires("probe:pay")
    @blp.arguments(PaymentSchema)
    @money_moving(ReceiptSchema)
    def make_payment(data: Mapping[str, Any]) -> Household:
        """Pay something."""
        return pay(data)

    @blp.route("/probe/repayments", methods=["POST"])
    @requires("probe:pay")
    @never_refused
    @blp.arguments(PaymentSchema)
    @money_moving(ReceiptSchema)
    def make_repayment(data: Mapping[str, Any]) -> Household:
        """Pay something back."""
        return pay(data)

    @blp.route("/probe/members/<pid(mem):member_id>/payments", methods=["POST"])
    @requires("probe:pay")
    @blp.arguments(PaymentSchema)
    @money_moving(ReceiptSchema)
    def pay_member(data: Mapping[str, Any], member_id: str) -> Household:
        """Pay something to a member."""
        return pay(data)

    @blp.route("/probe/retries/<int:failures>", methods=["POST"])
    @requires("probe:pay")
    @blp.response(200)
    @transactional
    def retry(failures: int) -> dict[str, Any]:
        """Fail as often as asked, each time after a write."""
        permit("probe:pay")
        runs = current_app.extensions["probe_runs"]
        runs.append(db.session.info["last_try"])
        register_household(db.session(), reference=f"run {len(runs)}", now=now())
        if len(runs) <= failures:
            raise StaleSnapshot()
        return {"runs": len(runs)}

    @blp.route("/probe/twins", methods=["POST"])
    @requires("probe:pay")
    @blp.response(201, ReceiptSchema)
    @transactional
    def twin() -> Household:
        """Enter a household whose reference is taken, without looking."""
        permit("probe:pay")
        for _ in range(2):
            household = Household(reference="twin", created_at=now())
            db.session.add(household)
            db.session.flush()
        return household

    @blp.route("/probe/broken-checks", methods=["POST"])
    @requires("probe:pay")
    @blp.response(200)
    @transactional
    def break_check() -> dict[str, Any]:
        """Give an enterprise a year of birth."""
        permit("probe:pay")
        row = lock_one(db.session(), Member, caller().member_id)
        row.kind = "enterprise"
        row.birth_year = 1990
        db.session.flush()
        return {}

    @blp.route("/probe/members")
    @requires("probe:pay")
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, page_of(MemberSchema))
    def list_members(args: Mapping[str, Any]) -> Any:
        """List members."""
        permit("probe:pay")
        return paginate(db.session(), select(Member), key=Member.id, args=args)

    @blp.route("/probe/households")
    @requires("probe:pay")
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, page_of(ReceiptSchema))
    def list_households(args: Mapping[str, Any]) -> Any:
        """List households, newest first."""
        permit("probe:pay")
        return paginate(
            db.session(), select(Household), key=Household.id, args=args, newest_first=True
        )

    @blp.route("/probe/me")
    @requires("probe:read")
    @blp.response(200, MemberSchema)
    def read_me() -> Member:
        """Read oneself."""
        permit("probe:read", Facts(owner_ids=frozenset({caller().member_id})))
        row = db.session.get_one(Member, caller().member_id)
        show_etag(row.version)
        return row

    @blp.route("/probe/me", methods=["PUT"])
    @requires("probe:read")
    @blp.arguments(RenameSchema)
    @blp.response(200, MemberSchema)
    @transactional
    def rename_me(data: Mapping[str, Any]) -> Member:
        """Rename oneself."""
        permit("probe:read", Facts(owner_ids=frozenset({caller().member_id})))
        row = lock_one(db.session(), Member, caller().member_id)
        check_etag(row.version)
        row.name = data["name"]
        row.version += 1
        show_etag(row.version)
        return row

    @blp.route("/probe/mine", methods=["POST"])
    @requires("probe:act")
    @blp.response(200)
    def act_on_mine() -> dict[str, Any]:
        """Do what only officers may, on something readable."""
        permit("probe:act", Facts(owner_ids=frozenset({caller().member_id})))
        return {}

    @blp.route("/probe/others", methods=["POST"])
    @requires("probe:act")
    @blp.response(200)
    def act_on_others() -> dict[str, Any]:
        """Do what only officers may, on something unreadable."""
        permit("probe:act", Facts(owner_ids=frozenset({-1})))
        return {}

    @blp.route("/probe/forgetful")
    @requires("probe:read")
    @blp.response(200)
    def forgetful() -> dict[str, Any]:
        """Forget to ask."""
        return {"secret": "of somebody"}

    @blp.route("/probe/public")
    @public
    @blp.response(200)
    def open_to_all() -> dict[str, Any]:
        """Open to everybody."""
        return {"open": True}

    @blp.route("/probe/faults")
    @public
    @blp.response(200)
    def fault() -> dict[str, Any]:
        """Break."""
        raise ZeroDivisionError("secret detail")

    @blp.route("/probe/database-faults")
    @public
    @blp.response(200)
    def database_fault() -> dict[str, Any]:
        """Ask the database nonsense."""
        db.session.execute(text("SELECT * FROM no_such_table"))
        return {}

    @blp.route("/probe/heavy")
    @public
    @limited("heavy")
    @blp.response(200)
    def heavy() -> dict[str, Any]:
        """Compute much."""
        return {}

    @blp.route("/probe/cached/<name>")
    @public
    @blp.response(200)
    def cached(name: str) -> dict[str, Any]:
        """Compute once."""

        def compute() -> int:
            current_app.extensions["probe_computed"] += 1
            return int(current_app.extensions["probe_computed"])

        return {"value": cache.get_or_compute(f"probe:{name}", 60, compute)}

    @blp.route("/probe/files", methods=["POST"])
    @public
    @accepts("text/csv")
    @blp.response(200)
    def take_file() -> dict[str, Any]:
        """Take a file."""
        return json.loads("{}")

    app.extensions["api"].register_blueprint(blp)


def count_households(session: Any) -> int:
    """How many payments took effect."""
    return int(session.scalar(select(func.count()).select_from(Household)) or 0)
