"""Changes of cover that wait for a member's answer: on the pages where one looks for tasks."""

from types import SimpleNamespace

from sqlalchemy.orm import Session

from app.guarantees.views import cover_changes
from app.permissions import Facts, permit
from community.guarantees.models import CoverChange
from community.guarantees.queries import CoverChangeShow, cover_changes_with

# On one page; `/me/cover-changes` has the rest.
_MOST_SHOWN = 20


def changes_to_answer(session: Session, member_id: int) -> list[SimpleNamespace]:
    """What waits for a member's yes or no, newest first."""
    permit("cover_change:read", Facts(related_ids=frozenset({member_id})))
    waiting = cover_changes_with(member_id, CoverChangeShow.TO_ANSWER)
    rows = session.scalars(waiting.order_by(CoverChange.id.desc()).limit(_MOST_SHOWN)).all()
    return cover_changes(session, rows)
