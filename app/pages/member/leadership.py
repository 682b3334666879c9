"""Who leads my group: voting, calling an election, wishing the leader to go. All ballots secret."""

from typing import Any

import marshmallow as ma
from flask import Response, url_for

from app.auth import caller
from app.clock import today
from app.extensions import db
from app.fields import Schema
from app.groups.facts import group_facts
from app.groups.views import group_view
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.member.groups import VoteSchema, permitted, step_on
from app.pages.member.room import pages
from app.permissions import may, permit, requires
from community.groups import queries, service
from community.groups.models import GroupStatus
from community.members import queries as members

_GROUP = "/me/groups/<pid(grp):group_id>"


class WishSchema(Schema):
    """Whether the leader should go; the button says which."""

    recall = ma.fields.Boolean(required=True)


@pages.get(_GROUP + "/leader")
@requires("group:read")
def leadership(group_id: str) -> Response:
    """Who leads and until when, whether there is an election, and what I have said."""
    return _page(group_id, Form())


@pages.post(_GROUP + "/ballot")
@requires("group:vote")
def elect_leader(group_id: str) -> Any:
    """Vote for a leader; with more than half of all members behind them they lead."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = permitted("group:vote", group_id)
        service.vote_leader(
            session,
            **step_on(found),
            voter_id=caller().member_id,
            candidate_id=members.get_member(session, data["candidate"]).id,
        )
        return _here(group_id)

    return answer(
        VoteSchema, work, lambda form: _page(group_id, form), said=("member", "voted_leader_said")
    )


@pages.post(_GROUP + "/election")
@requires("group:call_election")
def call_election(group_id: str) -> Any:
    """Call an election; the leader leads on until it is decided."""

    def work(data: dict[str, Any]) -> str:
        found = permitted("group:call_election", group_id)
        service.call_election(db.session(), **step_on(found), member_id=caller().member_id)
        return _here(group_id)

    return answer(
        Nothing, work, lambda form: _page(group_id, form), said=("member", "election_called_said")
    )


@pages.post(_GROUP + "/recall")
@requires("group:recall_leader")
def recall_leader(group_id: str) -> Any:
    """Wish the leader to go, or no longer; with more than half of all members they go at once."""

    def work(data: dict[str, Any]) -> str:
        found = permitted("group:recall_leader", group_id)
        service.recall_leader(
            db.session(), **step_on(found), member_id=caller().member_id, recall=data["recall"]
        )
        return _here(group_id)

    return answer(
        WishSchema, work, lambda form: _page(group_id, form), said=("member", "wish_noted_said")
    )


def _here(group_id: str) -> str:
    return url_for("member.leadership", group_id=group_id)


def _page(group_id: str, form: Form) -> Response:
    session = db.session()
    found = queries.get_group(session, group_id)
    facts = group_facts(session, found)
    permit("group:read", facts)
    shown = group_view(session, found)
    living = [one for one in shown["members"] if one["status"] in queries.LIVING]
    open_ = found.status is not GroupStatus.DISSOLVED
    active = found.status is GroupStatus.ACTIVE
    return page(
        "member/leadership.html",
        status=form.status,
        form=form,
        group=shown,
        living=living,
        on=today(),
        leads_i=queries.is_led_by(found, today()) == caller().member_id,
        may_vote=open_ and may("group:vote", facts),
        may_call=active and found.election_since_on is None and may("group:call_election", facts),
        may_recall=active and found.leader_id is not None and may("group:recall_leader", facts),
    )
