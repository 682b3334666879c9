"""Members who asked to be erased, and the answer; what retention took away."""

from typing import Any

import marshmallow as ma
from flask import Response, url_for

from app.auth import caller
from app.clock import now
from app.extensions import db
from app.fields import YesNo
from app.marks import limited
from app.members.facts import member_facts
from app.pages.forms import Form, Schema, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.platform.room import pages
from app.permissions import permit, requires
from app.personal.schemas import ErasureRefusalInSchema
from community.members import queries as members
from community.members.models import Member
from community.personal import asking, daily, erasure
from community.personal.models import ErasureRequest, ErasureState, RetentionRun


class EraseSchema(Schema):
    """That it is meant: nothing of it can be undone."""

    sure = YesNo(
        required=True,
        validate=ma.validate.Equal(True, error="Say that you have understood it."),
    )


@pages.listed("erasures")
@pages.get("/platform/erasures")
@requires("erasure:list")
def erasures() -> Response:
    """Who waits for an answer, who asked first first."""
    permit("erasure:list")
    session = db.session()
    found, later, first = listed(
        session, asking.open_requests(), ErasureRequest.id, newest_first=False
    )
    names = members.names_of(session, (row.member_id for row in found.items))
    return page(
        "platform/erasures.html",
        requests=[(row, names[row.member_id]) for row in found.items],
        later=later,
        first=first,
    )


@pages.get("/platform/erasures/<pid(mem):member_id>")
@requires("member:erase")
@limited("heavy")
def erasure_request(member_id: str) -> Response:
    """One member's wish: what stands against it, what goes and what stays."""
    return _request_page(_member("member:erase", member_id), Form())


@pages.post("/platform/erasures/<pid(mem):member_id>/refusal")
@requires("member:erase")
@limited("heavy")
def refuse_erasure(member_id: str) -> Any:
    """Tell the member why not now."""
    member = _member("member:erase", member_id)

    def work(data: dict[str, Any]) -> str:
        found = _member("member:erase", member_id)
        asking.refuse(
            db.session(), member_id=found.id, now=now(), actor_id=caller().member_id, **data
        )
        return url_for("platform.erasure_request", member_id=member_id)

    return answer(
        ErasureRefusalInSchema,
        work,
        lambda form: _request_page(member, form),
        said=("platform", "refused_said"),
    )


@pages.post("/platform/erasures/<pid(mem):member_id>/erasure")
@requires("member:erase")
@limited("heavy")
def erase_member(member_id: str) -> Any:
    """Take the member's personal data out, as they asked."""
    member = _member("member:erase", member_id)

    def work(data: dict[str, Any]) -> str:
        found = _member("member:erase", member_id)
        erasure.erase(db.session(), member_id=found.id, now=now(), actor_id=caller().member_id)
        return url_for("platform.erasure_request", member_id=member_id)

    return answer(
        EraseSchema,
        work,
        lambda form: _request_page(member, form),
        said=("platform", "erased_said"),
    )


@pages.listed("retention")
@pages.get("/platform/retention")
@requires("retention:read")
def retention() -> Response:
    """What was taken away each day because its time was up, and by which rules."""
    permit("retention:read")
    found, older, first = listed(db.session(), daily.runs(), RetentionRun.id)
    return page("platform/retention.html", runs=found.items, older=older, first=first)


def _member(action: str, member_id: str) -> Member:
    session = db.session()
    member = members.get_member(session, member_id)
    permit(action, member_facts(session, member))
    return member


def _request_page(member: Member, form: Form) -> Response:
    session = db.session()
    asked = asking.find_latest(session, member.id)
    return page(
        "platform/erasure.html",
        form=form,
        member=member,
        asked=asked,
        is_open=asked is not None and asked.state is ErasureState.OPEN,
        outlook=asking.outlook(session, member.id, is_own=member.id == caller().member_id),
    )
