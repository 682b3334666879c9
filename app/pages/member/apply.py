"""Asking for a loan, step by step; what was said before stands in the address of each step.

Product, then amount and term, then the purpose, then who would stand behind it, then what it
costs and what it means; only the last step writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

import marshmallow as ma
from flask import redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Money, PublicId, Schema, Text, Whole
from app.loans.facts import community_facts
from app.marks import limited
from app.pages.charts import Picture, csv_answer
from app.pages.entry import language
from app.pages.forms import Form, answer, read, read_query
from app.pages.layout import money_text, page
from app.pages.member.drawing import draw
from app.pages.member.room import pages
from app.pages.words import Words
from app.permissions import Facts, permit, requires
from app.products.facts import offer_facts
from community.communities import queries as communities
from community.communities.charter import CharterRules, Purpose
from community.communities.models import Community, MembershipStatus
from community.credit import service as credit
from community.credit.explain import CoverPreview, PathView
from community.errors import CommunityError, NotFound
from community.lines import service as lines
from community.loans import service as loans
from community.loans.service import Quote
from community.members.queries import Named
from community.money import Money as MoneyValue
from community.money import format_minor
from community.monitoring import proceeds
from community.products import queries as products
from community.products.models import Product, ProductVersion, Season
from community.products.terms import ProductTerms

STEPS = ("product", "terms", "purpose", "people", "confirm")
PRODUCTS_MAX = 60
SEASONS_MAX = 60
# The fields of each payee end so; more are stated on the loan's own page.
PAYEE_ROWS = ("", "_2", "_3", "_4")
TOO_MUCH = "All payees together get no more than the loan."
ONE_REST = "Say how much each payee gets; only one may get the rest."


class ChoiceArgs(Schema):
    """What is chosen first: where, and which product."""

    community = PublicId("com", required=True)
    product = PublicId("prd", required=True)


class TermsArgs(ChoiceArgs):
    """And how much, for how long."""

    principal = Money(required=True)
    instalments = Whole(1, 600, from_text=True, load_default=None)
    season = PublicId("sea", load_default=None)


class _Purpose(TermsArgs):
    purpose = Text(500, required=True)
    use = ma.fields.Enum(Purpose, by_value=ma.fields.String, required=True)

    @ma.validates_schema
    def _parts_are_within_the_loan(self, data: dict[str, Any], **_: Any) -> None:
        left, open_rows = data["principal"].amount_minor, []
        for row in PAYEE_ROWS:
            name, part = data[f"payee_name{row}"], data[f"payee_part{row}"]
            if part is not None and not name:
                raise ma.ValidationError("Missing data for required field.", f"payee_name{row}")
            if name and part is None:
                open_rows.append(f"payee_part{row}")
            left -= 0 if part is None else part.amount_minor
            if left < 0 or (open_rows and left == 0):
                raise ma.ValidationError(TOO_MUCH, f"payee_part{row}")
        if len(open_rows) > 1:
            raise ma.ValidationError(ONE_REST, open_rows[-1])


def _payee_fields() -> dict[str, ma.fields.Field[Any]]:
    found: dict[str, ma.fields.Field[Any]] = {}
    for row in PAYEE_ROWS:
        found[f"payee_name{row}"] = Text(120, load_default="")
        found[f"payee_part{row}"] = Money(load_default=None)
        found[f"payee_use{row}"] = ma.fields.Enum(
            Purpose, by_value=ma.fields.String, load_default=None
        )
    return found


# And what for, and who gets it: up to so many payees, one of whom may get the rest.
PurposeArgs = _Purpose.from_dict(_payee_fields(), name="PurposeArgs")


@dataclass(frozen=True, slots=True)
class Payee:
    """Who gets a part of the money, and for what."""

    name: str
    use: Purpose
    part: MoneyValue


def payees_of(data: dict[str, Any]) -> list[Payee]:
    """The payees that were named; who has no part of their own gets the rest."""
    principal: MoneyValue = data["principal"]
    parts = [data[f"payee_part{row}"] for row in PAYEE_ROWS]
    rest = principal.amount_minor - sum(part.amount_minor for part in parts if part is not None)
    return [
        Payee(
            name,
            data[f"payee_use{row}"] or data["use"],
            MoneyValue(rest, principal.currency) if part is None else part,
        )
        for row, part in zip(PAYEE_ROWS, parts, strict=True)
        if (name := data[f"payee_name{row}"])
    ]


class ConfirmArgs(PurposeArgs):  # type: ignore[misc, valid-type]
    """And that the risk was read."""

    understood = ma.fields.Boolean(
        required=True, validate=ma.validate.Equal(True, error="Please tick this box first.")
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """A product on which the member may borrow, and its terms today."""

    product: Product
    version: ProductVersion
    terms: ProductTerms


@dataclass(frozen=True, slots=True)
class Place:
    """A community with what it offers."""

    community: Community
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for so far."""

    community: Community
    offer: Offer
    rules: CharterRules
    seasons: tuple[Season, ...]
    quote: Quote | None = None

    @property
    def is_seasonal(self) -> bool:
        return self.offer.terms.amortisation.value == "seasonal"


