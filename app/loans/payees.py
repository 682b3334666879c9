"""Whom a disbursement is asked to be paid to, by the uses that the caller names."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from community.loans.models import Loan
from community.loans.payees import Part
from community.monitoring import proceeds
from community.monitoring.errors import UseNotFound


def parts_of(
    session: Session, loans: Collection[Loan], payees: Sequence[Mapping[str, Any]]
) -> list[Part]:
    """Parts by the uses of these loans. Raises UseNotFound, as well for a use of another loan."""
    ids = {loan.id for loan in loans}
    parts = []
    for payee in payees:
        use = proceeds.get_use(session, payee["use"])
        if use.loan_id not in ids:
            raise UseNotFound()
        parts.append(Part(use.id, payee["amount"]))
    return parts
