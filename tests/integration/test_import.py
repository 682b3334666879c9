"""Import writes all of a file or nothing, keeps the rules of the rooms, and again is no change."""

import io
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, bindparam, select, text, update
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.bulk import table_of, update_all
from community.communities.checks import check_communities
from community.communities.models import Charter, Community, Membership, MembershipStatus
from community.communities.queries import charter_on
from community.engine import session_factory
from community.errors import StaleSnapshot
from community.importing.communities import import_communities, read_communities
from community.importing.errors import ImportRefused
from community.importing.people import import_people, read_people
from community.importing.report import Report
from community.importing.savings import import_savings, read_savings
from community.importing.ties import import_ties, read_ties
from community.ledger.checks import check_ledger
from community.ledger.models import AccountKind, Event, JournalEntry
from community.ledger.service import balance, close_through
from community.members.models import Household, Member, MemberKind
from community.models import metadata
from community.money import Money
from community.savings.checks import check_savings
from community.savings.models import SavingsMovement
from community.savings.queries import list_movements
from community.trust.models import Standing, Vouch, VouchSide, VouchStatus
from community.trust.service import decline_vouch, revoke_vouch

ON = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

KINDS: dict[str, tuple[Callable[..., Any], Callable[..., Report]]] = {
    "communities": (read_communities, import_communities),
    "people": (read_people, import_people),
    "ties": (read_ties, import_ties),
    "savings": (read_savings, import_savings),
}
HEADERS = {
    "communities": "reference,kind,name,currency,parent,charter_template,valid_from,since_on",
    "people": "reference,kind,name,household,birth_year,community,status,since_on",
    "ties": "community,voucher,borrower,amount,said_by,expires_on",
    "savings": "reference,community,member,amount,currency,moved_on,kind",
}
BASE = {
    # The parent stands after its child.
    "communities": [
        "hill,region,Hill village,CNY,county,,,2025-03-01",
        "county,region,The county,CNY,,village-cooperative,2025-01-01,2025-01-01",
        "tea,industry,Tea growers,,,trade-association,,",
    ],
    "people": [
        "wang,person,Wang Wei,h1,1980,hill,active,2026-01-05",
        "li,person,Li Na,h2,1975,hill;tea,,",
        "zhao,person,Zhao Min,h2,,hill,active,2026-01-05",
        "chen,person,Chen Bo,,1990,hill,applied,2026-02-01",
        "sun,person,Sun Li,,1960,hill,suspended,2026-02-01",
        "mill,enterprise,The mill,,,tea,active,2026-01-05",
    ],
    "ties": [
        "hill,wang,li,500.00,voucher,2027-06-30",
        "hill,wang,li,300,borrower,2027-05-31",
        "hill,li,zhao,120.50,voucher,2027-06-30",
    ],
    "savings": [
        "s1,hill,wang,1000.00,CNY,2026-11-02,deposit",
        "s2,hill,wang,400.00,,2026-11-02,stake_lock",
        "s3,hill,li,50.25,CNY,2026-11-03,",
    ],
}


def csv(kind: str, *rows: str) -> str:
    return "\n".join([HEADERS[kind], *rows]) + "\n"


def bring(session: Session, kind: str, *rows: str, on: date = ON, **more: Any) -> Report:
    """Read and write one file; the caller commits."""
    read, write = KINDS[kind]
    report = Report(kind)
    if "currency" in more or kind == "communities":
        more.setdefault("currency", "CNY")
    return write(
        session,
        read(io.BytesIO(csv(kind, *rows).encode()), report, on=on),
        report,
        on=on,
        now=NOW,
        **more,
    )


def bring_base(session: Session) -> None:
    for kind, rows in BASE.items():
        bring(session, kind, *rows)
    session.commit()


def refusal(session: Session, kind: str, *rows: str, **more: Any) -> Report:
    with pytest.raises(ImportRefused) as caught:
        bring(session, kind, *rows, **more)
    session.rollback()
    return caught.value.report


