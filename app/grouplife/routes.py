"""A group that binds: what it agreed, proposals to change it, its leader, exits and expulsions."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import acting, caller
from app.blueprint import Blueprint
from app.clock import today
from app.communities.facts import community_facts
from app.extensions import db
from app.grouplife import permissions as _permissions  # noqa: F401  declares this room's actions
from app.grouplife.schemas import (
    CANDIDATES_MAX,
    AgreementFileSchema,
    AgreementVersionSchema,
    AmendmentFileSchema,
    AmendmentInSchema,
    AmendmentSchema,
    AmendmentSignedSchema,
    BondsSchema,
    ConsentInSchema,
    ExpulsionInSchema,
    ExpulsionSchema,
    RecallSchema,
    StatementSchema,
    SuggestionInSchema,
    SuggestionSchema,
    WarningsSchema,
)
from app.grouplife.views import (
    agreement_file,
    agreement_versions,
    amendment_file,
    amendment_views,
    elsewhere_minor,
    expulsion_views,
    found_warnings,
    statement,
    suggestion_view,
    viewer,
    warning_views,
    warnings_kept,
)
from app.groups.facts import group_facts
from app.groups.schemas import (
    AnsweredSchema,
    AnswersSchema,
    GroupSchema,
    GroupSummarySchema,
    QuestionnaireSchema,
    SignatureInSchema,
)
from app.groups.views import answered_view, group_summaries, group_view
from app.marks import limited
from app.paging import Page, PageArgs, page_of, paginate, show_etag
from app.permissions import may, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.exposure.previews import ready_to_sign
from community.groups import amendments, expulsions, queries, service
from community.groups.models import (
    Group,
    GroupAgreement,
    GroupAmendment,
    GroupExpulsion,
)
from community.guarantees import group_life
from community.guarantees.group_bonds import told
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.trust.group_suggestions import candidates_of, connections_of, suggest_groups
from community.trust.queries import overdue_members
from community.vouching.records import figures_of

blp = Blueprint("grouplife", __name__, description="Groups that bind: amended, led, left")

_GROUP = "/groups/<pid(grp):group_id>"
_AMENDMENT = "/amendments/<pid(gam):amendment_id>"
_EXPULSION = "/expulsions/<pid(gex):expulsion_id>"


@blp.route(_GROUP + "/agreements")
@requires("group:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(AgreementVersionSchema))
def list_agreements(args: dict[str, Any], group_id: str) -> Page:
    """The agreements that were and are in force, oldest first."""
    session = db.session()
    group = _group(session, "group:read", group_id)
    page = paginate(session, queries.list_agreements(group.id), key=GroupAgreement.id, args=args)
    return Page(agreement_versions(group, page.items), page.next_cursor)


@blp.route(_GROUP + "/agreements/<int:version>")
@requires("group:read")
@blp.response(200, AgreementFileSchema)
def get_agreement_version(group_id: str, version: int) -> Any:
    """One agreement as it was bound, with its text in Chinese and English and its signatures."""
    session = db.session()
    group = _group(session, "group:read", group_id)
    found = queries.get_agreement_version(session, group_id=group.id, version=version)
    return agreement_file(session, group, found)


@blp.route(_GROUP + "/statement")
@requires("group:read_own")
@blp.response(200, StatementSchema)
def get_statement(group_id: str) -> Any:
    """What the caller stands for: under this agreement, elsewhere, and together."""
    session = db.session()
    group = _group(session, "group:read_own", group_id)
    return statement(session, group, service.paper_of(group))


@blp.route(_GROUP + "/warnings")
@requires("group:read")
@blp.response(200, WarningsSchema)
def get_warnings(group_id: str) -> Any:
    """What to think of before signing: kin, a common livelihood, promises twice."""
    session = db.session()
    group = queries.get_group(session, group_id)
    facts = group_facts(session, group)
    permit("group:read", facts)
    # With those who are to join: an amendment names them, and everybody signs again.
    found = found_warnings(session, group, queries.concerned_ids(session, group))
    return warning_views(session, found, sees_all=viewer(facts).sees_all)


@blp.route("/communities/<pid(com):community_id>/group-suggestions", methods=["POST"])
@requires("community:suggest_groups")
@limited("heavy")
@blp.arguments(SuggestionInSchema)
@blp.response(200, SuggestionSchema)
def suggest(data: dict[str, Any], community_id: str) -> Any:
    """Groups out of the candidates, by what they have promised each other; nothing is written."""
    session = db.session()
    community = communities.get_community(session, community_id)
    facts = community_facts(session, community)
    permit("community:suggest_groups", facts)
    among_all = may("community:suggest_among_all", facts)
    named = members.find_members(session, data["candidates"])
    ids = {member.id for member in named.values()}
    if among_all and not ids:
        ids = set(candidates_of(session, community_id=community.id, limit=CANDIDATES_MAX))
    me = caller().member_id
    known = connections_of(session, community_id=community.id, member_id=me) | {me}
    hidden = communities.inactive(session, community_id=community.id, member_ids=ids).keys()
    # Whom a member is not connected with, or who is of elsewhere, they need not know of.
    if len(named) < len(data["candidates"]) or (hidden if among_all else ids - known):
        raise MemberNotFound("There is no such active member, or you are not connected with them.")
    found = suggest_groups(session, community_id=community.id, candidate_ids=ids, on=today())
    return suggestion_view(session, found, with_amounts=among_all)


@blp.route(_GROUP + "/bonds")
@requires("group:own_bonds")
@blp.response(200, BondsSchema)
def get_bonds(group_id: str) -> Any:
    """What would stop the caller's exit today, with what helps."""
    session = db.session()
    group = _group(session, "group:own_bonds", group_id)
    me = caller().member_id
    return told(
        session,
        group_life.what_binds(session, group, me),
        currency=communities.get_community_by_id(session, group.community_id).currency,
        viewer_id=me,
        sees_all=False,
    )


