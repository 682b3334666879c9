"""The leader's pages: the group, the meeting sheet from draft to paper, meetings and votes."""

import pytest

from tests.browser.conftest import Visit

BOTH = pytest.mark.parametrize("language", ["zh-CN", "en"])


@BOTH
@pytest.mark.parametrize(
    ("who", "path", "name"),
    [
        ("wang", "/lead", "leader-group"),
        ("wang", "/lead/groups/@active/sheet", "leader-sheet"),
        ("wang", "/lead/groups/@active/plan", "leader-plan"),
        ("wang", "/lead/groups/@active/meetings", "leader-meetings"),
        ("wang", "/lead/meetings/@meeting", "leader-meeting"),
        ("wang", "/lead/groups/@active/people", "leader-people"),
        ("wang", "/lead/groups/@active/visits", "leader-visits"),
        ("wang", "/lead/sheets/@sheet", "leader-paper"),
    ],
)
def test_the_pages_of_a_leader(visit: Visit, language: str, who: str, path: str, name: str) -> None:
    visit.check(visit(who, language, path), name)
