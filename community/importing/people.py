"""Import of people: members, their households and their memberships.

By its reference a member is new or known. Of a known one the name may change; kind, household and
birth year may be filled in where they were not known and never change; a community may be added;
a membership that is there is never changed, since its steps have rules of their own.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import BinaryIO, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from community.bulk import (
    count_anew,
    insert_columns,
    new_public_ids,
    reserve_ids,
    select_by,
    table_of,
    update_all,
)
from community.communities.models import Membership, MembershipChange, MembershipStatus
from community.importing import fields
from community.importing.places import Place, find_places, find_rules, unknown_community
from community.importing.reading import Column, Progress, read_values
from community.importing.report import Report
from community.ledger.events import record_event
from community.members.models import Household, Member, MemberKind
from community.sealing import Bound

COLUMNS = (
    Column("reference", fields.reference, repeats=False),
    Column("kind", fields.one_of(MemberKind), required=False),
    Column("name", fields.name, repeats=False),
    Column("household", fields.reference, required=False),
    Column("birth_year", fields.birth_year, required=False),
    Column("community", fields.references, required=False),
    Column("status", fields.one_of(MembershipStatus), required=False),
    Column("since_on", fields.day, required=False),
)


class Person(NamedTuple):
    """One row."""

    line: int
    reference: str
    kind: MemberKind | None
    name: str
    household: str | None
    birth_year: int | None
    communities: tuple[str, ...] | None
    status: MembershipStatus | None
    since_on: date | None


class _Known(NamedTuple):
    id: int
    kind: MemberKind
    name: str
    household_id: int | None
    birth_year: int | None
    version: int


class _Place(NamedTuple):
    """A membership to be written."""

    reference: str
    community_id: int
    status: MembershipStatus
    since_on: date


@dataclass
class _Plan:
    """What is to be written."""

    new: list[Person] = field(default_factory=list)
    changed: list[tuple[_Known, Person]] = field(default_factory=list)
    memberships: list[_Place] = field(default_factory=list)
    # Ids by reference, of those that are there already.
    members: dict[str, int] = field(default_factory=dict)
    households: dict[str, int] = field(default_factory=dict)
    # In the order of the file, each once.
    new_households: dict[str, None] = field(default_factory=dict)


def read_people(
    stream: BinaryIO, report: Report, *, on: date, progress: Progress | None = None
) -> list[Person]:
    """Rows that are right as far as can be told from the file alone; the rest are faults."""
    first: dict[str, Person] = {}
    for values in read_values(stream, COLUMNS, report, progress):
        person = Person._make(values)
        faults = len(report.faults)
        _check_alone(person, on, report)
        earlier = first.get(person.reference)
        if earlier is not None:
            if earlier[1:] == person[1:]:
                report.unchanged += 1
                continue
            report.fault(
                person.line,
                "reference",
                person.reference,
                f"Line {earlier.line} has the same reference with other values.",
                "Give every member one row; name several communities as a;b.",
            )
        elif len(report.faults) == faults:
            first[person.reference] = person
    return list(first.values())


def _check_alone(person: Person, on: date, report: Report) -> None:
    line = person.line
    if person.birth_year is not None:
        if person.kind is MemberKind.ENTERPRISE:
            report.fault(
                line,
                "birth_year",
                str(person.birth_year),
                "Only persons are born.",
                "Leave it empty for an enterprise.",
            )
        if person.birth_year > on.year:
            report.fault(
                line,
                "birth_year",
                str(person.birth_year),
                "The year has not begun yet.",
                "Correct it.",
            )
    if person.since_on is not None and person.since_on > on:
        report.fault(
            line,
            "since_on",
            person.since_on.isoformat(),
            f"The day is after {on}, the day of the import.",
            "Give a day that has been, or import with a later --on.",
        )
    if person.communities is None:
        for column, value in (("status", person.status), ("since_on", person.since_on)):
            if value is not None:
                report.fault(
                    line,
                    column,
                    str(value),
                    "It says something of a membership, but no community is named.",
                    "Name the community, or leave the cell empty.",
                )


def import_people(
    session: Session,
    people: list[Person],
    report: Report,
    *,
    on: date,
    now: datetime,
    actor_id: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Enter members, households and memberships; raises ImportRefused, having written nothing.

    Cost: three lookups for every 5,000 rows, four inserted rows a new member at most.
    """
    places = find_places(session, {c for person in people for c in person.communities or ()})
    plan = _plan(session, people, places, report, on)
    report.refuse_if_faulty()
    counts = _write(session, plan, report, now=now, actor_id=actor_id, progress=progress)
    for place in sorted(places.values()):
        if counts[place.id]:
            record_event(
                session,
                community_id=place.id,
                kind="import.people",
                subject=place.public_id,
                actor_id=actor_id,
                now=now,
                facts={
                    "file_sha256": report.digest,
                    "rows": report.rows,
                    "memberships": counts[place.id],
                },
            )
    if report.new or report.updated:
        record_event(
            session,
            community_id=None,
            kind="import.people",
            subject=f"sha256:{report.digest}",
            actor_id=actor_id,
            now=now,
            facts={"rows": report.rows, "new": report.new, "updated": report.updated},
        )
    tables = (Household, Member, Membership, MembershipChange)
    count_anew(session, tables, max(report.new, sum(counts.values())))
    report.outcome = {
        "memberships": sum(counts.values()),
        "new households": len(plan.new_households),
    }
    return report


