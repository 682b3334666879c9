"""Cases and the rules that open them."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.groups.facts import group_facts
from app.marks import limited, unnamed
from app.monitoring import meeting_routes, proceeds_routes, views, visit_routes
from app.monitoring import permissions as _permissions  # noqa: F401  declares this room's actions
from app.monitoring.facts import case_facts
from app.monitoring.schemas import (
    CaseActionInSchema,
    CaseClosingSchema,
    CaseListArgs,
    CaseSchema,
    CaseSummarySchema,
    PeerReportAnswerSchema,
    PeerReportInSchema,
    ReplayInSchema,
    ReplaySchema,
    ReportReadingSchema,
    RuleMeasuresSchema,
)
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.communities.charter import RiskRule
from community.groups import queries as groups
from community.members import queries as members
from community.monitoring import cases, measures, queries, reports
from community.monitoring.models import ActionKind, RiskCase
from community.risk.signals import ALL_FINDERS

blp = Blueprint("monitoring", __name__, description="Risk events, cases, and peer monitoring")


@blp.route("/communities/<pid(com):community_id>/cases")
@requires("case-queue:read")
@blp.arguments(CaseListArgs, location="query")
@blp.response(200, page_of(CaseSummarySchema))
def list_cases(args: dict[str, Any], community_id: str) -> Page:
    """A community's cases, in an order that tells nothing; none that somebody reported of you."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("case-queue:read", Facts(path=community.path_ids))
    query = queries.list_cases(community.id, reader_id=caller().member_id, status=args["status"])
    page = paginate(session, query, key=RiskCase.list_key, args=args)
    return Page(views.case_views(session, page.items), page.next_cursor)


@blp.route("/groups/<pid(grp):group_id>/cases")
@requires("group-case:read")
@blp.arguments(CaseListArgs, location="query")
@blp.response(200, page_of(CaseSummarySchema))
def list_group_cases(args: dict[str, Any], group_id: str) -> Page:
    """What a group's leader has to answer, newest first."""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("group-case:read", group_facts(session, group))
    query = queries.list_group_cases(group.id, reader_id=caller().member_id, status=args["status"])
    page = paginate(session, query, key=RiskCase.id, args=args, newest_first=True)
    return Page(views.case_views(session, page.items), page.next_cursor)


@blp.route("/me/cases")
@requires("own-case:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CaseSummarySchema))
def list_my_cases(args: dict[str, Any]) -> Page:
    """What rules found about the caller, newest first."""
    session = db.session()
    permit("own-case:read", Facts(owner_ids=frozenset({caller().member_id})))
    query = queries.list_own_cases(caller().member_id)
    page = paginate(session, query, key=RiskCase.id, args=args, newest_first=True)
    return Page(views.case_views(session, page.items), page.next_cursor)


@blp.route("/cases/<pid(cas):case_id>")
@requires("case:read")
@blp.response(200, CaseSchema)
def get_case(case_id: str) -> dict[str, Any]:
    """One case: what opened it, whose turn it is, what was done."""
    session = db.session()
    case = queries.get_case(session, case_id)
    facts = case_facts(session, case)
    permit("case:read", facts)
    return views.case_view(session, case, facts)


@blp.route("/cases/<pid(cas):case_id>/actions", methods=["POST"])
@requires("case:act")
@blp.arguments(CaseActionInSchema)
@blp.response(201, CaseSchema)
@transactional
def act(data: dict[str, Any], case_id: str) -> dict[str, Any]:
    """Write down what was done about a case."""
    session = db.session()
    case = queries.get_case(session, case_id)
    facts = case_facts(session, case)
    permit("case:act", facts)
    case = cases.act(
        session,
        case_id=case.id,
        kind=ActionKind(data["kind"]),
        text=data["text"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.case_view(session, case, facts)


@blp.route("/cases/<pid(cas):case_id>/taking", methods=["POST"])
@requires("case:take")
@blp.response(201, CaseSchema)
@transactional
def take(case_id: str) -> dict[str, Any]:
    """Take a case: the caller answers it from now on."""
    session = db.session()
    case = queries.get_case(session, case_id)
    facts = case_facts(session, case)
    permit("case:take", facts)
    case = cases.take(session, case_id=case.id, on=today(), now=now(), actor_id=caller().member_id)
    return views.case_view(session, case, facts)


@blp.route("/cases/<pid(cas):case_id>/closing", methods=["POST"])
@requires("case:close")
@blp.arguments(CaseClosingSchema)
@blp.response(201, CaseSchema)
@transactional
def close(data: dict[str, Any], case_id: str) -> dict[str, Any]:
    """Close a case with what it was in the end; its rules are measured by that."""
    session = db.session()
    case = queries.get_case(session, case_id)
    facts = case_facts(session, case)
    permit("case:close", facts)
    case = cases.close(
        session,
        case_id=case.id,
        outcome=data["outcome"],
        text=data["text"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.case_view(session, case, facts)


@blp.route("/communities/<pid(com):community_id>/peer-reports", methods=["POST"])
@requires("peer-report:send")
@unnamed
@blp.arguments(PeerReportInSchema)
@blp.response(201, PeerReportAnswerSchema)
@transactional
def send_report(data: dict[str, Any], community_id: str) -> dict[str, str]:
    """Say what you see of another member; only the case's own officer can read from whom it is."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("peer-report:send", community_facts(session, community))
    reports.report(
        session,
        community_id=community.id,
        reporter_id=caller().member_id,
        member_id=members.get_member(session, data["member"]).id,
        kind=RiskRule(data["kind"]),
        text=data["text"],
        on=today(),
        now=now(),
    )
    return {"status": "received"}


@blp.route("/cases/<pid(cas):case_id>/reports-reading", methods=["POST"])
@requires("case:read_reports")
@blp.response(201, ReportReadingSchema)
@transactional
def read_reports(case_id: str) -> dict[str, Any]:
    """Read who reported what: for the officer who has taken the case; that it was read is kept."""
    session = db.session()
    case = queries.get_case(session, case_id)
    permit("case:read_reports", case_facts(session, case))
    reading = reports.read_reports(
        session, case_id=case.id, on=today(), now=now(), actor_id=caller().member_id
    )
    return views.reading_view(session, reading)


@blp.route("/communities/<pid(com):community_id>/risk-rules")
@requires("risk-rule:read")
@limited("heavy")
@blp.response(200, RuleMeasuresSchema)
def list_rules(community_id: str) -> dict[str, Any]:
    """Every rule: whether it is on, how often it was right, how far ahead of harm."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("risk-rule:read", Facts(path=community.path_ids))
    found = measures.measure_rules(session, community_id=community.id, on=today())
    return {"on": today(), "rules": found}


@blp.route("/communities/<pid(com):community_id>/risk-rules/replay", methods=["POST"])
@requires("risk-rule:replay")
@limited("heavy")
@blp.arguments(ReplayInSchema)
@blp.response(200, ReplaySchema)
def replay(data: dict[str, Any], community_id: str) -> dict[str, Any]:
    """What a rule would have found on a span of the past; writes nothing."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("risk-rule:replay", Facts(path=community.path_ids))
    done = measures.replay(
        session,
        community=community,
        rule=data["rule"],
        from_on=data["from_on"],
        until_on=data["until_on"],
        changes=data["charter"],
        finders=ALL_FINDERS,
        today=today(),
    )
    return views.replay_view(session, done)


meeting_routes.add_routes(blp)
visit_routes.add_routes(blp)
proceeds_routes.add_routes(blp)
