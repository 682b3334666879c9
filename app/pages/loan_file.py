"""One loan with its life so far, as every room of pages shows it, read and permitted once.

The parts that show it stand in `common/loan.html`. Its lists are bounded; the API has the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth import caller
from app.claims import permissions as _permissions  # noqa: F401  declares claim:read
from app.clock import today
from app.loans.facts import group_loan_facts, loan_facts
from app.permissions import Facts, may, permit
from community.communities import queries as communities
from community.communities.models import Community
from community.guarantees import queries as guarantees
from community.guarantees import statements
from community.guarantees.models import Call
from community.guarantees.queries import LineView
from community.loans import queries, repayments, service
from community.loans.errors import NothingToSettle
from community.loans.history import owed
from community.loans.models import (
    Loan,
    LoanStatus,
    LoanStep,
    LoanUse,
    Repayment,
    RepaymentSource,
)
from community.loans.payees import paid_by_use
from community.loans.queries import LoanFile
from community.loans.schedule import LoanTerms, read_loan_terms
from community.members import queries as members
from community.members.queries import Named
from community.monitoring import proceeds
from community.monitoring.models import UseEvidence
from community.monitoring.proceeds import PromiseSeen

# Of each of a loan's lists a page shows the newest; the API has the rest.
MOST_SHOWN = 40
ASKED = (LoanStatus.SUBMITTED, LoanStatus.ENDORSED)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What settles the loan today, and the interest that this saves."""

    total_minor: int
    saved_interest_minor: int


@dataclass(frozen=True, slots=True)
class UseSeen:
    """What a part of a loan is for, what went straight to its payee, and what else shows it."""

    use: LoanUse
    straight_minor: int
    evidence: Sequence[UseEvidence]

    @property
    def not_shown_minor(self) -> int:
        """The part of it for which somebody has still to see something."""
        left = self.use.amount_minor - self.use.verified_minor - self.straight_minor
        return max(0, left)

    @property
    def unpaid_minor(self) -> int:
        """What may still go straight to its payee."""
        return self.use.amount_minor - self.straight_minor


@dataclass(frozen=True, slots=True)
class LoanPage:
    """One loan as its borrower, whoever stands behind it, or whoever looks after it sees it."""

    loan: Loan
    community: Community
    facts: Facts
    currency: str
    terms: LoanTerms
    file: LoanFile
    borrower: Named
    is_mine: bool
    people: Mapping[int, Named]
    settlement: Settlement | None
    cover: Sequence[LineView]
    calls: Sequence[Call]
    uses: Sequence[UseSeen]
    uses_count: int
    promises: Sequence[PromiseSeen]
    words_needed: int
    paid_minor: int
    stated_minor: int
    may_verify: bool
    # The group's loan of which it is a share, if the reader may see that one.
    group_loan: str | None
    opens_cover: bool
    # What the borrower owes on it to those who paid for them; nothing where that is not to be seen.
    claimed_minor: int

    @property
    def held_minor(self) -> int:
        """What of its cover is still held."""
        return sum(line.held_minor for line in self.cover)

    @property
    def planned_minor(self) -> int:
        """All that the schedule asks for."""
        return sum(row.due_minor for row in self.file.instalments)

    @property
    def left_to_state_minor(self) -> int:
        """The part of the principal that has no stated use yet."""
        return self.loan.principal_minor - self.stated_minor

    @property
    def receipts(self) -> Sequence[Repayment]:
        """What was paid, the newest first."""
        return self.file.repayments[: -MOST_SHOWN - 1 : -1]

    @property
    def steps(self) -> Sequence[LoanStep]:
        """What became of it, the newest last."""
        return self.file.steps[-MOST_SHOWN:]


