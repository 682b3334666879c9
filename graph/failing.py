"""What happens when borrowers fail, many scenarios on one book: calls, payments, losses; exact.

The same calls in the same order as `graph.calls` makes them loan by loan, with the rounds that
follow when they are not paid; compiled, so that a thousand draws over a whole community are
seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graph.checks import count
from graph.errors import BadParameter

if TYPE_CHECKING:
    from graph.kernels.failing import Lent, Purses

Ints = NDArray[np.int64]

SEVERAL, JOINT_AND_SEVERAL, PLEDGE_ONLY, NONE = 0, 1, 2, 3
AS_AGREED = -1


@dataclass(frozen=True)
class LoanWeb:
    """A book of loans with cover, in columns. Members, vouches and loans are places from 0.

    Attributes
    ----------
    stake, assessed, reserved, hand : array of int, shape (n,)
        By member, in minor units: locked, assessed beside it, reserved of both, and what they
        would pay by hand. Places ascend with ids: ties go to the lower one.
    is_overdue : array of bool, shape (n,)
        Backs nothing new.
    room : array of int, shape (v,)
        By vouch: what could still be reserved on it.
    borrower, owed, mode : array of int, shape (l,)
        By loan, ids upwards; `mode` is SEVERAL, JOINT_AND_SEVERAL, PLEDGE_ONLY or NONE.
    stake_first : array of bool, shape (l,)
        Whether stake is set off at once.
    line_start : array of int, shape (l + 1,)
        The lines of loan i are ``line_start[i] … line_start[i + 1] - 1``, ids upwards.
    owner, direct, outer, inner_vouch, outer_vouch, held : array of int, shape (k,)
        By line: whose standing; the member who promised to the borrower and the vouch; who covers
        that one and the vouch; -1 where there is none; and the amount held.
    sign_start, sign_member, sign_vouch, cap : array of int
        Whom joint liability may ask, by loan and then by member; the vouch (-1: ended) and what is
        left of the signed cap.
    """

    stake: Ints
    assessed: Ints
    reserved: Ints
    hand: Ints
    is_overdue: NDArray[np.bool_]
    room: Ints
    borrower: Ints
    owed: Ints
    mode: Ints
    stake_first: NDArray[np.bool_]
    line_start: Ints
    owner: Ints
    direct: Ints
    outer: Ints
    inner_vouch: Ints
    outer_vouch: Ints
    held: Ints
    sign_start: Ints
    sign_member: Ints
    sign_vouch: Ints
    cap: Ints

    @property
    def n(self) -> int:
        """Members."""
        return int(self.stake.size)


@dataclass(frozen=True)
class Failings:
    """What each scenario comes to.

    Attributes
    ----------
    lost, paid, calls, ruined, failed : array of int, shape (scenarios,)
        Left unpaid to the lender; paid by members for others; calls made; members whose stake is
        gone without their having failed at first; all who failed.
    failed_of, called_of, ruined_of, paid_sum, paid_most : array of int, shape (n,)
        By member: in how many scenarios, and what they paid in all and at most.
    paid_start, paid_who, paid_amount : array of int
        Who paid what in scenario k: ``paid_start[k] … paid_start[k + 1] - 1``; empty unless asked.
    """

    lost: Ints
    paid: Ints
    calls: Ints
    ruined: Ints
    failed: Ints
    failed_of: Ints
    called_of: Ints
    ruined_of: Ints
    paid_sum: Ints
    paid_most: Ints
    paid_start: Ints
    paid_who: Ints
    paid_amount: Ints


def fail_many(
    web: LoanWeb,
    failing: Sequence[NDArray[Any]],
    *,
    called: Sequence[tuple[NDArray[Any], NDArray[Any]]] | None = None,
    mode: int = AS_AGREED,
    spread: bool = False,
    keep_paid: bool = False,
    threads: int = 1,
) -> Failings:
    """Let borrowers fail, each scenario by itself on the same book.

    What is owed is set off from the borrower's own stake, called from direct guarantors pro rata,
    then one vouch further out, then (joint and several) across: rounds until nobody is left to ask.
    A called member pays from stake where that is set off, then by hand; one who failed from stake
    alone.

    Parameters
    ----------
    web : LoanWeb
    failing : sequence of arrays of int
        Places of those who fail, by scenario.
    called : sequence of (loans, amounts), optional
        Per scenario, only these loans are asked at first, for these amounts (empty: all loans of
        those who fail, in full).
    mode : int
        As if every loan but those under NONE were under this liability. Default AS_AGREED.
    spread : bool
        Who loses a whole stake fails next, until nobody does.
    keep_paid : bool
        Keep who paid what in every scenario.
    threads : int
        >= 1. The answer does not hang on it.

    Returns
    -------
    Failings

    Raises
    ------
    BadParameter
        `threads` is below 1, or `called` has another number of scenarios.

    Notes
    -----
    O(loans that fail · their lines and calls) a scenario: nothing of the book's size is touched.
    A thread needs some hundred bytes a member, vouch and line.

    Examples
    --------
    >>> one = np.array([0]); none = np.zeros(0, np.int64); no = np.array([False, False])
    >>> web = LoanWeb(np.array([0, 6]), one.repeat(2), np.array([0, 6]), one.repeat(2), no,
    ...     np.array([4]), one, np.array([10]), one, np.array([True]), np.array([0, 1]),
    ...     np.array([1]), np.array([1]), np.array([-1]), one, np.array([-1]), np.array([6]),
    ...     np.array([0, 1]), np.array([1]), one, np.array([6]))
    >>> told = fail_many(web, [np.array([0])])
    >>> told.lost.tolist(), told.paid.tolist(), told.ruined.tolist()
    ([4], [6], [1])
    """
    count(threads, "threads", 1)
    if called is not None and len(called) != len(failing):
        raise BadParameter(f"{len(called)} lists of calls, but {len(failing)} scenarios")
    asked = called if called is not None else [(_NOTHING, _NOTHING)] * len(failing)
    bounds = np.linspace(0, len(failing), min(threads, max(len(failing), 1)) + 1).astype(int)
    slices = [slice(a, b) for a, b in pairwise(bounds.tolist())]
    lent, fresh = _prepared(web)
    jobs = [
        lambda part=part: _run(
            web, lent, fresh, failing[part], asked[part], mode, spread, keep_paid
        )
        for part in slices
    ]
    if len(jobs) == 1:
        parts = [jobs[0]()]
    else:
        with ThreadPoolExecutor(len(jobs)) as pool:
            parts = [job.result() for job in [pool.submit(job) for job in jobs]]
    return _joined(parts)


_NOTHING = np.zeros(0, np.int64)


def _prepared(web: LoanWeb) -> tuple[Lent, Purses]:
    from graph.kernels.failing import Lent, Purses

    by_borrower = np.argsort(web.borrower, kind="stable")
    loan_start = np.zeros(web.n + 1, np.int64)
    np.cumsum(np.bincount(web.borrower.astype(np.int64), minlength=web.n), out=loan_start[1:])
    pledged = np.zeros(web.n, np.int64)
    of_line = np.repeat(np.arange(web.owed.size), np.diff(web.line_start))
    only = web.mode[of_line] == PLEDGE_ONLY
    np.add.at(pledged, web.owner[only], web.held[only])
    lent = Lent(
        _own(web.borrower),
        _own(web.owed),
        _own(web.mode),
        web.stake_first.astype(bool),
        _own(web.line_start),
        _own(web.sign_start),
        _own(web.sign_vouch),
        _own(web.sign_member),
        loan_start,
        _own(by_borrower),
        web.stake > 0,
        web.is_overdue.astype(bool),
    )
    fresh = Purses(
        _own(web.stake),
        _own(web.assessed),
        _own(web.reserved),
        _own(web.hand),
        pledged,
        _own(web.room),
        _own(web.held),
        _own(web.cap),
    )
    return lent, fresh


def _run(
    web: LoanWeb,
    lent: Lent,
    fresh: Purses,
    failing: Sequence[NDArray[Any]],
    called: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    mode: int,
    spread: bool,
    keep_paid: bool,
) -> Failings:
    from graph.kernels import failing as kernel

    cases = len(failing)
    starts, members = _rows(failing)
    call_starts, loans = _rows([loans for loans, _ in called])
    _, amounts = _rows([amounts for _, amounts in called])
    figures = np.zeros((5, cases), np.int64)
    sums = np.zeros((5, web.n), np.int64)
    paid_start = np.zeros(cases + 1, np.int64)
    space, payers = 4_096, max(4_096, 8 * cases) if keep_paid else 0
    paid_who, paid_amount = np.empty(payers, np.int64), np.empty(payers, np.int64)
    done = 0
    while done < cases:
        work, purses = _work(web, fresh, space)
        done = kernel.run(
            lent,
            purses,
            fresh,
            work,
            web.owner.size,
            done,
            starts,
            members,
            call_starts,
            loans,
            amounts,
            mode,
            spread,
            figures,
            sums,
            paid_start,
            paid_who,
            paid_amount,
        )
        if done < cases:
            # No room for the next scenario: give it more, and go on with it.
            space *= 4
            if keep_paid:
                more = max(4_096, 2 * paid_who.size)
                paid_who = np.concatenate([paid_who, np.empty(more, np.int64)])
                paid_amount = np.concatenate([paid_amount, np.empty(more, np.int64)])
    used = int(paid_start[-1])
    return Failings(
        figures[0],
        figures[1],
        figures[2],
        figures[3],
        figures[4],
        sums[0],
        sums[1],
        sums[2],
        sums[3],
        sums[4],
        paid_start,
        paid_who[:used].copy(),
        paid_amount[:used].copy(),
    )


def _work(web: LoanWeb, fresh: Purses, space: int) -> tuple[Any, Purses]:
    from graph.kernels.failing import Purses, Work

    def places(size: int) -> Ints:
        return np.full(size, -1, np.int64)

    def more(column: NDArray[Any], fill: int) -> Ints:
        return np.concatenate([_own(column), np.full(space, fill, np.int64)])

    lines, loans, n = web.owner.size + space, web.owed.size, web.n
    flags, amounts = np.zeros, np.zeros
    work = Work(
        more(web.owner, -1),
        more(web.direct, -1),
        more(web.outer, -1),
        more(web.inner_vouch, -1),
        more(web.outer_vouch, -1),
        places(lines),
        places(space),
        places(space),
        places(space),
        amounts(space, np.int64),
        amounts(space, np.int64),
        flags(space, bool),
        flags(space, bool),
        places(space),
        places(space),
        places(4 * space),
        amounts(4 * space, np.int64),
        places(4 * space),
        amounts(loans, np.int64),
        amounts(loans, np.int64),
        places(loans),
        places(loans),
        places(loans),
        places(loans),
        places(loans),
        amounts(n, np.int64),
        flags(n, bool),
        flags(n, bool),
        flags(n, bool),
        flags(web.room.size, bool),
        amounts(6, np.int64),
        places(n),
        places(web.room.size),
    )
    held = np.concatenate([fresh.held, np.zeros(space, np.int64)])
    moving = {name: column.copy() for name, column in fresh._asdict().items()}
    purses = Purses(**moving | {"held": held})
    return work, purses


def _rows(lists: Sequence[NDArray[Any]]) -> tuple[Ints, NDArray[Any]]:
    starts = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([each.size for each in lists], out=starts[1:])
    joined = np.concatenate([_NOTHING, *lists]) if lists else _NOTHING
    return starts, np.ascontiguousarray(joined, np.int64)


def _own(column: NDArray[Any]) -> Ints:
    return np.array(column, np.int64)


def _joined(parts: Sequence[Failings]) -> Failings:
    if len(parts) == 1:
        return parts[0]
    starts, before = [np.zeros(1, np.int64)], 0
    for part in parts:
        starts.append(part.paid_start[1:] + before)
        before += int(part.paid_start[-1])

    def end_to_end(name: str) -> Ints:
        return np.concatenate([getattr(part, name) for part in parts])

    def in_all(name: str) -> Ints:
        whole: Ints = np.sum([getattr(part, name) for part in parts], axis=0)
        return whole

    return Failings(
        end_to_end("lost"),
        end_to_end("paid"),
        end_to_end("calls"),
        end_to_end("ruined"),
        end_to_end("failed"),
        in_all("failed_of"),
        in_all("called_of"),
        in_all("ruined_of"),
        in_all("paid_sum"),
        np.max([part.paid_most for part in parts], axis=0),
        np.concatenate(starts),
        end_to_end("paid_who"),
        end_to_end("paid_amount"),
    )
