"""Creating communities, adopting charters, and the steps of memberships."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries, templates
from community.communities.charter import read_rules
from community.communities.differences import RuleChange, differences
from community.communities.errors import (
    AlreadyAMember,
    CharterNotLater,
    CommunityExists,
    NestedTooDeep,
    NoCharter,
    StepOutOfOrder,
    StillBound,
    TooYoung,
)
from community.communities.memberships import MembershipStep, after
from community.communities.models import (
    Charter,
    Community,
    CommunityKind,
    Membership,
    MembershipChange,
    MembershipStatus,
)
from community.errors import CurrencyMismatch, Invalid
from community.ledger.books import book_ids
from community.ledger.events import record_event
from community.locks import lock_one
from community.members.queries import get_member_by_id
from community.money import CURRENCY_EXPONENTS
from community.reasons import because

_PATH_LENGTH_MAX = 255  # the width of the column


def create_community(
    session: Session,
    *,
    kind: CommunityKind,
    name: str,
    reference: str,
    currency: str,
    now: datetime,
    actor_id: int | None,
    parent_id: int | None = None,
) -> Community:
    """Found a community, alone or inside another one of the same currency, and open its book.

    Raises CommunityExists, CurrencyMismatch (charters are handed down, and amounts with them),
    NestedTooDeep.
    """
    if currency not in CURRENCY_EXPONENTS:
        raise Invalid(f"Unknown currency {currency!r}.", field="currency")
    if queries.find_community_by_reference(session, reference) is not None:
        raise CommunityExists(f"Reference {reference!r} is taken.", field="reference")
    parent = None if parent_id is None else queries.get_community_by_id(session, parent_id)
    if parent is not None and parent.currency != currency:
        raise CurrencyMismatch(
            f"{parent.name} counts in {parent.currency}: so does what is inside it.",
            expected=parent.currency,
            given=currency,
        )
    community = Community(
        kind=kind,
        name=name,
        reference=reference,
        currency=currency,
        parent_id=parent_id,
        created_at=now,
    )
    session.add(community)
    session.flush()  # the path ends with the id
    path = f"{parent.path if parent is not None else '/'}{community.id}/"
    if len(path) > _PATH_LENGTH_MAX:
        raise NestedTooDeep(field="parent")
    community.path = path
    session.flush()  # the book refers to the row
    # Opened here, so that the first movements of money need not race for it.
    book_ids(session, [community.id])
    record_event(
        session,
        community_id=community.id,
        kind="community.created",
        subject=community.public_id,
        actor_id=actor_id,
        now=now,
        facts={"kind": kind.value, "name": name, "currency": currency, "path": path},
    )
    return community


def rename_community(
    session: Session, *, community_id: int, name: str, now: datetime, actor_id: int | None
) -> Community:
    """Give a community another name. Locks the community."""
    community = lock_one(session, Community, community_id)
    if name != community.name:
        before, community.name = community.name, name
        community.version += 1
        record_event(
            session,
            community_id=community_id,
            kind="community.renamed",
            subject=community.public_id,
            actor_id=actor_id,
            now=now,
            facts={"before": before, "name": name},
        )
    return community


def draft_rules(
    session: Session,
    *,
    community_id: int,
    begin_from: str,
    changes: Mapping[str, Any],
    on: date,
) -> dict[str, Any]:
    """A charter document: what to begin from, and changes to it, which may be all of it.

    `begin_from` is 'nothing', 'present' (the charter in force on a day) or a template's name.
    Raises NoCharter, TemplateNotFound.
    """
    if begin_from == "nothing":
        return dict(changes)
    if begin_from == "present":
        present = queries.find_charter(session, community_id, on)
        if present is None:
            raise NoCharter("There is no present charter to begin from.", field="begin_from")
        return present.rules | dict(changes)
    rules: dict[str, Any] = templates.load(begin_from)["rules"]
    return rules | dict(changes)


def preview_charter(
    session: Session, *, community_id: int, rules_document: Mapping[str, Any], on: date
) -> list[RuleChange]:
    """What would change on a day if these were the rules. Raises CharterInvalid."""
    read_rules(rules_document)
    present = queries.find_charter(session, community_id, on)
    return differences({} if present is None else present.rules, rules_document)


def adopt_charter(
    session: Session,
    *,
    community_id: int,
    rules_document: Mapping[str, Any],
    valid_from: date,
    source: str,
    now: datetime,
    actor_id: int | None,
    on: date | None = None,
) -> Charter:
    """A community decides its rules from a day on. Locks the community.

    Versions are added, never changed. A new version begins after the last one began and, if the
    present day `on` is given and a version is in force, not before it: what was decided under the
    old rules stays decided under them. Raises CharterInvalid, CharterNotLater.
    """
    read_rules(rules_document)
    community = lock_one(session, Community, community_id)
    last = queries.last_charter(session, community_id)
    if last is not None:
        if valid_from <= last.valid_from:
            raise CharterNotLater(
                f"Version {last.version} begins on {last.valid_from}; begin later.",
                field="valid_from",
                last_valid_from=last.valid_from.isoformat(),
            )
        if on is not None and valid_from < on:
            raise CharterNotLater(
                f"Today is {on}: a new version cannot begin in the past.",
                field="valid_from",
                earliest=on.isoformat(),
            )
    charter = Charter(
        community_id=community_id,
        version=1 if last is None else last.version + 1,
        valid_from=valid_from,
        rules={name: dict(rule) for name, rule in rules_document.items()},
        source=source,
        created_by_id=actor_id,
        created_at=now,
    )
    session.add(charter)
    session.flush()  # two versions of the same day meet the unique constraint here
    record_event(
        session,
        community_id=community_id,
        kind="charter.adopted",
        subject=community.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "version": charter.version,
            "valid_from": valid_from.isoformat(),
            "source": source,
            "rules": {name: rule["value"] for name, rule in charter.rules.items()},
        },
    )
    return charter


def apply_for_membership(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = because("applied"),
) -> Membership:
    """Ask to be taken in; who has left may ask again. Raises AlreadyAMember."""
    found = queries.find_membership(session, community_id=community_id, member_id=member_id)
    if found is None:
        membership = Membership(
            community_id=community_id,
            member_id=member_id,
            status=MembershipStatus.APPLIED,
            since_on=on,
        )
        session.add(membership)
        session.flush()  # the change refers to it; a second application meets the constraint
    else:
        membership = lock_one(session, Membership, found.id)
        if membership.status is not MembershipStatus.LEFT:
            raise AlreadyAMember(
                f"The membership is {membership.status.value}.", status=membership.status.value
            )
        _refuse_out_of_order(membership, on)
        membership.status, membership.since_on = MembershipStatus.APPLIED, on
        membership.version += 1
    _note_step(session, membership, on=on, reason=reason, now=now, actor_id=actor_id)
    return membership


def activate_membership(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = because("taken_in"),
) -> Membership:
    """Take an applicant in, if they are old enough for the charter. Locks the membership.

    Where the birth year is not known, the officer's decision stands for it. Raises
    MembershipNotFound, MembershipStepNotAllowed, TooYoung, NoCharter.
    """
    age_min = queries.charter_on(session, community_id, on).rules.member_age_min
    birth_year = get_member_by_id(session, member_id).birth_year
    # Only the year is known: refused is who cannot have had that birthday yet.
    if birth_year is not None and on.year - birth_year < age_min:
        raise TooYoung(f"The charter asks for {age_min} years.", age_min=age_min)
    return _step(
        session,
        MembershipStep.ACTIVATE,
        community_id=community_id,
        member_id=member_id,
        on=on,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


def suspend_membership(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    on: date,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> Membership:
    """Bar a member from new promises and loans; what they owe and back runs on.

    Locks the membership. Raises MembershipNotFound, MembershipStepNotAllowed.
    """
    return _step(
        session,
        MembershipStep.SUSPEND,
        community_id=community_id,
        member_id=member_id,
        on=on,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


def resume_membership(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    on: date,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> Membership:
    """End a suspension. Locks the membership."""
    return _step(
        session,
        MembershipStep.RESUME,
        community_id=community_id,
        member_id=member_id,
        on=on,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


def leave_community(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    on: date,
    reason: str,
    now: datetime,
    actor_id: int | None,
    still_bound: Sequence[str] = (),
) -> Membership:
    """End a membership, unless something still binds the member: `still_bound` says what.

    Higher rooms know of groups, savings, promises and loans; their facts are passed in, as one
    short sentence each. Locks the membership. Raises StillBound, MembershipStepNotAllowed.
    """
    if still_bound:
        raise StillBound(" ".join(still_bound), reasons=list(still_bound))
    return _step(
        session,
        MembershipStep.LEAVE,
        community_id=community_id,
        member_id=member_id,
        on=on,
        reason=reason,
        now=now,
        actor_id=actor_id,
    )


def _step(
    session: Session,
    step: MembershipStep,
    *,
    community_id: int,
    member_id: int,
    on: date,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> Membership:
    found = queries.get_membership(session, community_id=community_id, member_id=member_id)
    membership = lock_one(session, Membership, found.id)
    reached = after(membership.status, step)
    _refuse_out_of_order(membership, on)
    membership.status, membership.since_on = reached, on
    membership.version += 1
    _note_step(session, membership, on=on, reason=reason, now=now, actor_id=actor_id)
    return membership


def _refuse_out_of_order(membership: Membership, on: date) -> None:
    if on < membership.since_on:
        raise StepOutOfOrder(
            f"The last step was on {membership.since_on}.",
            field="on",
            last_on=membership.since_on.isoformat(),
        )


def _note_step(
    session: Session,
    membership: Membership,
    *,
    on: date,
    reason: str,
    now: datetime,
    actor_id: int | None,
) -> None:
    session.add(
        MembershipChange(
            membership_id=membership.id,
            status=membership.status,
            changed_on=on,
            reason=reason,
            actor_id=actor_id,
            recorded_at=now,
        )
    )
    record_event(
        session,
        community_id=membership.community_id,
        kind=f"membership.{membership.status.value}",
        subject=get_member_by_id(session, membership.member_id).public_id,
        actor_id=actor_id,
        now=now,
        facts={"on": on.isoformat(), "reason": reason},
    )
