"""Loans from application to their end: endorsing, deciding, paying out, receiving money.

What a loan may borrow on, and which cover it holds, is decided in the rooms above: they lock the
loan, call `mark_approved`, `book_repayment`, `mark_overdue`, `mark_called`, `write_off`,
`close_if_paid`, and the status moves here, by the one table of `loans.states`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, read_rules
from community.communities.models import Charter, Community
from community.communities.queries import CharterInForce
from community.errors import CurrencyMismatch, Invalid, WrongState
from community.groups import queries as groups
from community.groups.models import Group, GroupMemberStatus, GroupStatus
from community.ledger import rules
from community.ledger import service as ledger
from community.ledger.events import record_event
from community.ledger.rules import Leg
from community.loans import allocation, states
from community.loans.allocation import Debt, Due, Spread
from community.loans.errors import (
    AlreadyEndorsed,
    BorrowerTooYoung,
    DecidedTogether,
    EndorserNotEligible,
    GroupLoanNotFound,
    GroupNotReady,
    InstalmentsOutOfRange,
    LoanNotFound,
    MoreThanOwed,
    NotASignedMember,
    NotTheLeader,
    PrincipalOutOfRange,
    SeasonNeeded,
    SeasonOver,
    SharesDoNotAddUp,
)
from community.loans.models import (
    Endorsement,
    GroupLoan,
    Instalment,
    Loan,
    LoanStatus,
    LoanStep,
    Repayment,
    RepaymentSource,
)
from community.loans.schedule import (
    LoanTerms,
    Row,
    effective_yearly_rate,
    read_loan_terms,
    schedule,
)
from community.locks import lock, lock_one
from community.members import queries as members
from community.members.models import Member
from community.money import Money, format_minor
from community.products import queries as products
from community.products.caps import check_liability_mode, check_rate
from community.products.errors import ProductNotFound, SeasonNotFound
from community.products.models import ProductVersion
from community.products.terms import Amortisation, ProductTerms, SeasonCalendar

SHARES_MAX = 100


@dataclass(frozen=True, slots=True)
class Quote:
    """What a loan would cost if it were paid out on the day."""

    version: ProductVersion
    terms: LoanTerms
    rows: tuple[Row, ...]
    principal_minor: int
    interest_minor: int
    effective_yearly_rate_ppm: int
    charter: CharterInForce

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor


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
    community = communities.get_community_by_id(session, community_id)
    _check_currency(community.currency, principal)
    product = products.get_product_by_id(session, product_id)
    if product.community_id not in community.path_ids:
        raise ProductNotFound()
    version = products.version_on(session, product_id, on)
    terms = products.terms_of(version)
    charter = communities.charter_on(session, community_id, on)
    _check_principal(terms, principal)
    season = _season_for(session, community, terms, season_id, on)
    count = _instalments_for(terms, instalments, season)
    check_liability_mode(terms, charter.rules)
    rows = schedule(terms, principal.amount_minor, count, on, season)
    rate_ppm = effective_yearly_rate(rows, principal.amount_minor, on)
    check_rate(rate_ppm, charter.rules, charter_version=charter.version)
    return Quote(
        version=version,
        terms=LoanTerms(terms, count, season),
        rows=rows,
        principal_minor=principal.amount_minor,
        interest_minor=sum(row.interest_minor for row in rows),
        effective_yearly_rate_ppm=rate_ppm,
        charter=charter,
    )


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
) -> Loan:
    """A member asks for a loan; its terms are frozen as they are on this day.

    The answer is `submitted`, or `endorsed` at once where the charter asks for no endorsement.
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
) -> GroupLoan:
    """The leader asks for a group loan: `shares` are minor units by member id, summing to `total`.

    Every borrower is a signed member of the active group and may borrow alone on the same terms.
    Locks the group. Raises what `quote` raises, and GroupNotReady, NotTheLeader, NotASignedMember,
    SharesDoNotAddUp, NotAMember, BorrowerTooYoung.
    """
    # Locked, so that it cannot dissolve or change its leader meanwhile.
    group = lock_one(session, Group, groups.get_group_by_id(session, group_id).id)
    _check_group(session, group, shares, on=on, actor_id=actor_id)
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
    loans = [
        _enter_application(
            session,
            community_id=group.community_id,
            borrower_id=borrower_id,
            product_id=product_id,
            principal=Money(shares[borrower_id], total.currency),
            purpose=purpose,
            on=on,
            now=now,
            instalments=instalments,
            season_id=season_id,
            group_loan_id=group_loan.id,
        )
        for borrower_id in sorted(shares)
    ]
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
    session: Session, *, loan_id: int, on: date, now: datetime, actor_id: int | None
) -> Loan:
    """An approved loan is paid out of the lending pool and gets its schedule from this day on.

    Locks the loan, then the book. Raises StepNotAllowed unless the loan is approved, SeasonOver,
    InsufficientFunds when the pool is short, DecidedTogether for a share of a group loan.
    """
    loan = _alone(_locked_loan(session, loan_id))
    _pay_out(session, loan, on=on, now=now, actor_id=actor_id)
    return loan


