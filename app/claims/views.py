"""Claims, settlements and statements with the names of what they point at, for dumping."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from types import SimpleNamespace

from sqlalchemy.orm import Session

from app.sheets import Cell
from community.communities.models import Community
from community.guarantees import statements
from community.guarantees.models import Claim, ClaimSettlement
from community.guarantees.statements import RecourseStatement
from community.loans import queries as loans
from community.loans import service as loan_service
from community.members import queries as members
from community.members.models import Member
from community.money import Money

STATEMENT_HEADER = (
    "date",
    "claim",
    "other",
    "kind",
    "currency",
    "principal",
    "interest",
    "balance",
)


def claims(session: Session, rows: Iterable[Claim]) -> list[SimpleNamespace]:
    """Claims with the names on them."""
    listed = list(rows)
    people = {claim.claimant_id for claim in listed} | {claim.debtor_id for claim in listed}
    names = _names(session, people)
    lent = {key: loans.get_loan_by_id(session, key) for key in {c.loan_id for c in listed}}
    payments = statements.payments_of(session, listed)
    return [
        SimpleNamespace(
            id=claim.public_id,
            loan=lent[claim.loan_id].public_id,
            payment=payments[claim.payment_id].public_id,
            claimant=names.get(claim.claimant_id),
            debtor=names[claim.debtor_id],
            ground=claim.ground,
            paid_as=claim.paid_as,
            currency=loan_service.currency_of(lent[claim.loan_id]),
            amount_minor=claim.amount_minor,
            interest_minor=claim.interest_minor,
            all_settled_minor=claim.settled_minor + claim.interest_settled_minor,
            all_relieved_minor=claim.relieved_minor + claim.interest_relieved_minor,
            all_waived_minor=claim.waived_minor + claim.interest_waived_minor,
            open_minor=claim.open_minor,
            principal_open_minor=claim.principal_open_minor,
            rate_ppm=claim.rate_ppm,
            year_days=claim.year_days,
            interest_first=claim.interest_first,
            interest_through_on=claim.interest_through_on,
            created_on=claim.created_on,
        )
        for claim in listed
    ]


def claim_detail(session: Session, claim: Claim, *, on: date) -> SimpleNamespace:
    """One claim with its history, its settlements, and what is owed on it on a day."""
    [shown] = claims(session, [claim])
    interest = statements.interest_today(session, [claim], on)[claim.id]
    said = settlements(session, claim, statements.settlements_of(session, claim.id))
    ids = {row.key: row.id for row in said}
    shown.due_today_minor = claim.principal_open_minor + interest
    shown.settlements = said
    shown.history = [
        SimpleNamespace(
            kind=row.kind,
            currency=shown.currency,
            principal_minor=row.principal_minor,
            interest_minor=row.interest_minor,
            moved_on=row.moved_on,
            # A settlement of a linked claim is the business of those two.
            settlement=ids.get(row.settlement_id),
            reason=row.reason if row.settlement_id is None or row.settlement_id in ids else "",
        )
        for row in statements.movements_of(session, claim.id)
    ]
    return shown


def settlements(
    session: Session, claim: Claim, rows: Collection[ClaimSettlement]
) -> list[SimpleNamespace]:
    """What was said of one claim."""
    names = _names(session, {row.stated_by_id for row in rows})
    currency = loan_service.currency_of(loans.get_loan_by_id(session, claim.loan_id))
    return [
        SimpleNamespace(
            key=row.id,
            id=row.public_id,
            claim=claim.public_id,
            currency=currency,
            amount_minor=row.amount_minor,
            principal_minor=row.principal_minor,
            interest_minor=row.interest_minor,
            status=row.status,
            stated_by=names[row.stated_by_id],
            paid_on=row.paid_on,
            stated_on=row.stated_on,
            answered_on=row.answered_on,
            reversed_on=row.reversed_on,
            reason=row.reason,
            left_minor=claim.open_minor,
        )
        for row in rows
    ]


def statement_view(
    session: Session, community: Community, member: Member, found: RecourseStatement
) -> SimpleNamespace:
    """A statement with the names of the other sides; loans are not named."""
    names = _names(session, {line.other_id for line in found.lines})
    currency = community.currency
    return SimpleNamespace(
        side=found.side,
        member=member.public_id,
        from_on=found.period.from_on,
        to_on=found.period.to_on,
        currency=currency,
        opening_minor=found.opening_minor,
        lines=[
            SimpleNamespace(
                moved_on=line.moved_on,
                claim=line.claim,
                other=names.get(line.other_id),
                kind=line.kind,
                currency=currency,
                principal_minor=line.principal_minor,
                interest_minor=line.interest_minor,
                balance_minor=line.balance_minor,
            )
            for line in found.lines
        ],
        closing_minor=found.closing_minor,
        running_interest=(
            None if found.running_minor is None else Money(found.running_minor, currency)
        ),
    )


def statement_rows(
    session: Session, community: Community, found: RecourseStatement
) -> Iterator[tuple[Cell, ...]]:
    """The same as rows of a sheet: the balance before, every movement, the balance after."""
    names = _names(session, {line.other_id for line in found.lines})

    def money(amount_minor: int) -> Money:
        return Money(amount_minor, community.currency)

    yield _balance(found.period.from_on, "opening", money(found.opening_minor))
    for line in found.lines:
        yield (
            line.moved_on,
            line.claim,
            names.get(line.other_id),
            line.kind.value,
            community.currency,
            money(line.principal_minor),
            money(line.interest_minor),
            money(line.balance_minor),
        )
    yield _balance(found.period.to_on, "closing", money(found.closing_minor))


def _balance(on: date, name: str, balance: Money) -> tuple[Cell, ...]:
    return (on, None, None, name, balance.currency, None, None, balance)


def _names(session: Session, people: Iterable[int | None]) -> dict[int | None, str]:
    wanted = {member_id for member_id in people if member_id is not None}
    named = members.names_of(session, wanted)
    return {member_id: person.public_id for member_id, person in named.items()}
