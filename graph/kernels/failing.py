"""Loans that fail together: who is called, who pays, what is left; one scenario after another.

Lines of a loan stand in the order of their ids, members' places in the order of theirs. A scenario
begins from the same amounts every time: what it touched is put back when it is done.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled, compiled_inside
from graph.kernels.calls import split

Ints = NDArray[np.int64]
# Places too are 64 bits: every loop is then compiled once, for one kind of number.
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

SEVERAL, JOINT, PLEDGE, NONE = 0, 1, 2, 3
OWN, DIRECT, SECOND, ACROSS = 0, 1, 2, 3


class Lent(NamedTuple):
    """What does not change: loans, their lines, and whom joint liability may ask."""

    borrower: Places
    owed: Ints
    mode: Places
    stake_first: Flags
    line_start: Ints
    sign_start: Ints
    sign_vouch: Places  # -1: ended
    sign_member: Places
    loan_start: Ints  # loans by borrower
    loan_of: Places
    had_stake: Flags
    is_overdue: Flags


class Purses(NamedTuple):
    """Amounts that move: by member, by vouch, by line, by signature."""

    stake: Ints
    assessed: Ints
    reserved: Ints
    hand: Ints
    pledged: Ints
    room: Ints
    held: Ints
    cap: Ints


class Work(NamedTuple):
    """What a scenario writes down, with room for so many calls, items and further lines."""

    owner: Places
    direct: Places
    outer: Places
    inner_vouch: Places
    outer_vouch: Places
    line_next: Places
    call_loan: Places
    call_who: Places
    call_ground: Places
    call_amount: Ints
    call_paid: Ints
    call_pending: Flags
    call_lapsed: Flags
    call_next: Places
    call_item: Places
    item_line: Places
    item_open: Ints
    item_next: Places
    # By loan: what is left, what is not asked, its first and last call and further line, its mode.
    debt: Ints
    rest: Ints
    first_call: Places
    last_call: Places
    first_line: Places
    last_line: Places
    now_mode: Places
    # By member: paid for others, called, failed, noted; by vouch: noted.
    paid: Ints
    called: Flags
    failed: Flags
    seen: Flags
    vouch_seen: Flags
    # How much is used of each: calls, items, lines, members seen, vouches seen, overflow.
    used: Ints
    members: Places
    vouches: Places


@compiled_inside
def within(total: np.int64, weights: Ints) -> Ints:
    """Pro rata parts of a total, never more than the weights hold."""
    parts = np.zeros(weights.size, np.int64)
    whole = weights.sum()
    asked = min(max(total, np.int64(0)), whole)
    if asked == whole:
        parts[:] = weights
    elif asked > 0:
        split(asked, weights, parts)
    return parts


@compiled_inside
def see(work: Work, member: int) -> None:
    if not work.seen[member]:
        work.seen[member] = True
        work.members[work.used[3]] = member
        work.used[3] += 1


@compiled_inside
def add_room(purses: Purses, work: Work, vouch: int, amount: np.int64) -> None:
    if vouch < 0:
        return
    if not work.vouch_seen[vouch]:
        work.vouch_seen[vouch] = True
        work.vouches[work.used[4]] = vouch
        work.used[4] += 1
    purses.room[vouch] += amount


@compiled_inside
def lines_of(lent: Lent, work: Work, loan: int) -> Ints:
    """The loan's lines, and those that joint liability added to it."""
    start, end = lent.line_start[loan], lent.line_start[loan + 1]
    more = 0
    line = work.first_line[loan]
    while line >= 0:
        more += 1
        line = work.line_next[line]
    found = np.empty(end - start + more, np.int64)
    for k in range(end - start):
        found[k] = start + k
    at = end - start
    line = work.first_line[loan]
    while line >= 0:
        found[at] = line
        at += 1
        line = work.line_next[line]
    return found


