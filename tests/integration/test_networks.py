"""Network files: never older than the transaction that asks, whatever is written in between."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from app.networks.building import build_networks
from app.transaction import run_unit
from community.communities import service as communities
from community.communities.models import CommunityKind
from community.engine import session_factory
from community.trust import networks
from community.trust import service as trust
from community.trust.models import Standing, TrustChange, Vouch
from graph.arrays import ArrayNetwork
from graph.overlay import Overlay
from tests.hamlet import Hamlet, yuan

NAMES = [f"m{i}" for i in range(12)]
DAY = timedelta(days=1)


@pytest.fixture
def hamlet(engine: Engine) -> Iterator[Hamlet]:
    with session_factory(engine)() as session:
        made = Hamlet(session)
        made.fund(10**6)
        for number, name in enumerate(NAMES):
            made.person(name, stake=100 + number)
        for number, name in enumerate(NAMES):
            made.vouch(name, NAMES[(number + 1) % len(NAMES)], 50 + number)
            made.vouch(name, NAMES[(number + 5) % len(NAMES)], 20)
        yield made


def build(hamlet: Hamlet, folder: Path, **options: bool) -> networks.Built:
    """As the command does it: units of work that take the writer's turn."""
    built = build_networks(
        hamlet.session,
        communities=[hamlet.community.id],
        on=hamlet.day,
        now=hamlet.now,
        folder=folder,
        **options,
    )
    return built[hamlet.community.id]


def read(
    hamlet: Hamlet, folder: Path | None, on: date | None = None, session: Session | None = None
) -> networks.TrustNetwork:
    own = session or hamlet.session
    found = networks.read_network(
        own, community_id=hamlet.community.id, on=on or hamlet.day, folder=folder
    )
    own.rollback()
    return found


def contents(network: ArrayNetwork | Overlay) -> tuple[dict[object, int], dict[object, int]]:
    """Standings and rooms by id; what is nothing is left out."""
    whole = network.merged() if isinstance(network, Overlay) else network
    standings = {whole.id_of(i): int(whole.standing[i]) for i in range(whole.n)}
    rooms = {
        (whole.id_of(int(t)), whole.id_of(int(h))): int(room)
        for t, h, room in zip(whole.tails, whole.out_head, whole.out_room, strict=True)
    }
    return {m: s for m, s in standings.items() if s}, {pair: r for pair, r in rooms.items() if r}


def test_without_a_file_rows_are_read_and_nothing_is_noted(hamlet: Hamlet, tmp_path: Path) -> None:
    found = read(hamlet, tmp_path)
    assert found.source == networks.Source()
    standings, rooms = contents(found.network)
    assert len(standings) == len(NAMES)
    assert len(rooms) == 2 * len(NAMES)
    assert hamlet.session.scalar(select(func.count()).select_from(TrustChange)) == 0


def test_a_file_answers_like_the_rows_and_says_so(hamlet: Hamlet, tmp_path: Path) -> None:
    built = build(hamlet, tmp_path)
    found = read(hamlet, tmp_path)
    assert (found.source.version, found.source.read_again) == (built.version, 0)
    assert (built.members, built.edges) == (found.network.n, 2 * len(NAMES))
    assert contents(found.network) == contents(read(hamlet, None).network)


def _change(hamlet: Hamlet, dice: random.Random) -> None:
    """Something that moves a standing or a promise, through the services."""
    a, b = dice.sample(NAMES, 2)
    what = dice.choice(["vouch", "borrow", "revoke", "stake", "newcomer", "day"])
    if what == "vouch":
        try:
            hamlet.vouch(a, b, dice.randrange(1, 90))
        except ValueError:
            hamlet.session.rollback()
    elif what == "borrow":
        hamlet.lend(b, dice.randrange(5, 40))
    elif what == "revoke":
        live = hamlet.session.scalars(
            select(Vouch).where(Vouch.status == "live").order_by(Vouch.id)
        ).all()
        hamlet.do(trust.revoke_vouch, vouch_id=dice.choice(live).id, now=hamlet.now, actor_id=None)
    elif what == "stake":
        amount = dice.randrange(1, 50)
        hamlet.save(a, amount)
        hamlet.do(
            trust.lock_stake,
            community_id=hamlet.community.id,
            member_id=hamlet.people[a].id,
            amount=yuan(amount),
            actor_id=None,
            **hamlet.when,
        )
    elif what == "newcomer":
        hamlet.person(f"new{dice.getrandbits(32)}", stake=dice.randrange(1, 99))
    else:
        hamlet.day += DAY


