"""Registering members and households, granting roles, issuing and checking tokens."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from community.ledger.events import record_event
from community.locks import lock, lock_one
from community.members.errors import (
    BadLifetime,
    BadToken,
    HouseholdExists,
    LastOperator,
    MemberErased,
    MemberExists,
    NotBorn,
    TokenExpired,
    TokenRevoked,
    UnknownScope,
)
from community.members.models import ApiToken, Household, Member, MemberKind, RoleGrant
from community.members.principal import Grant, Principal, Role

TOKEN_PREFIX = "lb_"
# What tokens may be used for; a token without a scope may not do what the scope names.
SCOPES = frozenset({"read", "write"})


def authenticate(session: Session, *, token: str, now: datetime) -> Principal:
    """Tell who carries this token, or refuse it."""
    # Every request begins with this: one statement, a row for each role, without a row object.
    rows = session.execute(
        select(
            ApiToken.id,
            ApiToken.member_id,
            ApiToken.scopes,
            ApiToken.expires_at,
            ApiToken.revoked_at,
            Member.public_id,
            RoleGrant.role,
            RoleGrant.community_id,
        )
        .join(Member, Member.id == ApiToken.member_id)
        .outerjoin(
            RoleGrant, and_(RoleGrant.member_id == Member.id, RoleGrant.revoked_at.is_(None))
        )
        .where(ApiToken.digest == digest_of(token))
    ).all()
    if not rows:
        raise BadToken()
    stored = rows[0]
    if stored.revoked_at is not None:
        raise TokenRevoked()
    if stored.expires_at <= now:
        raise TokenExpired()
    return Principal(
        member_id=stored.member_id,
        public_id=stored.public_id,
        token_id=stored.id,
        scopes=frozenset(stored.scopes),
        grants=frozenset(Grant(row.role, row.community_id) for row in rows if row.role is not None),
    )


def register_household(session: Session, *, reference: str, now: datetime) -> Household:
    """Enter a household under its reference, or return the one that stands there."""
    found = session.scalar(select(Household).where(Household.reference_index == reference))
    if found is not None:
        return found
    household = Household(reference=reference, created_at=now)
    session.add(household)
    session.flush()  # the id is needed by whoever joins the household
    return household


def create_household(
    session: Session, *, reference: str, now: datetime, actor_id: int | None = None
) -> Household:
    """Enter a new household; a reference can stand for one household only."""
    if session.scalar(select(Household.id).where(Household.reference_index == reference)):
        raise HouseholdExists(f"Reference {reference!r} is taken.", field="reference")
    household = register_household(session, reference=reference, now=now)
    record_event(
        session,
        community_id=None,
        kind="household.created",
        subject=household.public_id,
        actor_id=actor_id,
        now=now,
        # The reference stays out: a village register's number is personal, the record for ever.
        facts={},
    )
    return household


def register_member(
    session: Session,
    *,
    kind: MemberKind,
    name: str,
    now: datetime,
    reference: str | None = None,
    household_id: int | None = None,
    birth_year: int | None = None,
    actor_id: int | None = None,
) -> Member:
    """Enter a person or an enterprise; a reference can stand for one member only."""
    if birth_year is not None and (
        kind is not MemberKind.PERSON or not now.year - 150 <= birth_year <= now.year
    ):
        raise NotBorn(field="birth_year")
    if reference is not None and session.scalar(
        select(Member.id).where(Member.reference_index == reference)
    ):
        raise MemberExists(f"Reference {reference!r} is taken.", field="reference")
    member = Member(
        kind=kind,
        name=name,
        reference=reference,
        household_id=household_id,
        birth_year=birth_year,
        created_at=now,
    )
    session.add(member)
    session.flush()  # the event names the member by its public id
    record_event(
        session,
        community_id=None,
        kind="member.registered",
        subject=member.public_id,
        actor_id=actor_id,
        now=now,
        facts={"kind": kind.value},
    )
    return member


def rename_member(
    session: Session, *, member_id: int, name: str, now: datetime, actor_id: int | None
) -> Member:
    """Correct a member's name; the record keeps that it was changed. Locks the member."""
    member = present(lock_one(session, Member, member_id))
    if name != member.name:
        member.name = name
        _note_change(session, member, now, actor_id, "name")
    return member


def move_to_household(
    session: Session,
    *,
    member_id: int,
    household_id: int | None,
    now: datetime,
    actor_id: int | None,
) -> Member:
    """A member joins another household, or none. Locks the member.

    Whoever stands in a joint-liability group stays in their household as long as they do: the
    caller sees to that, since groups are a higher room.
    """
    member = present(lock_one(session, Member, member_id))
    if household_id != member.household_id:
        member.household_id = household_id
        _note_change(session, member, now, actor_id, "household")
    return member


