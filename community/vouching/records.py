"""Reading voucher records: of one member, of some, or of a whole community, as of a day.

Four statements for every few hundred loans or members, whatever they are worth. The rows are as the
books say today of that day: money that was entered late counts from its own day, money that was
taken back never counted.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from community.bulk import select_by
from community.communities.charter import CharterRules
from community.communities.queries import CharterInForce
from community.guarantees.models import CoverChange, CoverChangeStatus, CoverLine
from community.loans.models import Instalment, Loan, LoanStatus, Repayment, RepaymentSource
from community.loans.states import DISBURSED
from community.trust.models import Vouch
from community.trust.record_bounds import RecordFigures
from community.vouching.evidence import CoverPart, LoanLife, LoanWord, belief, words_of

_LOANS_AT_ONCE = 2_000
# What the borrower's own money went to: the lender, and those who had paid for them.
_BORROWERS_MONEY = (
    Repayment.principal_minor
    + Repayment.interest_minor
    + Repayment.fee_minor
    + Repayment.penalty_minor
    + Repayment.recovered_minor
    + Repayment.recourse_minor
)
_DUE = (
    Instalment.principal_minor
    + Instalment.interest_minor
    + Instalment.fee_minor
    + Instalment.penalty_minor
)


@dataclass(frozen=True, slots=True)
class VoucherRecord:
    """A member's record, with the loans that it rests on, oldest first."""

    member_id: int
    on: date
    figures: RecordFigures
    words: tuple[LoanWord, ...]

    @property
    def borrowers(self) -> int:
        return len({word.borrower_id for word in self.words})


def figures_of(
    session: Session,
    community_id: int,
    member_ids: Collection[int],
    on: date,
    charter: CharterInForce,
) -> dict[int, RecordFigures]:
    """Records as the checks of new promises ask for them (`trust.record_bounds.RecordsOf`)."""
    found = records_of(session, community_id, member_ids, on, charter)
    return {member_id: record.figures for member_id, record in found.items()}


def records_of(
    session: Session,
    community_id: int,
    member_ids: Collection[int],
    on: date,
    charter: CharterInForce,
) -> dict[int, VoucherRecord]:
    """The records of these members; of who vouched for no loan, what is believed of everybody."""
    inner = aliased(Vouch)
    query = (
        select(CoverLine.loan_id)
        .join(inner, inner.id == CoverLine.inner_vouch_id)
        .where(inner.community_id == community_id)
    )
    rows = select_by(session, query, inner.voucher_id, member_ids)
    loan_ids = sorted({loan_id for (loan_id,) in rows})
    words: dict[int, list[LoanWord]] = {member_id: [] for member_id in member_ids}
    for word_of in _words(session, loan_ids, charter.rules, on):
        for member_id, word in word_of.items():
            if member_id in words:
                words[member_id].append(word)
    return {
        member_id: _record(member_id, words[member_id], charter.rules, on)
        for member_id in sorted(words)
    }


def all_records(
    session: Session, community_id: int, on: date, charter: CharterInForce
) -> Iterator[VoucherRecord]:
    """The records of all who ever vouched for a loan here, by row id."""
    loan_ids = session.scalars(
        select(Loan.id).where(
            Loan.community_id == community_id, Loan.status.in_(DISBURSED), Loan.disbursed_on <= on
        )
    ).all()
    words: dict[int, list[LoanWord]] = {
        member_id: [] for member_id in session.scalars(vouchers_in(community_id, on))
    }
    for word_of in _words(session, sorted(loan_ids), charter.rules, on):
        for member_id, word in word_of.items():
            words.setdefault(member_id, []).append(word)
    for member_id in sorted(words):
        yield _record(member_id, words[member_id], charter.rules, on)


def vouchers_in(community_id: int, on: date) -> Select[int]:
    """Members who vouched for a loan here that was paid out by a day."""
    return (
        select(Vouch.voucher_id)
        .join(CoverLine, CoverLine.inner_vouch_id == Vouch.id)
        .join(Loan, Loan.id == CoverLine.loan_id)
        .where(
            Vouch.community_id == community_id,
            Loan.status.in_(DISBURSED),
            Loan.disbursed_on <= on,
        )
        .distinct()
    )


