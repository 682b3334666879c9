"""Circles that are closed: charters say how much of what is promised and owed may be a few's own."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# What the templates propose, whatever kind of community they are for; and where that is from.
PROPOSALS: dict[str, tuple[Any, str]] = {
    "self_dealing_promised_bps": (
        8500,
        "Template's proposal: six sevenths of what they are promised is their own word; in simulated villages honest friends of whom as much is true owe little",
    ),
    "self_dealing_owed_bps": (
        5000,
        "Template's proposal: half of what they all have is out on their own word",
    ),
}


# Villages that still have what was proposed before get what the template for them proposes now.
CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "self_dealing_bps": (
        {"value": 9000, "source": "Template's proposal: nine tenths of the cover is their own"},
        {
            "value": 7500,
            "source": "Template's proposal: three quarters of the cover is their own; whoever hides a ring asks a neighbour or two for a small promise",
        },
    ),
    "risk_concentration_bps": (
        {"value": 2500, "source": "Template's proposal; decide it in your assembly"},
        {
            "value": 1000,
            "source": "商业银行风险监管核心指标 (2005), which binds commercial banks: loans to a single customer up to 10 % of net capital; here of all that there is to lend",
        },
    ),
}


def upgrade() -> None:
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)


def _change_charters(change: Any) -> None:
    """Every stored charter gets the numbers that the templates propose."""
    connection = op.get_bind()
    as_json = "CAST(:rules AS json)" if connection.dialect.name == "postgresql" else ":rules"
    rows = connection.execute(
        sa.text(
            "SELECT charters.id, charters.rules, communities.kind FROM charters"
            " JOIN communities ON communities.id = charters.community_id"
        )
    ).all()
    for charter_id, rules, kind in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document, kind))},
        )


def _with_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    added = {
        name: {"value": value, "source": source} for name, (value, source) in PROPOSALS.items()
    }
    found = rules | {name: rule for name, rule in added.items() if name not in rules}
    for name, (before, after) in CHANGED.items():
        if kind == "region" and rules.get(name) == before:
            found[name] = after
    return found


def _without_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    found = {name: rule for name, rule in rules.items() if name not in PROPOSALS}
    for name, (before, after) in CHANGED.items():
        if kind == "region" and rules.get(name) == after:
            found[name] = before
    return found
