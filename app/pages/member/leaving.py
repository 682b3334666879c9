"""Who stays in my group: what holds me, leaving it, and proposals that somebody goes."""

from dataclasses import dataclass
from typing import Any

from flask import Response, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.grouplife.schemas import ConsentInSchema, ExpulsionInSchema
from app.grouplife.views import expulsion_views, viewer
from app.groups.facts import group_facts
from app.groups.views import group_view
from app.marks import limited
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.groups import permitted, step_on
from app.pages.member.room import pages
from app.permissions import may, permit, requires
from community.groups import expulsions, queries
from community.groups.models import Group, GroupExpulsion, GroupStatus, Settlement
from community.guarantees import group_life
from community.guarantees.group_bonds import Bond
from community.members import queries as members
from community.members.queries import Named

_GROUP = "/me/groups/<pid(grp):group_id>"
_EXPULSION = "/me/expulsions/<pid(gex):expulsion_id>"


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that holds the caller: what it is, with whom, and how much."""

    bond: Bond
    other: Named | None


@pages.get(_GROUP + "/staying")
@requires("group:read")
@limited("heavy")
def staying(group_id: str) -> Response:
    """What holds me in the group, and whom others want to go."""
    return _page(group_id, Form())


@pages.post(_GROUP + "/exit")
@requires("group:exit")
def exit_group(group_id: str) -> Any:
    """Leave an active group: nothing owed, and nothing resting on my promises."""

    def work(data: dict[str, Any]) -> str:
        found = permitted("group:exit", group_id)
        group_life.exit_group(db.session(), **step_on(found), member_id=caller().member_id)
        return url_for("member.groups")

    return answer(
        Nothing, work, lambda form: _page(group_id, form), said=("member", "stepped_back_said")
    )


@pages.route(_GROUP + "/expulsions/new", methods=["GET", "POST"])
@requires("group:propose")
def propose_expulsion(group_id: str) -> Any:
    """Propose that a member goes; every other member has to consent."""
    me = caller().member_id
    permitted("group:propose", group_id)

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = permitted("group:propose", group_id)
        made = expulsions.propose(
            session,
            **step_on(found),
            proposer_id=me,
            member_id=members.get_member(session, data["member"]).id,
            settlement=data["settlement"],
            reason=data["reason"],
        )
        return url_for("member.expulsion", expulsion_id=made.public_id)

    def show(form: Form) -> Response:
        session = db.session()
        found = queries.get_group(session, group_id)
        places = queries.living_members(session, found.id)
        names = members.names_of(session, (p.member_id for p in places if p.member_id != me))
        return page(
            "member/expulsion_new.html",
            form=form,
            group=group_view(session, found),
            others=sorted((one.public_id, one.name) for one in names.values()),
            settlements=list(Settlement),
        )

    return answer(ExpulsionInSchema, work, show, said=("member", "expulsion_proposed_said"))


@pages.get(_EXPULSION)
@requires("group:read")
def expulsion(expulsion_id: str) -> Response:
    """A proposal that somebody goes: why, who has consented, and what is asked of me."""
    return _file(expulsion_id, Form())


@pages.post(_EXPULSION + "/consent")
@requires("group:consent")
def consent_to_expulsion(expulsion_id: str) -> Any:
    """Consent, naming what my own promise for the member goes on covering."""

    def work(data: dict[str, Any]) -> str:
        _, found = _permitted("group:consent", expulsion_id)
        group_life.consent_to_expulsion(
            db.session(),
            **_step(found),
            member_id=caller().member_id,
            takes_over=data.get("takes_over"),
        )
        return _here(expulsion_id)

    return answer(
        ConsentInSchema,
        work,
        lambda form: _file(expulsion_id, form),
        said=("member", "consented_said"),
    )


@pages.post(_EXPULSION + "/refusal")
@requires("group:consent")
def refuse_expulsion(expulsion_id: str) -> Any:
    """Say no: it needed everybody. Nobody is told who it was."""

    def work(data: dict[str, Any]) -> str:
        _, found = _permitted("group:consent", expulsion_id)
        expulsions.refuse(db.session(), **_step(found), member_id=caller().member_id)
        return _here(expulsion_id)

    return answer(
        Nothing, work, lambda form: _file(expulsion_id, form), said=("member", "refused_said")
    )


@pages.post(_EXPULSION + "/withdrawal")
@requires("group:withdraw_proposal")
def withdraw_expulsion(expulsion_id: str) -> Any:
    """Take it back: for whoever proposed it, or the leader."""

    def work(data: dict[str, Any]) -> str:
        _, found = _permitted("group:withdraw_proposal", expulsion_id)
        expulsions.withdraw(db.session(), **_step(found), member_id=caller().member_id)
        return _here(expulsion_id)

    return answer(
        Nothing,
        work,
        lambda form: _file(expulsion_id, form),
        said=("member", "proposal_withdrawn_said"),
    )


@pages.post(_EXPULSION + "/effect")
@requires("group:expel")
def expel(expulsion_id: str) -> Any:
    """All others have consented: the member goes."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        group, found = _permitted("group:expel", expulsion_id)
        group_life.expel(session, **_step(found), viewer=viewer(group_facts(session, group)))
        return _here(expulsion_id)

    return answer(
        Nothing, work, lambda form: _file(expulsion_id, form), said=("member", "expelled_said")
    )


