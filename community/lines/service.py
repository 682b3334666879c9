"""Credit lines: opened, changed with a reason, suspended, closed; and applications to draw.

What draws take of a line is moved in `draws`, by the rooms that approve loans and take money.
Every change of a line is a row of its history and an event in the community's book.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.communities.models import Community
from community.errors import CurrencyMismatch, Invalid
from community.groups import queries as groups
from community.groups.models import Group, GroupMemberStatus, GroupStatus
from community.ledger.events import record_event
from community.lines import reserves
from community.lines.draws import end_raise, note_over
from community.lines.errors import (
    LineExists,
    LineForAnotherProduct,
    LineHolderNotReady,
    LineInUse,
    LineNotFound,
    LineNotInForce,
    LineStepNotAllowed,
    LineTooLarge,
    LineTooLong,
    NoSubLimit,
    NotOfTheHolder,
    RaiseTooLarge,
    RaiseTooLong,
    SubLimitsTooLarge,
    SubLimitTooLarge,
)
from community.lines.headroom import why_closed
from community.lines.models import (
    CreditLine,
    CreditLineChange,
    CreditLineShare,
    Facility,
    LineChangeKind,
    LineStatus,
)
from community.lines.queries import find_share, get_line_by_id
from community.loans import service as loans
from community.loans.models import GroupLoan, Loan
from community.locks import lock, lock_one
from community.members import queries as members
from community.money import Money, format_minor, say_amount, share_bps
from community.products import queries as products
from community.products.errors import ProductNotFound

SHARES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class _Act:
    """Who changes a line, when and why."""

    on: date
    now: datetime
    actor_id: int | None
    reason: str


def open_line(
    session: Session,
    *,
    community_id: int,
    name: str,
    limit: Money,
    sub_limits: Mapping[int, Money],
    from_on: date,
    until_on: date,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    group_id: int | None = None,
    product_id: int | None = None,
) -> CreditLine:
    """Open a line that a community holds, or one of its groups, with sub-limits by member id.

    Locks the holder. Raises LineTooLarge, LineTooLong, LineExists, LineHolderNotReady,
    SubLimitTooLarge, SubLimitsTooLarge, NotOfTheHolder, NotAMember, ProductNotFound.
    """
    act = _Act(on, now, actor_id, reason)
    if group_id is None:
        lock_one(session, Community, community_id)
    community = communities.get_community_by_id(session, community_id)
    charter = communities.charter_on(session, community_id, on)
    rules = charter.rules
    _check_amount(community.currency, limit)
    if product_id is not None:
        product = products.get_product_by_id(session, product_id)
        if product.community_id not in community.path_ids:
            raise ProductNotFound()
    days = (until_on - from_on).days + 1
    if not 1 <= days <= rules.line_days_max or until_on < on:
        raise LineTooLong(
            f"A line runs for at most {rules.line_days_max} days and ends on a day to come.",
            field="until_on",
            rule="line_days_max",
            line_days_max=rules.line_days_max,
        )
    for member_id in sorted(sub_limits):
        communities.require_active(
            session, community_id=community_id, member_id=member_id, hold=True
        )
    if group_id is not None:
        _check_group(lock_one(session, Group, group_id), community_id)
        for member_id in sorted(sub_limits):
            _check_in_group(session, group_id, member_id)
    sole_key = f"{community_id}/{group_id or 0}/{product_id or 0}"
    _check_sole(session, sole_key, rules)
    _check_line(rules, community.currency, limit.amount_minor)
    line = CreditLine(
        community_id=community_id,
        group_id=group_id,
        product_id=product_id,
        name=name,
        currency=community.currency,
        status=LineStatus.ACTIVE,
        limit_minor=limit.amount_minor,
        from_on=from_on,
        until_on=until_on,
        sole_key=sole_key if rules.one_line_per_product else None,
        version=0,
        created_at=now,
    )
    line.used_minor = line.raised_minor = line.over_minor = line.reserve_minor = 0
    session.add(line)
    session.flush()  # its changes and sub-limits name it
    _note(session, line, LineChangeKind.OPENED, act, before=None, after=limit.amount_minor)
    for member_id, amount in sorted(sub_limits.items()):
        _set_share(session, line, member_id, amount, rules, act, below_use=False)
    return line


def change_limit(
    session: Session,
    *,
    line_id: int,
    limit: Money,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    no_new_draws_until_below: bool = False,
) -> CreditLine:
    """Change a line's limit. Locks the line.

    Below what is used only where the caller says that nobody draws until enough is repaid. Raises
    LineInUse, LineTooLarge, SubLimitsTooLarge, SubLimitTooLarge, LineStepNotAllowed of a closed
    line.
    """
    line = _open(session, line_id, on)
    _check_amount(line.currency, limit)
    rules = communities.charter_on(session, line.community_id, on).rules
    after = limit.amount_minor
    if after > line.limit_minor:
        _check_line(rules, line.currency, after + line.raised_minor)
    _check_use(line, after + line.raised_minor, line.currency, no_new_draws_until_below)
    largest, total = _sub_limits(session, line)
    if largest > after:
        raise SubLimitTooLarge(
            "There is a sub-limit above the new limit: lower it first.",
            field="limit",
            largest_sub_limit_minor=largest,
        )
    _check_sum(rules, line.currency, total, after)
    before, line.limit_minor = line.limit_minor, after
    note_over(line)
    act = _Act(on, now, actor_id, reason)
    _note(session, line, LineChangeKind.LIMIT, act, before=before, after=after)
    return line


def change_sub_limit(
    session: Session,
    *,
    line_id: int,
    member_id: int,
    limit: Money,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    no_new_draws_until_below: bool = False,
) -> CreditLine:
    """Give a member a sub-limit on a line, or change it; nothing ends it but no new draws.

    Locks the line. Raises what `open_line` raises of sub-limits, and LineInUse.
    """
    line = get_line_by_id(session, line_id)
    if limit.amount_minor:
        communities.require_active(
            session, community_id=line.community_id, member_id=member_id, hold=True
        )
    if line.group_id is not None and limit.amount_minor:
        _check_in_group(session, line.group_id, member_id)
    line = _open(session, line_id, on)
    rules = communities.charter_on(session, line.community_id, on).rules
    _set_share(
        session,
        line,
        member_id,
        limit,
        rules,
        _Act(on, now, actor_id, reason),
        below_use=no_new_draws_until_below,
    )
    return line


def raise_for_a_while(
    session: Session,
    *,
    line_id: int,
    by: Money,
    until_on: date,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    member_id: int | None = None,
) -> CreditLine:
    """Raise a line's limit, or one sub-limit, until a day; an earlier raise gives way to it.

    From the day after on nothing is drawn above the plain limit; what runs goes on. Locks the
    line. Raises RaiseTooLarge, RaiseTooLong, LineTooLarge, SubLimitTooLarge, LineInUse, NoSubLimit.
    """
    line = _open(session, line_id, on)
    rules = communities.charter_on(session, line.community_id, on).rules
    row: Facility = line if member_id is None else _share(session, line, member_id, on)
    _check_amount(line.currency, by)
    most = share_bps(row.limit_minor, rules.line_raise_bps_max)
    if by.amount_minor > most:
        raise RaiseTooLarge(
            f"This limit may be raised by {format_minor(most, line.currency)} at most.",
            field="by",
            rule="line_raise_bps_max",
            most_minor=most,
        )
    if not 1 <= (until_on - on).days + 1 <= rules.line_raise_days_max:
        raise RaiseTooLong(
            f"A raise lasts for 1 to {rules.line_raise_days_max} days.",
            field="until_on",
            rule="line_raise_days_max",
            line_raise_days_max=rules.line_raise_days_max,
        )
    raised = row.limit_minor + by.amount_minor
    if member_id is None:
        _check_line(rules, line.currency, raised)
    elif raised > line.limit_on(on):
        raise SubLimitTooLarge(
            f"The line's limit is {format_minor(line.limit_on(on), line.currency)}.",
            field="by",
            line_limit_minor=line.limit_on(on),
        )
    _check_use(row, raised, line.currency, False)
    before = row.limit_on(on)
    row.raised_minor, row.raised_until_on = by.amount_minor, until_on
    note_over(row)
    kind = LineChangeKind.RAISE if member_id is None else LineChangeKind.SUB_LIMIT_RAISE
    _note(
        session,
        line,
        kind,
        _Act(on, now, actor_id, reason),
        before=before,
        after=raised,
        member_id=member_id,
        until_on=until_on,
    )
    return line


def suspend(
    session: Session,
    *,
    line_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> CreditLine:
    """No new draws until the line is resumed; those that run go on. Locks the line."""
    return _step(
        session,
        line_id,
        LineStatus.ACTIVE,
        LineStatus.SUSPENDED,
        LineChangeKind.SUSPENDED,
        _Act(on, now, actor_id, reason),
    )


def resume(
    session: Session,
    *,
    line_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> CreditLine:
    """Draws on a suspended line are possible again. Locks the line."""
    return _step(
        session,
        line_id,
        LineStatus.SUSPENDED,
        LineStatus.ACTIVE,
        LineChangeKind.RESUMED,
        _Act(on, now, actor_id, reason),
    )


def close(
    session: Session,
    *,
    line_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> CreditLine:
    """Close a line on which nothing is drawn any more, for good. Locks the line.

    What its reserve holds goes back to those who paid in, in proportion. Raises LineInUse.
    """
    line = _open(session, line_id, on)
    _check_use(line, 0, line.currency, False)
    line.status, line.closed_on = LineStatus.CLOSED, on
    act = _Act(on, now, actor_id, reason)
    _note(session, line, LineChangeKind.CLOSED, act, before=line.limit_minor, after=None)
    if line.reserve_minor:
        reserves.give_back(session, line=line, on=on, now=now, actor_id=actor_id)
    return line


def apply(
    session: Session,
    *,
    line_id: int | None,
    community_id: int,
    borrower_id: int,
    product_id: int,
    principal: Money,
    purpose: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    instalments: int | None = None,
    season_id: int | None = None,
) -> Loan:
    """A member asks for a loan, on a line or on none; whether there is room, approval decides.

    Raises what `loans.service.apply` raises, and LineNotFound, LineNotInForce,
    LineForAnotherProduct, NoSubLimit.
    """
    if line_id is not None:
        _check_drawable(session, line_id, community_id, [borrower_id], product_id, on)
    return loans.apply(
        session,
        community_id=community_id,
        borrower_id=borrower_id,
        product_id=product_id,
        principal=principal,
        purpose=purpose,
        on=on,
        now=now,
        actor_id=actor_id,
        instalments=instalments,
        season_id=season_id,
        line_id=line_id,
    )


def apply_as_group(
    session: Session,
    *,
    line_id: int | None,
    group_id: int,
    product_id: int,
    shares: Mapping[int, int],
    total: Money,
    purpose: str,
    on: date,
    now: datetime,
    actor_id: int,
    instalments: int | None = None,
    season_id: int | None = None,
    purposes: Mapping[int, str] | None = None,
) -> GroupLoan:
    """The leader asks for a group loan; all of its shares draw on one line, or none does.

    Raises what `loans.service.apply_as_group` and `apply` raise.
    """
    if line_id is not None:
        group = groups.get_group_by_id(session, group_id)
        _check_drawable(session, line_id, group.community_id, sorted(shares), product_id, on)
    return loans.apply_as_group(
        session,
        group_id=group_id,
        product_id=product_id,
        shares=shares,
        total=total,
        purpose=purpose,
        on=on,
        now=now,
        actor_id=actor_id,
        instalments=instalments,
        season_id=season_id,
        line_id=line_id,
        purposes=purposes,
    )


def _check_drawable(
    session: Session,
    line_id: int,
    community_id: int,
    borrower_ids: list[int],
    product_id: int,
    on: date,
) -> None:
    line = get_line_by_id(session, line_id)
    if line.community_id != community_id:
        raise LineNotFound()
    if line.product_id not in (None, product_id):
        raise LineForAnotherProduct(line=line.public_id)
    closed = why_closed(line, on=on, product_id=product_id)
    if closed:
        raise LineNotInForce(closed, line=line.public_id, state=line.status.value)
    for borrower_id in borrower_ids:
        if find_share(session, line_id=line_id, member_id=borrower_id) is None:
            raise NoSubLimit(line=line.public_id)


def _set_share(
    session: Session,
    line: CreditLine,
    member_id: int,
    limit: Money,
    rules: CharterRules,
    act: _Act,
    *,
    below_use: bool,
) -> None:
    _check_amount(line.currency, limit, zero=True)
    after = limit.amount_minor
    if after > line.limit_minor:
        raise SubLimitTooLarge(
            f"The line's limit is {format_minor(line.limit_minor, line.currency)}.",
            field="limit",
            line_limit_minor=line.limit_minor,
        )
    share = find_share(session, line_id=line.id, member_id=member_id)
    if share is None:
        number = session.scalar(
            select(func.count())
            .select_from(CreditLineShare)
            .where(CreditLineShare.line_id == line.id)
        )
        if (number or 0) >= SHARES_MAX:
            raise Invalid(f"A line has at most {SHARES_MAX} sub-limits.", field="sub_limits")
        before = None
        share = CreditLineShare(line_id=line.id, member_id=member_id, limit_minor=0)
        share.used_minor = share.raised_minor = share.over_minor = 0
        session.add(share)
        session.flush()  # it is summed below
    else:
        share = _share(session, line, member_id, act.on)
        before = share.limit_minor
        _check_use(share, after + share.raised_minor, line.currency, below_use)
    _, total = _sub_limits(session, line)
    if after > share.limit_minor:
        _check_sum(rules, line.currency, total - share.limit_minor + after, line.limit_minor)
    share.limit_minor = after
    note_over(share)
    session.flush()  # the next sub-limit counts it
    _note(
        session,
        line,
        LineChangeKind.SUB_LIMIT,
        act,
        before=before,
        after=after,
        member_id=member_id,
    )


def _step(
    session: Session,
    line_id: int,
    from_status: LineStatus,
    to: LineStatus,
    kind: LineChangeKind,
    act: _Act,
) -> CreditLine:
    line = _open(session, line_id, act.on)
    if line.status is not from_status:
        raise LineStepNotAllowed(f"The line is {line.status.value}.", state=line.status.value)
    line.status = to
    _note(session, line, kind, act, before=None, after=None)
    return line


def _open(session: Session, line_id: int, on: date) -> CreditLine:
    """The line, locked, if it is not closed; a raise that has ended is taken off."""
    line = lock(session, CreditLine, [line_id]).get(line_id)
    if line is None:
        raise LineNotFound()
    if line.status is LineStatus.CLOSED:
        raise LineStepNotAllowed("The line is closed.", state=line.status.value)
    end_raise(line, on=on)
    return line


def _share(session: Session, line: CreditLine, member_id: int, on: date) -> CreditLineShare:
    """A sub-limit on a locked line, locked too; a raise that has ended is taken off."""
    found = find_share(session, line_id=line.id, member_id=member_id)
    if found is None:
        raise NoSubLimit(line=line.public_id)
    share = lock_one(session, CreditLineShare, found.id)
    end_raise(share, on=on)
    return share


def _sub_limits(session: Session, line: CreditLine) -> tuple[int, int]:
    """The largest sub-limit of a locked line and the sum of all."""
    largest, total = session.execute(
        select(func.max(CreditLineShare.limit_minor), func.sum(CreditLineShare.limit_minor)).where(
            CreditLineShare.line_id == line.id
        )
    ).one()
    return int(largest or 0), int(total or 0)


def _check_amount(currency: str, amount: Money, *, zero: bool = False) -> None:
    if amount.currency != currency:
        raise CurrencyMismatch(
            f"The community keeps its books in {currency}.",
            expected=currency,
            given=amount.currency,
        )
    if amount.amount_minor < 0 or not (zero or amount.amount_minor):
        raise Invalid("A limit is a positive amount.", field="limit")


def _check_line(rules: CharterRules, currency: str, limit_minor: int) -> None:
    if limit_minor > rules.line_minor_max:
        raise LineTooLarge(
            f"A line is at most {say_amount(rules.line_minor_max, currency)}, raises included.",
            field="limit",
            rule="line_minor_max",
            most_minor=rules.line_minor_max,
        )


def _check_sum(rules: CharterRules, currency: str, total_minor: int, limit_minor: int) -> None:
    most = share_bps(limit_minor, rules.line_shares_bps_max)
    if total_minor > most:
        raise SubLimitsTooLarge(
            f"All sub-limits together would be {format_minor(total_minor, currency)}, the charter"
            f" allows {format_minor(most, currency)} on this line.",
            rule="line_shares_bps_max",
            total_minor=total_minor,
            most_minor=most,
        )


def _check_use(row: Facility, limit_minor: int, currency: str, below_use: bool) -> None:
    if row.used_minor > limit_minor and not below_use:
        raise LineInUse(
            f"{format_minor(row.used_minor, currency)} is drawn. Wait until enough of it is repaid,"
            " or ask for no new draws until it is.",
            used_minor=row.used_minor,
            asked_minor=limit_minor,
            remedy="no_new_draws_until_below",
        )


def _check_group(group: Group, community_id: int) -> None:
    if group.community_id != community_id or group.status is not GroupStatus.ACTIVE:
        raise LineHolderNotReady(
            "Only an active group holds a line.", group=group.public_id, state=group.status.value
        )


def _check_in_group(session: Session, group_id: int, member_id: int) -> None:
    place = groups.find_place(session, group_id=group_id, member_id=member_id)
    if place is None or place.status is not GroupMemberStatus.SIGNED:
        raise NotOfTheHolder()


def _check_sole(session: Session, sole_key: str, rules: CharterRules) -> None:
    if not rules.one_line_per_product:
        return
    other = session.scalar(
        select(CreditLine.public_id).where(
            CreditLine.sole_key == sole_key, CreditLine.status != LineStatus.CLOSED
        )
    )
    if other is not None:
        raise LineExists(rule="one_line_per_product", line=other)


def _note(
    session: Session,
    line: CreditLine,
    kind: LineChangeKind,
    act: _Act,
    *,
    before: int | None,
    after: int | None,
    member_id: int | None = None,
    until_on: date | None = None,
) -> None:
    line.version += 1
    session.add(
        CreditLineChange(
            line_id=line.id,
            number=line.version,
            kind=kind,
            member_id=member_id,
            before_minor=before,
            after_minor=after,
            until_on=until_on,
            changed_on=act.on,
            reason=act.reason,
            actor_id=act.actor_id,
            recorded_at=act.now,
        )
    )
    facts: dict[str, object] = {"on": act.on.isoformat(), "reason": act.reason}
    if before is not None:
        facts["before_minor"] = before
    if after is not None:
        facts["after_minor"] = after
    if until_on is not None:
        facts["until_on"] = until_on.isoformat()
    if member_id is not None:
        facts["member"] = members.get_member_by_id(session, member_id).public_id
    record_event(
        session,
        community_id=line.community_id,
        kind=f"credit_line.{kind.value}",
        subject=line.public_id,
        actor_id=act.actor_id,
        now=act.now,
        facts=facts,
    )
