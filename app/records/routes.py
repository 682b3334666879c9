"""Credit records: consent, issue, withdraw, verify, take in."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import membership_facts
from app.extensions import db
from app.marks import limited, public
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import permit, requires
from app.records import permissions as _permissions  # noqa: F401  declares this room's actions
from app.records import views
from app.records.schemas import (
    RecordConsentInSchema,
    RecordConsentSchema,
    RecordImportInSchema,
    RecordImportSchema,
    RecordKeysSchema,
    RecordReasonSchema,
    RecordSchema,
    RecordSummarySchema,
    RecordVerdictSchema,
    RecordVerifyInSchema,
    RevocationsSchema,
)
from app.records.signer import current_signer
from app.transaction import transactional
from community.communities import queries as communities
from community.communities.models import Community
from community.members import queries as members
from community.members.models import Member
from community.records import accepting, queries, service
from community.records.errors import KeySetInvalid
from community.records.keys import key_document, read_keys
from community.records.models import CreditRecord, RecordConsent, RecordImport
from community.records.signing import KeyUnusable
from community.records.verifying import Revocations, verify_record

blp = Blueprint("records", __name__, description="Portable credit records (信用共享)")

_PLACE = "/communities/<pid(com):community_id>/members/<pid(mem):member_id>"
_CONSENT = "/record-consents/<pid(rcs):consent_id>"


@blp.route(f"{_PLACE}/record-consents", methods=["POST"])
@requires("record-consent:give")
@blp.arguments(RecordConsentInSchema)
@blp.response(201, RecordConsentSchema)
@transactional
def give_consent(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Let a recipient have some of one's own record, for a purpose, until a day."""
    session = db.session()
    community, member = _place(session, "record-consent:give", community_id, member_id)
    consent = service.give_consent(
        session,
        community_id=community.id,
        member_id=member.id,
        fields=data.pop("fields_"),
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        **data,
    )
    return views.consent_views(session, community, [consent])[0]


