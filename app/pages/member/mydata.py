"""My data: who looked at it, what I consented to, all of it to take along, and its end."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import PublicId
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.room import pages
from app.pages.words import Words
from app.permissions import Facts, permit, requires
from app.personal.schemas import ErasureRequestInSchema, PurposeConsentInSchema
from app.records.schemas import RecordConsentInSchema, RecordReasonSchema
from app.records.signer import current_signer
from app.records.views import record_views
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.errors import NotFound
from community.members import consents
from community.members import queries as members
from community.personal import access, asking, export
from community.personal.consents import withdraw
from community.personal.models import AccessNote, ErasureState
from community.records import queries, service
from community.records.models import CreditRecord, RecordConsent
from community.records.statement import RecordField, RecordPurpose

_FIRST_ONES = 5


class CarrySchema(RecordConsentInSchema):
    """A consent to carry a credit record elsewhere, and out of which community."""

    community = PublicId("com", required=True)


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody in office looked at something of mine, in one hour."""

    name: str
    role: str
    what: str
    hour_at: Any


@dataclass(slots=True)
class PurposeView:
    """Something I may consent to: the text in force, and how it stands."""

    name: str
    version: str
    text: str
    given_at: Any = None
    # I agreed to a text that has been changed since.
    is_old: bool = False
    history: list[Any] = field(default_factory=list)


def mine() -> Facts:
    """What is mine."""
    return Facts(owner_ids=frozenset({caller().member_id}))


def looks_of(session: Session, notes: Iterable[AccessNote]) -> list[Look]:
    """Notes of the access log in words."""
    listed_notes = list(notes)
    names = members.names_of(session, (note.reader_id for note in listed_notes))
    words = Words("member", language())
    return [
        Look(
            names[note.reader_id].name,
            words.of("reader_role", note.role),
            words.of("looked", note.action.partition(":")[0].replace("-", "_")),
            note.hour_at,
        )
        for note in listed_notes
    ]


def purposes_of(session: Session, member_id: int) -> list[PurposeView]:
    """Every purpose, with what I said to it."""
    given = consents.consents_of(session, member_id)
    found = []
    for one in consents.purposes().values():
        texts = dict(one.texts)
        view = PurposeView(one.name, one.version, texts[language()])
        for consent in given:
            if consent.purpose != one.name:
                continue
            view.history.append(consent)
            if consent.withdrawn_at is None:
                view.given_at = consent.given_at
                view.is_old = consent.text_version != one.version
        found.append(view)
    return found


@pages.get("/me/data")
@requires("access-log:read")
def my_data() -> Response:
    """What there is to know about my data, and where to go on."""
    session, me, facts = db.session(), caller().member_id, mine()
    for action in ("access-log:read", "consent:read", "record-consent:read", "erasure:read"):
        permit(action, facts)
    notes = session.scalars(
        access.notes_about(me).order_by(AccessNote.id.desc()).limit(_FIRST_ONES)
    ).all()
    return page(
        "member/mydata.html",
        looks=looks_of(session, notes),
        purposes=purposes_of(session, me),
        live_records=queries.count_live(session, member_id=me, on=today()),
        asked=asking.find_latest(session, me),
    )


@pages.get("/me/data/looks")
@requires("access-log:read")
def my_looks() -> Response:
    """Who in office looked at what of mine, newest first."""
    session, me = db.session(), caller().member_id
    permit("access-log:read", mine())
    found, older, first = listed(session, access.notes_about(me), AccessNote.id)
    return page(
        "member/mydata_looks.html", looks=looks_of(session, found.items), older=older, first=first
    )


@pages.get("/me/data/export")
@requires("own-data:export")
@limited("heavy")
def export_my_data() -> Response:
    """Everything that is held about me, as a file to keep."""
    session, me = db.session(), caller().member_id
    permit("own-data:export", mine())
    member = members.get_member_by_id(session, me)
    data = export.export(session, member=member, now=now())
    text = json.dumps(data, ensure_ascii=False, indent=1)
    return _file(text, f"my-data-{today().isoformat()}.json", "application/json")


