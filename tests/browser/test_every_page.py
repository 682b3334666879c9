"""Every page there is, in both languages, as somebody who may see it; new ones are found here."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page
from werkzeug.routing import Rule

from tests import by_turns
from tests.api.test_pages_walk import QUERY, address, routes
from tests.api.world import World
from tests.browser.conftest import Visit

# Who looks at the pages of a room.
READERS = {
    "pages": None,
    "signin": None,
    "papers": "wang",
    "member": "wang",
    "leader": "wang",
    "cooperative": "officer",
    "review": "wang",
    "platform": "operator",
    "office": "operator",
    "riskdesk": "operator",
    "auditor": "auditor",
}
# Pages that show more to somebody else.
READER = {
    "signin.password": "wang",
    "member.call": "li",
    "member.claim": "li",
    "member.exposure": "li",
    "member.cover": "li",
    "member.release_early": "li",
    "member.cover_changes": "guo",
    "member.cover_change": "guo",
    "member.vouch": "li",
    "member.group": "guo",
    "office.complaint": "officer",
    "member.understand": "guo",
    "member.cases": "zhao",
    "member.verify_use": "officer",
}
# Another thing than the one of the walk, where it has more to show or may still be done.
PLACE = {
    "member.limit": "/me/limits/@village?voucher=@li&amount=2000",
    "member.group": "/me/groups/@signing",
    "member.understand": "/me/groups/@signing/understanding",
    "office.call": "/office/@village/calls/@disputed",
    "office.loan": "/office/@village/loans/@endorsed",
    "office.verification": "/office/@village/verification?run=1",
    "riskdesk.rules": "/desk/rules?rule=late&from_on=2026-03-25&until_on=2026-04-13",
}
# What answers a GET and is no page.
FILES = ("_csv", "_json", ".static", ".photo", ".export_my_data", ".record_text")
# In so many tests, which browsers of several processes share.
PARTS = 12


# English pages are looked at on a desk and on a phone; every Chinese one too if `BOTH` is set, as
# the journeys are in any case.
@pytest.mark.parametrize("language", ["en", "zh-CN"] if by_turns.BOTH else ["en"])
@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_fit_to_be_used(visit: Visit, language: str, part: int) -> None:
    faults = {}
    open_pages: dict[str | None, Page] = {}
    for rule in _pages(visit.site.world)[part::PARTS]:
        who = READER.get(rule.endpoint, READERS[rule.endpoint.partition(".")[0]])
        usual = address(visit.site.world, rule) + QUERY.get(rule.endpoint, "")
        path = PLACE.get(rule.endpoint, usual)
        if who not in open_pages:
            open_pages[who] = visit(who, language, path)
        else:
            visit.go(open_pages[who], path)
        page = open_pages[who]
        # Where one is led on to the door or to another page, this one was not looked at.
        asked = visit.site.world.named(path).partition("?")[0]
        assert urlsplit(page.url).path == asked, rule.endpoint
        found = visit.look(page, rule.endpoint.replace(".", "-"))
        if found:
            faults[rule.endpoint] = found
    assert faults == {}


def _pages(world: World) -> list[Rule]:
    found = [
        rule
        for rule in routes(world.app)
        if "GET" in (rule.methods or ()) and not rule.endpoint.endswith(FILES)
    ]
    return sorted(found, key=lambda rule: rule.endpoint)
