"""What schemathesis does around each request: real ids before it, a count after it.

Made-up ids turn into ids of what there is: without it nearly every request would end at "there is
no such loan". Which one is taken depends on the made-up one alone, so that a request can be sent
again. Amounts come in the currency of the village. FUZZ_IDS names the file that has the ids by
their prefix, FUZZ_MET the one that gets the counts.
"""

import atexit
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any
from zlib import crc32

import schemathesis

from community.money import CURRENCY_EXPONENTS

_ID = re.compile("[a-z]{2,3}_[0-9a-z]{16}")
_AMOUNT = re.compile(r"[0-9]{1,16}(\.[0-9]{1,3})?")
_KNOWN: dict[str, list[str]] = json.loads(Path(os.environ["FUZZ_IDS"]).read_text())
_MET: Counter[str] = Counter()


def real(value: Any) -> Any:
    """The value with ids of things that there are in place of made-up ones."""
    if isinstance(value, str) and _ID.fullmatch(value):
        known = _KNOWN.get(value.partition("_")[0])
        return known[crc32(value.encode()) % len(known)] if known else value
    if isinstance(value, list):
        return [real(inner) for inner in value]
    if isinstance(value, dict) and value.keys() == {"amount", "currency"}:
        return _yuan(value)
    if isinstance(value, dict):
        return {name: real(inner) for name, inner in value.items()}
    return value


def _yuan(money: dict[str, Any]) -> dict[str, Any]:
    amount = money["amount"]
    if str(money["currency"]) not in CURRENCY_EXPONENTS or not isinstance(amount, str):
        return money
    if not _AMOUNT.fullmatch(amount):
        return money
    whole, _, part = amount.partition(".")
    small = whole[-4:] if crc32(amount.encode()) % 4 else whole
    return {"amount": f"{small}.{part[:2] or '00'}", "currency": "CNY"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Put real ids into the path, the query and the body.

    Only where that changes something: the tool judges anew what was put in, and takes a body that
    is left out for a wrong one.
    """
    for part in ("path_parameters", "query", "body"):
        made_up = getattr(case, part)
        known = real(made_up)
        if known != made_up:
            setattr(case, part, known)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count the answer, by status and type of problem."""
    kind = ""
    if response.headers.get("content-type", [""])[0].startswith("application/problem"):
        kind = str(response.json().get("type", "")).rpartition("/")[2]
    _MET[f"{response.status_code} {kind}".strip()] += 1


@atexit.register
def _write() -> None:
    Path(os.environ["FUZZ_MET"]).write_text(json.dumps(_MET))
