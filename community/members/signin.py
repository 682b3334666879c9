"""Signing in to the pages: login names and passwords, enrolment codes, sessions.

What a session or a code is known by is random and kept as a digest only; passwords are hashed by
argon2id, whose cost the caller brings along.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from community.ledger.events import record_event
from community.locks import lock_one
from community.members.errors import (
    EnrolmentCodeInvalid,
    LoginNameInvalid,
    LoginNameTaken,
    PasswordTooWeak,
    SignInFailed,
)
from community.members.models import (
    ApiToken,
    Credential,
    EnrolmentCode,
    Member,
    PageSession,
    RoleGrant,
)
from community.members.principal import Grant, Principal
from community.members.service import SCOPES, digest_of, present

PASSWORD_CHARACTERS_MAX = 200
_LOGIN_NAME = re.compile(r"[\w.@-]{3,64}")
_PHONE = re.compile(r"\+?[0-9]{6,15}")
# Without what is easily misread on paper: a code is read out or written down.
_CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_GROUPS, _CODE_GROUP = 4, 4
# A session's last use is noted no more often than this.
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live session, and whose it is."""

    session_id: int
    principal: Principal
    # Whether its last use is worth noting.
    is_due: bool


def normal_login(text: str) -> str:
    """The one spelling of a login name: telephone numbers without spaces, names in small letters.

    Raises LoginNameInvalid.
    """
    name = unicodedata.normalize("NFKC", text).strip().casefold()
    digits = re.sub(r"[\s()-]", "", name)
    if _PHONE.fullmatch(digits):
        return digits
    if not _LOGIN_NAME.fullmatch(name):
        raise LoginNameInvalid(
            "Take your telephone number, or 3 to 64 letters, digits, dots, hyphens, _ or @.",
            field="login_name",
        )
    return name


def set_credentials(
    session: Session,
    *,
    member_id: int,
    login_name: str,
    password: str,
    characters_min: int,
    hasher: PasswordHasher,
    now: datetime,
    actor_id: int | None,
) -> Credential:
    """Give a member a login name and a password; sessions opened before end. Locks the member."""
    name = normal_login(login_name)
    _require_strong(password, name, characters_min)
    member = present(lock_one(session, Member, member_id))
    taken = session.scalar(select(Credential.member_id).where(Credential.login_name_index == name))
    if taken is not None and taken != member_id:
        raise LoginNameTaken(field="login_name")
    stored = session.scalar(
        select(Credential)
        .where(Credential.member_id == member_id)
        .execution_options(populate_existing=True)
    )
    hashed = hasher.hash(password)
    if stored is None:
        stored = Credential(member_id=member_id, created_at=now)
        session.add(stored)
    stored.login_name, stored.password_hash, stored.changed_at = name, hashed, now
    session.flush()  # somebody who takes the same name at this moment meets the constraint here
    end_sessions(session, member_id=member_id, now=now)
    record_event(
        session,
        community_id=None,
        kind="credentials.set",
        subject=member.public_id,
        actor_id=actor_id,
        now=now,
        facts={},
    )
    return stored


def check_password(
    session: Session, *, login_name: str, password: str, hasher: PasswordHasher, now: datetime
) -> int:
    """The id of the member who signs in by these. Raises SignInFailed.

    An unknown name costs as much work as a wrong password, so that nobody learns which it was.
    """
    try:
        name = normal_login(login_name)
    except LoginNameInvalid:
        name = ""
    stored = session.scalar(select(Credential).where(Credential.login_name_index == name))
    known = stored.password_hash if stored is not None else _nobodys_hash(hasher)
    if not _is_password(hasher, known, password) or stored is None:
        raise SignInFailed("There is no such login name, or the password is another.")
    if hasher.check_needs_rehash(stored.password_hash):
        stored.password_hash = hasher.hash(password)
    return stored.member_id


def require_own_password(
    session: Session, *, member_id: int, password: str, hasher: PasswordHasher
) -> str:
    """The member's login name, if this is their password. Raises SignInFailed."""
    stored = session.scalar(select(Credential).where(Credential.member_id == member_id))
    if stored is not None and _is_password(hasher, stored.password_hash, password):
        return stored.login_name
    raise SignInFailed("This is not your present password.", field="password")


def login_name_of(session: Session, member_id: int) -> str | None:
    """By which name a member signs in; None without a password."""
    return session.scalar(select(Credential.login_name).where(Credential.member_id == member_id))


def issue_enrolment_code(
    session: Session,
    *,
    member_id: int,
    lifetime: timedelta,
    now: datetime,
    actor_id: int,
) -> tuple[EnrolmentCode, str]:
    """Make a code for a member; the one before it ends. The second value is shown this once.

    Locks the member.
    """
    member = present(lock_one(session, Member, member_id))
    _end_codes(session, member_id, now)
    secret = "-".join(
        "".join(secrets.choice(_CODE_LETTERS) for _ in range(_CODE_GROUP))
        for _ in range(_CODE_GROUPS)
    )
    code = EnrolmentCode(
        member_id=member_id,
        digest=digest_of(_plain(secret)),
        issued_by_id=actor_id,
        created_at=now,
        expires_at=now + lifetime,
    )
    session.add(code)
    session.flush()
    record_event(
        session,
        community_id=None,
        kind="enrolment.issued",
        subject=member.public_id,
        actor_id=actor_id,
        now=now,
        facts={},
    )
    return code, secret


