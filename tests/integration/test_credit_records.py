"""Credit records on real databases: consent, issue, withdrawal, keys, and records taken in."""

import base64
import json
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.models import Charter, Community, CommunityKind
from community.engine import session_factory
from community.errors import CurrencyMismatch
from community.members.models import Member
from community.records import accepting, queries, service
from community.records.errors import (
    ConsentIsYourOwn,
    ConsentNotLive,
    ConsentTooLong,
    IssuerNotAccepted,
    RecordNotForThis,
    RecordOfSomebodyElse,
    RecordRefused,
    RecordRevoked,
    RecordShowsArrears,
    RecordTooOld,
    RecordUsedAlready,
    SigningKeyMissing,
    SigningKeyRetired,
    StandingGrantedAlready,
)
from community.records.models import (
    CreditRecord,
    RecordConsent,
    RecordImport,
    RecordKey,
    RecordRevocation,
)
from community.records.signing import Signer
from community.records.statement import KIND, RecordField, RecordPurpose
from community.records.verifying import LIST_KIND, list_payload, verify_record
from community.trust.models import Assessment
from community.verification import verify
from tests.hamlet import FAR, Hamlet
from tests.racing import Act, race

ALL = tuple(RecordField)
BANK = "Bank of the Upper Valley"


def signer(seed: int = 1) -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


class Valley:
    """A hamlet that issues records, and another community that takes them in."""

    def __init__(self, session: Session, **rules: Any) -> None:
        self.session = session
        self.hamlet = Hamlet(session, rules={"write_off_day": 30, "call_deadline_days": 0})
        self.do = self.hamlet.do
        self.here = self.hamlet.community
        self.there = self.other("there", **rules)
        self.signer = signer()

    def other(self, name: str, currency: str = "CNY", **rules: Any) -> Community:
        made = self.do(
            communities.create_community,
            kind=CommunityKind.REGION,
            name=name,
            reference=name,
            currency=currency,
            now=self.hamlet.now,
            actor_id=None,
        )
        self.charter(made, {"record_issuers": [self.here.public_id], **rules})
        return made

    def charter(self, community: Community, rules: dict[str, Any]) -> None:
        [here] = self.session.scalars(
            select(Charter).where(Charter.community_id == self.here.id)
        ).all()
        self.do(
            communities.adopt_charter,
            community_id=community.id,
            rules_document=here.rules
            | {name: {"value": value, "source": "test"} for name, value in rules.items()},
            valid_from=self.hamlet.day,
            source="test",
            now=self.hamlet.now,
            actor_id=None,
        )

    def join(self, name: str, community: Community | None = None) -> Member:
        member = self.hamlet.people[name]
        place: dict[str, Any] = {
            "community_id": (community or self.there).id,
            "member_id": member.id,
            "actor_id": None,
            **self.hamlet.when,
        }
        self.do(communities.apply_for_membership, **place)
        self.do(communities.activate_membership, **place)
        return member

    def consent(self, name: str, **changes: Any) -> RecordConsent:
        member = self.hamlet.people[name]
        given: dict[str, Any] = {
            "community_id": self.here.id,
            "member_id": member.id,
            "recipient": self.there.public_id,
            "purposes": [RecordPurpose.STANDING],
            "fields": [RecordField.STANDING, RecordField.DEBTS],
            "until_on": self.hamlet.day + timedelta(days=200),
            "actor_id": member.id,
            **self.hamlet.when,
        }
        return self.do(service.give_consent, **{**given, **changes})

    def issue(self, consent: RecordConsent, by: Signer | None = None) -> CreditRecord:
        return self.do(
            service.issue_record,
            consent_id=consent.id,
            signer=by or self.signer,
            actor_id=consent.member_id,
            **self.hamlet.when,
        )

    def withdraw(self, consent: RecordConsent) -> RecordConsent:
        return self.do(
            service.withdraw_consent,
            consent_id=consent.id,
            reason="no longer wanted",
            actor_id=consent.member_id,
            **self.hamlet.when,
        )

    def take(self, name: str, record: str, **changes: Any) -> RecordImport:
        given: dict[str, Any] = {
            "community_id": self.there.id,
            "member_id": self.hamlet.people[name].id,
            "text": record,
            "actor_id": self.hamlet.officer.id,
            **self.hamlet.when,
        }
        return self.do(accepting.take_record, **{**given, **changes})

    def verdict(self, record: CreditRecord, **given: Any) -> list[str]:
        self.session.commit()
        found = verify_record(
            record.text,
            keys=queries.own_keys(self.session),
            on=self.hamlet.day,
            **given,
        )
        return [failure.fault.value for failure in found.failures]

    def listed(self, by: Signer | None = None) -> str:
        return service.signed_revocations(
            self.session, signer=by or self.signer, **self.hamlet.when
        )


