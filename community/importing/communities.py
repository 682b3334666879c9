"""Import of communities, with the charter each begins with.

Parents may stand anywhere in the file or be there already. Of a known community only the name may
change; another charter is adopted by its own step, never by an import.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from community.bulk import (
    insert_columns,
    new_public_ids,
    reserve_ids,
    select_by,
    table_of,
    update_all,
)
from community.communities import templates
from community.communities.errors import TemplateNotFound
from community.communities.models import Charter, Community, CommunityKind
from community.importing import fields
from community.importing.places import Place, find_rules
from community.importing.reading import Column, Progress, read_values
from community.importing.report import Report
from community.ledger.events import record_event

PATH_CHARACTERS_MAX = 255

COLUMNS = (
    Column("reference", fields.reference, repeats=False),
    Column("kind", fields.one_of(CommunityKind)),
    Column("name", fields.name, repeats=False),
    Column("currency", fields.currency, required=False),
    Column("parent", fields.reference, required=False),
    Column("charter_template", fields.template, required=False),
    Column("valid_from", fields.day, required=False),
    Column("since_on", fields.day, required=False),
)


class CommunityRow(NamedTuple):
    """One row."""

    line: int
    reference: str
    kind: CommunityKind
    name: str
    currency: str | None
    parent: str | None
    charter_template: str | None
    valid_from: date | None
    since_on: date | None


class _Known(NamedTuple):
    id: int
    public_id: str
    kind: CommunityKind
    name: str
    currency: str
    parent_id: int | None
    path: str
    version: int


def read_communities(
    stream: BinaryIO, report: Report, *, on: date, progress: Progress | None = None
) -> list[CommunityRow]:
    """Rows that are right as far as can be told from the file alone; the rest are faults."""
    first: dict[str, CommunityRow] = {}
    for values in read_values(stream, COLUMNS, report, progress):
        row = CommunityRow._make(values)
        faults = len(report.faults)
        _check_alone(row, on, report)
        earlier = first.get(row.reference)
        if earlier is None:
            if len(report.faults) == faults:
                first[row.reference] = row
        elif earlier[1:] == row[1:]:
            report.unchanged += 1
        else:
            report.fault(
                row.line,
                "reference",
                row.reference,
                f"Line {earlier.line} has the same reference with other values.",
                "Give every community one row.",
            )
    return list(first.values())


def _check_alone(row: CommunityRow, on: date, report: Report) -> None:
    if row.since_on is not None and row.since_on > on:
        report.fault(
            row.line,
            "since_on",
            row.since_on.isoformat(),
            f"The day is after {on}, the day of the import.",
            "Give a day that has been, or import with a later --on.",
        )
    if row.valid_from is not None:
        if row.charter_template is None:
            report.fault(
                row.line,
                "valid_from",
                row.valid_from.isoformat(),
                "It says from when a charter counts, but no template is named.",
                "Name the charter_template, or leave the cell empty.",
            )
        elif row.since_on is not None and row.valid_from < row.since_on:
            report.fault(
                row.line,
                "valid_from",
                row.valid_from.isoformat(),
                f"The charter would count before the community began on {row.since_on}.",
                "Give since_on or a later day.",
            )
    if row.parent == row.reference:
        report.fault(
            row.line,
            "parent",
            row.reference,
            "A community is not part of itself.",
            "Name the community around it, or leave the cell empty.",
        )


def import_communities(
    session: Session,
    rows: list[CommunityRow],
    report: Report,
    *,
    on: date,
    now: datetime,
    currency: str | None = None,
    actor_id: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Enter communities and their first charters; raises ImportRefused, having written nothing.

    `currency` is that of rows which name none; a row without any takes its parent's.
    """
    known = _find_known(session, rows)
    plan = _plan(session, rows, known, report, currency, on)
    report.refuse_if_faulty()
    _write(session, plan, known, report, on=on, now=now, actor_id=actor_id, progress=progress)
    return report


@dataclass
class _Plan:
    """What is to be written: new rows with their currencies, parents first; new names."""

    new: list[tuple[CommunityRow, str]]
    renamed: list[tuple[_Known, CommunityRow]]
    templates: dict[str, dict[str, Any]]


