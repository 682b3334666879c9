"""Ratings, items, complaints, themes and messages as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, PublicId, Schema, Text, Whole, YesNo
from app.paging import PageArgs
from community.communities.charter import ComplaintKind
from community.database import new_public_id
from community.feedback.models import (
    ComplaintOutcome,
    ComplaintRole,
    ComplaintStatus,
    ItemKind,
    MessageKind,
    PlacedBecause,
    PollChoice,
    PollStatus,
    StepKind,
    SubjectKind,
    ThemeStatus,
)
from community.feedback.ratings import STARS

TEXT_MAX = 2000
VERSION_MAX = 100_000
PREFIXES = {
    SubjectKind.PRODUCT: "prd",
    SubjectKind.MEETING: "mtg",
    SubjectKind.MOTION: "mot",
    SubjectKind.LOAN: "lon",
    SubjectKind.THEME: "thm",
}
_ID = f"^({'|'.join(PREFIXES.values())})_[0-9a-hj-km-np-tv-z]{{16}}$"


def _enum(kind: Any, **options: Any) -> Any:
    return ma.fields.Enum(kind, by_value=ma.fields.String, **options)


class _SubjectIn(Schema):
    @ma.validates_schema
    def _ids_are_of_their_kind(self, data: dict[str, Any], **_: Any) -> None:
        kind = data.get("kind")
        if kind is not None and not data.get("id", "").startswith(PREFIXES[kind] + "_"):
            example = new_public_id(PREFIXES[kind])
            raise ma.ValidationError({"id": [f"An id such as {example} is needed."]})
        if data.get("version") is not None and kind is not SubjectKind.PRODUCT:
            raise ma.ValidationError({"version": ["Only a product has versions."]})


class SubjectInSchema(_SubjectIn):
    """What is rated or commented on; of a product the version, or that in force today."""

    kind = _enum(SubjectKind, required=True)
    id = ma.fields.String(required=True, validate=ma.validate.Regexp(_ID))
    version = Whole(1, VERSION_MAX, load_default=None, allow_none=True)


class SubjectArgs(_SubjectIn):
    """The same, as a query."""

    kind = _enum(SubjectKind, required=True)
    id = ma.fields.String(required=True, validate=ma.validate.Regexp(_ID))
    version = Whole(1, VERSION_MAX, from_text=True, load_default=None)


class SubjectSchema(Schema):
    """What feedback is on."""

    kind = _enum(SubjectKind, required=True)
    id = ma.fields.String(required=True)
    version = Whole(1, required=True, allow_none=True)


class RatingInSchema(Schema):
    """How good something was."""

    subject = ma.fields.Nested(SubjectInSchema, required=True)
    stars = Whole(*STARS, required=True)


class RatingSchema(Schema):
    """One's own rating that counts, and how often it was given anew."""

    subject = ma.fields.Nested(SubjectSchema, required=True)
    stars = Whole(*STARS, required=True)
    number = Whole(1, required=True)
    rated_on = Day(required=True)


class MeanSchema(Schema):
    """A published mean, in half stars: never of fewer raters than the charter asks for."""

    number = Whole(1, required=True)
    week_on = Day(required=True)
    raters = Whole(3, required=True)
    half_stars = Whole(3, 9, required=True)
    is_burst = ma.fields.Boolean(required=True)


class MeansSchema(Schema):
    """What members think of a subject; nothing before enough of them have said so."""

    subject = ma.fields.Nested(SubjectSchema, required=True)
    means = ma.fields.List(ma.fields.Nested(MeanSchema), required=True)
    own_stars = Whole(*STARS, required=True, allow_none=True)