@compiled_inside
def stake_for(lent: Lent, purses: Purses, work: Work, loan: int, member: int) -> np.int64:
    pledged = purses.pledged[member]
    if lent.mode[loan] == PLEDGE:
        for line in lines_of(lent, work, loan):
            if work.owner[line] == member:
                pledged -= purses.held[line]
    return max(purses.stake[member] - pledged, np.int64(0))


@compiled_inside
def pay_line(
    lent: Lent,
    purses: Purses,
    work: Work,
    loan: int,
    line: int,
    amount: np.int64,
    payer: int,
    from_stake: np.int64,
) -> None:
    owner = work.owner[line]
    see(work, owner)
    purses.held[line] -= amount
    purses.reserved[owner] -= amount
    if lent.mode[loan] == PLEDGE:
        purses.pledged[owner] -= amount
    if work.outer[line] >= 0 and payer != owner:
        add_room(purses, work, work.outer_vouch[line], amount)
    if from_stake > 0:
        purses.stake[owner] -= amount
    elif payer == owner:
        purses.assessed[owner] -= min(amount, purses.assessed[owner])
    work.debt[loan] -= amount


@compiled_inside
def payable(purses: Purses, work: Work, call: int) -> np.int64:
    held = np.int64(0)
    item = work.call_item[call]
    while item >= 0:
        held += min(work.item_open[item], purses.held[work.item_line[item]])
        item = work.item_next[item]
    return min(work.call_amount[call] - work.call_paid[call], held)


@compiled_inside
def pay(
    lent: Lent, purses: Purses, work: Work, call: int, amount: np.int64, from_stake: np.int64
) -> None:
    """Put a payment on a call's lines; from stake, on the payer's own alone."""
    if amount <= 0:
        return
    loan, who = work.call_loan[call], work.call_who[call]
    size = 0
    item = work.call_item[call]
    while item >= 0:
        size += 1
        item = work.item_next[item]
    items = np.empty(size, np.int64)
    near = np.zeros(size, np.int64)
    far = np.zeros(size, np.int64)
    at = 0
    item = work.call_item[call]
    while item >= 0:
        items[at] = item
        line = work.item_line[item]
        if from_stake == 0 or work.owner[line] == who:
            open_ = min(work.item_open[item], purses.held[line])
            # Only what a direct guarantor pays goes on the near lines before the far ones.
            if work.call_ground[call] == DIRECT and work.outer[line] >= 0:
                far[at] = open_
            else:
                near[at] = open_
        at += 1
        item = work.item_next[item]
    parts = within(amount, near)
    parts += within(amount - parts.sum(), far)
    for k in range(size):
        if parts[k]:
            work.item_open[items[k]] -= parts[k]
            line = work.item_line[items[k]]
            pay_line(lent, purses, work, loan, line, parts[k], who, from_stake)
    work.call_paid[call] += amount
    work.call_pending[call] = work.call_amount[call] > work.call_paid[call]
    for sign in range(lent.sign_start[loan], lent.sign_start[loan + 1]):
        if lent.sign_member[sign] == who:
            purses.cap[sign] -= amount
    see(work, who)
    work.paid[who] += amount


