"""What the rows of members, roles and tokens can prove."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.members.models import ApiToken, EnrolmentCode, PageSession
from community.members.service import SCOPES


def check_members(session: Session) -> Iterator[Breach]:
    """Law 9, the part that rows show: every token is hashed, ends, and is for something."""
    tokens = session.execute(
        select(ApiToken).order_by(ApiToken.id).execution_options(yield_per=1000)
    ).scalars()
    for token in tokens:
        row = ("api_tokens", str(token.id))
        if len(token.digest) != 64:
            yield Breach(9, *row, "is not kept as a digest")
        if token.expires_at <= token.created_at:
            yield Breach(9, *row, "ends before it begins")
        if not set(token.scopes) <= SCOPES:
            yield Breach(9, *row, "has a scope that does not exist")
    yield from _secrets(session)


def _secrets(session: Session) -> Iterator[Breach]:
    for table in (EnrolmentCode, PageSession):
        rows = session.execute(
            select(table.id, table.digest, table.created_at, table.expires_at).order_by(table.id)
        )
        for row in rows:
            if len(row.digest) != 64:
                yield Breach(9, table.__tablename__, str(row.id), "is not kept as a digest")
            if row.expires_at <= row.created_at:
                yield Breach(9, table.__tablename__, str(row.id), "ends before it begins")
