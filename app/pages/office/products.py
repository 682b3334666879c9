"""Loan products: what they lend on, all their versions, and the next one, seen before it counts.

A draft is written as a charter is: the form, then every changed term old beside new, with what one
loan costs now and then; only then it is published.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Response, request, url_for

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Day, Money, PublicId, Schema, Text, Whole
from app.marks import limited
from app.pages.forms import Form, answer, read, read_query
from app.pages.layout import figure_text, money_text, percent_text, say
from app.pages.lists import listed
from app.pages.office.drafts import TYPED_MOST, Draft, faults_told, in_two_steps, read_draft
from app.pages.office.room import enter, pages, show, words
from app.pages.office.terms import (
    FEE_KEYS,
    FEE_VALUES,
    FEES,
    PARTS,
    TERMS,
    by_part,
    changes_said,
    defaults,
    fee_said,
    in_words,
    term_hint,
    term_name,
    values,
)
from app.pages.office.values import Unread
from app.pages.words import Words
from app.permissions import may, permit, requires
from app.problems import status_of
from app.products import views
from app.products.facts import offer_facts
from app.products.schemas import ProductInSchema
from app.sheets import sheet
from community.arithmetic.errors import ScheduleImpossible
from community.communities import queries as communities
from community.communities.models import Community
from community.errors import CurrencyMismatch
from community.loans import drafts
from community.loans.drafts import Example, VersionPreview
from community.loans.errors import (
    InstalmentsOutOfRange,
    PrincipalOutOfRange,
    SeasonNeeded,
    SeasonOver,
)
from community.loans.schedule import Cost
from community.products import queries, service
from community.products.errors import ProductNotFound, SeasonNotFound, TermsInvalid
from community.products.models import Product, ProductVersion, Season

_FEE_ROWS, _FEE_ROWS_MORE, _FEE_ROWS_MOST = 2, 2, 10
_HISTORY_MOST = 50
_SEASONS_OFFERED = 50
# What a service says of the example, and not of the draft.
_OF_EXAMPLE = (
    CurrencyMismatch,
    InstalmentsOutOfRange,
    PrincipalOutOfRange,
    ScheduleImpossible,
    SeasonNeeded,
    SeasonNotFound,
    SeasonOver,
)
_ADDRESS = "/office/<pid(com):community_id>/products"


class VersionArgs(Schema):
    """Which version; the one in force if none is named."""

    version = Whole(1, from_text=True, load_default=None)


class VersionForm(Schema):
    """What a version has besides its terms."""

    valid_from = Day(required=True)
    source = Text(500, required=True)
    # The version that the draft was compared with: it is published on top of that one only.
    follows = Whole(0, load_default=None)


class ExampleForm(Schema):
    """The loan to compare; what is left empty is as large and as long as both terms lend."""

    example_principal = Money(load_default=None)
    example_instalments = Whole(1, 600, load_default=None)
    example_season = PublicId("sea", load_default=None)


@dataclass(frozen=True, slots=True)
class Offered:
    """A product as it is seen from a community that may lend on it."""

    product: Product
    # Whose product it is: this community, or one above it.
    owner: Community
    may_write: bool

    @property
    def currency(self) -> str:
        return self.owner.currency


@pages.listed("products")
@pages.get(_ADDRESS)
@requires("product:read")
def products(community_id: str) -> Response:
    """What this community's members can borrow on: its own products and those from above it."""
    community = enter(community_id)
    session = db.session()
    facts = offer_facts(session, community)
    permit("product:read", facts)
    found, older, first = listed(
        session, queries.list_products(community.path_ids), Product.id, newest_first=False
    )
    coming = queries.versions_to_come(session, [each.id for each in found.items], today())
    return show(
        "products",
        community,
        products=views.product_views(session, found.items, today()),
        coming={each.public_id: coming.get(each.id) for each in found.items},
        owners=communities.get_communities_by_id(session, community.path_ids),
        older=older,
        first=first,
        may_write=may("product:write", facts),
    )


@pages.route(_ADDRESS + "/new", methods=["GET", "POST"])
@requires("product:write")
def new_product(community_id: str) -> Any:
    """Name a new product; it lends once a version of its terms is in force."""
    community = enter(community_id)
    permit("product:write", offer_facts(db.session(), community))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        place = enter(community_id)
        permit("product:write", offer_facts(session, place))
        made = service.create_product(
            session, community_id=place.id, **data, now=now(), actor_id=caller().member_id
        )
        return url_for("office.product", community_id=community_id, product_id=made.public_id)

    return answer(
        ProductInSchema,
        work,
        lambda form: show("product_new", community, form=form),
        said=("office", "product_made"),
    )


