"""Every link of a page leads its reader on: none to a refusal, from wherever one begins."""

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
from werkzeug.exceptions import HTTPException

from tests.api.world import World
from tests.reading import Reader

pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)

_LINK = re.compile(r'<a\b[^>]*?href="([^"#]+)"')
# Pages of one kind that are looked at for each reader: links of one are like those of another.
_ALIKE = 2


@pytest.mark.parametrize(
    "who", ["wang", "li", "gao", "zhao", "clerk", "officer", "operator", "auditor", "inspector"]
)
def test_no_link_leads_to_a_refusal(world: World, who: str) -> None:
    reader = Reader(world.app, "en").sign_in(world.tokens[who])
    urls = world.app.create_url_adapter(None) or world.app.url_map.bind("localhost")
    seen: dict[str, int] = {}
    dead: dict[str, str] = {}
    known = {"/me"}
    to_do = [("/me", "")]
    while to_do:
        path, shown_on = to_do.pop()
        answer = reader.open(path)
        if answer.status_code in (302, 303):
            to_do.append((answer.location, shown_on))
            continue
        if answer.status_code != 200:
            dead[path] = f"{answer.status_code}, linked on {shown_on}"
        if answer.mimetype != "text/html":
            continue
        for link in _LINK.findall(answer.text):
            link = unescape(link)
            if urlsplit(link).scheme or link in known or "lang=" in link:
                continue
            known.add(link)
            kind = _kind(urls, link)
            if seen.get(kind, 0) < _ALIKE:
                seen[kind] = seen.get(kind, 0) + 1
                to_do.append((link, path))
    assert dead == {}
    assert len(seen) > 20


def _kind(urls, link: str) -> str:  # type: ignore[no-untyped-def]
    """The endpoint that a link leads to, with the names of what it asks."""
    parts = urlsplit(link)
    asked = "&".join(sorted(re.findall(r"(?:^|&)(\w+)=", parts.query)))
    try:
        return f"{urls.match(parts.path, method='GET')[0]}?{asked}"
    except HTTPException:
        return link


def test_officers_find_cases_rules_and_warnings_of_their_community(world: World) -> None:
    village = world.ids["village"]
    reader = Reader(world.app, "en").sign_in(world.tokens["clerk"])
    day = reader.open(f"/office/{village}").text
    for page in ("cases", "rules", "warnings"):
        assert f'href="/desk/{page}?community={village}"' in day
        # From there the way leads back into the office of the same community.
        shown = reader.open(f"/desk/{page}?community={village}").text
        assert f'href="/office/{village}/loans"' in shown
    assert "/desk/map" not in day


def test_a_leader_comes_to_the_cases_to_answer_and_to_nothing_else_of_the_desk(
    world: World,
) -> None:
    reader = Reader(world.app, "en").sign_in(world.tokens["wang"])
    group = reader.open(world.named("/lead/groups/@active")).text
    [case] = re.findall(r"/desk/cases/cas_\w+", group)
    assert "Missed meetings" in group
    shown = reader.open(case).text
    ways = set(re.findall(r'href="(/desk/[^"?]*)', shown)) - {case}
    assert ways <= {f"{case}/{step}" for step in ("assignment", "escalation", "closing")}
