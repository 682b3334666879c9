"""Warnings as findings of a charter rule: measured, replayed and answered like any other.

What a night said is read, never worked out anew: a model that was made later would know what
became of the loans. So a replay tries other bands on the probabilities that were told then.
"""

from collections.abc import Iterator

from sqlalchemy import select

from community.communities.charter import CharterRules, RiskRule
from community.loans.models import Loan
from community.monitoring.signals import Looking, Signal, add_finder
from community.scoring.models import Band, LoanWarning, WarningModel, WhyRules
from community.scoring.queries import run_of, run_until

_ORDER = tuple(Band)
PPM_PER_BPS = 100


def band_of(rules: CharterRules, probability_ppm: int) -> Band:
    """The band that a probability falls into."""
    raised, high = rules.warning_bands_bps
    if probability_ppm >= high * PPM_PER_BPS:
        return Band.HIGH
    return Band.RAISED if probability_ppm >= raised * PPM_PER_BPS else Band.LOW


def band_by_rules(rules: CharterRules, held: int) -> Band:
    """The band of a loan of which so many rules hold."""
    raised, high = rules.warning_rules_held
    return Band.HIGH if held >= high else Band.RAISED if held >= raised else Band.LOW


def find_warnings(at: Looking) -> Iterator[Signal]:
    """Loans whose probability came into a worse band since they were last scored; and a model
    that had to stand back. One finding a loan, band and month, however often it goes to and fro.

    What rules say without a model are findings of those rules already.
    """
    run = run_of(at.session, at.community.id, at.on)
    if run is None:
        return
    month = at.on.isoformat()[:7]
    if run.why_rules is WhyRules.DRIFT:
        model = at.session.get_one(WarningModel, run.model_id)
        yield Signal(
            RiskRule.EARLY_WARNING,
            at.on,
            f"{model.public_id}/drift/{month}",
            facts={"model": model.public_id, "score_bps": run.drift["score_bps"]},
        )
    before = run_until(at.session, at.community.id, run)
    raised = at.rules.warning_bands_bps[0] * PPM_PER_BPS
    last: dict[int, int] = {}
    if before is not None:
        for loan_id, ppm in at.session.execute(
            select(LoanWarning.loan_id, LoanWarning.probability_ppm).where(
                LoanWarning.run_id == before.id, LoanWarning.probability_ppm >= raised
            )
        ):
            last[loan_id] = ppm or 0
    rows = at.session.execute(
        select(LoanWarning, Loan.public_id, Loan.borrower_id)
        .join(Loan, Loan.id == LoanWarning.loan_id)
        .where(LoanWarning.run_id == run.id, LoanWarning.probability_ppm >= raised)
        .order_by(LoanWarning.loan_id)
    )
    for warning, public_id, borrower_id in rows:
        band = band_of(at.rules, warning.probability_ppm or 0)
        if _ORDER.index(band) > _ORDER.index(band_of(at.rules, last.get(warning.loan_id, 0))):
            yield Signal(
                RiskRule.EARLY_WARNING,
                at.on,
                f"{public_id}/{band.value}/{month}",
                borrower_id,
                warning.loan_id,
                _ORDER.index(band) - 1,
                # No reasons: some tell of others, and the case is shown to whom it is about.
                {"band": band.value, "run": run.public_id},
            )


add_finder(RiskRule.EARLY_WARNING, find_warnings)
