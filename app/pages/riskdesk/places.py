"""Which community's desk somebody looks at: chosen once, kept while they go from page to page."""

from dataclasses import dataclass

from flask import request, session
from sqlalchemy import select

from app.extensions import db
from app.permissions import Facts, may, permit
from community.communities.models import Community
from community.errors import NotFound
from community.loans.models import Loan

_KEPT = "desk_community"
# More are found by their address; a list of all would not fit on a page.
_LISTED = 200


@dataclass(frozen=True, slots=True)
class Place:
    """The community that a page is about, and those that the reader may choose from."""

    community: Community
    choices: tuple[tuple[str, str], ...]


def place_for(action: str) -> Place:
    """The community asked for, else the one looked at last, else the oldest of theirs that lends.

    Raises NotFound where the reader may do this in no community.
    """
    asked = request.args.get("community", "")
    rows = db.session().scalars(select(Community).order_by(Community.name, Community.id))
    mine = [each for each in rows if may(action, Facts(path=each.path_ids))]
    by_id = {each.public_id: each for each in mine}
    if asked and asked not in by_id:
        raise NotFound()
    lending = set(db.session().scalars(select(Loan.community_id).distinct()))
    first = min(mine, key=lambda each: (each.id not in lending, each.id), default=None)
    chosen = by_id.get(asked) or by_id.get(session.get(_KEPT, "")) or first
    if chosen is None:
        raise NotFound()
    permit(action, Facts(path=chosen.path_ids))
    if asked:
        session[_KEPT] = chosen.public_id
    return Place(chosen, tuple((each.public_id, each.name) for each in mine[:_LISTED]))
