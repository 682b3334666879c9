"""Tours as the guides write them: what to open, what one sees, and which picture stands there.

In a guide's section "A tour" (导览) each numbered step is walked in order of its text:

- `/path` in backticks is opened;
- **words** after Open, Choose, Press, then, or 打开, 点 are clicked;
- `text` into **words** is written into that field (填 `text` 到 **words**);
- any other **words** have to be seen on the page;
- an image takes the picture that it names, at the width at the end of its name.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from config.settings import ROOT

GUIDES = ROOT / "docs" / "guides"
PICTURES = ROOT / "docs" / "pictures"
_SECTION = re.compile(r"^## (?:A tour|导览)\n(.*?)(?=^## |\Z)", re.M | re.S)
_STEP = re.compile(r"^\d+\. (.*?)(?=^\d+\. |\Z)", re.M | re.S)
_PART = re.compile(
    r"`(?P<path>/[^`]*)`"
    r"|`(?P<text>[^`]+)` (?:into|到) \*\*(?P<field>[^*]+)\*\*"
    r"|!\[[^\]]*\]\((?:\.\./pictures/)(?P<picture>[\w-]+\.png)\)"
    r"|(?P<verb>(?:[Oo]pen|[Cc]hoose|[Pp]ress|then|打开|点)\s*)?\*\*(?P<words>[^*]+)\*\*"
)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing of a step: "open" a path, "click" or "see" words, "write" a text, "picture"."""

    kind: str
    what: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tour:
    """What a guide leads through, as one kind of people, in the language of its page."""

    who: str
    language: str
    steps: tuple[tuple[Act, ...], ...]


def tours() -> list[Tour]:
    """The tours of all guides that have one."""
    found = [_tour(path) for path in sorted(GUIDES.glob("*.md"))]
    return [tour for tour in found if tour.steps]


def _tour(path: Path) -> Tour:
    who, _, language = path.stem.partition(".")
    section = _SECTION.search(path.read_text(encoding="utf-8"))
    steps = _STEP.findall(section[1]) if section else []
    return Tour(who, language or "en", tuple(tuple(_acts(step)) for step in steps))


def _acts(step: str) -> list[Act]:
    acts = []
    # A paragraph after the list is no part of its last step.
    for found in _PART.finditer(" ".join(re.split(r"\n(?=\S)", step)[0].split())):
        if found["path"]:
            acts.append(Act("open", found["path"]))
        elif found["field"]:
            acts.append(Act("write", found["field"], found["text"]))
        elif found["picture"]:
            acts.append(Act("picture", found["picture"]))
        else:
            acts.append(Act("click" if found["verb"] else "see", found["words"]))
    return acts
