"""A member's statement and receipts, to be printed: theirs, or of a member in an officer's care."""

from datetime import date

from werkzeug.wrappers import Response as AnyResponse

from app.auth import caller
from app.clock import today
from app.extensions import db
from app.fields import Day, PublicId, Schema
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import Form, read_query
from app.pages.layout import page
from app.pages.papers.views import account_name, member_asked_for, rule_name, statement_in
from app.pages.room import Room
from app.permissions import permit, requires
from app.receiving.views import receipt_view
from community.errors import Invalid
from community.ledger.statements import Period
from community.members.errors import MemberNotFound

pages = Room("papers", __name__)


class StatementArgs(Schema):
    """From when until when, and whose; left out, one's own."""

    from_on = Day(required=True, data_key="from")
    to_on = Day(required=True, data_key="to")
    member = PublicId("mem", load_default="")


@pages.get("/statement")
@requires("page:read")
def statement_form() -> AnyResponse:
    """The form: whose, from when, until when. It shows nothing yet."""
    permit("page:read")
    return page("papers/statement_form.html", form=Form(values=_this_month()))


@pages.get("/statement/print")
@requires("page:read")
@limited("heavy")
def statement() -> AnyResponse:
    """The statement in all communities of the member that the caller may see."""
    permit("page:read")
    form, data = read_query(StatementArgs())
    session = db.session()
    places = []
    if not form.errors:
        try:
            period = Period(data["from_on"], data["to_on"])
            member = member_asked_for(session, caller().member_id, data["member"])
            places = statement_in(session, member, period)
        except (Invalid, MemberNotFound) as refusal:
            form.refuse(refusal)
    if form.status != 200:
        return page("papers/statement_form.html", status=form.status, form=form)
    here = language()
    return page(
        "papers/statement.html",
        member=member,
        period=period,
        places=places,
        printed_on=today(),
        account=lambda key: account_name(key, here),
        what=lambda kind: rule_name(kind, here),
    )


@pages.get("/receipts/<pid(rcp):receipt_id>")
@requires("receipt:read")
@limited("heavy")
def receipt(receipt_id: str) -> AnyResponse:
    """A receipt to be printed, for whoever may see it."""
    shown = receipt_view(db.session(), receipt_id)
    return page("papers/receipt.html", receipt=shown)


def _this_month() -> dict[str, str | date]:
    return {"from": today().replace(day=1).isoformat(), "to": today().isoformat()}