class FeedbackPersonSchema(Schema):
    """A member as others see them."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class FeedbackInSchema(Schema):
    """A comment on something, or a suggestion."""

    kind = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf([ItemKind.COMMENT.value, ItemKind.SUGGESTION.value]),
    )
    subject = ma.fields.Nested(SubjectInSchema, load_default=None, allow_none=True)
    text = Text(TEXT_MAX, lines=True, required=True)


class FeedbackListArgs(PageArgs):
    """Which items: of one theme, or those that wait to be put into one, hidden ones aside."""

    ungrouped = ma.fields.Boolean(load_default=False)
    theme = PublicId("thm", load_default=None)


class FeedbackSchema(Schema):
    """A comment or a suggestion. A hidden text is there for its author and the auditors."""

    id = ma.fields.String(required=True)
    author = ma.fields.Nested(FeedbackPersonSchema, required=True)
    kind = _enum(ItemKind, required=True)
    subject = ma.fields.Nested(SubjectSchema, required=True, allow_none=True)
    text = ma.fields.String(required=True, allow_none=True)
    theme = ma.fields.String(required=True, allow_none=True)
    written_on = Day(required=True)
    hidden_on = Day(required=True, allow_none=True)
    hidden_reason = ma.fields.String(required=True, allow_none=True)


class VersionSchema(Schema):
    """The product version that brought it."""

    product = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    version = Whole(1, required=True)
    valid_from = Day(required=True)


class PollSchema(Schema):
    """A vote on a theme; the sums are told when it is counted."""

    number = Whole(1, required=True)
    opens_on = Day(required=True)
    closes_on = Day(required=True)
    joined_by_on = Day(required=True)
    may_vote = Whole(1, required=True)
    quorum_bps = Whole(required=True)
    majority_bps = Whole(required=True)
    status = _enum(PollStatus, required=True)
    yes = Whole(required=True, allow_none=True)
    no = Whole(required=True, allow_none=True)
    abstain = Whole(required=True, allow_none=True)
    counted_on = Day(required=True, allow_none=True)


class ThemeSchema(Schema):
    """What members ask for, and what became of it."""

    id = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    summary = ma.fields.String(required=True)
    status = _enum(ThemeStatus, required=True)
    created_on = Day(required=True)
    askers = Whole(
        required=True, metadata={"description": "Members, each once, however often they asked."}
    )
    weighed_hundredths = Whole(
        required=True, metadata={"description": "Their voices by days of membership and ties."}
    )
    is_burst = ma.fields.Boolean(required=True)
    polls = ma.fields.List(ma.fields.Nested(PollSchema), required=True)
    decided_on = Day(required=True, allow_none=True)
    reason = ma.fields.String(required=True, allow_none=True)
    shipped = ma.fields.Nested(VersionSchema, required=True, allow_none=True)
    shipped_on = Day(required=True, allow_none=True)
    merged_into = ma.fields.String(required=True, allow_none=True)
    merged = ma.fields.List(ma.fields.String(), required=True)


class ThemeFileSchema(ThemeSchema):
    """One theme; its items for those who look after the community or audit it, else null."""

    items = ma.fields.List(ma.fields.Nested(FeedbackSchema), required=True, allow_none=True)
    # Complaints in it are read by few: a count.
    complaints = Whole(required=True)


class ThemeInSchema(Schema):
    """A theme in one sentence, and what it is about."""

    title = Text(120, required=True)
    summary = Text(TEXT_MAX, lines=True, load_default="")


class ThemeListArgs(PageArgs):
    """Which themes."""

    status = _enum(ThemeStatus, load_default=None)


class ThemeMergeSchema(Schema):
    """Into which theme."""

    into = PublicId("thm", required=True)


class ItemPlaceSchema(Schema):
    """Into which theme; null: out of the one that it is in."""

    theme = PublicId("thm", required=True, allow_none=True)


class PollInSchema(Schema):
    """From when to when a vote is open, both days included."""

    opens_on = Day(required=True)
    closes_on = Day(required=True)


class PollVoteSchema(Schema):
    """A vote."""

    choice = _enum(PollChoice, required=True)


class PollVotedSchema(Schema):
    """That it was cast; how, nobody can tell any more."""

    status = ma.fields.String(required=True)


class DecisionSchema(Schema):
    """What was decided, and why."""

    accepted = YesNo(required=True)
    reason = Text(500, lines=True, required=True)


class ShipmentSchema(Schema):
    """The product version whose source names the theme."""

    product = PublicId("prd", required=True)
    version = Whole(1, VERSION_MAX, required=True)


class ShippedArgs(Schema):
    """Which version; none: all of them."""

    version = Whole(1, VERSION_MAX, from_text=True, load_default=None)


class ShippedThemesSchema(Schema):
    """What a product's versions brought of what was asked for."""

    items = ma.fields.List(ma.fields.Nested(ThemeFileSchema), required=True)


