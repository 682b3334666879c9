"""Sheets, bank lines and receipts as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole, YesNo
from app.paging import PageArgs
from community.loans.models import LoanStatus, RepaymentSource
from community.receiving.collecting import LINES_MAX
from community.receiving.models import BankLineStatus, CollectionStatus, LineKind
from community.savings.models import SavingsMovementKind

CLIENT_ID = "^[A-Za-z0-9._~-]{1,64}$"


class SheetArgs(Schema):
    """The day of the meeting."""

    on = Day(load_default=None, metadata={"description": "Today if left out."})


class SheetPersonSchema(Schema):
    """A member as others see them."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)


class SheetLoanSchema(Schema):
    """One live loan, and what is due on it seen from the day."""

    id = ma.fields.String(required=True)
    purpose = ma.fields.String(required=True)
    status = ma.fields.Enum(LoanStatus, by_value=ma.fields.String, required=True)
    past_due = Money(minor="past_due_minor", required=True)
    due_today = Money(minor="due_today_minor", required=True)
    next_due_on = Day(required=True, allow_none=True)
    next_due = Money(minor="next_due_minor", required=True)
    suggested = Money(minor="suggested_minor", required=True)
    owed = Money(minor="owed_minor", required=True)


class SheetMemberSchema(SheetPersonSchema):
    """One member of the group: savings and loans."""

    free_savings = Money(minor="free_minor", required=True)
    stake = Money(minor="stake_minor", required=True)
    loans = ma.fields.List(ma.fields.Nested(SheetLoanSchema), required=True)


class SheetSchema(Schema):
    """A group's page for a meeting (收款表)."""

    group = ma.fields.String(required=True)
    on = Day(required=True)
    members = ma.fields.List(ma.fields.Nested(SheetMemberSchema), required=True)
    suggested = Money(minor="suggested_minor", required=True)


class CollectedLineSchema(Schema):
    """What came in on one loan; nothing, if the member was absent or there is a note."""

    loan = PublicId("lon", required=True)
    amount = Money(zero=True, required=True)
    payer = PublicId(
        "mem",
        load_default=None,
        allow_none=True,
        metadata={"description": "Whose money it is, if not the borrower's."},
    )
    absent = YesNo(load_default=False)
    note = Text(120, load_default="")


class CollectedDepositSchema(Schema):
    """What a member brought to save."""

    member = PublicId("mem", required=True)
    amount = Money(required=True)
    note = Text(120, load_default="")


class CollectionInSchema(Schema):
    """A sheet as it was filled in."""

    client_id = ma.fields.String(
        load_default=None,
        allow_none=True,
        validate=ma.validate.Regexp(CLIENT_ID),
        metadata={"description": "Made up by whoever fills it in: the same sheet is posted once."},
    )
    on = Day(load_default=None, allow_none=True)
    lines = ma.fields.List(
        ma.fields.Nested(CollectedLineSchema),
        load_default=list,
        validate=ma.validate.Length(max=LINES_MAX),
    )
    deposits = ma.fields.List(
        ma.fields.Nested(CollectedDepositSchema),
        load_default=list,
        validate=ma.validate.Length(max=LINES_MAX),
    )
    total = Money(
        zero=True,
        load_default=None,
        allow_none=True,
        metadata={"description": "What was counted: the lines have to sum to it."},
    )

    # A new sheet says something; a draft may be emptied.
    may_be_empty = False

    @ma.validates_schema
    def _says_something(self, data: dict[str, Any], **_: Any) -> None:
        if not self.may_be_empty and not data.get("lines") and not data.get("deposits"):
            raise ma.ValidationError("A sheet has at least one line.", "lines")


class CollectionChangeSchema(CollectionInSchema):
    """The lines of a draft, all of them anew; none empties it."""

    may_be_empty = True

    class Meta(CollectionInSchema.Meta):
        exclude = ("client_id",)


