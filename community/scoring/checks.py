"""What warnings have to agree on: a verifier's look at them."""

from collections.abc import Iterator

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.scoring.models import Basis, LoanWarning, WarningModel, WarningRun
from community.scoring.service import model_facts
from community.scoring.training import fingerprint


def check_warnings(session: Session) -> Iterator[Breach]:
    """Models are what they were made as; runs have as many loans as they say, each with what its
    run rests on: a probability by a model, none by rules."""
    for model in session.scalars(select(WarningModel).order_by(WarningModel.id)):
        if model.digest != fingerprint(model.document, model_facts(model)):
            yield Breach(8, "warning_models", str(model.id), "it is not as it was made")
    counted = (
        select(LoanWarning.run_id, func.count().label("number"))
        .group_by(LoanWarning.run_id)
        .subquery()
    )
    for run in session.scalars(
        select(WarningRun)
        .outerjoin(counted, counted.c.run_id == WarningRun.id)
        .where(func.coalesce(counted.c.number, 0) != WarningRun.loans)
        .order_by(WarningRun.id)
    ):
        yield Breach(7, "warning_runs", str(run.id), "its loans are not those that it counts")
    for warning in session.scalars(
        select(LoanWarning)
        .join(WarningRun, WarningRun.id == LoanWarning.run_id)
        .where(
            or_(
                (WarningRun.basis == Basis.MODEL) & LoanWarning.probability_ppm.is_(None),
                (WarningRun.basis == Basis.RULES) & LoanWarning.probability_ppm.is_not(None),
            )
        )
        .order_by(LoanWarning.run_id, LoanWarning.loan_id)
    ):
        yield Breach(
            7,
            "loan_warnings",
            f"{warning.run_id}/{warning.loan_id}",
            "it does not rest on what its run rests on",
        )
