"""Collection sheets, bank statements, suspense and receipts."""

import io
from collections.abc import Sequence
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.groups.facts import group_facts
from app.idempotency import money_moving
from app.marks import accepts, never_refused, versioned
from app.paging import Page, PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import Facts, may, permit, requires
from app.receiving import permissions as _permissions  # noqa: F401  declares this room's actions
from app.receiving import views
from app.receiving.schemas import (
    BankApplicationSchema,
    BankDepositSchema,
    BankLineArgs,
    BankLineSchema,
    BankReturnSchema,
    BankStatementSchema,
    CollectionChangeSchema,
    CollectionInSchema,
    CollectionSchema,
    ReceiptSchema,
    SheetArgs,
    SheetSchema,
    SuspenseSchema,
)
from app.transaction import transactional
from community.communities import queries as communities
from community.groups import queries as groups
from community.groups.models import Group
from community.importing.report import Report
from community.importing.sheets import SheetRow, read_sheet, write_sheet
from community.importing.statements import StatementReport, import_statement, read_statement
from community.loans import queries as loans
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.money import Money
from community.receiving import bank, collecting, queries
from community.receiving.collecting import Entry
from community.receiving.errors import LineRefused
from community.receiving.models import BankLine, Collection
from community.receiving.sheet import Sheet, sheet_of

blp = Blueprint("receiving", __name__, description="Money coming in: sheets, bank, receipts")

# A request has to be answered while somebody waits; longer files go by `flask import statement`.
STATEMENT_ROWS_MAX = 200

