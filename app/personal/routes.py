"""A member's own file: who read it, all of it to take along, and its end."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now
from app.extensions import db
from app.marks import limited
from app.members.facts import member_facts
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import permit, requires
from app.personal import permissions as _permissions  # noqa: F401  they are declared there
from app.personal.schemas import (
    AccessNoteSchema,
    ConsentsSchema,
    ErasureSchema,
    OwnDataSchema,
    PurposeConsentInSchema,
    PurposeConsentSchema,
)
from app.transaction import transactional
from community.members import consents, queries
from community.personal import access, erasure, export
from community.personal.consents import withdraw
from community.personal.models import AccessNote

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
