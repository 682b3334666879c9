"""What would shrink a circle, with its effect: the same losses, worked out anew on a changed book.

- replace a vouch: somebody from outside, with locked stake, stands where a member stood;
- lock stake: a member locks what they stand for on their assessment alone;
- cap a vouch: what of a promise is not in use can no longer be asked (joint liability).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from community.communities.charter import LiabilityMode
from community.guarantees.plan import HeldLine
from community.risk.ahead import Book, CoveredLine, LoanOut, Purse, Signed
from community.risk.losses import Cost, Reckoner, is_joint

# Tried per circle and kind; the largest first.
_TRIED = 3
# Nobody's id: rows count from 1.
OUTSIDER = -1


class ActionKind(StrEnum):
    REPLACE_VOUCH = "replace_vouch"
    LOCK_STAKE = "lock_stake"
    CAP_VOUCH = "cap_vouch"


@dataclass(frozen=True, slots=True)
class Action:
    """A change, and what the circle would cost with it."""

    kind: ActionKind
    amount_minor: int
    vouch_id: int | None
    member_id: int | None
    before: Cost
    after: Cost
    # Expected to be paid by whoever steps in: it has not gone, it has moved out of the circle.
    moved_minor: int

    @property
    def expected_change_bps(self) -> int:
        return change_bps(self.before.expected_minor, self.after.expected_minor - self.moved_minor)

    @property
    def pool_change_bps(self) -> int:
        return change_bps(self.before.expected_pool_minor, self.after.expected_pool_minor)

    @property
    def worst_change_bps(self) -> int:
        moved = self.after.worst_paid.get(OUTSIDER, 0)
        return change_bps(self.before.worst_minor, self.after.worst_minor - moved)


def suggest(reckoner: Reckoner, members: Sequence[int], *, most: int = _TRIED) -> list[Action]:
    """The changes that lower what the circle is expected to cost or costs at worst.

    What helps the pool most comes first: what others pay has not gone, it lies with somebody else.
    """
    inside = frozenset(members)
    book = reckoner.book.part(inside)
    before = reckoner.cost(inside)
    found = []
    for kind, subject, amount, changed in _changes(book, inside, most):
        other = reckoner.on(changed)
        after = other.cost(inside)
        moved = 0
        if kind is ActionKind.REPLACE_VOUCH:
            without = without_outsider(other, inside)
            moved = after.expected_members_minor - without
        action = Action(
            kind,
            amount,
            None if kind is ActionKind.LOCK_STAKE else subject,
            subject if kind is ActionKind.LOCK_STAKE else None,
            before,
            after,
            moved,
        )
        if action.expected_change_bps < 0 or (
            action.expected_change_bps == 0 and action.worst_change_bps < 0
        ):
            found.append(action)
    found.sort(
        key=lambda action: (
            action.after.expected_pool_minor,
            action.expected_change_bps,
            action.worst_change_bps,
            action.kind,
            action.vouch_id or action.member_id or 0,
        )
    )
    return found[:most]


def without_outsider(reckoner: Reckoner, inside: frozenset[int]) -> int:
    """Expected loss to members, leaving out whoever steps in from outside."""
    for key, loss in reckoner.known.items():
        paid = {member: amount for member, amount in loss.paid.items() if member != OUTSIDER}
        reckoner.known[key] = replace(loss, paid=paid)
    return reckoner.cost(inside).expected_members_minor


def _changes(
    book: Book, inside: frozenset[int], most: int
) -> Iterable[tuple[ActionKind, int, int, Book]]:
    held: dict[int, int] = {}
    bare: dict[int, int] = {}
    for loan in book.loans:
        for line in loan.lines:
            for vouch in (line.inner_vouch_id, line.outer_vouch_id):
                giver = line.held.owner_id if vouch == line.outer_vouch_id else line.held.direct_id
                if vouch is not None and giver in inside:
                    held[vouch] = held.get(vouch, 0) + line.held.held_minor
            owner = line.held.owner_id
            if owner in inside:
                bare[owner] = bare.get(owner, 0) + line.held.held_minor
    for vouch, amount in _largest(held, most):
        yield ActionKind.REPLACE_VOUCH, vouch, amount, replaced(book, vouch, amount)
    for member in list(bare):
        purse = book.purses.get(member)
        bare[member] = (
            0 if purse is None else min(bare[member] - purse.stake_minor, purse.assessed_minor)
        )
    for member, amount in _largest(bare, most):
        yield ActionKind.LOCK_STAKE, member, amount, stake_locked(book, member, amount)
    if is_joint(book, inside):
        unused = {
            signed.vouch_id: book.rooms.get(signed.vouch_id, 0)
            for loan in book.loans
            if loan.mode is LiabilityMode.JOINT_AND_SEVERAL
            for signed in loan.signed
            if signed.guarantor_id in inside
        }
        for vouch, amount in _largest(unused, most):
            yield (
                ActionKind.CAP_VOUCH,
                vouch,
                amount,
                Book(book.purses, book.loans, {**book.rooms, vouch: 0}, book.whole_pledged),
            )


def replace_purses(book: Book, purses: dict[int, Purse]) -> Book:
    """The same book with these purses in it."""
    return Book({**book.purses, **purses}, book.loans, book.rooms, book.whole_pledged)


def stake_locked(book: Book, member: int, amount: int) -> Book:
    """So much of what was assessed of a member is locked as stake."""
    purse = book.purses[member]
    locked = replace(
        purse,
        stake_minor=purse.stake_minor + amount,
        assessed_minor=purse.assessed_minor - amount,
    )
    return replace_purses(book, {member: locked})


def replaced(book: Book, vouch: int, amount: int) -> Book:
    """Whatever rests on a vouch rests on the locked stake of somebody from outside."""
    loans = tuple(_replaced_in(loan, vouch) for loan in book.loans)
    # Of several vouches that are replaced, one from outside stands for all.
    known = book.purses.get(OUTSIDER, Purse(0, 0, 0))
    outsider = Purse(known.stake_minor + amount, 0, known.reserved_minor + amount)
    pledged = dict(book.pledged)
    for loan, before in zip(loans, book.loans, strict=True):
        if loan.mode is LiabilityMode.PLEDGE_ONLY:
            for line, old in zip(loan.lines, before.lines, strict=True):
                if line.held.owner_id != old.held.owner_id:
                    pledged[old.held.owner_id] -= line.held.held_minor
                    pledged[OUTSIDER] = pledged.get(OUTSIDER, 0) + line.held.held_minor
    return Book({**book.purses, OUTSIDER: outsider}, loans, book.rooms, pledged)


def _replaced_in(loan: LoanOut, vouch: int) -> LoanOut:
    lines = []
    caps = 0
    for line in loan.lines:
        held = line.held
        if line.inner_vouch_id == vouch:
            new = HeldLine(held.line_id, OUTSIDER, OUTSIDER, None, held.held_minor)
            lines.append(CoveredLine(new, vouch, None))
            caps += held.held_minor
        elif line.outer_vouch_id == vouch:
            new = HeldLine(held.line_id, OUTSIDER, held.direct_id, OUTSIDER, held.held_minor)
            lines.append(CoveredLine(new, line.inner_vouch_id, vouch))
        else:
            lines.append(line)
    signed = tuple(
        Signed(vouch, OUTSIDER, caps) if each.vouch_id == vouch else each for each in loan.signed
    )
    return replace(loan, lines=tuple(lines), signed=signed)


def _largest(amounts: dict[int, int], most: int) -> list[tuple[int, int]]:
    some = [(subject, amount) for subject, amount in amounts.items() if amount > 0]
    return sorted(some, key=lambda item: (-item[1], item[0]))[:most]


def change_bps(before: int, after: int) -> int:
    """In ten-thousandths of what it was, towards zero."""
    if not before:
        return 0
    part = (after - before) * 10_000
    return part // before if part >= 0 else -(-part // before)
