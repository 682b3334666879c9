"""Who visits whom: what a drawing keeps to, for any group, any households, any round before."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from community.communities.charter import Purpose
from community.errors import Invalid
from community.monitoring.questions import QUESTIONS, check_answers
from community.monitoring.rota import draw
from community.monitoring.visits import sniff


@st.composite
def groups(draw_: st.DrawFn) -> tuple[dict[int, int | None], int]:
    size = draw_(st.integers(3, 12))
    homes = {
        member: draw_(st.one_of(st.none(), st.integers(100, 104))) for member in range(1, size + 1)
    }
    return homes, draw_(st.integers(0, 2**53))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(groups())
def test_rounds_keep_to_the_rules(group: tuple[dict[int, int | None], int]) -> None:
    homes, seed = group
    last: dict[int, int] = {}
    for number in range(4):
        pairs = draw(homes, last, seed + number)
        assert pairs == draw(dict(reversed(homes.items())), last, seed + number)
        if pairs is None:
            assert number == 0  # what was possible once is possible the other way round
            return
        # Spread evenly: everybody goes once and is gone to once.
        assert sorted(pairs) == sorted(pairs.values()) == sorted(homes)
        for visitor, visited in pairs.items():
            assert visitor != visited
            assert homes[visitor] is None or homes[visitor] != homes[visited]
            assert pairs[visited] != visitor
            assert last.get(visitor) != visited
        last = pairs


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.one_of(st.none(), st.integers(1, 3)), min_size=3, max_size=6), st.integers(0, 9))
def test_it_is_refused_only_when_no_circle_is_possible(homes: list[int | None], seed: int) -> None:
    """Compared with trying every circle."""
    given_ = dict(enumerate(homes))

    def fits(one: int, other: int) -> bool:
        return homes[one] is None or homes[one] != homes[other]

    possible = any(
        all(fits(a, b) for a, b in zip((0, *rest), (*rest, 0), strict=True))
        for rest in permutations(range(1, len(homes)))
    )
    assert (draw(given_, {}, seed) is not None) == possible


def test_seeds_differ_and_few_cannot_visit_each_other() -> None:
    homes = dict.fromkeys(range(8))
    assert len({tuple(sorted((draw(homes, {}, seed) or {}).items())) for seed in range(20)}) > 15
    assert draw({1: None, 2: None}, {}, 0) is None
    assert draw({1: 7, 2: 7, 3: 7}, {}, 0) is None
    assert len(draw(dict.fromkeys(range(100)), {}, 0) or {}) == 100


def test_every_question_is_answered() -> None:
    for purpose, asked in QUESTIONS.items():
        right = {question.key: True for question in asked}
        assert check_answers(purpose, right) == right
        assert all(question.en and question.zh for question in asked)
        for wrong in ({}, right | {"weather": True}, right | {asked[0].key: 1}):
            with pytest.raises(Invalid):
                check_answers(purpose, wrong)  # type: ignore[arg-type]
    assert set(QUESTIONS) == set(Purpose)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0 rest \xff\xd9", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n rest IEND\xaeB`\x82", "image/png"),
        (b"RIFF\x0c\0\0\0WEBPVP8 data", "image/webp"),
        (b"\xff\xd8\xff\xe0 cut off", None),
        (b"\x89PNG\r\n\x1a\n cut off", None),
        (b"RIFF\x0d\0\0\0WEBPVP8 data", None),
        (b"<svg onload=alert(1)>", None),
        (b"", None),
    ],
)
def test_a_picture_is_what_its_bytes_say(content: bytes, media_type: str | None) -> None:
    assert sniff(content) == media_type
