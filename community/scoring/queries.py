"""Reading warnings: runs, scores, models, which of them counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.communities.models import Charter, Community
from community.loans.models import Loan
from community.members.models import Member
from community.scoring.errors import NotScoredYet, TrainingNotFound, WarningModelNotFound
from community.scoring.models import (
    Band,
    LoanWarning,
    ModelActivation,
    ModelTraining,
    WarningModel,
    WarningRun,
)


@dataclass(frozen=True, slots=True)
class WarningFile:
    """What a run said of a loan, with everything that it rests on."""

    warning: LoanWarning
    run: WarningRun
    loan: Loan
    borrower: Member
    model: WarningModel | None
    charter_version: int


def run_of(session: Session, community_id: int, on: date) -> WarningRun | None:
    """The last run of a community on a day."""
    return session.scalar(
        select(WarningRun)
        .where(WarningRun.community_id == community_id, WarningRun.on_day == on)
        .order_by(WarningRun.number.desc())
        .limit(1)
    )


def run_until(session: Session, community_id: int, run: WarningRun) -> WarningRun | None:
    """The last run of a community on a day before that of a run."""
    return session.scalar(
        select(WarningRun)
        .where(WarningRun.community_id == community_id, WarningRun.on_day < run.on_day)
        .order_by(WarningRun.on_day.desc(), WarningRun.number.desc())
        .limit(1)
    )


def last_run(session: Session, community_id: int) -> WarningRun | None:
    """The newest run of a community."""
    return session.scalar(
        select(WarningRun)
        .where(WarningRun.community_id == community_id)
        .order_by(WarningRun.on_day.desc(), WarningRun.number.desc())
        .limit(1)
    )


def model_in_force(session: Session, community: Community, on: date) -> WarningModel | None:
    """The model that counts in a community on a day: its own, else of the nearest above it.

    A community that switched its model off has none, whatever stands above it.
    """
    rows = session.execute(
        select(ModelActivation.community_id, ModelActivation.model_id)
        .where(
            ModelActivation.community_id.in_(community.path_ids),
            ModelActivation.from_on <= on,
        )
        .order_by(ModelActivation.number)
    )
    last = {row.community_id: row.model_id for row in rows}
    for community_id in reversed(community.path_ids):
        if community_id in last:
            model_id = last[community_id]
            return None if model_id is None else session.get_one(WarningModel, model_id)
    return None


def get_model(session: Session, public_id: str) -> WarningModel:
    """The model of this public id. Raises WarningModelNotFound."""
    model = session.scalar(select(WarningModel).where(WarningModel.public_id == public_id))
    if model is None:
        raise WarningModelNotFound()
    return model


def models_of(community_id: int) -> Select[WarningModel]:
    """All models that were made for a community."""
    return select(WarningModel).where(WarningModel.community_id == community_id)


def get_training(session: Session, public_id: str) -> ModelTraining:
    """The training of this public id. Raises TrainingNotFound."""
    training = session.scalar(select(ModelTraining).where(ModelTraining.public_id == public_id))
    if training is None:
        raise TrainingNotFound()
    return training


def warnings_of(
    run: WarningRun, *, bands: Iterable[Band] = (), without_member_id: int | None = None
) -> Select[LoanWarning, Loan, Member]:
    """What a run said, with loans and borrowers; never of the reader's own loans."""
    query = (
        select(LoanWarning, Loan, Member)
        .join(Loan, Loan.id == LoanWarning.loan_id)
        .join(Member, Member.id == Loan.borrower_id)
        .where(LoanWarning.run_id == run.id)
    )
    wanted = tuple(bands)
    if wanted:
        query = query.where(LoanWarning.band.in_(wanted))
    if without_member_id is not None:
        query = query.where(Loan.borrower_id != without_member_id)
    return query


def warning_file(session: Session, loan: Loan) -> WarningFile:
    """What was last said of a loan. Raises NotScoredYet."""
    found = session.execute(
        select(LoanWarning, WarningRun, Member, WarningModel, Charter.version)
        .join(WarningRun, WarningRun.id == LoanWarning.run_id)
        .join(Charter, Charter.id == WarningRun.charter_id)
        .join(Member, Member.id == loan.borrower_id)
        .outerjoin(WarningModel, WarningModel.id == WarningRun.model_id)
        .where(LoanWarning.loan_id == loan.id)
        .order_by(LoanWarning.run_id.desc())
        .limit(1)
    ).first()
    if found is None:
        raise NotScoredYet()
    warning, run, borrower, model, version = found
    return WarningFile(warning, run, loan, borrower, model, version)


def charter_version(session: Session, charter_id: int) -> int:
    """A charter's version."""
    return session.get_one(Charter, charter_id).version
