"""Loans from application to their end: endorsing, deciding, paying out, receiving money.

What a loan may borrow on, and which cover it holds, is decided in the rooms above: they lock the
loan, call `mark_approved`, `book_repayment`, `mark_overdue`, `mark_called`, `write_off`,
`close_if_paid`, and the status moves here, by the one table of `loans.states`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, read_rules
from community.communities.errors import NotAMember
from community.communities.models import Charter, Community
from community.communities.queries import CharterInForce
from community.errors import CurrencyMismatch, Invalid, WrongState
from community.groups import queries as groups
from community.groups.models import Group, GroupMemberStatus, GroupStatus
from community.groups.steps import require_ready_to_borrow
from community.ledger import rules
from community.ledger.events import record_event
from community.loans import history, positions, states
from community.loans.errors import (
    AlreadyEndorsed,
    BorrowerTooYoung,
    DecidedTogether,
    EndorserNotEligible,
    GroupLoanNotFound,
    GroupNotReady,
    InstalmentsOutOfRange,
    LoanNotFound,
    NotASignedMember,
    NotTheLeader,
    PrincipalOutOfRange,
    SeasonNeeded,
    SeasonOver,
    SharesDoNotAddUp,
    TrancheNotDue,
)
from community.loans.history import owed
from community.loans.models import (
    Charge,
    ChargeKind,
    Disbursement,
    Endorsement,
    GroupLoan,
    Loan,
    LoanStatus,
    Repayment,
)
from community.loans.payees import Part, check_parts, note_payments, parts_by_loan
from community.loans.repayments import book_repayment, write_off
from community.loans.schedule import (
    Cost,
    LoanTerms,
    cost_of,
    fees_of,
    planned_rows,
    planned_tranches,
    read_loan_terms,
)
from community.loans.steps import currency_of, move_loan, record_step
from community.locks import lock, lock_one
from community.members import queries as members
from community.members.models import Member
from community.money import Money, format_minor, say_amount
from community.products import queries as products
from community.products.caps import check_liability_mode, check_rate
from community.products.errors import ProductNotFound, SeasonNotFound
from community.products.models import ProductVersion
from community.products.terms import Amortisation, ProductTerms, SeasonCalendar
from community.reasons import because

SHARES_MAX = 100

__all__ = [
    "Offer",
    "Quote",
    "apply",
    "apply_as_group",
    "book_repayment",
    "check_borrowing_group",
    "close_if_paid",
    "cost_under",
    "currency_of",
    "disburse",
    "disburse_group_loan",
    "end_group_application",
    "endorse",
    "endorse_group_loan",
    "mark_approved",
    "mark_called",
    "mark_current",
    "mark_overdue",
    "move_loan",
    "of_share",
    "offer_on",
    "owed",
    "pay_tranche",
    "quote",
    "quote_on",
    "reject",
    "reopen",
    "waits_for_money",
    "withdraw",
    "write_off",
]


@dataclass(frozen=True, slots=True)
class Quote(Cost):
    """What a loan would cost if it were paid out on the day, by which terms and which rules."""

    version: ProductVersion
    terms: LoanTerms
    charter: CharterInForce


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as a community lends it on a day."""

    community: Community
    version: ProductVersion
    terms: ProductTerms
    charter: CharterInForce


def quote(
    session: Session,
    *,
    community_id: int,
    product_id: int,
    principal: Money,
    on: date,
    instalments: int | None = None,
    season_id: int | None = None,
) -> Quote:
    """The schedule, the effective rate and the cost of a loan in this community, if it may be.

    Refuses what an application would be refused for, borrower aside: a product that is not of the
    community's path or not in force, amount or instalments outside its ranges, a season that does
    not fit, a liability mode or an effective rate that the charter does not allow.
    """
    return quote_on(
        session,
        offer_on(session, community_id=community_id, product_id=product_id, on=on),
        principal=principal,
        on=on,
        instalments=instalments,
        season_id=season_id,
    )


