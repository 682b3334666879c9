"""Who covers a loan, and how a guarantor's cover goes over to others or is let go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import PublicId
from app.guarantees.facts import cover_change_facts
from app.guarantees.schemas import ReasonSchema, SubstitutionInSchema
from app.guarantees.views import cover_changes as shown_changes
from app.loans.facts import loan_facts
from app.marks import limited
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.changes import changes_to_answer
from app.pages.member.room import my_public_id, pages
from app.pages.member.vouches import known_people
from app.permissions import Facts, may, permit, requires
from community.communities import queries as communities
from community.communities.models import Community
from community.errors import CommunityError
from community.guarantees import handover, queries
from community.guarantees.errors import CoverShortOf
from community.guarantees.handover import Takeover
from community.guarantees.models import CoverChange, CoverChangeStatus
from community.guarantees.queries import CoverChangeShow, LineView
from community.loans import queries as loans
from community.loans import service as loan_service
from community.loans.models import Loan, LoanStatus
from community.members import queries as members
from community.members.queries import Named
from community.money import parse_minor
from community.trust.models import Vouch, VouchStatus


class HandOverSchema(SubstitutionInSchema):
    """Who goes, who comes, and why; who comes is chosen, or named by their number."""

    coming = PublicId("mem", load_default=None)
    coming_number = PublicId("mem", load_default=None)

    @ma.validates_schema
    def _to_somebody_else(self, data: dict[str, Any], **_: object) -> None:
        named = "coming_number" if data.get("coming_number") else "coming"
        if data.get(named) is None:
            raise ma.ValidationError("Missing data for required field.", named)
        if data.get("leaving") == data[named]:
            raise ma.ValidationError("Choose somebody else than the one who leaves.", named)


@dataclass(frozen=True, slots=True)
class Guarantor:
    """Somebody on whose promises a part of a loan's cover rests."""

    member: Named
    # Of their own standing, and of those behind them.
    own_minor: int
    behind_minor: int

    @property
    def held_minor(self) -> int:
        return self.own_minor + self.behind_minor


@dataclass(frozen=True, slots=True)
class CoverPage:
    """A loan's cover, person by person, and what the reader can ask for."""

    loan: Loan
    currency: str
    borrower: Named
    is_mine: bool
    guarantors: tuple[Guarantor, ...]
    borrower_own_minor: int
    mine: Guarantor | None

    @property
    def held_minor(self) -> int:
        """Each unit is counted once, at whose standing it is."""
        return self.borrower_own_minor + sum(one.own_minor for one in self.guarantors)

    @property
    def moves(self) -> bool:
        """Whether the loan's cover may go over to others as it stands."""
        return self.loan.status in handover.MOVABLE

    @property
    def is_called(self) -> bool:
        return self.loan.status is LoanStatus.CALLED

    @property
    def i_ask(self) -> bool:
        """Whether the reader may ask that somebody else takes over."""
        return self.moves and bool(self.guarantors) and (self.is_mine or self.mine is not None)


@dataclass(frozen=True, slots=True)
class Helper:
    """Whose larger promise or further savings would fill what is missing."""

    name: str
    how: str
    is_me: bool
    # Where the reader can ask for it, or offer it.
    url: str


@dataclass(frozen=True, slots=True)
class Short:
    """What nobody could hold, and who could fill it."""

    missing_minor: int
    currency: str
    helpers: tuple[Helper, ...]
    others: int


@pages.get("/me/loans/<pid(lon):loan_id>/cover")
@requires("cover:read")
def cover(loan_id: str) -> Response:
    """Who covers a loan, what changed of it, and the way out for whoever wants to leave."""
    session = db.session()
    loan = _loan("cover:read", loan_id)
    found, older, first = listed(session, queries.cover_changes_of(loan.id), CoverChange.id)
    return page(
        "member/cover.html",
        view=_cover(session, loan),
        changes=shown_changes(session, found.items),
        my_id=my_public_id(session),
        older=older,
        first=first,
        opens=may("loan:read", loan_facts(session, loan)),
    )