@pages.get("/me/apply")
@requires("loan:apply")
def apply_product() -> AnyResponse:
    """The first step: on which product."""
    session, me = db.session(), caller().member_id
    permit("loan:apply", Facts(owner_ids=frozenset({me})))
    places = [
        Place(community, offers_of(session, community, today()))
        for membership, community in communities.memberships_of(session, me)
        if membership.status is MembershipStatus.ACTIVE
    ]
    return page("member/apply_product.html", places=places, steps=STEPS, step="product")


@pages.get("/me/apply/terms")
@requires("loan:apply")
def apply_terms() -> AnyResponse:
    """The second step: how much, and for how long."""
    form, choice = _chosen()
    if choice is None:
        return redirect(url_for("member.apply_product"), 303)
    return _show("terms", form, choice)


@pages.get("/me/apply/purpose")
@requires("loan:apply")
def apply_purpose() -> AnyResponse:
    """The third step: what for, and who gets the money. What it would cost is shown."""
    form, choice = _chosen()
    if choice is None:
        return redirect(url_for("member.apply_product"), 303)
    asked, choice = _quoted(choice)
    if choice.quote is None:
        return _show("terms", asked, choice)
    return _show("purpose", form, choice)


@pages.get("/me/apply/people")
@requires("loan:apply")
@limited("heavy")
def apply_people() -> AnyResponse:
    """The fourth step: who would stand behind it, for how much."""
    wrong, choice = _all_said()
    if choice is None or wrong is not None:
        return _back(wrong, choice)
    return _show("people", _carried(), choice, preview=_preview(choice))


@pages.get("/me/apply/people.csv")
@requires("loan:apply")
@limited("heavy")
def apply_people_csv() -> AnyResponse:
    """The numbers of the drawing of the fourth step."""
    wrong, choice = _all_said()
    if choice is None or wrong is not None:
        raise NotFound()
    picture = picture_of(_preview(choice).paths, choice.community.currency, "")
    return csv_answer(picture, "who-would-stand-behind")