class CollectionLineSchema(Schema):
    """One line of a sheet, with its receipt once it is posted."""

    number = Whole(1, required=True)
    kind = ma.fields.Enum(LineKind, by_value=ma.fields.String, required=True)
    member = ma.fields.Nested(SheetPersonSchema, required=True)
    loan = ma.fields.String(required=True, allow_none=True)
    amount = Money(minor="amount_minor", required=True)
    payer = ma.fields.Nested(SheetPersonSchema, required=True, allow_none=True)
    absent = ma.fields.Boolean(required=True)
    note = ma.fields.String(required=True)
    receipt = ma.fields.String(required=True, allow_none=True)


class CollectionSchema(Schema):
    """A sheet: a draft, or posted and never changed again."""

    id = ma.fields.String(required=True)
    group = ma.fields.String(required=True)
    client_id = ma.fields.String(required=True)
    status = ma.fields.Enum(CollectionStatus, by_value=ma.fields.String, required=True)
    on = Day(required=True)
    repaid = Money(minor="repaid_minor", required=True)
    deposited = Money(minor="deposited_minor", required=True)
    total = Money(minor="total_minor", required=True)
    entered_by = ma.fields.Nested(SheetPersonSchema, required=True, allow_none=True)
    posted_by = ma.fields.Nested(SheetPersonSchema, required=True, allow_none=True)
    posted_at = Instant(required=True, allow_none=True)
    lines = ma.fields.List(
        ma.fields.Nested(CollectionLineSchema),
        required=True,
        metadata={"description": "For a plain member of the group: their own."},
    )


class MatchFactSchema(Schema):
    """One thing that a decision rests on."""

    kind = ma.fields.String(required=True)
    value = ma.fields.String(required=True)


class BankMatchSchema(Schema):
    """Why a line went where it went: the rule and how sure it is, or the reason for suspense."""

    rule = ma.fields.String(required=True, allow_none=True)
    certainty = ma.fields.String(required=True, allow_none=True)
    reason = ma.fields.String(required=True, allow_none=True)
    facts = ma.fields.List(ma.fields.Nested(MatchFactSchema), required=True)


class BankLineSchema(Schema):
    """Money that came in by bank."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    reference = ma.fields.String(required=True)
    booked_on = Day(required=True)
    days = Whole(
        0, required=True, metadata={"description": "How long it has waited, if it still does."}
    )
    amount = Money(minor="amount_minor", required=True)
    payer_name = ma.fields.String(required=True)
    payer_account = ma.fields.String(required=True)
    text = ma.fields.String(required=True)
    status = ma.fields.Enum(BankLineStatus, by_value=ma.fields.String, required=True)
    match = ma.fields.Nested(BankMatchSchema, required=True)
    payer = ma.fields.Nested(SheetPersonSchema, required=True, allow_none=True)
    loan = ma.fields.String(required=True, allow_none=True)
    receipt = ma.fields.String(required=True, allow_none=True)
    settled_on = Day(required=True, allow_none=True)
    settled_by = ma.fields.Nested(SheetPersonSchema, required=True, allow_none=True)
    note = ma.fields.String(required=True)
    recorded_at = Instant(required=True)


class BankLineArgs(PageArgs):
    """Filters of a list of bank lines."""

    status = ma.fields.Enum(BankLineStatus, by_value=ma.fields.String, load_default=None)


class BankDebitSchema(Schema):
    """Money that went out: it is listed and left alone."""

    line = Whole(1, required=True)
    reference = ma.fields.String(required=True)
    booked_on = Day(required=True)
    amount = ma.fields.String(required=True)


class BankStatementSchema(Schema):
    """What came of a bank statement."""

    rows = Whole(0, required=True)
    new = Whole(0, required=True)
    unchanged = Whole(0, required=True)
    applied = ma.fields.List(ma.fields.Nested(BankLineSchema), required=True)
    suspense = ma.fields.List(ma.fields.Nested(BankLineSchema), required=True)
    debits = ma.fields.List(ma.fields.Nested(BankDebitSchema), required=True)


class BankApplicationSchema(Schema):
    """To which loan the money goes; `payer` if it is not the borrower's."""

    loan = PublicId("lon", required=True)
    payer = PublicId("mem", load_default=None, allow_none=True)
    remember_account = YesNo(
        load_default=False,
        metadata={"description": "Know the account as the payer's from now on."},
    )
    note = Text(500, load_default="")