@compiled_inside
def open_call(
    lent: Lent,
    purses: Purses,
    work: Work,
    loan: int,
    who: int,
    ground: np.int64,
    lines: Ints,
    parts: Ints,
) -> None:
    """Write a call down; stake is set off at once where the agreement says so."""
    call, used = work.used[0], work.used
    if call >= work.call_loan.size or used[1] + lines.size > work.item_line.size:
        used[5] = 1
        return
    used[0] += 1
    work.call_loan[call] = loan
    work.call_who[call] = who
    work.call_ground[call] = ground
    work.call_paid[call] = 0
    work.call_pending[call] = True
    work.call_lapsed[call] = False
    work.call_next[call] = -1
    work.call_item[call] = -1
    if work.last_call[loan] >= 0:
        work.call_next[work.last_call[loan]] = call
    else:
        work.first_call[loan] = call
    work.last_call[loan] = call
    last = -1
    total = np.int64(0)
    for k in range(lines.size):
        if parts[k] > 0:
            item = used[1]
            used[1] += 1
            work.item_line[item] = lines[k]
            work.item_open[item] = parts[k]
            work.item_next[item] = -1
            if last >= 0:
                work.item_next[last] = item
            else:
                work.call_item[call] = item
            last = item
            total += parts[k]
    work.call_amount[call] = total
    see(work, who)
    work.called[who] = True
    if ground != OWN and (lent.stake_first[loan] or work.now_mode[loan] == PLEDGE):
        left = stake_for(lent, purses, work, loan, who)
        backed = np.int64(0)
        item = work.call_item[call]
        while item >= 0:
            line = work.item_line[item]
            if work.owner[line] == who:
                part = min(work.item_open[item], purses.held[line], left)
                left -= part
                backed += part
            item = work.item_next[item]
        pay(lent, purses, work, call, backed, np.int64(1))


@compiled_inside
def settle(lent: Lent, purses: Purses, work: Work, loan: int) -> None:
    """Free cover that the debt does not need any more, the farthest paths first."""
    held = np.int64(0)
    for line in range(lent.line_start[loan], lent.line_start[loan + 1]):
        held += purses.held[line]
    more = work.first_line[loan]
    while more >= 0:
        held += purses.held[more]
        more = work.line_next[more]
    excess = held - work.debt[loan] - work.rest[loan]
    if excess <= 0:
        return
    lines = lines_of(lent, work, loan)
    free = np.zeros(lines.size, np.int64)
    for k in range(lines.size):
        free[k] = purses.held[lines[k]]
    call = work.first_call[loan]
    while call >= 0:
        if work.call_pending[call]:
            item = work.call_item[call]
            while item >= 0:
                at = np.searchsorted(lines, work.item_line[item])
                free[at] -= work.item_open[item]
                item = work.item_next[item]
        call = work.call_next[call]
    for hops in (2, 1, 0):
        level = np.zeros(lines.size, np.int64)
        for k in range(lines.size):
            far = (work.direct[lines[k]] >= 0) + (work.outer[lines[k]] >= 0)
            if far == hops and free[k] > 0:
                level[k] = free[k]
        parts = within(excess, level)
        for k in range(lines.size):
            if parts[k]:
                line = lines[k]
                owner = work.owner[line]
                see(work, owner)
                purses.held[line] -= parts[k]
                purses.reserved[owner] -= parts[k]
                if lent.mode[loan] == PLEDGE:
                    purses.pledged[owner] -= parts[k]
                add_room(purses, work, work.inner_vouch[line], parts[k])
                add_room(purses, work, work.outer_vouch[line], parts[k])
                excess -= parts[k]


@compiled_inside
def demands(purses: Purses, lines: Ints, whose: Ints, total: np.int64) -> tuple[Ints, Ints]:
    """Members and what each is asked, by what is held for each: most first, then the lowest."""
    members = np.unique(whose)
    weights = np.zeros(members.size, np.int64)
    for k in range(lines.size):
        weights[np.searchsorted(members, whose[k])] += purses.held[lines[k]]
    asked = within(total, weights)
    order = np.argsort(-asked, kind="mergesort")
    return members[order], asked[order]