def body(record: CreditRecord) -> dict[str, Any]:
    part = record.text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.fixture
def valley(db_session: Session) -> Valley:
    return Valley(db_session)


def test_the_story_of_the_docs(valley: Valley) -> None:
    """Mei's life in the hamlet, and what her record says of it, worked by hand."""
    hamlet = valley.hamlet
    hamlet.fund(1_000_00)
    hamlet.person("mei", stake=100_00, assessed=200_00)
    hamlet.person("bo", stake=50_00)
    hamlet.person("ren")
    hamlet.vouch("mei", "ren", 80_00)
    hamlet.vouch("bo", "mei", 40_00)
    # Two loans of her own: 60.00 repaid; 90.00 of which 30.00 is paid late, the rest is out.
    first = hamlet.lend("mei", 60_00)
    hamlet.repay(first, 60_00)
    second = hamlet.lend("mei", 90_00, 3)
    # Two of Ren's that she stands behind: one that Ren repays, one that is called.
    good = hamlet.lend("ren", 20_00)
    hamlet.repay(good, 20_00)
    bad = hamlet.lend("ren", 50_00)
    hamlet.wait(35, second)  # 30.00 was due after 31 days
    hamlet.repay(second, 30_00)
    # Ren is called after ten days: of Mei's stake 50.00 are taken.
    hamlet.wait(7, bad, second)
    consent = valley.consent(
        "mei",
        recipient=BANK,
        purposes=[RecordPurpose.CREDIT_DECISION],
        fields=ALL,
        recipient_subject="customer 17",
    )
    record = valley.issue(consent)
    said = body(record)
    day = hamlet.day.isoformat()
    assert day == "2026-04-13"
    figures = said["figures"]
    rests = {
        "from_on": "2026-03-02",
        "until_on": day,
        "source": {"charter_of": valley.here.public_id, "charter_version": 1},
    }
    for name, rule in (
        ("loans", "loan_cycle_steps_minor"),
        ("lateness", "class_days"),
        ("debts", "owed_per_member_minor_max"),
        ("guarantees", "vouch_minor_max"),
        ("standing", "vouch_days_max"),
    ):
        for key, value in rests.items():
            expected = value | {"rule": rule} if isinstance(value, dict) else value
            assert figures[name].pop(key) == expected
    assert figures == {
        "loans": {
            "taken": 2,
            "taken_minor": 150_00,
            "live": 1,
            "repaid": 1,
            "repaid_by_borrower_minor": 90_00,
            "written_off": 0,
            "cycles": 1,
        },
        "lateness": {
            "times_overdue": 1,
            "times_called": 0,
            "days_by_class": {
                "special_mention": 0,
                "substandard": 0,
                "doubtful": 0,
                "loss": 0,
            },
            "worst_class": "normal",
        },
        "debts": {
            "outstanding_minor": 60_00,
            "overdue_minor": 0,
            "written_off_minor": 0,
            "owed_to_guarantors_minor": 0,
        },
        "guarantees": {
            "stood_for": 2,
            "cap_minor": 70_00,
            "live": 0,
            "repaid_by_borrower": 1,
            "not_repaid_by_borrower": 1,
            "paid_minor": 50_00,
            "recovered_minor": 0,
        },
        "standing": {"assessed_minor": 200_00, "assessed_until_on": "2028-01-01"},
    }
    assert (said["aud"], said["name"], said["recipient_subject"]) == (BANK, "mei", "customer 17")
    # It names nobody else.
    others = {person.public_id for name, person in hamlet.people.items() if name != "mei"}
    assert not [other for other in others if other in json.dumps(said)]
    assert valley.verdict(record, audience=BANK, revocations=valley.listed()) == []
    # What Ren owes for it is in Ren's own record.
    of_ren = body(valley.issue(valley.consent("ren", fields=[RecordField.DEBTS])))["figures"]
    assert of_ren["debts"]["owed_to_guarantors_minor"] == 50_00
    # She withdraws: it is on the list, and only its id is.
    valley.withdraw(consent)
    assert valley.verdict(record, audience=BANK, revocations=valley.listed()) == ["revoked"]
    hamlet.check()