@pages.get(_ADDRESS + "/<pid(prd):product_id>")
@requires("product:read")
def product(community_id: str, product_id: str) -> Response:
    """One version with all its terms in words, what it changed, and all versions."""
    community = enter(community_id)
    offered = _offered(community, product_id)
    session, t = db.session(), words()
    shown = _version(offered)
    history = session.scalars(
        queries.list_versions(offered.product.id)
        .order_by(ProductVersion.version.desc())
        .limit(_HISTORY_MOST)
    ).all()
    current = queries.find_version_on(session, offered.product.id, today())
    before = next(
        (row for row in history if shown is not None and row.version == shown.version - 1), None
    )
    terms = None if shown is None else queries.terms_of(shown)
    return show(
        "product",
        community,
        offered=offered,
        shown=shown,
        current=current,
        told=[] if terms is None else in_words(terms, t),
        parts=[] if terms is None else by_part(terms, t),
        changes=None
        if before is None or terms is None
        else changes_said(
            drafts.changed_terms(queries.terms_of(before), terms), offered.currency, t
        ),
        history=history,
        owner_url=url_for(
            "office.product", community_id=offered.owner.public_id, product_id=product_id
        ),
    )


@pages.get(_ADDRESS + "/<pid(prd):product_id>/terms.csv")
@requires("product:read")
def product_csv(community_id: str, product_id: str) -> Response:
    """The terms of a version, as a sheet."""
    offered = _offered(enter(community_id), product_id)
    shown = _version(offered)
    if shown is None:
        raise ProductNotFound("It has no version yet.")
    counted, t = values(queries.terms_of(shown)), words()
    rows = [[name, value.text(counted[name], offered.currency)] for name, value in TERMS.items()]
    rows += [[FEES, fee_said(fee, offered.currency, t)] for fee in counted[FEES]]
    return sheet(f"{offered.product.public_id}-{shown.version}", ["term", "value"], rows)


@pages.route(_ADDRESS + "/<pid(prd):product_id>/new", methods=["GET", "POST"])
@requires("product:write")
@limited("heavy")
def new_product_version(community_id: str, product_id: str) -> Any:
    """Write the next version; see what it changes and what a loan then costs; publish it."""
    community = enter(community_id)
    offered = _written(community, product_id)

    def check(form: Form, draft: Draft, data: dict[str, Any]) -> Response:
        return _check(community, offered, form, draft, data)

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        here = _written(enter(community_id), product_id)
        draft = _draft(here)
        if draft.faults:
            raise TermsInvalid(errors={name: text[0] for name, text in draft.faults.items()})
        made = service.publish_version(
            session,
            product_id=here.product.id,
            terms_document=_document(here, draft),
            valid_from=data["valid_from"],
            source=data["source"],
            on=today(),
            now=now(),
            actor_id=caller().member_id,
            follows=data["follows"],
        )
        return url_for(
            "office.product",
            community_id=community_id,
            product_id=product_id,
            version=made.version,
        )

    done = in_two_steps(
        VersionForm,
        draft=lambda form: _draft(offered),
        editor=lambda form, draft: _editor(community, offered, form, draft),
        check=check,
        work=work,
    )
    if done.status_code == 303:
        say("office", "version_published")
    return done


def _offered(community: Community, product_id: str) -> Offered:
    session = db.session()
    found = queries.get_product(session, product_id)
    if found.community_id not in community.path_ids:
        raise ProductNotFound()
    owner = communities.get_community_by_id(session, found.community_id)
    facts = offer_facts(session, owner)
    permit("product:read", facts)
    return Offered(found, owner, may("product:write", facts))


def _written(community: Community, product_id: str) -> Offered:
    """A product of this community itself, if the caller may change it."""
    offered = _offered(community, product_id)
    permit("product:write", offer_facts(db.session(), offered.owner))
    if offered.owner.id != community.id:
        raise ProductNotFound("It is changed in the office of the community that offers it.")
    return offered