@compiled_inside
def ask(lent: Lent, purses: Purses, work: Work, loan: int) -> None:
    lines = lines_of(lent, work, loan)
    own_held = np.zeros(lines.size, np.int64)
    count = 0
    for k in range(lines.size):
        if work.direct[lines[k]] < 0:
            own_held[k] = purses.held[lines[k]]
        else:
            count += 1
    direct = np.empty(count, np.int64)
    whose = np.empty(count, np.int64)
    at = 0
    for line in lines:
        if work.direct[line] >= 0:
            direct[at] = line
            whose[at] = work.direct[line]
            at += 1
    due = work.debt[loan]
    parts = within(due, own_held)
    members, asked = demands(purses, direct, whose, due - parts.sum())
    borrower = lent.borrower[loan]
    unpaid = np.zeros(lines.size, np.int64)
    for k in range(lines.size):
        if parts[k]:
            line = lines[k]
            amount = min(parts[k], stake_for(lent, purses, work, loan, work.owner[line]))
            if amount > 0:
                pay_line(lent, purses, work, loan, line, amount, borrower, np.int64(1))
            unpaid[k] = parts[k] - amount
    # All demands are as they were planned, whatever the first of them brings.
    near = np.zeros((members.size, direct.size), np.int64)
    for j in range(members.size):
        close = np.zeros(direct.size, np.int64)
        far = np.zeros(direct.size, np.int64)
        for k in range(direct.size):
            if whose[k] == members[j]:
                if work.outer[direct[k]] < 0:
                    close[k] = purses.held[direct[k]]
                else:
                    far[k] = purses.held[direct[k]]
        first = within(asked[j], close)
        near[j] = first + within(asked[j] - first.sum(), far)
    if unpaid.sum() > 0:
        open_call(lent, purses, work, loan, borrower, np.int64(OWN), lines, unpaid)
    for j in range(members.size):
        if asked[j] > 0:
            open_call(lent, purses, work, loan, members[j], np.int64(DIRECT), direct, near[j])
    settle(lent, purses, work, loan)


@compiled_inside
def outward(lent: Lent, purses: Purses, work: Work, call: int, unpaid: np.int64) -> np.int64:
    """Ask those who cover a direct guarantor; returns how much is asked."""
    loan, who = work.call_loan[call], work.call_who[call]
    lines = lines_of(lent, work, loan)
    count = 0
    for line in lines:
        count += work.direct[line] == who and work.outer[line] >= 0
    behind = np.empty(count, np.int64)
    whose = np.empty(count, np.int64)
    at = 0
    for line in lines:
        if work.direct[line] == who and work.outer[line] >= 0:
            behind[at] = line
            whose[at] = work.owner[line]
            at += 1
    members, asked = demands(purses, behind, whose, unpaid)
    plans = np.zeros((members.size, count), np.int64)
    for j in range(members.size):
        weights = np.zeros(count, np.int64)
        for k in range(count):
            if whose[k] == members[j]:
                weights[k] = purses.held[behind[k]]
        plans[j] = within(asked[j], weights)
    for j in range(members.size):
        if asked[j] > 0:
            open_call(lent, purses, work, loan, members[j], np.int64(SECOND), behind, plans[j])
    return np.int64(asked.sum())


@compiled_inside
def across(lent: Lent, purses: Purses, work: Work, loan: int, shortfall: np.int64) -> None:
    start, end = lent.sign_start[loan], lent.sign_start[loan + 1]
    room = np.zeros(end - start, np.int64)
    pending = np.int64(0)
    call = work.first_call[loan]
    while call >= 0:
        if work.call_pending[call]:
            pending += work.call_amount[call] - work.call_paid[call]
        call = work.call_next[call]
    for sign in range(start, end):
        member, vouch = lent.sign_member[sign], lent.sign_vouch[sign]
        if vouch < 0 or lent.is_overdue[member] or work.failed[member]:
            continue
        mine = np.int64(0)
        gone = False
        call = work.first_call[loan]
        while call >= 0:
            if work.call_who[call] == member:
                gone = gone or work.call_lapsed[call]
                if work.call_pending[call]:
                    mine += work.call_amount[call] - work.call_paid[call]
            call = work.call_next[call]
        if gone:
            continue
        free = purses.stake[member] + purses.assessed[member] - purses.reserved[member]
        room[sign - start] = max(
            min(purses.room[vouch], free, purses.cap[sign] - mine), np.int64(0)
        )
    shares = within(min(shortfall, max(work.debt[loan] - pending, np.int64(0))), room)
    for k in range(shares.size):
        if shares[k] <= 0:
            continue
        member, vouch = lent.sign_member[start + k], lent.sign_vouch[start + k]
        line = work.used[2]
        if line >= work.owner.size:
            work.used[5] = 1
            return
        work.used[2] += 1
        work.owner[line] = member
        work.direct[line] = member
        work.outer[line] = -1
        work.inner_vouch[line] = vouch
        work.outer_vouch[line] = -1
        work.line_next[line] = -1
        purses.held[line] = shares[k]
        if work.last_line[loan] >= 0:
            work.line_next[work.last_line[loan]] = line
        else:
            work.first_line[loan] = line
        work.last_line[loan] = line
        see(work, member)
        purses.reserved[member] += shares[k]
        add_room(purses, work, vouch, -shares[k])
        one = np.full(1, line, np.int64)
        open_call(lent, purses, work, loan, member, np.int64(ACROSS), one, shares[k : k + 1])


