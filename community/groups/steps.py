"""What every step of a group rests on: its lock, the table, the charter's bounds, events."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.errors import AmountOutOfRange, CurrencyMismatch
from community.groups import queries
from community.groups.agreement import agreement_hash, version_of
from community.groups.errors import (
    CapTooHigh,
    GroupForOtherProduct,
    GroupNotWhole,
    GroupSizeNotMet,
    InAnotherGroup,
    NotInGroup,
    PromiseTooLong,
    SameHousehold,
    SomebodyInactive,
    SomebodyOverdue,
)
from community.groups.models import (
    AgreementBasis,
    Group,
    GroupAgreement,
    GroupMember,
    GroupMemberStatus,
)
from community.groups.states import Step, check_place, check_step
from community.ledger.events import record_event
from community.locks import lock_one
from community.members import queries as members
from community.money import Money


def locked(session: Session, group_id: int, step: Step) -> Group:
    """The group, locked, if it can take the step now. Raises GroupStepNotAllowed."""
    group = lock_one(session, Group, group_id)
    # Places change only under this lock; those read before it was waited for may be old.
    session.scalars(
        select(GroupMember)
        .where(GroupMember.group_id == group_id)
        .execution_options(populate_existing=True)
    ).all()
    check_step(group.status, step)
    return group


def take(group: Group, step: Step) -> None:
    """Bring the group to where the step leads. Raises GroupStepNotAllowed."""
    group.status = check_step(group.status, step)


def move(place: GroupMember, to: GroupMemberStatus) -> None:
    """Bring a member's place to another state. Raises PlaceStepNotAllowed."""
    place.status = check_place(place.status, to)


def require_living(place: GroupMember | None) -> GroupMember:
    """The place, if it is somebody's who is in the group. Raises NotInGroup."""
    if place is None or place.status not in queries.LIVING:
        raise NotInGroup()
    return place


def in_the_way(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    product_id: int | None,
    rules: CharterRules,
    besides: int | None = None,
) -> list[Group]:
    """The groups in which the member stands and that leave no room for another one.

    One group a member; where the charter says so, one for each product, of groups that are for
    one product.
    """
    return [
        group
        for group in queries.living_groups(session, community_id=community_id, member_id=member_id)
        if group.id != besides
        and not (
            rules.second_group_per_product
            and product_id is not None
            and group.product_id is not None
            and group.product_id != product_id
        )
    ]


def refuse_second_group(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    product_id: int | None,
    rules: CharterRules,
) -> None:
    """Go on only if the member has room for this group. Raises InAnotherGroup."""
    others = in_the_way(
        session,
        community_id=community_id,
        member_id=member_id,
        product_id=product_id,
        rules=rules,
    )
    if others:
        raise InAnotherGroup(
            "The charter admits a second group for another product only; leave that one first."
            if rules.second_group_per_product
            else "The charter admits one group a member; leave that one first.",
            group=others[0].public_id,
            rule="second_group_per_product",
        )


def check_terms(
    session: Session,
    community_id: int,
    rules: CharterRules,
    pair_cap: Money,
    vouch_expires_on: date,
    on: date,
) -> None:
    """What the charter admits as a promise. Raises CapTooHigh, PromiseTooLong, CurrencyMismatch."""
    currency = communities.get_community_by_id(session, community_id).currency
    if pair_cap.currency != currency:
        raise CurrencyMismatch(
            f"This community counts in {currency}.",
            expected=currency,
            given=pair_cap.currency,
            field="pair_cap",
        )
    if not pair_cap.is_positive:
        raise AmountOutOfRange("A promise is above zero.", field="pair_cap")
    if pair_cap.amount_minor > rules.vouch_minor_max:
        raise CapTooHigh(
            "The charter admits less for one promise.",
            field="pair_cap",
            maximum_minor=rules.vouch_minor_max,
            currency=currency,
        )
    latest = on + timedelta(days=rules.vouch_days_max)
    if not on < vouch_expires_on <= latest:
        raise PromiseTooLong(
            f"The charter admits promises that end after {on} and by {latest}.",
            field="vouch_expires_on",
            latest=latest.isoformat(),
        )