def dump(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {
        table.name: [
            tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))
        ]
        for table in metadata.sorted_tables
    }


def member(session: Session, reference: str) -> Member:
    return session.scalars(select(Member).where(Member.reference_index == reference)).one()


def community(session: Session, reference: str) -> Community:
    return session.scalars(select(Community).where(Community.reference == reference)).one()


def vouch(session: Session, voucher: str, borrower: str) -> Vouch:
    session.expire_all()
    return session.scalars(
        select(Vouch)
        .where(
            Vouch.voucher_id == member(session, voucher).id,
            Vouch.borrower_id == member(session, borrower).id,
        )
        .order_by(Vouch.id.desc())
        .limit(1)
    ).one()


def assert_laws(session: Session) -> None:
    assert list(check_ledger(session)) == []
    assert list(check_savings(session)) == []
    assert list(check_communities(session)) == []
    for standing in session.scalars(select(Standing)):
        stake = balance(
            session,
            community_id=standing.community_id,
            kind=AccountKind.MEMBER_STAKE,
            currency="CNY",
            member_id=standing.member_id,
        )
        assert stake == standing.stake_minor


def test_files_become_the_rows_that_the_services_would_write(db_session: Session) -> None:
    bring_base(db_session)
    hill, county = community(db_session, "hill"), community(db_session, "county")
    assert hill.path_ids == (county.id, hill.id)
    assert community(db_session, "tea").currency == "CNY"
    assert charter_on(db_session, hill.id, ON).rules.group_size_min >= 2
    starts = dict(
        db_session.execute(
            select(Community.reference, Charter.valid_from).join(
                Charter, Charter.community_id == Community.id
            )
        ).all()
    )
    assert starts == {"county": date(2025, 1, 1), "tea": ON}
    wang, li = member(db_session, "wang"), member(db_session, "li")
    assert (wang.kind, wang.name, wang.birth_year) == (MemberKind.PERSON, "Wang Wei", 1980)
    assert (wang.version, wang.created_at) == (1, NOW)
    assert li.household_id == member(db_session, "zhao").household_id != wang.household_id
    assert db_session.scalars(select(Household.reference).order_by(Household.id)).all() == [
        "h1",
        "h2",
    ]
    statuses = db_session.execute(
        select(Member.reference, Membership.status, Membership.since_on)
        .join(Membership, Membership.member_id == Member.id)
        .where(Membership.community_id == hill.id)
    ).all()
    assert ("li", MembershipStatus.ACTIVE, ON) in [tuple(row) for row in statuses]
    assert ("sun", MembershipStatus.SUSPENDED, date(2026, 2, 1)) in [tuple(row) for row in statuses]
    live = vouch(db_session, "wang", "li")
    assert (live.status, live.limit_minor, live.expires_on) == (
        VouchStatus.LIVE,
        300_00,
        date(2027, 5, 31),
    )
    assert (live.accepted_at, live.offered_by, live.reserved_minor) == (NOW, VouchSide.VOUCHER, 0)
    offer = vouch(db_session, "li", "zhao")
    assert (offer.status, offer.limit_minor, offer.accepted_at) == (
        VouchStatus.OFFERED,
        120_50,
        None,
    )
    standing = db_session.scalars(select(Standing).where(Standing.member_id == wang.id)).one()
    assert (standing.stake_minor, standing.assessed_minor) == (400_00, 0)
    for kind, held in ((AccountKind.MEMBER_SAVINGS, 600_00), (AccountKind.MEMBER_STAKE, 400_00)):
        assert (
            balance(db_session, community_id=hill.id, kind=kind, currency="CNY", member_id=wang.id)
            == held
        )
    assert_laws(db_session)


