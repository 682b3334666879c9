"""A book in columns, for `graph.failing`: many failings at once. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from community.communities.charter import LiabilityMode
from community.risk.ahead import BPS, Book
from community.risk.losses import Loss
from graph.failing import (
    AS_AGREED,
    JOINT_AND_SEVERAL,
    NONE,
    PLEDGE_ONLY,
    SEVERAL,
    Failings,
    LoanWeb,
    fail_many,
)

MODES = {
    LiabilityMode.SEVERAL: SEVERAL,
    LiabilityMode.JOINT_AND_SEVERAL: JOINT_AND_SEVERAL,
    LiabilityMode.PLEDGE_ONLY: PLEDGE_ONLY,
    LiabilityMode.NONE: NONE,
}


class Columns:
    """The book once as arrays; `fail` says of many failings what `ahead.fail` says of one."""

    def __init__(self, book: Book, pays_bps: int) -> None:
        loans = sorted(book.loans, key=lambda loan: loan.loan_id)
        named = set(book.purses)
        for loan in loans:
            named.add(loan.borrower_id)
            for line in loan.lines:
                held = line.held
                named |= {
                    m for m in (held.owner_id, held.direct_id, held.outer_id) if m is not None
                }
            named |= {signed.guarantor_id for signed in loan.signed}
        self.members: NDArray[np.int64] = np.array(sorted(named), np.int64)
        at = {member: place for place, member in enumerate(self.members.tolist())}
        self.at: Mapping[int, int] = at
        self.loan_at = {loan.loan_id: place for place, loan in enumerate(loans)}
        vouch_at = {vouch: place for place, vouch in enumerate(book.rooms)}
        purses = [book.purses.get(member) for member in self.members.tolist()]
        lines = [line for loan in loans for line in loan.lines]
        signs = [sorted(loan.signed, key=lambda signed: signed.guarantor_id) for loan in loans]
        flat = [signed for listed in signs for signed in listed]

        def amounts(values: Sequence[int]) -> NDArray[np.int64]:
            return np.array(values, np.int64)

        def starts(sizes: Sequence[int]) -> NDArray[np.int64]:
            return np.concatenate([[0], np.cumsum(amounts(sizes))]).astype(np.int64)

        assessed = [0 if p is None else p.assessed_minor for p in purses]
        self.web = LoanWeb(
            stake=amounts([0 if p is None else p.stake_minor for p in purses]),
            assessed=amounts(assessed),
            reserved=amounts([0 if p is None else p.reserved_minor for p in purses]),
            hand=amounts([amount * pays_bps // BPS for amount in assessed]),
            is_overdue=np.array([p is not None and p.is_overdue for p in purses], bool),
            room=amounts(list(book.rooms.values())),
            borrower=amounts([at[loan.borrower_id] for loan in loans]),
            owed=amounts([loan.owed_minor for loan in loans]),
            mode=amounts([MODES[loan.mode] for loan in loans]),
            stake_first=np.array([loan.stake_first for loan in loans], bool),
            line_start=starts([len(loan.lines) for loan in loans]),
            owner=amounts([at[line.held.owner_id] for line in lines]),
            direct=amounts([_place(at, line.held.direct_id) for line in lines]),
            outer=amounts([_place(at, line.held.outer_id) for line in lines]),
            inner_vouch=amounts([_place(vouch_at, line.inner_vouch_id) for line in lines]),
            outer_vouch=amounts([_place(vouch_at, line.outer_vouch_id) for line in lines]),
            held=amounts([line.held.held_minor for line in lines]),
            sign_start=starts([len(listed) for listed in signs]),
            sign_member=amounts([at[signed.guarantor_id] for signed in flat]),
            sign_vouch=amounts([_place(vouch_at, signed.vouch_id) for signed in flat]),
            cap=amounts([signed.cap_minor for signed in flat]),
        )

    def fail(
        self,
        failing: Sequence[NDArray[np.int64]],
        *,
        called: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]] | None = None,
        mode: LiabilityMode | None = None,
        spread: bool = False,
        keep_paid: bool = False,
        threads: int = 1,
    ) -> Failings:
        """Places of those who fail, by scenario; `called` by place of the loan."""
        return fail_many(
            self.web,
            failing,
            called=called,
            mode=AS_AGREED if mode is None else MODES[mode],
            spread=spread,
            keep_paid=keep_paid,
            threads=threads,
        )

    def losses(self, failing: Sequence[frozenset[int]], threads: int = 1) -> list[Loss]:
        """The loss of each of many failings."""
        cases = [
            np.array(sorted(self.at[m] for m in members if m in self.at), np.int64)
            for members in failing
        ]
        told = self.fail(cases, keep_paid=True, threads=threads)
        who = self.members[told.paid_who].tolist()
        amounts, starts = told.paid_amount.tolist(), told.paid_start.tolist()
        return [
            Loss(lost, dict(zip(who[a:b], amounts[a:b], strict=True)))
            for lost, a, b in zip(told.lost.tolist(), starts[:-1], starts[1:], strict=True)
        ]


def _place(at: Mapping[int, int], id_: int | None) -> int:
    return -1 if id_ is None else at.get(id_, -1)