@blp.route(_GROUP + "/election", methods=["POST"])
@requires("group:call_election")
@blp.response(201, GroupSchema)
@transactional
def call_election(group_id: str) -> Any:
    """Call an election; the leader leads on until it is decided."""
    session = db.session()
    group = _group(session, "group:call_election", group_id)
    service.call_election(session, **_step(group), member_id=caller().member_id)
    return _shown(session, group)


@blp.route(_GROUP + "/recall", methods=["PUT"])
@requires("group:recall_leader")
@blp.arguments(RecallSchema)
@blp.response(200, GroupSchema)
@transactional
def recall_leader(data: dict[str, Any], group_id: str) -> Any:
    """Wish the leader to go, or no longer; with more than half of all members they go at once."""
    session = db.session()
    group = _group(session, "group:recall_leader", group_id)
    service.recall_leader(
        session, **_step(group), member_id=caller().member_id, recall=data["recall"]
    )
    return _shown(session, group)


@blp.route(_GROUP + "/exit", methods=["POST"])
@requires("group:exit")
@blp.response(200, GroupSummarySchema)
@transactional
def exit_group(group_id: str) -> Any:
    """Leave an active group: nothing owed, and nothing resting on one's promises."""
    session = db.session()
    group = _group(session, "group:exit", group_id)
    group_life.exit_group(session, **_step(group), member_id=caller().member_id)
    return group_summaries(session, [group])[0]


