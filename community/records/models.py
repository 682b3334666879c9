"""Consents, the records that were signed under them, revocations, keys, and records taken in."""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Minor, Text120, Text500, new_public_id
from community.ledger.guards import keep_history


class RecordKey(Base):
    """A public key that signed records, and on which days. The private half is never stored."""

    __tablename__ = "record_keys"
    __table_args__ = (
        UniqueConstraint("kid"),
        CheckConstraint("until_on IS NULL OR from_on <= until_on", name="days_in_order"),
        CheckConstraint("revoked_on IS NULL OR until_on IS NOT NULL", name="revoked_signs_no_more"),
        # One key signs at a time: none says of itself that it is not live.
        CheckConstraint("is_live", name="live_until_its_last_day"),
        Index(
            "uq_record_keys_live",
            "is_live",
            unique=True,
            postgresql_where=text("until_on IS NULL"),
            sqlite_where=text("until_on IS NULL"),
        ),
    )

    id: Mapped[Key]
    # Its fingerprint (RFC 7638), and the key as a JWK writes it.
    kid: Mapped[str] = mapped_column(String(43))
    x: Mapped[str] = mapped_column(String(43))
    from_on: Mapped[date]
    until_on: Mapped[date | None]
    # In wrong hands: nothing that it signed counts.
    revoked_on: Mapped[date | None]
    # Always true; the index over it admits one live key.
    is_live: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[Instant]


class RecordConsent(Base):
    """A member lets out some of their record, to one recipient, for a purpose, until a day."""

    __tablename__ = "record_consents"
    __table_args__ = (
        CheckConstraint("given_on <= until_on", name="term_has_days"),
        CheckConstraint(
            "withdrawn_on IS NULL OR withdrawn_on >= given_on", name="withdrawn_after_given"
        ),
        Index("ix_record_consents_member_id", "member_id", "community_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rcs")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    # A community's public id, or whatever name a bank goes by: the audience of the record.
    recipient: Mapped[Text120]
    # Under which the recipient knows the member.
    recipient_subject: Mapped[str | None] = mapped_column(String(120))
    purposes: Mapped[list[str]] = mapped_column(JSON)
    fields: Mapped[list[str]] = mapped_column(JSON)
    given_on: Mapped[date]
    until_on: Mapped[date]
    withdrawn_on: Mapped[date | None]
    created_at: Mapped[Instant]

    def is_live_on(self, on: date) -> bool:
        """Whether records may be issued under it on a day."""
        return self.withdrawn_on is None and self.given_on <= on <= self.until_on


class CreditRecord(Base):
    """A signed statement of a member's record; never changed."""

    __tablename__ = "credit_records"
    __table_args__ = (
        CheckConstraint("issued_on <= expires_on", name="days_in_order"),
        Index("ix_credit_records_consent_id", "consent_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rec")
    )
    consent_id: Mapped[int] = mapped_column(ForeignKey("record_consents.id"))
    key_id: Mapped[int] = mapped_column(ForeignKey("record_keys.id"))
    issued_on: Mapped[date]
    expires_on: Mapped[date]
    # What was handed out, to the letter.
    text: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class RecordRevocation(Base):
    """A record that no longer counts; never taken back."""

    __tablename__ = "record_revocations"
    __table_args__ = (UniqueConstraint("record_id"),)

    id: Mapped[Key]
    record_id: Mapped[int] = mapped_column(ForeignKey("credit_records.id"))
    revoked_on: Mapped[date]
    reason: Mapped[Text500]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class RecordImport(Base):
    """A record that a community took in, and the standing that it gave for it; never changed."""

    __tablename__ = "record_imports"
    __table_args__ = (
        # Once per record.
        UniqueConstraint("issuer", "record"),
        UniqueConstraint("assessment_id"),
        CheckConstraint(
            "amount_minor > 0 AND amount_minor <= assessed_there_minor", name="a_share_of_theirs"
        ),
        Index("ix_record_imports_member_id", "member_id", "community_id"),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    # Public ids there: of the issuing community and of the record.
    issuer: Mapped[str] = mapped_column(String(40))
    record: Mapped[str] = mapped_column(String(40))
    kid: Mapped[str] = mapped_column(String(43))
    # SHA-256 of the signed text, hex, and what it says: the evidence.
    digest: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    issued_on: Mapped[date]
    # As of when it was known not to be revoked.
    revocations_on: Mapped[date]
    assessed_there_minor: Mapped[Minor]
    share_bps: Mapped[int]
    amount_minor: Mapped[Minor]
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"))
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    taken_on: Mapped[date]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


for _table in (CreditRecord, RecordRevocation, RecordImport):
    keep_history(Base.metadata.tables[_table.__tablename__])
