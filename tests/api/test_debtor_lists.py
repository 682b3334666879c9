"""A debtor list cannot be put together by a member through any route.

Every route that reads is walked by an ordinary member, a guarantor and a group's leader, with the
ids of everything that there is, and with filters. Whatever the answers say of anybody's debts is
gathered; it has to be within what the caller's relations allow (docs/monitoring.md, and law 9).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, product, zip_longest
from typing import Any

import pytest
from sqlalchemy import select

from app.auth import API_PREFIX
from app.extensions import db
from community.groups.models import Group, GroupMember
from community.groups.queries import LIVING
from community.guarantees.models import Call, CoverLine
from community.loans.models import Loan
from community.loans.states import LIVE
from community.members.models import Member, RoleGrant
from community.models import metadata
from community.trust.models import Standing
from tests.api.test_permissions_matrix import QUERIES, READING, address, routes
from tests.api.world import API, World

# Words that, beside somebody's name, say that they owe.
DEBT = re.compile(
    r"outstanding|overdue|arrears|owes|owed|in_default|days_late|principal|oldest_due|risk_class"
)
# No route is asked with more combinations of ids than these.
WAYS_MAX = 9


# Permissions do not hang on the kind of database.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)


@dataclass
class Truth:
    """Who owes, under which names and loans, and who may know of whom."""

    names: dict[str, int] = field(default_factory=dict)
    loans: dict[str, int] = field(default_factory=dict)
    debtors: set[int] = field(default_factory=set)
    ids: dict[str, list[str]] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=lambda: {"guarantor": "li", "leader": "wang"})
    may_know: dict[str, set[int]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def truth(world: World) -> Truth:
    with world.app.app_context():
        return _read(world)


def _read(world: World) -> Truth:
    found = Truth()
    session = db.session()
    for member in session.scalars(select(Member)):
        found.names[member.public_id] = member.id
        found.names[member.name] = member.id
    for loan in session.scalars(select(Loan).where(Loan.status.in_(LIVE))):
        if loan.outstanding_minor:
            found.loans[loan.public_id] = loan.borrower_id
            found.debtors.add(loan.borrower_id)
    listed: dict[str, dict[str, list[str]]] = {}
    for table in metadata.sorted_tables:
        if "public_id" in table.c:
            for public_id in session.scalars(select(table.c.public_id).order_by(table.c.id)):
                prefix = public_id.partition("_")[0]
                listed.setdefault(prefix, {}).setdefault(table.name, []).append(public_id)
    for prefix, tables in listed.items():
        # Things of two kinds may have one prefix: of each some.
        turns = chain.from_iterable(zip_longest(*tables.values()))
        found.ids[prefix] = [one for one in turns if one is not None]
    by_public_id = {member.public_id: member.id for member in session.scalars(select(Member))}
    # Of members those first who owe: of them there is something to be told.
    found.ids["mem"].sort(key=lambda one: by_public_id[one] not in found.debtors)
    # Ordinary: in no office, and by no relation near to anybody who owes.
    offices = set(session.scalars(select(RoleGrant.member_id)))
    found.who["ordinary"] = next(
        name
        for name in ("zhu", "hu", "ma", "lin", "guo", "gao", "wu", "wei", "qian")
        if by_public_id[world.ids[name]] not in offices | found.debtors
        and not _relations(session, by_public_id[world.ids[name]]) & found.debtors
    )
    found.people = {one: by_public_id[world.ids[name]] for one, name in found.who.items()}
    for label, me in found.people.items():
        found.may_know[label] = {me} | _relations(session, me)
    return found


def _relations(session: Any, me: int) -> set[int]:
    """Whose debts somebody's own relations tell them of."""
    covered = (
        select(Loan.borrower_id)
        .join(CoverLine, CoverLine.loan_id == Loan.id)
        .join(Standing, Standing.id == CoverLine.standing_id)
    )
    known = set(session.scalars(covered.where(Standing.member_id == me)))
    called = select(Loan.borrower_id).join(Call, Call.loan_id == Loan.id)
    known |= set(session.scalars(called.where(Call.guarantor_id == me)))
    # Fellows stand for each other; the leader is one of them.
    mine = select(GroupMember.group_id).where(
        GroupMember.member_id == me, GroupMember.status.in_(LIVING)
    )
    led = select(Group.id).where(Group.leader_id == me)
    fellows = select(GroupMember.member_id).where(
        GroupMember.group_id.in_(mine.union(led)), GroupMember.status.in_(LIVING)
    )
    known |= set(session.scalars(fellows))
    home = session.get_one(Member, me).household_id
    if home is not None:
        known |= set(session.scalars(select(Member.id).where(Member.household_id == home)))
    return known