def disburse_group_loan(
    session: Session, *, group_loan_id: int, on: date, now: datetime, actor_id: int | None
) -> GroupLoan:
    """All shares of an approved group loan are paid out, or none. Locks them, then the book."""
    shares = _locked_shares(session, group_loan_id)
    # All of them first: a share that is not approved is the reason, not a pool that ran short.
    for loan in shares:
        states.check_step(loan.status, LoanStatus.CURRENT)
    for loan in shares:
        _pay_out(session, loan, on=on, now=now, actor_id=actor_id)
    return session.get_one(GroupLoan, group_loan_id)


def book_repayment(
    session: Session,
    *,
    loan: Loan,
    amount_minor: int,
    source: RepaymentSource,
    payer_id: int | None,
    on: date,
    now: datetime,
    actor_id: int | None,
    recourse_minor: int = 0,
    overpaid_minor: int = 0,
) -> Repayment:
    """Money for the lender is taken on a loan (locked): past due first, then due, then later.

    `amount_minor` is the lender's part, at most what `owed` says, 0 if all goes elsewhere. What
    the payer gave beyond it stands on the same receipt: `recourse_minor` is posted by the caller,
    `overpaid_minor` is posted here and kept for the payer. On a written-off loan the lender's
    part is a recovery. The day since when the loan is overdue follows what is still unpaid; the
    status is left to the caller (`close_if_paid`, `mark_current`).
    Raises MoreThanOwed, WrongState before disbursement.
    """
    if loan.status not in states.DISBURSED:
        raise WrongState("Nothing was paid out on this loan.", state=loan.status.value)
    parts = (amount_minor, recourse_minor, overpaid_minor)
    if min(parts) < 0 or sum(parts) == 0 or source is RepaymentSource.WRITE_OFF:
        raise Invalid("A repayment is money.", field="amount")
    if payer_id is None and (source is not RepaymentSource.RESERVE or overpaid_minor):
        raise Invalid("A repayment names its payer.", field="payer_id")
    instalments = _instalments(session, loan.id)
    debt = _debt(session, loan, instalments, on)
    if amount_minor > debt.total_minor:
        raise MoreThanOwed(
            f"The loan owes {debt.total_minor} minor units, {amount_minor} were offered.",
            owed_minor=debt.total_minor,
            offered_minor=amount_minor,
            field="amount",
        )
    written_off = loan.status is LoanStatus.WRITTEN_OFF
    spread = Spread((), 0)
    if not written_off:
        spread = _take(session, loan, instalments, amount_minor, on)
    repayment = Repayment(
        loan_id=loan.id,
        payer_id=payer_id,
        source=source,
        amount_minor=sum(parts),
        principal_minor=spread.principal_minor,
        interest_minor=spread.interest_minor,
        recovered_minor=amount_minor if written_off else 0,
        recourse_minor=recourse_minor,
        overpaid_minor=overpaid_minor,
        received_on=on,
        recorded_at=now,
        actor_id=actor_id,
    )
    loan.version += 1
    session.add(repayment)
    session.flush()  # the entry carries the receipt's number
    kind, legs = _legs_of(loan, repayment)
    if legs:
        repayment.entry_id = _post(
            session,
            loan,
            kind,
            legs,
            reference=repayment.public_id,
            on=on,
            now=now,
            actor_id=actor_id,
        )
    return repayment


def close_if_paid(
    session: Session, *, loan: Loan, on: date, now: datetime, actor_id: int | None
) -> bool:
    """A live loan (locked) that owes nothing any more is closed; tells whether it was."""
    if loan.status not in states.LIVE or owed(session, loan=loan, on=on).total_minor:
        return False
    move_loan(session, loan=loan, to=LoanStatus.CLOSED, on=on, now=now, actor_id=actor_id)
    loan.overdue_since_on = None
    return True


def mark_overdue(
    session: Session, *, loan: Loan, on: date, now: datetime, actor_id: int | None = None
) -> bool:
    """A current loan (locked) with something past due becomes overdue; tells whether it did."""
    if loan.status is not LoanStatus.CURRENT:
        return False
    debt = owed(session, loan=loan, on=on)
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
        reason=f"{debt.overdue_minor} minor units unpaid since {debt.overdue_since_on}",
    )
    return True


