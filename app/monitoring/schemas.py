"""Cases, their events and actions, and rules with their measures, as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole, YesNo
from app.paging import PageArgs
from community.communities.charter import REPORT_RULES, MotionSubject, RiskRule, Severity
from community.monitoring.meetings import CLIENT_ID, LINES_MAX
from community.monitoring.models import (
    BY_HAND,
    ActionKind,
    AttendanceKind,
    Ballot,
    CaseOutcome,
    CaseRole,
    CaseStatus,
    Choice,
    EvidenceKind,
    MeetingStatus,
    MotionStatus,
    Purpose,
    VisitStatus,
)
from community.monitoring.proceeds import PromiseState
from community.monitoring.visits import SEED_MAX

TEXT_MAX = 500


class CasePersonSchema(Schema):
    """A member as others see them."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class RiskEventSchema(Schema):
    """What a rule of the charter found, with the facts that it found it by."""

    id = ma.fields.String(required=True)
    rule = ma.fields.Enum(RiskRule, by_value=ma.fields.String, required=True)
    severity = ma.fields.Enum(Severity, by_value=ma.fields.String, required=True)
    found_on = Day(required=True)
    loan = ma.fields.String(required=True, allow_none=True)
    facts = ma.fields.Dict(required=True, metadata={"description": "Amounts in minor units."})
    charter_version = Whole(1, required=True)


class CaseActionSchema(Schema):
    """What was done about a case."""

    number = Whole(1, required=True)
    kind = ma.fields.Enum(ActionKind, by_value=ma.fields.String, required=True)
    on = Day(required=True)
    text = ma.fields.String(required=True)
    by = ma.fields.Nested(CasePersonSchema, required=True, allow_none=True)


class CaseSummarySchema(Schema):
    """A case in a list."""

    id = ma.fields.String(required=True)
    member = ma.fields.Nested(CasePersonSchema, required=True, allow_none=True)
    subject = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What it is about, if several people: such as a circle."},
    )
    group = ma.fields.String(required=True, allow_none=True)
    is_confidential = ma.fields.Boolean(required=True)
    status = ma.fields.Enum(CaseStatus, by_value=ma.fields.String, required=True)
    severity = ma.fields.Enum(Severity, by_value=ma.fields.String, required=True)
    owner_role = ma.fields.Enum(CaseRole, by_value=ma.fields.String, required=True)
    owner = ma.fields.Nested(CasePersonSchema, required=True, allow_none=True)
    opened_on = Day(required=True)
    due_on = Day(required=True)
    outcome = ma.fields.Enum(CaseOutcome, by_value=ma.fields.String, required=True, allow_none=True)
    closed_on = Day(required=True, allow_none=True)


class CaseSchema(CaseSummarySchema):
    """One case with what opened it and what was done; the member sees what rules found."""

    people = ma.fields.List(
        ma.fields.Nested(CasePersonSchema),
        required=True,
        metadata={"description": "Whom it is about, where that is several; the first 500."},
    )
    people_count = Whole(0, required=True)
    events = ma.fields.List(ma.fields.Nested(RiskEventSchema), required=True)
    actions = ma.fields.List(ma.fields.Nested(CaseActionSchema), required=True)


class CaseListArgs(PageArgs):
    """Which cases."""

    status = ma.fields.Enum(CaseStatus, by_value=ma.fields.String, load_default=None)


class CaseActionInSchema(Schema):
    """What somebody did about a case."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf([k.value for k in BY_HAND]))
    text = Text(TEXT_MAX, required=True)


class CaseClosingSchema(Schema):
    """What it was in the end, and why that is known."""

    outcome = ma.fields.Enum(CaseOutcome, by_value=ma.fields.String, required=True)
    text = Text(TEXT_MAX, required=True)


class LeadSchema(Schema):
    """How many findings were followed by harm, and how many days ahead of it they were."""

    followed = Whole(0, required=True)
    days_median = ma.fields.Float(required=True, allow_none=True)


class RuleMeasureSchema(Schema):
    """One rule: whether it is on, what it found, and what that was worth."""

    rule = ma.fields.Enum(RiskRule, by_value=ma.fields.String, required=True)
    severity = ma.fields.Enum(Severity, by_value=ma.fields.String, required=True, allow_none=True)
    events = Whole(0, required=True)
    open = Whole(0, required=True)
    right = Whole(0, required=True)
    false_alarms = Whole(0, required=True)
    undecided = Whole(0, required=True)
    precision_bps = Whole(0, 10_000, required=True, allow_none=True)
    before_late = ma.fields.Nested(LeadSchema, required=True)
    before_loss = ma.fields.Nested(LeadSchema, required=True)


class RuleMeasuresSchema(Schema):
    """Every rule of the platform, as it did in one community."""

    on = Day(required=True)
    rules = ma.fields.List(ma.fields.Nested(RuleMeasureSchema), required=True)


class ReplayInSchema(Schema):
    """A rule to be tried on the past, with other numbers than the charter's if given."""

    rule = ma.fields.Enum(RiskRule, by_value=ma.fields.String, required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)
    charter = ma.fields.Dict(
        keys=Text(60),
        values=ma.fields.Raw(),
        load_default=dict,
        metadata={"description": "Rules of the charter to be replaced: name → value."},
    )