def enrol(
    session: Session,
    *,
    code: str,
    login_name: str,
    password: str,
    characters_min: int,
    hasher: PasswordHasher,
    now: datetime,
) -> Credential:
    """Set login name and password by an enrolment code, which is used up by it.

    Raises EnrolmentCodeInvalid. Locks the member.
    """
    found = session.scalar(
        select(EnrolmentCode).where(EnrolmentCode.digest == digest_of(_plain(code)))
    )
    if found is None:
        raise EnrolmentCodeInvalid(field="code")
    lock_one(session, Member, found.member_id)
    session.refresh(found)
    if found.ended_at is not None or found.expires_at <= now:
        raise EnrolmentCodeInvalid(field="code")
    found.ended_at = now
    return set_credentials(
        session,
        member_id=found.member_id,
        login_name=login_name,
        password=password,
        characters_min=characters_min,
        hasher=hasher,
        now=now,
        actor_id=found.member_id,
    )


def open_session(
    session: Session,
    *,
    member_id: int,
    lifetime: timedelta,
    now: datetime,
    token_id: int | None = None,
) -> str:
    """Sign a browser in. Returns what its cookie holds: a new secret each time, kept nowhere."""
    secret = secrets.token_urlsafe(32)
    session.add(
        PageSession(
            member_id=member_id,
            token_id=token_id,
            digest=digest_of(secret),
            created_at=now,
            last_seen_at=now,
            expires_at=now + lifetime,
        )
    )
    session.flush()
    return secret


def find_session(
    session: Session, *, secret: str, idle: timedelta, now: datetime
) -> SignedIn | None:
    """Who is signed in by this secret; None if it is unknown, ended, idle or too old.

    One opened by a token lives and may as long and as much as the token.
    """
    rows = session.execute(
        select(
            PageSession.id,
            PageSession.member_id,
            PageSession.token_id,
            PageSession.last_seen_at,
            ApiToken.scopes,
            Member.public_id,
            RoleGrant.role,
            RoleGrant.community_id,
        )
        .join(Member, Member.id == PageSession.member_id)
        .outerjoin(ApiToken, ApiToken.id == PageSession.token_id)
        .outerjoin(
            RoleGrant, and_(RoleGrant.member_id == Member.id, RoleGrant.revoked_at.is_(None))
        )
        .where(
            PageSession.digest == digest_of(secret),
            PageSession.ended_at.is_(None),
            PageSession.expires_at > now,
            PageSession.last_seen_at > now - idle,
            or_(
                PageSession.token_id.is_(None),
                and_(ApiToken.revoked_at.is_(None), ApiToken.expires_at > now),
            ),
        )
    ).all()
    if not rows:
        return None
    found = rows[0]
    return SignedIn(
        session_id=found.id,
        principal=Principal(
            member_id=found.member_id,
            public_id=found.public_id,
            token_id=found.token_id,
            scopes=frozenset(found.scopes) if found.token_id is not None else SCOPES,
            grants=frozenset(
                Grant(row.role, row.community_id) for row in rows if row.role is not None
            ),
        ),
        is_due=found.last_seen_at <= now - _SEEN_EVERY,
    )


def note_seen(session: Session, *, session_id: int, now: datetime) -> None:
    """The session was used at this moment."""
    session.execute(
        update(PageSession).where(PageSession.id == session_id).values(last_seen_at=now)
    )


def end_sessions(
    session: Session, *, member_id: int, now: datetime, only_id: int | None = None
) -> None:
    """Sign a member out: everywhere, or of one session."""
    ending = update(PageSession).where(
        PageSession.member_id == member_id, PageSession.ended_at.is_(None)
    )
    if only_id is not None:
        ending = ending.where(PageSession.id == only_id)
    session.execute(ending.values(ended_at=now))


def _end_codes(session: Session, member_id: int, now: datetime) -> None:
    session.execute(
        update(EnrolmentCode)
        .where(EnrolmentCode.member_id == member_id, EnrolmentCode.ended_at.is_(None))
        .values(ended_at=now)
    )


def _require_strong(password: str, login_name: str, characters_min: int) -> None:
    if not characters_min <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise PasswordTooWeak(
            f"Take {characters_min} to {PASSWORD_CHARACTERS_MAX} characters; a few words are fine.",
            field="password",
            characters_min=characters_min,
        )
    if password.casefold() in (login_name, login_name[::-1]) or len(set(password)) < 4:
        raise PasswordTooWeak(
            "Take one that is not your login name and not a few signs over and over.",
            field="password",
            characters_min=characters_min,
        )


def _is_password(hasher: PasswordHasher, known: str, password: str) -> bool:
    try:
        hasher.verify(known, password[:PASSWORD_CHARACTERS_MAX])
    except (Argon2Error, InvalidHashError):
        return False
    return True


def _plain(code: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", code.upper())[:40]


@lru_cache(maxsize=4)
def _nobodys_hash(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_urlsafe(16))
