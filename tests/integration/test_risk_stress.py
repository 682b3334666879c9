"""Stress tests: to the cent by hand, the same from the same seed, begun anew if one is gone."""

import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.charter import LiabilityMode
from community.engine import make_engine, session_factory
from community.loans.models import Loan
from community.products.service import add_season
from community.risk.errors import BadShock, StressUnderWay
from community.risk.models import (
    ShockKind,
    StressCall,
    StressDraw,
    StressMember,
    StressStatus,
    StressTest,
)
from community.risk.stress import Tally, summed_up
from community.risk.stress_service import (
    Asked,
    Begun,
    Worker,
    ask_stress,
    begin,
    finish,
    note_draws,
)
from tests.databases import database_like
from tests.hamlet import Hamlet
from tests.integration.test_risk_circles import an_bo_and_cai
from tests.killing import commands

ME = Worker("host/1/a", timedelta(minutes=5))
OTHER = Worker("host/2/b", timedelta(minutes=5))


def asked_for(hamlet: Hamlet, kind: ShockKind, draws: int = 1, **spec: Any) -> StressTest:
    return hamlet.do(
        ask_stress,
        community_id=hamlet.community.id,
        asked=Asked(kind, **spec),
        draws=draws,
        seed=7,
        actor_id=None,
        **hamlet.when,
    )


def taken(hamlet: Hamlet, worker: Worker = ME, test_id: int | None = None) -> Begun:
    begun = hamlet.do(begin, worker=worker, now=hamlet.now, test_id=test_id)
    assert begun is not None
    return begun


def worked(hamlet: Hamlet, begun: Begun, worker: Worker = ME, portion: int = 3) -> StressTest:
    tally, rows = Tally(), []
    while len(rows) < begun.draws:
        numbers = range(len(rows) + 1, min(len(rows) + portion, begun.draws) + 1)
        some = begun.stress.work(numbers, tally)
        rows += some
        hamlet.do(note_draws, test_id=begun.test_id, worker=worker, rows=some, now=hamlet.now)
    summary = summed_up(rows, tail_bps=begun.tail_bps)
    return hamlet.do(
        finish,
        test_id=begun.test_id,
        worker=worker,
        summary=summary,
        tally=tally,
        worst=begun.stress.calls(summary["worst_draw"]),
        now=hamlet.now,
    )


def drawn(session: Session, test: StressTest) -> list[tuple[int, ...]]:
    rows = session.scalars(
        select(StressDraw).where(StressDraw.test_id == test.id).order_by(StressDraw.number)
    )
    return [
        (r.number, r.failed, r.calls, r.ruined, r.pool_minor, r.reserve_minor, r.members_minor)
        for r in rows
    ]