def _version(offered: Offered) -> ProductVersion | None:
    """The one that is asked for, else the one in force, else the first to come."""
    session = db.session()
    _, args = read_query(VersionArgs())
    number = args.get("version")
    if number is not None:
        found = session.scalar(
            queries.list_versions(offered.product.id).where(ProductVersion.version == number)
        )
        if found is None:
            raise ProductNotFound("There is no such version.")
        return found
    return queries.find_version_on(session, offered.product.id, today()) or queries.last_version(
        session, offered.product.id
    )


def _draft(offered: Offered) -> Draft:
    last = queries.last_version(db.session(), offered.product.id)
    base = defaults() if last is None else values(queries.terms_of(last))
    t = words()
    draft = read_draft(TERMS, base, offered.currency, t)
    if "has_fees" in request.form:
        draft.typed[FEES] = []
        rows = _fee_rows()
        for value, column in zip(FEE_VALUES, zip(*rows, strict=True) if rows else [], strict=False):
            draft.typed[value.name] = list(column)
        found, unread = _read_fees(rows, offered.currency)
        if unread:
            draft.faults[FEES] = [
                t("fee_fault", number=number, why=t.of("unread", why)) for number, why in unread
            ]
        elif found != base.get(FEES, []):
            draft.new[FEES] = found
    return draft


def _fee_rows() -> list[list[str]]:
    """The rows of fees that are sent, without those that were left empty."""
    columns = [
        [text.strip()[:TYPED_MOST] for text in request.form.getlist(value.name)]
        for value in FEE_VALUES
    ]
    rows = [list(row) for row in zip(*columns, strict=False)][:_FEE_ROWS_MOST]
    return [row for row in rows if row[0] or row[2] or row[3]]


def _read_fees(
    rows: list[list[str]], currency: str
) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """The fees, and of which rows the numbers cannot be read, and why."""
    found, unread = [], []
    for place, row in enumerate(rows, start=1):
        try:
            # An amount or a share that is left empty is none; a name that is, the service refuses.
            numbers = [
                value.read([text or "0"], currency)
                for value, text in zip(FEE_VALUES[2:], row[2:], strict=True)
            ]
        except Unread as why:
            unread.append((place, str(why)))
        else:
            found.append(dict(zip(FEE_KEYS, [*row[:2], *numbers], strict=True)))
    return found, unread


def _document(offered: Offered, draft: Draft) -> dict[str, Any]:
    return {**draft.base, **draft.new, "currency": offered.currency}


def _editor(community: Community, offered: Offered, form: Form, draft: Draft) -> Response:
    t = words()
    form.errors = form.errors | draft.faults
    if isinstance(form.refusal, TermsInvalid):
        # Each term says what is wrong with it at its own field.
        told: Mapping[str, str] = form.refusal.members.get("errors", {})
        form.errors = form.errors | faults_told(told, TERMS, offered.currency, t)
        form.refusal = None
    elif form.refusal is not None and form.refused_field in TERMS:
        told_of = [text for text in t.problem(form.refusal) if text]
        form.errors = form.errors | {form.refused_field: told_of}
        form.refusal = None
    last = queries.last_version(db.session(), offered.product.id)
    return show(
        "product_edit",
        community,
        offered=offered,
        form=form,
        draft=draft,
        last=last,
        parts=[
            (part, [TERMS[name] for name in names if name in TERMS])
            for part, names in PARTS.items()
        ],
        fees=_shown_fees(draft, offered.currency),
        fee_values=FEE_VALUES,
        fees_most=_FEE_ROWS_MOST,
        term_name=lambda name: term_name(t, name),
        term_hint=lambda name: term_hint(t, name),
        names={"valid_from": t("valid_from"), "source": t("source")}
        | {name: term_name(t, name) for name in form.errors if name in TERMS or name == FEES},
        opened={
            part for part, names in PARTS.items() if any(name in form.errors for name in names)
        },
    )


def _shown_fees(draft: Draft, currency: str) -> list[list[str]]:
    """The rows of the form: what was typed or what counts now, and some empty ones."""
    if FEES in draft.typed:
        columns = [draft.typed.get(value.name, []) for value in FEE_VALUES]
        rows = [list(row) for row in zip(*columns, strict=True)]
    else:
        rows = [
            [
                value.text(fee[key], currency) if fee[key] else ""
                for value, key in zip(FEE_VALUES, FEE_KEYS, strict=True)
            ]
            for fee in draft.base.get(FEES, [])
        ]
    empty = max(_FEE_ROWS - len(rows), _FEE_ROWS_MORE if request.method == "POST" else 1)
    return [*rows, *[["", "", "", ""]] * empty][:_FEE_ROWS_MOST]