def _find_known(session: Session, rows: list[CommunityRow]) -> dict[str, _Known]:
    wanted = {row.reference for row in rows} | {row.parent for row in rows if row.parent}
    query = select(
        Community.reference,
        Community.id,
        Community.public_id,
        Community.kind,
        Community.name,
        Community.currency,
        Community.parent_id,
        Community.path,
        Community.version,
    )
    return {
        reference: _Known(*rest)
        for reference, *rest in select_by(session, query, Community.reference, wanted)
    }


def _plan(
    session: Session,
    rows: list[CommunityRow],
    known: dict[str, _Known],
    report: Report,
    currency: str | None,
    on: date,
) -> _Plan:
    charters: dict[int, set[tuple[str, date]]] = {}
    for community_id, source, valid_from in select_by(
        session,
        select(Charter.community_id, Charter.source, Charter.valid_from),
        Charter.community_id,
        [community.id for community in known.values()],
    ):
        charters.setdefault(community_id, set()).add((source, valid_from))
    plan = _Plan([], [], {})
    new = {row.reference: row for row in rows if row.reference not in known}
    for row in rows:
        community = known.get(row.reference)
        if row.charter_template is not None:
            _load_template(row, plan, report)
        if community is not None:
            _compare(row, community, known, charters.get(community.id, set()), report)
            if row.name == community.name:
                report.unchanged += 1
            else:
                report.updated += 1
                plan.renamed.append((community, row))
        elif row.parent and not (
            row.parent in new or row.parent in known or row.parent in report.left_out
        ):
            report.fault(
                row.line,
                "parent",
                row.parent,
                "There is no community of this reference, neither in the file nor before.",
                "Add its row, or correct the reference.",
            )
    ordered = _parents_first(new, report)
    currencies = {reference: community.currency for reference, community in known.items()}
    # Communities that have a charter of their own or from around them.
    ruled: set[str | None] = set()
    parents = {
        row.parent: Place(known[row.parent].id, "", "")
        for row in ordered
        if row.parent in known and row.charter_template is None
    }
    rules = find_rules(session, parents.values(), on)
    ruled.update(reference for reference, place in parents.items() if place.id in rules)
    for row in ordered:
        around = currencies.get(row.parent) if row.parent else None
        own = row.currency or currency or around
        if own is None:
            report.fault(
                row.line,
                "currency",
                "",
                "There is no currency: neither here, nor by --currency, nor of a parent.",
                "Write it, such as CNY.",
            )
            continue
        currencies[row.reference] = own
        if around is not None and own != around:
            report.fault(
                row.line,
                "currency",
                own,
                f"{row.parent} counts in {around}, and so does what is inside it.",
                f"Write {around}, or leave the cell empty.",
            )
        template = plan.templates.get(row.charter_template or "")
        if template is not None and template["currency"] != own:
            report.fault(
                row.line,
                "charter_template",
                row.charter_template or "",
                f"The template's amounts are in {template['currency']}, not in {own}.",
                "Use a template of that currency, or adopt a charter after the import.",
            )
        # A parent that is not known is a fault already.
        if row.charter_template is None and (
            row.parent is None or (row.parent in currencies and row.parent not in ruled)
        ):
            report.fault(
                row.line,
                "charter_template",
                "",
                "The community would have no charter: there is none around it either.",
                "Name a template, for it or for a community around it.",
            )
        ruled.add(row.reference)
        plan.new.append((row, own))
    report.new = len(plan.new)
    return plan


def _load_template(row: CommunityRow, plan: _Plan, report: Report) -> None:
    name = row.charter_template or ""
    if name in plan.templates:
        return
    try:
        plan.templates[name] = templates.load(name)
    except TemplateNotFound:
        report.fault(
            row.line,
            "charter_template",
            name,
            "There is no such template.",
            f"Choose from {', '.join(templates.names())}.",
        )


def _compare(
    row: CommunityRow,
    community: _Known,
    known: dict[str, _Known],
    charters: set[tuple[str, date]],
    report: Report,
) -> None:
    """Faults of what an import may not change on a community that is there."""
    parent = known.get(row.parent) if row.parent else None
    for column, value, same in (
        ("kind", row.kind.value, row.kind is community.kind),
        ("currency", row.currency, row.currency in (None, community.currency)),
        (
            "parent",
            row.parent,
            row.parent is None or (parent is not None and parent.id == community.parent_id),
        ),
        (
            "charter_template",
            row.charter_template,
            row.charter_template is None
            or any(
                source == _source(row.charter_template) and row.valid_from in (None, valid_from)
                for source, valid_from in charters
            ),
        ),
    ):
        if not same:
            report.fault(
                row.line,
                column,
                value or "",
                f"The community {row.reference} is there already with something else.",
                "An import does not change it: correct the file, or adopt a charter by its own "
                "step.",
            )