def test_a_record_needs_a_live_consent_of_the_member(valley: Valley) -> None:
    valley.hamlet.person("mei", assessed=200_00)
    with pytest.raises(ConsentIsYourOwn):
        valley.consent("mei", actor_id=valley.hamlet.officer.id)
    with pytest.raises(ConsentIsYourOwn):
        valley.consent("mei", actor_id=None)
    with pytest.raises(ConsentTooLong):
        valley.consent("mei", until_on=valley.hamlet.day + timedelta(days=365))
    with pytest.raises(ConsentTooLong):
        valley.consent("mei", until_on=valley.hamlet.day - timedelta(days=1))
    consent = valley.consent("mei", until_on=valley.hamlet.day + timedelta(days=100))
    record = valley.issue(consent)
    # 90 days by the charter, today among them; then no longer than the consent.
    assert record.expires_on == valley.hamlet.day + timedelta(days=89)
    valley.hamlet.wait(50)
    assert valley.issue(consent).expires_on == consent.until_on
    with pytest.raises(ConsentIsYourOwn):
        valley.do(
            service.withdraw_consent,
            consent_id=consent.id,
            reason="x",
            actor_id=valley.hamlet.officer.id,
            **valley.hamlet.when,
        )
    valley.withdraw(consent)
    for refused in (valley.issue, valley.withdraw):
        with pytest.raises(ConsentNotLive):
            refused(consent)
    assert len(valley.session.scalars(select(RecordRevocation)).all()) == 2
    other = valley.consent("mei", until_on=valley.hamlet.day)
    valley.hamlet.wait(1)
    with pytest.raises(ConsentNotLive):
        valley.issue(other)
    with pytest.raises(SigningKeyMissing):
        valley.do(
            service.issue_record,
            consent_id=other.id,
            signer=None,
            actor_id=None,
            **valley.hamlet.when,
        )
    valley.hamlet.check()


def test_keys_follow_one_another_and_stay_published(valley: Valley) -> None:
    valley.hamlet.person("mei", assessed=200_00)
    consent = valley.consent("mei")
    old = valley.issue(consent)
    valley.hamlet.wait(10)
    new = valley.issue(consent, signer(2))
    assert [(key.from_on, key.until_on) for key in queries.list_keys(valley.session)] == [
        (date(2026, 3, 12), None),
        (date(2026, 3, 2), date(2026, 3, 12)),
    ]
    assert valley.verdict(old, revocations=valley.listed(signer(2))) == []
    assert valley.verdict(new) == []
    # The old key is not brought back: its days are published.
    with pytest.raises(SigningKeyRetired):
        valley.issue(consent)
    valley.do(
        service.revoke_key,
        kid=signer(2).kid,
        reason="the server was stolen",
        actor_id=None,
        **valley.hamlet.when,
    )
    assert (valley.verdict(old), valley.verdict(new)) == ([], ["key-revoked"])
    with pytest.raises(SigningKeyRetired):
        valley.issue(consent, signer(2))
    third = valley.issue(consent, signer(3))
    assert valley.verdict(third) == []
    valley.hamlet.check()


