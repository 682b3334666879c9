"""The handbook of the books says what the code does."""

from community.ledger.chart import CHART
from community.ledger.handbook import handbook
from community.ledger.rules import RULES
from config.settings import ROOT


def test_the_page_is_what_the_chart_and_the_rules_say() -> None:
    written = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    assert written == handbook(), "run: flask ledger handbook > docs/ledger.md"


def test_it_lists_every_account_and_every_rule() -> None:
    page = handbook()
    for line in CHART:
        assert f"| {line.code} | `{line.kind.value}` | {line.name_en} | {line.name_zh} |" in page
    for kind, rule in RULES.items():
        assert f"| `{kind}` | {rule.name_en} | {rule.name_zh} | {rule.sentence} |" in page
