"""A community's rows as the desk works on them: one reading, one moment, one digest."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from community.communities.charter import LiabilityMode, RiskClass
from community.communities.models import Charter, Community
from community.guarantees.models import CoverLine, Guarantee
from community.guarantees.plan import HeldLine
from community.ledger.models import AccountKind
from community.ledger.service import balance
from community.loans.models import Loan
from community.loans.states import LIVE
from community.portfolio.models import LoanClass
from community.products.models import Season
from community.risk.ahead import Book, CoveredLine, LoanOut, Purse, Signed
from community.trust.models import Standing, Vouch, VouchStatus
from graph.arrays import ArrayNetwork, Ints, from_rows

_CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class LoanTraits:
    """What a shock or a probability looks at."""

    public_id: str
    risk_class: RiskClass
    crop: str | None


@dataclass(frozen=True)
class Desk:
    """Everything that a scan or a stress test reads, as it is at one moment."""

    community_id: int
    currency: str
    on: date
    book: Book
    traits: dict[int, LoanTraits]  # by loan
    # Vouches that bind, live or with something reserved on them: who, for whom, up to what.
    vouch_ids: Ints
    vouchers: Ints
    borrowers: Ints
    amounts: Ints
    # What of each is reserved: what it stands for right now.
    reserved: Ints
    reserve_fund_minor: int

    @cached_property
    def network(self) -> ArrayNetwork:
        """Who stands behind whom, up to what: every promise that binds, whatever room it has left.

        All members with a standing or a loan are in it.
        """
        bound = self.amounts > 0
        held = {member: p.stake_minor + p.assessed_minor for member, p in self.book.purses.items()}
        members = np.unique(
            np.concatenate(
                [
                    self.vouchers[bound],
                    self.borrowers[bound],
                    np.fromiter(held, np.int64, len(held)),
                    np.array([loan.borrower_id for loan in self.book.loans], np.int64),
                ]
            )
        )
        return from_rows(
            self.vouchers[bound],
            self.borrowers[bound],
            self.amounts[bound],
            ids=members,
            standings=np.array([held.get(int(member), 0) for member in members], np.int64),
        )

    @cached_property
    def outstanding_minor(self) -> int:
        return sum(loan.owed_minor for loan in self.book.loans)

    @cached_property
    def digest(self) -> str:
        """Says whether two readings are the same to the unit."""
        found = hashlib.sha256()
        for member, purse in sorted(self.book.purses.items()):
            found.update(repr((member, purse)).encode())
        for loan in self.book.loans:
            found.update(repr((loan, self.traits[loan.loan_id])).encode())
        for column in (
            self.vouch_ids, self.vouchers, self.borrowers, self.amounts, self.reserved,
        ):  # fmt: skip
            found.update(np.ascontiguousarray(column, np.int64).tobytes())
        found.update(repr((self.on, self.reserve_fund_minor)).encode())
        return found.hexdigest()


def read_desk(session: Session, *, community: Community, on: date) -> Desk:
    """Read a community's book; consistent as far as the transaction is."""
    purses = _purses(session, community.id, on)
    columns, rooms = _vouches(session, community.id, on)
    loans, traits = _loans(session, community.id)
    fund = balance(
        session,
        community_id=community.id,
        kind=AccountKind.RESERVE_FUND,
        currency=community.currency,
    )
    return Desk(
        community_id=community.id,
        currency=community.currency,
        on=on,
        book=Book(purses, tuple(loans), rooms),
        traits=traits,
        vouch_ids=columns[0],
        vouchers=columns[1],
        borrowers=columns[2],
        amounts=columns[3],
        reserved=columns[4],
        reserve_fund_minor=fund,
    )


def read_cover(
    session: Session, community_id: int, on: date
) -> tuple[dict[int, Purse], list[LoanOut], tuple[Ints, Ints, Ints]]:
    """Who could pay how much, what covers each loan, and who promised whom how much."""
    _, vouchers, borrowers, amounts, _ = _vouches(session, community_id, on)[0]
    promises = (vouchers, borrowers, amounts)
    return _purses(session, community_id, on), _loans(session, community_id)[0], promises


def _purses(session: Session, community_id: int, on: date) -> dict[int, Purse]:
    rows = session.execute(
        select(
            Standing.member_id,
            Standing.stake_minor,
            Standing.assessed_minor,
            Standing.assessed_until_on,
            Standing.reserved_minor,
            Standing.overdue_since_on,
        )
        .where(Standing.community_id == community_id)
        .order_by(Standing.member_id)
    )
    return {
        member: Purse(
            stake, 0 if until is not None and until < on else assessed, reserved, late is not None
        )
        for member, stake, assessed, until, reserved, late in rows
    }