@blp.route(_GROUP + "/amendments")
@requires("group:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(AmendmentSchema))
def list_amendments(args: dict[str, Any], group_id: str) -> Page:
    """What was proposed to the group, newest first."""
    session = db.session()
    group = _group(session, "group:read", group_id)
    page = paginate(
        session,
        queries.list_amendments(group.id),
        key=GroupAmendment.id,
        args=args,
        newest_first=True,
    )
    return Page(amendment_views(session, group, page.items), page.next_cursor)


@blp.route(_GROUP + "/amendments", methods=["POST"])
@requires("group:propose")
@blp.arguments(AmendmentInSchema)
@blp.response(201, AmendmentFileSchema)
@transactional
def propose_amendment(data: dict[str, Any], group_id: str) -> Any:
    """Propose another cap, another end, or members who join; everybody signs again."""
    session = db.session()
    group = _group(session, "group:propose", group_id)
    joining = [members.get_member(session, public_id).id for public_id in data["joining"]]
    living = [place.member_id for place in queries.living_members(session, group.id)]
    everybody = sorted({*living, *joining})
    amendment = amendments.propose(
        session,
        **_step(group),
        proposer_id=caller().member_id,
        pair_cap=data.get("pair_cap"),
        vouch_expires_on=data.get("vouch_expires_on"),
        joining=joining,
        reason=data["reason"],
        overdue_ids=overdue_members(session, everybody),
        warnings=warnings_kept(found_warnings(session, group, everybody)),
    )
    return amendment_file(session, group, amendment)


@blp.route(_AMENDMENT)
@requires("group:read")
@blp.response(200, AmendmentFileSchema)
def get_amendment(amendment_id: str) -> Any:
    """A proposal: what everybody is to sign, and who has."""
    session = db.session()
    group, amendment = _amendment(session, "group:read", amendment_id)
    return amendment_file(session, group, amendment)


@blp.route(_AMENDMENT + "/statement")
@requires("group:read_own")
@blp.response(200, StatementSchema)
def get_amendment_statement(amendment_id: str) -> Any:
    """What the caller would stand for: under the proposal, elsewhere, and together."""
    session = db.session()
    group, amendment = _amendment(session, "group:read_own", amendment_id)
    amendments.require_signer(session, amendment, caller().member_id)
    return statement(session, group, amendments.paper_of(amendment), amendment)


@blp.route(_AMENDMENT + "/understanding")
@requires("group:sign_amendment")
@blp.response(200, QuestionnaireSchema)
def get_amendment_questions(amendment_id: str) -> Any:
    """The questions on what the proposal changes for the caller."""
    session = db.session()
    group, amendment = _amendment(session, "group:sign_amendment", amendment_id)
    me = caller().member_id
    return amendments.questionnaire(
        session,
        amendment_id=amendment.id,
        member_id=me,
        elsewhere_minor=elsewhere_minor(session, group, me),
    )


@blp.route(_AMENDMENT + "/understanding", methods=["POST"])
@requires("group:sign_amendment")
@blp.arguments(AnswersSchema)
@blp.response(200, AnsweredSchema)
@transactional
def answer_amendment_questions(data: dict[str, Any], amendment_id: str) -> Any:
    """Answer the questions on a proposal; wrong answers are explained, and asked again."""
    session = db.session()
    group, amendment = _amendment(session, "group:sign_amendment", amendment_id)
    me = caller().member_id
    return answered_view(
        amendments.answer_questions(
            session,
            **_on_amendment(amendment),
            member_id=me,
            agreement_hash=data["agreement_hash"],
            answers={
                answer["question"]: answer.get("money", answer.get("choice"))
                for answer in data["answers"]
            },
            elsewhere_minor=elsewhere_minor(session, group, me),
        )
    )


@blp.route(_AMENDMENT + "/signature", methods=["POST"])
@requires("group:sign_amendment")
@blp.arguments(SignatureInSchema)
@blp.response(201, AmendmentSignedSchema)
@transactional
def sign_amendment(data: dict[str, Any], amendment_id: str) -> Any:
    """Sign a proposal, having shown to understand it; the last signature begins the cooling-off."""
    session = db.session()
    group, amendment = _amendment(session, "group:sign_amendment", amendment_id)
    me = caller().member_id
    amendments.require_signer(session, amendment, me)
    notes = ready_to_sign(session, group, amendment, member_id=me, on=today())
    amendments.sign(
        session,
        **_on_amendment(amendment),
        member_id=me,
        agreement_hash=data["agreement_hash"],
        elsewhere_minor=elsewhere_minor(session, group, me),
    )
    return amendment_views(session, group, [amendment])[0] | {"warnings": notes}


@blp.route(_AMENDMENT + "/refusal", methods=["POST"])
@requires("group:refuse_amendment")
@blp.response(200, AmendmentSchema)
@transactional
def refuse_amendment(amendment_id: str) -> Any:
    """Say no, also after signing while it cools off: all stays as it was."""
    session = db.session()
    group, amendment = _amendment(session, "group:refuse_amendment", amendment_id)
    amendments.refuse(session, **_on_amendment(amendment), member_id=caller().member_id)
    return amendment_views(session, group, [amendment])[0]


@blp.route(_AMENDMENT + "/withdrawal", methods=["POST"])
@requires("group:withdraw_proposal")
@blp.response(200, AmendmentSchema)
@transactional
def withdraw_amendment(amendment_id: str) -> Any:
    """Take a proposal back: for whoever made it, or the leader."""
    session = db.session()
    group, amendment = _amendment(session, "group:withdraw_proposal", amendment_id)
    amendments.withdraw(session, **_on_amendment(amendment), member_id=caller().member_id)
    return amendment_views(session, group, [amendment])[0]


@blp.route(_AMENDMENT + "/activation", methods=["POST"])
@requires("group:put_into_force")
@blp.response(200, GroupSchema)
@transactional
def put_into_force(amendment_id: str) -> Any:
    """Let the new agreement bind: promises are raised, lowered, extended, written in one step."""
    session = db.session()
    amendment = queries.get_amendment(session, amendment_id)
    group = queries.get_group_by_id(session, amendment.group_id)
    facts = group_facts(session, group)
    permit("group:put_into_force", facts)
    group_life.put_into_force(
        session, **_on_amendment(amendment), viewer=viewer(facts), records_of=figures_of
    )
    return _shown(session, group)


@blp.route(_GROUP + "/expulsions")
@requires("group:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(ExpulsionSchema))
def list_expulsions(args: dict[str, Any], group_id: str) -> Page:
    """Whom members wanted to go, newest first."""
    session = db.session()
    group = _group(session, "group:read", group_id)
    page = paginate(
        session,
        queries.list_expulsions(group.id),
        key=GroupExpulsion.id,
        args=args,
        newest_first=True,
    )
    return Page(expulsion_views(session, group, page.items), page.next_cursor)


@blp.route(_GROUP + "/expulsions", methods=["POST"])
@requires("group:propose")
@blp.arguments(ExpulsionInSchema)
@blp.response(201, ExpulsionSchema)
@transactional
def propose_expulsion(data: dict[str, Any], group_id: str) -> Any:
    """Propose that a member goes; every other member has to consent."""
    session = db.session()
    group = _group(session, "group:propose", group_id)
    expulsion = expulsions.propose(
        session,
        **_step(group),
        proposer_id=caller().member_id,
        member_id=members.get_member(session, data["member"]).id,
        settlement=data["settlement"],
        reason=data["reason"],
    )
    return expulsion_views(session, group, [expulsion])[0]


@blp.route(_EXPULSION)
@requires("group:read")
@blp.response(200, ExpulsionSchema)
def get_expulsion(expulsion_id: str) -> Any:
    """An expulsion, and what the caller would take over by consenting."""
    session = db.session()
    group, expulsion = _expulsion(session, "group:read", expulsion_id)
    return expulsion_views(session, group, [expulsion])[0]


@blp.route(_EXPULSION + "/consent", methods=["PUT"])
@requires("group:consent")
@blp.arguments(ConsentInSchema)
@blp.response(200, ExpulsionSchema)
@transactional
def consent_to_expulsion(data: dict[str, Any], expulsion_id: str) -> Any:
    """Consent, naming what one's own promise for the member goes on covering."""
    session = db.session()
    group, expulsion = _expulsion(session, "group:consent", expulsion_id)
    group_life.consent_to_expulsion(
        session,
        **_on_expulsion(expulsion),
        member_id=caller().member_id,
        takes_over=data.get("takes_over"),
    )
    return expulsion_views(session, group, [expulsion])[0]


@blp.route(_EXPULSION + "/refusal", methods=["POST"])
@requires("group:consent")
@blp.response(200, ExpulsionSchema)
@transactional
def refuse_expulsion(expulsion_id: str) -> Any:
    """Say no: it needed everybody."""
    session = db.session()
    group, expulsion = _expulsion(session, "group:consent", expulsion_id)
    expulsions.refuse(session, **_on_expulsion(expulsion), member_id=caller().member_id)
    return expulsion_views(session, group, [expulsion])[0]


@blp.route(_EXPULSION + "/withdrawal", methods=["POST"])
@requires("group:withdraw_proposal")
@blp.response(200, ExpulsionSchema)
@transactional
def withdraw_expulsion(expulsion_id: str) -> Any:
    """Take the proposal back: for whoever made it, or the leader."""
    session = db.session()
    group, expulsion = _expulsion(session, "group:withdraw_proposal", expulsion_id)
    expulsions.withdraw(session, **_on_expulsion(expulsion), member_id=caller().member_id)
    return expulsion_views(session, group, [expulsion])[0]


@blp.route(_EXPULSION + "/effect", methods=["POST"])
@requires("group:expel")
@blp.response(200, GroupSummarySchema)
@transactional
def expel(expulsion_id: str) -> Any:
    """All others have consented: the member goes, with what they owe repaid or taken over."""
    session = db.session()
    expulsion = queries.get_expulsion(session, expulsion_id)
    group = queries.get_group_by_id(session, expulsion.group_id)
    facts = group_facts(session, group)
    permit("group:expel", facts)
    group_life.expel(session, **_on_expulsion(expulsion), viewer=viewer(facts))
    return group_summaries(session, [group])[0]


def _group(session: Session, action: str, group_id: str) -> Group:
    """A group, if the caller may do this with it."""
    group = queries.get_group(session, group_id)
    permit(action, group_facts(session, group))
    return group


def _amendment(session: Session, action: str, public_id: str) -> tuple[Group, GroupAmendment]:
    amendment = queries.get_amendment(session, public_id)
    group = queries.get_group_by_id(session, amendment.group_id)
    permit(action, group_facts(session, group))
    return group, amendment


def _expulsion(session: Session, action: str, public_id: str) -> tuple[Group, GroupExpulsion]:
    expulsion = queries.get_expulsion(session, public_id)
    group = queries.get_group_by_id(session, expulsion.group_id)
    permit(action, group_facts(session, group))
    return group, expulsion


def _step(group: Group) -> dict[str, Any]:
    return {"group_id": group.id, **acting()}


def _on_amendment(amendment: GroupAmendment) -> dict[str, Any]:
    return {"amendment_id": amendment.id, **acting()}


def _on_expulsion(expulsion: GroupExpulsion) -> dict[str, Any]:
    return {"expulsion_id": expulsion.id, **acting()}


def _shown(session: Session, group: Group) -> dict[str, Any]:
    show_etag(group.version)
    return group_view(session, group)