def read_loan(session: Session, loan_id: str) -> LoanPage:
    """A loan as far as the caller may see it; a fixed number of statements.

    Raises LoanNotFound.
    """
    on = today()
    found = queries.get_loan(session, loan_id)
    facts = loan_facts(session, found)
    permit("loan:read", facts)
    community = communities.get_community_by_id(session, found.community_id)
    file = queries.get_loan_file(session, found, on)
    cover: Sequence[LineView] = ()
    calls: Sequence[Call] = ()
    if may("cover:read", facts):
        permit("cover:read", facts)
        cover = guarantees.list_lines(session, loan_id=found.id)
    if may("call:read", facts):
        permit("call:read", facts)
        calls = session.scalars(
            guarantees.calls_of_loan(found.id).order_by(Call.id).limit(MOST_SHOWN)
        ).all()
    permit("loan-use:read", facts)
    permit("promise:read", facts)
    uses = see_uses(
        session,
        session.scalars(proceeds.list_uses(found.id).order_by(LoanUse.id).limit(MOST_SHOWN)).all(),
    )
    uses_count, stated_minor = session.execute(
        select(func.count(), func.coalesce(func.sum(LoanUse.amount_minor), 0)).where(
            LoanUse.loan_id == found.id
        )
    ).one()
    people: list[int | None] = [found.borrower_id]
    people += [step.actor_id for step in file.steps]
    people += [word.endorser_id for word in file.endorsements]
    people += [line.standing_of_id for line in cover] + [line.via_id for line in cover]
    people += [call.guarantor_id for call in calls]
    people += [row.verified_by_id for seen in uses for row in seen.evidence]
    names = members.names_of(session, people)
    settlement = None
    if may("payoff:read", facts):
        permit("payoff:read", facts)
        settlement = _settlement(session, found)
    claimed = 0
    # Claims are for both sides of them, and for those who look after the community or audit it.
    sides = Facts(path=facts.path, related_ids=facts.owner_ids)
    if may("claim:read", sides):
        claimed = statements.claimed_on(session, loan_id=found.id, on=on)
    rules = communities.charter_on(session, community.id, on).rules
    is_mine = found.borrower_id == caller().member_id
    return LoanPage(
        loan=found,
        community=community,
        facts=facts,
        currency=service.currency_of(found),
        terms=read_loan_terms(found.terms),
        file=file,
        borrower=names[found.borrower_id],
        is_mine=is_mine,
        people=names,
        settlement=settlement,
        cover=cover,
        calls=calls,
        uses=uses,
        uses_count=uses_count,
        promises=proceeds.promises_of(session, found, on=on)[-MOST_SHOWN:],
        words_needed=max(0, rules.endorsements_min - len(file.endorsements))
        if found.status in ASKED
        else 0,
        paid_minor=sum(
            row.amount_minor
            for row in file.repayments
            if row.reversed_on is None and row.source is not RepaymentSource.WRITE_OFF
        ),
        stated_minor=int(stated_minor),
        may_verify=not is_mine and may("loan-use:verify", facts),
        group_loan=_group_loan(session, found),
        opens_cover=may("cover:read", facts),
        claimed_minor=claimed,
    )


def see_uses(session: Session, uses: Sequence[LoanUse]) -> list[UseSeen]:
    """Uses with what went straight to their payees and what shows them; two statements."""
    ids = [use.id for use in uses]
    straight = paid_by_use(session, ids)
    shown: dict[int, list[UseEvidence]] = {}
    for row in proceeds.evidence_of(session, ids):
        shown.setdefault(row.use_id, []).append(row)
    return [UseSeen(use, straight.get(use.id, 0), shown.get(use.id, ())) for use in uses]


def _group_loan(session: Session, loan: Loan) -> str | None:
    if loan.group_loan_id is None:
        return None
    whole = queries.get_group_loan_by_id(session, loan.group_loan_id)
    return whole.public_id if may("group-loan:read", group_loan_facts(session, whole)) else None


def _settlement(session: Session, loan: Loan) -> Settlement | None:
    """What settles the loan today; nothing where nothing is to settle."""
    on = today()
    try:
        due = repayments.payoff(session, loan=loan, on=on)
    except NothingToSettle:
        return None
    planned = owed(session, loan=loan, on=on)
    return Settlement(due.total_minor, planned.interest_minor - due.interest_minor)