def _vouches(session: Session, community_id: int, on: date) -> tuple[list[Ints], dict[int, int]]:
    live = and_(Vouch.status == VouchStatus.LIVE, Vouch.expires_on >= on)
    rows = session.execute(
        select(
            Vouch.id,
            Vouch.voucher_id,
            Vouch.borrower_id,
            Vouch.limit_minor,
            Vouch.reserved_minor,
            Vouch.spent_minor,
            live.label("is_live"),
            (Vouch.status == VouchStatus.LIVE).label("takes_more"),
        )
        .where(Vouch.community_id == community_id, or_(live, Vouch.reserved_minor > 0))
        .order_by(Vouch.id),
        execution_options={"yield_per": _CHUNK},
    )
    parts: list[list[Ints]] = [[], [], [], [], []]
    rooms: dict[int, int] = {}
    for chunk in rows.partitions():
        table = np.array([tuple(map(int, row)) for row in chunk], np.int64)
        is_live = table[:, 6] == 1
        # A promise that has ended binds for what still rests on it.
        amounts = np.where(is_live, table[:, 3] - table[:, 5], table[:, 4])
        for part, column in zip(
            parts, (table[:, 0], table[:, 1], table[:, 2], amounts, table[:, 4]), strict=True
        ):
            part.append(column)
        takes = table[:, 7] == 1
        left = (table[:, 3] - table[:, 4] - table[:, 5])[takes]
        rooms |= dict(zip(table[takes, 0].tolist(), left.tolist(), strict=True))
    nothing = np.empty(0, np.int64)
    return [np.concatenate([nothing, *part]) for part in parts], rooms


def _loans(session: Session, community_id: int) -> tuple[list[LoanOut], dict[int, LoanTraits]]:
    here = and_(
        Loan.community_id == community_id, Loan.status.in_(LIVE), Loan.outstanding_minor > 0
    )
    lines: dict[int, list[CoveredLine]] = {}
    signed: dict[int, dict[int, int]] = {}  # loan → vouch → guarantor
    for row in _lines(session, here):
        loan_id, line_id, owner, inner, direct, outer, outer_voucher, held = row
        if inner is not None:
            signed.setdefault(loan_id, {})[inner] = direct
        if held:
            lines.setdefault(loan_id, []).append(
                CoveredLine(HeldLine(line_id, owner, direct, outer_voucher, held), inner, outer)
            )
    caps: dict[int, dict[int, int]] = {}
    for loan_id, guarantor, cap in session.execute(
        select(
            Guarantee.loan_id,
            Guarantee.guarantor_id,
            Guarantee.cap_minor - Guarantee.paid_minor,
        )
        .join(Loan, Loan.id == Guarantee.loan_id)
        .where(here)
    ):
        caps.setdefault(loan_id, {})[guarantor] = cap
    loans, traits = [], {}
    set_off = _set_off(session, here)
    rows = session.execute(
        select(
            Loan.id,
            Loan.public_id,
            Loan.borrower_id,
            Loan.outstanding_minor,
            Loan.terms["product"]["liability_mode"].as_string(),
            Loan.charter_id,
            LoanClass.risk_class,
            Season.crop,
        )
        .outerjoin(LoanClass, LoanClass.loan_id == Loan.id)
        .outerjoin(Season, Season.id == Loan.season_id)
        .where(here)
        .order_by(Loan.id)
    )
    for loan_id, public_id, borrower, owed, mode, charter_id, risk_class, crop in rows:
        mine = caps.get(loan_id, {})
        loans.append(
            LoanOut(
                loan_id,
                borrower,
                owed,
                LiabilityMode(mode),
                tuple(lines.get(loan_id, ())),
                _signed(signed.get(loan_id, {}), mine),
                set_off[charter_id],
            )
        )
        traits[loan_id] = LoanTraits(public_id, risk_class or RiskClass.NORMAL, crop)
    return loans, traits


def _signed(vouches: dict[int, int], caps: dict[int, int]) -> tuple[Signed, ...]:
    """The first vouch of each direct guarantor, as real calls take it."""
    found: dict[int, Signed] = {}
    for vouch_id, guarantor in sorted(vouches.items()):
        if guarantor in caps and guarantor not in found:
            found[guarantor] = Signed(vouch_id, guarantor, caps[guarantor])
    return tuple(found.values())


def _lines(session: Session, here: Any) -> Iterator[tuple[Any, ...]]:
    inner, outer = aliased(Vouch), aliased(Vouch)
    rows = session.execute(
        select(
            CoverLine.loan_id,
            CoverLine.id,
            Standing.member_id,
            CoverLine.inner_vouch_id,
            inner.voucher_id,
            CoverLine.outer_vouch_id,
            outer.voucher_id,
            CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor,
        )
        .join(Loan, Loan.id == CoverLine.loan_id)
        .join(Standing, Standing.id == CoverLine.standing_id)
        .outerjoin(inner, inner.id == CoverLine.inner_vouch_id)
        .outerjoin(outer, outer.id == CoverLine.outer_vouch_id)
        .where(here)
        .order_by(CoverLine.loan_id, CoverLine.id),
        execution_options={"yield_per": _CHUNK},
    )
    for chunk in rows.partitions():
        yield from (tuple(row) for row in chunk)


def _set_off(session: Session, here: Any) -> dict[int, bool]:
    """Whether a charter lets stake be set off at once; loans run on under the one they had.

    It may be the charter of a community above: a village without one lives by the township's.
    """
    rows = session.execute(
        select(Charter.id, Charter.rules["set_off_stake"]["value"].as_boolean()).where(
            Charter.id.in_(select(Loan.charter_id).where(here))
        )
    )
    return {charter_id: bool(value) for charter_id, value in rows}
