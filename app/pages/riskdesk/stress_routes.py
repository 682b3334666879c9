"""Stress tests: asked for, watched, read."""

from typing import Any

from flask import Response, after_this_request, jsonify, request, url_for

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import Form, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.riskdesk.desk_room import WATCH, pages
from app.pages.riskdesk.places import place_for
from app.pages.riskdesk.stress_views import StressForm, asked_for, choices_of, stress_page
from app.pages.words import Words
from app.permissions import Facts, may, permit, requires
from app.risk import views
from app.risk.schemas import StressSchema
from app.risk.work import desk_worker
from app.sheets import sheet
from community.communities import queries as communities
from community.communities.charter import LiabilityMode
from community.communities.models import Community
from community.money import format_minor
from community.risk import queries, stress_service
from community.risk.models import ShockKind, StressTest

# So many seconds between two looks at a test that is worked on, where the reader asked for that.
_WATCH_SECONDS = 3


def _words() -> Words:
    return Words("riskdesk", language())


@pages.listed("stress_tests", kinds=WATCH, place="community")
@pages.get("/desk/stress")
@requires("risk:read")
def stress_list() -> Response:
    """The community's stress tests, newest first."""
    place = place_for("risk:read")
    found, older, first = listed(
        db.session(),
        queries.stress_tests_of(place.community.id),
        StressTest.id,
        community=place.community.public_id,
    )
    return page(
        "riskdesk/stress_list.html",
        place=place,
        tests=[_view(test, place.community) for test in found.items],
        older=older,
        first=first,
        may_run=may("risk:run", Facts(path=place.community.path_ids)),
    )


@pages.route("/desk/<pid(com):community_id>/stress", methods=["GET", "POST"])
@requires("risk:run")
@limited("heavy")
def ask_stress(community_id: str) -> Any:
    """Ask for a stress test; it is worked off beside, and watched on its page."""
    community = communities.get_community(db.session(), community_id)
    permit("risk:run", Facts(path=community.path_ids))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        test = stress_service.ask_stress(
            session,
            community_id=community.id,
            asked=asked_for(session, community, data),
            draws=data["draws"],
            seed=data["seed"],
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        worker = desk_worker()

        @after_this_request
        def _begin(sent: Response) -> Response:
            # After the commit: the worker has to see it.
            worker.nudge()
            return sent

        return url_for("riskdesk.stress", stress_id=test.public_id, watch=1)

    def show(form: Form) -> Response:
        return page(
            "riskdesk/stress_form.html",
            form=form,
            community=community,
            choices=choices_of(db.session(), community, _words()),
            shocks=tuple(each.value for each in ShockKind),
            modes=tuple(each.value for each in LiabilityMode),
        )

    first = {"severity": "100", "draws": "1000", "seed": "1", "shock": "common_factor"}
    first |= {name: request.args[name] for name in ("shock", "circle") if name in request.args}
    return answer(StressForm, work, show, start=first, said=("riskdesk", "stress_asked"))


@pages.get("/desk/stress/<pid(str):stress_id>")
@requires("risk:read")
def stress(stress_id: str) -> Response:
    """A stress test: how far it is, and what it came to."""
    test, community = _asked(stress_id)
    view = stress_page(db.session(), test, community, _view(test, community), _words())
    shown = page("riskdesk/stress.html", page=view)
    if view.watched:
        # Only where the reader asked for it, and a link on the page ends it.
        shown.headers["Refresh"] = str(_WATCH_SECONDS)
    return shown


@pages.get("/desk/stress/<pid(str):stress_id>.json")
@requires("risk:read")
def stress_json(stress_id: str) -> Response:
    """The test as the API answers it: what was asked, the seed, what it came to."""
    test, community = _asked(stress_id)
    return jsonify(StressSchema().dump(_view(test, community)))


@pages.get("/desk/stress/<pid(str):stress_id>/draws.csv")
@requires("risk:read")
def stress_draws_csv(stress_id: str) -> Response:
    """What every draw came to."""
    test, community = _asked(stress_id)
    rows = queries.stress_draws(db.session(), test)
    return sheet("stress-draws", *views.stress_draws_table(rows, community.currency))


@pages.get("/desk/stress/<pid(str):stress_id>/members.csv")
@requires("risk:read")
def stress_members_csv(stress_id: str) -> Response:
    """Every member whom the test touches."""
    test, community = _asked(stress_id)
    rows = queries.stress_members(db.session(), test, limit=None)
    return sheet("stress-members", *views.stress_members_table(rows, test, community.currency))


@pages.get("/desk/stress/<pid(str):stress_id>/calls.csv")
@requires("risk:read")
def stress_calls_csv(stress_id: str) -> Response:
    """The calls of the worst draw."""
    test, community = _asked(stress_id)
    rows, _ = queries.stress_calls(db.session(), test, after=0, limit=100_000)
    currency = community.currency
    return sheet(
        "stress-calls",
        ["number", "loan", "guarantor", "for", "ground", "currency", "amount", "paid"],
        (
            [
                call.number,
                loan,
                who.name,
                None if other is None else other.name,
                call.ground.value,
                currency,
                format_minor(call.amount_minor, currency),
                format_minor(call.paid_minor, currency),
            ]
            for call, loan, who, other in rows
        ),
    )


def _asked(stress_id: str) -> tuple[StressTest, Community]:
    session = db.session()
    test = stress_service.get_stress(session, stress_id)
    community = communities.get_community_by_id(session, test.community_id)
    permit("risk:read", Facts(path=community.path_ids))
    return test, community


def _view(test: StressTest, community: Community) -> dict[str, Any]:
    version = queries.version_of(db.session(), test.charter_id)
    return views.stress_view(test, version, community.currency)
