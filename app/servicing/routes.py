"""What is done to a running loan: settled early, taken back, charged, changed, paid out further."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.guarantees.schemas import RepaymentSchema
from app.guarantees.views import receipt
from app.idempotency import money_moving
from app.loans.facts import loan_facts
from app.loans.payees import parts_of
from app.loans.schemas import DisbursementInSchema, LoanSchema
from app.loans.views import loan_view
from app.marks import never_refused
from app.permissions import permit, requires
from app.servicing import permissions as _permissions  # noqa: F401  declares this room's actions
from app.servicing.schemas import (
    ChargeInSchema,
    PayoffArgs,
    PayoffInSchema,
    PayoffSchema,
    PlanChangeInSchema,
    ReversalSchema,
    UndoSchema,
    WaiverSchema,
)
from app.transaction import transactional
from community.loans import changes, queries, repayments
from community.loans.history import owed
from community.loans.steps import currency_of
from community.members import queries as members
from community.servicing import service

blp = Blueprint("servicing", __name__, description="Running loans")


@blp.route("/loans/<pid(lon):loan_id>/payoff")
@requires("payoff:read")
@blp.arguments(PayoffArgs, location="query")
@blp.response(200, PayoffSchema)
def get_payoff(args: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """What would settle a loan early, on a day."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("payoff:read", loan_facts(session, loan))
    on = args["on"] or today()
    due = repayments.payoff(session, loan=loan, on=on)
    planned = owed(session, loan=loan, on=on)
    return {
        "currency": currency_of(loan),
        "loan": loan.public_id,
        "on": on,
        "principal_minor": due.principal_minor,
        "interest_minor": due.interest_minor,
        "fee_minor": due.fee_minor,
        "penalty_minor": due.penalty_minor,
        "total_minor": due.total_minor,
        "saved_interest_minor": planned.interest_minor - due.interest_minor,
    }


@blp.route("/loans/<pid(lon):loan_id>/payoff", methods=["POST"])
@requires("payoff:record")
@never_refused
@blp.arguments(PayoffInSchema)
@money_moving(RepaymentSchema)
def settle_early(data: dict[str, Any], loan_id: str) -> Any:
    """Settle a loan today, for what its payoff says."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("payoff:record", loan_facts(session, loan))
    payer = None if data["payer"] is None else members.get_member(session, data["payer"]).id
    repayment = service.settle_early(
        session,
        loan_id=loan.id,
        amount=data["amount"],
        source=data["source"],
        payer_id=payer,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return receipt(session, repayment)


@blp.route("/receipts/<pid(rcp):receipt_id>/reversal", methods=["POST"])
@requires("repayment:reverse")
@blp.arguments(ReversalSchema)
@money_moving(RepaymentSchema)
def reverse_repayment(data: dict[str, Any], receipt_id: str) -> Any:
    """Take a receipt of a loan back: its money never came."""
    session = db.session()
    found = queries.get_receipt(session, receipt_id)
    permit("repayment:reverse", loan_facts(session, queries.get_loan_by_id(session, found.loan_id)))
    repayment = service.reverse_repayment(
        session,
        repayment_id=found.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return receipt(session, repayment)


@blp.route("/loans/<pid(lon):loan_id>/charges", methods=["POST"])
@requires("loan:charge")
@blp.arguments(ChargeInSchema)
@money_moving(LoanSchema)
def add_charge(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """Put a fee or a penalty on a running loan."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan:charge", loan_facts(session, loan))
    service.add_charge(
        session,
        loan_id=loan.id,
        kind=data["kind"],
        amount=data["amount"],
        due_on=data["due_on"] or today(),
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return loan_view(session, loan)


@blp.route("/charges/<pid(chg):charge_id>/waiver", methods=["POST"])
@requires("loan:charge")
@blp.arguments(WaiverSchema)
@money_moving(LoanSchema)
def waive_charge(data: dict[str, Any], charge_id: str) -> dict[str, Any]:
    """Let go of a charge; what was paid on it goes to what else is owed."""
    session = db.session()
    charge = changes.get_charge(session, charge_id)
    loan = queries.get_loan_by_id(session, charge.loan_id)
    permit("loan:charge", loan_facts(session, loan))
    service.waive_charge(
        session,
        charge_id=charge.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return loan_view(session, loan)


@blp.route("/loans/<pid(lon):loan_id>/plan-changes", methods=["POST"])
@requires("loan:change")
@blp.arguments(PlanChangeInSchema)
@blp.response(201, LoanSchema)
@transactional
def change_plan(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """Change a running loan's plan from today on, or restructure it."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan:change", loan_facts(session, loan))
    act = service.restructure if data["restructuring"] else service.change_plan
    act(
        session,
        loan_id=loan.id,
        kind=data["kind"],
        parameters=data["parameters"],
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return loan_view(session, loan)


@blp.route("/plan-changes/<pid(chn):change_id>/undoing", methods=["POST"])
@requires("loan:change")
@blp.arguments(UndoSchema)
@blp.response(200, LoanSchema)
@transactional
def undo_change(data: dict[str, Any], change_id: str) -> dict[str, Any]:
    """Take a change of plan back: the plan is as if it had never been."""
    session = db.session()
    change = changes.get_change(session, change_id)
    loan = queries.get_loan_by_id(session, change.loan_id)
    permit("loan:change", loan_facts(session, loan))
    service.undo_change(
        session,
        change_id=change.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return loan_view(session, loan)


@blp.route("/loans/<pid(lon):loan_id>/disbursements", methods=["POST"])
@requires("loan:pay-out")
@blp.arguments(DisbursementInSchema)
@money_moving(LoanSchema)
def pay_tranche(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """Pay out the next tranche of a seasonal loan, on its day or later: to payees, if so said."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan:pay-out", loan_facts(session, loan))
    service.pay_tranche(
        session,
        loan_id=loan.id,
        payees=parts_of(session, [loan], data["payees"]),
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return loan_view(session, loan)
