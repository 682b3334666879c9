"""A community's whole trust graph as arrays: from its rows, or from a file and what changed since.

Decisions read the neighbourhood of a borrower from the rows (`snapshot`). What looks at everybody
— ceilings, all limits at once, the risk desk — asks here. A file is written by `build_network`;
triggers note the keys of all rows that are written after it, and `read_network` reads those rows
again. So what it answers is never older than the transaction that asks.
"""

import secrets
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from community.trust.models import NetworkBuild, Standing, TrustChange, Vouch, VouchStatus
from community.trust.snapshot import live_vouches, parts, read_standings
from community.trust.worth import VouchFacts
from graph.arrays import ArrayNetwork, from_rows
from graph.errors import BadSnapshot, UnknownNode
from graph.overlay import Overlay, overlaid
from graph.snapshots import SnapshotStore

# Rows fetched at a time: bounds what a build holds besides the arrays themselves.
_CHUNK = 50_000
# With more changes than this share of the edges, reading all rows is the shorter way.
_PATCH_SHARE = 0.1
_PATCH_AT_LEAST = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network came from."""

    # None: read from the rows.
    version: str | None = None
    built_at: datetime | None = None
    # Members whose rows were read again, because they were written after the file.
    read_again: int = 0


@dataclass(frozen=True, slots=True)
class TrustNetwork:
    """All members, standings and rooms of a community on a day, by member id."""

    network: ArrayNetwork | Overlay
    source: Source


def read_network(
    session: Session,
    *,
    community_id: int,
    on: date,
    folder: Path | None = None,
    pledge_only: bool = False,
) -> TrustNetwork:
    """The trust graph as this transaction sees it.

    From the community's network file in `folder` where there is one, plus the rows written since;
    else from all rows. Files hold standings with what was assessed, so `pledge_only` reads rows.
    """
    if folder is not None and not pledge_only:
        found = _from_file(session, community_id, on, folder)
        if found is not None:
            return found
    return TrustNetwork(_from_rows(session, community_id, on, pledge_only), Source())


def begin_building(session: Session, community_ids: Iterable[int]) -> list[int]:
    """Have the changes of communities noted from now on; a unit of its own before the first build.

    Returns the communities that were not watched before. Waits for those who are writing to the
    trust graph right now: what they write would otherwise be neither noted nor seen by the build.
    """
    wanted = sorted(community_ids)
    known = set(session.scalars(select(NetworkBuild.community_id)))
    new = [community_id for community_id in wanted if community_id not in known]
    if new:
        session.execute(insert(NetworkBuild), [{"community_id": id_} for id_ in new])
    return new


def wait_for_writers(session: Session) -> None:
    """Return when nobody is writing to the trust graph who began before this unit of work.

    The second unit before a first build. SQLite has one writer at a time, so there is none left.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE standings, vouches IN SHARE MODE"))


def build_network(
    session: Session,
    *,
    community_id: int,
    on: date,
    now: datetime,
    folder: Path,
    from_rows_only: bool = False,
) -> NetworkBuild:
    """Write the community's network file anew and put it in force; a unit of its own.

    The last file is patched with the rows written since where it is there and they are few. The
    file is in place before the row names it, and readers go on with the old one until the unit
    commits. Needs `begin_building`. One builder at a time: the build's row is locked.
    """
    build = session.get(NetworkBuild, community_id, with_for_update=True, populate_existing=True)
    if build is None:
        raise RuntimeError("begin_building comes before the first build")
    # The noted keys go first, the rows are read after: what is written in between is noted again.
    patched = None if from_rows_only else _from_file(session, community_id, on, folder)
    session.execute(delete(TrustChange).where(TrustChange.community_id == community_id))
    if patched is None:
        network = _from_rows(session, community_id, on, False)
    elif isinstance(patched.network, Overlay):
        network = patched.network.merged()
    else:
        network = patched.network
    version = f"{on.isoformat()}-{secrets.token_hex(8)}"
    store = _store(folder, community_id)
    store.write(network, version)
    build.version, build.day_on, build.built_at = version, on, now
    session.flush()
    return build


def tidy_networks(session: Session, folder: Path, community_id: int) -> tuple[str, ...]:
    """Remove network files that are no longer in force, but the last one before: somebody may have
    read its name just now. After the build has committed."""
    store = _store(folder, community_id)
    version = session.scalar(
        select(NetworkBuild.version).where(NetworkBuild.community_id == community_id)
    )
    by_age = sorted(store.versions(), key=store.written_at)
    others = [name for name in by_age if name != version]
    return store.prune({*others[-1:], *([version] if version else [])})


def _store(folder: Path, community_id: int) -> SnapshotStore:
    return SnapshotStore(folder / str(community_id))


