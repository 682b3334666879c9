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
_CREDENTIALS = re.compile(r"(?i)\b(bearer\s+|lb_)[A-Za-z0-9._~+/=-]{8,}|(?<=://)[^/@\s]*(?=@)")


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
        text = json.dumps(line, ensure_ascii=False, default=str)
        return _CREDENTIALS.sub("[hidden]", text)


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