def offer_on(session: Session, *, community_id: int, product_id: int, on: date) -> Offer:
    """A product as it is lent in a community on a day, if it is.

    Raises ProductNotFound, ProductNotInForce, NoCharter, LiabilityModeNotAllowed.
    """
    community = communities.get_community_by_id(session, community_id)
    product = products.get_product_by_id(session, product_id)
    if product.community_id not in community.path_ids:
        raise ProductNotFound()
    version = products.version_on(session, product_id, on)
    terms = products.terms_of(version)
    charter = communities.charter_on(session, community_id, on)
    check_liability_mode(terms, charter.rules)
    return Offer(community, version, terms, charter)


def quote_on(
    session: Session,
    offer: Offer,
    *,
    principal: Money,
    on: date,
    instalments: int | None = None,
    season_id: int | None = None,
) -> Quote:
    """What a loan on an offer would cost. Raises CurrencyMismatch, what `cost_under` raises, and
    RateAboveCap.
    """
    _check_currency(offer.community.currency, principal)
    frozen, cost = cost_under(
        session,
        community=offer.community,
        terms=offer.terms,
        principal=principal,
        on=on,
        instalments=instalments,
        season_id=season_id,
    )
    rate_ppm = cost.effective_yearly_rate_ppm
    check_rate(rate_ppm, offer.charter.rules, charter_version=offer.charter.version)
    return Quote(
        tranches=cost.tranches,
        rows=cost.rows,
        principal_minor=cost.principal_minor,
        interest_minor=cost.interest_minor,
        fees=cost.fees,
        effective_yearly_rate_ppm=rate_ppm,
        version=offer.version,
        terms=frozen,
        charter=offer.charter,
    )


def cost_under(
    session: Session,
    *,
    community: Community,
    terms: ProductTerms,
    principal: Money,
    on: date,
    instalments: int | None = None,
    season_id: int | None = None,
) -> tuple[LoanTerms, Cost]:
    """What a loan would cost under these terms, in force or only drafted.

    Raises PrincipalOutOfRange, InstalmentsOutOfRange, SeasonNeeded, SeasonNotFound, SeasonOver,
    ScheduleImpossible.
    """
    _check_principal(terms, principal)
    season = _season_for(session, community, terms, season_id, on)
    frozen = LoanTerms(terms, _instalments_for(terms, instalments, season), season)
    return frozen, cost_of(frozen, principal.amount_minor, on)


def apply(
    session: Session,
    *,
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
    line_id: int | None = None,
) -> Loan:
    """A member asks for a loan; its terms are frozen as they are on this day.

    Whether it may draw on the line is decided in the room above (`lines.service`). The answer
    is `submitted`, or `endorsed` at once where the charter asks for no endorsement.
    Raises what `quote` raises, NotAMember, BorrowerTooYoung.
    """
    loan = _enter_application(
        session,
        community_id=community_id,
        borrower_id=borrower_id,
        product_id=product_id,
        principal=principal,
        purpose=purpose,
        on=on,
        now=now,
        instalments=instalments,
        season_id=season_id,
        group_loan_id=None,
        line_id=line_id,
    )
    _submit(session, loan, on=on, now=now, actor_id=actor_id)
    return loan