def check_size(rules: CharterRules, size: int) -> None:
    """Raises GroupSizeNotMet."""
    if not rules.group_size_min <= size <= rules.group_size_max:
        raise GroupSizeNotMet(
            f"The group has {size} members; the charter asks for {rules.group_size_min} to "
            f"{rules.group_size_max}.",
            size=size,
            size_min=rules.group_size_min,
            size_max=rules.group_size_max,
        )


def check_members(
    session: Session,
    group: Group,
    member_ids: Collection[int],
    overdue_ids: Collection[int],
) -> None:
    """One purse once, everybody active, nobody overdue anywhere.

    Raises SameHousehold, SomebodyInactive, SomebodyOverdue.
    """
    homes = members.households_of(session, member_ids)
    shared = [home for home in homes.values() if home is not None]
    if len(shared) != len(set(shared)):
        raise SameHousehold()
    away = communities.inactive(session, community_id=group.community_id, member_ids=member_ids)
    if away:
        names = members.names_of(session, away)
        raise SomebodyInactive(members=[names[member_id].public_id for member_id in away])
    # Who is late is not told to the others: they learn only that somebody is.
    if set(member_ids) & set(overdue_ids):
        raise SomebodyOverdue()


def bind(
    session: Session,
    group: Group,
    document: dict[str, Any],
    basis: AgreementBasis,
    charter_version: int,
    now: datetime,
) -> None:
    """Put an agreement into force and keep it for good; those before it are kept too."""
    group.agreement, group.agreement_hash = document, agreement_hash(document)
    group.charter_version = charter_version
    session.add(
        GroupAgreement(
            group_id=group.id,
            version=version_of(document),
            basis=basis,
            document=document,
            agreement_hash=group.agreement_hash,
            bound_at=now,
        )
    )


def measure_size(group: Group, size: int, rules: CharterRules, on: date) -> None:
    """Note since when an active group is below the charter's size, and by when it has to be whole.

    The days are those of the charter on the day on which it fell short.
    """
    if size >= rules.group_size_min:
        group.short_since_on = group.whole_by_on = None
    elif group.short_since_on is None:
        group.short_since_on = on
        group.whole_by_on = on + timedelta(days=rules.group_whole_days)


def clear_votes(places: Collection[GroupMember]) -> None:
    """An election is over: nobody's vote or wish for a recall counts in the next."""
    for place in places:
        place.vote_for_id, place.recalls_leader = None, False


def note(
    session: Session,
    group: Group,
    kind: str,
    now: datetime,
    actor_id: int | None,
    *,
    member_id: int | None = None,
    leader_id: int | None = None,
    **facts: Any,
) -> None:
    """Record a step of the group. Members stand in the record under their public ids."""
    group.version += 1
    named = {"member": member_id, "leader": leader_id}
    people = members.names_of(session, named.values())
    facts |= {
        role: people[person].public_id for role, person in named.items() if person is not None
    }
    record_event(
        session,
        community_id=group.community_id,
        kind=kind,
        subject=group.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )


def require_ready_to_borrow(group: Group, product_id: int) -> None:
    """A group borrows while it is whole, for the product that it was formed for.

    Raises GroupNotWhole, GroupForOtherProduct.
    """
    if group.short_since_on is not None and group.whole_by_on is not None:
        raise GroupNotWhole(
            "The group fell below the charter's size; admit somebody, or dissolve it.",
            rule="group_size_min",
            short_since_on=group.short_since_on.isoformat(),
            whole_by_on=group.whole_by_on.isoformat(),
        )
    if group.product_id is not None and group.product_id != product_id:
        raise GroupForOtherProduct(
            f"The group borrows loans of the product {group.product_name} only.",
            field="product",
            product=group.product_name,
        )


def living_ids(places: Sequence[GroupMember]) -> list[int]:
    """Member ids of places, in their order."""
    return [place.member_id for place in places]