def _permitted(action: str, expulsion_id: str) -> tuple[Group, GroupExpulsion]:
    session = db.session()
    found = queries.get_expulsion(session, expulsion_id)
    group = queries.get_group_by_id(session, found.group_id)
    permit(action, group_facts(session, group))
    return group, found


def _step(found: GroupExpulsion) -> dict[str, Any]:
    return {
        "expulsion_id": found.id,
        "on": today(),
        "now": now(),
        "actor_id": caller().member_id,
    }


def _here(expulsion_id: str) -> str:
    return url_for("member.expulsion", expulsion_id=expulsion_id)


def _page(group_id: str, form: Form) -> Response:
    session, me = db.session(), caller().member_id
    found = queries.get_group(session, group_id)
    facts = group_facts(session, found)
    permit("group:read", facts)
    active = found.status is GroupStatus.ACTIVE
    is_in = may("group:own_bonds", facts)
    held: list[Held] = []
    hidden = 0
    if active and is_in:
        permit("group:own_bonds", facts)
        held, hidden = _held(session, found, me)
    rows, older, first = listed(session, queries.list_expulsions(found.id), GroupExpulsion.id)
    return page(
        "member/staying.html",
        status=form.status,
        form=form,
        group=group_view(session, found),
        held=held,
        hidden=hidden,
        expulsions=rows.items,
        people=members.names_of(session, (row.member_id for row in rows.items)),
        older=older,
        first=first,
        may_leave=active and may("group:exit", facts),
        may_propose=active and may("group:propose", facts),
    )


def _held(session: Session, group: Group, me: int) -> tuple[list[Held], int]:
    """What holds the caller, with the other side of each; and how much is others' business."""
    bonds = group_life.what_binds(session, group, me)
    mine = [bond for bond in bonds if me in bond.seen_by]
    ends = {end for bond in mine for end in (bond.voucher_id, bond.borrower_id)}
    names = members.names_of(session, ends - {me})
    found = []
    for bond in mine:
        other = bond.borrower_id if bond.voucher_id == me else bond.voucher_id
        found.append(Held(bond, None if other is None else names.get(other)))
    return found, len(bonds) - len(mine)


def _file(expulsion_id: str, form: Form) -> Response:
    session, me = db.session(), caller().member_id
    group, found = _permitted("group:read", expulsion_id)
    facts = group_facts(session, group)
    [view] = expulsion_views(session, group, [found])
    is_open = found.ended_at is None
    is_other = me in facts.member_ids and me != found.member_id
    leads = queries.is_led_by(group, today()) == me and is_other
    given = {one["member"].public_id for one in view["consents"]}
    my_id = members.get_member_by_id(session, me).public_id
    return page(
        "member/expulsion.html",
        status=form.status,
        form=form,
        group=group_view(session, group),
        view=view,
        is_open=is_open,
        is_about_me=me == found.member_id,
        has_consented=my_id in given,
        may_consent=is_open and is_other and may("group:consent", facts),
        may_withdraw=is_open
        and (me == found.proposed_by_id or leads)
        and may("group:withdraw_proposal", facts),
        may_expel=is_open
        and bool(given)
        and len(view["consents"]) >= view["needed"]
        and me != found.member_id
        and may("group:expel", facts),
    )