def mark_current(
    session: Session, *, loan: Loan, on: date, now: datetime, actor_id: int | None = None
) -> bool:
    """An overdue or called loan (locked) with nothing past due is current again; tells whether.

    An accelerated loan does not come back: the whole of it is due.
    """
    if loan.status not in (LoanStatus.OVERDUE, LoanStatus.CALLED):
        return False
    if loan.accelerated_on is not None or owed(session, loan=loan, on=on).overdue_minor:
        return False
    move_loan(session, loan=loan, to=LoanStatus.CURRENT, on=on, now=now, actor_id=actor_id)
    loan.overdue_since_on = None
    return True


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


def write_off(
    session: Session,
    *,
    loan: Loan,
    on: date,
    now: datetime,
    actor_id: int | None = None,
    reason: str = "",
) -> Repayment | None:
    """The lender gives up the principal that is still out; the borrower's debt of it stays.

    Unpaid interest was never booked and is given up for good. Posts the write-off. Returns its
    record, None if no principal was left.
    """
    principal = loan.outstanding_minor
    record = None
    if principal:
        record = Repayment(
            loan_id=loan.id,
            payer_id=None,
            source=RepaymentSource.WRITE_OFF,
            amount_minor=principal,
            principal_minor=principal,
            interest_minor=0,
            received_on=on,
            recorded_at=now,
            actor_id=actor_id,
        )
        session.add(record)
        session.flush()  # the entry carries the record's number
        record.entry_id = _post(
            session,
            loan,
            "loan.written_off",
            rules.loan_written_off(loan.id, loan.borrower_id, principal),
            reference=record.public_id,
            on=on,
            now=now,
            actor_id=actor_id,
        )
    loan.written_off_minor += principal
    loan.outstanding_minor = 0
    move_loan(
        session,
        loan=loan,
        to=LoanStatus.WRITTEN_OFF,
        on=on,
        now=now,
        actor_id=actor_id,
        reason=reason,
    )
    return record


def owed(session: Session, *, loan: Loan, on: date) -> Debt:
    """What the lender may still receive on a loan, as of a day; nothing before disbursement.

    Of a written-off loan it is the principal given up, less what was recovered since.
    """
    return _debt(session, loan, _instalments(session, loan.id), on)


def move_loan(
    session: Session,
    *,
    loan: Loan,
    to: LoanStatus,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = "",
) -> None:
    """Take one step of a loan's life (the loan is locked): status, dates, step row and event.

    Raises StepNotAllowed when the table of states does not have the step.
    """
    states.check_step(loan.status, to)
    _record_step(session, loan, loan.status, to, on=on, now=now, actor_id=actor_id, reason=reason)
    loan.status = to
    loan.version += 1
    if to is LoanStatus.SUBMITTED:
        loan.submitted_at = now
    elif to is LoanStatus.APPROVED:
        loan.approved_at = now
    elif to is LoanStatus.CALLED:
        loan.called_on = on
    if to in states.FINAL:
        loan.ended_on = on


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
    _record_step(
        session, loan, None, LoanStatus.DRAFT, on=on, now=now, actor_id=actor_id, reason=""
    )
    move_loan(session, loan=loan, to=LoanStatus.SUBMITTED, on=on, now=now, actor_id=actor_id)
    _endorsed_if_enough(session, loan, on=on, now=now, actor_id=actor_id)


