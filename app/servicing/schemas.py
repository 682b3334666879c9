"""What is done to a running loan, as it crosses the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Money, PublicId, Schema, Text, Whole, YesNo
from community.arithmetic.events import FrozenInterest
from community.arithmetic.terms import PeriodUnit
from community.loans.models import ChangeKind, ChargeKind, RepaymentSource

# What each kind of change says, and what of it may be left out.
_NEEDED: dict[ChangeKind, frozenset[str]] = {
    ChangeKind.RATE: frozenset({"yearly_rate_ppm"}),
    ChangeKind.PAUSE: frozenset({"until_on"}),
    ChangeKind.RESCHEDULE: frozenset({"from_due_on"}),
    ChangeKind.MOVE: frozenset({"from_on", "until_on", "days"}),
    ChangeKind.SPLIT: frozenset({"from_on", "until_on", "parts"}),
    ChangeKind.FREEZE: frozenset({"from_on", "until_on", "resume_on"}),
}
_OPTIONAL: dict[ChangeKind, frozenset[str]] = {
    ChangeKind.RESCHEDULE: frozenset(
        {"new_due_on", "extra_instalments", "grace_principal", "grace_interest", "yearly_rate_ppm"}
    ),
    ChangeKind.MOVE: frozenset({"interest"}),
    ChangeKind.SPLIT: frozenset({"step", "unit", "interest"}),
    ChangeKind.FREEZE: frozenset({"interest"}),
}


class PayoffArgs(Schema):
    """For which day."""

    on = Day(load_default=None, metadata={"description": "Today, if it is left out."})


class PayoffSchema(Schema):
    """What settles a loan on a day: all principal, what is due, interest up to the day."""

    loan = ma.fields.String(required=True)
    on = Day(required=True)
    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    fee = Money(minor="fee_minor", required=True)
    penalty = Money(minor="penalty_minor", required=True)
    total = Money(minor="total_minor", required=True)
    saved_interest = Money(
        minor="saved_interest_minor",
        required=True,
        metadata={"description": "Interest of the plan that is not asked for any more."},
    )


class PayoffInSchema(Schema):
    """The money that settles a loan: what the payoff of today says."""

    amount = Money(required=True)
    payer = PublicId("mem", load_default=None, allow_none=True)

    @ma.post_load
    def _with_source(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        third = data["payer"] is not None
        source = RepaymentSource.THIRD_PARTY if third else RepaymentSource.BORROWER
        return data | {"source": source}


class ReversalSchema(Schema):
    """Why a receipt is taken back."""

    reason = Text(500, required=True)


class ChargeInSchema(Schema):
    """A fee or a penalty."""

    kind = ma.fields.Enum(ChargeKind, by_value=ma.fields.String, required=True)
    amount = Money(required=True)
    due_on = Day(load_default=None, metadata={"description": "Today, if it is left out."})
    reason = Text(500, required=True)


class WaiverSchema(Schema):
    """Why a charge is let go."""

    reason = Text(500, required=True)


class PlanChangeInSchema(Schema):
    """A change of a loan's plan; which fields belong to it depends on its kind."""

    kind = ma.fields.Enum(ChangeKind, by_value=ma.fields.String, required=True)
    reason = Text(500, required=True)
    restructuring = YesNo(
        load_default=False,
        metadata={"description": "A new plan for a borrower in trouble: counted and limited."},
    )
    yearly_rate_ppm = Whole(0, 10_000_000)
    from_due_on = Day()
    new_due_on = Day()
    extra_instalments = Whole(0, 600)
    grace_principal = Whole(0, 600)
    grace_interest = Whole(0, 600)
    from_on = Day()
    until_on = Day()
    resume_on = Day()
    days = Whole(1, 3660)
    parts = Whole(2, 60)
    step = Whole(1, 60)
    unit = ma.fields.Enum(
        PeriodUnit,
        by_value=ma.fields.String,
        metadata={"description": "Of the step; left out: the loan's own periods."},
    )
    interest = ma.fields.Enum(FrozenInterest, by_value=ma.fields.String)

    @ma.validates_schema
    def _fits_its_kind(self, data: dict[str, Any], **_: Any) -> None:
        kind = data["kind"]
        given = data.keys() - {"kind", "reason", "restructuring"}
        for name in sorted(_NEEDED[kind] - given):
            raise ma.ValidationError(f"A change of the kind {kind} needs it.", name)
        for name in sorted(given - _NEEDED[kind] - _OPTIONAL.get(kind, frozenset())):
            raise ma.ValidationError(f"It has no place in a change of the kind {kind}.", name)
        for early, late in (("from_on", "until_on"), ("from_on", "resume_on")):
            if early in data and late in data and data[late] < data[early]:
                raise ma.ValidationError(f"It is before {early}.", late)

    @ma.post_load
    def _with_parameters(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        named = _NEEDED[data["kind"]] | _OPTIONAL.get(data["kind"], frozenset())
        return {
            "kind": data["kind"],
            "reason": data["reason"],
            "restructuring": data["restructuring"],
            "parameters": {
                name: data[name] if isinstance(data[name], int | str) else data[name].isoformat()
                for name in sorted(named & data.keys())
            },
        }


class UndoSchema(Schema):
    """Why a change of plan is taken back."""

    reason = Text(500, required=True)
