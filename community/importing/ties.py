"""Import of ties: who stands behind whom, one side's word a row.

Only mutual acceptance makes a vouch. One word is an open offer; when both sides' words are there,
in one file or in two, the vouch is live for the smaller amount until the earlier day. A word that
a vouch already keeps adds nothing. No word brings back what was ended: after a promise ran out, a
new one names a later day; after somebody took it back, a day beyond all that could be named then.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from community.bulk import count_anew, insert_columns, new_public_ids, table_of, update_all
from community.communities.charter import CharterRules
from community.communities.models import MembershipStatus
from community.errors import CommunityError
from community.importing import fields
from community.importing.places import (
    Belonging,
    Place,
    find_belongings,
    find_places,
    find_rules,
    unknown_community,
)
from community.importing.reading import Column, Progress, read_values
from community.importing.report import Report
from community.ledger.events import record_event
from community.money import parse_minor, say_amount
from community.trust.models import Standing, Vouch, VouchKind, VouchSide, VouchStatus
from community.trust.promise_checks import Change, check_promises, hold_promisers_in
from community.vouching.records import figures_of

COLUMNS = (
    Column("community", fields.reference),
    Column("voucher", fields.reference),
    Column("borrower", fields.reference),
    Column("amount", fields.amount),
    Column("said_by", fields.one_of(VouchSide)),
    Column("expires_on", fields.day, required=False),
)

# How a promise ends when somebody says so, rather than by its date.
_TAKEN_BACK = frozenset({VouchStatus.REVOKED, VouchStatus.WITHDRAWN, VouchStatus.DECLINED})

VOUCHER, BORROWER = VouchSide.VOUCHER, VouchSide.BORROWER


class TieRow(NamedTuple):
    """One row."""

    line: int
    community: str
    voucher: str
    borrower: str
    amount: str
    said_by: VouchSide
    expires_on: date | None


class _Word(NamedTuple):
    """A row with its amount in minor units; `until` is its last day, written or by charter."""

    row: TieRow
    limit_minor: int
    until: date


# Community, voucher and borrower by id.
_Pair = tuple[int, int, int]
# What the file says of one pair.
_Words = dict[VouchSide, _Word]


class _Held(NamedTuple):
    """A vouch that is there."""

    id: int
    offered_by: VouchSide
    limit_minor: int
    status: VouchStatus
    expires_on: date
    ended_at: datetime | None
    version: int


@dataclass
class _Plan:
    """What is to be written."""

    # (pair, who offered, limit, status, last day)
    new: list[tuple[_Pair, VouchSide, int, VouchStatus, date]] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    expired: list[dict[str, Any]] = field(default_factory=list)
    # What becomes live, with the word by which it does.
    promised: list[tuple[_Pair, int, date, _Word]] = field(default_factory=list)
    live: Counter[int] = field(default_factory=Counter)
    offers: Counter[int] = field(default_factory=Counter)


def read_ties(
    stream: BinaryIO, report: Report, *, on: date, progress: Progress | None = None
) -> list[TieRow]:
    """Rows that are right as far as can be told from the file alone; the rest are faults."""
    rows: list[TieRow] = []
    for line, community, voucher, borrower, amount, said_by, expires_on in read_values(
        stream, COLUMNS, report, progress
    ):
        faults = len(report.faults)
        if voucher == borrower:
            report.fault(
                line,
                "borrower",
                borrower,
                "Nobody vouches for themself.",
                "Leave the row out; own savings can be locked as stake.",
            )
        if expires_on is not None and expires_on <= on:
            report.fault(
                line,
                "expires_on",
                expires_on.isoformat(),
                f"The promise would have ended by {on}, the day of the import.",
                "Give a later day, or leave the row out.",
            )
        if len(report.faults) == faults:
            rows.append(TieRow(line, community, voucher, borrower, amount, said_by, expires_on))
    return rows


def import_ties(
    session: Session,
    rows: list[TieRow],
    report: Report,
    *,
    on: date,
    now: datetime,
    currency: str | None = None,
    actor_id: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Enter offers and vouches; raises ImportRefused, having written nothing.

    Amounts are in the community's currency; where `currency` is given, communities of another
    one are refused. Holds the memberships of the communities, so that only active members end up
    bound, and the standings of those who promise, so that nobody ends up past the charter's caps.
    Cost: all memberships and vouches of the communities are read, one row a new vouch is written.
    """
    places = find_places(session, {row.community for row in rows})
    belongings = find_belongings(session, places.values(), hold=True)
    rules = find_rules(session, places.values(), on)
    words = _resolve(rows, places, belongings, rules, report, on=on, currency=currency)
    plan = _Plan()
    held = _find_held(session, words)
    overdue = set(
        session.scalars(select(Standing.member_id).where(Standing.overdue_since_on.is_not(None)))
    )
    currencies = {place.id: place.currency for place in places.values()}
    for pair, said in words.items():
        days_max = timedelta(days=rules[pair[0]].vouch_days_max)
        current = _current(held.get(pair, []), on, days_max)
        _decide(pair, said, current, currencies[pair[0]], pair[1] in overdue, plan, report)
    report.refuse_if_faulty()
    _check_caps(session, plan, report, on=on)
    report.refuse_if_faulty()
    _write(session, plan, now=now, progress=progress)
    for place in sorted(places.values()):
        if plan.live[place.id] or plan.offers[place.id]:
            record_event(
                session,
                community_id=place.id,
                kind="import.ties",
                subject=place.public_id,
                actor_id=actor_id,
                now=now,
                facts={
                    "file_sha256": report.digest,
                    "rows": report.rows,
                    "vouches": plan.live[place.id],
                    "offers": plan.offers[place.id],
                },
            )
    count_anew(session, (Vouch,), plan.live.total() + plan.offers.total())
    report.outcome = {
        "vouches became live": plan.live.total(),
        "offers opened": plan.offers.total(),
    }
    return report