def test_half_of_what_was_assessed_there_counts_here(valley: Valley) -> None:
    """350.01 there, 5,000 of 10,000 of it here, down to the cent, no longer than the record."""
    valley.hamlet.person("mei", assessed=350_01)
    valley.join("mei")
    record = valley.issue(valley.consent("mei"))
    taken = valley.take("mei", record.text)
    grant = valley.session.get_one(Assessment, taken.assessment_id)
    assert (grant.amount_minor, grant.expires_on) == (175_00, record.expires_on)
    assert record.public_id in grant.evidence
    assert valley.here.public_id in grant.evidence
    with pytest.raises(RecordUsedAlready):
        valley.take("mei", record.text)
    with pytest.raises(StandingGrantedAlready):
        valley.take("mei", valley.issue(valley.consent("mei")).text)
    # What was taken in is not passed on as the community's own word.
    back = valley.consent("mei", community_id=valley.there.id, recipient=valley.here.public_id)
    assert body(valley.issue(back))["figures"]["standing"]["assessed_minor"] == 0
    # She withdraws: the standing ends, and the record does not come back.
    valley.withdraw(valley.session.get_one(RecordConsent, record.consent_id))
    valley.session.refresh(grant)
    assert grant.ended_at is not None
    with pytest.raises(RecordRefused, match="revoked"):
        valley.take("mei", record.text)
    valley.hamlet.check()


def test_one_record_is_revoked_and_the_consent_stays(valley: Valley) -> None:
    valley.hamlet.person("mei", assessed=200_00)
    valley.join("mei")
    consent = valley.consent("mei")
    wrong, right = valley.issue(consent), valley.issue(consent)
    taken = valley.take("mei", wrong.text)

    def revoke() -> None:
        valley.do(
            service.revoke_record,
            record_id=wrong.id,
            reason="made before the correction",
            actor_id=valley.hamlet.officer.id,
            **valley.hamlet.when,
        )

    revoke()
    with pytest.raises(RecordRevoked):
        revoke()
    assert valley.session.get_one(Assessment, taken.assessment_id).ended_at is not None
    verdicts = [valley.verdict(one, revocations=valley.listed()) for one in (wrong, right)]
    assert verdicts == [["revoked"], []]
    assert valley.take("mei", right.text).amount_minor == 100_00
    valley.withdraw(consent)
    assert len(valley.session.scalars(select(RecordRevocation)).all()) == 2
    valley.hamlet.check()


def test_what_is_not_for_here_gives_nothing(valley: Valley) -> None:
    valley.hamlet.person("mei", assessed=200_00)
    valley.hamlet.person("bo", assessed=200_00)
    valley.hamlet.person("poor")
    for name in ("mei", "bo", "poor"):
        valley.join(name)
    good = valley.issue(valley.consent("mei"))
    with pytest.raises(RecordOfSomebodyElse):
        valley.take("bo", good.text)
    for changes in (
        {"purposes": [RecordPurpose.CREDIT_DECISION]},
        {"fields": [RecordField.STANDING]},
        {"fields": [RecordField.DEBTS]},
    ):
        with pytest.raises(RecordNotForThis):
            valley.take("mei", valley.issue(valley.consent("mei", **changes)).text)
    with pytest.raises(RecordNotForThis):
        valley.take("poor", valley.issue(valley.consent("poor")).text)
    with pytest.raises(RecordRefused, match="not for you"):
        valley.take("mei", valley.issue(valley.consent("mei", recipient=BANK)).text)
    with pytest.raises(RecordRefused, match="altered"):
        valley.take("mei", good.text[:-4] + "AAAA")
    # Signed with our very key, but never issued: a key that leaked before anybody noticed.
    forged = body(good) | {"jti": "rec_fedcba9876543210"}
    with pytest.raises(RecordRefused, match="did not issue"):
        valley.take("mei", valley.signer.sign(KIND, forged))
    stranger = body(good) | {"iss": "com_fedcba9876543210"}
    with pytest.raises(IssuerNotAccepted):
        valley.take("mei", valley.signer.sign(KIND, stranger))
    far = valley.other("far", currency="USD")
    valley.join("mei", far)
    abroad = valley.issue(valley.consent("mei", recipient=far.public_id))
    with pytest.raises(CurrencyMismatch):
        valley.take("mei", abroad.text, community_id=far.id)
    valley.hamlet.wait(31)
    with pytest.raises(RecordTooOld):
        valley.take("mei", good.text)
    valley.hamlet.wait(60)
    with pytest.raises(RecordRefused, match="expired"):
        valley.take("mei", good.text)
    assert valley.session.scalars(select(RecordImport)).all() == []
    valley.hamlet.check()


