"""Lists that go on over several pages."""

from typing import Any

from flask import request, url_for
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.paging import Page, PageArgs, paginate

ROWS = 20


def listed(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    key: InstrumentedAttribute[int] | ColumnElement[int],
    *,
    newest_first: bool = True,
    rows: int = ROWS,
    **filters: str,
) -> tuple[Page, str, str]:
    """A part of a list, the address of what follows, and that of its beginning if this is not it.

    `filters` are what else stands in the address of this list, such as the state it shows. A
    cursor that is not of this list is refused as the API refuses it.
    """
    args = PageArgs(only=("cursor",)).load(
        {"cursor": request.args["cursor"]} if "cursor" in request.args else {}
    )
    found = paginate(
        session, statement, key=key, args={**args, "limit": rows}, newest_first=newest_first
    )
    here = {**(request.view_args or {}), **filters}
    endpoint = request.endpoint or ""
    older = (
        url_for(endpoint, **here, cursor=found.next_cursor) if found.next_cursor is not None else ""
    )
    first = url_for(endpoint, **here) if "cursor" in request.args else ""
    return found, older, first