@compiled_inside
def lapse(lent: Lent, purses: Purses, work: Work, loan: int) -> bool:
    """Every call whose deadline has passed; whether others were opened for it."""
    last = work.last_call[loan]
    before = work.used[0]
    call = work.first_call[loan]
    while call >= 0 and work.debt[loan] > 0 and not work.used[5]:
        if work.call_pending[call]:
            work.call_pending[call] = False
            work.call_lapsed[call] = True
            unpaid = payable(purses, work, call)
            left = unpaid
            if work.call_ground[call] == DIRECT:
                left -= outward(lent, purses, work, call, unpaid)
            if left > 0 and work.now_mode[loan] == JOINT:
                across(lent, purses, work, loan, left)
            settle(lent, purses, work, loan)
        if call == last:
            break
        call = work.call_next[call]
    return bool(work.used[0] > before)


@compiled_inside
def by_hand(lent: Lent, purses: Purses, work: Work, since: int) -> None:
    for call in range(since, work.used[0]):
        who = work.call_who[call]
        if work.call_pending[call] and work.now_mode[work.call_loan[call]] != PLEDGE:
            amount = min(payable(purses, work, call), purses.hand[who])
            if amount > 0:
                pay(lent, purses, work, call, amount, np.int64(0))
                purses.hand[who] -= amount


@compiled_inside
def fail_loans(lent: Lent, purses: Purses, work: Work, loans: Ints) -> None:
    since = work.used[0]
    for loan in loans:
        if work.now_mode[loan] == NONE:
            continue
        ask(lent, purses, work, loan)
        if work.now_mode[loan] == PLEDGE:
            while lapse(lent, purses, work, loan):
                pass
    while work.used[0] > since and not work.used[5]:
        by_hand(lent, purses, work, since)
        since = work.used[0]
        for loan in loans:
            if work.now_mode[loan] != NONE:
                lapse(lent, purses, work, loan)


