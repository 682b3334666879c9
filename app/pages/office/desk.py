"""The cash desk on loans: paying one out, taking repayments, and saying what shows a use."""

from collections.abc import Callable
from typing import Any

import marshmallow as ma
from flask import Response, url_for

from app.auth import acting
from app.clock import today
from app.extensions import db
from app.fields import Day, Money, PublicId, Schema
from app.guarantees import permissions as _permissions  # noqa: F401  declares repayment:record
from app.guarantees.facts import call_facts
from app.guarantees.schemas import CallPaymentInSchema, CancellationSchema
from app.loans.facts import loan_facts
from app.marks import limited, never_refused
from app.pages.evidence import verify_use_form
from app.pages.forms import Form, answer
from app.pages.loan_file import LoanPage, read_loan
from app.pages.office.loans import again, decided, own_loan
from app.pages.office.payouts import paid_together, uses_of
from app.pages.office.room import enter, pages, show
from app.permissions import may, permit, requires
from app.servicing import permissions as _servicing  # noqa: F401  declares payoff:record
from community.communities.models import Community
from community.guarantees import queries as cover_queries
from community.guarantees import service as guarantees
from community.guarantees.errors import CallNotFound
from community.guarantees.models import Call
from community.loans import service
from community.loans.models import Loan, LoanStatus, Repayment, RepaymentSource
from community.loans.payees import Part
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.money import format_minor
from community.servicing import service as servicing


class RepaymentForm(Schema):
    """Money over the counter; from the borrower, unless somebody else is named."""

    amount = Money(required=True)
    payer = PublicId("mem", load_default=None)
    received_on = Day(load_default=None)

    @ma.validates("payer")
    def _somebody(self, value: str | None, data_key: str) -> None:
        try:
            if value is not None:
                members.get_member(db.session(), value)
        except MemberNotFound:
            raise ma.ValidationError("There is no member with this number.") from None


class SettlementForm(Schema):
    """What settles the loan, as the page has said it."""

    amount = Money(required=True)


@pages.route("/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/payout", methods=["POST"])
@requires("loan:disburse")
@limited("heavy")
def pay_out(community_id: str, loan_id: str) -> Any:
    """Pay an approved loan out; a group's shares go out together."""

    def pay(parts: list[Part]) -> None:
        found = decided(community_id, loan_id, "loan:disburse", "group-loan:disburse")
        step: dict[str, Any] = {"payees": parts, **acting()}
        if found.group_loan_id is not None:
            service.disburse_group_loan(db.session(), group_loan_id=found.group_loan_id, **step)
        else:
            service.disburse(db.session(), loan_id=found.id, **step)

    return _paid_out(community_id, loan_id, "loan:disburse", pay)


@pages.route("/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/next-part", methods=["POST"])
@requires("loan:pay-out")
@limited("heavy")
def pay_next_part(community_id: str, loan_id: str) -> Any:
    """Pay out the next part of a loan that goes out in parts, on its day or later."""

    def pay(parts: list[Part]) -> None:
        found = _permitted("loan:pay-out", community_id, loan_id)
        servicing.pay_tranche(db.session(), loan_id=found.id, payees=parts, **acting())

    return _paid_out(community_id, loan_id, "loan:pay-out", pay)


@pages.route(
    "/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/cancellation", methods=["POST"]
)
@requires("loan:cancel")
@limited("heavy")
def cancel(community_id: str, loan_id: str) -> Any:
    """Give an approved loan up before it is paid out: its cover is free; a group's go together."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        together = paid_together(session, own_loan(enter(community_id), loan_id))
        for share in together:
            permit("loan:cancel", loan_facts(session, share))
        guarantees.cancel_approved(
            session,
            loan_ids=[share.id for share in together],
            to=LoanStatus.WITHDRAWN if data["by_borrower"] else LoanStatus.REJECTED,
            reason=data["reason"],
            **acting(),
        )
        return url_for("office.loan", community_id=community_id, loan_id=loan_id)

    return answer(
        CancellationSchema,
        work,
        lambda form: again(community_id, loan_id, "loan:cancel", form),
        said=("office", "loan_cancelled"),
    )


@pages.route(
    "/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/calls/<pid(cal):call_id>/payment",
    methods=["GET", "POST"],
)
@requires("call:pay")
@never_refused
def pay_call(community_id: str, loan_id: str, call_id: str) -> Any:
    """Take money that a called guarantor pays by hand."""
    community = enter(community_id)
    call = _called(community_id, loan_id, call_id)

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        payment = guarantees.pay_call(
            session,
            call_id=_called(community_id, loan_id, call_id).id,
            amount=data["amount"],
            **acting(),
        )
        receipt = session.get_one(Repayment, payment.repayment_id)
        return _with_receipt(community_id, loan_id, receipt.public_id)

    def page(form: Form) -> Response:
        view = read_loan(db.session(), loan_id)
        names = members.names_of(db.session(), [call.guarantor_id])
        return show(
            "call_money",
            community,
            form=form,
            view=view,
            call=call,
            guarantor=names[call.guarantor_id],
        )

    currency = service.currency_of(own_loan(community, loan_id))
    return answer(
        CallPaymentInSchema,
        work,
        page,
        start={"amount": format_minor(call.amount_minor - call.paid_minor, currency)},
        said=("office", "call_money_taken"),
    )


@pages.route(
    "/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/repayment", methods=["GET", "POST"]
)
@requires("repayment:record")
@never_refused
def take_repayment(community_id: str, loan_id: str) -> Any:
    """Write down money that came in on a loan; the loan's page then shows its receipt."""
    community = enter(community_id)
    view = _desk(community, loan_id, "repayment:record")

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = _permitted("repayment:record", community_id, loan_id)
        payer = None
        if data["payer"] is not None:
            payer = members.get_member(session, data["payer"]).id
        repayment = guarantees.record_repayment(
            session,
            loan_id=found.id,
            amount=data["amount"],
            source=RepaymentSource.BORROWER if payer is None else RepaymentSource.THIRD_PARTY,
            payer_id=payer,
            received_on=data["received_on"],
            **acting(),
        )
        return _with_receipt(community_id, loan_id, repayment.public_id)

    owed = view.file.owed
    # The lender until whole, then those who paid for the borrower.
    due = owed.due_minor if owed.total_minor else view.claimed_minor
    return answer(
        RepaymentForm,
        work,
        lambda form: _repayment_page(community, view, form),
        start={
            "amount": format_minor(due, view.currency) if due else "",
            "received_on": today().isoformat(),
        },
        said=("office", "repayment_taken"),
    )


