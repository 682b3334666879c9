"""Charter templates: complete rule sets to begin from, every rule with its source."""

import json
from importlib import resources
from typing import Any

from community.communities.errors import TemplateNotFound


def names() -> list[str]:
    """The templates that there are."""
    found = [item.name for item in resources.files(__name__).iterdir()]
    return sorted(name.removesuffix(".json") for name in found if name.endswith(".json"))


def load(name: str) -> dict[str, Any]:
    """A template: `kind` (of community), `currency`, `about`, and `rules`, a charter document.

    Amounts are minor units of its currency. Raises TemplateNotFound.
    """
    if name not in names():
        raise TemplateNotFound(f"Choose from {', '.join(names())}.", field="template")
    text = resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    template: dict[str, Any] = json.loads(text)
    return template