@pages.route("/me/loans/<pid(lon):loan_id>/cover/substitution", methods=["GET", "POST"])
@requires("cover:propose_change")
def substitute(loan_id: str) -> Any:
    """Ask that somebody else takes over what a guarantor covers."""
    session = db.session()
    loan = _loan("cover:propose_change", loan_id)
    view = _cover(session, loan)
    people = _could_come(session, view)

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = _loan("cover:propose_change", loan_id)
        change = handover.propose_substitution(
            session,
            loan_id=found.id,
            leaving_id=members.get_member(session, data["leaving"]).id,
            coming_id=members.get_member(session, data["coming_number"] or data["coming"]).id,
            reason=data["reason"],
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.cover_change", cover_change_id=change.public_id)

    # Who leaves on their own asks for themselves; the borrower chooses.
    leaving = view.mine or (view.guarantors[0] if view.guarantors else None)
    start = {"leaving": leaving.member.public_id if leaving else ""}
    start |= {name: request.args[name] for name in ("leaving", "coming") if name in request.args}
    return answer(
        HandOverSchema,
        work,
        lambda form: page(
            "member/cover_substitute.html", status=form.status, form=form, view=view, people=people
        ),
        start=start,
        said=("member", "handover_asked"),
    )


@pages.route("/me/loans/<pid(lon):loan_id>/cover/release", methods=["GET", "POST"])
@requires("cover:leave")
def release_early(loan_id: str) -> Any:
    """Leave a loan's cover, if the rest of the circle carries what the reader holds."""
    session = db.session()
    view = _cover(session, _loan("cover:leave", loan_id))

    def work(data: dict[str, Any]) -> str:
        found = _loan("cover:leave", loan_id)
        change = handover.release_early(
            db.session(),
            loan_id=found.id,
            member_id=caller().member_id,
            reason=data["reason"],
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.cover_change", cover_change_id=change.public_id)

    return answer(
        ReasonSchema,
        work,
        lambda form: page(
            "member/cover_release.html",
            status=form.status,
            form=form,
            view=view,
            short=_short(db.session(), form, view.borrower),
        ),
        said=("member", "released_said"),
    )


@pages.get("/me/cover-changes")
@requires("cover_change:read")
def cover_changes() -> Response:
    """Changes of cover that ask for my answer, that I asked for, or of a loan of mine."""
    session, me = db.session(), caller().member_id
    permit("cover_change:read", Facts(related_ids=frozenset({me})))
    every = queries.cover_changes_with(me, CoverChangeShow.ALL)
    found, older, first = listed(session, every, CoverChange.id)
    to_answer = changes_to_answer(session, me)
    above = {change.id for change in to_answer}
    return page(
        "member/cover_changes.html",
        to_answer=to_answer,
        changes=[one for one in shown_changes(session, found.items) if one.id not in above],
        my_id=my_public_id(session),
        older=older,
        first=first,
    )


@pages.get("/me/cover-changes/<pid(cvc):cover_change_id>")
@requires("cover_change:read")
@limited("heavy")
def cover_change(cover_change_id: str) -> Response:
    """One change of cover: who has agreed, and for who comes what it would put on them."""
    return _change_page(cover_change_id, Form())


@pages.post("/me/cover-changes/<pid(cvc):cover_change_id>/agreement")
@requires("cover_change:answer")
def agree_to_change(cover_change_id: str) -> Any:
    """Agree; with the last of the three the cover goes over."""

    def work(data: dict[str, Any]) -> str:
        change = _change("cover_change:answer", cover_change_id)
        handover.agree(
            db.session(),
            change_id=change.id,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.cover_change", cover_change_id=cover_change_id)

    return answer(
        Nothing,
        work,
        lambda form: _change_page(cover_change_id, form),
        said=("member", "change_agreed_said"),
    )


@pages.post("/me/cover-changes/<pid(cvc):cover_change_id>/refusal")
@requires("cover_change:answer")
def refuse_change(cover_change_id: str) -> Any:
    """Say no, or withdraw what one asked for: all stays as it was."""

    def work(data: dict[str, Any]) -> str:
        change = _change("cover_change:answer", cover_change_id)
        handover.refuse(db.session(), change_id=change.id, now=now(), actor_id=caller().member_id)
        return url_for("member.cover_change", cover_change_id=cover_change_id)

    return answer(
        Nothing,
        work,
        lambda form: _change_page(cover_change_id, form),
        said=("member", "change_refused_said"),
    )


def _loan(action: str, loan_id: str) -> Loan:
    session = db.session()
    found = loans.get_loan(session, loan_id)
    permit(action, loan_facts(session, found))
    return found


def _change(action: str, cover_change_id: str) -> CoverChange:
    session = db.session()
    found = queries.get_cover_change(session, cover_change_id)
    permit(action, cover_change_facts(session, found))
    return found


def _cover(session: Session, loan: Loan) -> CoverPage:
    lines = queries.list_lines(session, loan_id=loan.id)
    ids = {line.standing_of_id for line in lines} | {line.via_id for line in lines}
    people = members.names_of(session, [*ids, loan.borrower_id])
    guarantors = _by_guarantor(lines, people)
    me = caller().member_id
    return CoverPage(
        loan=loan,
        currency=loan_service.currency_of(loan),
        borrower=people[loan.borrower_id],
        is_mine=loan.borrower_id == me,
        guarantors=tuple(guarantors.values()),
        borrower_own_minor=sum(line.held_minor for line in lines if line.inner_vouch is None),
        mine=guarantors.get(me),
    )


def _by_guarantor(lines: Iterable[LineView], people: Mapping[int, Named]) -> dict[int, Guarantor]:
    """Everybody on whose promises something is held, those who hold most first."""
    own: dict[int, int] = {}
    behind: dict[int, int] = {}
    for line in lines:
        if line.inner_vouch is None or not line.held_minor:
            continue
        own[line.standing_of_id] = own.get(line.standing_of_id, 0) + line.held_minor
        if line.via_id is not None:
            behind[line.via_id] = behind.get(line.via_id, 0) + line.held_minor
    found = {
        member_id: Guarantor(people[member_id], own.get(member_id, 0), behind.get(member_id, 0))
        for member_id in own.keys() | behind.keys()
    }
    return dict(
        sorted(found.items(), key=lambda item: (-item[1].held_minor, item[1].member.public_id))
    )


def _could_come(session: Session, view: CoverPage) -> list[tuple[Named, int | None]]:
    """Whom the reader could ask to take over; for the borrower, what each has free for them."""
    me = members.get_member_by_id(session, caller().member_id)
    community = communities.get_community_by_id(session, view.loan.community_id)
    people = {one.public_id: one for one in known_people(session, [community], me)}
    people |= {one.member.public_id: one.member for one in view.guarantors}
    people.pop(view.borrower.public_id, None)
    if not view.is_mine:
        people.pop(me.public_id, None)
    free = _promised_to(session, community, me.id) if view.is_mine else {}
    return sorted(
        ((one, free.get(one.public_id) if view.is_mine else None) for one in people.values()),
        key=lambda item: (-(item[1] or 0), item[0].name, item[0].public_id),
    )


def _promised_to(session: Session, community: Community, borrower_id: int) -> dict[str, int]:
    """By who promised: what is free of their live promises to somebody."""
    rows = session.scalars(
        select(Vouch).where(
            Vouch.community_id == community.id,
            Vouch.borrower_id == borrower_id,
            Vouch.status == VouchStatus.LIVE,
            Vouch.expires_on >= today(),
        )
    ).all()
    names = members.names_of(session, (row.voucher_id for row in rows))
    free: dict[str, int] = {}
    for row in rows:
        who = names[row.voucher_id].public_id
        free[who] = free.get(who, 0) + row.limit_minor - row.reserved_minor - row.spent_minor
    return free


def _change_page(cover_change_id: str, form: Form) -> Response:
    session, me = db.session(), caller().member_id
    found = _change("cover_change:read", cover_change_id)
    [change] = shown_changes(session, [found])
    my_id = my_public_id(session)
    loan = loans.get_loan_by_id(session, found.loan_id)
    preview: Takeover | None = None
    reason: CommunityError | None = None
    is_open = found.status is CoverChangeStatus.PROPOSED
    if is_open and found.coming_id == me:
        permit("cover_change:preview", cover_change_facts(session, found))
        try:
            preview = handover.preview_takeover(session, found, on=today())
        except CommunityError as refusal:
            reason = refusal
    return page(
        "member/cover_change.html",
        status=form.status,
        form=form,
        change=change,
        preview=preview,
        reason=reason,
        short=_short(session, form, change.borrower),
        is_open=is_open,
        my_id=my_id,
        i_answer=my_id in {one.public_id for one in change.waiting_for},
        i_asked=found.proposed_by_id == me,
        i_agree=me in (found.leaving_id, found.coming_id, loan.borrower_id),
        opens=may("cover:read", loan_facts(session, loan)),
    )


def _short(session: Session, form: Form, borrower: Named) -> Short | None:
    """What a refusal says is missing, with the way to it where the reader has one."""
    refusal = form.refusal
    if not isinstance(refusal, CoverShortOf):
        return None
    missing: Mapping[str, str] = refusal.members["missing"]
    told: Sequence[Mapping[str, str]] = refusal.members["could_fill"]
    me = my_public_id(session)

    def way(person: Mapping[str, str]) -> str:
        if person["how"] != "raise_promise":
            return ""
        if person["id"] == me:
            return url_for("member.offer_vouch", side="voucher", other=borrower.public_id)
        if borrower.public_id == me:
            return url_for("member.offer_vouch", side="borrower", other=person["id"])
        return ""

    return Short(
        missing_minor=parse_minor(missing["amount"], missing["currency"]),
        currency=missing["currency"],
        helpers=tuple(
            Helper(person["name"], person["how"], person["id"] == me, way(person))
            for person in told
        ),
        others=int(str(refusal.members["others"])),
    )