def test_a_file_leaves_one_chained_event_a_community_with_its_digest(db_session: Session) -> None:
    bring_base(db_session)
    digest = Report("x")
    list(read_people(io.BytesIO(csv("people", *BASE["people"]).encode()), digest, on=ON))
    events = db_session.scalars(select(Event).where(Event.kind == "import.people")).all()
    by_subject = {event.subject: event.facts for event in events}
    hill = community(db_session, "hill")
    assert by_subject[hill.public_id] == {
        "file_sha256": digest.digest,
        "rows": 6,
        "memberships": 5,
    }
    assert len(events) == 3  # two communities, and the platform's book
    entries = db_session.scalars(select(JournalEntry).order_by(JournalEntry.id)).all()
    assert [(entry.kind, entry.business_on.day) for entry in entries] == [
        ("savings.deposit", 2),
        ("savings.stake_lock", 2),
        ("savings.deposit", 3),
    ]


def test_the_same_files_again_change_nothing_on_a_later_day_too(db_session: Session) -> None:
    bring_base(db_session)
    before = dump(db_session)
    for later in (0, 3):
        for kind, rows in BASE.items():
            report = bring(db_session, kind, *rows, on=ON + timedelta(days=later))
            db_session.commit()
            assert (report.new, report.updated) == (0, 0)
            assert report.unchanged == report.rows == len(rows)
    assert dump(db_session) == before


