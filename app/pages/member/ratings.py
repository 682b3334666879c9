"""How good something was: a product, a meeting, a decision that concerns me; what others think."""

from typing import Any

from flask import Response, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.extensions import db
from app.feedback import views
from app.feedback.facts import thing_facts
from app.feedback.schemas import SubjectArgs
from app.fields import Schema, Whole
from app.marks import unnamed
from app.pages.entry import language
from app.pages.forms import Form, answer, read_query
from app.pages.layout import date_text, page
from app.pages.member.room import pages
from app.permissions import may, permit, requires
from community.errors import CommunityError, NotFound
from community.feedback import ratings, subjects
from community.feedback.models import SubjectKind
from community.feedback.ratings import STARS
from community.feedback.subjects import Thing
from community.loans.models import Loan
from community.monitoring.models import Meeting, Motion
from community.products.models import Product, ProductVersion


class StarsSchema(Schema):
    """One of the steps of the scale."""

    stars = Whole(*STARS, from_text=True, required=True)


@pages.route("/me/voice/ratings", methods=["GET", "POST"])
@requires("rating:read")
@unnamed
def rating() -> Any:
    """Rate it, or change one's mind; what enough others think is shown as a mean."""
    thing = _thing()
    permit("rating:read", thing_facts(db.session(), thing))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = _thing()
        permit("rating:give", thing_facts(session, found))
        ratings.rate(
            session,
            thing=found,
            member_id=caller().member_id,
            stars=data["stars"],
            on=today(),
        )
        return url_for("member.rating", **_asked())

    def show(form: Form) -> Response:
        session = db.session()
        found = _thing()
        view = views.means_view(session, found)
        reason = None
        try:
            subjects.check_decided(found)
        except CommunityError as refusal:
            reason = refusal
        return page(
            "member/rating.html",
            form=form,
            view=view,
            kind=view["subject"]["kind"],
            title=_title(session, found),
            steps=range(STARS[0], STARS[1] + 1),
            reason=reason,
            may_rate=may("rating:give", thing_facts(session, found)),
        )

    return answer(StarsSchema, work, show, said=("member", "rated_said"))


def _asked() -> dict[str, Any]:
    """Which thing the address names; one that makes no sense is not there."""
    form, data = read_query(SubjectArgs())
    if form.errors:
        raise NotFound()
    named = {"kind": data["kind"].value, "id": data["id"]}
    return named if data["version"] is None else named | {"version": data["version"]}


def _thing() -> Thing:
    named = _asked()
    return subjects.find_thing(
        db.session(),
        SubjectKind(named["kind"]),
        named["id"],
        on=today(),
        version=named.get("version"),
    )


def _title(session: Session, thing: Thing) -> str:
    if isinstance(thing, ProductVersion):
        return session.get_one(Product, thing.product_id).name
    if isinstance(thing, Meeting):
        return date_text(language(), thing.held_on)
    if isinstance(thing, Motion):
        return thing.text
    return thing.purpose if isinstance(thing, Loan) else thing.title