CSV_BODY = {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
CSV_TEXT = {"type": "string"}


@blp.route("/groups/<pid(grp):group_id>/collection-sheet")
@requires("collection:read")
@blp.arguments(SheetArgs, location="query")
@blp.response(200, SheetSchema)
def get_sheet(args: dict[str, Any], group_id: str) -> dict[str, Any]:
    """A group's page for a meeting: everybody's dues and savings; for a plain member, their own."""
    return views.sheet_view(_sheet(args, group_id))


@blp.route("/groups/<pid(grp):group_id>/collection-sheet.csv")
@requires("collection:read")
@blp.arguments(SheetArgs, location="query")
@blp.response(200, CSV_TEXT, content_type="text/csv")
def get_sheet_csv(args: dict[str, Any], group_id: str) -> Response:
    """The same as a file to be filled in, with or without a connection, and sent back."""
    text = write_sheet(views.sheet_rows(_sheet(args, group_id)))
    return Response(text, mimetype="text/csv")


@blp.route("/groups/<pid(grp):group_id>/collections")
@requires("collection:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CollectionSchema))
def list_collections(args: dict[str, Any], group_id: str) -> Page:
    """A group's sheets, newest first; for a plain member, with their own lines."""
    session = db.session()
    group = groups.get_group(session, group_id)
    only = _only(session, group)
    page = paginate(
        session,
        queries.list_collections(group.id),
        key=Collection.id,
        args=args,
        newest_first=True,
    )
    return Page(views.collection_views(session, page.items, only), page.next_cursor)


@blp.route("/groups/<pid(grp):group_id>/collections", methods=["POST"])
@requires("collection:post")
@never_refused
@blp.arguments(CollectionInSchema)
@money_moving(CollectionSchema)
def collect(data: dict[str, Any], group_id: str) -> dict[str, Any]:
    """Post a whole sheet, all of it or nothing; the same sheet again is answered, not posted."""
    session = db.session()
    group = _led_group(session, group_id)
    return _collected(
        session,
        group,
        _entries(session, data),
        client_id=data["client_id"],
        collected_on=data["on"] or today(),
        total=data["total"],
    )


@blp.route("/groups/<pid(grp):group_id>/collections/csv", methods=["POST"])
@requires("collection:post")
@never_refused
@accepts("text/csv")
@blp.doc(requestBody=CSV_BODY)
@money_moving(CollectionSchema)
def collect_csv(group_id: str) -> dict[str, Any]:
    """Post a sheet that was filled in as a file; it names itself, so it is posted once."""
    session = db.session()
    group = _led_group(session, group_id)
    report = Report("sheet")
    rows = read_sheet(io.BytesIO(request.get_data(cache=True)), report)
    report.refuse_if_faulty()
    currency = communities.get_community_by_id(session, group.community_id).currency
    return _collected(
        session,
        group,
        _entries_of_file(session, rows, currency),
        client_id=rows[0].sheet,
        collected_on=rows[0].collected_on,
        total=None,
    )


@blp.route("/groups/<pid(grp):group_id>/collection-drafts", methods=["POST"])
@requires("collection:post")
@blp.arguments(CollectionInSchema)
@blp.response(201, CollectionSchema)
@transactional
def enter_draft(data: dict[str, Any], group_id: str) -> dict[str, Any]:
    """Keep a sheet as a draft; nothing is booked."""
    session = db.session()
    group = _led_group(session, group_id)
    row = collecting.enter(
        session,
        group_id=group.id,
        entries=_entries(session, data),
        client_id=data["client_id"],
        collected_on=data["on"] or today(),
        total=data["total"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    show_etag(row.version)
    return views.collection_view(session, row, None)


@blp.route("/collections/<pid(col):collection_id>")
@requires("collection:read")
@blp.response(200, CollectionSchema)
def get_collection(collection_id: str) -> dict[str, Any]:
    """One sheet with its receipts; for a plain member, with their own lines."""
    session = db.session()
    row = queries.get_collection(session, collection_id)
    only = _only(session, groups.get_group_by_id(session, row.group_id))
    show_etag(row.version)
    return views.collection_view(session, row, only)


@blp.route("/collections/<pid(col):collection_id>", methods=["PUT"])
@requires("collection:post")
@versioned
@blp.arguments(CollectionChangeSchema)
@blp.response(200, CollectionSchema)
@transactional
def change_draft(data: dict[str, Any], collection_id: str) -> dict[str, Any]:
    """Write a draft anew, all its lines; a posted sheet does not change."""
    session = db.session()
    row = queries.get_collection_for_update(session, collection_id)
    permit("collection:post", group_facts(session, groups.get_group_by_id(session, row.group_id)))
    check_etag(row.version)
    row = collecting.change(
        session,
        collection=row,
        entries=_entries(session, data),
        collected_on=data["on"] or today(),
        total=data["total"],
        on=today(),
    )
    show_etag(row.version)
    return views.collection_view(session, row, None)


@blp.route("/collections/<pid(col):collection_id>/posting", methods=["POST"])
@requires("collection:post")
@never_refused
@money_moving(CollectionSchema)
def post_draft(collection_id: str) -> dict[str, Any]:
    """Post a draft, all of it or nothing; a posted one is answered as it is."""
    session = db.session()
    row = queries.get_collection(session, collection_id)
    permit("collection:post", group_facts(session, groups.get_group_by_id(session, row.group_id)))
    row = collecting.post(
        session, collection_id=row.id, on=today(), now=now(), actor_id=caller().member_id
    )
    return views.collection_view(session, row, None)


@blp.route("/communities/<pid(com):community_id>/bank-statements", methods=["POST"])
@requires("bank-line:import")
@never_refused
@accepts("text/csv")
@blp.doc(requestBody=CSV_BODY)
@money_moving(BankStatementSchema)
def take_statement(community_id: str) -> dict[str, Any]:
    """Take in a bank statement: credits go to loans or into suspense, debits are left alone.

    Columns: reference, booked_on, amount, and if known currency, payer_name, payer_account, text.
    """
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("bank-line:import", Facts(path=community.path_ids))
    report = StatementReport("statement")
    body = io.BytesIO(request.get_data(cache=True))
    rows = read_statement(body, report, on=today(), rows_max=STATEMENT_ROWS_MAX)
    import_statement(
        session,
        rows,
        report,
        community_id=community.id,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.statement_view(session, report, rows)


@blp.route("/communities/<pid(com):community_id>/bank-lines")
@requires("bank-line:read")
@blp.arguments(BankLineArgs, location="query")
@blp.response(200, page_of(BankLineSchema))
def list_bank_lines(args: dict[str, Any], community_id: str) -> Page:
    """The lines of a community's bank statements, as they came in."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("bank-line:read", Facts(path=community.path_ids))
    page = paginate(
        session,
        queries.list_bank_lines(community.id, args["status"]),
        key=BankLine.id,
        args=args,
    )
    return Page(views.bank_line_views(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/suspense")
@requires("bank-line:read")
@blp.response(200, SuspenseSchema)
def get_suspense(community_id: str) -> dict[str, Any]:
    """What is in suspense, by how long."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("bank-line:read", Facts(path=community.path_ids))
    on = today()
    days = queries.suspense_by_day(session, community_id=community.id, on=on)
    return views.suspense_view(days, on)


@blp.route("/bank-lines/<pid(bkl):bank_line_id>")
@requires("bank-line:read")
@blp.response(200, BankLineSchema)
def get_bank_line(bank_line_id: str) -> dict[str, Any]:
    """One bank line: where it went and why."""
    session = db.session()
    row = bank.get_line(session, bank_line_id)
    permit("bank-line:read", _facts_of(session, row))
    return views.bank_line_view(session, row)


@blp.route("/bank-lines/<pid(bkl):bank_line_id>/application", methods=["POST"])
@requires("bank-line:settle")
@never_refused
@blp.arguments(BankApplicationSchema)
@money_moving(BankLineSchema)
def apply_bank_line(data: dict[str, Any], bank_line_id: str) -> dict[str, Any]:
    """Money in suspense goes to a loan."""
    session = db.session()
    row = bank.get_line(session, bank_line_id)
    permit("bank-line:settle", _facts_of(session, row))
    payer = None if data["payer"] is None else members.get_member(session, data["payer"]).id
    row = bank.apply_line(
        session,
        line_id=row.id,
        loan_id=loans.get_loan(session, data["loan"]).id,
        payer_id=payer,
        remember=data["remember_account"],
        note=data["note"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.bank_line_view(session, row)


@blp.route("/bank-lines/<pid(bkl):bank_line_id>/deposit", methods=["POST"])
@requires("bank-line:settle")
@blp.arguments(BankDepositSchema)
@money_moving(BankLineSchema)
def save_bank_line(data: dict[str, Any], bank_line_id: str) -> dict[str, Any]:
    """Money in suspense goes to a member's savings."""
    session = db.session()
    row = bank.get_line(session, bank_line_id)
    permit("bank-line:settle", _facts_of(session, row))
    row = bank.save_line(
        session,
        line_id=row.id,
        member_id=members.get_member(session, data["member"]).id,
        remember=data["remember_account"],
        note=data["note"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.bank_line_view(session, row)


@blp.route("/bank-lines/<pid(bkl):bank_line_id>/return", methods=["POST"])
@requires("bank-line:settle")
@blp.arguments(BankReturnSchema)
@money_moving(BankLineSchema)
def return_bank_line(data: dict[str, Any], bank_line_id: str) -> dict[str, Any]:
    """Money in suspense goes back to whoever sent it."""
    session = db.session()
    row = bank.get_line(session, bank_line_id)
    permit("bank-line:settle", _facts_of(session, row))
    row = bank.return_line(
        session,
        line_id=row.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.bank_line_view(session, row)


@blp.route("/receipts/<pid(rcp):receipt_id>")
@requires("receipt:read")
@blp.response(200, ReceiptSchema)
def get_receipt(receipt_id: str) -> dict[str, Any]:
    """A receipt: every part of the money, its entry in the book, and what is left."""
    return views.receipt_view(db.session(), receipt_id)


def _sheet(args: dict[str, Any], group_id: str) -> Sheet:
    session = db.session()
    group = groups.get_group(session, group_id)
    only = _only(session, group)
    return sheet_of(
        session,
        group=group,
        on=args["on"] or today(),
        only=None if only is None else [only],
    )


def _only(session: Session, group: Group) -> int | None:
    """Whose lines alone the caller may see: their own; None for who may see everybody's."""
    facts = group_facts(session, group)
    permit("collection:read", facts)
    return None if may("collection:review", facts) else caller().member_id


def _led_group(session: Session, group_id: str) -> Group:
    group = groups.get_group(session, group_id)
    permit("collection:post", group_facts(session, group))
    return group


def _facts_of(session: Session, row: BankLine) -> Facts:
    return Facts(path=communities.get_community_by_id(session, row.community_id).path_ids)


def _collected(
    session: Session, group: Group, entries: Sequence[Entry], **sheet: Any
) -> dict[str, Any]:
    row = collecting.collect(
        session,
        group_id=group.id,
        entries=entries,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        **sheet,
    )
    return views.collection_view(session, row, None)


def _entries(session: Session, data: dict[str, Any]) -> list[Entry]:
    """The lines of a body, then its deposits, with what they name looked up."""
    return _looked_up(
        session,
        [
            (line["loan"], None, line["amount"], line["payer"], line["absent"], line["note"])
            for line in data["lines"]
        ]
        + [
            (None, line["member"], line["amount"], None, False, line["note"])
            for line in data["deposits"]
        ],
    )


def _entries_of_file(session: Session, rows: Sequence[SheetRow], currency: str) -> list[Entry]:
    return _looked_up(
        session,
        [
            (
                row.loan,
                row.member,
                Money.parse(row.amount or "0", currency),
                row.payer,
                row.absent,
                row.note,
            )
            for row in rows
        ],
    )


def _looked_up(
    session: Session,
    lines: Sequence[tuple[str | None, str | None, Money, str | None, bool, str]],
) -> list[Entry]:
    owing = loans.find_loans(session, {loan for loan, *_ in lines if loan is not None})
    people = members.find_members(
        session, {one for _, member, _, payer, *_ in lines for one in (member, payer) if one}
    )
    entries = []
    for number, (loan, member, amount, payer, absent, note) in enumerate(lines, 1):
        if payer is not None and payer not in people:
            raise MemberNotFound(line=number)
        found = owing.get(loan or "")
        saver = people.get(member or "")
        owner_id = found.borrower_id if found is not None else None
        if saver is not None and loan is None:
            owner_id = saver.id
        if owner_id is None or (saver is not None and saver.id != owner_id):
            raise LineRefused(
                f"Line {number}: there is nothing of this id in the group.", line=number
            )
        entries.append(
            Entry(
                member_id=owner_id,
                loan_id=None if found is None else found.id,
                amount=amount,
                payer_id=None if payer is None else people[payer].id,
                absent=absent,
                note=note,
            )
        )
    return entries