# kind, the bad row, column, words of the reason, words of the remedy
BAD_ROWS = [
    # communities
    ("communities", "hill,industry,Hill village,CNY,county,,,", "kind", "already", "correct"),
    ("communities", "hill,region,Hill village,USD,county,,,", "currency", "already", "correct"),
    ("communities", "hill,region,Hill village,CNY,tea,,,", "parent", "already", "correct"),
    (
        "communities",
        "hill,region,Hill village,CNY,county,savers-circle,,",
        "charter_template",
        "already",
        "its own step",
    ),
    (
        "communities",
        "county,region,The county,CNY,,village-cooperative,2025-02-01,",
        "charter_template",
        "already",
        "its own step",
    ),
    ("communities", "x,region,X,CNY,nowhere,,,", "parent", "no community", "Add its row"),
    ("communities", "x,region,X,CNY,x,,,", "parent", "part of itself", "Name the community around"),
    ("communities", "x,region,X,CNY,,,,", "charter_template", "no charter", "Name a template"),
    ("communities", "x,region,X,CNY,,big-bank,,", "charter_template", "no such", "Choose from"),
    ("communities", "x,region,X,KES,county,,,", "currency", "counts in CNY", "Write CNY"),
    (
        "communities",
        "x,region,X,KES,,savers-circle,,",
        "charter_template",
        "amounts are in CNY",
        "after the import",
    ),
    ("communities", "x,region,X,CNY,county,,2026-01-01,", "valid_from", "no template", "Name the"),
    (
        "communities",
        "x,region,X,CNY,,savers-circle,2025-01-01,2025-01-02",
        "valid_from",
        "before the community began",
        "since_on or a later",
    ),
    ("communities", "x,region,X,CNY,county,,,2026-11-24", "since_on", "after 2026-11-23", "--on"),
    ("communities", "new,region,Other,CNY,county,,,", "reference", "Line 2", "one row"),
    # people
    ("people", "wang,enterprise,Wang Wei,,,,,", "kind", "already with person", "correct the file"),
    ("people", "wang,,Wang Wei,h2,,,,", "household", "already", "correct the file"),
    ("people", "wang,,Wang Wei,,1981,,,", "birth_year", "already with 1980", "correct the file"),
    ("people", "mill,,The mill,,1981,,,", "birth_year", "already with enterprise", "correct"),
    ("people", "wang,,Wang Wei,,,hill,suspended,", "status", "active since", "one by one"),
    ("people", "wang,,Wang Wei,,,hill,,2026-01-06", "since_on", "since 2026-01-05", "one by one"),
    ("people", "x,,X,,,nowhere,,", "community", "no community", "Import communities first"),
    ("people", "x,,X,,,hill;nowhere,,", "community", "no community", "correct the reference"),
    ("people", "x,,X,,2015,hill,active,", "birth_year", "or older", "Leave the community out"),
    ("people", "x,,X,,2027,,,", "birth_year", "not begun", "Correct"),
    ("people", "x,enterprise,X,,1990,,,", "birth_year", "Only persons", "Leave it empty"),
    ("people", "x,,X,,,,active,", "status", "no community is named", "Name the community"),
    ("people", "x,,X,,,,,2026-01-01", "since_on", "no community is named", "leave the cell empty"),
    ("people", "x,,X,,,hill,,2026-12-01", "since_on", "after 2026-11-23", "later --on"),
    ("people", "x,,X,,,hill,member,", "status", "no such choice", "applied, active"),
    ("people", "new,,Other,,,,,", "reference", "Line 2", "one row"),
    # ties
    ("ties", "nowhere,wang,zhao,1,voucher,2027-01-01", "community", "no community", "Import"),
    ("ties", "hill,wang,wang,1,voucher,2027-01-01", "borrower", "Nobody vouches", "stake"),
    ("ties", "hill,wang,ghost,1,voucher,2027-01-01", "borrower", "no member", "people first"),
    ("ties", "hill,mill,wang,1,voucher,2027-01-01", "voucher", "no member", "people first"),
    ("ties", "hill,sun,wang,1,voucher,2027-01-01", "voucher", "is suspended", "Only active"),
    ("ties", "hill,wang,chen,1,voucher,2027-01-01", "borrower", "is applied", "Only active"),
    ("ties", "hill,zhao,wang,1.005,voucher,2027-01-01", "amount", "CNY has 2", "Correct"),
    ("ties", "hill,zhao,wang,99999999,voucher,2027-01-01", "amount", "charter of hill", "Lower"),
    ("ties", "hill,zhao,wang,1,voucher,2026-11-23", "expires_on", "have ended", "later day"),
    ("ties", "hill,zhao,wang,1,voucher,2099-01-01", "expires_on", "at most", "earlier day"),
    ("ties", "hill,zhao,wang,1,both,2027-01-01", "said_by", "no such", "voucher, borrower"),
    ("ties", "hill,zhao,li,2,voucher,2027-01-01", "said_by", "Line 2 has another", "Keep"),
    ("ties", "hill,wang,li,299,borrower,2027-06-30", "amount", "live for CNY 300.00", "new offer"),
    ("ties", "hill,wang,li,300,borrower,2027-05-30", "expires_on", "until 2027-05-31", "sides do"),
    ("ties", "hill,li,zhao,99,voucher,2027-06-30", "amount", "offer of CNY 120.50", "Withdraw"),
    ("ties", "hill,li,zhao,120.5,voucher,2027-06-29", "expires_on", "open offer until", "Withdraw"),
    # savings
    ("savings", "x,nowhere,wang,1,,2026-11-03,", "community", "no community", "Import"),
    ("savings", "x,hill,ghost,1,,2026-11-03,", "member", "no member", "people first"),
    ("savings", "x,hill,sun,1,,2026-11-03,", "member", "is suspended", "Only active"),
    (
        "savings",
        "x,hill,wang,1,KES,2026-11-03,",
        "currency",
        "books in CNY",
        "nothing is converted",
    ),
    ("savings", "x,hill,wang,0.001,,2026-11-03,", "amount", "CNY has 2", "Correct"),
    ("savings", "x,hill,wang,1,,2026-11-24,", "moved_on", "after 2026-11-23", "later --on"),
    ("savings", "x,hill,wang,1,,2026-11-03,withdrawal", "kind", "no such", "deposit, stake_lock"),
    ("savings", "x,hill,wang,600.01,,2026-11-03,stake_lock", "amount", "CNY 600.00 of free", "by"),
    (
        "savings",
        "x,hill,zhao,5.01,,2026-11-04,stake_lock",
        "amount",
        "has CNY 0.00",
        "no more than",
    ),
    ("savings", "new,hill,zhao,6,,2026-11-05,", "reference", "Line 2", "reference of its own"),
    ("savings", "s1,hill,wang,1001,,2026-11-02,", "amount", "booked already", "never changed"),
    ("savings", "s1,hill,li,1000,,2026-11-02,", "member", "booked already", "never changed"),
    ("savings", "s1,hill,wang,1000,,2026-11-03,", "moved_on", "booked already", "never changed"),
    ("savings", "s1,hill,wang,1000,,2026-11-02,stake_lock", "kind", "booked already", "never"),
]
GOOD_ROWS = {
    "communities": "new,region,New,CNY,county,,,",
    "people": "new,person,New,h9,1990,hill,,",
    "ties": "hill,zhao,li,1,voucher,2027-01-01",
    "savings": "new,hill,zhao,5,,2026-11-05,",
}


