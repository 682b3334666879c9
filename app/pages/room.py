"""A room of pages: a blueprint whose views are for people who are signed in.

`pages = Room("member", __name__)` in `app/pages/<kind>/routes.py`; its templates lie in
`templates/<kind>/`, its words in `words.toml`. Refusals become pages in the reader's language.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flask
from flask import Response

from app.pages import permissions as _permissions  # noqa: F401  what is open to everybody
from community.errors import CommunityError


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a room's navigation: the word for it, and the endpoint that it leads to."""

    word: str
    endpoint: str
    # Whose navigation it stands in: of all kinds of the room if none is named.
    kinds: tuple[str, ...] = ()
    # The argument of its address that names a community, where it is not a part of the path.
    place: str = ""


class Room(flask.Blueprint):
    """Pages of one kind of people, or of one matter; a matter may belong to a kind of people.

    `Room("riskdesk", __name__, kinds=("operator", "auditor"))`: its listed pages stand in the
    navigation of both, beside those of their own rooms.
    """

    def __init__(self, name: str, import_name: str, *, kinds: tuple[str, ...] = ()) -> None:
        super().__init__(name, import_name, template_folder="templates")
        self.kinds = kinds or (name,)
        self.entries: list[Entry] = []
        self.register_error_handler(CommunityError, _refusal_page)

    def listed(
        self, word: str, *, kinds: tuple[str, ...] = (), place: str = ""
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Put a view into the room's navigation. Stands above its route."""

        def mark(view: Callable[..., Any]) -> Callable[..., Any]:
            self.entries.append(Entry(word, f"{self.name}.{view.__name__}", kinds, place))
            return view

        return mark


def _refusal_page(refusal: CommunityError) -> Response:
    from app.pages.layout import refusal_page

    return refusal_page(refusal)