def _plan(
    session: Session,
    people: list[Person],
    places: dict[str, Place],
    report: Report,
    on: date,
) -> _Plan:
    known = {
        str(reference): _Known(*rest)
        for reference, *rest in select_by(
            session,
            select(
                Member.reference,
                Member.id,
                Member.kind,
                Member.name,
                Member.household_id,
                Member.birth_year,
                Member.version,
            ),
            Member.reference_index,
            [person.reference for person in people],
        )
    }
    households = _find_households(session, people)
    belongings = {
        (member_id, community_id): (status, since_on)
        for member_id, community_id, status, since_on in select_by(
            session,
            select(
                Membership.member_id,
                Membership.community_id,
                Membership.status,
                Membership.since_on,
            ),
            Membership.member_id,
            [member.id for member in known.values()],
        )
    }
    rules = find_rules(session, places.values(), on)
    age_min = {place_id: rule.member_age_min for place_id, rule in rules.items()}
    plan = _Plan(
        members={reference: member.id for reference, member in known.items()},
        households=households,
    )
    for person in people:
        member = known.get(person.reference)
        if person.household is not None and person.household not in households:
            plan.new_households[person.household] = None
        if member is None:
            plan.new.append(person)
        elif _compare(person, member, households, report):
            plan.changed.append((member, person))
        joined = len(plan.memberships)
        for reference in person.communities or ():
            place = places.get(reference)
            if place is None:
                unknown_community(report, person.line, reference)
                continue
            belonging = belongings.get((member.id, place.id)) if member is not None else None
            if belonging is not None:
                _compare_membership(person, reference, belonging, report)
                continue
            status = person.status or MembershipStatus.ACTIVE
            year = person.birth_year or (member.birth_year if member is not None else None)
            least = age_min.get(place.id)
            if (
                status is MembershipStatus.ACTIVE
                and year is not None
                and least is not None
                and on.year - year < least
            ):
                report.fault(
                    person.line,
                    "birth_year",
                    str(year),
                    f"Active members of {reference} are {least} or older by its charter.",
                    "Leave the community out, or give another status.",
                )
                continue
            plan.memberships.append(
                _Place(person.reference, place.id, status, person.since_on or on)
            )
        if member is not None:
            is_changed = bool(plan.changed) and plan.changed[-1][1] is person
            if is_changed or len(plan.memberships) > joined:
                report.updated += 1
            else:
                report.unchanged += 1
    report.new = len(plan.new)
    return plan


def _find_households(session: Session, people: list[Person]) -> dict[str, int]:
    query = select(Household.reference, Household.id)
    references = {person.household for person in people if person.household is not None}
    return dict(select_by(session, query, Household.reference_index, references))


def _compare(person: Person, member: _Known, households: dict[str, int], report: Report) -> bool:
    """Whether the row changes a known member; what may not change is a fault."""
    changes = person.name != member.name
    if person.kind is not None and person.kind is not member.kind:
        _fixed(report, person, "kind", person.kind.value, member.kind.value)
    if person.birth_year is not None and person.birth_year != member.birth_year:
        changes = True
        if member.birth_year is not None or member.kind is MemberKind.ENTERPRISE:
            held = str(member.birth_year or member.kind.value)
            _fixed(report, person, "birth_year", str(person.birth_year), held)
    if person.household is not None and member.household_id is None:
        changes = True
    elif person.household is not None and households.get(person.household) != member.household_id:
        _fixed(report, person, "household", person.household, "another one")
    return changes


