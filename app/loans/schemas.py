"""Quotes, applications and loans as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole
from app.paging import PageArgs
from app.products.schemas import ProductTermsSchema, SeasonSchema
from app.reasons import BecauseSchema
from community.communities.charter import LiabilityMode, Purpose
from community.loans.group_loans import Stage
from community.loans.models import ChangeKind, ChargeKind, LoanStatus, RepaymentSource

_LINE = {"description": "The shared credit line to draw on."}
_INSTALMENTS = {"description": "Left out for a seasonal product: its season says how many."}


class QuoteArgs(Schema):
    """What a quote is asked for, as a query string; the currency is the community's."""

    product = PublicId("prd", required=True)
    amount = ma.fields.String(
        required=True, metadata={"description": "Decimal units, such as 120.50"}
    )
    instalments = Whole(1, 600, from_text=True, load_default=None)
    season = PublicId("sea", load_default=None)
    on = Day(load_default=None, metadata={"description": "When it would be paid out; today."})


class ScheduleRowSchema(Schema):
    """One due of a schedule."""

    number = Whole(1, required=True)
    due_on = Day(required=True)
    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    fee = Money(minor="fee_minor", required=True)
    total = Money(minor="total_minor", required=True)


class PayoutSchema(Schema):
    """What goes out on one day."""

    pay_on = Day(required=True)
    amount = Money(minor="amount_minor", required=True)


class CostSchema(Schema):
    """What a loan costs: its money, its dues, and the yearly rate that comes of them."""

    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    fees = Money(minor="fees_minor", required=True)
    total = Money(minor="total_minor", required=True)
    effective_yearly_rate_ppm = Whole(
        0,
        required=True,
        metadata={"description": "By actual cash flows, in parts per million."},
    )
    payouts = ma.fields.List(
        ma.fields.Nested(PayoutSchema),
        required=True,
        metadata={"description": "When it is paid out: in tranches if its season has them."},
    )
    schedule = ma.fields.List(ma.fields.Nested(ScheduleRowSchema), required=True)


class QuoteSchema(CostSchema):
    """What a loan would cost."""

    product = ma.fields.String(required=True)
    product_version = Whole(1, required=True)
    charter_version = Whole(1, required=True)
    on = Day(required=True)
    rate_cap_ppm = Whole(0, required=True)
    rate_cap_basis = ma.fields.String(required=True)


class LoanApplicationSchema(Schema):
    """Somebody asks for a loan; the borrower is the caller if nobody is named."""

    community = PublicId("com", required=True)
    product = PublicId("prd", required=True)
    principal = Money(required=True)
    instalments = Whole(1, 600, load_default=None, allow_none=True, metadata=_INSTALMENTS)
    season = PublicId("sea", load_default=None, allow_none=True)
    purpose = Text(500, required=True)
    borrower = PublicId("mem", load_default=None, allow_none=True)
    credit_line = PublicId("cln", load_default=None, allow_none=True, metadata=_LINE)


class GroupLoanShareSchema(Schema):
    """One member's share of a group loan."""

    member = PublicId("mem", required=True)
    amount = Money(required=True)
    purpose = Text(
        500,
        load_default=None,
        allow_none=True,
        metadata={"description": "What this share is for; left out: what the group's loan is for."},
    )


class GroupQuoteInSchema(Schema):
    """A group thinks of a loan: a share for each member who would borrow."""

    product = PublicId("prd", required=True)
    shares = ma.fields.List(
        ma.fields.Nested(GroupLoanShareSchema),
        required=True,
        validate=ma.validate.Length(min=1, max=100),
    )
    instalments = Whole(1, 600, load_default=None, allow_none=True, metadata=_INSTALMENTS)
    season = PublicId("sea", load_default=None, allow_none=True)

    @ma.validates_schema
    def _one_share_each_in_one_currency(self, data: dict[str, Any], **_: Any) -> None:
        members = [share["member"] for share in data["shares"]]
        if len(set(members)) < len(members):
            raise ma.ValidationError("Every member has one share.", "shares")
        amounts = [share["amount"] for share in data["shares"]]
        amounts += [data["total"]] if "total" in data else []
        if len({amount.currency for amount in amounts}) > 1:
            raise ma.ValidationError("All amounts are in one currency.", "shares")


