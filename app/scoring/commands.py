"""`flask warning …`: models and nights from the command line."""

from functools import partial

import click
from flask.cli import AppGroup

from app.clock import now, today
from app.extensions import db
from app.risk.commands import places_of, refusing
from app.scoring.work import train_one
from app.transaction import run_unit
from community.scoring import queries, service
from community.scoring.models import ModelTraining, TrainingStatus, WarningModel

cli = AppGroup("warning", help="Early warning.")


@cli.command("train")
@click.option("--community", "reference", required=True, help="The community, by its reference.")
@click.option("--seed", default=1, type=click.IntRange(0, 2**53 - 1), show_default=True)
def train(reference: str, seed: int) -> None:
    """Make a model from a community's history and show its card. It counts for nothing yet."""
    [place] = places_of(reference)
    session = db.session()
    training = refusing(
        partial(
            run_unit,
            session,
            service.ask_training,
            community_id=place.id,
            seed=seed,
            on=today(),
            now=now(),
            actor_id=None,
        )
    )
    refusing(partial(train_one, session, training_id=training.id))
    done = session.get_one(ModelTraining, training.id)
    if done.status is not TrainingStatus.DONE:
        raise click.ClickException(done.failure or done.status.value)
    _show(session.get_one(WarningModel, done.model_id))


@cli.command("work")
def work() -> None:
    """Work off the trainings that wait. Killed, it begins them anew and says the same."""
    session = db.session()
    done = 0
    while refusing(partial(train_one, session)) is not None:
        done += 1
    click.echo(f"{done} trainings worked off")


@cli.command("card")
@click.argument("model_id")
def card(model_id: str) -> None:
    """Show a model's card."""
    _show(refusing(partial(queries.get_model, db.session(), model_id)))


@cli.command("score")
@click.option("--community", "reference", default=None, help="One community, by its reference.")
def score(reference: str | None) -> None:
    """Score today's loans as the close of the day will."""
    session = db.session()
    for place in places_of(reference):
        run = refusing(
            partial(
                run_unit,
                session,
                service.score_night,
                community_id=place.id,
                on=today(),
                now=now(),
            )
        )
        said = "nothing new" if run is None else f"{run.loans} loans by {run.basis.value}"
        click.echo(f"{place.reference}: {said}")


def _show(model: WarningModel) -> None:
    told = model.document["measures"]
    parts = model.document["card"]["parts"]
    click.echo(
        f"{model.public_id}: version {model.number}, made on {model.made_on} from {model.loans}"
        f" loans ({model.bad_loans} came into trouble) on {model.months} month ends,"
        f" {model.observed_from} to {model.observed_until}, seed {model.seed}"
    )
    click.echo(f"    {model.digest}")
    click.echo(
        f"    judged on {told['rows']} later rows: Brier {told['brier']:.4f} (the rate alone"
        f" {told['brier_base']:.4f}), AUC {told['auc'] or 0:.3f}, lift of the top tenth"
        f" {told['lift'] or 0:.2f}, calibration error {told['error']:.4f} (by chance"
        f" {told['error_by_chance']:.4f})"
    )
    for point in told["curve"]:
        click.echo(f"    said {point['said']:.3f}  came {point['came']:.3f}  of {point['rows']}")
    for part in sorted(parts, key=lambda part: -part["coefficient"]):
        if part["coefficient"]:
            click.echo(f"    {part['code']}: {part['coefficient']:.3f}")
