"""What a member could owe for others, on PostgreSQL, against asking promise by promise.

One member stands behind 10, 100 and 1,000 others; LOANS of them (default 100) have a loan
that rests on it, made by the services. The peer reads the same rows the naive way, a few statements
for each promise, and comes to the same sums. Wall clock on one connection, nothing cached.
"""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, or_, select
from sqlalchemy.orm import Session

from community.engine import make_engine, session_factory
from community.exposure.register import register_of
from community.guarantees.models import Call, CallStatus, CoverLine
from community.loans.models import Loan
from community.members.models import Member, MemberKind
from community.trust.models import Vouch, VouchKind, VouchSide, VouchStatus
from tests.databases import make_tables
from tests.hamlet import FAR, Hamlet
from tests.servers import fresh_database, postgres_server

LOANS = int(os.environ.get("LOANS", "100"))
SIZES = (10, 100, 1_000)
TIMES = 9
RULES = {"guarantees_count_max": 100_000}


def run() -> None:
    with postgres_server() as server, fresh_database(server) as url:
        make_tables(url)
        engine = make_engine(url)
        with session_factory(engine)() as session:
            hamlet = Hamlet(session, rules=RULES)
            hamlet.fund(10 * LOANS)
            hamlet.person("uma", assessed=10 * LOANS)
            print("   promises  loans  statements   register   promise by promise   ratio")
            there = 0
            for size in SIZES:
                lent = min(size, LOANS)
                promise(hamlet, size - there)
                lend(hamlet, lent)
                there = size
                measure(session, hamlet, size, lent)
        engine.dispose()


def measure(session: Session, hamlet: Hamlet, size: int, lent: int) -> None:
    place: dict[str, Any] = {
        "community_id": hamlet.community.id,
        "member_id": hamlet.people["uma"].id,
        "on": hamlet.day,
    }
    with statements(session) as sent:
        found = register_of(session, **place)
    assert (len(found.lines), found.reserved_minor) == (size, lent)
    ours = statistics.median(clocked(lambda: register_of(session, **place)) for _ in range(TIMES))
    naive = min(clocked(lambda: by_promise(session, **place)) for _ in range(2))
    assert by_promise(session, **place) == (found.most_minor, found.reserved_minor)
    print(
        f"   {size:8,} {lent:6,} {len(sent):11} {ours * 1e3:8.1f} ms {naive * 1e3:17.1f} ms"
        f" {naive / ours:6.1f}x"
    )


def by_promise(session: Session, community_id: int, member_id: int, on: object) -> tuple[int, int]:
    """The signed maximum and what is reserved, by a few statements for each promise."""
    session.expire_all()
    most = reserved = 0
    ids = session.scalars(
        select(Vouch.id).where(
            Vouch.community_id == community_id,
            Vouch.voucher_id == member_id,
            Vouch.status == VouchStatus.LIVE,
        )
    ).all()
    for vouch_id in ids:
        vouch = session.get_one(Vouch, vouch_id)
        session.get_one(Member, vouch.borrower_id)
        most += vouch.limit_minor - vouch.spent_minor
        lines = session.scalars(
            select(CoverLine).where(
                or_(CoverLine.inner_vouch_id == vouch_id, CoverLine.outer_vouch_id == vouch_id)
            )
        ).all()
        for line in lines:
            session.get_one(Loan, line.loan_id)
            session.scalars(
                select(Call).where(Call.loan_id == line.loan_id, Call.status == CallStatus.OPEN)
            ).all()
            reserved += line.held_minor
    return most, reserved


def promise(hamlet: Hamlet, count: int) -> None:
    """That many more people behind whom Uma stands, as rows."""
    people = [
        Member(kind=MemberKind.PERSON, name=f"person {n}", birth_year=1980, created_at=hamlet.now)
        for n in range(count)
    ]
    hamlet.session.add_all(people)
    hamlet.session.flush()
    hamlet.session.add_all(
        Vouch(
            community_id=hamlet.community.id,
            kind=VouchKind.PERSONAL,
            voucher_id=hamlet.people["uma"].id,
            borrower_id=person.id,
            offered_by=VouchSide.VOUCHER,
            limit_minor=5,
            reserved_minor=0,
            spent_minor=0,
            status=VouchStatus.LIVE,
            offered_at=hamlet.now,
            accepted_at=hamlet.now,
            expires_on=FAR,
        )
        for person in people
    )
    hamlet.session.commit()


def lend(hamlet: Hamlet, until: int) -> None:
    """Loans of 1 that rest on Uma's promises, until there are so many."""
    place = Vouch.community_id == hamlet.community.id
    while len(hamlet.people) - 1 < until:
        number = len(hamlet.people)
        name = f"borrower {number}"
        hamlet.person(name)
        row = hamlet.session.scalars(
            select(Vouch).where(place, Vouch.reserved_minor == 0).order_by(Vouch.id).limit(1)
        ).one()
        row.borrower_id = hamlet.people[name].id
        hamlet.session.commit()
        hamlet.lend(name, 1)


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        sent.append(text)

    engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def clocked(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