@pytest.mark.parametrize(
    ("kind", "row", "column", "reason", "remedy"),
    BAD_ROWS,
    ids=[f"{b[0]}: {b[1]}" for b in BAD_ROWS],
)
def test_a_bad_row_at_the_end_is_named_and_leaves_nothing(
    db_session: Session, kind: str, row: str, column: str, reason: str, remedy: str
) -> None:
    bring_base(db_session)
    before = dump(db_session)
    report = refusal(db_session, kind, GOOD_ROWS[kind], row)
    (fault,) = report.faults
    assert (fault.line, fault.column) == (3, column)
    assert reason in fault.reason
    assert remedy in fault.remedy
    assert fault.value in row
    assert (report.rows, report.new, report.refused) == (2, 0, 1)
    db_session.commit()  # were anything pending, it would be written here
    assert dump(db_session) == before


def test_all_bad_rows_are_reported_at_once_in_the_order_of_lines(db_session: Session) -> None:
    bring_base(db_session)
    report = refusal(
        db_session,
        "people",
        "a b,,X,,,,,",
        "ok,,Fine,,,hill,,",
        "x,,X,,,nowhere,,",
        "wang,enterprise,Wang Wei,h2,,,,",
    )
    assert [(f.line, f.column) for f in report.faults] == [
        (2, "reference"),
        (4, "community"),
        (5, "kind"),
        (5, "household"),
    ]
    assert report.summary() == "people: 4 rows, 0 new, 0 unchanged, 3 refused"


def test_communities_in_a_circle_are_refused_each(db_session: Session) -> None:
    report = refusal(
        db_session,
        "communities",
        "a,region,A,CNY,b,,,",
        "b,region,B,CNY,c,,,",
        "c,region,C,CNY,b,,,",
        "d,region,D,CNY,,savers-circle,,",
    )
    circle = [fault for fault in report.faults if fault.column == "parent"]
    assert [fault.line for fault in circle] == [3, 4]
    assert "b in c in b" in circle[0].reason


def test_a_parent_with_a_bad_cell_is_the_only_fault(db_session: Session) -> None:
    report = refusal(db_session, "communities", "a,area,A,CNY,,,,", "b,region,B,CNY,a,,,")
    assert [(fault.line, fault.column) for fault in report.faults] == [(2, "kind")]


def test_identical_rows_in_one_file_count_once(db_session: Session) -> None:
    bring_base(db_session)
    for kind, row in GOOD_ROWS.items():
        report = bring(db_session, kind, row, row)
        assert (report.rows, report.new, report.unchanged) == (2, 1, 1), kind
    assert_laws(db_session)


def test_names_change_and_what_was_not_known_is_filled_in(db_session: Session) -> None:
    bring_base(db_session)
    report = bring(
        db_session,
        "people",
        "wang,person,Wang Weiguo,h1,1980,hill,active,2026-01-05",
        "zhao,,Zhao Min,,1985,tea,,2026-03-01",
        "chen,,Chen Bo,h7,,,,",
        "sun,,Sun Li,h7,,,,",
        "li,,Li Na,,,,,",
    )
    db_session.commit()
    assert (report.new, report.updated, report.unchanged) == (0, 4, 1)
    db_session.expire_all()
    wang, zhao = member(db_session, "wang"), member(db_session, "zhao")
    assert (wang.name, wang.version, wang.birth_year) == ("Wang Weiguo", 2, 1980)
    assert zhao.birth_year == 1985
    assert member(db_session, "chen").household_id == member(db_session, "sun").household_id
    assert member(db_session, "li").version == 1
    renamed = bring(db_session, "communities", "hill,region,Hill,,county,,,")
    db_session.commit()
    assert renamed.updated == 1
    db_session.expire_all()
    assert community(db_session, "hill").name == "Hill"
    assert_laws(db_session)