def test_arrears_there_give_no_standing_here(valley: Valley) -> None:
    valley.hamlet.fund(500_00)
    valley.hamlet.person("mei", assessed=200_00)
    valley.join("mei")
    loan = valley.hamlet.lend("mei", 60_00)
    valley.hamlet.wait(32)
    record = valley.issue(valley.consent("mei"))
    with pytest.raises(RecordShowsArrears):
        valley.take("mei", record.text)
    valley.hamlet.repay(loan, 60_00)
    assert valley.take("mei", valley.issue(valley.consent("mei")).text).amount_minor == 100_00


def test_an_issuer_elsewhere_is_known_by_the_key_in_the_charter(valley: Valley) -> None:
    """Another platform signs; its list of revocations comes with the record."""
    far, theirs = "com_zzzzzzzzzzzzzzzz", signer(9)
    valley.hamlet.person("mei", assessed=200_00)
    member = valley.join("mei")
    own = body(valley.issue(valley.consent("mei")))
    valley.there = valley.other("third", record_issuers=[f"{far}@{theirs.x}"])
    valley.join("mei")
    day = valley.hamlet.day

    def record(**changes: Any) -> str:
        document = own | {"iss": far, "sub": "mem_zzzzzzzzzzzzzzzz", "aud": valley.there.public_id}
        return theirs.sign(KIND, document | {"recipient_subject": member.public_id} | changes)

    def listed(*records: str, on: date = day, by: Signer = theirs) -> str:
        payload = list_payload(issued_on=on, issued_at=own["iat"], records=list(records))
        return by.sign(LIST_KIND, payload)

    with pytest.raises(RecordRefused, match="signed list"):
        valley.take("mei", record())
    with pytest.raises(RecordRefused, match="does not hold"):
        valley.take("mei", record(), revocations=listed(by=valley.signer))
    with pytest.raises(RecordRefused, match="revoked"):
        valley.take("mei", record(), revocations=listed(own["jti"]))
    with pytest.raises(RecordOfSomebodyElse):
        valley.take("mei", record(recipient_subject="mem_zzzzzzzzzzzzzzzz"), revocations=listed())
    # The platform's own key does not speak for an issuer elsewhere.
    with pytest.raises(RecordRefused, match="not among"):
        valley.take("mei", valley.signer.sign(KIND, own | {"iss": far}), revocations=listed())
    valley.hamlet.wait(8)
    with pytest.raises(RecordRefused, match="7 days"):
        valley.take("mei", record(), revocations=listed())
    fresh = listed(on=valley.hamlet.day)
    assert valley.take("mei", record(), revocations=fresh).amount_minor == 100_00
    valley.hamlet.check()