def apply_as_group(
    session: Session,
    *,
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
    line_id: int | None = None,
    purposes: Mapping[int, str] | None = None,
) -> GroupLoan:
    """The leader asks for a group loan: `shares` are minor units by member id, summing to `total`.

    Every borrower is a signed member of the active group and may borrow alone on the same terms;
    `purposes` says what a share is for where that is not what the group's loan is for.
    Locks the group. Raises what `quote` raises, and GroupNotReady, NotTheLeader, NotASignedMember,
    SharesDoNotAddUp, NotAMember, BorrowerTooYoung, GroupNotWhole, GroupForOtherProduct.
    """
    # Locked, so that it cannot dissolve or change its leader meanwhile.
    group = lock_one(session, Group, groups.get_group_by_id(session, group_id).id)
    check_borrowing_group(session, group, shares, on=on, actor_id=actor_id)
    require_ready_to_borrow(group, product_id)
    community = communities.get_community_by_id(session, group.community_id)
    _check_currency(community.currency, total)
    given = sum(shares.values())
    if given != total.amount_minor:
        raise SharesDoNotAddUp(
            f"The shares sum to {format_minor(given, total.currency)}, "
            f"the total says {format_minor(total.amount_minor, total.currency)}.",
            field="shares",
            shares_minor=given,
            total_minor=total.amount_minor,
        )
    group_loan = GroupLoan(
        group_id=group.id,
        community_id=group.community_id,
        total_minor=total.amount_minor,
        submitted_by_id=actor_id,
        created_at=now,
    )
    session.add(group_loan)
    session.flush()  # the shares point at it
    loans = []
    for borrower_id in sorted(shares):
        with of_share(session, borrower_id):
            loan = _enter_application(
                session,
                community_id=group.community_id,
                borrower_id=borrower_id,
                product_id=product_id,
                principal=Money(shares[borrower_id], total.currency),
                purpose=(purposes or {}).get(borrower_id, purpose),
                on=on,
                now=now,
                instalments=instalments,
                season_id=season_id,
                group_loan_id=group_loan.id,
                line_id=line_id,
            )
            loans.append(loan)
    record_event(
        session,
        community_id=group.community_id,
        kind="group_loan.submitted",
        subject=group_loan.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "group": group.public_id,
            "total_minor": total.amount_minor,
            "shares": {loan.public_id: loan.principal_minor for loan in loans},
        },
    )
    for loan in loans:
        _submit(session, loan, on=on, now=now, actor_id=actor_id)
    return group_loan


def endorse(
    session: Session,
    *,
    loan_id: int,
    endorser_id: int,
    on: date,
    now: datetime,
    comment: str = "",
) -> Endorsement:
    """An active member of the community gives their word for an application.

    With as many endorsements as the charter of the application asks for, the loan is endorsed.
    Neither the borrower nor their household can endorse, and nobody twice. Locks the loan.
    """
    loan = _locked_loan(session, loan_id)
    return _endorse(session, loan, endorser_id=endorser_id, on=on, now=now, comment=comment)


def endorse_group_loan(
    session: Session,
    *,
    group_loan_id: int,
    endorser_id: int,
    on: date,
    now: datetime,
    comment: str = "",
) -> list[Endorsement]:
    """Endorse every share of a group loan that this member can: not their own or household's."""
    loans = _locked_shares(session, group_loan_id)
    done = _endorsed_by(session, [loan.id for loan in loans], endorser_id)
    household = members.get_member_by_id(session, endorser_id).household_id
    fitting = [
        loan
        for loan in loans
        if loan.id not in done and not _shares_purse(session, loan, endorser_id, household)
    ]
    if not fitting:
        raise EndorserNotEligible("There is no share here that this member could still endorse.")
    return [
        _endorse(session, loan, endorser_id=endorser_id, on=on, now=now, comment=comment)
        for loan in fitting
    ]


def withdraw(
    session: Session,
    *,
    loan_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = "",
) -> Loan:
    """An application that is not decided yet is taken back. Locks the loan.

    An approved loan holds cover: it is cancelled in the room that can free it.
    """
    return _end_application(
        session,
        _alone(_locked_loan(session, loan_id)),
        to=LoanStatus.WITHDRAWN,
        on=on,
        now=now,
        actor_id=actor_id,
        reason=reason,
    )


def reject(
    session: Session,
    *,
    loan_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str,
) -> Loan:
    """An application is refused, with its reason. Locks the loan."""
    return _end_application(
        session,
        _alone(_locked_loan(session, loan_id)),
        to=LoanStatus.REJECTED,
        on=on,
        now=now,
        actor_id=actor_id,
        reason=reason,
    )


