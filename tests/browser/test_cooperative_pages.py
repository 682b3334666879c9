"""The cooperative's pages: the season calendar, declared events, the board of a village review."""

import pytest

from tests.browser.conftest import Visit

BOTH = pytest.mark.parametrize("language", ["zh-CN", "en"])


@BOTH
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/cooperative", "cooperative-calendar"),
        ("/cooperative/@village/events", "cooperative-events"),
        ("/cooperative/@village/events/new", "cooperative-declare"),
        ("/cooperative/events/@disaster", "cooperative-event"),
        ("/cooperative/@village/campaigns", "cooperative-campaigns"),
        ("/cooperative/campaigns/@campaign", "cooperative-campaign"),
    ],
)
def test_the_pages_of_a_cooperative(visit: Visit, language: str, path: str, name: str) -> None:
    visit.check(visit("officer", language, path), name)