def _resolve(
    rows: list[TieRow],
    places: dict[str, Place],
    belongings: dict[int, dict[str, Belonging]],
    rules: dict[int, CharterRules],
    report: Report,
    *,
    on: date,
    currency: str | None,
) -> dict[_Pair, _Words]:
    """The words by pair, each checked against members and charter; a side's second is a fault."""
    words: dict[_Pair, _Words] = {}
    terms: dict[str, tuple[Place, CharterRules, date] | None] = {
        reference: (place, rules[place.id], on + timedelta(days=rules[place.id].vouch_days_max))
        for reference, place in places.items()
        if place.id in rules and currency in (None, place.currency)
    }
    amounts: dict[tuple[str, str], int] = {}
    for row in rows:
        term = terms.get(row.community)
        if term is None:
            _refuse_community(row, places, rules, report, on, currency)
            continue
        place, rule, last_day = term
        known = belongings[place.id]
        faults = len(report.faults)
        members = []
        for column, reference in (("voucher", row.voucher), ("borrower", row.borrower)):
            belonging = known.get(reference)
            if belonging is None or belonging.status is not MembershipStatus.ACTIVE:
                _refuse_member(row, column, reference, belonging, report)
            else:
                members.append(belonging.member_id)
        limit = amounts.get((row.amount, place.currency))
        if limit is None:
            try:
                limit = parse_minor(row.amount, place.currency)
            except CommunityError as error:
                report.fault(row.line, "amount", row.amount, error.detail, "Correct the amount.")
                continue
            amounts[row.amount, place.currency] = limit
        if limit > rule.vouch_minor_max:
            most = say_amount(rule.vouch_minor_max, place.currency)
            report.fault(
                row.line,
                "amount",
                row.amount,
                f"The charter of {row.community} admits promises up to {most}.",
                "Lower the amount, or have the charter changed first.",
            )
        until = row.expires_on or last_day
        if until > last_day:
            report.fault(
                row.line,
                "expires_on",
                until.isoformat(),
                f"The charter of {row.community} admits promises until {last_day} at most.",
                "Give an earlier day, or leave the cell empty for the last one possible.",
            )
        if len(report.faults) > faults:
            continue
        said = words.setdefault((place.id, members[0], members[1]), {})
        earlier = said.get(row.said_by)
        if earlier is None:
            said[row.said_by] = _Word(row, limit, until)
        elif (earlier.limit_minor, earlier.row.expires_on) == (limit, row.expires_on):
            report.unchanged += 1
        else:
            report.fault(
                row.line,
                "said_by",
                row.said_by.value,
                f"Line {earlier.row.line} has another word of the same side for the same pair.",
                "Keep the one that counts.",
            )
    return words


