"""What schemathesis does before it sends a request: made-up ids turned into ids of what there is.

Without it nearly every request would end at "there is no such loan". FUZZ_IDS names the file that
has the ids by their prefix. Which one is taken depends on the made-up one alone, so that a request
can be sent again.
"""

import json
import os
import re
from pathlib import Path
from typing import Any
from zlib import crc32

import schemathesis

_ID = re.compile("[a-z]{2,3}_[0-9a-z]{16}")
_KNOWN: dict[str, list[str]] = json.loads(Path(os.environ["FUZZ_IDS"]).read_text())


def real(value: Any) -> Any:
    """The value with ids of things that there are in place of made-up ones."""
    if isinstance(value, str) and _ID.fullmatch(value):
        known = _KNOWN.get(value.partition("_")[0])
        return known[crc32(value.encode()) % len(known)] if known else value
    if isinstance(value, list):
        return [real(inner) for inner in value]
    if isinstance(value, dict):
        return {name: real(inner) for name, inner in value.items()}
    return value


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Put real ids into the path, the query and the body."""
    case.path_parameters = real(case.path_parameters)
    case.query = real(case.query)
    case.body = real(case.body)
