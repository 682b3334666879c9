"""A small life in which something is planted: the platform finds it, and the same life twice."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import create_app
from app.simulation.assumed import ASSUMED
from app.simulation.plan import Kind
from app.simulation.run import Options, Part, breaches, databases, live_part, summed_up, told
from config.settings import Settings
from tests.databases import make_tables
from tests.keys import KEYS

NOW = datetime(2024, 1, 1, 1, 0, tzinfo=UTC)

# Two hamlets over fourteen weeks: a ring that borrows early, everything else as in a long life.
SMALL = replace(
    ASSUMED,
    founders=26,
    friends_groups=1,
    newcomers=2,
    rings=1,
    ring_size=(4, 4),
    ring_borrows_on=(50, 50),
    ring_borrowers=1.0,
    review_on=(8,),
    reviewers=6,
    resettled_villages=0,
    panel_size=(3, 3),
)
OPTIONS = Options(seed=9, villages=2, days=98, close_every=14, assumed=SMALL)


def lived(folder: Path, number: int, parts: int) -> tuple[Part, list[str]]:
    """A share of the villages, and the laws that are broken at the end."""
    folder.mkdir()
    url = f"sqlite:///{folder / 'life.sqlite3'}"
    make_tables(url)
    settings = Settings(
        database_url=url,
        database_durable=False,
        secret_key="of no use outside of this test suite",
        log_level="WARNING",
        var_dir=folder,
        fixed_now=NOW,
        **KEYS,
    )
    app = create_app(settings, features=())
    return live_part(app, OPTIONS, number, parts, lambda line: None), breaches(app)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[Part, list[str]]:
    return lived(tmp_path_factory.mktemp("life") / "whole", 0, 1)


@pytest.fixture(scope="module")
def part(life: tuple[Part, list[str]]) -> Part:
    return life[0]


def test_the_planted_ring_is_found_before_it_costs_anything(part: Part) -> None:
    outcome = summed_up(OPTIONS, [part], 0.0)
    [ring] = [seen for seen in outcome.score.seen if seen.planted.kind is Kind.RING]
    assert "self_dealing" in dict(ring.rules)
    assert ring.in_time
    text = "\n".join(told(outcome))
    assert "ring 1" in text
    assert "all laws hold" in text


def test_a_life_is_lived_by_the_services_and_the_laws_hold(life: tuple[Part, list[str]]) -> None:
    part, broken = life
    assert broken == []
    assert part.loans > 4
    # Every fourteenth day, and the last one.
    assert part.days_worked == 2 * 8


def test_the_same_seed_finds_the_same(part: Part, tmp_path: Path) -> None:
    """The second village once more, alone in its database, in which it comes first."""
    again, _ = lived(tmp_path / "again", 1, 2)
    there = [finding for finding in part.findings if finding.village == 1]
    assert there
    assert again.findings == there
    assert again.losses == [loss for loss in part.losses if loss.village == 1]
    # What reviewers find hangs on who was drawn for whom.
    assert again.asked_in_reviews


def test_each_process_has_a_fresh_file_unless_a_database_is_named(tmp_path: Path) -> None:
    served = Settings(var_dir=tmp_path).completed()
    (tmp_path / "simulation-3-1.sqlite3").write_text("what an earlier run left")
    assert databases(served, 3, 2) == [
        f"sqlite:///{tmp_path}/simulation-3-{number}.sqlite3" for number in (1, 2)
    ]
    assert not (tmp_path / "simulation-3-1.sqlite3").exists()
    named = replace(served, database_url="postgresql://db/lives")
    assert databases(named, 3, 2) == ["postgresql://db/lives"] * 2