@pages.route(
    "/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/settlement", methods=["POST"]
)
@requires("payoff:record")
@never_refused
def settle(community_id: str, loan_id: str) -> Any:
    """Take what settles the loan today, less than its plan says."""
    community = enter(community_id)
    view = _desk(community, loan_id, "payoff:record")

    def work(data: dict[str, Any]) -> str:
        found = _permitted("payoff:record", community_id, loan_id)
        repayment = servicing.settle_early(
            db.session(),
            loan_id=found.id,
            amount=data["amount"],
            source=RepaymentSource.BORROWER,
            payer_id=None,
            **acting(),
        )
        return _with_receipt(community_id, loan_id, repayment.public_id)

    return answer(
        SettlementForm,
        work,
        lambda form: _repayment_page(community, view, form),
        said=("office", "loan_settled"),
    )


@pages.route(
    "/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/uses/<pid(use):use_id>",
    methods=["GET", "POST"],
)
@requires("loan-use:verify")
def verify_use(community_id: str, loan_id: str, use_id: str) -> Any:
    """Say what shows that money was used as was said."""
    community = enter(community_id)
    own_loan(community, loan_id)
    return verify_use_form(
        loan_id,
        use_id,
        url_for("office.loan", community_id=community_id, loan_id=loan_id),
        lambda **facts: show("use", community, **facts),
        said=("office", "use_verified"),
    )


def _desk(community: Community, loan_id: str, action: str) -> LoanPage:
    """The loan for a form of the desk, of whoever may do so."""
    own_loan(community, loan_id)
    view = read_loan(db.session(), loan_id)
    permit(action, view.facts)
    return view


def _repayment_page(community: Community, view: LoanPage, form: Form) -> Response:
    known = {line.standing_of_id for line in view.cover}
    known |= {line.via_id for line in view.cover if line.via_id is not None}
    return show(
        "repayment",
        community,
        form=form,
        view=view,
        # Who most likely pays in the borrower's place.
        people=[view.people[one] for one in sorted(known - {view.loan.borrower_id})],
        settles=view.settlement
        if view.settlement is not None and may("payoff:record", view.facts)
        else None,
        amount_text=format_minor,
    )


def _paid_out(
    community_id: str, loan_id: str, action: str, pay: Callable[[list[Part]], None]
) -> Any:
    """A payout as its form says, with a field for each payee that the loan names."""
    session = db.session()
    uses = uses_of(session, paid_together(session, own_loan(enter(community_id), loan_id)))

    def work(data: dict[str, Any]) -> str:
        # Uses are only ever added, so a use keeps its number.
        given = [(use.id, data[f"payee_{number}"]) for number, use in enumerate(uses)]
        pay([Part(use_id, amount) for use_id, amount in given if amount is not None])
        return url_for("office.loan", community_id=community_id, loan_id=loan_id)

    parts: dict[str, Any] = {
        f"payee_{number}": Money(load_default=None) for number in range(len(uses))
    }
    return answer(
        Schema.from_dict(parts, name="Payout"),
        work,
        lambda form: again(community_id, loan_id, action, form),
        said=("office", "loan_paid_out"),
    )


def _permitted(action: str, community_id: str, loan_id: str) -> Loan:
    found = own_loan(enter(community_id), loan_id)
    permit(action, loan_facts(db.session(), found))
    return found


def _called(community_id: str, loan_id: str, call_id: str) -> Call:
    """A call on this loan, of whoever may take money on it. Raises CallNotFound."""
    session = db.session()
    found = own_loan(enter(community_id), loan_id)
    call = cover_queries.get_call(session, call_id)
    if call.loan_id != found.id:
        raise CallNotFound()
    permit("call:pay", call_facts(session, call))
    return call


def _with_receipt(community_id: str, loan_id: str, receipt_id: str) -> str:
    return url_for("office.loan", community_id=community_id, loan_id=loan_id, receipt=receipt_id)