def _refuse_community(
    row: TieRow,
    places: dict[str, Place],
    rules: dict[int, CharterRules],
    report: Report,
    on: date,
    currency: str | None,
) -> None:
    place = places.get(row.community)
    if place is None:
        unknown_community(report, row.line, row.community)
    elif place.id not in rules:
        report.fault(
            row.line,
            "community",
            row.community,
            f"The community has no charter in force on {on}.",
            "Adopt one first: it says how much a promise may be.",
        )
    else:
        report.fault(
            row.line,
            "community",
            row.community,
            f"The community counts in {place.currency}, the import was told {currency}.",
            "Import its rows from a file of their own.",
        )


def _refuse_member(
    row: TieRow, column: str, reference: str, belonging: Belonging | None, report: Report
) -> None:
    reason = (
        f"There is no member of this reference in {row.community}."
        if belonging is None
        else f"The membership in {row.community} is {belonging.status.value}, not active."
    )
    report.fault(
        row.line,
        column,
        reference,
        reason,
        "Only active members vouch and are vouched for: import people first, or leave the row out.",
    )


def _find_held(session: Session, words: dict[_Pair, _Words]) -> dict[_Pair, list[_Held]]:
    """Personal vouches and offers of these pairs, oldest first."""
    found: dict[_Pair, list[_Held]] = {}
    for community_id in sorted({pair[0] for pair in words}):
        rows = session.execute(
            select(
                Vouch.community_id,
                Vouch.voucher_id,
                Vouch.borrower_id,
                Vouch.id,
                Vouch.offered_by,
                Vouch.limit_minor,
                Vouch.status,
                Vouch.expires_on,
                Vouch.ended_at,
                Vouch.version,
            )
            .where(
                Vouch.community_id == community_id,
                Vouch.kind == VouchKind.PERSONAL,
                Vouch.status != VouchStatus.REPLACED,
            )
            .order_by(Vouch.id)
        )
        for community, voucher, borrower, *rest in rows:
            pair = (community, voucher, borrower)
            if pair in words:
                found.setdefault(pair, []).append(_Held._make(rest))
    return found


@dataclass(slots=True)
class _Current:
    """What stands between a pair on a day."""

    live: _Held | None = None
    offers: dict[VouchSide, _Held] = field(default_factory=dict)
    # Still open by state, but past their last day.
    run_out: list[_Held] = field(default_factory=list)
    # The ended vouch that reaches furthest, and the last day that a word before its end could name.
    ended: _Held | None = None
    ended_words_until: date = date.min


def _current(held: list[_Held], on: date, days_max: timedelta) -> _Current:
    current = _Current()
    for vouch in held:
        is_open = vouch.status in (VouchStatus.LIVE, VouchStatus.OFFERED)
        if is_open and vouch.expires_on >= on:
            if vouch.status is VouchStatus.LIVE:
                current.live = vouch
            else:
                current.offers[vouch.offered_by] = vouch
            continue
        if is_open:
            current.run_out.append(vouch)
        until = vouch.expires_on
        if vouch.status in _TAKEN_BACK and vouch.ended_at is not None:
            # Somebody said no. Where it was said the day may have been one ahead of UTC.
            until = max(until, vouch.ended_at.date() + timedelta(days=1) + days_max)
        if until >= current.ended_words_until:
            current.ended, current.ended_words_until = vouch, until
    return current