def end_group_application(
    session: Session,
    *,
    group_loan_id: int,
    to: LoanStatus,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = "",
) -> GroupLoan:
    """All shares of a group application are withdrawn, rejected or expire together."""
    for loan in _locked_shares(session, group_loan_id):
        _end_application(session, loan, to=to, on=on, now=now, actor_id=actor_id, reason=reason)
    return session.get_one(GroupLoan, group_loan_id)


def mark_approved(
    session: Session, *, loan: Loan, on: date, now: datetime, actor_id: int | None
) -> None:
    """The loan (locked) is approved. Whoever calls this has reserved its cover."""
    move_loan(session, loan=loan, to=LoanStatus.APPROVED, on=on, now=now, actor_id=actor_id)
    loan.approved_by_id = actor_id


def disburse(
    session: Session,
    *,
    loan_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    payees: Sequence[Part] = (),
) -> Loan:
    """An approved loan is paid out of the lending pool and gets its schedule from this day on.

    `payees` get their parts straight, the borrower the rest. Locks the loan, then the book. Raises
    StepNotAllowed unless the loan is approved, SeasonOver, InsufficientFunds when the pool is
    short, DecidedTogether for a share of a group loan, PayeeRefused, PayeesRequired.
    """
    loan = _alone(_locked_loan(session, loan_id))
    _pay_out(session, loan, payees, on=on, now=now, actor_id=actor_id)
    return loan


def disburse_group_loan(
    session: Session,
    *,
    group_loan_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    payees: Sequence[Part] = (),
) -> GroupLoan:
    """All shares of an approved group loan are paid out, or none. Locks them, then the book.

    Each of `payees` is of the share that states its use.
    """
    shares = _locked_shares(session, group_loan_id)
    # All of them first: a share that is not approved is the reason, not a pool that ran short.
    for loan in shares:
        states.check_pay_out(loan.status)
    of_share = parts_by_loan(session, payees, loan_ids=[loan.id for loan in shares])
    for loan in shares:
        _pay_out(session, loan, of_share.get(loan.id, ()), on=on, now=now, actor_id=actor_id)
    return session.get_one(GroupLoan, group_loan_id)


def waits_for_money(session: Session, *, loan: Loan, on: date) -> bool:
    """Whether more of a loan is still to go out: not since its harvest or once it was settled."""
    season = read_loan_terms(loan.terms).season
    if not loan.undisbursed_minor or season is None or on >= season.harvest_from:
        return False
    settled = select(Repayment.id).where(
        Repayment.loan_id == loan.id, Repayment.is_payoff, Repayment.reversed_on.is_(None)
    )
    return session.scalar(settled.limit(1)) is None


def close_if_paid(
    session: Session,
    *,
    loan: Loan,
    on: date,
    now: datetime,
    actor_id: int | None,
    debt: history.Debt | None = None,
) -> bool:
    """A live loan (locked) that owes nothing any more is closed; tells whether it was.

    `debt` is what it owes on the day, if the caller has worked it out already.
    """
    if loan.status not in states.LIVE:
        return False
    if (owed(session, loan=loan, on=on) if debt is None else debt).total_minor:
        return False
    move_loan(session, loan=loan, to=LoanStatus.CLOSED, on=on, now=now, actor_id=actor_id)
    loan.overdue_since_on = None
    positions.follow(session, loan=loan, on=on)
    return True


def mark_overdue(
    session: Session,
    *,
    loan: Loan,
    on: date,
    now: datetime,
    actor_id: int | None = None,
    debt: history.Debt | None = None,
) -> bool:
    """A current loan (locked) with something past due becomes overdue; tells whether it did.

    `debt` is what it owes, where that was read already.
    """
    if loan.status not in states.ON_PLAN:
        return False
    debt = debt or owed(session, loan=loan, on=on)
    if debt.overdue_since_on is None:
        return False
    loan.overdue_since_on = debt.overdue_since_on
    move_loan(
        session,
        loan=loan,
        to=LoanStatus.OVERDUE,
        on=on,
        now=now,
        actor_id=actor_id,
        reason=because("unpaid", overdue_minor=debt.overdue_minor, since_on=debt.overdue_since_on),
    )
    return True