class HideSchema(Schema):
    """Why a text is hidden."""

    reason = Text(500, required=True)


class AlikeSchema(Schema):
    """An item that may belong with another one."""

    item = ma.fields.Nested(FeedbackSchema, required=True)
    alike_bps = Whole(0, 10_000, required=True)


class AlikeListSchema(Schema):
    """Items that may belong together, most alike first."""

    items = ma.fields.List(ma.fields.Nested(AlikeSchema), required=True)


class PlacementSchema(Schema):
    """Where an item came, and why."""

    number = Whole(1, required=True)
    theme = ma.fields.String(required=True, allow_none=True)
    because = _enum(PlacedBecause, required=True)
    placed_on = Day(required=True)


class MessageSchema(Schema):
    """A message, in both languages."""

    id = ma.fields.String(required=True)
    kind = _enum(MessageKind, required=True)
    words = ma.fields.Dict(
        required=True, metadata={"description": "The text by language: zh-CN, en."}
    )
    theme = ma.fields.String(required=True, allow_none=True)
    complaint = ma.fields.String(required=True, allow_none=True)
    product = ma.fields.String(required=True, allow_none=True)
    sent_on = Day(required=True)
    read_at = Instant(required=True, allow_none=True)


class TrailSchema(FeedbackSchema):
    """An item and everything that came of it."""

    placements = ma.fields.List(ma.fields.Nested(PlacementSchema), required=True)
    asked_for = ma.fields.Nested(ThemeSchema, required=True, allow_none=True)
    messages = ma.fields.List(ma.fields.Nested(MessageSchema), required=True, allow_none=True)


class MessageListArgs(PageArgs):
    """Which messages."""

    unread = ma.fields.Boolean(load_default=False)


class MessageMarkSchema(Schema):
    """Read, or to be read again."""

    is_read = YesNo(required=True)


class ComplaintInSchema(Schema):
    """What is wrong, and, if it is about somebody, who."""

    kind = _enum(ComplaintKind, required=True)
    title = Text(120, required=True)
    text = Text(TEXT_MAX, lines=True, required=True)
    against = PublicId("mem", load_default=None, allow_none=True)


class ComplaintSummarySchema(Schema):
    """A complaint in a list."""

    id = ma.fields.String(required=True)
    number = Whole(1, required=True)
    kind = _enum(ComplaintKind, required=True)
    title = ma.fields.String(required=True)
    status = _enum(ComplaintStatus, required=True)
    owner_role = _enum(ComplaintRole, required=True)
    opened_on = Day(required=True)
    due_on = Day(required=True)
    outcome = _enum(ComplaintOutcome, required=True, allow_none=True)
    closed_on = Day(required=True, allow_none=True)
    reopened_count = Whole(required=True)


class ComplaintListArgs(PageArgs):
    """Which complaints."""

    status = _enum(ComplaintStatus, load_default=None)


class ComplaintStepSchema(Schema):
    """What happened to a complaint; by null: the business day."""

    number = Whole(1, required=True)
    kind = _enum(StepKind, required=True)
    text = ma.fields.String(required=True)
    on = Day(required=True)
    by = ma.fields.Nested(FeedbackPersonSchema, required=True, allow_none=True)


class ComplaintSchema(ComplaintSummarySchema):
    """One complaint in full."""

    text = ma.fields.String(required=True)
    complainant = ma.fields.Nested(FeedbackPersonSchema, required=True)
    against = ma.fields.Nested(FeedbackPersonSchema, required=True, allow_none=True)
    owner = ma.fields.Nested(FeedbackPersonSchema, required=True, allow_none=True)
    theme = ma.fields.String(required=True, allow_none=True)
    charter_version = Whole(1, required=True)
    steps = ma.fields.List(ma.fields.Nested(ComplaintStepSchema), required=True)


class ComplaintTextSchema(Schema):
    """What somebody writes."""

    text = Text(TEXT_MAX, lines=True, required=True)


class ComplaintClosingSchema(Schema):
    """What it came to."""

    outcome = _enum(ComplaintOutcome, required=True)
    text = Text(TEXT_MAX, lines=True, required=True)