@pages.route("/me/apply/confirm", methods=["GET", "POST"])
@requires("loan:apply")
@limited("heavy")
def apply_confirm() -> Any:
    """The last step: what it costs, what it means, and yes."""
    if request.method == "GET":
        wrong, choice = _all_said()
        if choice is None or wrong is not None:
            return _back(wrong, choice)
        return _show("confirm", _carried(), choice, preview=_preview(choice))
    session, me = db.session(), caller().member_id
    _, choice = _chosen(posted=True)
    if choice is None:
        return redirect(url_for("member.apply_product"), 303)

    def work(data: dict[str, Any]) -> str:
        community = communities.get_community(session, data["community"])
        permit("loan:apply", community_facts(session, community, borrower_id=me))
        loan = lines.apply(
            session,
            line_id=None,
            community_id=community.id,
            borrower_id=me,
            product_id=products.get_product(session, data["product"]).id,
            principal=data["principal"],
            instalments=data["instalments"],
            season_id=_season_id(session, data["season"]),
            purpose=data["purpose"],
            on=today(),
            now=now(),
            actor_id=me,
        )
        for payee in payees_of(data):
            permit("loan-use:state", Facts(path=community.path_ids, owner_ids=frozenset({me})))
            proceeds.state_use(
                session,
                loan_id=loan.id,
                purpose=payee.use,
                payee_name=payee.name,
                payee_id=None,
                amount=payee.part,
                on=today(),
                now=now(),
                actor_id=me,
            )
        return url_for("member.loan", loan_id=loan.public_id)

    def show(form: Form) -> Any:
        asked, again = _quoted(choice, posted=True)
        if again.quote is None:
            return _show("terms", asked, again)
        return _show("confirm", form, again, preview=_preview(again))

    return answer(ConfirmArgs, work, show, said=("member", "applied"))


def picture_of(paths: Iterable[PathView], currency: str, csv_url: str) -> Picture:
    """Who would be held for how much: drawn, and as a table."""
    words = Words("member", language())
    listed = sorted(paths, key=lambda path: -path.amount_minor)
    lines_ = [
        (
            path.standing_of.name if path.vouches else words("own"),
            words("comma").join(via.name for via in path.via) or words("directly"),
            path.amount_minor,
        )
        for path in listed
    ]
    return Picture(
        svg=draw(words, words("me"), listed, currency),
        title=words("would_stand"),
        caption=words("behind_me_help"),
        columns=((words("who"), ""), (words("through"), ""), (words("would_hold"), "n")),
        rows=tuple(
            (who, via, money_text(words.language, minor, currency)) for who, via, minor in lines_
        ),
        sheet_rows=tuple((who, via, format_minor(minor, currency)) for who, via, minor in lines_),
        csv_url=csv_url,
    )


def by_person(paths: Iterable[PathView]) -> list[tuple[Named, int, int]]:
    """Whom a call could reach, how much of their own would be held, how much they pass on.

    A direct guarantor answers first for what comes through them.
    """
    own: dict[Named, int] = {}
    through: dict[Named, int] = {}
    for path in paths:
        if not path.vouches:
            continue
        own[path.standing_of] = own.get(path.standing_of, 0) + path.amount_minor
        for via in path.via:
            through[via] = through.get(via, 0) + path.amount_minor
    return sorted(
        ((who, own.get(who, 0), through.get(who, 0)) for who in {*own, *through}),
        key=lambda line: (-line[1] - line[2], line[0].public_id),
    )


def _show(step: str, form: Form, choice: Choice, **facts: Any) -> AnyResponse:
    preview: CoverPreview | None = facts.get("preview")
    picture = None
    if preview is not None and preview.paths:
        url = f"{url_for('member.apply_people_csv')}?{urlencode(_said())}"
        picture = picture_of(preview.paths, choice.community.currency, url)
    return page(
        f"member/apply_{step}.html",
        status=form.status,
        steps=STEPS,
        step=step,
        form=form,
        choice=choice,
        said_so_far=_said(),
        back=lambda to: f"{url_for(f'member.apply_{to}')}?{urlencode(_said())}",
        picture_of_people=picture,
        people=by_person(preview.paths) if preview is not None else [],
        payee_rows=PAYEE_ROWS,
        payees=_named(),
        **facts,
    )


def _named() -> list[Payee]:
    """The payees that were named so far, if they make sense."""
    form, data = _read(PurposeArgs(), posted=request.method == "POST")
    return [] if form.errors else payees_of(data)


def _back(wrong: Form | None, choice: Choice | None) -> AnyResponse:
    """To the step at which something is missing or wrong."""
    if choice is None or wrong is None:
        return redirect(url_for("member.apply_product"), 303)
    return _show("terms" if choice.quote is None else "purpose", wrong, choice)