@compiled
def run(
    lent: Lent,
    purses: Purses,
    fresh: Purses,
    work: Work,
    base_lines: int,
    begin: int,
    failing_start: Ints,
    failing: Places,
    called_start: Ints,
    called_loan: Places,
    called_amount: Ints,
    mode: int,
    spread: bool,
    figures: Ints,
    sums: Ints,
    paid_start: Ints,
    paid_who: Places,
    paid_amount: Ints,
) -> int:
    """Work scenarios off from `begin` on; returns the one that had no room, or how many there are.

    `figures` takes lost, paid, calls, ruined, failed of each; `sums` by member in how many they
    failed, were called, were ruined, and what they paid in all and at most. Where `called_start`
    says so, only those loans are asked at first, for those amounts.
    """
    for case in range(begin, failing_start.size - 1):
        work.used[:] = 0
        work.used[2] = base_lines
        touched = [np.int64(0) for _ in range(0)]
        turn = failing[failing_start[case] : failing_start[case + 1]]
        first = turn
        lost = np.int64(0)
        done = 0
        while turn.size:
            loans = [np.int64(0) for _ in range(0)]
            for member in turn:
                see(work, member)
                work.failed[member] = True
                purses.hand[member] = 0
                for k in range(lent.loan_start[member], lent.loan_start[member + 1]):
                    loans.append(lent.loan_of[k])
            only = done == 0 and called_start[case + 1] > called_start[case]
            if only:
                loans.clear()
                for k in range(called_start[case], called_start[case + 1]):
                    loans.append(called_loan[k])
            ordered = np.array(loans, np.int64) if len(loans) else np.empty(0, np.int64)
            ordered.sort()
            for loan in ordered:
                touched.append(loan)
                work.debt[loan] = lent.owed[loan]
                work.rest[loan] = 0
                work.first_call[loan] = work.last_call[loan] = -1
                work.first_line[loan] = work.last_line[loan] = -1
                own = lent.mode[loan]
                work.now_mode[loan] = mode if mode >= 0 and own != NONE else own
            if only:
                for k in range(called_start[case], called_start[case + 1]):
                    loan = called_loan[k]
                    work.debt[loan] = called_amount[k]
                    work.rest[loan] = lent.owed[loan] - called_amount[k]
            fail_loans(lent, purses, work, ordered)
            for loan in ordered:
                lost += work.debt[loan]
            done += turn.size
            more = [np.int64(0) for _ in range(0)]
            if spread and not work.used[5]:
                for k in range(work.used[3]):
                    member = work.members[k]
                    if (
                        not work.failed[member]
                        and lent.had_stake[member]
                        and purses.stake[member] == 0
                    ):
                        more.append(member)
            turn = np.array(more, np.int64) if len(more) else np.empty(0, np.int64)
        for member in first:
            # Who failed at first is not counted among the ruined, who failed after it is.
            work.failed[member] = False
        payers = 0
        for k in range(work.used[3]):
            payers += work.paid[work.members[k]] > 0
        at = paid_start[case]
        keeps = paid_who.size > 0
        full = work.used[5] or (keeps and at + payers > paid_who.size)
        if not full:
            ruined = 0
            whole = np.int64(0)
            for k in range(work.used[3]):
                member = work.members[k]
                paid = work.paid[member]
                whole += paid
                if keeps and paid:
                    paid_who[at] = member
                    paid_amount[at] = paid
                    at += 1
                sums[1, member] += work.called[member]
                sums[3, member] += paid
                sums[4, member] = max(sums[4, member], paid)
                sums[0, member] += work.failed[member]
            for member in first:
                sums[0, member] += 1
                work.seen[member] = False
            for k in range(work.used[3]):
                member = work.members[k]
                if work.seen[member] and lent.had_stake[member] and purses.stake[member] == 0:
                    ruined += 1
                    sums[2, member] += 1
            figures[0, case] = lost
            figures[1, case] = whole
            figures[2, case] = work.used[0]
            figures[3, case] = ruined
            figures[4, case] = done
            paid_start[case + 1] = at
        for k in range(work.used[3]):
            member = work.members[k]
            purses.stake[member] = fresh.stake[member]
            purses.assessed[member] = fresh.assessed[member]
            purses.reserved[member] = fresh.reserved[member]
            purses.hand[member] = fresh.hand[member]
            purses.pledged[member] = fresh.pledged[member]
            work.paid[member] = 0
            work.called[member] = False
            work.failed[member] = False
            work.seen[member] = False
        for k in range(work.used[4]):
            vouch = work.vouches[k]
            purses.room[vouch] = fresh.room[vouch]
            work.vouch_seen[vouch] = False
        for loan in touched:
            for line in range(lent.line_start[loan], lent.line_start[loan + 1]):
                purses.held[line] = fresh.held[line]
            for sign in range(lent.sign_start[loan], lent.sign_start[loan + 1]):
                purses.cap[sign] = fresh.cap[sign]
        if full:
            return case
    return failing_start.size - 1