def _check(
    community: Community, offered: Offered, form: Form, draft: Draft, data: dict[str, Any]
) -> Response:
    asked, example = read(ExampleForm())
    found, t = None, words()
    if not asked.errors:
        try:
            found = _previewed(offered, draft, data, example)
        except _OF_EXAMPLE as refusal:
            # Its fields are called otherwise than those of the draft.
            asked.status = status_of(type(refusal))
            other = "principal" if isinstance(refusal, CurrencyMismatch) else "season"
            at = refusal.members.get("field", other)
            asked.errors[f"example_{at}"] = [text for text in t.problem(refusal) if text]
    if found is None:
        # The draft itself is looked at all the same; what is wrong with it is told first.
        found = _previewed(offered, draft, data, {})
    compared = found.example
    if compared is not None and not asked.errors:
        asked.values["example_principal"] = figure_text(compared.principal_minor, offered.currency)
        asked.values["example_instalments"] = str(compared.instalments or "")
        asked.values["example_season"] = compared.season.public_id if compared.season else ""
    answered = show(
        "product_check",
        community,
        offered=offered,
        form=asked,
        valid_from=data["valid_from"],
        source=data["source"],
        draft=draft,
        preview=found,
        changes=changes_said(found.changes, offered.currency, t),
        told=in_words(found.terms, t),
        costs=[] if compared is None else _costs(compared, offered.currency, t),
        dues=[] if compared is None else _dues(compared),
        seasons=_seasons(offered),
    )
    answered.status_code = asked.status
    return answered


def _previewed(
    offered: Offered, draft: Draft, data: dict[str, Any], example: dict[str, Any]
) -> VersionPreview:
    session = db.session()
    season = example.get("example_season")
    return drafts.preview_version(
        session,
        product_id=offered.product.id,
        terms_document=_document(offered, draft),
        valid_from=data["valid_from"],
        on=today(),
        principal=example.get("example_principal"),
        instalments=example.get("example_instalments"),
        season_id=queries.get_season(session, season).id if season else None,
    )


def _costs(example: Example, currency: str, t: Words) -> list[list[str]]:
    """What the loan costs now and then, and by how much more or less, line by line."""

    def line(key: str, read: Callable[[Cost], int], write: Callable[[int], str]) -> list[str]:
        after = read(example.after)
        if example.before is None:
            return [t.of("cost", key), "–", write(after), "–"]
        before = read(example.before)
        sign = "+" if after > before else ""
        return [t.of("cost", key), write(before), write(after), sign + write(after - before)]

    def money(amount_minor: int) -> str:
        return money_text(t.language, amount_minor, currency)

    def rate(ppm: int) -> str:
        return percent_text(ppm, 1_000_000)

    return [
        line("effective_rate", lambda cost: cost.effective_yearly_rate_ppm, rate),
        line("interest", lambda cost: cost.interest_minor, money),
        line("fees", lambda cost: cost.fees_minor, money),
        line("together", lambda cost: cost.total_minor, money),
        line("largest_due", lambda cost: max(_asked(cost)), money),
        line("dues", lambda cost: len(cost.rows), str),
    ]


def _asked(cost: Cost) -> list[int]:
    """What each due asks for, fees and all."""
    return [row.total_minor + fee for row, fee in zip(cost.rows, cost.fees_by_row(), strict=True)]


def _dues(example: Example) -> list[tuple[date, int | None, int | None]]:
    """Each day on which something is due under either terms, and how much under each."""
    by_day: dict[date, list[int | None]] = {}
    for place, cost in enumerate((example.before, example.after)):
        for row, amount in zip(cost.rows, _asked(cost), strict=True) if cost is not None else ():
            sums = by_day.setdefault(row.due_on, [None, None])
            sums[place] = (sums[place] or 0) + amount
    return [(day, before, after) for day, (before, after) in sorted(by_day.items())]


def _seasons(offered: Offered) -> list[Season]:
    """Harvests to come that an example may follow."""
    return list(
        db.session().scalars(
            queries.list_seasons(offered.owner.path_ids)
            .where(Season.harvest_from > today())
            .order_by(Season.harvest_from, Season.id)
            .limit(_SEASONS_OFFERED)
        )
    )