class BankDepositSchema(Schema):
    """Whose savings the money is."""

    member = PublicId("mem", required=True)
    remember_account = YesNo(load_default=False)
    note = Text(500, load_default="")


class BankReturnSchema(Schema):
    """Why the money goes back."""

    reason = Text(500, required=True)


class SuspenseDaySchema(Schema):
    """What has waited since one day."""

    booked_on = Day(required=True)
    days = Whole(0, required=True)
    lines = Whole(1, required=True)
    amount = Money(minor="amount_minor", required=True)


class SuspenseSchema(Schema):
    """What is in suspense, by how long, the oldest first."""

    on = Day(required=True)
    lines = Whole(0, required=True)
    totals = ma.fields.List(Money(), required=True)
    by_day = ma.fields.List(ma.fields.Nested(SuspenseDaySchema), required=True)


class ReceiptEntrySchema(Schema):
    """Where a receipt stands in the community's book."""

    number = Whole(1, required=True)
    hash = ma.fields.String(required=True)


class ReceiptPartSchema(Schema):
    """One part of the money, and what it went to."""

    part = ma.fields.String(required=True)
    amount = Money(minor="amount_minor", required=True)


class ReceiptLeftSchema(Schema):
    """How the loan stands on the day of the answer."""

    on = Day(required=True)
    status = ma.fields.Enum(LoanStatus, by_value=ma.fields.String, required=True)
    outstanding = Money(minor="outstanding_minor", required=True)
    owed = Money(minor="owed_minor", required=True)


class ReceiptCoverSchema(Schema):
    """The loan's cover: reserved at its approval, freed so far, still held."""

    reserved = Money(minor="reserved_minor", required=True)
    freed = Money(minor="freed_minor", required=True)
    held = Money(minor="held_minor", required=True)


class ReceiptLoanSchema(Schema):
    """The part of a receipt that is about a loan."""

    id = ma.fields.String(required=True)
    borrower = ma.fields.Nested(SheetPersonSchema, required=True)
    payer = ma.fields.Nested(SheetPersonSchema, required=True, allow_none=True)
    source = ma.fields.Enum(RepaymentSource, by_value=ma.fields.String, required=True)
    reversed_on = Day(
        required=True,
        allow_none=True,
        metadata={"description": "Taken back on this day: the money does not count any more."},
    )
    reversed_reason = ma.fields.String(required=True, allow_none=True)
    parts = ma.fields.List(ma.fields.Nested(ReceiptPartSchema), required=True)
    left = ma.fields.Nested(
        ReceiptLeftSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null for a payer who may not see the loan itself."},
    )
    cover = ma.fields.Nested(ReceiptCoverSchema, required=True, allow_none=True)


class ReceiptSavingsSchema(Schema):
    """The part of a receipt that is about savings, with the balances of now."""

    member = ma.fields.Nested(SheetPersonSchema, required=True)
    kind = ma.fields.Enum(SavingsMovementKind, by_value=ma.fields.String, required=True)
    free = Money(minor="free_minor", required=True)
    stake = Money(minor="stake_minor", required=True)


class ReceiptSchema(Schema):
    """A receipt: of money on a loan, or of a movement of savings."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    community_name = ma.fields.String(required=True)
    on = Day(required=True)
    recorded_at = Instant(required=True)
    amount = Money(minor="amount_minor", required=True)
    entry = ma.fields.Nested(ReceiptEntrySchema, required=True, allow_none=True)
    loan = ma.fields.Nested(ReceiptLoanSchema, required=True, allow_none=True)
    savings = ma.fields.Nested(ReceiptSavingsSchema, required=True, allow_none=True)
