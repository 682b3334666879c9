"""Walk the tours of docs/guides through the demo in Chromium, and take the pictures that they show.

`make pictures` (python -m tests.pictures). The demo is made anew, small, always from the same seed
on the same day, and the clock stands still: on the same code the pictures come out alike. What is
alike to the eye is left as it is, so that nothing changes in docs/pictures without a reason.
Whoever finds that a step of a tour cannot be done is told which one.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page, expect, sync_playwright

from config.settings import ROOT
from tests.browser.conftest import FLAGS, PATIENCE, chromium
from tests.keys import ENVIRON
from tests.pictures.tours import PICTURES, Act, Tour, tours
from tests.serving import Served, gunicorn

TODAY = "2026-11-23"
NOW = f"{TODAY}T09:00:00+08:00"
HOUSEHOLDS = "60"
HEIGHTS = {"390": 844, "1280": 860}
BYTES_MAX = 120_000


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the demo there, or use the one there")
    parser.add_argument("--only", help="one kind of people")
    options = parser.parse_args(arguments)
    path = chromium()
    if path is None:
        print("There is no Chromium: see `make test-browser`.", file=sys.stderr)
        return 3
    PICTURES.mkdir(exist_ok=True)
    failed = 0
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        served, tokens = stack.enter_context(_demo(folder.resolve()))
        playwright = stack.enter_context(sync_playwright())
        for tour in tours():
            if options.only and tour.who != options.only:
                continue
            # Chromium's own words (dates in forms) follow the environment.
            browser = playwright.chromium.launch(
                executable_path=path,
                args=[*FLAGS, f"--lang={tour.language}"],
                env={**os.environ, "LANGUAGE": tour.language.replace("-", "_")},
            )
            context = browser.new_context(
                locale=tour.language,
                viewport={"width": 1280, "height": HEIGHTS["1280"]},
                reduced_motion="reduce",
            )
            context.set_default_timeout(PATIENCE)
            failed += not _walk(context.new_page(), tour, served, tokens[tour.who])
            browser.close()
    return 1 if failed else 0


@contextmanager
def _demo(folder: Path) -> Iterator[tuple[Served, dict[str, str]]]:
    """A demo that is served, and the tokens of its people."""
    made = folder / "pictures.sqlite3"
    settings = {
        **ENVIRON,
        "DATABASE_URL": f"sqlite:///{made}",
        "DATABASE_DURABLE": "0",
        "VAR_DIR": str(folder),
        "FIXED_NOW": NOW,
        "BUSINESS_TIMEZONE": "Asia/Shanghai",
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": "of no use outside of this test suite",
    }

    def flask(*words: str) -> str:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | settings,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    if not made.exists():
        flask("db", "upgrade")
        flask("demo", "seed", "--households", HOUSEHOLDS, "--today", TODAY)
    shown: dict[str, Any] = json.loads(flask("demo", "tokens", "--json"))
    tokens = {person["role"]: person["token"] for person in shown["people"]}
    own = {name: value for name, value in settings.items() if name != "DATABASE_URL"}
    with gunicorn(settings["DATABASE_URL"], folder, workers=1, **own) as served:
        yield served, tokens


def _walk(page: Page, tour: Tour, served: Served, token: str) -> bool:
    """Do what a tour says; false if a step cannot be done."""
    base = f"http://127.0.0.1:{served.port}"
    page.goto(f"{base}/sign-in/token?lang={tour.language}")
    page.locator("#f-token").fill(token)
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(re.compile("^(?!.*/sign-in)"))
    for number, step in enumerate(tour.steps, 1):
        for act in step:
            try:
                _do(page, act, base)
            except (AssertionError, Error) as fault:
                print(
                    f"{tour.who} ({tour.language}), step {number}: cannot {act.kind} {act.what!r}"
                    f" on {page.url}\n{str(fault)[:400]}",
                    file=sys.stderr,
                )
                return False
    print(f"{tour.who} ({tour.language}): {len(tour.steps)} steps")
    return True


def _do(page: Page, act: Act, base: str) -> None:
    if act.kind == "open":
        page.goto(base + act.what)
    elif act.kind == "picture":
        _take(page, act.what)
    elif act.kind == "write":
        page.get_by_label(act.what, exact=True).fill(act.text)
    elif act.kind == "see":
        expect(page.get_by_text(act.what).locator("visible=true").first).to_be_visible()
    else:
        # Signs may stand before the words; what a browser takes for a sign may be a Chinese word.
        name = re.compile(rf"^[^\w\u4e00-\u9fff]*{re.escape(act.what)}")
        here = page.locator("main, nav, header")
        target = here.get_by_role("link", name=name).or_(here.get_by_role("button", name=name))
        target.or_(here.locator("summary", has_text=name)).locator("visible=true").first.click()
        page.wait_for_load_state("load")


def _take(page: Page, name: str) -> None:
    """Keep the picture, unless the one that is there looks the same."""
    width = name.removesuffix(".png").rpartition("-")[2]
    page.set_viewport_size({"width": int(width), "height": HEIGHTS[width]})
    page.evaluate("window.scrollTo(0, 0)")
    page.evaluate("document.activeElement && document.activeElement.blur()")
    taken = page.screenshot()
    page.set_viewport_size({"width": 1280, "height": HEIGHTS["1280"]})
    assert len(taken) < BYTES_MAX, f"{name} has {len(taken)} bytes"
    kept = PICTURES / name
    if not kept.exists() or kept.read_bytes() != taken:
        kept.write_bytes(taken)
        print(f"  {name}: {len(taken):,} bytes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
