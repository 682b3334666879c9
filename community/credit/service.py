"""Credit limits, and approval: the one place where cover is reserved for a loan.

A limit is computed from the rows of the unit of work under way, never from a cache. Approval
computes on a snapshot, then locks what the plan touches, looks again, and writes; if somebody was
faster, the unit of work is run again, this time holding the whole neighbourhood first.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import LiabilityMode
from community.communities.models import Community
from community.communities.queries import CharterInForce
from community.credit.errors import (
    ApproverInvolved,
    CreditLimitExceeded,
    NothingToApprove,
)
from community.credit.explain import CoverPreview, CreditLimit, Names, RecordBound, WhatIf
from community.credit.limits import (
    COVER_CIRCLE,
    REMEDIES,
    BorrowerFacts,
    Constraint,
    Source,
    binding,
    constraints,
    line_constraints,
)
from community.credit.queries import borrower_facts
from community.errors import CurrencyMismatch, Invalid, StaleSnapshot
from community.groups import queries as groups
from community.groups.models import Group
from community.guarantees import service as guarantees
from community.ledger import rules as posting
from community.ledger.events import record_event
from community.ledger.models import AccountKind
from community.ledger.rules import Leg
from community.ledger.service import balance, post
from community.lines import draws
from community.lines import queries as lines
from community.lines.draws import Drawn
from community.lines.errors import LineNotFound
from community.lines.headroom import Headroom
from community.loans import service as loans
from community.loans import states
from community.loans.errors import DecidedTogether, LoanNotFound
from community.loans.models import GroupLoan, Loan, LoanStatus
from community.loans.queries import get_group_loan_by_id, list_shares
from community.loans.schedule import read_loan_terms
from community.locks import lock, lock_one
from community.members import queries as members
from community.members.queries import names_of
from community.money import Money, format_minor, say_amount, share_bps
from community.products import queries as products
from community.products.terms import ProductTerms
from community.trust.models import VouchStatus
from community.trust.networks import Source as NetworkSource
from community.trust.networks import network_from_file
from community.trust.promise_checks import Change, check_promises
from community.trust.snapshot import (
    Neighbourhood,
    lock_rows,
    locked_neighbourhoods,
    neighbourhood,
    read_standings,
    usage,
    whole_community,
)
from community.trust.standings import ensure_standing
from community.vouching.records import figures_of
from graph.array_limits import whole_graph_value
from graph.limits import CoverPath, Promise, cover_limit, cover_limits_all, reserve_cover

_CONTENDED = "contended_loans"


@dataclass(frozen=True, slots=True)
class Funding:
    """Money that the lender put into a community's lending pool or reserve."""

    entry_id: int
    account: AccountKind
    amount: Money
    balance: Money
    on: date
    reference: str