class ReplayRowSchema(Schema):
    """One finding, on the first day that it would have been found."""

    on = Day(required=True)
    member = ma.fields.Nested(CasePersonSchema, required=True, allow_none=True)
    loan = ma.fields.String(required=True, allow_none=True)
    facts = ma.fields.Dict(required=True)


class ReplaySchema(Schema):
    """What a rule would have found; at most 500 findings are shown, all are counted."""

    rule = ma.fields.Enum(RiskRule, by_value=ma.fields.String, required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)
    findings = Whole(0, required=True)
    shown = ma.fields.List(ma.fields.Nested(ReplayRowSchema), required=True)
    before_late = ma.fields.Nested(LeadSchema, required=True)
    before_loss = ma.fields.Nested(LeadSchema, required=True)
    losses = Whole(0, required=True)
    losses_missed = Whole(0, required=True)


class MeetingPlanInSchema(Schema):
    """When and where a group meets."""

    first_on = Day(required=True)
    every_days = Whole(1, 366, required=True)
    place = Text(120, load_default="")


class MeetingPlanSchema(MeetingPlanInSchema):
    """When and where a group meets, and the days to come."""

    next_on = ma.fields.List(Day(), required=True)


class AttendanceInSchema(Schema):
    """How one member was at a meeting."""

    member = PublicId("mem", required=True)
    attendance = ma.fields.Enum(
        AttendanceKind, by_value=ma.fields.String, required=True, attribute="kind"
    )
    proxy = PublicId("mem", load_default=None, allow_none=True)
    note = Text(120, load_default="")


class MeetingInSchema(Schema):
    """A meeting as it was written down."""

    client_id = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Regexp(CLIENT_ID),
        metadata={"description": "Made up by whoever writes: the same meeting is entered once."},
    )
    held_on = Day(required=True)
    place = Text(120, load_default="")
    attendance = ma.fields.List(
        ma.fields.Nested(AttendanceInSchema),
        load_default=list,
        validate=ma.validate.Length(max=LINES_MAX),
    )


class MeetingChangeSchema(Schema):
    """An open meeting, all its lines anew."""

    minutes = Text(20_000, lines=True, load_default="")
    attendance = ma.fields.List(
        ma.fields.Nested(AttendanceInSchema),
        required=True,
        validate=ma.validate.Length(max=LINES_MAX),
    )


class MeetingSheetSchema(Schema):
    """The sheet of the money that came in."""

    collection = PublicId("col", required=True)


class AttendanceSchema(Schema):
    """How one member was at a meeting."""

    member = ma.fields.Nested(CasePersonSchema, required=True)
    attendance = ma.fields.Enum(AttendanceKind, by_value=ma.fields.String, required=True)
    proxy = ma.fields.Nested(CasePersonSchema, required=True, allow_none=True)
    note = ma.fields.String(required=True)


class MotionInSchema(Schema):
    """Something put to the vote; what it needs stands in the charter."""

    subject = ma.fields.Enum(MotionSubject, by_value=ma.fields.String, required=True)
    text = Text(TEXT_MAX, required=True)
    ballot = ma.fields.Enum(Ballot, by_value=ma.fields.String, required=True)
    loan = PublicId("lon", load_default=None, allow_none=True)


class MotionVoteInSchema(Schema):
    """A vote: one's own, or that of somebody whose proxy one holds."""

    choice = ma.fields.Enum(Choice, by_value=ma.fields.String, required=True)
    member = PublicId("mem", load_default=None, allow_none=True)


class MotionVoteSchema(Schema):
    """One vote of an open ballot."""

    member = ma.fields.Nested(CasePersonSchema, required=True)
    choice = ma.fields.Enum(Choice, by_value=ma.fields.String, required=True)