def _parents_first(new: dict[str, CommunityRow], report: Report) -> list[CommunityRow]:
    """New rows with every parent before its children; rows on a circle are faults."""
    ordered: list[CommunityRow] = []
    done: set[str] = set()
    for start in new.values():
        chain: dict[str, CommunityRow] = {}
        row: CommunityRow | None = start
        while row is not None and row.reference not in done:
            if row.reference in chain:
                names = list(chain)
                circle = names[names.index(row.reference) :]
                for name in circle:
                    report.fault(
                        new[name].line,
                        "parent",
                        new[name].parent or "",
                        f"The parents go in a circle: {' in '.join([*circle, circle[0]][:6])}.",
                        "Name the community around each; the outermost has none.",
                    )
                break
            chain[row.reference] = row
            row = new.get(row.parent) if row.parent else None
        done.update(chain)
        ordered.extend(reversed(chain.values()))
    return ordered


def _write(
    session: Session,
    plan: _Plan,
    known: dict[str, _Known],
    report: Report,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
    progress: Progress | None,
) -> None:
    count = len(plan.new)
    ids = reserve_ids(session, Community, count)
    public_ids = new_public_ids("com", count)
    places = {reference: (community.id, community.path) for reference, community in known.items()}
    for (row, _), community_id in zip(plan.new, ids, strict=True):
        path = places[row.parent][1] if row.parent else "/"
        places[row.reference] = (community_id, f"{path}{community_id}/")
        if len(places[row.reference][1]) > PATH_CHARACTERS_MAX:
            report.fault(
                row.line,
                "parent",
                row.parent or "",
                "The community lies too deep inside others.",
                "Leave levels out.",
            )
    report.refuse_if_faulty()
    insert_columns(
        session,
        Community,
        {
            "id": ids,
            "public_id": public_ids,
            "kind": [row.kind for row, _ in plan.new],
            "name": [row.name for row, _ in plan.new],
            "reference": [row.reference for row, _ in plan.new],
            "currency": [currency for _, currency in plan.new],
            "parent_id": [places[row.parent][0] if row.parent else None for row, _ in plan.new],
            "path": [places[row.reference][1] for row, _ in plan.new],
            "created_at": [now] * count,
        },
        progress,
    )
    chartered = [row for row, _ in plan.new if row.charter_template]
    if chartered:
        session.execute(
            insert(table_of(Charter)),
            [
                {
                    "community_id": places[row.reference][0],
                    "version": 1,
                    "valid_from": row.valid_from or row.since_on or on,
                    "rules": plan.templates[row.charter_template or ""]["rules"],
                    "source": _source(row.charter_template or ""),
                    "created_by_id": actor_id,
                    "created_at": now,
                }
                for row in chartered
            ],
        )
    communities = table_of(Community)
    update_all(
        session,
        update(communities)
        .where(
            communities.c.id == bindparam("community"), communities.c.version == bindparam("seen")
        )
        .values(name=bindparam("new_name"), version=communities.c.version + 1),
        [
            {"community": community.id, "seen": community.version, "new_name": row.name}
            for community, row in sorted(plan.renamed)
        ],
    )
    touched = [
        (places[row.reference][0], public_id, row, "new")
        for (row, _), public_id in zip(plan.new, public_ids, strict=True)
    ]
    touched += [(known_.id, known_.public_id, row, "renamed") for known_, row in plan.renamed]
    for community_id, public_id, row, what in touched:
        record_event(
            session,
            community_id=community_id,
            kind="import.communities",
            subject=public_id,
            actor_id=actor_id,
            now=now,
            facts={
                "file_sha256": report.digest,
                "rows": report.rows,
                "what": what,
                "charter_template": row.charter_template or "",
            },
        )


def _source(template: str) -> str:
    return f"template {template}"