def mark_current(
    session: Session, *, loan: Loan, on: date, now: datetime, actor_id: int | None = None
) -> bool:
    """An overdue or called loan (locked) with nothing past due is on its plan again; tells whether.

    An accelerated loan does not come back: the whole of it is due.
    """
    if loan.status not in (LoanStatus.OVERDUE, LoanStatus.CALLED):
        return False
    if loan.accelerated_on is not None or owed(session, loan=loan, on=on).overdue_minor:
        return False
    move_loan(session, loan=loan, to=_on_plan(loan), on=on, now=now, actor_id=actor_id)
    loan.overdue_since_on = None
    return True


def reopen(
    session: Session, *, loan: Loan, on: date, now: datetime, actor_id: int | None, reason: str
) -> bool:
    """A closed loan (locked) runs on, before a receipt of it is taken back; tells whether."""
    if loan.status is not LoanStatus.CLOSED:
        return False
    move_loan(
        session, loan=loan, to=_on_plan(loan), on=on, now=now, actor_id=actor_id, reason=reason
    )
    return True


def _on_plan(loan: Loan) -> LoanStatus:
    return LoanStatus.RESTRUCTURED if loan.restructure_count else LoanStatus.CURRENT


def mark_called(
    session: Session,
    *,
    loan: Loan,
    accelerate: bool,
    on: date,
    now: datetime,
    actor_id: int | None = None,
    reason: str = "",
) -> None:
    """Guarantors of an overdue loan (locked) are called; `accelerate` makes all of it due now."""
    move_loan(
        session, loan=loan, to=LoanStatus.CALLED, on=on, now=now, actor_id=actor_id, reason=reason
    )
    if accelerate and loan.accelerated_on is None:
        loan.accelerated_on = on
        session.flush()  # the history reads it
        state = history.derive(session, loan=loan, on=on)
        history.project(session, loan=loan, state=state, on=on, now=now, actor_id=actor_id)


# Application


def _enter_application(
    session: Session,
    *,
    community_id: int,
    borrower_id: int,
    product_id: int,
    principal: Money,
    purpose: str,
    on: date,
    now: datetime,
    instalments: int | None,
    season_id: int | None,
    group_loan_id: int | None,
    line_id: int | None,
) -> Loan:
    communities.require_active(session, community_id=community_id, member_id=borrower_id, hold=True)
    offer = quote(
        session,
        community_id=community_id,
        product_id=product_id,
        principal=principal,
        on=on,
        instalments=instalments,
        season_id=season_id,
    )
    _check_age(members.get_member_by_id(session, borrower_id), offer.charter.rules, on)
    loan = Loan(
        community_id=community_id,
        borrower_id=borrower_id,
        group_loan_id=group_loan_id,
        product_version_id=offer.version.id,
        season_id=season_id,
        line_id=line_id,
        charter_id=offer.charter.charter_id,
        terms=offer.terms.to_document(),
        principal_minor=principal.amount_minor,
        outstanding_minor=0,
        written_off_minor=0,
        purpose=purpose,
        status=LoanStatus.DRAFT,
        version=1,
        created_at=now,
    )
    session.add(loan)
    session.flush()  # its steps and its event name it
    return loan


def _submit(session: Session, loan: Loan, *, on: date, now: datetime, actor_id: int | None) -> None:
    record_step(session, loan, None, LoanStatus.DRAFT, on=on, now=now, actor_id=actor_id, reason="")
    move_loan(session, loan=loan, to=LoanStatus.SUBMITTED, on=on, now=now, actor_id=actor_id)
    _endorsed_if_enough(session, loan, on=on, now=now, actor_id=actor_id)


def _check_principal(terms: ProductTerms, principal: Money) -> None:
    _check_currency(terms.currency, principal)
    low, high = terms.principal_minor_min, terms.principal_minor_max
    if not low <= principal.amount_minor <= high:
        raise PrincipalOutOfRange(
            f"This product lends from {say_amount(low, terms.currency)} to "
            f"{say_amount(high, terms.currency)}.",
            field="principal",
            minimum_minor=low,
            maximum_minor=high,
        )


