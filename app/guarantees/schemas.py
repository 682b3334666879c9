"""Repayments, cover and calls as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, YesNo
from app.members.schemas import NamedSchema
from app.paging import PageArgs
from community.communities.charter import LiabilityMode
from community.guarantees.models import (
    CallGround,
    CallStatus,
    CoverChangeKind,
    CoverChangeStatus,
)
from community.guarantees.queries import CoverChangeShow
from community.loans.models import LoanStatus, RepaymentSource


class RepaymentInSchema(Schema):
    """Money that came in on a loan. `received_on` is today if it is left out."""

    amount = Money(required=True)
    source = ma.fields.Enum(
        RepaymentSource, by_value=ma.fields.String, load_default=RepaymentSource.BORROWER
    )
    payer = PublicId("mem", load_default=None, allow_none=True)
    received_on = Day(load_default=None, allow_none=True)

    @ma.validates("source")
    def _only_money_over_the_counter(self, value: RepaymentSource, data_key: str) -> None:
        if value not in (RepaymentSource.BORROWER, RepaymentSource.THIRD_PARTY):
            raise ma.ValidationError("Choose borrower or third_party; calls are paid as calls.")

    @ma.validates_schema
    def _third_parties_have_names(self, data: dict[str, object], **_: object) -> None:
        third = data.get("source") is RepaymentSource.THIRD_PARTY
        if third != (data.get("payer") is not None):
            raise ma.ValidationError(
                "Name the payer of a third party's money, and only then.", "payer"
            )


class RepaymentSchema(Schema):
    """A receipt: what was paid, and where every cent of it went."""

    id = ma.fields.String(required=True)
    loan = ma.fields.String(required=True)
    payer = ma.fields.String(required=True, allow_none=True)
    source = ma.fields.Enum(RepaymentSource, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", required=True)
    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    fee = Money(minor="fee_minor", required=True)
    penalty = Money(minor="penalty_minor", required=True)
    recovered = Money(minor="recovered_minor", required=True)
    recourse = Money(minor="recourse_minor", required=True)
    overpaid = Money(minor="overpaid_minor", required=True)
    received_on = Day(required=True)
    reversed_on = Day(required=True, allow_none=True)
    reversed_reason = ma.fields.String(required=True, allow_none=True)
    outstanding = Money(minor="outstanding_minor", required=True)
    cover_held = Money(minor="cover_held_minor", required=True)
    loan_status = ma.fields.String(required=True)


class CoverLineSchema(Schema):
    """A path with an amount: whose standing covers, through whom, along which vouches."""

    standing_of = ma.fields.String(required=True)
    through = ma.fields.String(required=True, allow_none=True)
    vouches = ma.fields.List(ma.fields.String(), required=True)
    amount = Money(minor="amount_minor", required=True)
    held = Money(minor="held_minor", required=True)
    called = Money(minor="called_minor", required=True)
    paid = Money(minor="paid_minor", required=True)


class CoverSchema(Schema):
    """All cover of a loan."""

    held = Money(minor="held_minor", required=True)
    lines = ma.fields.List(ma.fields.Nested(CoverLineSchema), required=True)


class CancellationSchema(Schema):
    """Why an approved loan is not paid out after all."""

    reason = Text(500, required=True)
    by_borrower = YesNo(load_default=False)


class CallSchema(Schema):
    """A dated demand on one guarantor (代偿通知)."""

    id = ma.fields.String(required=True)
    loan = ma.fields.String(required=True)
    guarantor = ma.fields.String(required=True)
    ground = ma.fields.Enum(CallGround, by_value=ma.fields.String, required=True)
    covers_for = ma.fields.String(required=True, allow_none=True)
    amount = Money(minor="amount_minor", required=True)
    paid = Money(minor="paid_minor", required=True)
    open = Money(minor="open_minor", required=True)
    status = ma.fields.Enum(CallStatus, by_value=ma.fields.String, required=True)
    issued_on = Day(required=True)
    deadline_on = Day(required=True)
    promised_on = Day(required=True, allow_none=True)
    # Since when its clock stands still, while a dispute waits for its answer.
    disputed_on = Day(required=True, allow_none=True)
    # The guarantor disputed it and was right: nothing more is asked.
    upheld_on = Day(required=True, allow_none=True)
    dispute_reason = ma.fields.String(required=True, allow_none=True)


class CallLineSchema(Schema):
    """What a call asks of one line of the loan's cover: whose standing, through whom, on which
    vouches; `moved` is no longer asked here."""

    standing_of = ma.fields.String(required=True)
    through = ma.fields.String(required=True, allow_none=True)
    vouches = ma.fields.List(ma.fields.String(), required=True)
    asked = Money(minor="amount_minor", required=True)
    paid = Money(minor="paid_minor", required=True)
    moved = Money(minor="moved_minor", required=True)


class DisputeAnswerSchema(Schema):
    """How a dispute was answered, and why."""

    upheld = ma.fields.Boolean(required=True)
    reason = ma.fields.String(required=True)
    answered_at = Instant(required=True)


class CallFileSchema(CallSchema):
    """One call with what it rests on, and how disputes of it were answered."""

    answers = ma.fields.List(ma.fields.Nested(DisputeAnswerSchema), required=True)
    lines = ma.fields.List(ma.fields.Nested(CallLineSchema), required=True)


class CallListArgs(PageArgs):
    """Which calls."""

    status = ma.fields.Enum(CallStatus, by_value=ma.fields.String, load_default=None)


class CallPaymentInSchema(Schema):
    """Money that a called guarantor pays by hand."""

    amount = Money(required=True)


class CallPaymentSchema(Schema):
    """What was paid on a call, with the receipt."""

    id = ma.fields.String(required=True)
    amount = Money(minor="amount_minor", required=True)
    paid_on = Day(required=True)
    call = ma.fields.Nested(CallSchema, required=True)


class PromiseSchema(Schema):
    """The day on which a guarantor will pay."""

    pay_on = Day(required=True)


class ReasonSchema(Schema):
    """A reason in words."""

    reason = Text(500, required=True)


class ResolutionSchema(Schema):
    """How a dispute is answered, and why."""

    # The guarantor was right: nothing more is asked of them on this call.
    upheld = YesNo(load_default=False)
    reason = Text(500, required=True)


class SubstitutionInSchema(Schema):
    """Who leaves and who is to take over what they cover, and why."""

    leaving = PublicId("mem", required=True)
    coming = PublicId("mem", required=True)
    reason = Text(500, required=True, lines=True)


class CoverChangeSchema(Schema):
    """A guarantor's cover that others take over: who has agreed, and what was moved."""

    id = ma.fields.String(required=True)
    loan = ma.fields.String(required=True)
    kind = ma.fields.Enum(CoverChangeKind, by_value=ma.fields.String, required=True)
    status = ma.fields.Enum(CoverChangeStatus, by_value=ma.fields.String, required=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    leaving = ma.fields.Nested(NamedSchema, required=True)
    coming = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    reason = ma.fields.String(required=True)
    proposed_at = Instant(required=True)
    leaving_agreed_at = Instant(required=True, allow_none=True)
    coming_agreed_at = Instant(required=True, allow_none=True)
    borrower_agreed_at = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    # Who has still to agree; nobody once it is done, refused or withdrawn.
    waiting_for = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    # What the leaving guarantor holds now, to be taken over while it is only proposed.
    held = Money(minor="held_minor", required=True)
    freed = Money(minor="freed_minor", required=True)
    taken = Money(minor="taken_minor", required=True)


class CoverChangeArgs(PageArgs):
    """Which changes of cover: all of one's own, those to answer, those one asked for."""

    show = ma.fields.Enum(
        CoverChangeShow, by_value=ma.fields.String, load_default=CoverChangeShow.ALL
    )


class CoverTakeoverSchema(Schema):
    """What I would hold, and could owe, if I took over this cover today.

    `wanted` = `own` + `behind_me` + `missing`: of my own standing, of those behind me (I am asked
    for it, and ask them), and what could not be held now. While some is missing the change cannot
    be done, and what could be asked of me then is not known. `cap_…`: at most on this loan, in
    all. `resting_…`: on all my promises in the community.
    """

    on = Day(required=True)
    loan = ma.fields.String(attribute="loan.public_id", required=True)
    purpose = ma.fields.String(attribute="loan.purpose", required=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    leaving = ma.fields.Nested(NamedSchema, required=True)
    liability_mode = ma.fields.Enum(
        LiabilityMode, by_value=ma.fields.String, attribute="mode", required=True
    )
    loan_status = ma.fields.Enum(
        LoanStatus, by_value=ma.fields.String, attribute="loan.status", required=True
    )
    principal = Money(minor="principal_minor", required=True)
    owed = Money(minor="owed_minor", required=True)
    days_overdue = ma.fields.Integer(required=True)
    last_due_on = Day(required=True, allow_none=True)
    wanted = Money(minor="wanted_minor", required=True)
    own = Money(minor="own_minor", required=True)
    behind_me = Money(minor="behind_minor", required=True)
    missing = Money(minor="missing_minor", required=True)
    cap_before = Money(minor="cap_before_minor", required=True)
    cap_after = Money(minor="cap_after_minor", required=True, allow_none=True)
    resting_before = Money(minor="resting_before_minor", required=True)
    resting_after = Money(minor="resting_after_minor", required=True, allow_none=True)
