"""What the rows of members, roles and tokens can prove."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.members.models import ApiToken
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