def _check_principal(terms: ProductTerms, principal: Money) -> None:
    _check_currency(terms.currency, principal)
    low, high = terms.principal_minor_min, terms.principal_minor_max
    if not low <= principal.amount_minor <= high:
        raise PrincipalOutOfRange(
            f"This product lends from {format_minor(low, terms.currency)} to "
            f"{format_minor(high, terms.currency)} {terms.currency}.",
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


def _check_group(
    session: Session, group: Group, shares: Mapping[int, int], *, on: date, actor_id: int
) -> None:
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
            reason=f"{given or 0} of {needed} endorsements",
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


def _pay_out(
    session: Session, loan: Loan, *, on: date, now: datetime, actor_id: int | None
) -> None:
    states.check_step(loan.status, LoanStatus.CURRENT)
    terms = read_loan_terms(loan.terms)
    if terms.season is not None:
        _check_before_harvest(terms.season, on)
    rows = schedule(terms.product, loan.principal_minor, terms.instalments, on, terms.season)
    session.add_all(
        Instalment(
            loan_id=loan.id,
            number=row.number,
            due_on=row.due_on,
            principal_minor=row.principal_minor,
            interest_minor=row.interest_minor,
            paid_principal_minor=0,
            paid_interest_minor=0,
        )
        for row in rows
    )
    loan.outstanding_minor = loan.principal_minor
    loan.disbursed_on = on
    move_loan(session, loan=loan, to=LoanStatus.CURRENT, on=on, now=now, actor_id=actor_id)
    _post(
        session,
        loan,
        "loan.disbursed",
        rules.loan_disbursed(loan.id, loan.borrower_id, loan.principal_minor),
        reference=loan.public_id,
        on=on,
        now=now,
        actor_id=actor_id,
    )


def _take(
    session: Session, loan: Loan, instalments: Sequence[Instalment], amount_minor: int, on: date
) -> Spread:
    """Spread money over the instalments and bring the loan's figures up to date."""
    order = read_loan_terms(loan.terms).product.allocation_order
    spread = allocation.receive(_dues(instalments), amount_minor, on, loan.accelerated_on, order)
    assert spread.leftover_minor == 0  # no more than the debt was taken
    by_number = {row.number: row for row in instalments}
    for part in spread.parts:
        row = by_number[part.number]
        row.paid_principal_minor += part.principal_minor
        row.paid_interest_minor += part.interest_minor
    loan.outstanding_minor -= spread.principal_minor
    if loan.overdue_since_on is not None:
        left = _debt(session, loan, instalments, on)
        loan.overdue_since_on = left.overdue_since_on or loan.overdue_since_on
    return spread


def _legs_of(loan: Loan, repayment: Repayment) -> tuple[str, list[Leg]]:
    principal, interest = repayment.principal_minor, repayment.interest_minor
    recovered, overpaid = repayment.recovered_minor, repayment.overpaid_minor
    payer_id = repayment.payer_id
    if repayment.source in (RepaymentSource.STAKE, RepaymentSource.RESERVE):
        if recovered or overpaid:
            raise WrongState("A stake or the reserve stands in for live debt only.")
        if repayment.source is RepaymentSource.RESERVE:
            legs = rules.loan_paid_from_reserve(loan.id, principal=principal, interest=interest)
            return "loan.paid_from_reserve", legs
        assert payer_id is not None
        legs = rules.loan_paid_from_stake(loan.id, payer_id, principal=principal, interest=interest)
        return "loan.paid_from_stake", legs
    assert payer_id is not None
    legs = rules.loan_repaid(
        loan.id, payer_id, principal=principal, interest=interest, overpaid=overpaid
    )
    if recovered:
        return "loan.recovered", legs + rules.loan_recovered(loan.id, payer_id, recovered)
    return "loan.repaid", legs


def _post(
    session: Session,
    loan: Loan,
    kind: str,
    legs: Sequence[Leg],
    *,
    reference: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> int:
    return ledger.post(
        session,
        community_id=loan.community_id,
        currency=currency_of(loan),
        kind=kind,
        legs=legs,
        on=on,
        now=now,
        reference=reference,
        actor_id=actor_id,
    )


def currency_of(loan: Loan) -> str:
    """The currency that a loan is counted in."""
    currency: str = loan.terms["product"]["currency"]
    return currency


# Rows


def _record_step(
    session: Session,
    loan: Loan,
    from_status: LoanStatus | None,
    to: LoanStatus,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str,
) -> None:
    session.add(
        LoanStep(
            loan_id=loan.id,
            from_status=from_status,
            to_status=to,
            on=on,
            reason=reason,
            actor_id=actor_id,
            recorded_at=now,
        )
    )
    facts: dict[str, Any] = {"on": on.isoformat(), "principal_minor": loan.principal_minor}
    record_event(
        session,
        community_id=loan.community_id,
        kind=f"loan.{to.value}",
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts
        | ({"from": from_status.value} if from_status else {})
        | ({"reason": reason} if reason else {}),
    )


def _debt(session: Session, loan: Loan, instalments: Sequence[Instalment], on: date) -> Debt:
    if loan.status is LoanStatus.WRITTEN_OFF:
        recovered = session.scalar(
            select(func.coalesce(func.sum(Repayment.recovered_minor), 0)).where(
                Repayment.loan_id == loan.id
            )
        )
        left = loan.written_off_minor - int(recovered or 0)
        since = loan.overdue_since_on
        days = (on - since).days if since is not None and left else 0
        return Debt(left, 0, left, left, since if left else None, days)
    if loan.status is LoanStatus.CLOSED:
        return Debt(0, 0, 0, 0, None, 0)
    return allocation.debt(_dues(instalments), on, loan.accelerated_on)


def _dues(instalments: Sequence[Instalment]) -> list[Due]:
    return [
        Due(
            number=row.number,
            due_on=row.due_on,
            principal_minor=row.principal_minor - row.paid_principal_minor,
            interest_minor=row.interest_minor - row.paid_interest_minor,
        )
        for row in instalments
    ]


def _instalments(session: Session, loan_id: int) -> Sequence[Instalment]:
    return session.scalars(
        select(Instalment)
        .where(Instalment.loan_id == loan_id)
        .order_by(Instalment.number)
        # The loan's lock guards them: what the session read before it may be old.
        .execution_options(populate_existing=True)
    ).all()


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