def _decide(
    pair: _Pair,
    said: _Words,
    current: _Current,
    currency: str,
    is_overdue: bool,
    plan: _Plan,
    report: Report,
) -> None:
    """What the words on one pair come to, given what is there."""
    offers, ended = current.offers, current.ended
    if current.live is not None:
        _compare_live(said, current.live, offers, currency, report)
        return
    new: list[_Word] = []
    for side, word in said.items():
        offer = offers.get(side)
        if offer is not None:
            _compare_offer(word, offer, currency, report)
        elif ended is not None and (
            word.row.expires_on is None or word.until <= current.ended_words_until
        ):
            run_out = ended.status not in _TAKEN_BACK
            _fault(
                report,
                word,
                "said_by",
                side.value,
                f"This promise was {'expired' if run_out else ended.status.value} before, and a "
                "file brings nothing back.",
                "Let the two sides offer anew, or name an expires_on after "
                f"{current.ended_words_until}.",
            )
        elif is_overdue and (side is VOUCHER or VOUCHER in said or VOUCHER in offers):
            _fault(
                report,
                word,
                "voucher",
                word.row.voucher,
                "The voucher has something overdue and gives no new promise.",
                "Leave the row out until it is paid.",
            )
        else:
            new.append(word)
    report.new += len(new)
    if not new:
        return
    plan.expired += [{"vouch": vouch.id, "seen": vouch.version} for vouch in current.run_out]
    if len(new) == 2:
        first, second = sorted(new, key=lambda word: word.row.line)
        limit, until = min(new[0].limit_minor, new[1].limit_minor), min(first.until, second.until)
        plan.new.append((pair, first.row.said_by, limit, VouchStatus.LIVE, until))
        plan.promised.append((pair, limit, until, first))
        plan.live[pair[0]] += 1
        return
    (word,) = new
    other = offers.get(BORROWER if word.row.said_by is VOUCHER else VOUCHER)
    if other is None:
        plan.new.append((pair, word.row.said_by, word.limit_minor, VouchStatus.OFFERED, word.until))
        plan.offers[pair[0]] += 1
    else:
        plan.accepted.append(
            {
                "vouch": other.id,
                "seen": other.version,
                "limit": min(other.limit_minor, word.limit_minor),
                "until": min(other.expires_on, word.until),
            }
        )
        plan.promised.append(
            (
                pair,
                min(other.limit_minor, word.limit_minor),
                min(other.expires_on, word.until),
                word,
            )
        )
        plan.live[pair[0]] += 1


def _compare_live(
    said: _Words,
    live: _Held,
    offers: dict[VouchSide, _Held],
    currency: str,
    report: Report,
) -> None:
    """Words on a live vouch add nothing where it keeps them, and are faults where it does not.

    One side's word is kept by a vouch that is no more and runs no longer than the word; the words
    of both sides are kept by a vouch of exactly the smaller amount and the earlier day.
    """
    both = len(said) == 2
    least = min(word.limit_minor for word in said.values())
    days = [word.row.expires_on for word in said.values()]
    written = [day for day in days if day is not None]
    for side, word in said.items():
        offer = offers.get(side)
        if offer is not None and offer.limit_minor == word.limit_minor:
            report.unchanged += 1
            continue
        day = word.row.expires_on
        if (both and least != live.limit_minor) or word.limit_minor < live.limit_minor:
            held = say_amount(live.limit_minor, currency)
            _fault(
                report,
                word,
                "amount",
                word.row.amount,
                f"The vouch is live for {held}, which is not what the file says.",
                "An import does not change a live vouch: the two sides do, by a new offer or by "
                "lowering it.",
            )
        elif (both and len(written) == 2 and min(written) != live.expires_on) or (
            day is not None and day < live.expires_on
        ):
            _fault(
                report,
                word,
                "expires_on",
                str(day or ""),
                f"The vouch is live until {live.expires_on}, which is not what the file says.",
                "An import does not change a live vouch: the two sides do, by a new offer.",
            )
        else:
            report.unchanged += 1


