"""Members, households, role grants and bearer tokens."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Text120, UtcTime, choice, new_public_id
from community.members.principal import Role
from community.sealing import BlindIndex, Sealed, bind_rows, is_sealed


class MemberKind(StrEnum):
    PERSON = "person"
    ENTERPRISE = "enterprise"


class Household(Base):
    """People who live from one purse. A joint-liability group takes a household once."""

    __tablename__ = "households"
    __table_args__ = (is_sealed("reference"),)

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("hh")
    )
    # The name under which imports and paper forms know it, such as a village register's number.
    reference: Mapped[str] = mapped_column(Sealed("households", "reference", "public_id"))
    reference_index: Mapped[str] = mapped_column(BlindIndex("households", "reference"), unique=True)
    created_at: Mapped[Instant]


class Member(Base):
    """A person or an enterprise known to the platform."""

    __tablename__ = "members"
    __table_args__ = (
        CheckConstraint("birth_year IS NULL OR kind = 'person'", name="only_persons_are_born"),
        is_sealed("reference"),
        CheckConstraint(
            "erased_at IS NULL OR name = public_id AND reference IS NULL AND birth_year IS NULL",
            name="erased_is_nobody",
        ),
        CheckConstraint(
            "(reference IS NULL) = (reference_index IS NULL)", name="reference_is_indexed"
        ),
        Index("ix_members_household_id", "household_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("mem")
    )
    kind: Mapped[MemberKind] = mapped_column(choice(MemberKind))
    name: Mapped[Text120]
    # The name under which imports know this member; unique when given.
    reference: Mapped[str | None] = mapped_column(Sealed("members", "reference", "public_id"))
    reference_index: Mapped[str | None] = mapped_column(
        BlindIndex("members", "reference"), unique=True
    )
    household_id: Mapped[int | None] = mapped_column(ForeignKey("households.id"))
    birth_year: Mapped[int | None]
    # When their personal data was taken out; their name is their public id since.
    erased_at: Mapped[datetime | None] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class RoleGrant(Base):
    """A role given to a member in a community (and what nests in it) or platform-wide."""

    __tablename__ = "role_grants"
    __table_args__ = (
        Index(
            "uq_role_grants_live",
            "member_id",
            "role",
            text("coalesce(community_id, 0)"),
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
            sqlite_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rol")
    )
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    role: Mapped[Role] = mapped_column(choice(Role))
    # Null: everywhere. The table lives in a higher room, so the key goes by name.
    community_id: Mapped[int | None] = mapped_column(ForeignKey("communities.id"))
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    granted_at: Mapped[Instant]
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ApiToken(Base):
    """A bearer token. Only its digest is kept: who reads the table cannot use it."""

    __tablename__ = "api_tokens"
    __table_args__ = (UniqueConstraint("digest"),)

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("tok")
    )
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"), index=True)
    label: Mapped[Text120]
    # SHA-256 of the token, hex. The token has 256 random bits, so a slow hash adds nothing.
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Credential(Base):
    """A name and a password by which a member signs in to the pages."""

    __tablename__ = "credentials"
    __table_args__ = (
        UniqueConstraint("member_id"),
        UniqueConstraint("login_name_index"),
        is_sealed("login_name"),
        CheckConstraint("password_hash LIKE '$argon2id$%'", name="password_is_hashed"),
    )

    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    # A name or a telephone number, in the one spelling that `normal_login` gives.
    login_name: Mapped[str] = mapped_column(Sealed("credentials", "login_name", "member_id"))
    login_name_index: Mapped[str] = mapped_column(BlindIndex("credentials", "login_name"))
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[Instant]
    changed_at: Mapped[Instant]


class EnrolmentCode(Base):
    """A code by which a member sets their first password, or a new one; it serves once."""

    __tablename__ = "enrolment_codes"
    __table_args__ = (
        UniqueConstraint("digest"),
        Index(
            "uq_enrolment_codes_live",
            "member_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    digest: Mapped[str] = mapped_column(String(64))
    issued_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    # When it was used, or when a newer one took its place.
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class PageSession(Base):
    """Somebody signed in to the pages with one browser. Only the digest of its id is kept."""

    __tablename__ = "page_sessions"
    __table_args__ = (UniqueConstraint("digest"), Index("ix_page_sessions_member_id", "member_id"))

    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    # The token that it was opened with: it ends with that one, and may do no more.
    token_id: Mapped[int | None] = mapped_column(ForeignKey("api_tokens.id"))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[Instant]
    last_seen_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class PurposeConsent(Base):
    """What a member allows for one purpose, by one text, until they withdraw it."""

    __tablename__ = "purpose_consents"
    __table_args__ = (
        Index(
            "uq_purpose_consents_live",
            "member_id",
            "purpose",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
            sqlite_where=text("withdrawn_at IS NULL"),
        ),
        CheckConstraint("withdrawn_at >= given_at", name="withdrawn_after_it_was_given"),
    )

    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    purpose: Mapped[str] = mapped_column(String(40))
    text_version: Mapped[str] = mapped_column(String(20))
    given_at: Mapped[Instant]
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)


bind_rows(Household, Member, Credential)