def _fixed(report: Report, person: Person, column: str, value: str, held: str) -> None:
    report.fault(
        person.line,
        column,
        value,
        f"The member {person.reference} is there already with {held}.",
        "An import does not change it: correct the file, or leave the cell empty.",
    )


def _compare_membership(
    person: Person,
    community: str,
    belonging: tuple[MembershipStatus, date],
    report: Report,
) -> None:
    status, since_on = belonging
    for column, said, held in (
        ("status", person.status, status),
        ("since_on", person.since_on, since_on),
    ):
        if said is not None and said != held:
            report.fault(
                person.line,
                column,
                str(said),
                f"{person.reference} is in {community} already: {status.value} since {since_on}.",
                "An import does not change a membership: take its steps one by one, "
                "or leave the cell empty.",
            )
            return


def _write(
    session: Session,
    plan: _Plan,
    report: Report,
    *,
    now: datetime,
    actor_id: int | None,
    progress: Progress | None,
) -> Counter[int]:
    """Write the plan; returns how many memberships each community got."""
    count = len(plan.new_households)
    household_ids = reserve_ids(session, Household, count)
    public_ids = new_public_ids("hh", count)
    insert_columns(
        session,
        Household,
        {
            "id": household_ids,
            "public_id": public_ids,
            "reference": list(map(Bound, plan.new_households, public_ids)),
            "reference_index": list(plan.new_households),
            "created_at": [now] * count,
        },
    )
    plan.households.update(zip(plan.new_households, household_ids, strict=True))
    count = len(plan.new)
    member_ids = reserve_ids(session, Member, count)
    public_ids = new_public_ids("mem", count)
    references = [person.reference for person in plan.new]
    insert_columns(
        session,
        Member,
        {
            "id": member_ids,
            "public_id": public_ids,
            "kind": [person.kind or MemberKind.PERSON for person in plan.new],
            "name": [person.name for person in plan.new],
            "reference": list(map(Bound, references, public_ids)),
            "reference_index": references,
            "household_id": [_household_id(person, plan) for person in plan.new],
            "birth_year": [person.birth_year for person in plan.new],
            "created_at": [now] * count,
        },
        progress,
    )
    plan.members.update(
        (person.reference, member_id)
        for person, member_id in zip(plan.new, member_ids, strict=True)
    )
    _update_members(session, plan)
    count = len(plan.memberships)
    membership_ids = reserve_ids(session, Membership, count)
    statuses = [row.status for row in plan.memberships]
    days = [row.since_on for row in plan.memberships]
    insert_columns(
        session,
        Membership,
        {
            "id": membership_ids,
            "community_id": [row.community_id for row in plan.memberships],
            "member_id": [plan.members[row.reference] for row in plan.memberships],
            "status": statuses,
            "since_on": days,
        },
        progress,
    )
    insert_columns(
        session,
        MembershipChange,
        {
            "membership_id": membership_ids,
            "status": statuses,
            "changed_on": days,
            "reason": [f"import of file {report.digest[:16]}"] * count,
            "actor_id": [actor_id] * count,
            "recorded_at": [now] * count,
        },
        progress,
    )
    return Counter(row.community_id for row in plan.memberships)


def _household_id(person: Person, plan: _Plan) -> int | None:
    return None if person.household is None else plan.households[person.household]


def _update_members(session: Session, plan: _Plan) -> None:
    members = table_of(Member)
    update_all(
        session,
        update(members)
        .where(members.c.id == bindparam("member"), members.c.version == bindparam("seen"))
        .values(
            name=bindparam("new_name"),
            birth_year=bindparam("year"),
            household_id=bindparam("household"),
            version=members.c.version + 1,
        ),
        [
            {
                "member": member.id,
                "seen": member.version,
                "new_name": person.name,
                "year": member.birth_year or person.birth_year,
                "household": member.household_id or _household_id(person, plan),
            }
            for member, person in sorted(plan.changed)
        ],
    )
