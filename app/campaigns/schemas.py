"""Campaigns of whole-village credit as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole, YesNo
from app.members.schemas import NamedSchema
from community.campaigns.findings import FindingKind, Verdict
from community.campaigns.models import (
    CampaignStatus,
    Debts,
    Decision,
    HouseholdStatus,
    ObjectionStatus,
    VisitResult,
)

_SEED = "^[0-9A-Za-z._-]{1,64}$"
_LANGUAGES = {"description": "By language: zh-CN and en."}


def _choice(enum: Any, **options: Any) -> ma.fields.Enum[Any]:
    return ma.fields.Enum(enum, by_value=ma.fields.String, **options)


def _texts(**options: Any) -> ma.fields.Dict:
    return ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(), metadata=_LANGUAGES, **options
    )


class CampaignInSchema(Schema):
    """A new campaign. Households, reviewers, kin and seed are fixed by it."""

    name = Text(120, required=True)
    seed = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Regexp(_SEED),
        metadata={"description": "Drawn in public, for instance; made up if none is given."},
    )
    reviewers = ma.fields.List(
        PublicId("mem"),
        load_default=None,
        allow_none=True,
        validate=ma.validate.Length(1, 2000),
        metadata={"description": "Who may be drawn; everybody if none are named."},
    )
    holders = ma.fields.List(
        PublicId("mem"),
        load_default=list,
        validate=ma.validate.Length(max=2000),
        metadata={"description": "Who holds a household's credit, where it is not the first one."},
    )
    kin = ma.fields.List(
        ma.fields.List(PublicId("mem"), validate=ma.validate.Length(equal=2)),
        load_default=list,
        validate=ma.validate.Length(max=5000),
        metadata={"description": "Pairs who are kin: they do not review each other's households."},
    )
    credit_line = PublicId("cln", load_default=None, allow_none=True)


class CampaignReasonSchema(Schema):
    """Why."""

    reason = Text(500, required=True)


class CampaignBoardSchema(Schema):
    """A campaign in sums, as far as the charter shows them; never a name."""

    households = ma.fields.Integer(required=True)
    proposed = ma.fields.Integer(required=True)
    granted = ma.fields.Integer(required=True)
    proposed_total = Money(required=True, allow_none=True)
    granted_total = Money(required=True, allow_none=True)


class CampaignSchema(Schema):
    """A campaign: where it stands and what comes next."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    currency = ma.fields.String(required=True)
    status = _choice(CampaignStatus, required=True)
    round = ma.fields.Integer(required=True)
    charter_version = ma.fields.Integer(required=True)
    credit_line = ma.fields.String(required=True, allow_none=True)
    opened_on = Day(required=True)
    published_on = Day(required=True, allow_none=True)
    objections_until_on = Day(required=True, allow_none=True)
    grants_until_on = Day(required=True, allow_none=True)
    seed = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "For officers and auditors, who can draw again with it."},
    )
    steps = ma.fields.List(ma.fields.String(), required=True)
    board = ma.fields.Nested(CampaignBoardSchema, required=True, allow_none=True)
    version = ma.fields.Integer(required=True)


class ReviewAnswerInSchema(Schema):
    """What a reviewer knows of a household; who does not know it says only that."""

    knows_household = YesNo(required=True)
    reputation = Whole(1, 5, load_default=None, allow_none=True)
    debts = _choice(Debts, load_default=Debts.UNKNOWN)
    limit = Money(zero=True, load_default=None, allow_none=True)
    reason_against = Text(500, load_default=None, allow_none=True)


class ReviewAssignmentSchema(Schema):
    """One household to review, and one's own answer so far."""

    id = ma.fields.String(required=True)
    round = ma.fields.Integer(required=True)
    household = ma.fields.String(required=True)
    people = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    is_closed = ma.fields.Boolean(required=True)
    answered_at = Instant(required=True, allow_none=True)
    knows_household = ma.fields.Boolean(required=True, allow_none=True)
    reputation = ma.fields.Integer(required=True, allow_none=True)
    debts = _choice(Debts, required=True, allow_none=True)
    limit = Money(minor="limit_minor", required=True, allow_none=True)
    reason_against = ma.fields.String(required=True, allow_none=True)
    questions = _texts(required=True)


class CampaignReviewerSchema(Schema):
    """How far a reviewer is; nothing of what they said or of whom."""

    reviewer = ma.fields.Nested(NamedSchema, required=True)
    assigned = ma.fields.Integer(required=True)
    answered = ma.fields.Integer(required=True)
    excluded_on = Day(required=True, allow_none=True)
    excluded_reason = ma.fields.String(required=True, allow_none=True)


class ReviewAnswerSchema(Schema):
    """A frozen answer on a household."""

    reviewer = ma.fields.Nested(NamedSchema, required=True)
    round = ma.fields.Integer(required=True)
    knows_household = ma.fields.Boolean(required=True)
    reputation = ma.fields.Integer(required=True, allow_none=True)
    debts = _choice(Debts, required=True)
    limit = Money(minor="limit_minor", required=True, allow_none=True)
    reason_against = ma.fields.String(required=True, allow_none=True)
    answered_at = Instant(required=True)