def _said() -> dict[str, str]:
    """What was said so far, to be carried on."""
    given = request.form if request.method == "POST" else request.args
    parts = [f"payee_part{row}_currency" for row in PAYEE_ROWS]
    names = [*PurposeArgs().fields, "principal_currency", *parts]
    return {name: given[name] for name in names if given.get(name, "").strip()}


def _carried() -> Form:
    return Form(values=dict(_said()))


def _chosen(*, posted: bool = False) -> tuple[Form, Choice | None]:
    """Where and which product, if the caller may know both."""
    form, data = _read(ChoiceArgs(), posted=posted)
    if form.errors:
        # Nothing can be shown without a product.
        permit("loan:apply", Facts(owner_ids=frozenset({caller().member_id})))
        return form, None
    session = db.session()
    community = communities.get_community(session, data["community"])
    permit("product:read", offer_facts(session, community))
    facts = community_facts(session, community, borrower_id=caller().member_id)
    permit("quote:read", facts)
    permit("loan:apply", facts)
    product = products.get_product(session, data["product"])
    if product.community_id not in community.path_ids:
        raise NotFound()
    version = products.version_on(session, product.id, today())
    offer = Offer(product, version, products.terms_of(version))
    seasons = seasons_of(session, community, offer.terms, today())
    rules = communities.charter_on(session, community.id, today()).rules
    return Form(values=dict(form.values)), Choice(community, offer, rules, seasons)


def _quoted(choice: Choice, *, posted: bool = False) -> tuple[Form, Choice]:
    """What it would cost; without a quote the form says why not."""
    form, data = _read(TermsArgs(), posted=posted)
    if form.errors:
        return form, choice
    session = db.session()
    try:
        quote = loans.quote(
            session,
            community_id=choice.community.id,
            product_id=choice.offer.product.id,
            principal=data["principal"],
            on=today(),
            instalments=data["instalments"],
            season_id=_season_id(session, data["season"]),
        )
    except CommunityError as refusal:
        form.refuse(refusal)
        return form, choice
    return form, replace(choice, quote=quote)


def _all_said() -> tuple[Form | None, Choice | None]:
    """The choice with its quote, and the purpose, as the address says; or what is wrong."""
    _, choice = _chosen()
    if choice is None:
        return None, None
    asked, choice = _quoted(choice)
    if choice.quote is None:
        return asked, choice
    form, _ = _read(PurposeArgs())
    return (form if form.errors else None), choice


def _read(schema: ma.Schema, *, posted: bool = False) -> tuple[Form, dict[str, Any]]:
    if not posted:
        return read_query(schema)
    return read(schema)


def _preview(choice: Choice) -> CoverPreview:
    """Who would stand behind it."""
    quote = choice.quote
    assert quote is not None  # the steps before saw to it
    return credit.preview_cover(
        db.session(),
        community_id=choice.community.id,
        member_id=caller().member_id,
        product_version_id=choice.offer.version.id,
        principal=MoneyValue(quote.principal_minor, choice.offer.terms.currency),
        on=today(),
    )


def seasons_of(
    session: Session, community: Community, terms: ProductTerms, on: date
) -> tuple[Season, ...]:
    """The seasons that a loan on these terms can follow: those before their harvest."""
    if terms.amortisation.value != "seasonal":
        return ()
    return tuple(
        session.scalars(
            products.list_seasons(community.path_ids)
            .where(Season.harvest_from > on)
            .order_by(Season.sow_from, Season.id)
            .limit(SEASONS_MAX)
        )
    )


def offers_of(session: Session, community: Community, on: date) -> tuple[Offer, ...]:
    """The products of a community that are in force, with their terms."""
    permit("product:read", offer_facts(session, community))
    found = session.scalars(
        products.list_products(community.path_ids).order_by(Product.id).limit(PRODUCTS_MAX)
    ).all()
    versions = products.versions_on(session, [product.id for product in found], on)
    return tuple(
        Offer(product, versions[product.id], products.terms_of(versions[product.id]))
        for product in found
        if product.id in versions
    )


def _season_id(session: Session, public_id: str | None) -> int | None:
    if public_id is None:
        return None
    return products.get_season(session, public_id).id
