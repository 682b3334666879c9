"""Joint-liability groups: form, invite, elect, understand, sign, think again, bind."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.grouplife.views import elsewhere_minor, found_warnings, warnings_kept
from app.groups import permissions as _permissions  # noqa: F401  declares this room's actions
from app.groups.binding import give_up, let_bind
from app.groups.facts import group_facts
from app.groups.schemas import (
    AgreementSchema,
    AnsweredSchema,
    AnswersSchema,
    GroupArgs,
    GroupChangeSchema,
    GroupInSchema,
    GroupSchema,
    GroupSignedSchema,
    GroupSummarySchema,
    InvitationAnswerSchema,
    InvitationInSchema,
    QuestionnaireSchema,
    SignatureInSchema,
    VoteSchema,
)
from app.groups.views import answered_view, group_summaries, group_view
from app.paging import Page, PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import Facts, permit, requires
from app.risk.gate import through_the_gate
from app.transaction import transactional
from community.communities import queries as communities
from community.exposure.previews import ready_to_sign
from community.groups import queries, service
from community.groups.models import Group
from community.members import queries as members
from community.products import queries as products
from community.products.errors import ProductNotFound
from community.risk.errors import FirstVouchHeld
from community.trust.queries import overdue_members

blp = Blueprint("groups", __name__, description="Joint-liability groups (联保小组)")


_GROUP = "/groups/<pid(grp):group_id>"


@blp.route("/me/groups")
@requires("group:list_mine")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(GroupSummarySchema))
def list_my_groups(args: dict[str, Any]) -> Page:
    """The groups that the caller is in or invited to."""
    session = db.session()
    member_id = caller().member_id
    permit("group:list_mine", Facts(owner_ids=frozenset({member_id})))
    page = paginate(session, queries.groups_of(member_id), key=Group.id, args=args)
    return Page(group_summaries(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/groups")
@requires("community:list_groups")
@blp.arguments(GroupArgs, location="query")
@blp.response(200, page_of(GroupSummarySchema))
def list_groups(args: dict[str, Any], community_id: str) -> Page:
    """A community's groups, for those who look after it."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("community:list_groups", community_facts(session, community))
    statement = queries.list_groups(community.id, args["status"])
    page = paginate(session, statement, key=Group.id, args=args)
    return Page(group_summaries(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/groups", methods=["POST"])
@requires("community:form_group")
@blp.arguments(GroupInSchema)
@blp.response(201, GroupSchema)
@transactional
def form_group(data: dict[str, Any], community_id: str) -> Any:
    """Begin a group: the caller is its first member."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("community:form_group", community_facts(session, community))
    product = None
    if data["product"] is not None:
        product = products.get_product(session, data["product"])
        if product.community_id not in community.path_ids:
            raise ProductNotFound()
    group = service.form_group(
        session,
        community_id=community.id,
        product_id=None if product is None else product.id,
        product_name=None if product is None else product.name,
        founder_id=caller().member_id,
        name=data["name"],
        pair_cap=data["pair_cap"],
        vouch_expires_on=data["vouch_expires_on"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return _shown(session, group)


@blp.route(_GROUP)
@requires("group:read")
@blp.response(200, GroupSchema)
def get_group(group_id: str) -> Any:
    """A group and its members, for those in it or asked to join it."""
    session = db.session()
    return _shown(session, _group(session, "group:read", group_id))


@blp.route(_GROUP, methods=["PATCH"])
@requires("group:change")
@blp.arguments(GroupChangeSchema)
@blp.response(200, GroupSchema)
@transactional
def change_terms(data: dict[str, Any], group_id: str) -> Any:
    """Change a forming group's name, cap or end of promise."""
    session = db.session()
    group = queries.get_group_for_update(session, group_id)
    permit("group:change", group_facts(session, group))
    check_etag(group.version)
    service.change_terms(session, **_step(group), **data)
    return _shown(session, group)


@blp.route(_GROUP + "/invitations", methods=["POST"])
@requires("group:invite")
@blp.arguments(InvitationInSchema)
@blp.response(201, GroupSchema)
@transactional
def invite(data: dict[str, Any], group_id: str) -> Any:
    """Ask another member of the community to join."""
    session = db.session()
    group = _group(session, "group:invite", group_id)
    invited = members.get_member(session, data["member"])
    service.invite(session, **_step(group), member_id=invited.id, inviter_id=caller().member_id)
    return _shown(session, group)


@blp.route(_GROUP + "/invitation", methods=["PUT"])
@requires("group:answer_invitation")
@blp.arguments(InvitationAnswerSchema)
@blp.response(200, GroupSchema)
@transactional
def answer_invitation(data: dict[str, Any], group_id: str) -> Any:
    """Accept or decline one's own invitation."""
    session = db.session()
    group = _group(session, "group:answer_invitation", group_id)
    service.answer_invitation(
        session, **_step(group), member_id=caller().member_id, accept=data["accept"]
    )
    return _shown(session, group)


@blp.route(_GROUP + "/vote", methods=["PUT"])
@requires("group:vote")
@blp.arguments(VoteSchema)
@blp.response(200, GroupSchema)
@transactional
def vote_leader(data: dict[str, Any], group_id: str) -> Any:
    """Vote for a leader; who has more than half of all members behind them leads."""
    session = db.session()
    group = _group(session, "group:vote", group_id)
    candidate = members.get_member(session, data["candidate"])
    service.vote_leader(
        session, **_step(group), voter_id=caller().member_id, candidate_id=candidate.id
    )
    return _shown(session, group)


@blp.route(_GROUP + "/agreement", methods=["POST"])
@requires("group:fix_agreement")
@blp.response(201, AgreementSchema)
@transactional
def fix_agreement(group_id: str) -> Any:
    """Write down what everybody is to sign; nobody joins any more."""
    session = db.session()
    group = _group(session, "group:fix_agreement", group_id)
    ids = [place.member_id for place in queries.living_members(session, group.id)]
    service.fix_agreement(
        session,
        **_step(group),
        overdue_ids=overdue_members(session, ids),
        warnings=warnings_kept(found_warnings(session, group, ids)),
    )
    return service.agreement_of(group)


@blp.route(_GROUP + "/agreement")
@requires("group:read")
@blp.response(200, AgreementSchema)
def get_agreement(group_id: str) -> Any:
    """The agreement, with every member's maximum exposure, in Chinese and English."""
    return service.agreement_of(_group(db.session(), "group:read", group_id))


@blp.route(_GROUP + "/agreement", methods=["DELETE"])
@requires("group:reopen")
@blp.response(200, GroupSchema)
@transactional
def reopen(group_id: str) -> Any:
    """Return to forming, to change who or how much; signatures are void."""
    session = db.session()
    group = _group(session, "group:reopen", group_id)
    service.reopen(session, **_step(group))
    return _shown(session, group)


@blp.route(_GROUP + "/understanding")
@requires("group:understand")
@blp.response(200, QuestionnaireSchema)
def get_questions(group_id: str) -> Any:
    """The questions on one's own exposure that have to be answered before signing."""
    session = db.session()
    group = _group(session, "group:understand", group_id)
    me = caller().member_id
    return service.questionnaire(
        session,
        group_id=group.id,
        member_id=me,
        elsewhere_minor=elsewhere_minor(session, group, me),
    )


@blp.route(_GROUP + "/understanding", methods=["POST"])
@requires("group:understand")
@blp.arguments(AnswersSchema)
@blp.response(200, AnsweredSchema)
@transactional
def answer_questions(data: dict[str, Any], group_id: str) -> Any:
    """Answer the questions; wrong answers are explained, and asked again."""
    session = db.session()
    group = _group(session, "group:understand", group_id)
    answered = service.answer_questions(
        session,
        group_id=group.id,
        member_id=caller().member_id,
        agreement_hash=data["agreement_hash"],
        answers={
            answer["question"]: answer.get("money", answer.get("choice"))
            for answer in data["answers"]
        },
        elsewhere_minor=elsewhere_minor(session, group, caller().member_id),
        now=now(),
        actor_id=caller().member_id,
    )
    return answered_view(answered)


@blp.route(_GROUP + "/signature", methods=["POST"])
@requires("group:sign")
@blp.arguments(SignatureInSchema)
@blp.response(201, GroupSignedSchema)
@transactional
def sign(data: dict[str, Any], group_id: str) -> Any:
    """Sign the agreement, having shown to understand it."""
    session = db.session()
    group = _group(session, "group:sign", group_id)
    notes = ready_to_sign(session, group, None, member_id=caller().member_id, on=today())
    service.sign(
        session,
        **_step(group),
        member_id=caller().member_id,
        agreement_hash=data["agreement_hash"],
        elsewhere_minor=elsewhere_minor(session, group, caller().member_id),
    )
    return _shown(session, group) | {"warnings": notes}


@blp.route(_GROUP + "/step-back", methods=["POST"])
@requires("group:step_back")
@blp.response(200, GroupSummarySchema)
@transactional
def step_back(group_id: str) -> Any:
    """Leave a group that does not bind yet; the others' signatures are void."""
    session = db.session()
    group = _group(session, "group:step_back", group_id)
    service.step_back(session, **_step(group), member_id=caller().member_id)
    return group_summaries(session, [group])[0]


@blp.route(_GROUP + "/activation", methods=["POST"])
@requires("group:activate")
@blp.response(200, GroupSchema)
def activate(group_id: str) -> Any:
    """Let the agreement bind once the cooling-off period is over: mutual vouches are written."""
    return through_the_gate(_activate, group_id, refusal=FirstVouchHeld)


def _activate(group_id: str) -> Any:
    session = db.session()
    return _shown(session, let_bind(session, _group(session, "group:activate", group_id)))


@blp.route(_GROUP + "/dissolution", methods=["POST"])
@requires("group:dissolve")
@blp.response(200, GroupSummarySchema)
@transactional
def dissolve(group_id: str) -> Any:
    """Give up a group that does not bind yet, or end one in which nothing is live."""
    session = db.session()
    group = queries.get_group(session, group_id)
    facts = group_facts(session, group)
    permit("group:dissolve", facts)
    give_up(session, group, facts)
    return group_summaries(session, [group])[0]


def _group(session: Session, action: str, group_id: str) -> Group:
    """A group, if the caller may do this with it."""
    group = queries.get_group(session, group_id)
    permit(action, group_facts(session, group))
    return group


def _step(group: Group) -> dict[str, Any]:
    return {
        "group_id": group.id,
        "on": today(),
        "now": now(),
        "actor_id": caller().member_id,
    }


def _shown(session: Session, group: Group) -> dict[str, Any]:
    show_etag(group.version)
    return group_view(session, group)
