"""Early warning: which loans are likely to come into trouble, why, and by which model."""

from dataclasses import replace
from typing import Any

from flask import Response, after_this_request

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from app.scoring import permissions as _permissions  # noqa: F401  declares this room's actions
from app.scoring import views
from app.scoring.schemas import (
    ActivationAskSchema,
    ActivationSchema,
    LoanWarningFileSchema,
    ModelCardSchema,
    TrainingAskSchema,
    TrainingSchema,
    WarningListArgs,
    WarningListSchema,
    WarningModelSchema,
)
from app.scoring.work import training_worker
from app.sheets import sheet
from app.transaction import transactional
from community.communities import queries as communities
from community.communities.models import Community
from community.loans import queries as loans
from community.scoring import queries, service
from community.scoring.errors import WarningModelNotFound
from community.scoring.models import LoanWarning, WarningModel, WarningRun

blp = Blueprint("scoring", __name__, description="Early warning")

_TABLE = {"type": "string"}


@blp.route("/communities/<pid(com):community_id>/warnings")
@requires("warning:read")
@blp.arguments(WarningListArgs, location="query")
@blp.response(200, WarningListSchema)
def list_warnings(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """The last night's warnings of a community; never of the caller's own loans."""
    community = _permitted("warning:read", community_id)
    session = db.session()
    run = queries.last_run(session, community.id)
    if run is None:
        return {"run": None, "items": [], "next_cursor": None}
    model = _model_of(run)
    page = paginate(
        session,
        queries.warnings_of(
            run,
            bands=() if args["band"] is None else (args["band"],),
            without_member_id=caller().member_id,
        ),
        key=LoanWarning.loan_id,
        args=args,
    )
    return {
        "run": views.run_view(run, model, queries.charter_version(session, run.charter_id)),
        "items": [
            views.warning_view(warning, loan, who, model) for warning, loan, who in page.items
        ],
        "next_cursor": page.next_cursor,
    }


@blp.route("/communities/<pid(com):community_id>/warnings.csv")
@requires("warning:read")
@limited("heavy")
@blp.response(200, _TABLE, content_type="text/csv")
def list_warnings_table(community_id: str) -> Response:
    """The last night's warnings as a table."""
    community = _permitted("warning:read", community_id)
    session = db.session()
    run = queries.last_run(session, community.id)
    rows = (
        []
        if run is None
        else [
            (warning, loan, who)
            for warning, loan, who in session.execute(
                queries.warnings_of(run, without_member_id=caller().member_id).order_by(
                    LoanWarning.loan_id
                )
            )
        ]
    )
    return sheet("warnings", *views.warnings_table(run, rows))


@blp.route("/loans/<pid(lon):loan_id>/warning")
@requires("loan-warning:read")
@blp.response(200, LoanWarningFileSchema)
def get_loan_warning(loan_id: str) -> dict[str, Any]:
    """What was last said of a loan, and why. Its borrower is told nothing about anybody else."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    community = communities.get_community_by_id(session, loan.community_id)
    permit(
        "loan-warning:read",
        Facts(path=community.path_ids, owner_ids=frozenset({loan.borrower_id})),
    )
    told = queries.warning_file(session, loan)
    return views.file_view(told, for_borrower=caller().member_id == loan.borrower_id)


@blp.route("/communities/<pid(com):community_id>/warning-models")
@requires("warning:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(WarningModelSchema))
def list_warning_models(args: dict[str, Any], community_id: str) -> Page:
    """The models that were made for a community, newest first."""
    community = _permitted("warning:read", community_id)
    session = db.session()
    page = paginate(
        session,
        queries.models_of(community.id),
        key=WarningModel.id,
        args=args,
        newest_first=True,
    )
    force = queries.model_in_force(session, community, today())
    return replace(
        page,
        items=[
            views.model_view(
                model,
                queries.charter_version(session, model.charter_id),
                is_in_force=model is force,
            )
            for model in page.items
        ],
    )


@blp.route("/warning-models/<pid(wmo):model_id>")
@requires("warning:read")
@blp.response(200, ModelCardSchema)
def get_warning_model(model_id: str) -> dict[str, Any]:
    """A model's card: what it consists of, how good it was, how far the last night is from it."""
    session = db.session()
    model = queries.get_model(session, model_id)
    community = communities.get_community_by_id(session, model.community_id)
    permit("warning:read", Facts(path=community.path_ids))
    return views.card_view(
        model,
        queries.charter_version(session, model.charter_id),
        is_in_force=model is queries.model_in_force(session, community, today()),
        run=queries.last_run(session, community.id),
    )


@blp.route("/communities/<pid(com):community_id>/warning-trainings", methods=["POST"])
@requires("warning:train")
@limited("heavy")
@blp.arguments(TrainingAskSchema)
@blp.response(202, TrainingSchema)
@transactional
def ask_training(data: dict[str, Any], community_id: str) -> dict[str, Any]:
    """Have a model made from a community's history; a job, read under the id of the answer."""
    community = _permitted("warning:train", community_id)
    training = service.ask_training(
        db.session(),
        community_id=community.id,
        seed=data["seed"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    worker = training_worker()

    @after_this_request
    def _begin(answer: Response) -> Response:
        # After the commit: the worker has to see it.
        worker.nudge()
        return answer

    return views.training_view(training, None)


@blp.route("/warning-trainings/<pid(wtr):training_id>")
@requires("warning:read")
@blp.response(200, TrainingSchema)
def get_training(training_id: str) -> dict[str, Any]:
    """How far a training is, and the model that came of it."""
    session = db.session()
    training = queries.get_training(session, training_id)
    community = communities.get_community_by_id(session, training.community_id)
    permit("warning:read", Facts(path=community.path_ids))
    model = None if training.model_id is None else session.get_one(WarningModel, training.model_id)
    return views.training_view(training, model)


@blp.route("/communities/<pid(com):community_id>/warning-activations", methods=["POST"])
@requires("warning:activate")
@blp.arguments(ActivationAskSchema)
@blp.response(201, ActivationSchema)
@transactional
def activate_model(data: dict[str, Any], community_id: str) -> dict[str, Any]:
    """Have a model count from today on, or none: then the rules do."""
    community = _permitted("warning:activate", community_id)
    session = db.session()
    model = None
    if data["model"] is not None:
        model = queries.get_model(session, data["model"])
        if model.community_id not in community.path_ids:
            raise WarningModelNotFound()
    me = caller().member_id
    activation = service.activate(
        session,
        community_id=community.id,
        model=model,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=me,
    )
    return views.activation_view(activation, model)


def _permitted(action: str, community_id: str) -> Community:
    community = communities.get_community(db.session(), community_id)
    permit(action, Facts(path=community.path_ids))
    return community


def _model_of(run: WarningRun) -> WarningModel | None:
    return None if run.model_id is None else db.session().get_one(WarningModel, run.model_id)
