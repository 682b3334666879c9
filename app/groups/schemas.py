"""Groups, agreements and proof of understanding as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.exposure.schemas import CapNoteSchema
from app.fields import Day, Instant, Money, PublicId, Schema, Text, YesNo
from app.members.schemas import NamedSchema
from app.paging import PageArgs
from community.groups.models import GroupMemberStatus, GroupStatus
from community.groups.understanding import CHOICES, QuestionKind


class GroupInSchema(Schema):
    """A new group: what each member would stand for behind each other, and until when."""

    name = Text(120, required=True)
    pair_cap = Money(required=True)
    vouch_expires_on = Day(required=True)
    product = PublicId("prd", load_default=None, allow_none=True)


class GroupChangeSchema(Schema):
    """Other terms, while the group forms."""

    name = Text(120)
    pair_cap = Money()
    vouch_expires_on = Day()

    @ma.validates_schema
    def _something_changes(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ma.ValidationError("Name what is to change.", "name")


class GroupMemberSchema(Schema):
    """Somebody in a group, or invited to it."""

    member = ma.fields.Nested(NamedSchema, required=True)
    status = ma.fields.Enum(GroupMemberStatus, by_value=ma.fields.String, required=True)
    exposure = Money(minor="exposure_minor", allow_none=True, required=True)
    understood_at = Instant(required=True, allow_none=True)
    signed_at = Instant(required=True, allow_none=True)


class GroupSummarySchema(Schema):
    """A group in a list."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    status = ma.fields.Enum(GroupStatus, by_value=ma.fields.String, required=True)
    pair_cap = Money(minor="pair_cap_minor", required=True)
    vouch_expires_on = Day(required=True)
    leader = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    leader_until_on = Day(required=True, allow_none=True)
    # Past the term the leader acts on until this day, unless a successor is elected.
    leader_acts_until_on = Day(required=True, allow_none=True)
    # The one product that the group borrows; null: any.
    product_name = ma.fields.String(required=True, allow_none=True)
    # Below the charter's size since, and when it has to be whole again.
    short_since_on = Day(required=True, allow_none=True)
    whole_by_on = Day(required=True, allow_none=True)
    agreement_hash = ma.fields.String(required=True, allow_none=True)
    charter_version = ma.fields.Integer(required=True, allow_none=True)
    cooling_off_until = Instant(required=True, allow_none=True)
    activated_at = Instant(required=True, allow_none=True)
    created_at = Instant(required=True)


class ElectionSchema(Schema):
    """What reminds a group to vote: an election is due, and how long the leader acts on."""

    open_since_on = Day(required=True, allow_none=True)
    is_due = ma.fields.Boolean(required=True)
    is_led = ma.fields.Boolean(required=True)
    acting_days_left = ma.fields.Integer(required=True, allow_none=True)
    votes_needed = ma.fields.Integer(required=True)


class GroupSchema(GroupSummarySchema):
    """A group with its members; `my_vote` is the caller's own, others' votes are theirs."""

    election = ma.fields.Nested(ElectionSchema, required=True)
    # Whether time to become whole is over: it takes nobody in, and ends when nothing is live.
    must_dissolve = ma.fields.Boolean(required=True)
    # What is proposed to the group now.
    amendment = ma.fields.String(required=True, allow_none=True)
    my_recall = ma.fields.Boolean(required=True)

    members = ma.fields.List(ma.fields.Nested(GroupMemberSchema), required=True)
    my_vote = ma.fields.String(required=True, allow_none=True)


class GroupArgs(PageArgs):
    """A page of groups, of all states or one."""

    status = ma.fields.Enum(GroupStatus, by_value=ma.fields.String, load_default=None)


class InvitationInSchema(Schema):
    """Whom to ask."""

    member = PublicId("mem", required=True)


class InvitationAnswerSchema(Schema):
    """Yes or no to an invitation."""

    accept = YesNo(required=True)


class VoteSchema(Schema):
    """Whom to vote for."""

    candidate = PublicId("mem", required=True)


class GroupSignedSchema(GroupSchema):
    """The group after a signature, with what its giver should think of; only they are told."""

    warnings = ma.fields.List(ma.fields.Nested(CapNoteSchema), required=True)


class AgreementSchema(Schema):
    """The agreement as signed: its hash, its facts (amounts in minor units), its text."""

    agreement_hash = ma.fields.String(required=True)
    facts = ma.fields.Dict(required=True)
    text = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        required=True,
        metadata={"description": "By language: zh-CN and en."},
    )


class QuestionSchema(Schema):
    """A question on one's own exposure; to be answered in money or by one of the options."""

    id = ma.fields.String(required=True)
    kind = ma.fields.Enum(QuestionKind, by_value=ma.fields.String, required=True)
    text = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    options = ma.fields.List(ma.fields.String(), required=True)


class QuestionnaireSchema(Schema):
    """The questions to answer now; `attempt` counts from 0."""

    agreement_hash = ma.fields.String(required=True)
    attempt = ma.fields.Integer(required=True)
    passed = ma.fields.Boolean(required=True)
    questions = ma.fields.List(ma.fields.Nested(QuestionSchema), required=True)


class AnswerInSchema(Schema):
    """The answer to one question: `money` or `choice`."""

    question = Text(40, required=True)
    money = Money(zero=True)
    choice = ma.fields.String(validate=ma.validate.OneOf(CHOICES))

    @ma.validates_schema
    def _one_answer(self, data: dict[str, Any], **_: Any) -> None:
        if ("money" in data) == ("choice" in data):
            raise ma.ValidationError("Answer with money or with a choice.", "money")


class AnswersSchema(Schema):
    """All answers of one try, on the agreement of this hash."""

    agreement_hash = Text(64, required=True)
    answers = ma.fields.List(
        ma.fields.Nested(AnswerInSchema), required=True, validate=ma.validate.Length(1, 20)
    )

    @ma.validates_schema
    def _each_once(self, data: dict[str, Any], **_: Any) -> None:
        asked = [answer["question"] for answer in data.get("answers", [])]
        if len(asked) != len(set(asked)):
            raise ma.ValidationError("Answer each question once.", "answers")


class VerdictSchema(Schema):
    """Whether an answer was right; if not, the working that leads to the right one."""

    question = ma.fields.String(required=True)
    right = ma.fields.Boolean(required=True)
    explanation = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(), required=True, allow_none=True
    )


class AnsweredSchema(Schema):
    """What came of a try; if it was not passed, `again` has the next questions."""

    passed = ma.fields.Boolean(required=True)
    verdicts = ma.fields.List(ma.fields.Nested(VerdictSchema), required=True)
    again = ma.fields.Nested(QuestionnaireSchema, required=True, allow_none=True)


class SignatureInSchema(Schema):
    """The hash of the agreement that the signer has read."""

    agreement_hash = Text(64, required=True)