@pages.get("/me/data/consents")
@requires("consent:read")
def my_consents() -> Response:
    """What I allowed beyond lending itself, and what I may allow."""
    return _consents_page(Form())


@pages.post("/me/data/consents/<string:purpose>")
@requires("consent:give")
def give_purpose(purpose: str) -> Any:
    """Consent to a purpose, by the text that I read."""

    def work(data: dict[str, Any]) -> str:
        permit("consent:give", mine())
        consents.give_consent(
            db.session(), member_id=caller().member_id, purpose=purpose, now=now(), **data
        )
        return url_for("member.my_consents")

    return answer(
        PurposeConsentInSchema, work, _consents_page, said=("member", "consent_given_said")
    )


@pages.post("/me/data/consents/<string:purpose>/withdrawal")
@requires("consent:withdraw")
def withdraw_purpose(purpose: str) -> Any:
    """Take a consent back, and with it what was noted by it."""

    def work(data: dict[str, Any]) -> str:
        permit("consent:withdraw", mine())
        withdraw(db.session(), member_id=caller().member_id, purpose=purpose, now=now())
        return url_for("member.my_consents")

    return answer(Nothing, work, _consents_page, said=("member", "consent_withdrawn_said"))


@pages.route("/me/data/records/new", methods=["GET", "POST"])
@requires("record-consent:give")
def carry_record() -> Any:
    """Let another community or a bank have some of my record."""
    session = db.session()
    permit("record-consent:give", mine())
    places = _places(session)

    def work(data: dict[str, Any]) -> str:
        community = communities.get_community(db.session(), data.pop("community"))
        if all(community.id != place.id for place in places):
            raise NotFound()
        consent = service.give_consent(
            db.session(),
            community_id=community.id,
            member_id=caller().member_id,
            fields=data.pop("fields_"),
            on=today(),
            now=now(),
            actor_id=caller().member_id,
            **data,
        )
        return url_for("member.my_record", consent_id=consent.public_id)

    def show(form: Form) -> Response:
        return page(
            "member/mydata_carry.html",
            form=form,
            places=places,
            fields=list(RecordField),
            purposes=list(RecordPurpose),
            ticked={name: request.form.getlist(name) for name in ("fields", "purposes")},
            days_max={
                place.id: communities.charter_on(
                    session, place.id, today()
                ).rules.record_consent_days_max
                for place in places
            },
        )

    return answer(CarrySchema, work, show, said=("member", "carried_said"))


@pages.get("/me/data/records/<pid(rcs):consent_id>")
@requires("record-consent:read")
def my_record(consent_id: str) -> Response:
    """One consent to carry my record, and what was issued under it."""
    return _record_page(consent_id, Form())