def grant_role(
    session: Session,
    *,
    member_id: int,
    role: Role,
    community_id: int | None,
    now: datetime,
    actor_id: int | None = None,
) -> RoleGrant:
    """Give a role in a community and what nests in it, or everywhere; again is no change."""
    present(session.get(Member, member_id))
    live = session.scalar(
        select(RoleGrant).where(
            RoleGrant.member_id == member_id,
            RoleGrant.role == role,
            RoleGrant.community_id.is_(None)
            if community_id is None
            else RoleGrant.community_id == community_id,
            RoleGrant.revoked_at.is_(None),
        )
    )
    if live is not None:
        return live
    grant = RoleGrant(
        member_id=member_id,
        role=role,
        community_id=community_id,
        granted_by_id=actor_id,
        granted_at=now,
    )
    session.add(grant)
    session.flush()  # a second grant at the same time meets the unique index here
    record_event(
        session,
        community_id=community_id,
        kind="role.granted",
        subject=_public_id(session, member_id),
        actor_id=actor_id,
        now=now,
        facts={"role": role.value},
    )
    return grant


def revoke_role(
    session: Session, *, grant: RoleGrant, now: datetime, actor_id: int | None = None
) -> None:
    """Take a role back; it counts from the next request.

    Raises LastOperator when nobody could run the platform any more.
    """
    if grant.revoked_at is not None:
        return
    if grant.role is Role.OPERATOR and grant.community_id is None:
        _keep_an_operator(session, grant)
    grant.revoked_at = now
    record_event(
        session,
        community_id=grant.community_id,
        kind="role.revoked",
        subject=_public_id(session, grant.member_id),
        actor_id=actor_id,
        now=now,
        facts={"role": grant.role.value},
    )


def issue_token(
    session: Session,
    *,
    member_id: int,
    label: str,
    lifetime: timedelta,
    lifetime_max: timedelta,
    now: datetime,
    scopes: frozenset[str] = SCOPES,
    actor_id: int | None = None,
) -> tuple[ApiToken, str]:
    """Make a bearer token. The second value is the token itself, shown this once only."""
    if not timedelta(hours=1) <= lifetime <= lifetime_max:
        raise BadLifetime(field="lifetime")
    if not scopes or not scopes <= SCOPES:
        raise UnknownScope(f"Choose from {', '.join(sorted(SCOPES))}.", field="scopes")
    present(session.get(Member, member_id))
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        member_id=member_id,
        label=label,
        digest=digest_of(secret),
        scopes=sorted(scopes),
        created_at=now,
        expires_at=now + lifetime,
    )
    session.add(token)
    session.flush()  # the event names the token by its public id
    record_event(
        session,
        community_id=None,
        kind="token.issued",
        subject=token.public_id,
        actor_id=actor_id,
        now=now,
        facts={"member": _public_id(session, member_id)},
    )
    return token, secret


def revoke_token(
    session: Session, *, token: ApiToken, now: datetime, actor_id: int | None = None
) -> None:
    """Make a token worthless at once."""
    if token.revoked_at is not None:
        return
    token.revoked_at = now
    record_event(
        session,
        community_id=None,
        kind="token.revoked",
        subject=token.public_id,
        actor_id=actor_id,
        now=now,
        facts={},
    )


def present(member: Member | None) -> Member:
    """The member, unless there is none any more. Raises MemberErased."""
    if member is None or member.erased_at is not None:
        raise MemberErased()
    return member


def _keep_an_operator(session: Session, leaving: RoleGrant) -> None:
    holding = select(RoleGrant.member_id).where(
        RoleGrant.role == Role.OPERATOR,
        RoleGrant.community_id.is_(None),
        RoleGrant.revoked_at.is_(None),
    )
    # Two operators who take each other's role at once must not both succeed.
    lock(session, Member, session.scalars(holding))
    if not set(session.scalars(holding)) - {leaving.member_id}:
        raise LastOperator()


def _note_change(
    session: Session, member: Member, now: datetime, actor_id: int | None, field: str
) -> None:
    member.version += 1
    # What it was and is stays out of the record: names are personal, and the record is for ever.
    record_event(
        session,
        community_id=None,
        kind="member.changed",
        subject=member.public_id,
        actor_id=actor_id,
        now=now,
        facts={"field": field},
    )


def _public_id(session: Session, member_id: int) -> str:
    return session.scalars(select(Member.public_id).where(Member.id == member_id)).one()


def digest_of(token: str) -> str:
    """What is kept of a secret: SHA-256, hex."""
    return hashlib.sha256(token.encode()).hexdigest()
