"""What is known of a member, by who asks; how those whom a member stood behind paid."""

from datetime import date
from typing import Any

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import today
from app.communities.facts import membership_facts
from app.extensions import db
from app.marks import limited
from app.paging import Page, page_of, paginate
from app.permissions import Facts, permit, requires
from app.profiles import permissions as _permissions  # noqa: F401  declares this room's actions
from app.profiles import views
from app.profiles.facts import viewed
from app.profiles.schemas import (
    ProfileArgs,
    ProfileSchema,
    VoucherFiguresSchema,
    VoucherRecordArgs,
    VoucherRecordsArgs,
    VoucherRecordSchema,
)
from app.sheets import CSV_DOC, sheet, wants_csv
from community.communities import queries as communities
from community.errors import Invalid
from community.members import queries as members
from community.members.models import Member
from community.profiles.profile import profile_of
from community.vouching.records import all_records, records_of, vouchers_in

blp = Blueprint("profiles", __name__, description="Member profiles (会员画像), voucher records")


@blp.route("/members/<pid(mem):member_id>/profile")
@requires("profile:read")
@blp.arguments(ProfileArgs, location="query")
@blp.response(200, ProfileSchema)
def get_profile(args: dict[str, Any], member_id: str) -> Any:
    """A member's profile in a community: as much of it as the caller's relation to them shows."""
    session = db.session()
    member = members.get_member(session, member_id)
    community = communities.get_community(session, args["community"])
    seen = viewed(session, community, member)
    permit("profile:read", seen.facts)
    return views.profile_view(
        profile_of(
            session,
            community_id=community.id,
            member_id=member.id,
            viewer_id=caller().member_id,
            relations=seen.relations,
            ties=seen.ties,
            on=today(),
            since=args["since"],
        )
    )


@blp.route("/members/<pid(mem):member_id>/voucher-record")
@requires("voucher-record:read")
@blp.arguments(VoucherRecordArgs, location="query")
@blp.response(200, VoucherRecordSchema)
def get_voucher_record(args: dict[str, Any], member_id: str) -> Any:
    """How those whom a member stood behind paid from their own money, loan by loan."""
    session = db.session()
    member = members.get_member(session, member_id)
    community = communities.get_community(session, args["community"])
    permit("voucher-record:read", membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    on = _day(args["on"])
    charter = communities.charter_on(session, community.id, on)
    record = records_of(session, community.id, [member.id], on, charter)[member.id]
    return views.record_view(session, community, record, charter)


@blp.route("/communities/<pid(com):community_id>/voucher-records")
@requires("voucher-records:list")
@limited("heavy")
@blp.arguments(VoucherRecordsArgs, location="query")
@blp.response(200, page_of(VoucherFiguresSchema))
@blp.doc(**CSV_DOC)
def list_voucher_records(args: dict[str, Any], community_id: str) -> Page | Response:
    """The records of all who vouched for a loan here: page by page, or all of them as a sheet."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("voucher-records:list", Facts(path=community.path_ids))
    on = _day(args["on"])
    charter = communities.charter_on(session, community.id, on)
    if wants_csv(args["format"]):
        found = list(all_records(session, community.id, on, charter))
        return sheet("voucher-records", views.HEADER, views.records_table(session, found, charter))
    page = _vouchers(session, community.id, on, args)
    ids = [member.id for member in page.items]
    records = records_of(session, community.id, ids, on, charter)
    people = members.names_of(session, ids)
    return Page([views.figures_view(records[i], people) for i in ids], page.next_cursor)


def _vouchers(session: Session, community_id: int, on: date, args: dict[str, Any]) -> Page:
    statement = select(Member).where(Member.id.in_(vouchers_in(community_id, on)))
    return paginate(session, statement, key=Member.id, args=args)


def _day(on: date | None) -> date:
    if on is not None and on > today():
        raise Invalid("Nothing is known of days to come.", field="on")
    return on or today()
