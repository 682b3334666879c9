"""A served world, a Chromium to look at it with, and what every page has to satisfy.

    @BOTH
    def test_my_page(visit: Visit, language: str) -> None:
        page = visit("wang", language, "/me")
        page.get_by_role("link", name=say(language, "贷款", "Loans")).click()
        visit.check(page, "member-loans")

`visit` signs somebody of `tests.api.world` in and opens an address; `visit.check` looks for what
keeps people from using the page, and leaves a picture of it at the width of a phone and of a desk
in var/screenshots/<language>/<name>-<width>.png. Each language has a world and a server of its own,
so that the same journey can be made in both.
"""

import os
import re
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from config.settings import ROOT
from tests import by_turns
from tests.api.world import World, make_world
from tests.databases import sqlite_template
from tests.serving import gunicorn

BOTH = pytest.mark.parametrize("language", ["zh-CN", "en"])
PHONE, DESK = 390, 1280
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)
BYTES_MAX = 150_000
SCREENSHOTS = ROOT / "var" / "screenshots"
# Nothing that a page of ours needs, and nothing that calls anybody.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The world's people by names that people have.
NAMES = {
    "wang": "王秀英",
    "zhao": "赵国强",
    "li": "李建军",
    "sun": "孙丽华",
    "wu": "吴志明",
    "gao": "高玉兰",
    "qian": "钱文斌",
    "zhou": "周桂芳",
    "officer": "陈会计",
    "operator": "沈静",
    "auditor": "顾明远",
    "inspector": "何审计",
    "tycoon": "郑万山",
    "wei": "魏东",
    "ding": "丁小梅",
}


def say(language: str, chinese: str, english: str) -> str:
    """What a page says in this language."""
    return chinese if language == "zh-CN" else english


@dataclass
class Site:
    """The running platform, and who is known there."""

    url: str
    world: World


