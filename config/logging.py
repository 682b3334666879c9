"""Logs as one JSON object a line on stderr, each carrying the request it belongs to."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

# Facts of the request under way, such as its id; put into every line written meanwhile.
request_facts: ContextVar[dict[str, Any] | None] = ContextVar("request_facts", default=None)

# Whatever looks like a credential never reaches a log, wherever the text came from.
_NAMES = "password|passwd|pwd|secret|token|api[_-]?key|private[_-]?key|session|authorization|cookie"
_CREDENTIALS = re.compile(
    r"""(?isx)
    (?<=://) [^/\s]* (?=@)                                    # in an address
    | \b (?: bearer | basic ) \s+ [A-Za-z0-9._~+/=-]{4,}      # in a header
    | \b (?: lb_ | whsec_ ) [A-Za-z0-9._~+/=-]{8,}            # by its own beginning
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY----- .*? (?: -----END\ [A-Z ]*----- | \Z )
    """
    # By its name: name=value, "name": "value", 'name': 'value'.
    rf"""
    | (?<= [\w"'?&;,\s{{(-] ) [\w-]* (?: {_NAMES} ) ["']? \s* = \s* ["']? [^\s"'&;,]+
    | ["'] [\w-]* (?: {_NAMES} ) ["'] \s* : \s* ["'] [^"']*
    """
)
# PostgreSQL tells the values of a row that it refuses.
_DETAILS = re.compile(r"DETAIL:[^\n]*")
# Gunicorn tells the line that it could not read, which may be anything.
_UNREADABLE = re.compile(r"(?s)^(Invalid request from ip=[0-9a-f.:]*).*")


def masked(text: str) -> str:
    """A text without what looks like a credential."""
    text = _UNREADABLE.sub(r"\1", text)
    return _DETAILS.sub("DETAIL: [hidden]", _CREDENTIALS.sub("[hidden]", text))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return value if isinstance(value, int | float | bool | None) else masked(str(value))


class JsonFormatter(logging.Formatter):
    """A log record as JSON: time, level, logger, message, the request's facts, extra `facts`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(request_facts.get() or {}),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(_masked(line), ensure_ascii=False)


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment: whoever replaces it, gets the lines."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The present stderr."""
        return sys.stderr


def configure(level: str) -> None:
    """Send the whole process's logs to stderr as JSON; calling it again changes the level only."""
    root = logging.getLogger()
    root.setLevel(level)
    if not any(isinstance(handler.formatter, JsonFormatter) for handler in root.handlers):
        handler = StderrHandler()
        handler.setFormatter(JsonFormatter())
        root.addHandler(handler)
    # They speak at INFO of what the request line says already.
    for noisy in ("alembic.runtime.plugins", "flask-limiter", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