def _check_currency(expected: str, amount: Money) -> None:
    if amount.currency != expected:
        raise CurrencyMismatch(
            f"This is counted in {expected}, not in {amount.currency}.",
            expected=expected,
            given=amount.currency,
        )


def _season_for(
    session: Session, community: Community, terms: ProductTerms, season_id: int | None, on: date
) -> SeasonCalendar | None:
    if (terms.amortisation is Amortisation.SEASONAL) != (season_id is not None):
        raise SeasonNeeded(
            "This product follows a season: name one."
            if season_id is None
            else "This product does not follow a season: leave it out.",
            field="season",
        )
    if season_id is None:
        return None
    row = products.get_season_by_id(session, season_id)
    if row.community_id not in community.path_ids:
        raise SeasonNotFound()
    season = products.calendar_of(row)
    _check_before_harvest(season, on)
    return season


def _check_before_harvest(season: SeasonCalendar, on: date) -> None:
    if on >= season.harvest_from:
        raise SeasonOver(
            f"The harvest of {season.crop} begins on {season.harvest_from}.",
            harvest_from=season.harvest_from.isoformat(),
        )


def _instalments_for(
    terms: ProductTerms, instalments: int | None, season: SeasonCalendar | None
) -> int:
    if season is not None:
        count = len(season.selling)
        if instalments not in (None, count):
            raise InstalmentsOutOfRange(
                f"The season has {count} selling windows, and so many instalments.",
                field="instalments",
            )
    elif instalments is None:
        raise InstalmentsOutOfRange("Say how many instalments.", field="instalments")
    else:
        count = instalments
    low, high = terms.instalments_min, terms.instalments_max
    if not low <= count <= high:
        raise InstalmentsOutOfRange(
            f"This product is repaid in {low} to {high} instalments.",
            field="instalments",
            minimum=low,
            maximum=high,
        )
    return count


def _check_age(borrower: Member, charter: CharterRules, on: date) -> None:
    """Only the year of birth is known: refused is who cannot have had that birthday yet.

    Where it is not known, the decision that took the member in stands for it.
    """
    age_min = charter.member_age_min
    if borrower.birth_year is not None and on.year - borrower.birth_year < age_min:
        raise BorrowerTooYoung(
            f"The charter lends from the age of {age_min} on.",
            rule="member_age_min",
            member_age_min=age_min,
        )


@contextmanager
def of_share(session: Session, borrower_id: int) -> Iterator[None]:
    """What is refused in here is about one share of a group loan: the refusal says whose."""
    try:
        yield
    except (PrincipalOutOfRange, BorrowerTooYoung, NotAMember) as refusal:
        refusal.members |= {
            "field": "shares",
            "member": members.get_member_by_id(session, borrower_id).public_id,
        }
        raise


def check_borrowing_group(
    session: Session, group: Group, shares: Mapping[int, int], *, on: date, actor_id: int
) -> None:
    """Refuse shares of a group loan that its leader, on this day, cannot ask for.

    Raises GroupNotReady, NotTheLeader, Invalid, NotASignedMember.
    """
    if group.status is not GroupStatus.ACTIVE:
        raise GroupNotReady(state=group.status.value)
    if groups.is_led_by(group, on) != actor_id:
        raise NotTheLeader()
    if not 1 <= len(shares) <= SHARES_MAX:
        raise Invalid(f"A group loan has 1 to {SHARES_MAX} shares.", field="shares")
    signed = {
        place.member_id
        for place in groups.living_members(session, group.id)
        if place.status is GroupMemberStatus.SIGNED
    }
    if shares.keys() - signed:
        raise NotASignedMember(
            "A share is for somebody who has not signed the group's agreement.", field="shares"
        )


# Endorsing and deciding