@pages.post("/me/data/records/<pid(rcs):consent_id>/issue")
@requires("credit-record:issue")
def issue_my_record(consent_id: str) -> Any:
    """Have a record signed, as things stand now."""

    def work(data: dict[str, Any]) -> str:
        consent, _ = _my_consent("credit-record:issue", consent_id)
        service.issue_record(
            db.session(),
            consent_id=consent.id,
            signer=current_signer(),
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.my_record", consent_id=consent_id)

    return answer(
        Nothing,
        work,
        lambda form: _record_page(consent_id, form),
        said=("member", "record_issued_said"),
    )


@pages.post("/me/data/records/<pid(rcs):consent_id>/withdrawal")
@requires("record-consent:withdraw")
def withdraw_my_record(consent_id: str) -> Any:
    """Withdraw the consent: what was issued under it counts no more."""

    def work(data: dict[str, Any]) -> str:
        consent, _ = _my_consent("record-consent:withdraw", consent_id)
        service.withdraw_consent(
            db.session(),
            consent_id=consent.id,
            reason=data["reason"],
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.my_record", consent_id=consent_id)

    return answer(
        RecordReasonSchema,
        work,
        lambda form: _record_page(consent_id, form),
        said=("member", "record_withdrawn_said"),
    )


@pages.get("/me/data/records/<pid(rcs):consent_id>/<pid(rec):record_id>.jws")
@requires("credit-record:read")
def record_text(consent_id: str, record_id: str) -> Response:
    """A record to the letter, as a file to hand on."""
    consent, _ = _my_consent("credit-record:read", consent_id)
    record = queries.get_record(db.session(), record_id)
    if record.consent_id != consent.id:
        raise NotFound()
    return _file(record.text, f"credit-record-{record.issued_on.isoformat()}.jws", "text/plain")


@pages.route("/me/data/erasure", methods=["GET", "POST"])
@requires("erasure:ask")
@limited("heavy")
def ask_erasure() -> Any:
    """What erasure takes and leaves; asking for it, once that is understood."""
    permit("erasure:ask", mine())

    def work(data: dict[str, Any]) -> str:
        asking.ask(db.session(), member_id=caller().member_id, on=today(), now=now())
        return url_for("member.ask_erasure")

    return answer(
        ErasureRequestInSchema, work, _erasure_page, said=("member", "erasure_asked_said")
    )


@pages.post("/me/data/erasure/withdrawal")
@requires("erasure:withdraw")
def withdraw_erasure() -> Any:
    """Take the request back."""

    def work(data: dict[str, Any]) -> str:
        permit("erasure:withdraw", mine())
        asking.take_back(db.session(), member_id=caller().member_id, now=now())
        return url_for("member.ask_erasure")

    return answer(Nothing, work, _erasure_page, said=("member", "erasure_withdrawn_said"))


def _erasure_page(form: Form) -> Response:
    session, me = db.session(), caller().member_id
    found = asking.outlook(session, me, is_own=True)
    asked = asking.find_latest(session, me)
    reasons: dict[str, int] = {}
    for _, why in found.kept:
        reasons[why] = reasons.get(why, 0) + 1
    return page(
        "member/mydata_erasure.html",
        form=form,
        outlook=found,
        # By table: that one's words stand for all its texts.
        emptied=list(dict.fromkeys(name.partition(".")[0] for name in found.emptied)),
        reasons=sorted(reasons.items()),
        asked=asked,
        is_open=asked is not None and asked.state is ErasureState.OPEN,
    )


def _consents_page(form: Form) -> Response:
    session, me, facts = db.session(), caller().member_id, mine()
    permit("consent:read", facts)
    permit("record-consent:read", facts)
    found, older, first = listed(session, queries.consents_by(me), RecordConsent.id)
    names = _known_names(session)
    return page(
        "member/mydata_consents.html",
        form=form,
        purposes=purposes_of(session, me),
        carried=[
            (consent, community.name, _recipient(names, consent), consent.is_live_on(today()))
            for consent, community in found.items
        ],
        older=older,
        first=first,
    )


def _record_page(consent_id: str, form: Form) -> Response:
    session = db.session()
    consent, community = _my_consent("record-consent:read", consent_id)
    found, older, first = listed(session, queries.records_under(consent.id), CreditRecord.id)
    return page(
        "member/mydata_record.html",
        form=form,
        consent=consent,
        community=community,
        recipient=_recipient(_known_names(session), consent),
        is_live=consent.is_live_on(today()),
        records=record_views(session, consent, found.items),
        older=older,
        first=first,
    )


def _my_consent(action: str, public_id: str) -> tuple[RecordConsent, Community]:
    """A consent of mine; those of others are read in the office."""
    session = db.session()
    consent = queries.get_consent(session, public_id)
    if consent.member_id != caller().member_id:
        raise NotFound()
    permit(action, mine())
    return consent, communities.get_community_by_id(session, consent.community_id)


def _known_names(session: Session) -> dict[str, str]:
    """Communities that the member knows of, as they are in them, by public id."""
    return {
        community.public_id: community.name
        for _, community in communities.memberships_of(session, caller().member_id)
    }


def _recipient(names: dict[str, str], consent: RecordConsent) -> str:
    return names.get(consent.recipient, consent.recipient)


def _places(session: Session) -> list[Community]:
    return [
        community
        for membership, community in communities.memberships_of(session, caller().member_id)
        if membership.status is not MembershipStatus.APPLIED
    ]


def _file(text: str, name: str, mimetype: str) -> Response:
    made = Response(text, mimetype=mimetype)
    made.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return made