class MotionSchema(Schema):
    """What was put to the vote. The sums of a secret ballot are told when it is counted."""

    id = ma.fields.String(required=True)
    meeting = ma.fields.String(required=True)
    subject = ma.fields.Enum(MotionSubject, by_value=ma.fields.String, required=True)
    text = ma.fields.String(required=True)
    loan = ma.fields.String(required=True, allow_none=True)
    ballot = ma.fields.Enum(Ballot, by_value=ma.fields.String, required=True)
    status = ma.fields.Enum(MotionStatus, by_value=ma.fields.String, required=True)
    majority_bps = Whole(0, required=True)
    is_unanimous = ma.fields.Boolean(required=True)
    yes = Whole(0, required=True, allow_none=True)
    no = Whole(0, required=True, allow_none=True)
    abstain = Whole(0, required=True, allow_none=True)
    votes = ma.fields.List(ma.fields.Nested(MotionVoteSchema), required=True)
    counted_on = Day(required=True, allow_none=True)


class MeetingSchema(Schema):
    """A meeting: open, or closed and counted."""

    id = ma.fields.String(required=True)
    group = ma.fields.String(required=True)
    client_id = ma.fields.String(required=True)
    held_on = Day(required=True)
    place = ma.fields.String(required=True)
    minutes = ma.fields.String(required=True)
    status = ma.fields.Enum(MeetingStatus, by_value=ma.fields.String, required=True)
    collection = ma.fields.String(required=True, allow_none=True)
    members = Whole(0, required=True, allow_none=True)
    spoken_for = Whole(0, required=True, allow_none=True)
    is_quorate = ma.fields.Boolean(required=True, allow_none=True)
    attendance = ma.fields.List(ma.fields.Nested(AttendanceSchema), required=True)
    motions = ma.fields.List(ma.fields.Nested(MotionSchema), required=True)


class PeerReportInSchema(Schema):
    """What a member sees of another."""

    member = PublicId("mem", required=True)
    kind = ma.fields.String(
        required=True, validate=ma.validate.OneOf(sorted(rule.value for rule in REPORT_RULES))
    )
    text = Text(2_000, lines=True, required=True)


class PeerReportAnswerSchema(Schema):
    """The same answer to every report that was taken."""

    status = ma.fields.String(required=True, validate=ma.validate.Equal("received"))


class HeardReportSchema(Schema):
    """One report, for the case's own officer."""

    id = ma.fields.String(required=True)
    reporter = ma.fields.Nested(CasePersonSchema, required=True)
    kind = ma.fields.Enum(RiskRule, by_value=ma.fields.String, required=True)
    text = ma.fields.String(required=True)
    week_on = Day(required=True)
    right = Whole(0, required=True)
    wrong = Whole(0, required=True)
    believed_bps = Whole(0, 10_000, required=True)


class ReportReadingSchema(Schema):
    """All reports of a case, and how far they are to be believed together."""

    believed_bps = Whole(0, 10_000, required=True)
    reports = ma.fields.List(ma.fields.Nested(HeardReportSchema), required=True)


class VisitRoundInSchema(Schema):
    """A drawing of who visits whom."""

    purpose = ma.fields.Enum(Purpose, by_value=ma.fields.String, required=True)
    due_on = Day(required=True)
    seed = Whole(
        0,
        SEED_MAX,
        load_default=None,
        allow_none=True,
        metadata={"description": "Drawn by the server if left out; the same one draws the same."},
    )


class PlaceSchema(Schema):
    """Where something was seen, in millionths of a degree."""

    latitude_micro = Whole(-90_000_000, 90_000_000, required=True)
    longitude_micro = Whole(-180_000_000, 180_000_000, required=True)


class VisitAnswerSchema(Schema):
    """What a visitor saw; place and time if they give them."""

    answers = ma.fields.Dict(keys=Text(40), values=YesNo(), required=True)
    note = Text(TEXT_MAX, lines=True, load_default="")
    place = ma.fields.Nested(PlaceSchema, load_default=None, allow_none=True)
    seen_at = Instant(load_default=None, allow_none=True)


class VisitQuestionSchema(Schema):
    """What a visit asks."""

    key = ma.fields.String(required=True)
    en = ma.fields.String(required=True)
    zh = ma.fields.String(required=True)