def test_one_member_fails_to_the_cent(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    hamlet.fund(1, reserve=4_00)
    who = hamlet.people["an"].public_id
    test = asked_for(hamlet, ShockKind.MEMBER, members=(who,))
    worked(hamlet, taken(hamlet))
    # As in the example: Bo pays 20 and Cai 25 by hand, 15 are lost; the fund has 4 of them.
    assert drawn(db_session, test) == [(1, 1, 2, 0, 11_00, 4_00, 45_00)]
    paid = {
        row.member_id: (row.failed_draws, row.called_draws, row.ruined_draws, row.paid_sum_minor)
        for row in db_session.scalars(select(StressMember))
    }
    assert paid == {
        hamlet.people["an"].id: (1, 0, 0, 0),
        hamlet.people["bo"].id: (0, 1, 0, 20_00),
        hamlet.people["cai"].id: (0, 1, 0, 25_00),
    }
    calls = {
        row.guarantor_id: (row.amount_minor, row.paid_minor)
        for row in db_session.scalars(select(StressCall))
    }
    assert calls == {
        hamlet.people["bo"].id: (30_00, 20_00),
        hamlet.people["cai"].id: (30_00, 25_00),
    }
    assert test.result is not None
    assert test.result["lost"]["worst_minor"] == 15_00
    hamlet.check()


def test_spread_and_mode_change_what_happens(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    who = (hamlet.people["bo"].public_id,)
    # An's stake of 45 gives 40 for Bo: it is not gone, nobody follows. With pledge only as well:
    # Bo's own 10 are assessed, so lost.
    for mode in (None, LiabilityMode.PLEDGE_ONLY):
        test = asked_for(hamlet, ShockKind.MEMBER, members=who, mode=mode, spread=True)
        worked(hamlet, taken(hamlet))
        assert drawn(db_session, test)[0][-3:] == (10_00, 0, 40_00)
    pledge = asked_for(
        hamlet,
        ShockKind.MEMBER,
        members=(hamlet.people["an"].public_id,),
        mode=LiabilityMode.PLEDGE_ONLY,
    )
    worked(hamlet, taken(hamlet))
    # Bo and Cai have nothing locked: all 60 are lost.
    assert drawn(db_session, pledge)[0][-3:] == (60_00, 0, 0)


def test_the_same_seed_says_the_same_whoever_works_and_how(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    first = asked_for(hamlet, ShockKind.COMMON_FACTOR, draws=40)
    second = asked_for(hamlet, ShockKind.COMMON_FACTOR, draws=40)
    whole = worked(hamlet, taken(hamlet), portion=40)
    assert whole.id == first.id
    # Killed after two portions; its lease runs out, and another begins anew.
    begun = taken(hamlet)
    assert begun.test_id == second.id
    for numbers in (range(1, 4), range(4, 7)):
        some = begun.stress.work(numbers, Tally())
        hamlet.do(note_draws, test_id=second.id, worker=ME, rows=some, now=hamlet.now)
    assert (second.status, second.done_draws) == (StressStatus.RUNNING, 6)
    assert hamlet.do(begin, worker=OTHER, now=hamlet.now) is None
    with pytest.raises(StressUnderWay):
        taken(hamlet, OTHER, second.id)
    later = hamlet.now + timedelta(minutes=6)
    again = hamlet.do(begin, worker=OTHER, now=later)
    assert again is not None
    # The first one is not dead after all: what it brings is not taken any more.
    with pytest.raises(StressUnderWay):
        hamlet.do(note_draws, test_id=second.id, worker=ME, rows=[], now=later)
    done = worked(hamlet, again, OTHER, portion=7)
    assert (done.restarts, done.status) == (1, StressStatus.DONE)
    assert drawn(db_session, first) == drawn(db_session, second)
    assert first.result == second.result
    assert first.network_version == second.network_version
    # Other failures in other draws, and some in which nobody fails.
    assert len({row[1:] for row in drawn(db_session, first)}) > 1


def test_a_shock_that_hits_nobody_is_refused_by_what_it_lacks(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    for kind, given in (
        (ShockKind.MEMBER, {}),
        (ShockKind.CROP, {"fall_bps": 1_000}),
        (ShockKind.PRICE, {"crop": "rice"}),
        (ShockKind.COMMON_FACTOR, {"crop": "rice"}),
        (ShockKind.MEMBER, {"members": ("mem_0000000000000000",)}),
        (ShockKind.VILLAGE, {"village": "com_0000000000000000"}),
    ):
        with pytest.raises(BadShock):
            asked_for(hamlet, kind, **given)


def test_one_of_two_workers_takes_a_test(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        hamlet = an_bo_and_cai(session)
        asked_for(hamlet, ShockKind.COMMON_FACTOR)
        now = hamlet.now

    together = Barrier(2)

    def take(name: str) -> bool:
        worker = Worker(name, timedelta(minutes=5))
        with Session(engine) as session:
            together.wait()
            return run_unit(session, begin, worker=worker, now=now) is not None

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, ("a", "b"))) == [False, True]


def test_crop_price_and_village_to_the_cent(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    rice = hamlet.do(
        add_season,
        community_id=hamlet.community.id,
        code="rice",
        crop="rice",
        sow_from=hamlet.day,
        sow_until=hamlet.day,
        harvest_from=hamlet.day + timedelta(days=100),
        selling=[{"due_on": (hamlet.day + timedelta(days=120)).isoformat(), "weight": 1}],
        now=hamlet.now,
        actor_id=None,
    )
    loan = db_session.scalars(select(Loan).where(Loan.borrower_id == hamlet.people["an"].id)).one()
    loan.season_id = rice.id
    db_session.commit()
    found = {}
    for name, kind, spec in (
        ("crop", ShockKind.CROP, {"crop": "rice"}),
        ("price", ShockKind.PRICE, {"crop": "rice", "fall_bps": 5_000}),
        ("village", ShockKind.VILLAGE, {"village": hamlet.community.public_id}),
    ):
        test = asked_for(hamlet, kind, **spec)
        worked(hamlet, taken(hamlet))
        found[name] = drawn(db_session, test)[0]
    # An alone, as above. Half of his 60 short: Bo and Cai are asked 15 each and have it. All of
    # the village, Cai too: An's stake pays 40 of the 110, nobody else has anything locked.
    assert found == {
        "crop": (1, 1, 2, 0, 15_00, 0, 45_00),
        "price": (1, 1, 2, 0, 0, 0, 30_00),
        "village": (1, 4, 4, 0, 70_00, 0, 40_00),
    }


@pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
def test_a_killed_worker_changes_nothing_of_the_result(template_url: str, tmp_path: Path) -> None:
    """The process is killed between two portions, and another one says the same to the unit."""
    with database_like(template_url, tmp_path) as url:
        engine = make_engine(url, durable=False)
        with session_factory(engine)() as session:
            hamlet = an_bo_and_cai(session)
            names = [
                asked_for(hamlet, ShockKind.COMMON_FACTOR, draws=30).public_id for _ in range(2)
            ]
        with commands(url, hamlet.now, tmp_path) as run:
            work = ["risk", "work", "--portion", "5", "--test"]
            assert run([*work, names[0]]) == 0
            assert run([*work, names[1]], 60) == -signal.SIGKILL
            with session_factory(engine)() as session:
                half = session.scalars(select(StressTest).where(StressTest.public_id == names[1]))
                test = half.one()
                assert test.status is StressStatus.RUNNING
                assert 0 < test.done_draws < 30
            assert run([*work, names[1]]) == 0
        with session_factory(engine)() as session:
            first, second = (
                session.scalars(select(StressTest).where(StressTest.public_id == name)).one()
                for name in names
            )
            assert (second.status, second.restarts) == (StressStatus.DONE, 1)
            assert drawn(session, first) == drawn(session, second)
            assert first.result == second.result
        engine.dispose()