@blp.route(f"{_PLACE}/record-consents")
@requires("record-consent:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(RecordConsentSchema))
def list_consents(args: dict[str, Any], community_id: str, member_id: str) -> Page:
    """A member's consents in a community, newest first."""
    session = db.session()
    community, member = _place(session, "record-consent:read", community_id, member_id)
    statement = queries.consents_of(community_id=community.id, member_id=member.id)
    page = paginate(session, statement, key=RecordConsent.id, args=args, newest_first=True)
    return Page(views.consent_views(session, community, page.items), page.next_cursor)


@blp.route(_CONSENT)
@requires("record-consent:read")
@blp.response(200, RecordConsentSchema)
def get_consent(consent_id: str) -> Any:
    """One consent."""
    session = db.session()
    consent, community = _consent(session, "record-consent:read", consent_id)
    return views.consent_views(session, community, [consent])[0]


@blp.route(f"{_CONSENT}/withdrawal", methods=["POST"])
@requires("record-consent:withdraw")
@blp.arguments(RecordReasonSchema)
@blp.response(200, RecordConsentSchema)
@transactional
def withdraw_consent(data: dict[str, Any], consent_id: str) -> Any:
    """Withdraw a consent: every record that was issued under it is revoked."""
    session = db.session()
    consent, community = _consent(session, "record-consent:withdraw", consent_id)
    service.withdraw_consent(
        session,
        consent_id=consent.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.consent_views(session, community, [consent])[0]


@blp.route(f"{_CONSENT}/records", methods=["POST"])
@requires("credit-record:issue")
@blp.response(201, RecordSchema)
@transactional
def issue_record(consent_id: str) -> Any:
    """Sign a statement of the member's record as of now; the answer carries it."""
    session = db.session()
    consent, _ = _consent(session, "credit-record:issue", consent_id)
    record = service.issue_record(
        session,
        consent_id=consent.id,
        signer=current_signer(),
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.record_views(session, consent, [record])[0]


@blp.route(f"{_CONSENT}/records")
@requires("record-consent:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(RecordSummarySchema))
def list_records(args: dict[str, Any], consent_id: str) -> Page:
    """The records issued under a consent, newest first, without what they say."""
    session = db.session()
    consent, _ = _consent(session, "record-consent:read", consent_id)
    statement = queries.records_under(consent.id)
    page = paginate(session, statement, key=CreditRecord.id, args=args, newest_first=True)
    return Page(views.record_views(session, consent, page.items), page.next_cursor)


@blp.route("/credit-records/<pid(rec):record_id>")
@requires("credit-record:read")
@blp.response(200, RecordSchema)
def get_record(record_id: str) -> Any:
    """One's own record again, to the letter."""
    session = db.session()
    record = queries.get_record(session, record_id)
    consent = queries.get_consent_by_id(session, record.consent_id)
    community = communities.get_community_by_id(session, consent.community_id)
    member = members.get_member_by_id(session, consent.member_id)
    permit("credit-record:read", membership_facts(community, member))
    return views.record_views(session, consent, [record])[0]


@blp.route("/credit-records/<pid(rec):record_id>/revocation", methods=["POST"])
@requires("credit-record:revoke")
@blp.arguments(RecordReasonSchema)
@blp.response(200, RecordSummarySchema)
@transactional
def revoke_record(data: dict[str, Any], record_id: str) -> Any:
    """Revoke one record; its consent stays."""
    session = db.session()
    record = queries.get_record(session, record_id)
    consent = queries.get_consent_by_id(session, record.consent_id)
    community = communities.get_community_by_id(session, consent.community_id)
    member = members.get_member_by_id(session, consent.member_id)
    permit("credit-record:revoke", membership_facts(community, member))
    service.revoke_record(
        session,
        record_id=record.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.record_views(session, consent, [record])[0]


@blp.route("/record-keys")
@public
@blp.response(200, RecordKeysSchema)
def list_keys() -> Any:
    """The public keys that sign and have signed records: a JWK set, for anybody to keep."""
    rows = queries.list_keys(db.session())
    return {"keys": [key_document(queries.public_key(row)) for row in rows]}


@blp.route("/record-revocations")
@public
@blp.response(200, RevocationsSchema)
@transactional
def get_revocations() -> Any:
    """Revoked records as of today, by their ids alone, signed: for anybody to keep."""
    signed = service.signed_revocations(
        db.session(), signer=current_signer(), on=today(), now=now()
    )
    return {"revocations": signed}


@blp.route("/records/verify", methods=["POST"])
@public
@limited("heavy")
@blp.arguments(RecordVerifyInSchema)
@blp.response(200, RecordVerdictSchema)
def verify(data: dict[str, Any]) -> Any:
    """Whether a record holds: by the keys and the list that come with it, or by the platform's."""
    session, on = db.session(), data["on"] or today()
    keys, revocations = data["keys"], data["revocations"]
    if keys is None:
        own = queries.own_keys(session)
        known = revocations or Revocations(today(), frozenset(queries.revoked_on(session, on)))
        verdict = verify_record(
            data["record"], keys=own, on=on, audience=data["audience"], revocations=known
        )
        return views.verdict_view(verdict)
    try:
        theirs = read_keys(keys)
    except KeyUnusable as error:
        raise KeySetInvalid(f"{error}.", field="keys") from None
    verdict = verify_record(
        data["record"], keys=theirs, on=on, audience=data["audience"], revocations=revocations
    )
    return views.verdict_view(verdict)


@blp.route(f"{_PLACE}/record-imports", methods=["POST"])
@requires("record-import:take")
@blp.arguments(RecordImportInSchema)
@blp.response(201, RecordImportSchema)
@transactional
def take_record(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Grant a member the charter's share of the standing that another community's record shows."""
    session = db.session()
    community, member = _place(session, "record-import:take", community_id, member_id)
    taken = accepting.take_record(
        session,
        community_id=community.id,
        member_id=member.id,
        text=data["record"],
        revocations=data["revocations"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.import_views(session, community, member, [taken])[0]


@blp.route(f"{_PLACE}/record-imports")
@requires("record-import:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(RecordImportSchema))
def list_imports(args: dict[str, Any], community_id: str, member_id: str) -> Page:
    """The records of a member that a community took in, newest first."""
    session = db.session()
    community, member = _place(session, "record-import:read", community_id, member_id)
    statement = queries.imports_of(community_id=community.id, member_id=member.id)
    page = paginate(session, statement, key=RecordImport.id, args=args, newest_first=True)
    return Page(views.import_views(session, community, member, page.items), page.next_cursor)


def _place(
    session: Session, action: str, community_id: str, member_id: str
) -> tuple[Community, Member]:
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit(action, membership_facts(community, member))
    return community, member


def _consent(session: Session, action: str, public_id: str) -> tuple[RecordConsent, Community]:
    consent = queries.get_consent(session, public_id)
    community = communities.get_community_by_id(session, consent.community_id)
    member = members.get_member_by_id(session, consent.member_id)
    permit(action, membership_facts(community, member))
    return consent, community