class GroupLoanApplicationSchema(GroupQuoteInSchema):
    """A group asks for a loan: a share for each member who borrows; the shares sum to the total."""

    total = Money(required=True)
    purpose = Text(500, required=True)
    credit_line = PublicId("cln", load_default=None, allow_none=True, metadata=_LINE)


class LoanEndorsementInSchema(Schema):
    """A member's word for a loan."""

    comment = Text(500, empty=True, load_default="")


class LoanOptionalReasonSchema(Schema):
    """Why, if there is something to say."""

    reason = Text(500, empty=True, load_default="")


class LoanReasonSchema(Schema):
    """Why."""

    reason = Text(500, required=True)


class LoanListArgs(PageArgs):
    """Filters of a list of loans."""

    status = ma.fields.Enum(LoanStatus, by_value=ma.fields.String, load_default=None)


class LoanPersonSchema(Schema):
    """A member as others see them."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class LoanInstalmentSchema(ScheduleRowSchema):
    """One due of a loan, and what was paid of it."""

    penalty = Money(minor="penalty_minor", required=True)
    paid_principal = Money(minor="paid_principal_minor", required=True)
    paid_interest = Money(minor="paid_interest_minor", required=True)
    paid_fee = Money(minor="paid_fee_minor", required=True)
    paid_penalty = Money(minor="paid_penalty_minor", required=True)


class LoanStepSchema(Schema):
    """A step of a loan's life."""

    from_status = ma.fields.Enum(
        LoanStatus, by_value=ma.fields.String, required=True, allow_none=True
    )
    to_status = ma.fields.Enum(LoanStatus, by_value=ma.fields.String, required=True)
    on = Day(required=True)
    reason = ma.fields.String(required=True)
    # The same where it is the platform's; null: somebody typed it.
    because = ma.fields.Nested(BecauseSchema, required=True, allow_none=True)
    by = ma.fields.Nested(LoanPersonSchema, required=True, allow_none=True)


class LoanEndorsementSchema(Schema):
    """A member's word for a loan."""

    loan = ma.fields.String(required=True)
    loan_status = ma.fields.Enum(LoanStatus, by_value=ma.fields.String, required=True)
    by = ma.fields.Nested(LoanPersonSchema, required=True)
    comment = ma.fields.String(required=True)
    endorsed_at = Instant(required=True)


class LoanEndorsementListSchema(Schema):
    """Words given at once for the shares of a group loan."""

    items = ma.fields.List(ma.fields.Nested(LoanEndorsementSchema), required=True)


class LoanReceiptSchema(Schema):
    """Money received on a loan, or principal given up."""

    id = ma.fields.String(required=True)
    source = ma.fields.Enum(RepaymentSource, by_value=ma.fields.String, required=True)
    received_on = Day(required=True)
    amount = Money(minor="amount_minor", required=True)
    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    fee = Money(minor="fee_minor", required=True)
    penalty = Money(minor="penalty_minor", required=True)
    reversed_on = Day(required=True, allow_none=True)


class PayeePartInSchema(Schema):
    """So much of a disbursement, straight to whom a use of the loan names."""

    use = PublicId("use", required=True)
    amount = Money(required=True)


class DisbursementInSchema(Schema):
    """Who is paid straight. What is left goes to the borrower; left out, all of it does."""

    payees = ma.fields.List(
        ma.fields.Nested(PayeePartInSchema),
        load_default=list,
        validate=ma.validate.Length(max=100),
        metadata={
            "description": "Parts of what goes out now, each to the payee of a use that the loan "
            "states. The borrower gets the rest and owes the whole."
        },
    )

    @ma.validates_schema
    def _every_use_once(self, data: dict[str, Any], **_: Any) -> None:
        uses = [part["use"] for part in data["payees"]]
        if len(set(uses)) < len(uses):
            raise ma.ValidationError("Name every use once.", "payees")