@pytest.mark.parametrize("who", ["ordinary", "guarantor", "leader"])
def test_no_route_tells_of_debts_beyond_ones_relations(
    world: World, truth: Truth, who: str
) -> None:
    told: dict[int, set[str]] = {}
    asked = 0
    for endpoint, path, filters in _addresses(world, truth):
        answer = world.call(truth.who[who], "GET", path)
        assert answer.status_code < 500, (path, answer.text)
        answers = [answer]
        if answer.status_code == 200:
            answers += [world.call(truth.who[who], "GET", path + wanted) for wanted in filters]
        asked += len(answers)
        for one in answers:
            if one.status_code == 200:
                for member_id in _debts_in(one, truth):
                    told.setdefault(member_id, set()).add(endpoint)
    beyond = {
        member_id: places
        for member_id, places in told.items()
        if member_id not in truth.may_know[who]
    }
    assert beyond == {}
    # The walk is no empty one, and it does see debts where they may be seen.
    assert asked > 400
    assert bool(told) == bool(truth.may_know[who] & truth.debtors)


def test_the_walk_sees_a_debtor_list_where_there_is_one(world: World, truth: Truth) -> None:
    """The counterpart: what officers are shown names more than one debtor."""
    seen: set[int] = set()
    for endpoint, path, _ in _addresses(world, truth):
        if endpoint.startswith(("loans.", "portfolio.", "risk.")):
            answer = world.call("operator", "GET", path)
            if answer.status_code == 200:
                seen |= _debts_in(answer, truth)
    assert len(seen) >= 3


def _addresses(world: World, truth: Truth) -> Iterator[tuple[str, str, list[str]]]:
    """Every route with ids of what there is, and the filters to ask it with besides."""
    spec = world.call("operator", "GET", "/openapi.json").get_json()["paths"]
    rules = {rule.endpoint: rule for rule in world.app.url_map.iter_rules()}
    for endpoint in routes(world.app, READING):
        rule = rules[endpoint].rule
        usual = address(world, endpoint, READING)[1]
        filters = list(_filters(spec, rule, truth))
        fixed = QUERIES.get(endpoint, "")
        for number, path in enumerate(islice(_with_ids(rule, usual, truth), WAYS_MAX)):
            mark = "&" if fixed else "?"
            yield endpoint, path + fixed, [mark + one for one in filters if number == 0]


def _with_ids(rule: str, usual: str, truth: Truth) -> Iterator[str]:
    parts = re.findall(r"<pid\((\w+)\):\w+>", rule)
    if not parts or re.search(r"<(?!pid)", rule):
        yield usual
        return
    # Of one village: of the others nobody of these is a member.
    choices = [["@village"] if part == "com" else truth.ids.get(part, []) for part in parts]
    for ids in product(*choices):
        left = iter(ids)
        yield re.sub(r"<pid\(\w+\):\w+>", lambda _: next(left), rule).removeprefix(API)  # noqa: B023


def _filters(spec: Any, rule: str, truth: Truth) -> Iterator[str]:
    path = re.sub(r"<(?:[^<>:]*:)?(\w+)>", r"{\1}", rule)
    known = spec.get(path) or spec.get(path.removeprefix(API_PREFIX)) or {}
    for parameter in known.get("get", {}).get("parameters", ()):
        if parameter.get("in") != "query":
            continue
        schema, name = parameter.get("schema", {}), parameter["name"]
        if schema.get("enum"):
            yield from (f"{name}={value}" for value in schema["enum"] if value is not None)
        elif "boolean" in str(schema.get("type")):
            yield f"{name}=true"
        elif name == "limit":
            yield f"{name}={schema.get('maximum', 100)}"
        elif name in ("member", "borrower", "voucher", "person"):
            yield from (f"{name}={one}" for one in truth.ids["mem"][:5])


def _debts_in(answer: Any, truth: Truth) -> set[int]:
    """Members of whom an answer says that they owe."""
    if answer.mimetype == "application/json":
        return set(_in_json(answer.get_json(), truth))
    found: set[int] = set()
    if not answer.mimetype.startswith("text/"):
        return found
    header, *lines = answer.text.splitlines() or [""]
    for line in lines:
        cells = set(re.split(r"[,;\t]", line))
        named = {truth.names[cell] for cell in cells if cell in truth.names}
        owed = {truth.loans[cell] for cell in cells if cell in truth.loans}
        found |= named & owed
        if DEBT.search(header.lower()):
            found |= named & truth.debtors
    return found


def _in_json(value: Any, truth: Truth, above: frozenset[int] = frozenset()) -> Iterator[int]:
    """An object that names somebody beside what they owe, or lies in one that names them alone."""
    if isinstance(value, list):
        for inner in value:
            yield from _in_json(inner, truth, above)
    if not isinstance(value, dict):
        return
    near = list(_scalars(value))
    for inner in value.values():
        if isinstance(inner, dict):
            near += _scalars(inner)
    own = {truth.names[one] for _, one in near if one in truth.names}
    named = own | above
    loans = {truth.loans[one] for _, one in near if one in truth.loans}
    yield from named & loans
    if any(DEBT.search(name) and one not in ("0", "0.00", "False", "None") for name, one in near):
        yield from named & truth.debtors
    # By id: a role may be called as somebody is.
    alone = {truth.names[one] for _, one in near if one in truth.names and one[:4] == "mem_"}
    for inner in value.values():
        yield from _in_json(inner, truth, frozenset(alone) if len(alone) == 1 else above)


def _scalars(value: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and set(inner) == {"amount", "currency"}:
            yield name, str(inner["amount"])
        elif not isinstance(inner, (dict, list)):
            yield name, str(inner)