def test_the_tables_refuse_what_the_service_does(valley: Valley) -> None:
    valley.hamlet.person("mei", assessed=200_00)
    valley.join("mei")
    consent = valley.consent("mei")
    record = valley.issue(consent)
    valley.take("mei", record.text)
    session = valley.session
    for statement in (
        update(CreditRecord).values(expires_on=FAR),
        delete(CreditRecord),
        update(RecordImport).values(amount_minor=1),
        delete(RecordImport),
        text("INSERT INTO record_imports SELECT * FROM record_imports"),
        update(RecordConsent).values(until_on=date(2020, 1, 1)),
        text(
            "INSERT INTO record_keys (kid, x, from_on, is_live, created_at)"
            " SELECT 'k', x, from_on, is_live, created_at FROM record_keys"
        ),
        update(RecordKey).values(revoked_on=FAR),
    ):
        with pytest.raises((IntegrityError, DBAPIError)), session.begin_nested():
            session.execute(statement)
    valley.hamlet.check()


def test_the_verifier_finds_what_was_done_by_hand(valley: Valley) -> None:
    valley.hamlet.person("mei", assessed=200_00)
    consent = valley.consent("mei")
    record = valley.issue(consent)
    session = valley.session

    def found(*statements: Any) -> set[tuple[int, str]]:
        with session.begin_nested() as nested:
            for statement in statements:
                session.execute(statement)
            session.expire_all()
            breaches = {(breach.law, breach.table) for breach in verify(session).breaches}
            nested.rollback()
        return breaches

    assert found() == set()
    withdrawn = update(RecordConsent).values(withdrawn_on=valley.hamlet.day)
    assert found(withdrawn) == {(7, "credit_records")}
    shorter = update(RecordConsent).values(until_on=record.expires_on - timedelta(days=1))
    assert found(shorter) == {(7, "credit_records")}
    other = update(RecordConsent).values(recipient="somebody else")
    assert found(other) == {(8, "credit_records")}
    # A record that our key signed over a book that never was.
    said = body(record) | {"jti": "rec_fedcba9876543210"}
    said["book"] = {"records": 1, "head": "0" * 64}
    session.add(
        CreditRecord(
            public_id="rec_fedcba9876543210",
            consent_id=consent.id,
            key_id=record.key_id,
            issued_on=record.issued_on,
            expires_on=record.expires_on,
            text=valley.signer.sign(KIND, said),
            created_at=valley.hamlet.now,
        )
    )
    session.flush()
    assert found() == {(8, "credit_records")}


def test_withdrawal_and_use_meet_at_the_consent(engine: Engine) -> None:
    """Who issues, who takes in and who withdraws at once: in the end nothing counts."""
    make = session_factory(engine)
    with make() as session:
        valley = Valley(session)
        valley.hamlet.person("mei", assessed=200_00)
        valley.join("mei")
        consent = valley.consent("mei")
        record = valley.issue(consent)
        when = valley.hamlet.when
        consent_id, member_id, there_id = consent.id, consent.member_id, valley.there.id
        officer_id, signed = valley.hamlet.officer.id, record.text

    issue = Act(
        "issue",
        partial(
            service.issue_record,
            consent_id=consent_id,
            signer=signer(),
            actor_id=member_id,
            **when,
        ),
    )
    take = Act(
        "take",
        partial(
            accepting.take_record,
            community_id=there_id,
            member_id=member_id,
            text=signed,
            actor_id=officer_id,
            **when,
        ),
    )
    withdraw = Act(
        "withdraw",
        partial(
            service.withdraw_consent,
            consent_id=consent_id,
            reason="x",
            actor_id=member_id,
            **when,
        ),
    )
    outcomes = race(engine, [[issue, issue], [take], [withdraw], [take, issue]])
    taken = [outcome.code for outcome in outcomes if outcome.act.name == "take"]
    assert taken.count("done") <= 1
    assert set(taken) <= {"done", "credit-record-used", "credit-record-refused"}
    with make() as session:
        records = session.scalars(select(CreditRecord)).all()
        revoked = session.scalars(select(RecordRevocation.record_id)).all()
        assert sorted(revoked) == sorted(row.id for row in records)
        grants = session.scalars(
            select(Assessment).where(Assessment.community_id == there_id)
        ).all()
        assert len(grants) <= 1
        assert all(grant.ended_at is not None for grant in grants)
        assert verify(session).breaches == ()