@dataclass(frozen=True, slots=True)
class _Share:
    """One loan of a decision with what its approval needs to know."""

    loan: Loan
    terms: ProductTerms
    product: Source
    cover_minor: int
    product_id: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the cover of one loan comes from, and the limit that admitted it."""

    share: _Share
    paths: tuple[CoverPath, ...]
    limit_minor: int
    binding: Constraint


def credit_limit(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    on: date,
    product_version_id: int | None = None,
    line_id: int | None = None,
    what_if: Sequence[WhatIf] = (),
    raise_by_minor: int | None = None,
    with_ceiling: bool = False,
    network_folder: Path | None = None,
) -> CreditLimit:
    """What a member may still borrow in a community on a day, and every reason for it.

    With a product version its own rules count too, with a shared line what is left of it.
    `raise_by_minor` is the step for which the answer says how much the limit would rise (without
    one: the charter's first loan step). `what_if` adds promises that are not there. Nothing is
    written or locked; a fixed number of statements, plus the whole community's for `with_ceiling`:
    its rows, or its network file in `network_folder` with what was written since. Raises
    NotAMember, NoCharter, LineNotFound.
    """
    community = communities.get_community_by_id(session, community_id)
    communities.require_active(session, community_id=community_id, member_id=member_id)
    charter = communities.charter_on(session, community_id, on)
    rules = charter.rules
    terms, product = _terms_and_source(session, product_version_id)
    if terms is not None:
        _check_currency(community, terms.currency)
    room = None
    if line_id is not None:
        if lines.get_line_by_id(session, line_id).community_id != community_id:
            raise LineNotFound()
        room = lines.headroom(
            session,
            line_id=line_id,
            member_id=member_id,
            on=on,
            product_id=None
            if product_version_id is None
            else _product_of(session, product_version_id),
        )
    around = neighbourhood(
        session,
        community_id=community_id,
        borrower_id=member_id,
        on=on,
        circle=rules.circle_of_trust,
        pledge_only=_rests_on_pledges(terms),
        extra_vouchers=[item.voucher_id for item in what_if],
    )
    promises = (*around.promises, *_supposed(around, what_if))
    limit = cover_limit(member_id, around.standings, promises, circle=rules.circle_of_trust)
    cover = limit
    if rules.circle_of_trust > COVER_CIRCLE:
        cover = cover_limit(member_id, around.standings, promises, circle=COVER_CIRCLE)
    facts = borrower_facts(
        session, community_id=community_id, member_ids=[member_id], on=on, rules=rules
    )
    charter_source = _charter_source(session, charter)

    def found(flow_minor: int, cover_flow_minor: int) -> tuple[Constraint, ...]:
        return constraints(
            rules=rules,
            charter=charter_source,
            facts=facts[member_id],
            flow_minor=flow_minor,
            cover_flow_minor=cover_flow_minor,
            terms=terms,
            product=product,
            headroom=room,
        )

    listed = found(limit.value, cover.value)
    binds = binding(listed)
    step = raise_by_minor if raise_by_minor is not None else rules.loan_cycle_steps_minor[0]
    cover_gains = {(item.kind, item.id): int(item.gain) for item in cover.raises(step)}
    names = Names(session, around, limit, what_if)
    raises = []
    for item in limit.raises(step):
        raised = found(
            int(limit.optimum + item.gain),
            cover.value + cover_gains.get((item.kind, item.id), 0),
        )
        raises.append(names.growth(item, binding(raised).value_minor - binds.value_minor))
    # Whoever is supposed to promise, or to promise more by the step.
    asked = {(item.voucher_id, item.amount_minor) for item in what_if}
    asked |= {
        (around.vouch_rows[item.id].voucher_id, step)
        for item in limit.raises(step)
        if isinstance(item.id, int) and item.kind == "promise" and item.id in around.vouch_rows
    }
    ceiling = None
    if with_ceiling:
        ceiling = _ceiling(session, around, what_if, on, terms, network_folder)
    return CreditLimit(
        member=names.person(member_id),
        community_public_id=community.public_id,
        currency=community.currency,
        on=on,
        amount_minor=binds.value_minor,
        binding=binds,
        constraints=listed,
        facts=facts[member_id],
        charter=charter_source,
        product=product,
        circle=rules.circle_of_trust,
        flow_minor=limit.value,
        own_minor=int(limit.own),
        direct_minor=int(limit.direct),
        second_minor=int(limit.second),
        farther_minor=int(limit.farther),
        paths=names.paths(limit.paths),
        cut=names.cut(limit),
        raise_by_minor=step,
        raises=tuple(raises),
        what_if=tuple((names.person(item.voucher_id), item.amount_minor) for item in what_if),
        record_bounds=_record_bounds(session, community_id, charter, names, asked, on),
        ceiling_minor=None if ceiling is None else share_bps(ceiling[0], rules.leverage_bps),
        ceiling_source=None if ceiling is None else ceiling[1],
    )


def _record_bounds(
    session: Session,
    community_id: int,
    charter: CharterInForce,
    names: Names,
    asked: Collection[tuple[int, int]],
    on: date,
) -> tuple[RecordBound, ...]:
    """What the records of these vouchers admit of what each is asked for; by voucher and amount."""
    if not asked or not charter.rules.voucher_bound_bps:
        return ()
    nothing_more = [
        Change(voucher_id=member_id, borrower_id=member_id, most_minor=0, expires_on=on)
        for member_id in sorted({member_id for member_id, _ in asked})
    ]
    checks = check_promises(
        session,
        community_id=community_id,
        changes=nothing_more,
        on=on,
        records_of=figures_of,
        charter=charter,
    )
    found = []
    for member_id, minor in sorted(asked):
        check = checks[member_id]
        most = check.allowed_by_record_minor
        assert most is not None  # the charter has the bound
        person = names.person(member_id)
        found.append(
            RecordBound(
                member=person,
                asked_minor=minor,
                admits_minor=min(minor, max(0, most - check.before.most_minor)),
                rule="voucher_bound_bps",
                source=Source("voucher_record", person.public_id, charter.version),
            )
        )
    return tuple(found)


def preview_cover(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    product_version_id: int,
    principal: Money,
    on: date,
) -> CoverPreview:
    """Who would stand behind a loan if it were approved today, by the same choice as approval.

    Nothing is written or locked. Raises what `credit_limit` raises, CurrencyMismatch.
    """
    found = credit_limit(
        session,
        community_id=community_id,
        member_id=member_id,
        on=on,
        product_version_id=product_version_id,
    )
    if principal.currency != found.currency:
        raise CurrencyMismatch(expected=found.currency, given=principal.currency)
    terms, _ = _terms_and_source(session, product_version_id)
    assert terms is not None  # the version is one of the product
    circle = min(found.circle, COVER_CIRCLE)
    around = neighbourhood(
        session,
        community_id=community_id,
        borrower_id=member_id,
        on=on,
        circle=found.circle,
        pledge_only=_rests_on_pledges(terms),
    )
    there = cover_limit(member_id, around.standings, around.promises, circle=circle)
    needed = share_bps(principal.amount_minor, terms.cover_ratio_bps, up=True)
    held = min(needed, there.value)
    paths = reserve_cover(member_id, around.standings, around.promises, held, circle=circle)
    return CoverPreview(
        limit=found,
        principal_minor=principal.amount_minor,
        cover_minor=needed,
        short_minor=needed - held,
        paths=Names(session, around, there, ()).paths(paths),
    )


def credit_limits(
    session: Session,
    *,
    community_id: int,
    on: date,
    member_ids: Collection[int] | None = None,
    product_version_id: int | None = None,
) -> dict[int, int]:
    """The limits of many members, each as if nobody else borrowed; None: all with a standing,
    a promise or a loan. The same numbers as `credit_limit`, from a fixed number of statements.

    Does not ask whether memberships are active.
    """
    charter = communities.charter_on(session, community_id, on)
    rules = charter.rules
    terms, product = _terms_and_source(session, product_version_id)
    around = whole_community(
        session, community_id=community_id, on=on, pledge_only=_rests_on_pledges(terms)
    )
    facts = borrower_facts(
        session, community_id=community_id, member_ids=member_ids, on=on, rules=rules
    )
    if member_ids is None:
        ends = {end for p in around.promises for end in (p.voucher, p.borrower)}
        known = (m for m in {*around.standings, *ends} if isinstance(m, int))
        wanted = sorted({*facts, *known})
    else:
        wanted = sorted(set(member_ids))
    standings: dict[Hashable, int] = {**dict.fromkeys(wanted, 0), **around.standings}
    flows = cover_limits_all(
        standings, around.promises, circle=rules.circle_of_trust, borrowers=wanted
    )
    covers = flows
    if rules.circle_of_trust > COVER_CIRCLE and terms is not None:
        covers = cover_limits_all(standings, around.promises, circle=COVER_CIRCLE, borrowers=wanted)
    source = _charter_source(session, charter)
    nothing = BorrowerFacts()
    return {
        member_id: binding(
            constraints(
                rules=rules,
                charter=source,
                facts=facts.get(member_id, nothing),
                flow_minor=flows[member_id],
                cover_flow_minor=covers[member_id],
                terms=terms,
                product=product,
            )
        ).value_minor
        for member_id in wanted
    }


def approve_loan(
    session: Session, *, loan_id: int, on: date, now: datetime, actor_id: int | None
) -> Loan:
    """An endorsed loan is approved if the limit admits it; its cover is reserved.

    Locks the loan, the standings and vouches that the cover rests on, the shared line that it draws
    on, at the end the book.
    Raises StepNotAllowed, DecidedTogether (a share of a group loan), ApproverInvolved, NotAMember,
    CreditLimitExceeded; StaleSnapshot when somebody else took the room meanwhile, so that the
    unit of work is run again.
    """
    known = session.get(Loan, loan_id)
    if known is None:
        raise LoanNotFound()
    _hold_groups(session, [known], on)
    loan = lock_one(session, Loan, loan_id)
    if loan.group_loan_id is not None:
        raise DecidedTogether()
    _approve(session, [loan], on=on, now=now, actor_id=actor_id)
    return loan


def approve_group_loan(
    session: Session, *, group_loan_id: int, on: date, now: datetime, actor_id: int | None
) -> GroupLoan:
    """All shares of a group loan are approved, or none.

    Cover is planned for one borrower after another, in the order of their ids, on what the
    shares before have left. Raises what `approve_loan` raises.
    """
    group_loan = get_group_loan_by_id(session, group_loan_id)
    asked = list_shares(session, group_loan_id)
    _hold_groups(session, asked, on)
    ids = [loan.id for loan in asked]
    lock_one(session, GroupLoan, group_loan_id)
    shares = list(lock(session, Loan, ids).values())
    if not shares:
        raise NothingToApprove()
    _approve(session, shares, on=on, now=now, actor_id=actor_id)
    return group_loan


def fund_lending_pool(
    session: Session,
    *,
    community_id: int,
    amount: Money,
    reference: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Funding:
    """The lender puts money into the pool out of which a community's loans are paid."""
    return _fund(
        session,
        "capital.received",
        AccountKind.LENDING_CASH,
        posting.capital_received(amount.amount_minor),
        community_id=community_id,
        amount=amount,
        reference=reference,
        on=on,
        now=now,
        actor_id=actor_id,
    )


def fund_reserve(
    session: Session,
    *,
    community_id: int,
    amount: Money,
    reference: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Funding:
    """Money is set aside against a community's losses; it stands in when guarantors cannot."""
    return _fund(
        session,
        "reserve.funded",
        AccountKind.RESERVE_FUND,
        posting.reserve_funded(amount.amount_minor),
        community_id=community_id,
        amount=amount,
        reference=reference,
        on=on,
        now=now,
        actor_id=actor_id,
    )


def _approve(
    session: Session,
    approved: Sequence[Loan],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    shares = [_share(session, loan) for loan in sorted(approved, key=lambda x: x.borrower_id)]
    community = communities.get_community_by_id(session, shares[0].loan.community_id)
    for share in shares:
        states.check_step(share.loan.status, LoanStatus.APPROVED)
        _check_currency(community, share.terms.currency)
        communities.require_active(
            session, community_id=community.id, member_id=share.loan.borrower_id, hold=True
        )
    _check_approver(session, actor_id, [share.loan.borrower_id for share in shares])
    charter = communities.charter_on(session, community.id, on)
    # Their row is the lock for what the borrowers owe, and is marked if they are ever late.
    for share in shares:
        ensure_standing(session, community_id=community.id, member_id=share.loan.borrower_id)
    loan_ids = frozenset(share.loan.id for share in shares)
    hold_all = bool(session.info.get("last_try")) or session.info.get(_CONTENDED) == loan_ids
    around = _look_around(session, community.id, shares, charter, on, hold_all=hold_all)
    borrowers = [share.loan.borrower_id for share in shares]
    asked: dict[str, Any] = {
        "community_id": community.id,
        "member_ids": borrowers,
        "on": on,
        "rules": charter.rules,
    }
    facts = borrower_facts(session, **asked)
    rooms = _rooms(session, shares, on)
    plans = _plan(session, community, shares, charter, around, facts, rooms)
    try:
        standing_ids = _hold(session, community.id, plans, on)
        drawn = _hold_lines(session, community, plans, on)
        again = borrower_facts(session, **asked)
        if again != facts:
            raise StaleSnapshot("What the borrower owes has changed meanwhile.")
    except StaleSnapshot:
        # The next run holds everything before it decides, so that its answer is final.
        session.info[_CONTENDED] = loan_ids
        raise
    session.info.pop(_CONTENDED, None)
    for plan in plans:
        guarantees.reserve(
            session, loan=plan.share.loan, paths=plan.paths, standing_ids=standing_ids
        )
        loans.mark_approved(session, loan=plan.share.loan, on=on, now=now, actor_id=actor_id)
        if plan.share.loan.id in drawn:
            draws.draw(drawn[plan.share.loan.id], plan.share.loan, on=on)
        _note_cover(session, plan, around, charter, now, actor_id)


def _look_around(
    session: Session,
    community_id: int,
    shares: Sequence[_Share],
    charter: CharterInForce,
    on: date,
    *,
    hold_all: bool,
) -> dict[int, Neighbourhood]:
    """The neighbourhood of each borrower, held as a whole or as a snapshot."""
    borrowers = [share.loan.borrower_id for share in shares]
    circle = charter.rules.circle_of_trust
    # All shares of a group loan are of one product.
    pledge_only = _rests_on_pledges(shares[0].terms)
    if hold_all:
        return locked_neighbourhoods(
            session,
            community_id=community_id,
            borrower_ids=borrowers,
            on=on,
            circle=circle,
            pledge_only=pledge_only,
        )
    return {
        borrower_id: neighbourhood(
            session,
            community_id=community_id,
            borrower_id=borrower_id,
            on=on,
            circle=circle,
            pledge_only=pledge_only,
        )
        for borrower_id in borrowers
    }


def _plan(
    session: Session,
    community: Community,
    shares: Sequence[_Share],
    charter: CharterInForce,
    around: Mapping[int, Neighbourhood],
    facts: Mapping[int, BorrowerFacts],
    rooms: Mapping[int, Headroom],
) -> list[_Plan]:
    """Paths for every share, each on what the ones before have left, or CreditLimitExceeded."""
    source = _charter_source(session, charter)
    circle = charter.rules.circle_of_trust
    plans: list[_Plan] = []
    for share in shares:
        borrower_id = share.loan.borrower_id
        left = around[borrower_id].without([path for plan in plans for path in plan.paths])
        limit = cover_limit(borrower_id, left.standings, left.promises, circle=circle)
        cover_minor = limit.value
        if circle > COVER_CIRCLE:
            cover_minor = cover_limit(
                borrower_id, left.standings, left.promises, circle=COVER_CIRCLE
            ).value
        listed = constraints(
            rules=charter.rules,
            charter=source,
            facts=_after(facts, borrower_id, plans),
            flow_minor=limit.value,
            cover_flow_minor=cover_minor,
            terms=share.terms,
            product=share.product,
            headroom=rooms.get(share.loan.id),
        )
        binds = binding(listed)
        if binds.value_minor < share.loan.principal_minor:
            raise _exceeded(session, community, share.loan, binds)
        # The cover constraint admitted the principal, so this much can be had.
        paths = reserve_cover(
            borrower_id,
            left.standings,
            left.promises,
            share.cover_minor,
            circle=min(circle, COVER_CIRCLE),
        )
        plans.append(_Plan(share, paths, binds.value_minor, binds))
    return plans


def _hold(session: Session, community_id: int, plans: Sequence[_Plan], on: date) -> dict[int, int]:
    """Lock what the plans touch and look again; returns standing ids by member.

    Raises StaleSnapshot if a row no longer has the room that its plan counted on.
    """
    paths = [path for plan in plans for path in plan.paths]
    standing_used, vouch_used = usage(paths)
    people = {
        *standing_used,
        *(member for path in paths for member in path.via if isinstance(member, int)),
        *(plan.share.loan.borrower_id for plan in plans),
    }
    vouches = lock_rows(session, community_id, people, vouch_used)
    # Read once more: the rows that the locks were waited for may have changed meanwhile.
    standings = read_standings(session, community_id, people)
    pledge_only = _rests_on_pledges(plans[0].share.terms)
    for member_id, used in standing_used.items():
        row = standings.get(member_id)
        if row is None or row.free_on(on, pledge_only=pledge_only) < used:
            raise StaleSnapshot("A standing has no room any more.")
    for vouch_id, used in vouch_used.items():
        vouch = vouches.get(vouch_id)
        if vouch is None or vouch.status is not VouchStatus.LIVE or vouch.expires_on < on:
            raise StaleSnapshot("A promise has ended meanwhile.")
        voucher = standings.get(vouch.voucher_id)
        overdue = voucher is not None and voucher.overdue_since_on is not None
        room = vouch.limit_minor - vouch.reserved_minor - vouch.spent_minor
        if overdue or room < used:
            raise StaleSnapshot("A promise has no room any more.")
    return {member_id: row.id for member_id, row in standings.items()}


def _after(
    facts: Mapping[int, BorrowerFacts], borrower_id: int, plans: Sequence[_Plan]
) -> BorrowerFacts:
    """A borrower's facts once the shares before theirs are approved: others have begun then."""
    own = facts[borrower_id]
    if own.stagger is None:
        return own
    before = [facts[plan.share.loan.borrower_id].stagger for plan in plans]
    begun = sum(stagger is None or not stagger.has_begun for stagger in before)
    return replace(own, stagger=own.stagger.after(begun))


def _hold_groups(session: Session, loans_asked: Sequence[Loan], on: date) -> None:
    """Where lending is staggered, one of a group at a time: their groups are locked first."""
    if not loans_asked:
        return
    community_id = loans_asked[0].community_id
    if not communities.charter_on(session, community_id, on).rules.stagger_instalments_min:
        return
    borrowers = [loan.borrower_id for loan in loans_asked]
    lock(session, Group, groups.active_group_ids(session, community_id, borrowers))


def _rooms(session: Session, shares: Sequence[_Share], on: date) -> dict[int, Headroom]:
    """What lines still give to those shares that draw on one, each after the shares before it."""
    found: dict[int, Headroom] = {}
    taken: dict[int, int] = {}
    for share in shares:
        loan = share.loan
        if loan.line_id is None:
            continue
        room = lines.headroom(
            session,
            line_id=loan.line_id,
            member_id=loan.borrower_id,
            on=on,
            product_id=share.product_id,
        )
        found[loan.id] = room.after(taken.get(loan.line_id, 0), 0)
        taken[loan.line_id] = taken.get(loan.line_id, 0) + loan.principal_minor
    return found


def _hold_lines(
    session: Session, community: Community, plans: Sequence[_Plan], on: date
) -> dict[int, Drawn]:
    """Lock the lines that the plans draw on and look again: what is there now is final.

    Raises CreditLimitExceeded if a line or a sub-limit has no room any more.
    """
    drawn = draws.lock_drawn(session, [plan.share.loan for plan in plans])
    taken: dict[int, int] = {}
    for plan in plans:
        loan = plan.share.loan
        if loan.id not in drawn:
            continue
        line, share = drawn[loan.id].line, drawn[loan.id].share
        room = lines.fresh_headroom(session, line, share, on=on, product_id=plan.share.product_id)
        binds = binding(line_constraints(room.after(taken.get(line.id, 0), 0)))
        if binds.value_minor < loan.principal_minor:
            raise _exceeded(session, community, loan, binds)
        taken[line.id] = taken.get(line.id, 0) + loan.principal_minor
    return drawn


def _exceeded(
    session: Session, community: Community, loan: Loan, binds: Constraint
) -> CreditLimitExceeded:
    currency = community.currency
    limit = format_minor(binds.value_minor, currency)
    return CreditLimitExceeded(
        f"The limit is {say_amount(binds.value_minor, currency)}, bound by {binds.rule}.",
        loan=loan.public_id,
        borrower=members.get_member_by_id(session, loan.borrower_id).public_id,
        asked={"amount": format_minor(loan.principal_minor, currency), "currency": currency},
        limit={"amount": limit, "currency": currency},
        binding={
            "name": binds.name,
            "rule": binds.rule,
            "source": {
                "kind": binds.source.kind,
                "owner": binds.source.owner,
                "version": binds.source.version,
            },
            "detail": dict(binds.detail),
        },
        remedy=REMEDIES[binds.name],
    )


def _share(session: Session, loan: Loan) -> _Share:
    version = products.get_version(session, loan.product_version_id)
    product = products.get_product_by_id(session, version.product_id)
    # The terms are those that the loan froze, which are those of its version.
    terms = read_loan_terms(loan.terms).product
    return _Share(
        loan=loan,
        terms=terms,
        product=Source("product", product.public_id, version.version),
        cover_minor=share_bps(loan.principal_minor, terms.cover_ratio_bps, up=True),
        product_id=product.id,
    )


def _check_approver(session: Session, actor_id: int | None, borrower_ids: Sequence[int]) -> None:
    if actor_id is None:
        return
    households = members.households_of(session, [actor_id, *borrower_ids])
    own = households.get(actor_id)
    for borrower_id in borrower_ids:
        if actor_id == borrower_id or (own is not None and households[borrower_id] == own):
            raise ApproverInvolved()


def _note_cover(
    session: Session,
    plan: _Plan,
    around: Mapping[int, Neighbourhood],
    charter: CharterInForce,
    now: datetime,
    actor_id: int | None,
) -> None:
    loan = plan.share.loan
    people = names_of(
        session, [path.standing_of for path in plan.paths if isinstance(path.standing_of, int)]
    )
    rows = around[loan.borrower_id].vouch_rows
    lines: list[dict[str, Any]] = [
        {
            "standing_of": people[path.standing_of].public_id,
            "vouches": [rows[p].public_id for p in path.promises if isinstance(p, int)],
            "amount_minor": int(path.amount),
        }
        for path in plan.paths
        if isinstance(path.standing_of, int)
    ]
    record_event(
        session,
        community_id=loan.community_id,
        kind="loan.cover_reserved",
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "charter_id": charter.charter_id,
            "charter_version": charter.version,
            "product_version": plan.share.product.version,
            "limit_minor": plan.limit_minor,
            "binding": plan.binding.name,
            "lines": lines,
        },
    )


def _terms_and_source(
    session: Session, product_version_id: int | None
) -> tuple[ProductTerms | None, Source | None]:
    if product_version_id is None:
        return None, None
    version = products.get_version(session, product_version_id)
    product = products.get_product_by_id(session, version.product_id)
    return products.terms_of(version), Source("product", product.public_id, version.version)


def _product_of(session: Session, product_version_id: int) -> int:
    return products.get_version(session, product_version_id).product_id


def _charter_source(session: Session, charter: CharterInForce) -> Source:
    owner = communities.get_community_by_id(session, charter.community_id)
    return Source("charter", owner.public_id, charter.version)


def _rests_on_pledges(terms: ProductTerms | None) -> bool:
    return terms is not None and terms.liability_mode is LiabilityMode.PLEDGE_ONLY


def _supposed(around: Neighbourhood, what_if: Sequence[WhatIf]) -> list[Promise]:
    """Promises that are not there; whoever is overdue could give none."""
    youngest = max(around.vouch_rows, default=0)
    found = []
    for item in what_if:
        row = around.standing_rows.get(item.voucher_id)
        overdue = row is not None and row.overdue_since_on is not None
        found.append(
            Promise(
                item.promise_id,
                item.voucher_id,
                around.borrower_id,
                0 if overdue else item.amount_minor,
                youngest + 1,
            )
        )
    return found


def _ceiling(
    session: Session,
    around: Neighbourhood,
    what_if: Sequence[WhatIf],
    on: date,
    terms: ProductTerms | None,
    network_folder: Path | None,
) -> tuple[int, NetworkSource]:
    """What the whole community could stand for behind the borrower, on paths of any length."""
    assert around.borrower_id is not None
    supposed = _supposed(around, what_if)
    pledge_only = _rests_on_pledges(terms)
    if network_folder is not None and not pledge_only:
        found = network_from_file(
            session, community_id=around.community_id, on=on, folder=network_folder
        )
        if found is not None:
            return whole_graph_value(found.network, around.borrower_id, supposed), found.source
    everybody = whole_community(
        session, community_id=around.community_id, on=on, pledge_only=pledge_only
    )
    standings: dict[Hashable, int] = {around.borrower_id: 0, **everybody.standings}
    promises = (*everybody.promises, *supposed)
    limit = cover_limit(around.borrower_id, standings, promises, circle=None)
    return limit.value, NetworkSource()


def _check_currency(community: Community, currency: str) -> None:
    if currency != community.currency:
        raise CurrencyMismatch(
            f"The community keeps its books in {community.currency}.",
            expected=community.currency,
            given=currency,
        )


def _fund(
    session: Session,
    kind: str,
    account: AccountKind,
    legs: list[Leg],
    *,
    community_id: int,
    amount: Money,
    reference: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Funding:
    community = communities.get_community_by_id(session, community_id)
    _check_currency(community, amount.currency)
    if not amount.is_positive:
        raise Invalid("Give a positive amount.", field="amount")
    entry_id = post(
        session,
        community_id=community_id,
        currency=amount.currency,
        kind=kind,
        legs=legs,
        on=on,
        now=now,
        reference=reference,
        actor_id=actor_id,
    )
    held = balance(session, community_id=community_id, kind=account, currency=amount.currency)
    return Funding(
        entry_id, account, amount, Money(held, amount.currency), on=on, reference=reference
    )