@pytest.mark.parametrize("first", [VouchSide.VOUCHER, VouchSide.BORROWER])
def test_two_words_in_two_files_make_one_vouch_in_either_order(
    db_session: Session, first: VouchSide
) -> None:
    bring_base(db_session)
    words = {
        VouchSide.VOUCHER: "hill,zhao,wang,80,voucher,2027-03-31",
        VouchSide.BORROWER: "hill,zhao,wang,200,borrower,2027-02-28",
    }
    last = next(side for side in words if side is not first)
    one = bring(db_session, "ties", words[first])
    db_session.commit()
    assert one.outcome == {"vouches became live": 0, "offers opened": 1}
    assert vouch(db_session, "zhao", "wang").status is VouchStatus.OFFERED
    two = bring(db_session, "ties", words[last])
    db_session.commit()
    assert two.outcome == {"vouches became live": 1, "offers opened": 0}
    live = vouch(db_session, "zhao", "wang")
    assert (live.status, live.limit_minor, live.expires_on, live.version) == (
        VouchStatus.LIVE,
        80_00,
        date(2027, 2, 28),
        2,
    )
    before = dump(db_session)
    for row in words.values():
        assert bring(db_session, "ties", row).unchanged == 1
    both = bring(db_session, "ties", *words.values())
    db_session.commit()
    assert both.unchanged == 2
    assert dump(db_session) == before


def test_one_word_alone_never_makes_a_vouch(db_session: Session) -> None:
    bring_base(db_session)
    bring(
        db_session,
        "ties",
        "hill,zhao,wang,80,voucher,2027-03-31",
        "hill,wang,zhao,80,voucher,2027-03-31",
    )
    statuses = db_session.scalars(
        select(Vouch.status).where(Vouch.limit_minor == 80_00).order_by(Vouch.id)
    ).all()
    assert statuses == [VouchStatus.OFFERED, VouchStatus.OFFERED]


def test_an_old_file_brings_back_no_ended_promise(db_session: Session) -> None:
    bring_base(db_session)
    revoke_vouch(db_session, vouch_id=vouch(db_session, "wang", "li").id, now=NOW, actor_id=None)
    decline_vouch(db_session, vouch_id=vouch(db_session, "li", "zhao").id, now=NOW, actor_id=None)
    db_session.commit()
    report = refusal(db_session, "ties", *BASE["ties"])
    assert [fault.line for fault in report.faults] == [2, 3, 4]
    assert "revoked" in report.faults[0].reason
    assert "declined" in report.faults[2].reason
    # Without a day of its own a word cannot show that it is a new one.
    again = refusal(db_session, "ties", "hill,wang,li,500,voucher,", on=ON + timedelta(days=30))
    assert again.faults[0].column == "said_by"
    days_max = charter_on(db_session, community(db_session, "hill").id, ON).rules.vouch_days_max
    farther = ON + timedelta(days=days_max + 30)
    later = bring(
        db_session,
        "ties",
        f"hill,wang,li,500,voucher,{farther}",
        on=ON + timedelta(days=60),
    )
    assert later.outcome["offers opened"] == 1


def test_what_ran_out_makes_room_for_new_words(db_session: Session) -> None:
    bring_base(db_session)
    later = date(2027, 7, 15)
    report = bring(
        db_session,
        "ties",
        "hill,wang,li,500,voucher,2028-01-31",
        "hill,wang,li,500,borrower,2028-01-31",
        "hill,li,zhao,10,voucher,2028-01-31",
        on=later,
    )
    db_session.commit()
    assert report.new == 3
    statuses = db_session.scalars(select(Vouch.status).order_by(Vouch.id)).all()
    assert sorted(statuses) == ["expired", "expired", "live", "offered"]