def _record(
    member_id: int, words: Sequence[LoanWord], rules: CharterRules, on: date
) -> VoucherRecord:
    good = sum(word.good_cases for word in words)
    bad = sum(word.bad_cases for word in words)
    return VoucherRecord(member_id, on, belief(good, bad, rules), tuple(words))


@dataclass(slots=True)
class _Life:
    borrower_id: int
    all_due_on: date | None
    dues: list[tuple[date, int]] = field(default_factory=list)
    paid_minor: int = 0
    cover: list[CoverPart] = field(default_factory=list)


def _words(
    session: Session, loan_ids: Sequence[int], rules: CharterRules, on: date
) -> Iterator[dict[int, LoanWord]]:
    """Loan by loan, what it says of whom."""
    for start in range(0, len(loan_ids), _LOANS_AT_ONCE):
        part = loan_ids[start : start + _LOANS_AT_ONCE]
        for loan_id, life in _lives(session, part, on).items():
            yield words_of(
                LoanLife(
                    loan_id=loan_id,
                    borrower_id=life.borrower_id,
                    dues=life.dues,
                    paid_minor=life.paid_minor,
                    cover=life.cover,
                    all_due_on=life.all_due_on,
                ),
                rules,
                on,
            )


def _lives(session: Session, loan_ids: Sequence[int], on: date) -> dict[int, _Life]:
    lives: dict[int, _Life] = {}
    loans = select(
        Loan.id, Loan.borrower_id, Loan.status, Loan.accelerated_on, Loan.ended_on
    ).where(Loan.status.in_(DISBURSED), Loan.disbursed_on <= on)
    for loan_id, borrower_id, status, accelerated_on, ended_on in select_by(
        session, loans.order_by(Loan.id), Loan.id, loan_ids
    ):
        given_up = ended_on if status is LoanStatus.WRITTEN_OFF else None
        days = [day for day in (accelerated_on, given_up) if day is not None]
        lives[loan_id] = _Life(borrower_id, min(days, default=None))
    dues = select(Instalment.loan_id, Instalment.due_on, _DUE).order_by(
        Instalment.loan_id, Instalment.due_on, Instalment.number
    )
    for loan_id, due_on, minor in select_by(session, dues, Instalment.loan_id, lives):
        lives[loan_id].dues.append((due_on, int(minor)))
    paid = (
        select(Repayment.loan_id, func.sum(_BORROWERS_MONEY))
        .where(
            Repayment.source == RepaymentSource.BORROWER,
            Repayment.reversed_on.is_(None),
            Repayment.received_on <= on,
        )
        .group_by(Repayment.loan_id)
    )
    for loan_id, minor in select_by(session, paid, Repayment.loan_id, lives):
        lives[loan_id].paid_minor = int(minor)
    _add_cover(session, lives)
    return lives


def _add_cover(session: Session, lives: dict[int, _Life]) -> None:
    """Whose word covers each loan; what went over to somebody else counts for each their time."""
    changes = select(
        CoverChange.id, CoverChange.loan_id, CoverChange.coming_id, CoverChange.done_on
    ).where(CoverChange.status == CoverChangeStatus.DONE)
    left_on: dict[int, date] = {}
    came_on: dict[tuple[int, int], date] = {}
    for change_id, loan_id, coming_id, done_on in select_by(
        session, changes.order_by(CoverChange.id), CoverChange.loan_id, lives
    ):
        left_on[change_id] = done_on
        if coming_id is not None:
            came_on.setdefault((loan_id, coming_id), done_on)
    lines = (
        select(CoverLine.loan_id, Vouch.voucher_id, CoverLine.amount_minor, CoverLine.change_id)
        .outerjoin(Vouch, Vouch.id == CoverLine.inner_vouch_id)
        .order_by(CoverLine.loan_id, CoverLine.id)
    )
    for loan_id, voucher_id, amount, change_id in select_by(
        session, lines, CoverLine.loan_id, lives
    ):
        lives[loan_id].cover.append(
            CoverPart(
                voucher_id,
                amount,
                from_on=came_on.get((loan_id, voucher_id)),
                until_on=left_on.get(change_id),
            )
        )