@pytest.mark.parametrize("seed", range(2))
def test_random_changes_and_builds_never_part_from_the_rows(
    hamlet: Hamlet, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    build(hamlet, tmp_path)
    read_again = 0
    for step in range(12):
        _change(hamlet, dice)
        found = read(hamlet, tmp_path)
        assert found.source.version is not None
        read_again += found.source.read_again
        assert contents(found.network) == contents(read(hamlet, None).network)
        if step % 5 == 4:
            build(hamlet, tmp_path)
            patched = read(hamlet, tmp_path)
            assert patched.source.read_again == 0
            assert contents(patched.network) == contents(read(hamlet, None).network)
            build(hamlet, tmp_path, from_rows_only=True)
            assert contents(read(hamlet, tmp_path).network) == contents(patched.network)
    assert read_again > 0


def test_what_falls_due_by_the_calendar_is_read_again(hamlet: Hamlet, tmp_path: Path) -> None:
    short = hamlet.day + 3 * DAY
    hamlet.vouch("m0", "m7", 33).expires_on = short
    hamlet.session.commit()
    build(hamlet, tmp_path)
    pair = (hamlet.people["m0"].id, hamlet.people["m7"].id)
    for on, room in ((short, 33), (short + DAY, None)):
        found = read(hamlet, tmp_path, on)
        assert found.source.version is not None
        assert contents(found.network)[1].get(pair) == room
        assert contents(found.network) == contents(read(hamlet, None, on).network)
    # What a file says of a later day does not hold for an earlier one.
    assert read(hamlet, tmp_path, hamlet.day - DAY).source.version is None


def test_what_is_not_committed_is_seen_by_nobody_else(
    hamlet: Hamlet, engine: Engine, tmp_path: Path
) -> None:
    build(hamlet, tmp_path)
    before = contents(read(hamlet, tmp_path).network)
    standing = hamlet.session.scalars(
        select(Standing).where(Standing.member_id == hamlet.people["m3"].id)
    ).one()
    standing.overdue_since_on = hamlet.day
    hamlet.session.flush()
    mine = networks.read_network(
        hamlet.session, community_id=hamlet.community.id, on=hamlet.day, folder=tmp_path
    )
    assert contents(mine.network)[0].get(hamlet.people["m3"].id) is None
    if engine.dialect.name == "postgresql":
        with session_factory(engine)() as other:
            assert contents(read(hamlet, tmp_path, session=other).network) == before
    hamlet.session.commit()
    assert contents(read(hamlet, tmp_path).network) == contents(mine.network)


def test_a_lost_or_broken_file_is_no_wrong_answer(hamlet: Hamlet, tmp_path: Path) -> None:
    built = build(hamlet, tmp_path)
    file = tmp_path / str(hamlet.community.id) / f"{built.version}.network"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert read(hamlet, tmp_path).source == networks.Source()
    file.unlink()
    assert read(hamlet, tmp_path).source == networks.Source()
    again = build(hamlet, tmp_path)
    assert again.version != built.version
    assert read(hamlet, tmp_path).source.version == again.version


def test_a_build_that_fails_leaves_the_old_file_in_force(hamlet: Hamlet, tmp_path: Path) -> None:
    built = build(hamlet, tmp_path)
    hamlet.vouch("m0", "m7", 33)
    networks.build_network(
        hamlet.session,
        community_id=hamlet.community.id,
        on=hamlet.day,
        now=hamlet.now,
        folder=tmp_path,
    )
    hamlet.session.rollback()
    found = read(hamlet, tmp_path)
    assert found.source.version == built.version
    assert found.source.read_again > 0
    assert contents(found.network) == contents(read(hamlet, None).network)


def test_old_files_go_but_the_one_that_somebody_may_just_be_opening(
    hamlet: Hamlet, tmp_path: Path
) -> None:
    versions = [build(hamlet, tmp_path).version for _ in range(4)]
    left = {path.stem for path in (tmp_path / str(hamlet.community.id)).iterdir()}
    assert left == set(versions[-2:])


def test_communities_without_a_file_pay_nothing(hamlet: Hamlet, tmp_path: Path) -> None:
    other = hamlet.do(
        communities.create_community,
        kind=CommunityKind.REGION,
        name="Beyond the hill",
        reference="beyond",
        currency="CNY",
        now=hamlet.now,
        actor_id=None,
    )
    build_networks(hamlet.session, communities=[other.id], folder=tmp_path, **hamlet.when)
    hamlet.vouch("m0", "m7", 33)
    assert hamlet.session.scalars(select(TrustChange)).all() == []
    build(hamlet, tmp_path)
    hamlet.vouch("m0", "m8", 33)
    noted = hamlet.session.scalars(select(TrustChange)).all()
    assert {note.community_id for note in noted} == {hamlet.community.id}
    assert {note.member_id for note in noted} == {hamlet.people["m0"].id}


def test_the_first_build_waits_for_those_who_are_writing(
    hamlet: Hamlet, engine: Engine, tmp_path: Path
) -> None:
    """Without the wait, what they write would be neither noted nor in the file."""
    if engine.dialect.name == "sqlite":
        # One writer at a time: whoever writes keeps `begin_building` itself waiting.
        return
    member = hamlet.people["m4"].id
    with session_factory(engine)() as writer:
        writer.execute(
            text("UPDATE standings SET stake_minor = stake_minor + 7 WHERE member_id = :member"),
            {"member": member},
        )
        built = threading.Thread(target=_build_elsewhere, args=(engine, hamlet, tmp_path))
        built.start()
        _until_somebody_waits(engine)
        writer.commit()
        built.join(timeout=30)
    assert contents(read(hamlet, tmp_path).network)[0][member] == 104 + 7


def _build_elsewhere(engine: Engine, hamlet: Hamlet, folder: Path) -> None:
    with session_factory(engine)() as session:
        elsewhere = Hamlet.__new__(Hamlet)
        elsewhere.session, elsewhere.day, elsewhere.community = (
            session,
            hamlet.day,
            hamlet.community,
        )
        build(elsewhere, folder)


def _until_somebody_waits(engine: Engine) -> None:
    with engine.connect() as connection:
        for _ in range(100_000):
            waiting = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            connection.rollback()
            if waiting:
                return
    raise AssertionError("nobody waited for the writer")


def test_a_writer_and_a_builder_at_once_lose_nothing(
    hamlet: Hamlet, engine: Engine, tmp_path: Path
) -> None:
    build(hamlet, tmp_path)
    ids = [hamlet.people[name].id for name in NAMES]
    hamlet.session.rollback()

    def assess(session: Session, turn: int) -> None:
        session.execute(
            text("UPDATE standings SET assessed_minor = :n WHERE member_id = :member"),
            {"n": turn, "member": ids[turn % len(ids)]},
        )

    def write() -> None:
        with session_factory(engine)() as session:
            for turn in range(60):
                run_unit(session, assess, turn)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        build(hamlet, tmp_path)
    writer.join()
    assert contents(read(hamlet, tmp_path).network) == contents(read(hamlet, None).network)
    build(hamlet, tmp_path)
    assert contents(read(hamlet, tmp_path).network) == contents(read(hamlet, None).network)
