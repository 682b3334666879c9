"""Cases: the queue, one case and what to do about it, and how the rules did."""

from collections.abc import Callable
from typing import Any

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.monitoring.facts import case_facts
from app.monitoring.schemas import (
    CaseActionInSchema,
    CaseAssignmentSchema,
    CaseClosingSchema,
    CaseEscalationSchema,
)
from app.monitoring.views import replay_view
from app.pages.entry import language
from app.pages.forms import Form, Nothing, answer, read_query
from app.pages.layout import page
from app.pages.riskdesk.case_views import REPLAYED, QueueArgs, ReplayArgs, case_page, queue_of
from app.pages.riskdesk.desk_room import pages
from app.pages.riskdesk.places import place_for
from app.pages.words import Words
from app.permissions import Facts, may, permit, requires
from app.sheets import sheet
from community.communities import queries as communities
from community.communities.charter import RiskRule, Severity
from community.errors import CommunityError, Invalid
from community.members import queries as members
from community.monitoring import cases, measures, queries
from community.monitoring.models import ActionKind, RiskCase

_DAYS = 90


def _words() -> Words:
    return Words("riskdesk", language())


@pages.listed("cases", place="community")
@pages.get("/desk/cases")
@requires("case-queue:read")
def case_queue() -> Response:
    """The queue: the most urgent first; mine, all, those past their deadline, closed ones."""
    place = place_for("case-queue:read")
    form, asked = read_query(QueueArgs())
    if form.errors:
        raise Invalid(field=next(iter(form.errors)))
    return page(
        "riskdesk/cases.html",
        place=place,
        asked=asked,
        form=form,
        queue=queue_of(db.session(), place.community, asked, today()),
        severities=tuple(each.value for each in Severity),
        rules=tuple(each.value for each in RiskRule),
    )


@pages.get("/desk/cases/<pid(cas):case_id>")
@requires("case:read")
def case(case_id: str) -> Response:
    """One case: why it is open, whose turn it is, what was done, what to do."""
    return _case(case_id, Form())


@pages.route("/desk/cases/<pid(cas):case_id>/taking", methods=["POST"])
@requires("case:take")
def take_case(case_id: str) -> Any:
    """Take a case: the reader answers it from now on."""
    work = _work(case_id, "case:take", cases.take)
    return answer(Nothing, work, lambda form: _case(case_id, form), said=("riskdesk", "case_taken"))


@pages.route("/desk/cases/<pid(cas):case_id>/action", methods=["POST"])
@requires("case:act")
def act_on_case(case_id: str) -> Any:
    """Write down what was done."""
    work = _work(case_id, "case:act", cases.act)
    return answer(
        CaseActionInSchema,
        work,
        lambda form: _case(case_id, form),
        said=("riskdesk", "written_down"),
    )


@pages.route("/desk/cases/<pid(cas):case_id>/assignment", methods=["GET", "POST"])
@requires("case:assign")
def assign_case(case_id: str) -> Any:
    """Give it to an officer of the community or an operator."""

    def assign(session: Session, *, member: str, **given: Any) -> RiskCase:
        return cases.assign(session, member_id=members.get_member(session, member).id, **given)

    work = _work(case_id, "case:assign", assign)
    return answer(
        CaseAssignmentSchema,
        work,
        lambda form: _case(case_id, form, "riskdesk/case_assign.html"),
        said=("riskdesk", "case_assigned"),
    )


@pages.route("/desk/cases/<pid(cas):case_id>/escalation", methods=["GET", "POST"])
@requires("case:escalate")
def escalate_case(case_id: str) -> Any:
    """Hand it on to the role above."""
    work = _work(case_id, "case:escalate", cases.escalate)
    return answer(
        CaseEscalationSchema,
        work,
        lambda form: _case(case_id, form, "riskdesk/case_escalate.html"),
        said=("riskdesk", "case_escalated"),
    )


@pages.route("/desk/cases/<pid(cas):case_id>/closing", methods=["GET", "POST"])
@requires("case:close")
def close_case(case_id: str) -> Any:
    """Close it with what it was in the end."""
    work = _work(case_id, "case:close", cases.close)
    return answer(
        CaseClosingSchema,
        work,
        lambda form: _case(case_id, form, "riskdesk/case_close.html"),
        said=("riskdesk", "case_closed"),
    )


def _work(
    case_id: str, action: str, service: Callable[..., RiskCase]
) -> Callable[[dict[str, Any]], str]:
    """One of the things that are done about a case, permitted and done as by the API."""
    session = db.session()
    permit(action, case_facts(session, queries.get_case(session, case_id)))

    def work(data: dict[str, Any]) -> str:
        row = queries.get_case(session, case_id)
        permit(action, case_facts(session, row))
        if "kind" in data:
            data = data | {"kind": ActionKind(data["kind"])}
        service(session, case_id=row.id, on=today(), now=now(), actor_id=caller().member_id, **data)
        return url_for("riskdesk.case", case_id=case_id)

    return work


def _case(case_id: str, form: Form, template: str = "riskdesk/case.html") -> Response:
    view = case_page(db.session(), case_id, today(), _words())
    return page(template, view=view, form=form)


@pages.listed("rules", place="community")
@pages.get("/desk/rules")
@requires("risk-rule:read")
@limited("heavy")
def rules() -> Response:
    """Every rule: how often it was right, how far ahead of harm; and a rule tried on the past."""
    place = place_for("risk-rule:read")
    session = db.session()
    found = measures.measure_rules(session, community_id=place.community.id, on=today())
    form, replayed = Form(), None
    if "rule" in request.args:
        facts = Facts(path=place.community.path_ids)
        permit("risk-rule:replay", facts)
        form, asked = read_query(ReplayArgs())
        if not form.errors:
            try:
                replayed = replay_view(
                    session,
                    measures.replay(
                        session, community=place.community, today=today(), changes={}, **asked
                    ),
                )
            except CommunityError as refusal:
                form.refuse(refusal)
    shown = page(
        "riskdesk/rules.html",
        place=place,
        rules=found,
        form=form,
        replayed=replayed,
        replayable=REPLAYED,
        may_replay=may("risk-rule:replay", Facts(path=place.community.path_ids)),
    )
    shown.status_code = form.status
    return shown


@pages.get("/desk/<pid(com):community_id>/rules.csv")
@requires("risk-rule:read")
@limited("heavy")
def rules_csv(community_id: str) -> Response:
    """The rules' measures as a table."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("risk-rule:read", Facts(path=community.path_ids))
    found = measures.measure_rules(session, community_id=community.id, on=today())
    columns = ["rule", "severity", "events", "open", "right", "false_alarms", "undecided"]
    columns += ["precision_bps", "before_late", "days_before_late", "before_loss"]
    columns += ["days_before_loss"]
    return sheet(
        "risk-rules",
        columns,
        (
            [
                each.rule.value,
                each.severity.value if each.severity else None,
                each.events,
                each.open,
                each.right,
                each.false_alarms,
                each.undecided,
                each.precision_bps,
                each.before_late.followed,
                _days(each.before_late),
                each.before_loss.followed,
                _days(each.before_loss),
            ]
            for each in found
        ),
    )


def _days(lead: measures.Lead) -> str | None:
    return None if lead.days_median is None else f"{lead.days_median:g}"
