"""The room of a member's own pages; its views stand in the modules beside this one."""

from sqlalchemy.orm import Session

from app.auth import caller
from app.pages.room import Room
from community.members import queries as members

pages = Room("member", "app.pages.member")


def my_public_id(session: Session) -> str:
    """By which one finds oneself among those whom a view names."""
    return members.get_member_by_id(session, caller().member_id).public_id