class LoanPayeePaymentSchema(Schema):
    """A part of a disbursement that went straight to a payee."""

    id = ma.fields.String(required=True)
    use = ma.fields.String(required=True)
    purpose = ma.fields.Enum(Purpose, by_value=ma.fields.String, required=True)
    payee_name = ma.fields.String(required=True)
    payee = ma.fields.Nested(
        LoanPersonSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The payee, if they are a member."},
    )
    amount = Money(minor="amount_minor", required=True)
    paid_on = Day(required=True)
    entry = ma.fields.Nested(
        Schema.from_dict(
            {"number": Whole(1, required=True), "hash": ma.fields.String(required=True)},
            name="PayeeEntry",
        ),
        required=True,
        metadata={"description": "Where the book has it: with these it can be checked there."},
    )


class LoanDisbursementSchema(Schema):
    """Money that went out: one tranche, in parts that sum to it."""

    number = Whole(1, required=True)
    amount = Money(minor="amount_minor", required=True)
    paid_out_on = Day(required=True)
    to_borrower = Money(minor="to_borrower_minor", required=True)
    payees = ma.fields.List(
        ma.fields.Nested(LoanPayeePaymentSchema),
        required=True,
        metadata={"description": "What went straight to payees that the loan names."},
    )


class LoanChargeSchema(Schema):
    """A fee or a penalty on a loan."""

    id = ma.fields.String(required=True)
    kind = ma.fields.Enum(ChargeKind, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", required=True)
    due_on = Day(required=True)
    reason = ma.fields.String(required=True)
    waived_on = Day(required=True, allow_none=True)


class LoanChangeSchema(Schema):
    """A change of a loan's plan."""

    id = ma.fields.String(required=True)
    kind = ma.fields.Enum(ChangeKind, by_value=ma.fields.String, required=True)
    effective_on = Day(required=True)
    parameters = ma.fields.Dict(keys=ma.fields.String(), required=True)
    reason = ma.fields.String(required=True)
    source = ma.fields.String(required=True)
    restructuring = ma.fields.Boolean(required=True)
    days_overdue = Whole(
        0, required=True, metadata={"description": "How late the loan was before."}
    )
    undone_on = Day(required=True, allow_none=True)
    undone_reason = ma.fields.String(required=True, allow_none=True)


class LoanOwedSchema(Schema):
    """What a loan owes on a day."""

    on = Day(required=True)
    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    fee = Money(minor="fee_minor", required=True)
    penalty = Money(minor="penalty_minor", required=True)
    total = Money(minor="total_minor", required=True)
    due = Money(minor="due_minor", required=True)
    overdue = Money(minor="overdue_minor", required=True)
    overdue_since_on = Day(required=True, allow_none=True)
    days_overdue = Whole(0, required=True)


class LoanSummarySchema(Schema):
    """A loan in a list."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    borrower = ma.fields.Nested(LoanPersonSchema, required=True)
    group_loan = ma.fields.String(required=True, allow_none=True)
    credit_line = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The shared credit line that it draws on."},
    )
    principal = Money(minor="principal_minor", required=True)
    outstanding = Money(minor="outstanding_minor", required=True)
    disbursed = Money(minor="disbursed_minor", required=True)
    written_off = Money(minor="written_off_minor", required=True)
    cover_short = Money(
        minor="cover_short_minor",
        required=True,
        metadata={"description": "Cover that could not be held again after money was taken back."},
    )
    status = ma.fields.Enum(LoanStatus, by_value=ma.fields.String, required=True)
    purpose = ma.fields.String(required=True)
    submitted_at = Instant(required=True, allow_none=True)
    approved_at = Instant(required=True, allow_none=True)
    disbursed_on = Day(required=True, allow_none=True)
    overdue_since_on = Day(required=True, allow_none=True)
    called_on = Day(required=True, allow_none=True)
    accelerated_on = Day(required=True, allow_none=True)
    restructured_on = Day(required=True, allow_none=True)
    ended_on = Day(required=True, allow_none=True)


class FrozenSeasonSchema(SeasonSchema):
    """The calendar that a loan froze."""

    class Meta(SeasonSchema.Meta):
        exclude = (
            "id",
            "community",
            "code",
            "year_label",
            "notes",
            "source",
            "windows",
            "in_use",
        )


class LoanSchema(LoanSummarySchema):
    """A loan with its terms, schedule, life, and what it owes today."""

    product_version = ma.fields.Nested(
        Schema.from_dict(
            {"product": ma.fields.String(required=True), "version": Whole(1, required=True)},
            name="FrozenVersion",
        ),
        required=True,
    )
    terms = ma.fields.Nested(ProductTermsSchema, required=True)
    season = ma.fields.Nested(FrozenSeasonSchema, required=True, allow_none=True)
    instalments = Whole(1, required=True)
    schedule = ma.fields.List(
        ma.fields.Nested(LoanInstalmentSchema),
        required=True,
        metadata={"description": "Empty before the loan is paid out: it begins on that day."},
    )
    owed = ma.fields.Nested(LoanOwedSchema, required=True)
    steps = ma.fields.List(ma.fields.Nested(LoanStepSchema), required=True)
    endorsements = ma.fields.List(ma.fields.Nested(LoanEndorsementSchema), required=True)
    repayments = ma.fields.List(ma.fields.Nested(LoanReceiptSchema), required=True)
    disbursements = ma.fields.List(ma.fields.Nested(LoanDisbursementSchema), required=True)
    charges = ma.fields.List(ma.fields.Nested(LoanChargeSchema), required=True)
    plan_changes = ma.fields.List(ma.fields.Nested(LoanChangeSchema), required=True)


class GroupLoanWordsSchema(Schema):
    """The words given for a share, and those that it still waits for."""

    loan = ma.fields.String(required=True)
    given = ma.fields.List(ma.fields.Nested(LoanEndorsementSchema), required=True)
    needed = Whole(
        0, required=True, metadata={"description": "How many more it takes before it is decided."}
    )
    missing = ma.fields.List(
        ma.fields.Nested(LoanPersonSchema),
        required=True,
        allow_none=True,
        metadata={
            "description": "Who of the group could still give one, while the share waits for "
            "words; null for whoever may not know who is in the group."
        },
    )


class GroupLoanSchema(Schema):
    """A group loan with the share of each member."""

    id = ma.fields.String(required=True)
    group = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    total = Money(minor="total_minor", required=True)
    submitted_by = ma.fields.Nested(LoanPersonSchema, required=True)
    created_at = Instant(required=True)
    stage = ma.fields.Enum(
        Stage,
        by_value=ma.fields.String,
        required=True,
        metadata={"description": "How far it is, seen over all of its shares."},
    )
    shares = ma.fields.List(ma.fields.Nested(LoanSummarySchema), required=True)
    endorsements = ma.fields.List(
        ma.fields.Nested(GroupLoanWordsSchema),
        required=True,
        metadata={"description": "By share, in the order of the shares."},
    )


class GroupQuoteShareSchema(CostSchema):
    """What one share would cost."""

    member = ma.fields.Nested(LoanPersonSchema, required=True)


class GroupAnsweringPartSchema(Schema):
    """How much could be asked at most for one share."""

    borrower = ma.fields.Nested(LoanPersonSchema, required=True)
    at_most = Money(minor="at_most_minor", required=True)


class GroupAnsweringSchema(Schema):
    """How much one member could be asked for at most if others do not pay."""

    member = ma.fields.Nested(LoanPersonSchema, required=True)
    at_most = Money(minor="at_most_minor", required=True)
    shares = ma.fields.List(ma.fields.Nested(GroupAnsweringPartSchema), required=True)


class GroupQuoteSchema(Schema):
    """What a group loan would cost, and who would answer for whom by the group's agreement."""

    product = ma.fields.String(required=True)
    product_version = Whole(1, required=True)
    charter_version = Whole(1, required=True)
    on = Day(required=True)
    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    fees = Money(minor="fees_minor", required=True)
    total = Money(minor="total_minor", required=True)
    effective_yearly_rate_ppm = Whole(
        0,
        required=True,
        metadata={"description": "Of all shares together, in parts per million."},
    )
    rate_cap_ppm = Whole(0, required=True)
    rate_cap_basis = ma.fields.String(required=True)
    liability_mode = ma.fields.Enum(LiabilityMode, by_value=ma.fields.String, required=True)
    shares = ma.fields.List(ma.fields.Nested(GroupQuoteShareSchema), required=True)
    answering = ma.fields.List(ma.fields.Nested(GroupAnsweringSchema), required=True)
