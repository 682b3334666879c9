"""A group's loans: the list, asking for one step by step, one with its words and shares.

Product, then each member's share, then what it costs and who answers for whom; only the last step
writes. What is typed for a group is too long for an address: the second step is sent as a form,
and the third carries it on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import marshmallow as ma
from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Money, PublicId, Schema, Text, Whole
from app.groups.facts import group_facts as group_page_facts
from app.loans.facts import community_facts, group_facts, group_loan_facts, share_facts
from app.loans.schemas import LoanEndorsementInSchema, LoanOptionalReasonSchema
from app.loans.views import group_loan_view, group_loan_views
from app.marks import limited
from app.pages.forms import Form, answer, read
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.apply import Offer, offers_of, seasons_of
from app.pages.member.room import my_public_id, pages
from app.permissions import may, permit, requires
from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.communities.models import Community
from community.errors import CommunityError, NotFound
from community.groups import queries as groups
from community.groups.models import Group, GroupStatus
from community.lines import service as lines
from community.loans import group_loans, queries, service
from community.loans.group_loans import GroupQuote
from community.loans.models import GroupLoan, LoanStatus
from community.loans.schedule import read_loan_terms
from community.members import queries as members
from community.members.queries import Named
from community.money import Money as MoneyValue
from community.products import queries as products
from community.products.models import Season

STEPS = ("product", "shares", "confirm")
ONE_CURRENCY = "All amounts are in one currency."
NO_SHARE = "Give at least one member a share."
_GROUP = "/me/groups/<pid(grp):group_id>/loans"
_ONE = "/me/group-loans/<pid(gln):group_loan_id>"


@dataclass(frozen=True, slots=True)
class Asking:
    """Which group asks for which product, and who of it may have a share."""

    group: Group
    community: Community
    offer: Offer
    rules: CharterRules
    seasons: Sequence[Season]
    people: Sequence[Named]

    @property
    def is_seasonal(self) -> bool:
        return self.offer.terms.amortisation.value == "seasonal"


@dataclass(frozen=True, slots=True)
class ShareLine:
    """What a share costs, and what each other could be asked for it at most."""

    who: Named
    principal_minor: int
    cost_minor: int
    total_minor: int
    rate_ppm: int
    others_each_minor: int
    purpose: str


@dataclass(frozen=True, slots=True)
class DueLine:
    """What all shares together ask for on a day."""

    on: date
    principal_minor: int
    cost_minor: int


@pages.get(_GROUP)
@requires("group-loan:read")
def group_loans_page(group_id: str) -> Response:
    """The group's loans, newest first."""
    session = db.session()
    group = groups.get_group(session, group_id)
    facts = group_facts(session, group)
    permit("group-loan:read", facts)
    found, older, first = listed(session, queries.list_group_loans(group.id), GroupLoan.id)
    return page(
        "member/group_loans.html",
        group=group,
        loans=group_loan_views(session, found.items),
        me=my_public_id(session),
        leads=may("group-loan:apply", facts) and group.status is GroupStatus.ACTIVE,
        older=older,
        first=first,
    )


@pages.get(_GROUP + "/new")
@requires("group-loan:apply")
def group_apply(group_id: str) -> Response:
    """The first step: on which product."""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("group-loan:apply", group_facts(session, group))
    community = communities.get_community_by_id(session, group.community_id)
    return page(
        "member/group_apply_product.html",
        group=group,
        offers=[
            offer
            for offer in offers_of(session, community, today())
            if group.product_id in (None, offer.product.id)
        ],
        steps=STEPS,
    )


@pages.route(_GROUP + "/new/<pid(prd):product_id>", methods=["GET", "POST"])
@requires("group-loan:apply")
@limited("heavy")
def group_apply_shares(group_id: str, product_id: str) -> Response:
    """The second step: each member's share, and what for. Sent, it is answered with the third."""
    asking = _asking(group_id, product_id)
    if request.method == "GET":
        return _show_shares(asking, Form())
    form, data = read(_schema(asking))
    if "change" in request.form:
        # Back from the third step; what was typed is as it was.
        return _show_shares(asking, Form(values=form.values, once=form.once))
    quote = None if form.errors else _quote(asking, form, data)
    if quote is None:
        return _show_shares(asking, form)
    return _show_confirm(asking, form, data, quote)


