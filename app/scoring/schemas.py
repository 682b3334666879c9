"""Early warning as it crosses the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, PublicId, Schema, Text, Whole
from app.paging import PageArgs
from community.scoring.models import Band, Basis, TrainingStatus, WhyRules

_SEED_MAX = 2**53 - 1


class TrainingAskSchema(Schema):
    """The seed by which borrowers are learnt from, calibrated on and judged by."""

    seed = Whole(0, _SEED_MAX, load_default=1)


class TrainingSchema(Schema):
    """A request for a model, and how far it is."""

    id = PublicId("wtr", required=True)
    seed = ma.fields.Integer(required=True)
    on = Day(required=True)
    status = ma.fields.Enum(TrainingStatus, by_value=True, required=True)
    model = PublicId("wmo", required=True, allow_none=True)
    failure = ma.fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)


class ActivationAskSchema(Schema):
    """The model that is to count from today on; null: the rules."""

    model = PublicId("wmo", required=True, allow_none=True)
    reason = Text(500, required=True)


class ActivationSchema(Schema):
    """Which model counts since when."""

    number = ma.fields.Integer(required=True)
    model = PublicId("wmo", required=True, allow_none=True)
    from_on = Day(required=True)
    reason = ma.fields.String(required=True)


class WarningWordsSchema(Schema):
    """A sentence in both languages."""

    zh = ma.fields.String(required=True, data_key="zh-CN")
    en = ma.fields.String(required=True)


class CurvePointSchema(Schema):
    """A tenth of the loans by score: what was said on average, and what came."""

    rows = ma.fields.Integer(required=True)
    said = ma.fields.Float(required=True)
    came = ma.fields.Float(required=True)


class MeasuresSchema(Schema):
    """How good the model was on later loans of other borrowers."""

    rows = ma.fields.Integer(required=True)
    bad = ma.fields.Integer(required=True)
    brier = ma.fields.Float(required=True)
    brier_base = ma.fields.Float(required=True)
    auc = ma.fields.Float(required=True, allow_none=True)
    lift = ma.fields.Float(required=True, allow_none=True)
    error = ma.fields.Float(required=True)
    error_by_chance = ma.fields.Float(required=True)
    curve = ma.fields.List(ma.fields.Nested(CurvePointSchema), required=True)


class SliceSchema(Schema):
    """Which rows a step of the making used."""

    name = ma.fields.String(required=True)
    rows = ma.fields.Integer(required=True)
    bad = ma.fields.Integer(required=True)
    borrowers = ma.fields.Integer(required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)


class ScorecardPartSchema(Schema):
    """One feature: its bins, what each says, and how much that weighs."""

    code = ma.fields.String(required=True)
    edges = ma.fields.List(ma.fields.Integer(), required=True)
    evidence = ma.fields.List(ma.fields.Float(), required=True)
    shares = ma.fields.List(ma.fields.Float(), required=True)
    coefficient = ma.fields.Float(required=True)


class DriftSchema(Schema):
    """Stability indices in ten-thousandths: of the score, by chance, by feature."""

    score_bps = ma.fields.Integer(required=True)
    by_chance_bps = ma.fields.Integer(required=True)
    features = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)


class WarningModelSchema(Schema):
    """A model in the list."""

    id = PublicId("wmo", required=True)
    number = ma.fields.Integer(required=True)
    is_in_force = ma.fields.Boolean(required=True)
    made_on = Day(required=True)
    days_late = ma.fields.Integer(required=True)
    horizon_days = ma.fields.Integer(required=True)
    observed_from = Day(required=True)
    observed_until = Day(required=True)
    months = ma.fields.Integer(required=True)
    loans = ma.fields.Integer(required=True)
    bad_loans = ma.fields.Integer(required=True)
    rows = ma.fields.Integer(required=True)
    seed = ma.fields.Integer(required=True)
    charter_version = ma.fields.Integer(required=True)
    digest = ma.fields.String(required=True)
    measures = ma.fields.Nested(MeasuresSchema, required=True)


class ModelCardSchema(WarningModelSchema):
    """A model with all that it consists of, and how far the last night was from it."""

    base_rate = ma.fields.Float(required=True)
    intercept = ma.fields.Float(required=True)
    shift = ma.fields.Float(required=True)
    slope = ma.fields.Float(required=True)
    parts = ma.fields.List(ma.fields.Nested(ScorecardPartSchema), required=True)
    slices = ma.fields.List(ma.fields.Nested(SliceSchema), required=True)
    drift_then = ma.fields.Nested(DriftSchema, required=True)
    drift_now = ma.fields.Nested(DriftSchema, required=True, allow_none=True)


class WarningRunSchema(Schema):
    """A night that was scored."""

    id = PublicId("wrn", required=True)
    on = Day(required=True)
    number = ma.fields.Integer(required=True)
    basis = ma.fields.Enum(Basis, by_value=True, required=True)
    why_rules = ma.fields.Enum(WhyRules, by_value=True, required=True, allow_none=True)
    words = ma.fields.Nested(WarningWordsSchema, required=True, allow_none=True)
    model = PublicId("wmo", required=True, allow_none=True)
    loans = ma.fields.Integer(required=True)
    charter_version = ma.fields.Integer(required=True)


class WarningReasonSchema(Schema):
    """Why; `log_odds` is what it adds to the average loan's, null where rules said it."""

    code = ma.fields.String(required=True)
    words = ma.fields.Nested(WarningWordsSchema, required=True)
    log_odds = ma.fields.Float(required=True, allow_none=True)


class WarnedPersonSchema(Schema):
    """The borrower."""

    id = PublicId("mem", required=True)
    name = ma.fields.String(required=True)


class LoanWarningSchema(Schema):
    """What a night said of a loan. To its borrower without figures, and without other people."""

    loan = PublicId("lon", required=True)
    borrower = ma.fields.Nested(WarnedPersonSchema, required=True)
    band = ma.fields.Enum(Band, by_value=True, required=True)
    probability_ppm = ma.fields.Integer(required=True, allow_none=True)
    rules_held = ma.fields.Integer(required=True)
    rules_on = ma.fields.Integer(required=True)
    words = ma.fields.Nested(WarningWordsSchema, required=True)
    reasons = ma.fields.List(ma.fields.Nested(WarningReasonSchema), required=True)


class LoanWarningFileSchema(LoanWarningSchema):
    """The same with the night that it is of."""

    run = ma.fields.Nested(WarningRunSchema, required=True)


class WarningListArgs(PageArgs):
    """Only these bands."""

    band = ma.fields.Enum(Band, by_value=True, load_default=None)


class WarningListSchema(Schema):
    """A page of the last night's warnings, and the night."""

    run = ma.fields.Nested(WarningRunSchema, required=True, allow_none=True)
    items: Any = ma.fields.List(ma.fields.Nested(LoanWarningSchema), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)