class VisitPhotoSchema(Schema):
    """A photo of a visit; its bytes have an address of their own."""

    number = Whole(1, required=True)
    media_type = ma.fields.String(required=True)
    size_bytes = Whole(1, required=True)
    sha256 = ma.fields.String(required=True)
    seen_before = ma.fields.Boolean(required=True)


class VisitSchema(Schema):
    """One visit: to be made, or answered."""

    id = ma.fields.String(required=True)
    visitor = ma.fields.Nested(CasePersonSchema, required=True)
    visited = ma.fields.Nested(CasePersonSchema, required=True)
    purpose = ma.fields.Enum(Purpose, by_value=ma.fields.String, required=True)
    due_on = Day(required=True)
    status = ma.fields.Enum(VisitStatus, by_value=ma.fields.String, required=True)
    questions = ma.fields.List(ma.fields.Nested(VisitQuestionSchema), required=True)
    answers = ma.fields.Dict(required=True, allow_none=True)
    note = ma.fields.String(required=True)
    place = ma.fields.Nested(PlaceSchema, required=True, allow_none=True)
    seen_at = Instant(required=True, allow_none=True)
    done_on = Day(required=True, allow_none=True)
    photos = ma.fields.List(ma.fields.Nested(VisitPhotoSchema), required=True)


class VisitRoundSchema(Schema):
    """One drawing with its seed and its visits."""

    id = ma.fields.String(required=True)
    group = ma.fields.String(required=True)
    number = Whole(1, required=True)
    seed = Whole(0, required=True)
    drawn_on = Day(required=True)
    visits = ma.fields.List(ma.fields.Nested(VisitSchema), required=True)


class LoanUseInSchema(Schema):
    """What a part of a loan is for, and who gets it."""

    purpose = ma.fields.Enum(Purpose, by_value=ma.fields.String, required=True)
    payee_name = Text(120, required=True)
    payee = PublicId(
        "mem",
        load_default=None,
        allow_none=True,
        metadata={"description": "The payee, if they are a member."},
    )
    amount = Money(required=True)


class UseEvidenceInSchema(Schema):
    """What shows that money was used as was said, and for how much of it."""

    kind = ma.fields.Enum(EvidenceKind, by_value=ma.fields.String, required=True)
    amount = Money(required=True)
    reference = Text(120, required=True)
    visit = PublicId("vis", load_default=None, allow_none=True)


class UseEvidenceSchema(Schema):
    """What shows a use."""

    number = Whole(1, required=True)
    kind = ma.fields.Enum(EvidenceKind, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", required=True)
    reference = ma.fields.String(required=True)
    verified_on = Day(required=True)
    verified_by = ma.fields.Nested(CasePersonSchema, required=True)


class LoanUseSchema(Schema):
    """What a part of a loan is for, and what shows it."""

    id = ma.fields.String(required=True)
    loan = ma.fields.String(required=True)
    purpose = ma.fields.Enum(Purpose, by_value=ma.fields.String, required=True)
    payee_name = ma.fields.String(required=True)
    payee = ma.fields.Nested(CasePersonSchema, required=True, allow_none=True)
    amount = Money(minor="amount_minor", required=True)
    verified = Money(minor="verified_minor", required=True)
    stated_on = Day(required=True)
    evidence = ma.fields.List(ma.fields.Nested(UseEvidenceSchema), required=True)


class VerifiedUseSchema(Schema):
    """How much of what is out is shown to be used as was said; amounts for who may see them."""

    verified_bps = Whole(0, 10_000, required=True, allow_none=True)
    disbursed = Money(minor="disbursed_minor", required=True, allow_none=True)
    stated = Money(minor="stated_minor", required=True, allow_none=True)
    verified = Money(minor="verified_minor", required=True, allow_none=True)


class PaymentPromiseInSchema(Schema):
    """A borrower's word to pay so much by a day."""

    amount = Money(required=True)
    promised_on = Day(required=True)


class PaymentPromiseSchema(Schema):
    """A promise to pay, and what receipts say of it."""

    id = ma.fields.String(required=True)
    amount = Money(minor="amount_minor", required=True)
    made_on = Day(required=True)
    promised_on = Day(required=True)
    paid = Money(minor="paid_minor", required=True)
    state = ma.fields.Enum(PromiseState, by_value=ma.fields.String, required=True)


class PaymentPromiseListSchema(Schema):
    """The promises on a loan, oldest first."""

    items = ma.fields.List(ma.fields.Nested(PaymentPromiseSchema), required=True)
