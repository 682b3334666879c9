"""The risk desk: guarantee circles, what they could cost, and what would shrink them."""

from typing import Any

from flask import Response

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.permissions import Facts, permit, requires
from app.risk import permissions as _permissions  # noqa: F401  declares this room's actions
from app.risk import views
from app.risk.commands import cli as cli
from app.risk.schemas import CircleFileSchema, CircleListSchema, CirclesArgs, RiskRunSchema
from app.sheets import sheet
from app.transaction import transactional
from community.communities import queries as communities
from community.communities.models import Community
from community.risk import queries, service

blp = Blueprint("risk", __name__, description="The risk desk")

_TABLE = {"type": "string"}


@blp.route("/communities/<pid(com):community_id>/risk/circles", methods=["POST"])
@requires("risk:run")
@limited("heavy")
@blp.response(201, RiskRunSchema)
@transactional
def search_circles(community_id: str) -> dict[str, Any]:
    """Look for guarantee circles as the rows are now, and keep what is found."""
    community = _permitted("risk:run", community_id)
    session = db.session()
    run = service.find_circles(
        session,
        community_id=community.id,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.run_view(run, queries.charter_version(session, run), community.currency)


@blp.route("/communities/<pid(com):community_id>/risk/circles")
@requires("risk:read")
@blp.arguments(CirclesArgs, location="query")
@blp.response(200, CircleListSchema)
def list_circles(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """The circles of the last search, most costly first."""
    community = _permitted("risk:read", community_id)
    session = db.session()
    run = queries.get_last_run(session, community.id)
    found = queries.circles_of(session, run, least_rank=args["after_rank"], limit=args["limit"])
    last = found[-1][0].rank if found else 0
    return {
        "run": views.run_view(run, queries.charter_version(session, run), community.currency),
        "items": [views.circle_view(circle, name, community.currency) for circle, name in found],
        "next_rank": last if found and last < run.circles else None,
        "ended": [name.number for name in queries.ended_names(session, run)],
    }


@blp.route("/communities/<pid(com):community_id>/risk/circles.csv")
@requires("risk:read")
@blp.response(200, _TABLE, content_type="text/csv")
def list_circles_table(community_id: str) -> Response:
    """All circles of the last search as a table."""
    community = _permitted("risk:read", community_id)
    session = db.session()
    run = queries.get_last_run(session, community.id)
    found = queries.circles_of(session, run, limit=run.circles + 1)
    return sheet("circles", *views.circles_table(run, found, community.currency))


@blp.route("/risk/circles/<pid(cir):circle_id>")
@requires("risk:read")
@blp.response(200, CircleFileSchema)
def get_circle(circle_id: str) -> dict[str, Any]:
    """One circle as it was last seen: why it is one, what would shrink it, who is in it."""
    session = db.session()
    name = queries.get_name(session, circle_id)
    community = communities.get_community_by_id(session, name.community_id)
    permit("risk:read", Facts(path=community.path_ids))
    return views.file_view(queries.circle_file(session, name), community.currency)


def _permitted(action: str, community_id: str) -> Community:
    community = communities.get_community(db.session(), community_id)
    permit(action, Facts(path=community.path_ids))
    return community