class ReviewAnswersSchema(Schema):
    """All frozen answers on a household."""

    items = ma.fields.List(ma.fields.Nested(ReviewAnswerSchema), required=True)


class CampaignGroundsSchema(Schema):
    """What the verdict follows from."""

    answers = ma.fields.Integer(required=True)
    known = ma.fields.Integer(required=True)
    against = ma.fields.Integer(required=True)
    centre = Money(required=True, allow_none=True)
    spread_bps = ma.fields.Integer(required=True, allow_none=True)
    charter_version = ma.fields.Integer(required=True)
    text = _texts(required=True)


class CampaignVisitSchema(Schema):
    """What a visit found."""

    result = _choice(VisitResult, required=True)
    note = ma.fields.String(required=True)
    on = Day(required=True)


class CampaignHouseholdSchema(Schema):
    """A household in a campaign; its figures from publication on, for officers from the review."""

    id = ma.fields.String(required=True)
    campaign = ma.fields.String(required=True)
    household = ma.fields.String(required=True)
    holder = ma.fields.Nested(NamedSchema, required=True)
    status = _choice(HouseholdStatus, required=True, allow_none=True)
    verdict = _choice(Verdict, required=True, allow_none=True)
    grounds = ma.fields.Nested(CampaignGroundsSchema, required=True, allow_none=True)
    proposed = Money(required=True, allow_none=True)
    amount = Money(required=True, allow_none=True)
    to_be_visited = ma.fields.Boolean(required=True, allow_none=True)
    visit = ma.fields.Nested(CampaignVisitSchema, required=True, allow_none=True)
    granted_on = Day(required=True, allow_none=True)
    expires_on = Day(required=True, allow_none=True)
    assessment = ma.fields.String(required=True, allow_none=True)
    hindrance = ma.fields.String(required=True, allow_none=True)
    revoked_on = Day(required=True, allow_none=True)
    revoked_reason = ma.fields.String(required=True, allow_none=True)


class CampaignVisitInSchema(Schema):
    """What a visit found; a changed proposal names its amount."""

    result = _choice(VisitResult, required=True)
    amount = Money(load_default=None, allow_none=True)
    note = Text(500, required=True)


class CampaignFindingSchema(Schema):
    """Something odd in the answers, with its facts, its rule and what was decided."""

    id = ma.fields.String(required=True)
    kind = _choice(FindingKind, required=True)
    reviewers = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    rule = ma.fields.String(required=True)
    charter_version = ma.fields.Integer(required=True)
    facts = ma.fields.Dict(
        required=True,
        metadata={"description": "Whole numbers: minor units, ten-thousandths, counts."},
    )
    text = _texts(required=True)
    needs_decision = ma.fields.Boolean(required=True)
    decision = _choice(Decision, required=True, allow_none=True)
    decided_reason = ma.fields.String(required=True, allow_none=True)
    decided_on = Day(required=True, allow_none=True)
    decided_by = ma.fields.Nested(NamedSchema, required=True, allow_none=True)


class FindingDecisionInSchema(Schema):
    """Keep the answers of those flagged, or set aside those of all or of some, and why."""

    decision = _choice(Decision, required=True)
    reviewers = ma.fields.List(
        PublicId("mem"), load_default=None, allow_none=True, validate=ma.validate.Length(1, 100)
    )
    reason = Text(500, required=True)


class CampaignObjectionInSchema(Schema):
    """Against what is proposed for a household, named by somebody who lives in it."""

    member = PublicId("mem", required=True)
    reason = Text(500, required=True)


class CampaignObjectionSchema(Schema):
    """An objection and its answer. Who raised it is shown to officers, auditors and themselves."""

    id = ma.fields.String(required=True)
    household = ma.fields.String(required=True)
    holder = ma.fields.Nested(NamedSchema, required=True)
    objector = ma.fields.Nested(NamedSchema, required=True)
    reason = ma.fields.String(required=True)
    raised_on = Day(required=True)
    status = _choice(ObjectionStatus, required=True)
    amount = Money(
        required=True,
        allow_none=True,
        metadata={"description": "To what it was changed; for officers, auditors, the household."},
    )
    answer = ma.fields.String(required=True, allow_none=True)
    answered_on = Day(required=True, allow_none=True)


class CampaignObjectionAnswerInSchema(Schema):
    """The answer: rejected, changed to an amount, or stopped."""

    outcome = _choice(
        ObjectionStatus,
        required=True,
        validate=ma.validate.NoneOf([ObjectionStatus.OPEN]),
    )
    amount = Money(load_default=None, allow_none=True)
    answer = Text(500, required=True)


class GrantHindranceSchema(Schema):
    """Why households are still waiting: the type of the refusal, and how many."""

    type = ma.fields.String(required=True)
    households = ma.fields.Integer(required=True)


class GrantRunSchema(Schema):
    """What a run has left ungranted."""

    campaign = ma.fields.Nested(CampaignSchema, required=True)
    left = ma.fields.Integer(required=True)
    hindrances = ma.fields.List(ma.fields.Nested(GrantHindranceSchema), required=True)
