"""The room that all pages of the office are of, and what each of them begins with."""

from typing import Any

from flask import Response

from app.communities.facts import community_facts
from app.extensions import db
from app.pages.entry import language
from app.pages.layout import page
from app.pages.office import permissions as _permissions  # noqa: F401  declares who may come in
from app.pages.office.values import choice_name
from app.pages.room import Room
from app.pages.words import Words
from app.permissions import may, permit
from community.communities import queries as communities
from community.communities.models import Community

pages = Room("office", "app.pages.office")


def enter(community_id: str, action: str = "office:read") -> Community:
    """The community that a page is of, if the caller looks after it or audits it, and may."""
    session = db.session()
    community = communities.get_community(session, community_id)
    facts = community_facts(session, community)
    permit("office:read", facts)
    permit(action, facts)
    return community


def can(community: Community, action: str) -> bool:
    """Whether to offer an action: its button is for those who may."""
    return may(action, community_facts(db.session(), community))


def show(template: str, community: Community, **facts: Any) -> Response:
    """A page of a community's office."""
    return page(f"office/{template}.html", community=community, choice_name=choice_name, **facts)


def words() -> Words:
    """The office's words in the reader's language."""
    return Words("office", language())
