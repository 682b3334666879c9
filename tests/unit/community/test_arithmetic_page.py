"""The page of conventions says what the arithmetic does: its examples are run."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "arithmetic.md"


def test_every_figure_on_the_page_is_what_comes_out() -> None:
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    examples = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) > 80
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    assert runner.run(examples).failed == 0
