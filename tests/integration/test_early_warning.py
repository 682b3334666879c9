"""From a night's rows to a warning and its case: read, scored, told, kept."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import CharterRules, RiskRule, read_rules
from community.communities.models import Charter
from community.guarantees.service import record_repayment
from community.monitoring.measures import replay
from community.monitoring.models import RiskEvent
from community.monitoring.proceeds import promise
from community.scoring import service
from community.scoring.checks import check_warnings
from community.scoring.errors import ModelNotGoodEnough, TooLittleHistory, TrainingUnderWay
from community.scoring.facts import Lives, policy_of, read_lives
from community.scoring.features import CODES, Row
from community.scoring.models import (
    Band,
    Basis,
    ModelTraining,
    TrainingStatus,
    WarningModel,
    WarningRun,
    WhyRules,
)
from community.scoring.queries import last_run, model_in_force, warning_file
from community.scoring.service import Worker
from community.scoring.training import Made
from community.servicing.service import reverse_repayment
from tests.hamlet import yuan
from tests.monitoring_life import Watched, watched
from tests.warning_life import made_model

RULES: dict[str, Any] = {
    "risk_low_rules": [],
    "risk_medium_rules": ["late", "broken_promise", "early_warning"],
    "risk_high_rules": [],
    "risk_critical_rules": [],
    "risk_leader_rules": ["late"],
    "risk_late_days": [1, 5],
    "call_day": 40,
    "write_off_day": 90,
    "warning_bad_min": 20,
    "warning_loans_min": 60,
    "warning_bands_bps": [1, 10_000],
    "warning_rules_held": [1, 2],
}
ME = Worker("evening", timedelta(minutes=5))


@pytest.fixture
def hamlet(db_session: Session) -> Iterator[Watched]:
    place = watched(db_session, RULES)
    yield place
    place.check_own()
    assert list(check_warnings(db_session)) == []


def _rules(hamlet: Watched) -> CharterRules:
    charter = hamlet.session.scalars(
        select(Charter)
        .where(Charter.community_id == hamlet.community.id)
        .order_by(Charter.version.desc())
    ).first()
    assert charter is not None
    return read_rules(charter.rules)


def _lives(hamlet: Watched, day: date) -> Lives:
    return read_lives(
        hamlet.session,
        community_ids=[hamlet.community.id],
        from_on=day,
        until_on=hamlet.day,
        rules=_rules(hamlet),
    )


def _rows(hamlet: Watched, day: date) -> dict[int, Row]:
    rows = _lives(hamlet, day).rows(day.toordinal(), policy_of(_rules(hamlet)))
    return {loan.loan_id: row for loan, row in rows}


def _keep(hamlet: Watched) -> WarningModel:
    return hamlet.do(
        service.keep_model,
        community_id=hamlet.community.id,
        made=made_model(),
        seed=5,
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )


def _switch(hamlet: Watched, model: WarningModel | None) -> None:
    hamlet.do(
        service.activate,
        community_id=hamlet.community.id,
        model=model,
        reason="the assembly said so",
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )


def _runs(hamlet: Watched) -> list[WarningRun]:
    return list(hamlet.session.scalars(select(WarningRun).order_by(WarningRun.id)))


def test_without_a_model_the_rules_say_how_many_of_them_hold(hamlet: Watched) -> None:
    loan = hamlet.lend("ben", 300_00, 3)  # dues on 2 April, May and June
    fine = hamlet.lend("cai", 300_00, 3)
    hamlet.day = date(2026, 4, 2)
    hamlet.repay(fine, 100_00)
    hamlet.evening()
    assert [(run.basis, run.why_rules, run.loans) for run in _runs(hamlet)] == [
        (Basis.RULES, WhyRules.NO_MODEL, 2)
    ]
    hamlet.evening(2)
    told = warning_file(hamlet.session, loan)
    assert (told.warning.band, told.warning.rules_held, told.warning.rules_on) == (
        Band.RAISED,
        1,
        2,
    )
    assert told.warning.probability_ppm is None
    assert told.warning.reasons == [{"rule": "late"}]
    other = warning_file(hamlet.session, fine).warning
    assert (other.band, other.rules_held, other.reasons) == (Band.LOW, 0, [])
    # What rules find is their own finding; no warning repeats it.
    events = hamlet.session.scalars(select(RiskEvent.rule)).all()
    assert set(events) == {RiskRule.LATE}


def test_a_day_that_is_scored_again_is_kept_once_unless_it_says_otherwise(hamlet: Watched) -> None:
    loan = hamlet.lend("ben", 300_00, 3)
    hamlet.day = date(2026, 4, 4)
    place = {"community_id": hamlet.community.id}
    assert hamlet.do(service.score_night, **place, **hamlet.when) is not None
    assert hamlet.do(service.score_night, **place, **hamlet.when) is None
    hamlet.repay(loan, 100_00)
    again = hamlet.do(service.score_night, **place, **hamlet.when)
    assert again is not None
    assert again.number == 2
    assert [run.number for run in _runs(hamlet)] == [1, 2]


def test_what_comes_after_a_day_changes_no_row_of_it(hamlet: Watched) -> None:
    hamlet.group("ada", "ben", "cai")
    hamlet.vouch("ada", "ben", 50_00)
    loan = hamlet.lend("ben", 300_00, 3)
    other = hamlet.lend("ada", 300_00, 3)
    hamlet.save("ben", 10_00)
    hamlet.lock("ben", 10_00)
    hamlet.day = date(2026, 4, 10)
    first = hamlet.repay(loan, 50_00)
    hamlet.do(
        promise,
        loan_id=loan.id,
        amount=yuan(60_00),
        promised_on=date(2026, 4, 12),
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )
    hamlet.day = day = date(2026, 4, 20)
    before = _rows(hamlet, day)
    row = dict(zip(CODES, before[loan.id], strict=True))
    # Eighteen days late; half of one of three paid; Ada, who vouches, is late herself.
    assert row["days_late"] == 18
    assert row["share_paid"] == 1_666
    assert row["vouchers_troubled"] == 10_000
    assert row["promises_broken"] == 1
    assert row["savings_months"] == 1
    # Everything that can come later, some of it with days before.
    hamlet.day = date(2026, 4, 25)
    hamlet.do(
        reverse_repayment,
        repayment_id=first.id,
        reason="bounced",
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )
    hamlet.repay(other, 300_00)
    hamlet.repay(loan, 300_00)
    hamlet.save("ben", 5_00)
    hamlet.vouch("ada", "ben", 60_00)
    hamlet.vouch("cai", "ben", 10_00)
    hamlet.lend("ben", 100_00)
    hamlet.lend("cai", 100_00)
    assert _rows(hamlet, day) == before
    # And the day itself, looked at now, is another.
    assert _rows(hamlet, hamlet.day) != before


def test_a_backdated_receipt_is_not_known_before_it_is_written(hamlet: Watched) -> None:
    loan = hamlet.lend("ben", 300_00, 3)
    hamlet.day = date(2026, 4, 20)
    before = _rows(hamlet, hamlet.day)
    hamlet.day = date(2026, 4, 22)
    hamlet.do(
        record_repayment,
        loan_id=loan.id,
        amount=yuan(100_00),
        payer_id=None,
        received_on=date(2026, 4, 10),
        actor_id=None,
        **hamlet.when,
    )
    assert _rows(hamlet, date(2026, 4, 20)) == before
    assert _rows(hamlet, date(2026, 4, 22))[loan.id][0] == 0


def test_a_model_scores_opens_a_case_and_stands_back_when_it_drifts(hamlet: Watched) -> None:
    loan = hamlet.lend("ben", 300_00, 3)
    model = _keep(hamlet)
    assert model_in_force(hamlet.session, hamlet.community, hamlet.day) is None
    _switch(hamlet, model)
    hamlet.evening()
    told = warning_file(hamlet.session, loan)
    assert told.run.basis is Basis.MODEL
    assert told.model is model
    assert told.warning.probability_ppm is not None
    assert told.warning.band is Band.RAISED
    # Ben does not save, and that is said first.
    assert told.warning.reasons[0]["code"] == "savings_months"
    [event] = hamlet.session.scalars(select(RiskEvent)).all()
    assert (event.rule, event.loan_id) == (RiskRule.EARLY_WARNING, loan.id)
    assert "thousandths" not in str(event.facts)
    # It is a crossing: the nights after it say nothing new.
    hamlet.evening(2)
    assert len(hamlet.session.scalars(select(RiskEvent)).all()) == 1
    # On the past other bands are tried on what was said then.
    place = {"community": hamlet.community, "today": hamlet.day}
    span = {"from_on": hamlet.day - timedelta(days=2), "until_on": hamlet.day}
    as_it_was = replay(hamlet.session, rule=RiskRule.EARLY_WARNING, **place, **span)
    assert [row.loan_id for row in as_it_was.found] == [loan.id]
    higher = {"warning_bands_bps": [9_000, 9_500]}
    tried = replay(hamlet.session, rule=RiskRule.EARLY_WARNING, **place, **span, changes=higher)
    assert tried.found == ()


def test_drift_puts_the_rules_back_and_is_a_case_once_a_month(db_session: Session) -> None:
    drifts = {"warning_drift_bps_max": 0, "warning_drift_chance_ppm": 1_000_000}
    hamlet = watched(db_session, RULES | drifts)
    hamlet.lend("ben", 300_00, 3)
    _switch(hamlet, _keep(hamlet))
    hamlet.evening()
    hamlet.evening(1)
    runs = _runs(hamlet)
    assert {(run.basis, run.why_rules) for run in runs} == {(Basis.RULES, WhyRules.DRIFT)}
    assert runs[0].drift["score_bps"] > 0
    [event] = db_session.scalars(select(RiskEvent)).all()
    assert (event.rule, event.member_id) == (RiskRule.EARLY_WARNING, None)
    assert list(check_warnings(db_session)) == []


def test_the_nearest_model_counts_and_none_means_rules(hamlet: Watched) -> None:
    model = _keep(hamlet)
    _switch(hamlet, model)
    assert model_in_force(hamlet.session, hamlet.community, hamlet.day) is model
    assert model_in_force(hamlet.session, hamlet.community, hamlet.day - timedelta(1)) is None
    _switch(hamlet, None)
    assert model_in_force(hamlet.session, hamlet.community, hamlet.day) is None
    second = _keep(hamlet)
    assert (second.number, second.digest) == (2, model.digest)


def test_a_model_that_says_no_better_than_the_rate_is_not_switched_on(hamlet: Watched) -> None:
    made = made_model()
    worse = hamlet.do(
        service.keep_model,
        community_id=hamlet.community.id,
        made=Made(
            made.panel,
            made.slices,
            made.card,
            _worse(made),
            made.drift,
        ),
        seed=5,
        actor_id=None,
        **hamlet.when,
    )
    with pytest.raises(ModelNotGoodEnough):
        _switch(hamlet, worse)
    assert model_in_force(hamlet.session, hamlet.community, hamlet.day) is None


def _worse(made: Made) -> Any:
    return replace(made.measures, brier=made.measures.brier_base)


def test_a_training_is_refused_before_and_while_it_is_worked_on(hamlet: Watched) -> None:
    hamlet.lend("ben", 300_00, 3)
    ask = {"community_id": hamlet.community.id, "seed": 1, "actor_id": hamlet.officer.id}
    with pytest.raises(TooLittleHistory) as refusal:
        hamlet.do(service.ask_training, **ask, **hamlet.when)
    assert refusal.value.members["counted"] == {"loans": 0, "months": 0}


def test_a_training_belongs_to_one_worker_until_it_falls_silent(hamlet: Watched) -> None:
    training = ModelTraining(
        community_id=hamlet.community.id,
        seed=5,
        on_day=hamlet.day,
        status=TrainingStatus.QUEUED,
        created_at=hamlet.now,
    )
    hamlet.session.add(training)
    hamlet.session.commit()
    begun = hamlet.do(service.begin_training, worker=ME, now=hamlet.now)
    assert begun == training.id
    other = Worker("other", timedelta(minutes=5))
    assert hamlet.do(service.begin_training, worker=other, now=hamlet.now) is None
    with pytest.raises(TrainingUnderWay):
        hamlet.do(service.begin_training, worker=other, now=hamlet.now, training_id=training.id)
    later = hamlet.now + timedelta(minutes=6)
    assert hamlet.do(service.begin_training, worker=other, now=later) == training.id
    # What the silent one still brings is refused.
    done = {"training_id": training.id, "made": made_model(), "now": later}
    with pytest.raises(TrainingUnderWay):
        hamlet.do(service.finish_training, worker=ME, **done)
    model = hamlet.do(service.finish_training, worker=other, **done)
    assert (training.status, training.model_id) == (TrainingStatus.DONE, model.id)


def test_the_verifier_sees_what_does_not_agree(hamlet: Watched) -> None:
    hamlet.lend("ben", 300_00, 3)
    hamlet.evening()
    run = last_run(hamlet.session, hamlet.community.id)
    assert run is not None
    wrong = WarningRun(
        id=run.id + 1,
        community_id=run.community_id,
        on_day=run.on_day,
        number=9,
        basis=Basis.RULES,
        why_rules=WhyRules.NO_MODEL,
        charter_id=run.charter_id,
        loans=2,
        drift={},
        digest="x",
        created_at=hamlet.now,
    )
    hamlet.session.add(wrong)
    hamlet.session.flush()
    [breach] = check_warnings(hamlet.session)
    assert (breach.table, breach.row) == ("warning_runs", str(wrong.id))
    hamlet.session.rollback()
