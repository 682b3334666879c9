"""The credit limit of one borrower, on networks small enough to work by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from graph.errors import (
    BadCapacity,
    BadCertificate,
    BadParameter,
    CoverShort,
    DuplicateId,
    GraphError,
    SelfLoop,
    UnknownNode,
)
from graph.limits import (
    CoverPath,
    CutItem,
    Promise,
    Raise,
    check_certificate,
    cover_limit,
    cover_limits_all,
    reserve_cover,
    with_overlay,
)

# Ben has 5 himself. Ana (100) vouches 80 for Ben, Dan (20) vouches 50 for Ben.
# Cai (40) stands behind Ana with 30 and behind Dan with 25. Eve (60) stands behind Cai with 60.
#
#   own                        5
#   direct    Ana 80 of 80, Dan 20 of 50
#   second    Ana's promise is full; Cai -> Dan -> Ben: 25            (K = 2: 130)
#   third     Eve -> Cai -> Dan shares Cai's promise of 25: nothing   (K = 3: 130)
STANDINGS = {"ana": 100, "ben": 5, "cai": 40, "dan": 20, "eve": 60}
PROMISES = (
    Promise("a-b", "ana", "ben", 80, 1),
    Promise("d-b", "dan", "ben", 50, 2),
    Promise("c-a", "cai", "ana", 30, 3),
    Promise("c-d", "cai", "dan", 25, 4),
    Promise("e-c", "eve", "cai", 60, 5),
)


@pytest.mark.parametrize(
    "circle, value, split",
    [
        (0, 5, (5, 0, 0, 0)),
        (1, 105, (5, 100, 0, 0)),
        (2, 130, (5, 100, 25, 0)),
        (3, 130, (5, 100, 25, 0)),
        (None, 130, (5, 100, 25, 0)),
    ],
)
def test_the_limit_of_the_worked_network(circle, value, split):
    limit = cover_limit("ben", STANDINGS, PROMISES, circle=circle)
    assert limit.value == limit.optimum == value
    if circle is not None and circle <= 2:
        assert (limit.own, limit.direct, limit.second, limit.farther) == split
    assert check_certificate(limit, STANDINGS, PROMISES)


def test_the_paths_say_who_covers_how_much_through_whom():
    assert cover_limit("ben", STANDINGS, PROMISES).paths == (
        CoverPath("ben", (), 5),
        CoverPath("ana", ("a-b",), 80),
        CoverPath("dan", ("d-b",), 20),
        CoverPath("cai", ("c-d", "d-b"), 25, ("dan",)),
    )


def test_the_cut_is_the_bottleneck_nearest_to_the_borrower():
    cut = cover_limit("ben", STANDINGS, PROMISES).cut
    assert cut == (
        CutItem("promise", "a-b", 80),
        CutItem("promise", "c-d", 25),
        CutItem("standing", "ben", 5),
        CutItem("standing", "dan", 20),
    )
    assert sum(item.capacity for item in cut) == 130


def test_raises_name_each_promise_and_standing_that_would_lift_the_limit():
    # Ana has 20 left and Cai 15 more behind her, so a-b grown by 50 gives 35. Cai has 15 left
    # and Dan's promise 5: c-d gives 5, and so does Dan's standing. Ben's own gives all.
    assert cover_limit("ben", STANDINGS, PROMISES).raises(50) == (
        Raise("standing", "ben", 50),
        Raise("promise", "a-b", 35),
        Raise("promise", "c-d", 5),
        Raise("standing", "dan", 5),
    )


def test_asking_what_would_raise_the_limit_leaves_the_answer_as_it_was():
    limit = cover_limit("ben", STANDINGS, PROMISES)
    first = limit.raises(10)
    assert limit.raises(10) == first
    assert limit == cover_limit("ben", STANDINGS, PROMISES)


def test_a_promise_with_no_room_left_would_raise_the_limit_with_all_that_stands_behind_it():
    # U has nothing; W stands behind U with 40. U's promise to B is used up.
    promises = [Promise(1, "u", "b", 0), Promise(2, "w", "u", 40)]
    limit = cover_limit("b", {"b": 0, "w": 90}, promises)
    assert limit.value == 0
    assert limit.raises(100) == (Raise("standing", "b", 100), Raise("promise", 1, 40))


def test_one_standing_serves_both_roles_but_counts_once():
    # W vouches for B and for U; W's 10 may go either way, not both.
    promises = [Promise(1, "w", "b", 10), Promise(2, "w", "u", 10), Promise(3, "u", "b", 10)]
    assert cover_limit("b", {"w": 10}, promises).value == 10
    assert cover_limit("b", {"w": 15}, promises).value == 15


def test_parallel_promises_of_two_kinds_add_up_and_stay_apart():
    promises = [Promise("personal", "u", "b", 10, 2), Promise("group", "u", "b", 7, 1)]
    limit = cover_limit("b", {"u": 100}, promises)
    assert limit.value == 17
    assert {path.promises: path.amount for path in limit.paths} == {
        ("group",): 7,
        ("personal",): 10,
    }


def test_a_path_never_passes_through_the_borrower():
    # B stands behind U with their own 50: that cannot come back to B over U.
    promises = [Promise(1, "b", "u", 50), Promise(2, "u", "b", 50)]
    for circle in (2, 3, None):
        limit = cover_limit("b", {"b": 50, "u": 0}, promises, circle=circle)
        assert (limit.value, limit.own) == (50, 50)


def test_three_vouches_reach_where_two_do_not():
    promises = [Promise(1, "x", "w", 9), Promise(2, "w", "u", 8), Promise(3, "u", "b", 7)]
    values = [cover_limit("b", {"x": 6, "b": 0}, promises, circle=k).value for k in (0, 1, 2, 3)]
    assert values == [0, 0, 0, 6]
    limit = cover_limit("b", {"x": 6, "b": 0}, promises, circle=3)
    assert limit.paths == (CoverPath("x", (1, 2, 3), 6, ("w", "u")),)
    assert limit.farther == 6
    # U's promise to B has 1 left, and any standing on the way could use it.
    assert limit.raises(10) == (
        Raise("standing", "b", 10),
        Raise("standing", "u", 1),
        Raise("standing", "w", 1),
        Raise("standing", "x", 1),
    )


def test_with_three_vouches_the_optimum_may_be_a_fraction_and_the_value_is_rounded_down():
    # Every promise carries 1. Y's promise to A is wanted by Y->A->B, X->Y->A->B and Y->A->E->B,
    # A's promise to B also by Y->F->A->B, and Y has 2 to give, one of them to D.
    chains = ["ab", "ae", "eb", "cb", "dc", "xy", "ya", "yd", "yf", "fa"]
    promises = [Promise(pair, pair[0], pair[1], 1) for pair in chains]
    standings = {"b": 0, "x": 1, "y": 2}
    limit = cover_limit("b", standings, promises, circle=3)
    assert limit.optimum == Fraction(5, 2)
    assert limit.value == 2
    assert sum(path.amount for path in limit.paths) == Fraction(5, 2)
    assert {item.price for item in limit.cut} == {Fraction(1, 2), 1}
    assert check_certificate(limit, standings, promises)
    assert cover_limit("b", standings, promises, circle=None).value == 3


def test_with_three_vouches_amounts_of_very_different_size_stay_exact():
    rng = random.Random(7)
    for _ in range(40):
        sizes = [1, 2, 3, 10**9 + 7, 10**12 + 1]
        promises = [
            Promise((u, v), u, v, rng.choice(sizes))
            for u in range(10)
            for v in range(10)
            if u != v and rng.random() < 0.35
        ]
        standings = {m: rng.choice([0, *sizes]) for m in range(10)}
        limit = cover_limit(0, standings, promises, circle=3)
        assert check_certificate(limit, standings, promises)
        assert cover_limit(0, standings, promises).value <= limit.optimum


def test_a_member_on_their_own_has_the_limit_of_their_standing():
    for circle in (0, 1, 2, 3, None):
        limit = cover_limit("b", {"b": 7}, [], circle=circle)
        assert limit.value == 7
        assert check_certificate(limit, {"b": 7}, [])
    assert cover_limit("b", {"b": 0}, []).paths == ()


def test_what_if_this_neighbour_vouched_two_thousand_more():
    more = cover_limit("b", {"b": 0, "u": 5_000}, [], overlay=[Promise("new", "u", "b", 2_000)])
    assert more.value == 2_000
    grown = with_overlay(PROMISES, [Promise("a-b", "ana", "ben", 50)])
    assert cover_limit("ben", STANDINGS, grown).value == 130 + 35
    assert PROMISES[0].room == 80
    with pytest.raises(BadParameter, match="other members"):
        with_overlay(PROMISES, [Promise("a-b", "ana", "cai", 50)])


def test_amounts_beyond_64_bits_stay_exact():
    huge = 10**25 + 1
    limit = cover_limit("b", {"b": 0, "u": huge}, [Promise(1, "u", "b", huge)])
    assert limit.value == huge
    assert limit.raises(3) == (Raise("standing", "b", 3),)


# --- reserving ------------------------------------------------------------------------------


def test_cover_takes_own_standing_first_then_direct_then_two_hop():
    def split(amount):
        paths = reserve_cover("ben", STANDINGS, PROMISES, amount)
        assert sum(path.amount for path in paths) == amount
        return [sum(p.amount for p in paths if len(p.promises) == n) for n in (0, 1, 2)]

    assert split(0) == [0, 0, 0]
    assert split(4) == [4, 0, 0]
    assert split(90) == [5, 85, 0]
    assert split(130) == [5, 100, 25]


def test_among_equals_the_larger_standing_covers_then_the_older_vouch_then_the_lower_id():
    one_each = [Promise(1, "x", "b", 10, 2), Promise(2, "y", "b", 10, 1)]
    assert reserve_cover("b", {"x": 30, "y": 20}, one_each, 10) == (CoverPath("x", (1,), 10),)
    assert reserve_cover("b", {"x": 20, "y": 20}, one_each, 10) == (CoverPath("x", (1,), 10),)
    # One voucher with two promises: the older one carries.
    two = [Promise(1, "x", "b", 10, 2), Promise(2, "x", "b", 10, 1)]
    assert reserve_cover("b", {"x": 30}, two, 12) == (
        CoverPath("x", (2,), 10),
        CoverPath("x", (1,), 2),
    )
    same_age = [replace(p, age_rank=0) for p in two]
    assert reserve_cover("b", {"x": 30}, same_age, 10) == (CoverPath("x", (1,), 10),)


def test_fewer_vouches_win_over_a_larger_standing():
    promises = [Promise(1, "u", "b", 100), Promise(2, "w", "u", 100), Promise(3, "v", "b", 5)]
    paths = reserve_cover("b", {"u": 0, "w": 1_000, "v": 3}, promises, 10)
    assert [(p.standing_of, p.amount) for p in paths] == [("v", 3), ("w", 7)]


def test_short_cover_is_refused_with_the_limit():
    with pytest.raises(CoverShort) as refusal:
        reserve_cover("ben", STANDINGS, PROMISES, 131)
    assert (refusal.value.amount, refusal.value.limit) == (131, 130)
    assert isinstance(refusal.value, GraphError)


@pytest.mark.parametrize("circle", [3, None, -1, True, 1.0])
def test_cover_is_reserved_along_at_most_two_vouches(circle):
    with pytest.raises(BadParameter):
        reserve_cover("ben", STANDINGS, PROMISES, 1, circle=circle)


# --- many borrowers -------------------------------------------------------------------------


def test_limits_of_all_are_those_of_each():
    assert cover_limits_all(STANDINGS, PROMISES) == {
        member: cover_limit(member, STANDINGS, PROMISES).value for member in STANDINGS
    }
    assert cover_limits_all(STANDINGS, PROMISES, borrowers=["ben"], circle=3) == {"ben": 130}
    assert cover_limits_all({}, []) == {}


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [-1, 1.0, 2.5, float("nan"), float("inf"), True, "5", None])
def test_a_number_that_is_no_whole_amount_is_refused(bad):
    with pytest.raises(BadCapacity):
        Promise(1, "u", "b", bad)
    for ask in (cover_limit, lambda b, s, p: reserve_cover(b, s, p, 1)):
        with pytest.raises(BadCapacity):
            ask("b", {"b": bad}, [])
    with pytest.raises(BadCapacity):
        cover_limits_all({"b": bad}, [])
    with pytest.raises(BadCapacity):
        reserve_cover("b", {"b": 1}, [], bad)
    with pytest.raises(BadCapacity):
        cover_limit("b", {"b": 1}, []).raises(bad)


def test_a_numpy_integer_is_a_whole_amount():
    promise = Promise(1, "u", "b", np.int64(4))
    assert type(promise.room) is int
    limit = cover_limit("b", {"u": np.int32(3), "b": 0}, [promise])
    assert type(limit.value) is int
    assert limit.value == 3


def test_what_makes_no_sense_is_refused_by_name():
    with pytest.raises(SelfLoop, match="'u'"):
        Promise(1, "u", "u", 5)
    with pytest.raises(BadParameter, match="age_rank"):
        Promise(1, "u", "b", 5, float("nan"))
    with pytest.raises(UnknownNode, match="'stranger'"):
        cover_limit("stranger", STANDINGS, PROMISES)
    with pytest.raises(UnknownNode):
        cover_limits_all(STANDINGS, PROMISES, borrowers=["stranger"])
    with pytest.raises(UnknownNode):
        reserve_cover("stranger", STANDINGS, PROMISES, 1)
    with pytest.raises(DuplicateId):
        cover_limit("ben", STANDINGS, [*PROMISES, PROMISES[0]])
    with pytest.raises(BadParameter, match="at least 1"):
        cover_limit("ben", STANDINGS, PROMISES).raises(0)
    for circle in (-1, 1.5, True, "2"):
        with pytest.raises(BadParameter, match="circle"):
            cover_limit("ben", STANDINGS, PROMISES, circle=circle)


# --- the certificate can say no -------------------------------------------------------------


def test_a_certificate_that_does_not_hold_is_named():
    limit = cover_limit("ben", STANDINGS, PROMISES)
    first, *rest = limit.paths
    wrong = {
        "sum to the limit": replace(limit, paths=tuple(rest)),
        "more than their standing": replace(
            limit, own=6, optimum=131, paths=(replace(first, amount=6), *rest)
        ),
        "worth": replace(limit, cut=limit.cut[1:]),
        "has promise 'a-b' wrong": replace(
            limit, cut=(replace(limit.cut[0], capacity=81), *limit.cut[1:])
        ),
        "past the cut": replace(
            limit,
            cut=(
                replace(limit.cut[0], price=0),
                replace(limit.cut[1], price=Fraction(21, 5)),
                *limit.cut[2:],
            ),
        ),
        "too long": replace(limit, circle=1),
        "does not continue": replace(limit, paths=(replace(first, promises=("c-d",)), *rest)),
        "rounded down": replace(limit, value=131),
    }
    for reason, claim in wrong.items():
        with pytest.raises(BadCertificate, match=reason):
            check_certificate(claim, STANDINGS, PROMISES)
    tighter = [replace(PROMISES[0], room=79), *PROMISES[1:]]
    with pytest.raises(BadCertificate, match="more than its room"):
        check_certificate(limit, STANDINGS, tighter)
