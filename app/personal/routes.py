"""A member's own file: who read it, all of it to take along, and its end."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.members.facts import member_facts
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import permit, requires
from app.personal import permissions as _permissions  # noqa: F401  they are declared there
from app.personal.schemas import (
    AccessNoteSchema,
    ConsentsSchema,
    ErasureOutlookSchema,
    ErasureRefusalInSchema,
    ErasureRequestInSchema,
    ErasureRequestSchema,
    ErasureSchema,
    OwnDataSchema,
    PurposeConsentInSchema,
    PurposeConsentSchema,
    RetentionRunSchema,
    WaitingErasureSchema,
)
from app.transaction import transactional
from community.members import consents, queries
from community.personal import access, asking, daily, erasure, export
from community.personal.consents import withdraw
from community.personal.models import AccessNote, ErasureRequest, RetentionRun

blp = Blueprint("personal", __name__, description="Personal data: access log, export, erasure")


@blp.route("/members/<pid(mem):member_id>/access-log")
@requires("access-log:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(AccessNoteSchema))
def list_access(args: dict[str, Any], member_id: str) -> Page:
    """Who in office looked at a member's data, newest first: once an hour for each action."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("access-log:read", member_facts(session, member))
    notes = access.notes_about(member.id)
    page = paginate(session, notes, key=AccessNote.id, args=args, newest_first=True)
    names = queries.names_of(session, (note.reader_id for note in page.items))
    items = [
        {
            "reader": names[note.reader_id],
            "role": note.role,
            "action": note.action,
            "hour_at": note.hour_at,
        }
        for note in page.items
    ]
    return Page(items, page.next_cursor)


@blp.route("/members/<pid(mem):member_id>/export")
@requires("own-data:export")
@limited("heavy")
@blp.response(200, OwnDataSchema)
def export_own_data(member_id: str) -> Any:
    """Everything that is held about oneself, to take along."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("own-data:export", member_facts(session, member))
    return export.export(session, member=member, now=now())


@blp.route("/members/<pid(mem):member_id>/erasure", methods=["POST"])
@requires("member:erase")
@blp.response(200, ErasureSchema)
@transactional
def erase_member(member_id: str) -> Any:
    """Take a member's personal data out, at their request; the books stay, under no name."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:erase", member_facts(session, member))
    return erasure.erase(
        session,
        member_id=member.id,
        now=now(),
        actor_id=caller().member_id,
    )


@blp.route("/members/<pid(mem):member_id>/erasure")
@requires("erasure:read")
@limited("heavy")
@blp.response(200, ErasureOutlookSchema)
def get_erasure_outlook(member_id: str) -> Any:
    """What erasure would take and leave, what stands against it, and the member's last request."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("erasure:read", member_facts(session, member))
    found = asking.outlook(session, member.id, is_own=caller().member_id == member.id)
    return {
        "live": found.live,
        "removed": found.removed,
        "emptied": found.emptied,
        "kept": [{"table": table, "why": why} for table, why in found.kept],
        "answer_days": found.answer_days,
        "answer_source": found.answer_source,
        "request": asking.find_latest(session, member.id),
    }


@blp.route("/members/<pid(mem):member_id>/erasure-request", methods=["POST"])
@requires("erasure:ask")
@blp.arguments(ErasureRequestInSchema)
@blp.response(201, ErasureRequestSchema)
@transactional
def ask_for_erasure(data: dict[str, Any], member_id: str) -> Any:
    """Ask the office to take one's own personal data out."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("erasure:ask", member_facts(session, member))
    return asking.ask(session, member_id=member.id, on=today(), now=now())


@blp.route("/members/<pid(mem):member_id>/erasure-request", methods=["DELETE"])
@requires("erasure:withdraw")
@blp.response(200, ErasureRequestSchema)
@transactional
def withdraw_erasure_request(member_id: str) -> Any:
    """Take one's own request back."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("erasure:withdraw", member_facts(session, member))
    return asking.take_back(session, member_id=member.id, now=now())


@blp.route("/members/<pid(mem):member_id>/erasure-request/refusal", methods=["POST"])
@requires("member:erase")
@blp.arguments(ErasureRefusalInSchema)
@blp.response(200, ErasureRequestSchema)
@transactional
def refuse_erasure(data: dict[str, Any], member_id: str) -> Any:
    """Tell a member why they cannot be erased now. To erase them is `POST …/erasure`."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:erase", member_facts(session, member))
    return asking.refuse(
        session,
        member_id=member.id,
        reason=data["reason"],
        now=now(),
        actor_id=caller().member_id,
    )


@blp.route("/erasure-requests")
@requires("erasure:list")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(WaitingErasureSchema))
def list_erasure_requests(args: dict[str, Any]) -> Page:
    """Members who wait for an answer, who asked first first."""
    permit("erasure:list")
    session = db.session()
    page = paginate(session, asking.open_requests(), key=ErasureRequest.id, args=args)
    names = queries.names_of(session, (row.member_id for row in page.items))
    shown = ("state", "asked_at", "due_on", "settled_at", "reason")
    items = [
        {"member": names[row.member_id], **{name: getattr(row, name) for name in shown}}
        for row in page.items
    ]
    return Page(items, page.next_cursor)


@blp.route("/retention-runs")
@requires("retention:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(RetentionRunSchema))
def list_retention_runs(args: dict[str, Any]) -> Page:
    """What was taken away each day because its time was up, and by which rules, newest first."""
    permit("retention:read")
    return paginate(db.session(), daily.runs(), key=RetentionRun.id, args=args, newest_first=True)


@blp.route("/members/<pid(mem):member_id>/consents")
@requires("consent:read")
@blp.response(200, ConsentsSchema)
def list_consents(member_id: str) -> Any:
    """What a member may consent to beyond lending itself, and what they did."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("consent:read", member_facts(session, member))
    return {
        "purposes": [
            {"purpose": one.name, "text_version": one.version, "texts": dict(one.texts)}
            for one in consents.purposes().values()
        ],
        "consents": consents.consents_of(session, member.id),
    }


@blp.route("/members/<pid(mem):member_id>/consents/<string:purpose>", methods=["PUT"])
@requires("consent:give")
@blp.arguments(PurposeConsentInSchema)
@blp.response(200, PurposeConsentSchema)
@transactional
def give_consent(data: dict[str, Any], member_id: str, purpose: str) -> Any:
    """Consent to a purpose, by the text in force; again changes nothing."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("consent:give", member_facts(session, member))
    return consents.give_consent(
        session,
        member_id=member.id,
        purpose=purpose,
        text_version=data["text_version"],
        now=now(),
    )


@blp.route("/members/<pid(mem):member_id>/consents/<string:purpose>", methods=["DELETE"])
@requires("consent:withdraw")
@blp.response(204)
@transactional
def withdraw_consent(member_id: str, purpose: str) -> None:
    """Take a consent back; what was noted by it is taken out."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("consent:withdraw", member_facts(session, member))
    withdraw(session, member_id=member.id, purpose=purpose, now=now())