@dataclass
class Visit:
    """Opens pages as somebody, and checks them."""

    browser: Browser
    site: Site
    # What a browser keeps of somebody who has signed in, by who it is and the language.
    signed_in: dict[tuple[str, str], Any]
    open_contexts: list[BrowserContext] = field(default_factory=list)
    # By page: what the browser complained about, and which other hosts were asked.
    complaints: dict[Page, list[str]] = field(default_factory=dict)

    def __call__(self, who: str | None, language: str, path: str) -> Page:
        """A page of this address in a browser of its own; `@name` stands for a thing's id."""
        kept = self.signed_in.get((who or "", language))
        context = self.browser.new_context(
            locale=language,
            viewport={"width": PHONE, "height": 844},
            reduced_motion="reduce",
            storage_state=kept,
        )
        # Patient: a loaded machine is no fault of a page.
        context.set_default_timeout(PATIENCE)
        self.open_contexts.append(context)
        page = context.new_page()
        self._listen(page)
        if who is not None and kept is None:
            self.sign_in(page, who, language)
            self.signed_in[who, language] = context.storage_state()
        self.go(page, path)
        return page

    def go(self, page: Page, path: str) -> None:
        """On to another address in the same browser."""
        self.complaints[page].clear()
        page.goto(self.site.url + self.site.world.named(path))

    def sign_in(self, page: Page, who: str, language: str) -> None:
        """By token, through the form."""
        page.goto(f"{self.site.url}/sign-in/token?lang={language}")
        page.locator("#f-token").fill(self.site.world.tokens[who])
        page.locator("main form button[type=submit]").click()
        page.wait_for_url(re.compile("^(?!.*/sign-in)"))

    def check(self, page: Page, name: str) -> None:
        """Fail if the page does not satisfy what every page has to."""
        assert self.look(page, name) == []

    def look(self, page: Page, name: str) -> list[str]:
        """What keeps people from using the page, and its pictures."""
        language = page.locator("html").get_attribute("lang") or "none"
        folder = SCREENSHOTS / language
        folder.mkdir(parents=True, exist_ok=True)
        faults = []
        # To save time English pages are asked by axe on a dark desk or on a light phone, by turns,
        # Chinese ones on the phone; all of it on both if `BOTH` is set.
        turn = zlib.crc32(name.encode()) % 2 == 0
        if language == "en" or by_turns.BOTH:
            page.set_viewport_size({"width": DESK, "height": 844})
        if language == "en" and (turn or by_turns.BOTH):
            page.emulate_media(color_scheme="dark")
            faults += self._found_by_axe(page, "dark")
            page.emulate_media(color_scheme="light")
        if language == "en" or by_turns.BOTH:
            faults += self._cut_off(page)
            page.screenshot(path=folder / f"{name}-{DESK}.png", full_page=True)
        page.set_viewport_size({"width": PHONE, "height": 844})
        if language != "en" or not turn or by_turns.BOTH:
            faults += self._found_by_axe(page, "light")
        page.screenshot(path=folder / f"{name}-{PHONE}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > PHONE:
            faults.append(f"the page is {wide} px wide on a phone of {PHONE}")
        faults += self._cut_off(page)
        small = page.evaluate(_TOO_SMALL)
        faults += [f"too small to be touched: {item}" for item in small]
        weight = page.evaluate(_WEIGHT)
        if weight > BYTES_MAX:
            faults.append(f"the page weighs {weight} bytes")
        return faults + self.complaints[page]

    @staticmethod
    def _cut_off(page: Page) -> list[str]:
        return [f"wider than its card: {text}" for text in page.evaluate(_CUT_OFF)]

    @staticmethod
    def _found_by_axe(page: Page, scheme: str) -> list[str]:
        found = Axe().run(page).response["violations"]
        return [
            f"{scheme}: {item['id']}: {node['html'][:160]}: {node['failureSummary'][:300]}"
            for item in found
            for node in item["nodes"]
        ]

    def _listen(self, page: Page) -> None:
        heard: list[str] = []
        self.complaints[page] = heard
        ours = urlsplit(self.site.url).netloc

        def console(message: Any) -> None:
            # A refused form is answered by 4xx, which the browser reports as if it were a fault.
            if message.type == "error" and "status of 4" not in message.text:
                heard.append(f"console: {message.text}")

        def request(asked: Any) -> None:
            if urlsplit(asked.url).netloc not in (ours, ""):
                heard.append(f"asked elsewhere: {asked.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: heard.append(f"script: {error}"))
        page.on("request", request)


# Buttons and links that stand alone are 44 px high; links within a sentence are not asked.
_TOO_SMALL = """() => [...document.querySelectorAll(
    'button, .button, nav a, .tools a, select, ' +
    'input:not([type=hidden]):not([type=checkbox]):not([type=radio])')]
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 43.5)
  .map(e => e.outerHTML.slice(0, 120))"""
# What stands out of its card lies under another one, or is not seen at all.
_CUT_OFF = """() => [...document.querySelectorAll('.card')]
  .filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => e.innerText.slice(0, 80))"""
_WEIGHT = """() => performance.getEntriesByType('resource')
  .concat(performance.getEntriesByType('navigation'))
  .reduce((sum, e) => sum + e.encodedBodySize + 300, 0)"""


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    """By language: the world of the API's tests, served by gunicorn; its clock stands still."""
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        template = stack.enter_context(sqlite_template(folder))

        @cache
        def started(language: str) -> Site:
            own = folder / language
            own.mkdir()
            world = stack.enter_context(make_world(template, own))
            settings = world.app.extensions["settings"]
            _name_people(settings.database_url, world)
            served = stack.enter_context(
                gunicorn(
                    settings.database_url,
                    own,
                    workers=1,
                    FIXED_NOW=world.app.extensions["clock"].fixed.isoformat(),
                    DATABASE_DURABLE="0",
                    PASSWORD_MEMORY_KIB="8",
                    PASSWORD_PASSES="1",
                )
            )
            return Site(f"http://127.0.0.1:{served.port}", world)

        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium of this machine."""
    path = chromium()
    if path is None:
        pytest.exit(
            "There is no Chromium. As root: apt-get install chromium fonts-noto-cjk; or name one: "
            "CHROMIUM=/path/to/chromium make test-browser",
            returncode=3,
        )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def signed_in() -> dict[str, dict[tuple[str, str], Any]]:
    """What browsers keep of who has signed in, by site: once is enough for all tests."""
    return {}


@pytest.fixture
def visit(
    request: pytest.FixtureRequest,
    browser: Browser,
    sites: Callable[[str], Site],
    signed_in: dict[str, dict[tuple[str, str], Any]],
) -> Iterator[Visit]:
    """Opens pages as somebody; its browsers are closed when the test ends.

    A test with a parameter `language` has the site of that language, any other the English one.
    """
    case = getattr(request.node, "callspec", None)
    language = case.params.get("language", "en") if case else "en"
    site = sites(language)
    made = Visit(browser, site, signed_in.setdefault(site.url, {}))
    yield made
    for context in made.open_contexts:
        context.close()


def chromium() -> str | None:
    """Where Chromium is, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named if Path(named).exists() else None
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    return None


def _name_people(url: str, world: World) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        for key, name in NAMES.items():
            # The story's people are called by their keys.
            connection.execute("UPDATE members SET name = ? WHERE name = ?", (name, key))
    connection.close()
