"""Lists of pages go on to their end and back to their beginning, and stay the list they are."""

import html
import re
from typing import Any

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from app.extensions import db
from app.pages import lists
from tests.api.world import World
from tests.reading import Reader, check_html

pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)

_PAGER = re.compile(r'<nav class="pager".*?</nav>', re.S)
_WAYS = re.compile(r'<a class="button quiet" href="([^"]+)">(Next page|First page)')


@pytest.mark.parametrize(
    ("who", "path", "item"),
    [
        ("operator", "/office", r"/office/(com_\w+)"),
        ("operator", "/office/@village/books/entries", r"/books/entries/(\d+)"),
        ("operator", "/office/@village/members?status=active", r"/members/(mem_\w+)"),
        ("operator", "/office/@village/loans?status=approved", r"/loans/(lon_\w+)"),
        ("operator", "/office/@village/products", r"/products/(prd_\w+)"),
        ("operator", "/office/@village/themes", r"/themes/(thm_\w+)"),
        ("operator", "/office/@village/feedback", r"/feedback/(fbk_\w+)"),
        ("auditor", "/office/@village/complaints?status=open", r"/complaints/(cpl_\w+)"),
        ("auditor", "/audit/@village/cases", r"/cases/(cas_\w+)"),
    ],
)
def test_a_list_goes_on_one_by_one_to_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch, who: str, path: str, item: str
) -> None:
    reader = Reader(world.app, "en").sign_in(world.tokens[who])
    start = world.named(path)
    reader.open(start)  # what is read once for all is read by the first
    whole_page, statements = _read(world, reader, start)
    whole = _items(whole_page.text, item)
    assert len(whole) > 1
    plain = lists.paginate

    def one_each(*given, args, **more):  # type: ignore[no-untyped-def]
        return plain(*given, args={**args, "limit": 1}, **more)

    monkeypatch.setattr(lists, "paginate", one_each)
    seen: list[str] = []
    most = 0
    at = start
    while at and len(seen) < len(whole):
        shown, each = _read(world, reader, at)
        most = max(most, each)
        check_html(shown, "en")
        ways = {name: html.unescape(way) for way, name in _ways(shown.text)}
        # From every later page the way back is the list that one began with.
        assert ways.pop("First page", None) == (None if at == start else start)
        [now] = _items(shown.text, item)
        seen.append(now)
        at = ways.pop("Next page", "")
    assert seen == whole
    # Many rows are read by no more statements than one.
    assert statements <= most


def _read(world: World, reader: Reader, path: str) -> tuple[TestResponse, int]:
    """A page, and by how many statements it was read."""
    asked: list[str] = []

    def note(*given: Any) -> None:
        asked.append(given[2])

    with world.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        return reader.open(path), len(asked)
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    reader = Reader(world.app, "en").sign_in(world.tokens["operator"])
    shown = reader.open(world.named("/office/@village/books/entries?cursor=of-none"))
    assert shown.status_code == 422
    assert "The cursor is not of this list" in shown.text


def _items(text: str, item: str) -> list[str]:
    main = text.partition("<main")[2].partition("</main>")[0]
    return list(dict.fromkeys(re.findall(rf'href="[^"]*?{item}"', main)))


def _ways(text: str) -> list[tuple[str, str]]:
    return [way for pager in _PAGER.findall(text) for way in _WAYS.findall(pager)]