@pages.post(_GROUP + "/new/<pid(prd):product_id>/confirm")
@requires("group-loan:apply")
@limited("heavy")
def group_apply_confirm(group_id: str, product_id: str) -> Any:
    """The last step: what it costs, what it means, and yes."""
    asking = _asking(group_id, product_id)

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        group = groups.get_group(session, group_id)
        permit("group-loan:apply", group_facts(session, group))
        shares = _shares(asking, data)
        currency = asking.offer.terms.currency
        made = lines.apply_as_group(
            session,
            line_id=None,
            group_id=group.id,
            product_id=asking.offer.product.id,
            shares=shares,
            total=MoneyValue(sum(shares.values()), currency),
            instalments=data.get("instalments"),
            season_id=_season_id(session, data),
            purpose=data["purpose"],
            purposes=_purposes(asking, data),
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.group_loan", group_loan_id=made.public_id)

    def show(form: Form) -> Response:
        typed, data = read(_schema(asking))
        if form.refusal is not None:
            _name_share(form)
        if typed.errors:
            return _show_shares(asking, form)
        quote = _quote(asking, typed, data)
        if quote is None:
            return _show_shares(asking, typed)
        return _show_confirm(asking, form, data, quote)

    return answer(
        _schema(asking, confirmed=True), work, show, said=("member", "group_applied_said")
    )


@pages.get(_ONE)
@requires("group-loan:read")
@limited("heavy")
def group_loan(group_loan_id: str) -> Response:
    """One group loan: its shares, whose words are there and whose are missing, my own yes."""
    return _loan_page(group_loan_id, Form())


@pages.post(_ONE + "/endorsement")
@requires("endorsement:give")
def endorse_group_loan(group_loan_id: str) -> Any:
    """Give my word for every share that I can."""

    return answer(
        LoanEndorsementInSchema,
        lambda data: give_group_word(group_loan_id, data["comment"]),
        lambda form: _loan_page(group_loan_id, form),
        said=("member", "endorsed_said"),
    )


@pages.route(_ONE + "/withdrawal", methods=["GET", "POST"])
@requires("group-loan:withdraw")
def withdraw_group_loan(group_loan_id: str) -> Any:
    """Take back an application that is not decided yet, all shares of it."""
    session = db.session()
    found = queries.get_group_loan(session, group_loan_id)
    permit("group-loan:withdraw", group_loan_facts(session, found))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_group_loan(session, group_loan_id)
        permit("group-loan:withdraw", group_loan_facts(session, found))
        service.end_group_application(
            session,
            group_loan_id=found.id,
            to=LoanStatus.WITHDRAWN,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
            reason=data["reason"],
        )
        return url_for("member.group_loan", group_loan_id=group_loan_id)

    return answer(
        LoanOptionalReasonSchema,
        work,
        lambda form: page(
            "member/group_loan_withdraw.html",
            form=form,
            loan=group_loan_view(db.session(), found),
            group=groups.get_group_by_id(db.session(), found.group_id),
        ),
        said=("member", "withdrawn_said"),
    )


def give_group_word(group_loan_id: str, comment: str) -> str:
    """In a unit of work: the caller's word for every share that it fits; where to go on."""
    session = db.session()
    found = queries.get_group_loan(session, group_loan_id)
    community = communities.get_community_by_id(session, found.community_id)
    permit("endorsement:give", community_facts(session, community))
    service.endorse_group_loan(
        session,
        group_loan_id=found.id,
        endorser_id=caller().member_id,
        on=today(),
        now=now(),
        comment=comment,
    )
    return url_for("member.group_loan", group_loan_id=group_loan_id)


def waiting_for_me(session: Session, most: int) -> list[dict[str, Any]]:
    """Applications of my groups that wait for my word, with the names of the groups."""
    rows = session.scalars(
        group_loans.waiting_for(caller().member_id).order_by(GroupLoan.id.desc()).limit(most)
    ).all()
    if not rows:
        return []
    return [
        shown | {"group_name": groups.get_group_by_id(session, row.group_id).name}
        for row, shown in zip(rows, group_loan_views(session, rows), strict=True)
    ]


def _loan_page(group_loan_id: str, form: Form) -> Response:
    session, me = db.session(), caller().member_id
    found = queries.get_group_loan(session, group_loan_id)
    facts = group_loan_facts(session, found)
    permit("group-loan:read", facts)
    group = groups.get_group_by_id(session, found.group_id)
    community = communities.get_community_by_id(session, found.community_id)
    [file] = group_loans.files_of(session, [found])
    first = file.shares[0]
    terms = read_loan_terms(first.terms)
    opens = {
        share.public_id
        for share, its in zip(file.shares, share_facts(session, facts, file.shares), strict=True)
        if may("loan:read", its)
    }
    version = products.get_version(session, first.product_version_id)
    return page(
        "member/group_loan.html",
        status=form.status,
        form=form,
        loan=group_loan_view(
            session, found, knows_group=may("group-loan:read", group_facts(session, group))
        ),
        group=group,
        opens_group=may("group:read", group_page_facts(session, group)),
        community=community,
        product=products.get_product_by_id(session, version.product_id),
        terms=terms,
        opens=opens,
        me=my_public_id(session),
        may_endorse=me in file.missing_ids
        and may("endorsement:give", community_facts(session, community)),
        may_withdraw=may("group-loan:withdraw", facts)
        and file.stage in (group_loans.Stage.WAITS_FOR_WORDS, group_loans.Stage.WAITS_FOR_DECISION),
    )


def _asking(group_id: str, product_id: str) -> Asking:
    """The group and the product, if the caller may ask for the one on the other."""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("group-loan:apply", group_facts(session, group))
    community = communities.get_community_by_id(session, group.community_id)
    product = products.get_product(session, product_id)
    if product.community_id not in community.path_ids:
        raise NotFound()
    version = products.version_on(session, product.id, today())
    offer = Offer(product, version, products.terms_of(version))
    signed = group_loans.signed_ids(session, [group.id])[group.id]
    names = members.names_of(session, signed)
    return Asking(
        group=group,
        community=community,
        offer=offer,
        rules=communities.charter_on(session, community.id, today()).rules,
        seasons=seasons_of(session, community, offer.terms, today()),
        people=[names[member_id] for member_id in signed],
    )


def _schema(asking: Asking, *, confirmed: bool = False) -> ma.Schema:
    """The form of the shares: an amount for each member who takes part, and what for."""
    fields: dict[str, Any] = {
        "instalments": Whole(1, 600, from_text=True, load_default=None),
        "season": PublicId("sea", load_default=None),
        "purpose": Text(500, required=True),
    }
    for who in asking.people:
        fields[f"share_{who.public_id}"] = Money(load_default=None)
        fields[f"purpose_{who.public_id}"] = Text(500, load_default=None)
    if confirmed:
        fields["understood"] = ma.fields.Boolean(
            required=True,
            validate=ma.validate.Equal(True, error="Say that you have understood it."),
        )

    def check(self: ma.Schema, data: dict[str, Any], **_: Any) -> None:
        faults = {
            f"share_{who.public_id}": ["Missing data for required field."]
            for who in asking.people
            if data[f"purpose_{who.public_id}"] and data[f"share_{who.public_id}"] is None
        }
        parts = {name: part for name, part in data.items() if isinstance(part, MoneyValue)}
        faults |= {
            name: [ONE_CURRENCY]
            for name, part in parts.items()
            if part.currency != asking.offer.terms.currency
        }
        if not faults and not parts:
            faults = {f"share_{who.public_id}": [NO_SHARE] for who in asking.people[:1]}
        if faults:
            raise ma.ValidationError(faults)

    fields["_check"] = ma.validates_schema(check)
    return type("GroupShares", (Schema,), fields)()


def _shares(asking: Asking, data: dict[str, Any]) -> dict[int, int]:
    """Who has a share, and of how much; by member id."""
    return {
        who.member_id: part.amount_minor
        for who in asking.people
        if (part := data[f"share_{who.public_id}"]) is not None
    }


def _purposes(asking: Asking, data: dict[str, Any]) -> dict[int, str]:
    return {
        who.member_id: said for who in asking.people if (said := data[f"purpose_{who.public_id}"])
    }


def _season_id(session: Session, data: dict[str, Any]) -> int | None:
    season = data["season"]
    return None if season is None else products.get_season(session, season).id


def _quote(asking: Asking, form: Form, data: dict[str, Any]) -> GroupQuote | None:
    """What it would cost; without a quote the form says why not."""
    session = db.session()
    try:
        return group_loans.quote_as_group(
            session,
            group_id=asking.group.id,
            product_id=asking.offer.product.id,
            shares=_shares(asking, data),
            currency=asking.offer.terms.currency,
            instalments=data["instalments"],
            season_id=_season_id(session, data),
            on=today(),
            actor_id=caller().member_id,
        )
    except CommunityError as refusal:
        form.refuse(refusal)
        _name_share(form)
        return None


def _name_share(form: Form) -> None:
    """A refusal about one share stands at that member's field."""
    assert form.refusal is not None
    whose = form.refusal.members.get("member")
    if whose is not None and form.refused_field == "shares":
        form.refusal.members["field"] = f"share_{whose}"


def _show_shares(asking: Asking, form: Form) -> Response:
    return page(
        "member/group_apply_shares.html",
        status=form.status,
        form=form,
        asking=asking,
        steps=STEPS,
    )


def _show_confirm(asking: Asking, form: Form, data: dict[str, Any], quote: GroupQuote) -> Response:
    answering = {one.member_id: one for one in quote.answering}
    each: dict[int, int] = {}
    for one in quote.answering:
        each |= one.for_shares
    purposes = _purposes(asking, data)
    dues: dict[date, list[int]] = {}
    for one_cost in quote.shares.values():
        for row, fee in zip(one_cost.rows, one_cost.fees_by_row(), strict=True):
            sums = dues.setdefault(row.due_on, [0, 0])
            sums[0] += row.principal_minor
            sums[1] += row.interest_minor + fee
    known = _schema(asking).fields
    carried = {
        name: value
        for name, value in form.values.items()
        if value.strip() and name.removesuffix("_currency") in known
    }
    return page(
        "member/group_apply_confirm.html",
        status=form.status,
        form=form,
        asking=asking,
        quote=quote,
        shares=[
            ShareLine(
                who=who,
                principal_minor=share.principal_minor,
                cost_minor=share.interest_minor + share.fees_minor,
                total_minor=share.total_minor,
                rate_ppm=share.effective_yearly_rate_ppm,
                others_each_minor=each.get(who.member_id, 0),
                purpose=purposes.get(who.member_id, ""),
            )
            for who in asking.people
            if (share := quote.shares.get(who.member_id)) is not None
        ],
        dues=[DueLine(on, *sums) for on, sums in sorted(dues.items())],
        answering=[(who, answering[who.member_id].at_most_minor) for who in asking.people],
        carried=carried,
        steps=STEPS,
    )