def test_an_overdue_member_gives_no_promise_but_may_be_asked(db_session: Session) -> None:
    bring_base(db_session)
    standing = db_session.scalars(select(Standing)).one()  # Wang's
    standing.overdue_since_on = ON
    db_session.commit()
    report = refusal(db_session, "ties", "hill,wang,zhao,5,voucher,2027-01-31")
    assert (report.faults[0].column, "overdue" in report.faults[0].reason) == ("voucher", True)
    assert bring(db_session, "ties", "hill,wang,zhao,5,borrower,2027-01-31").new == 1
    assert bring(db_session, "ties", "hill,zhao,wang,5,voucher,2027-01-31").new == 1


def test_a_stake_lock_counts_savings_of_its_day_and_before(db_session: Session) -> None:
    bring_base(db_session)
    report = refusal(
        db_session,
        "savings",
        "a,hill,zhao,10,,2026-11-05,stake_lock",
        "b,hill,zhao,10,,2026-11-06,deposit",
    )
    assert [(f.line, f.column) for f in report.faults] == [(2, "amount")]
    done = bring(
        db_session,
        "savings",
        "a,hill,zhao,10,,2026-11-06,stake_lock",
        "b,hill,zhao,10,,2026-11-06,deposit",
        "c,hill,wang,600,,2026-11-06,stake_lock",
        "d,hill,wang,1,,2026-11-06,deposit",
        "e,hill,wang,2,,2026-11-06,deposit",
    )
    db_session.commit()
    assert done.outcome == {"deposits": 3, "stake locks": 2}
    assert_laws(db_session)
    receipts = db_session.scalars(
        select(SavingsMovement.entry_id).where(SavingsMovement.reference.in_(["b", "d", "e"]))
    ).all()
    assert len(receipts) == 3
    assert len(set(receipts)) == 1


def test_receipts_of_a_member_stand_in_the_order_of_time(db_session: Session) -> None:
    bring_base(db_session)
    bring(
        db_session,
        "savings",
        "z,hill,wang,3,,2026-11-09,deposit",
        "y,hill,zhao,4,,2026-11-08,deposit",
        "w,hill,wang,5,,2026-11-07,stake_lock",
        "x,hill,wang,5,,2026-11-07,deposit",
        "v,hill,zhao,4,,2026-11-07,deposit",
    )
    db_session.commit()
    for reference, expected in (("wang", ["x", "w", "z"]), ("zhao", ["v", "y"])):
        receipts = list_movements(
            community_id=community(db_session, "hill").id,
            member_id=member(db_session, reference).id,
        ).order_by(SavingsMovement.id)
        found = [movement.reference for movement in db_session.scalars(receipts)]
        assert found[-len(expected) :] == expected
    assert_laws(db_session)


def test_a_closed_day_takes_no_savings_but_may_be_told_again(db_session: Session) -> None:
    bring_base(db_session)
    close_through(db_session, community_id=community(db_session, "hill").id, on=date(2026, 11, 10))
    db_session.commit()
    report = refusal(db_session, "savings", "x,hill,wang,1,,2026-11-10,")
    assert (report.faults[0].column, "closed" in report.faults[0].reason) == ("moved_on", True)
    assert bring(db_session, "savings", *BASE["savings"]).unchanged == 3
    assert bring(db_session, "savings", "x,hill,wang,1,,2026-11-11,").new == 1


def test_a_currency_that_was_told_has_to_be_the_communitys(db_session: Session) -> None:
    bring_base(db_session)
    for kind, row in (("savings", "x,hill,wang,1,,2026-11-03,"), ("ties", GOOD_ROWS["ties"])):
        assert "CNY" in refusal(db_session, kind, row, currency="KES").faults[0].reason
        assert bring(db_session, kind, row, currency="CNY").new == 1