def _endorse(
    session: Session, loan: Loan, *, endorser_id: int, on: date, now: datetime, comment: str
) -> Endorsement:
    if loan.status not in (LoanStatus.SUBMITTED, LoanStatus.ENDORSED):
        raise WrongState("Only an application can be endorsed.", state=loan.status.value)
    communities.require_active(session, community_id=loan.community_id, member_id=endorser_id)
    household = members.get_member_by_id(session, endorser_id).household_id
    if _shares_purse(session, loan, endorser_id, household):
        raise EndorserNotEligible()
    if _endorsed_by(session, [loan.id], endorser_id):
        raise AlreadyEndorsed()
    endorsement = Endorsement(
        loan_id=loan.id, endorser_id=endorser_id, comment=comment, endorsed_at=now
    )
    session.add(endorsement)
    session.flush()  # it is counted next
    record_event(
        session,
        community_id=loan.community_id,
        kind="loan.endorsement_given",
        subject=loan.public_id,
        actor_id=endorser_id,
        now=now,
        facts={},
    )
    if loan.status is LoanStatus.SUBMITTED:
        _endorsed_if_enough(session, loan, on=on, now=now, actor_id=endorser_id)
    return endorsement


def _endorsed_if_enough(
    session: Session, loan: Loan, *, on: date, now: datetime, actor_id: int | None
) -> None:
    # The charter of the application counts, not one adopted since.
    charter = session.get_one(Charter, loan.charter_id)
    needed = read_rules(charter.rules).endorsements_min
    given = session.scalar(
        select(func.count()).select_from(Endorsement).where(Endorsement.loan_id == loan.id)
    )
    if (given or 0) >= needed:
        move_loan(
            session,
            loan=loan,
            to=LoanStatus.ENDORSED,
            on=on,
            now=now,
            actor_id=actor_id,
            reason=because("endorsed", given=given or 0, needed=needed),
        )


def _shares_purse(session: Session, loan: Loan, member_id: int, household_id: int | None) -> bool:
    if loan.borrower_id == member_id:
        return True
    borrower = members.get_member_by_id(session, loan.borrower_id)
    return household_id is not None and borrower.household_id == household_id


def _endorsed_by(session: Session, loan_ids: Sequence[int], member_id: int) -> set[int]:
    return set(
        session.scalars(
            select(Endorsement.loan_id).where(
                Endorsement.loan_id.in_(loan_ids), Endorsement.endorser_id == member_id
            )
        )
    )


def _end_application(
    session: Session,
    loan: Loan,
    *,
    to: LoanStatus,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str,
) -> Loan:
    if loan.status not in states.OPEN:
        raise WrongState(
            "Only an application that is not decided yet can end this way.",
            state=loan.status.value,
        )
    move_loan(session, loan=loan, to=to, on=on, now=now, actor_id=actor_id, reason=reason)
    return loan


# Money


def pay_tranche(
    session: Session,
    *,
    loan: Loan,
    on: date,
    now: datetime,
    actor_id: int | None,
    payees: Sequence[Part] = (),
) -> Disbursement:
    """Pay out the next tranche of a loan (locked); it has to be on its plan.

    Raises TrancheNotDue, WrongState, PayeeRefused, PayeesRequired.
    """
    if loan.status not in states.ON_PLAN:
        raise WrongState("Only a loan on its plan is paid out further.", state=loan.status.value)
    terms = read_loan_terms(loan.terms)
    assert loan.disbursed_on is not None  # it is on its plan
    planned = planned_tranches(terms, loan.principal_minor, loan.disbursed_on)
    paid = session.scalar(
        select(func.count()).select_from(Disbursement).where(Disbursement.loan_id == loan.id)
    )
    if paid is None or paid >= len(planned):
        raise TrancheNotDue("All of the loan is paid out.")
    due_on, amount_minor = planned[paid]
    if on < due_on:
        raise TrancheNotDue(f"The next tranche is paid out on {due_on}.", due_on=due_on.isoformat())
    if terms.season is not None:
        _check_before_harvest(terms.season, on)
    return _pay_tranche(
        session, loan, terms, amount_minor, payees, on=on, now=now, actor_id=actor_id
    )


