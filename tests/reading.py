"""Somebody who reads pages without a browser: forms are filled in and sent as they were shown."""

import re
from collections.abc import Collection, Iterable
from html.parser import HTMLParser

from flask import Flask
from werkzeug.test import TestResponse

_VOID = {"meta", "link", "img", "input", "br", "hr"}
_CODE = {"code", "pre"}
_READ = ("aria-label", "alt", "title", "placeholder")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_LATIN = re.compile(r"[A-Za-z][A-Za-z'-]+")
# Ids, addresses, and the codes of problems.
_SIGNS = re.compile(r"\b[a-z]{2,4}_(?:[0-9a-z]{16}\b|…)?|https?://[^\s，。]*|(?<=代码：)[a-z-]+")
# Units, kinds of files and measures that are written alike in both languages.
ALIKE = frozenset({"CNY", "CSV", "HHI", "JPEG", "JSON", "PAR", "PNG", "WebP", "flask", "worker"})


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
        # What is read, aloud too; besides codes, and what says that it is of another language.
        self.said: list[str] = []
        self.apart: list[int] = []
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
        if not self.apart:
            self.said += [named[name] or "" for name in _READ if name in named]
        if tag not in _VOID:
            self.open.append(tag)
            if tag in _CODE or ("lang" in named and tag != "html"):
                self.apart.append(len(self.open))

    def handle_data(self, data: str) -> None:
        if not self.apart:
            self.said.append(data)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if tag == "table" and len(set(self.rows)) > 1:
            self.faults.append(f"a table at {self.getpos()} has rows of {sorted(set(self.rows))}")
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")
        elif self.open:
            if self.apart[-1:] == [len(self.open)]:
                self.apart.pop()
            self.open.pop()


def check_html(answer: TestResponse, language: str) -> list[str]:
    """A page is well formed, of this language, under the strict policy, with nothing inline.

    What is read on it is answered.
    """
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
    return parser.said


def foreign_words(said: Iterable[str], language: str, written: Collection[str]) -> set[str]:
    """Words of the other language that nobody has written, and that are no sign of both."""
    text = _SIGNS.sub(" ", " ".join(said))
    found = _CHINESE.findall(text) if language == "en" else _LATIN.findall(text)
    return set(found) - ALIKE - set(written)


def words_in(text: str) -> set[str]:
    """The words of what somebody wrote, as `foreign_words` finds them."""
    return {*_CHINESE.findall(text), *_LATIN.findall(text)}
