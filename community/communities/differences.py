"""What a new charter would change, rule by rule. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule as it was and as it would be; None where there was or would be none."""

    rule: str
    before: Any
    after: Any
    source: str


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[RuleChange]:
    """The rules whose value changes between two charter documents, by name."""
    changes = []
    for rule in sorted(before.keys() | after.keys()):
        old, new = before.get(rule) or {}, after.get(rule) or {}
        if old.get("value") != new.get("value"):
            source = str(new.get("source", ""))
            changes.append(RuleChange(rule, old.get("value"), new.get("value"), source))
    return changes