def _pay_out(
    session: Session,
    loan: Loan,
    payees: Sequence[Part],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    states.check_pay_out(loan.status)
    terms = read_loan_terms(loan.terms)
    if terms.season is not None:
        # Money for sowing comes before the harvest.
        _check_before_harvest(terms.season, on)
    loan.disbursed_on = on
    (_, amount_minor), *_ = planned_tranches(terms, loan.principal_minor, on)
    _pay_tranche(session, loan, terms, amount_minor, payees, on=on, now=now, actor_id=actor_id)
    move_loan(session, loan=loan, to=LoanStatus.CURRENT, on=on, now=now, actor_id=actor_id)
    positions.follow(session, loan=loan, on=on)


def _pay_tranche(
    session: Session,
    loan: Loan,
    terms: LoanTerms,
    amount_minor: int,
    payees: Sequence[Part],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Disbursement:
    uses = check_parts(
        session,
        loan=loan,
        amount_minor=amount_minor,
        currency=terms.product.currency,
        parts=payees,
    )
    number = 1 + (
        session.scalar(
            select(func.count()).select_from(Disbursement).where(Disbursement.loan_id == loan.id)
        )
        or 0
    )
    tranche = Disbursement(
        loan_id=loan.id,
        number=number,
        amount_minor=amount_minor,
        paid_out_on=on,
        recorded_at=now,
        actor_id=actor_id,
    )
    session.add(tranche)
    loan.disbursed_minor += amount_minor
    session.flush()  # the history reads it
    kind, legs = "loan.disbursed", rules.loan_disbursed(loan.id, loan.borrower_id, amount_minor)
    if payees:
        amounts = [part.amount.amount_minor for part in payees]
        kind = "loan.paid_to_payees"
        legs = rules.loan_paid_to_payees(loan.id, loan.borrower_id, amount_minor, amounts)
    tranche.entry_id = history.post(
        session, loan, kind, legs, reference=loan.public_id, on=on, now=now, actor_id=actor_id
    )
    note_payments(
        session,
        loan=loan,
        tranche=tranche,
        parts=payees,
        uses=uses,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    if number == 1:
        _charge_fees(session, loan, terms, on=on, now=now, actor_id=actor_id)
    state = history.derive(session, loan=loan, on=on)
    history.project(session, loan=loan, state=state, on=on, now=now, actor_id=actor_id)
    return tranche


def _charge_fees(
    session: Session,
    loan: Loan,
    terms: LoanTerms,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """The product's fees: on the whole loan at once, and on each instalment of the plan."""
    if not terms.product.fees:
        return
    rows = planned_rows(terms, loan.principal_minor, on)
    session.add_all(
        Charge(
            loan_id=loan.id,
            kind=ChargeKind.FEE,
            amount_minor=fee.amount_minor,
            due_on=fee.due_on,
            reason=fee.name,
            actor_id=actor_id,
            recorded_at=now,
        )
        for fee in fees_of(terms.product, rows, loan.principal_minor, on)
    )
    session.flush()  # the history reads them


# Rows


def _locked_loan(session: Session, loan_id: int) -> Loan:
    found = lock(session, Loan, [loan_id])
    if loan_id not in found:
        raise LoanNotFound()
    return found[loan_id]


def _locked_shares(session: Session, group_loan_id: int) -> list[Loan]:
    if session.get(GroupLoan, group_loan_id) is None:
        raise GroupLoanNotFound()
    lock_one(session, GroupLoan, group_loan_id)
    ids = session.scalars(select(Loan.id).where(Loan.group_loan_id == group_loan_id)).all()
    return list(lock(session, Loan, ids).values())


def _alone(loan: Loan) -> Loan:
    if loan.group_loan_id is not None:
        raise DecidedTogether("Use the group loan that this share belongs to.")
    return loan
