"""Somebody who reads pages without a browser: forms are filled in and sent as they were shown."""

import re
from html.parser import HTMLParser

from flask import Flask
from werkzeug.test import TestResponse

_VOID = {"meta", "link", "img", "input", "br", "hr"}


class Reader:
    """One browser's cookies."""

    def __init__(self, app: Flask, language: str = "en") -> None:
        self.client = app.test_client()
        self.headers = {"Accept-Language": language}

    def open(self, path: str) -> TestResponse:
        """A page; redirects are not followed."""
        return self.client.get(path, headers=self.headers)

    def send(
        self, path: str, *, shown: str = "", headers: dict[str, str] | None = None, **fields: str
    ) -> TestResponse:
        """The form that stands on the page `shown` (or on `path` itself), with these fields."""
        page = self.open(shown or path)
        return self.client.post(
            path, data=hidden(page.text) | fields, headers=self.headers | (headers or {})
        )

    def sign_in(self, token: str) -> "Reader":
        """By token."""
        answer = self.send("/sign-in/token", token=token)
        assert answer.status_code == 303, answer.text
        return self


def hidden(text: str) -> dict[str, str]:
    """The proof and the key that a page's forms carry, and where to go on."""
    found = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
    assert "form_proof" in found
    return found


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.language = ""
        self.ids: list[str] = []
        # Of the table that is open: how many cells each row has.
        self.rows: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if len(named) < len(attrs):
            self.faults.append(f"an attribute of <{tag}> is there twice")
        if "id" in named:
            self.ids.append(named["id"] or "")
        if tag == "table":
            self.rows = []
        elif tag == "tr":
            self.rows.append(0)
        elif tag in ("td", "th"):
            assert "rowspan" not in named  # would have to be counted
            self.rows[-1] += int(named.get("colspan") or 1)
        if tag == "html":
            self.language = named.get("lang") or ""
        self.faults += [
            f"<{tag} {name}>" for name in named if name == "style" or name.startswith("on")
        ]
        if tag == "style" or (tag == "script" and not named.get("src")):
            self.faults.append(f"<{tag}> inside the page")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if tag == "table" and len(set(self.rows)) > 1:
            self.faults.append(f"a table at {self.getpos()} has rows of {sorted(set(self.rows))}")
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")
        elif self.open:
            self.open.pop()


def check_html(answer: TestResponse, language: str) -> None:
    """A page is well formed, of this language, under the strict policy, with nothing inline."""
    parser = _Tags()
    parser.feed(answer.text)
    assert parser.faults == []
    assert parser.open == []
    assert sorted({name for name in parser.ids if parser.ids.count(name) > 1}) == []
    assert parser.language == language == answer.headers["Content-Language"]
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r'(?:src|href|action)="(?:https?:|//|data:)', answer.text)
    # A picture has its numbers beside it, and their file.
    for picture in re.findall(r'<figure class="picture.*?</figure>', answer.text, re.DOTALL):
        assert "<table" in picture
        assert re.search(r'<a href="/[^"]+" download>', picture)
    assert len(answer.data) < 120_000