def test_a_row_that_somebody_changed_meanwhile_sends_the_unit_round_again(
    db_session: Session,
) -> None:
    bring_base(db_session)
    members = table_of(Member)
    statement = (
        update(members)
        .where(members.c.id == bindparam("member"), members.c.version == bindparam("seen"))
        .values(version=members.c.version + 1)
    )
    ids = db_session.scalars(select(Member.id)).all()
    update_all(db_session, statement, [{"member": i, "seen": 1} for i in ids])
    with pytest.raises(StaleSnapshot):
        update_all(
            db_session,
            statement,
            [{"member": i, "seen": 1 if i == ids[-1] else 2} for i in ids],
        )


def test_two_imports_of_one_file_at_once_enter_it_once(engine: Engine) -> None:
    make = session_factory(engine)
    with make() as session:
        bring_base(session)
    text = csv("people", *[f"q{i},,Q {i},g{i // 3},1980,hill,," for i in range(500)])
    gate = threading.Barrier(2)
    reports: list[Report] = []
    faults: list[Exception] = []

    def work() -> None:
        try:
            read_report = Report("people")
            rows = read_people(io.BytesIO(text.encode()), read_report, on=ON)
            gate.wait(10)

            def unit(session: Session) -> Report:
                return import_people(session, rows, read_report.copy(), on=ON, now=NOW)

            with make() as session:
                reports.append(run_unit(session, unit))
        except Exception as error:  # noqa: BLE001  told by the main thread
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert sorted((report.new, report.unchanged) for report in reports) == [(0, 500), (500, 0)]
    with make() as session:
        assert len(session.scalars(select(Member.id).where(Member.name.like("Q %"))).all()) == 500
        assert_laws(session)


def test_larger_files_than_one_portion_arrive_whole(engine: Engine) -> None:
    count = 10_500
    make = session_factory(engine)
    with make() as session:
        bring_base(session)
        if engine.dialect.name == "postgresql":
            # As when the tables were counted after all their rows had been deleted.
            session.execute(
                text(
                    "UPDATE pg_class SET relpages = 500, reltuples = 0 WHERE oid IN"
                    " ('accounts'::regclass, 'postings'::regclass)"
                )
            )
        people = [f"q{i},,Q {i},g{i // 3},1980,hill,," for i in range(count)]
        ties = [f"hill,q{i},q{i + 1},5,voucher,2027-01-31" for i in range(count - 1)]
        ties += [f"hill,q{i},q{i + 1},5,borrower,2027-01-31" for i in range(count - 1)]
        savings = [f"t{i},hill,q{i},{i + 1},,2026-11-04," for i in range(count)]
        savings += [f"u{i},hill,q{i},1,,2026-11-04,stake_lock" for i in range(count)]
        assert bring(session, "people", *people).new == count
        session.commit()
        halves = len(ties) // 2
        for part in (ties[:halves], ties[halves:]):
            assert bring(session, "ties", *part).new == halves
            session.commit()
        assert bring(session, "savings", *savings).new == 2 * count
        if engine.dialect.name == "postgresql":
            # The planner knows at once what came in: sums over it are not planned row by row.
            postings = "SELECT reltuples FROM pg_class WHERE oid = 'postings'::regclass"
            assert session.scalar(text(postings)) >= 2 * count
        session.commit()
        assert bring(session, "savings", *savings).unchanged == 2 * count
        live = session.scalars(select(Vouch.id).where(Vouch.status == VouchStatus.LIVE)).all()
        assert len(live) == count
        held = balance(
            session,
            community_id=community(session, "hill").id,
            kind=AccountKind.SAVINGS_CASH,
            currency="CNY",
        )
        assert Money(held, "CNY") == Money(1050_25 + sum(range(1, count + 1)) * 100, "CNY")
        assert list(check_ledger(session)) == []
        assert list(check_savings(session)) == []