def _from_file(session: Session, community_id: int, on: date, folder: Path) -> TrustNetwork | None:
    """The file in force with the rows written since; None where all rows have to be read."""
    # One statement: between two, a build could take away what the first said is still noted.
    rows = session.execute(
        select(
            NetworkBuild.version,
            NetworkBuild.day_on,
            NetworkBuild.built_at,
            TrustChange.member_id,
        )
        .outerjoin(TrustChange, TrustChange.community_id == NetworkBuild.community_id)
        .where(NetworkBuild.community_id == community_id)
        .distinct()
    ).all()
    if not rows or rows[0].version is None:
        return None
    version, day_on, built_at = rows[0][:3]
    if day_on is None or on < day_on:
        return None
    try:
        base = _store(folder, community_id).attach(version)
    except BadSnapshot:
        # Built on another host, or lost: the rows have it all.
        return None
    written = {row.member_id for row in rows if row.member_id is not None}
    if on > day_on:
        written |= _fallen_due(session, community_id, day_on, on)
    if len(written) > max(_PATCH_AT_LEAST, _PATCH_SHARE * base.n):
        return None
    source = Source(version, built_at, len(written))
    if not written:
        return TrustNetwork(base, source)
    return TrustNetwork(_read_again(session, base, community_id, on, written), source)


def _read_again(
    session: Session, base: ArrayNetwork, community_id: int, on: date, members: Collection[int]
) -> Overlay:
    """The standings of these members, and all that they promise, as the rows say now."""
    standings = read_standings(session, community_id, members)
    overdue = {m for m, row in standings.items() if row.overdue_since_on is not None}
    given: dict[int, dict[Hashable, int]] = {member: {} for member in members}
    for part in parts(members):
        mine = live_vouches(community_id, on).where(Vouch.voucher_id.in_(part))
        for row in session.execute(mine):
            vouch = VouchFacts(*row)
            promised = given[vouch.voucher_id]
            room = vouch.room(voucher_overdue=vouch.voucher_id in overdue)
            promised[vouch.borrower_id] = promised.get(vouch.borrower_id, 0) + room
    rooms: dict[tuple[Hashable, Hashable], int] = {}
    held: dict[Hashable, int] = {}
    for member in sorted(members):
        before: dict[Hashable, int] = {}
        standing_before = None
        try:
            at = base.place(member)
        except UnknownNode:
            pass
        else:
            own = slice(int(base.out_start[at]), int(base.out_start[at + 1]))
            heads = base.ids_of(base.out_head[own])
            before = dict(zip(heads, base.out_room[own].tolist(), strict=True))
            standing_before = int(base.standing[at])
        now = given[member]
        for borrower in {*before, *now}:
            if before.get(borrower) != now.get(borrower):
                rooms[member, borrower] = now.get(borrower, 0)
        row_now = standings.get(member)
        amount = 0 if row_now is None else row_now.free_on(on)
        if amount != standing_before:
            held[member] = amount
    return overlaid(base, rooms, held)


def _fallen_due(session: Session, community_id: int, since: date, on: date) -> set[int]:
    """Members who give less on `on` than on `since` although no row was written."""
    expired = select(Vouch.voucher_id).where(
        Vouch.community_id == community_id,
        Vouch.status == VouchStatus.LIVE,
        Vouch.expires_on >= since,
        Vouch.expires_on < on,
    )
    lapsed = select(Standing.member_id).where(
        Standing.community_id == community_id,
        Standing.assessed_until_on >= since,
        Standing.assessed_until_on < on,
    )
    return {*session.scalars(expired), *session.scalars(lapsed)}


def _from_rows(session: Session, community_id: int, on: date, pledge_only: bool) -> ArrayNetwork:
    overdue: set[int] = set()
    members: list[int] = []
    held: list[int] = []
    for facts in read_standings(session, community_id, None).values():
        members.append(facts.member_id)
        held.append(facts.free_on(on, pledge_only=pledge_only))
        if facts.overdue_since_on is not None:
            overdue.add(facts.member_id)
    columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    rows = session.execute(live_vouches(community_id, on), execution_options={"yield_per": _CHUNK})
    for chunk in rows.partitions():
        vouches = [VouchFacts(*row) for row in chunk]
        columns[0].append(np.array([v.voucher_id for v in vouches], np.int64))
        columns[1].append(np.array([v.borrower_id for v in vouches], np.int64))
        rooms = [v.room(voucher_overdue=v.voucher_id in overdue) for v in vouches]
        columns[2].append(np.array(rooms, np.int64))
    tails, heads, rooms_of = (np.concatenate(column) for column in columns)
    known = np.array(members, np.int64)
    # Who vouches or is vouched for without a standing has one of nothing.
    strangers = np.setdiff1d(np.concatenate([tails, heads]), known)
    return from_rows(
        tails,
        heads,
        rooms_of,
        ids=np.concatenate([known, strangers]),
        standings=np.concatenate([np.array(held, np.int64), np.zeros(strangers.size, np.int64)]),
    )