def _compare_offer(word: _Word, offer: _Held, currency: str, report: Report) -> None:
    if offer.limit_minor != word.limit_minor:
        held = say_amount(offer.limit_minor, currency)
        _fault(
            report,
            word,
            "amount",
            word.row.amount,
            f"This side has an open offer of {held} already.",
            "Withdraw it before another one is imported, or correct the file.",
        )
    elif word.row.expires_on not in (None, offer.expires_on):
        _fault(
            report,
            word,
            "expires_on",
            str(word.row.expires_on),
            f"This side has an open offer until {offer.expires_on} already.",
            "Withdraw it before another one is imported, or correct the file.",
        )
    else:
        report.unchanged += 1


def _fault(report: Report, word: _Word, column: str, value: str, reason: str, remedy: str) -> None:
    report.fault(word.row.line, column, value, reason, remedy)


def _check_caps(session: Session, plan: _Plan, report: Report, *, on: date) -> None:
    """A file takes nobody past the charter's caps either. Holds the standings of who promises."""
    by_place: dict[int, list[tuple[_Pair, int, date, _Word]]] = {}
    for item in plan.promised:
        by_place.setdefault(item[0][0], []).append(item)
    hold_promisers_in(
        session, {place: {pair[1] for pair, *_ in here} for place, here in by_place.items()}
    )
    for community_id, here in sorted(by_place.items()):
        changes = [Change(pair[1], pair[2], limit, until) for pair, limit, until, _ in here]
        checks = check_promises(
            session, community_id=community_id, changes=changes, on=on, records_of=figures_of
        )
        told: set[int] = set()
        for pair, _, _, word in here:
            check = checks[pair[1]]
            if not check.refused or check.member_id in told:
                continue
            told.add(check.member_id)
            for note in check.notes():
                if note.refuses:
                    report.fault(
                        word.row.line,
                        "voucher",
                        word.row.voucher,
                        note.text["en"],
                        f"Leave out or lower promises of this member; the rule is {note.rule}.",
                    )


def _write(session: Session, plan: _Plan, *, now: datetime, progress: Progress | None) -> None:
    vouches = table_of(Vouch)
    unchanged_since = update(vouches).where(
        vouches.c.id == bindparam("vouch"), vouches.c.version == bindparam("seen")
    )
    # What ran out makes room first: a pair has one live vouch, a side one open offer.
    update_all(
        session,
        unchanged_since.values(
            status=VouchStatus.EXPIRED, ended_at=now, version=vouches.c.version + 1
        ),
        sorted(plan.expired, key=lambda row: row["vouch"]),
    )
    update_all(
        session,
        unchanged_since.values(
            status=VouchStatus.LIVE,
            accepted_at=now,
            limit_minor=bindparam("limit"),
            expires_on=bindparam("until"),
            version=vouches.c.version + 1,
        ),
        sorted(plan.accepted, key=lambda row: row["vouch"]),
    )
    count = len(plan.new)
    statuses = [status for _, _, _, status, _ in plan.new]
    insert_columns(
        session,
        Vouch,
        {
            "public_id": new_public_ids("vch", count),
            "community_id": [pair[0] for pair, *_ in plan.new],
            "kind": [VouchKind.PERSONAL] * count,
            "voucher_id": [pair[1] for pair, *_ in plan.new],
            "borrower_id": [pair[2] for pair, *_ in plan.new],
            "offered_by": [side for _, side, _, _, _ in plan.new],
            "limit_minor": [limit for _, _, limit, _, _ in plan.new],
            "status": statuses,
            "offered_at": [now] * count,
            "accepted_at": [now if status is VouchStatus.LIVE else None for status in statuses],
            "expires_on": [until for *_, until in plan.new],
        },
        progress,
    )
