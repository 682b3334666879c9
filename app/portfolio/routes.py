"""How sound a community's loans are, as JSON and as tables."""

from typing import Any

from flask import Response

from app.blueprint import Blueprint
from app.clock import today
from app.extensions import db
from app.marks import limited
from app.permissions import Facts, may, permit, requires
from app.portfolio import permissions as _permissions  # noqa: F401  declares this room's actions
from app.portfolio import views
from app.portfolio.schemas import (
    ClassReportSchema,
    LoanClassSchema,
    ParArgs,
    RiskReportSchema,
    RollArgs,
    RollReportSchema,
    VintageArgs,
    VintageReportSchema,
)
from app.sheets import sheet
from community.communities import queries as communities
from community.communities.models import Community
from community.loans import queries as loans
from community.loans.service import currency_of
from community.portfolio import queries
from community.portfolio.at_risk import RiskReport, portfolio_at_risk
from community.portfolio.measures import end_of_month_before, month_name
from community.portfolio.queries import ClassReport
from community.portfolio.rolls import RollReport, roll_rates
from community.portfolio.vintages import VintageReport, vintages

blp = Blueprint("portfolio", __name__, description="Classes of risk and portfolio figures")

_TABLE = {"type": "string"}


@blp.route("/communities/<pid(com):community_id>/portfolio/par")
@requires("portfolio:read")
@limited("heavy")
@blp.arguments(ParArgs, location="query")
@blp.response(200, RiskReportSchema)
def get_par(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """Portfolio at risk on a day, in whole and broken down."""
    return views.risk_view(_par(args, community_id))


@blp.route("/communities/<pid(com):community_id>/portfolio/par.csv")
@requires("portfolio:read")
@limited("heavy")
@blp.arguments(ParArgs, location="query")
@blp.response(200, _TABLE, content_type="text/csv")
def get_par_table(args: dict[str, Any], community_id: str) -> Response:
    """Portfolio at risk as a table."""
    return sheet("portfolio-at-risk", *views.risk_table(_par(args, community_id)))


@blp.route("/communities/<pid(com):community_id>/portfolio/vintages")
@requires("portfolio:read")
@limited("heavy")
@blp.arguments(VintageArgs, location="query")
@blp.response(200, VintageReportSchema)
def get_vintages(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """Loans by the month in which they were paid out, and how many ever went bad."""
    return views.vintage_view(_vintages(args, community_id))


@blp.route("/communities/<pid(com):community_id>/portfolio/vintages.csv")
@requires("portfolio:read")
@limited("heavy")
@blp.arguments(VintageArgs, location="query")
@blp.response(200, _TABLE, content_type="text/csv")
def get_vintages_table(args: dict[str, Any], community_id: str) -> Response:
    """Vintages as a table."""
    return sheet("vintages", *views.vintage_table(_vintages(args, community_id)))


@blp.route("/communities/<pid(com):community_id>/portfolio/roll-rates")
@requires("portfolio:read")
@limited("heavy")
@blp.arguments(RollArgs, location="query")
@blp.response(200, RollReportSchema)
def get_roll_rates(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """Into which class the loans of each class came within a month."""
    return views.roll_view(_rolls(args, community_id))


@blp.route("/communities/<pid(com):community_id>/portfolio/roll-rates.csv")
@requires("portfolio:read")
@limited("heavy")
@blp.arguments(RollArgs, location="query")
@blp.response(200, _TABLE, content_type="text/csv")
def get_roll_rates_table(args: dict[str, Any], community_id: str) -> Response:
    """Roll rates as a table."""
    return sheet("roll-rates", *views.roll_table(_rolls(args, community_id)))


@blp.route("/communities/<pid(com):community_id>/portfolio/classes")
@requires("portfolio:read")
@blp.response(200, ClassReportSchema)
def get_classes(community_id: str) -> dict[str, Any]:
    """What is out and what is set aside, by class of risk."""
    return views.class_view(_classes(community_id))


@blp.route("/communities/<pid(com):community_id>/portfolio/classes.csv")
@requires("portfolio:read")
@blp.response(200, _TABLE, content_type="text/csv")
def get_classes_table(community_id: str) -> Response:
    """Classes of risk as a table."""
    return sheet("classes", *views.class_table(_classes(community_id)))


@blp.route("/loans/<pid(lon):loan_id>/class")
@requires("class:read")
@blp.response(200, LoanClassSchema)
def get_loan_class(loan_id: str) -> dict[str, Any]:
    """The class of one loan, why, and since when."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    community = communities.get_community_by_id(session, loan.community_id)
    facts = Facts(path=community.path_ids, owner_ids=frozenset({loan.borrower_id}))
    permit("class:read", facts)
    return views.loan_class_view(
        queries.loan_class_file(session, loan),
        today(),
        currency_of(loan),
        with_provision=may("portfolio:read", facts),
    )


def _par(args: dict[str, Any], community_id: str) -> RiskReport:
    return portfolio_at_risk(
        db.session(),
        community=_permitted(community_id),
        on=args["on"] or today(),
        today=today(),
        by=args["by"],
    )


def _vintages(args: dict[str, Any], community_id: str) -> VintageReport:
    return vintages(
        db.session(),
        community=_permitted(community_id),
        until=args["until"] or today(),
        today=today(),
        months=args["months"],
    )


def _rolls(args: dict[str, Any], community_id: str) -> RollReport:
    return roll_rates(
        db.session(),
        community=_permitted(community_id),
        month=args["month"] or month_name(end_of_month_before(today())),
        today=today(),
    )


def _classes(community_id: str) -> ClassReport:
    return queries.class_report(db.session(), community=_permitted(community_id))


def _permitted(community_id: str) -> Community:
    community = communities.get_community(db.session(), community_id)
    permit("portfolio:read", Facts(path=community.path_ids))
    return community
