"""The platform's settings: read once from the environment, checked together, frozen.

Nothing else in the code reads the environment. `config/example.env` shows every setting with
its default; a test keeps the two in step.
"""

import base64
import difflib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, time
from pathlib import Path
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent

_RATE = re.compile(r"[1-9][0-9]{0,6}/(second|minute|hour|day)")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

Value = TypeVar("Value")


class SettingsError(Exception):
    """Settings that the platform cannot start with; the text lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("The settings are faulty:\n" + "\n".join(f"- {fault}" for fault in faults))


def _boolean(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("say 1 or 0")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most} is needed")
        return int(text)

    return parse


def _database(text: str) -> str:
    if not re.match(r"(sqlite|postgresql|postgres)(\+[a-z]+)?://", text):
        raise ValueError("an address of SQLite (sqlite:///file) or PostgreSQL is needed")
    return text


def _redis(text: str) -> str:
    if not re.match(r"(redis|rediss|unix)://", text):
        raise ValueError("an address such as redis://127.0.0.1:6379/0 is needed")
    return text


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone's name such as Asia/Shanghai is needed") from None


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("an instant such as 2026-11-23T09:00:00+08:00 is needed") from None
    if instant.tzinfo is None:
        raise ValueError("the instant needs its offset, such as +08:00")
    return instant


def _time(text: str) -> time:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("a time of the day such as 00:30 is needed")
    return time.fromisoformat(text)


def _time_or_never(text: str) -> time | None:
    return None if text == "never" else _time(text)


def _rate(text: str) -> str:
    if not _RATE.fullmatch(text):
        raise ValueError("a rate such as 600/minute is needed")
    return text


def _level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise ValueError(f"one of {', '.join(_LOG_LEVELS)} is needed")
    return text.upper()


def _secret(text: str) -> str:
    if len(text) < 32:
        raise ValueError("at least 32 characters are needed")
    return text


def _secrets(text: str) -> str:
    if not all(len(part.strip()) >= 32 for part in text.split(",")):
        raise ValueError("at least 32 characters are needed for each, commas between")
    return text


def _pem(text: str) -> str:
    pem = text.replace("\\n", "\n")
    if not pem.startswith("-----BEGIN "):
        raise ValueError("a private key in PEM is needed")
    return pem


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError("32 bytes in base64 are needed")
    return key


def _keys(text: str) -> tuple[tuple[str, bytes], ...]:
    keys: dict[str, bytes] = {}
    for part in text.split(","):
        name, colon, key = part.strip().partition(":")
        if not colon or not re.fullmatch(r"[a-z0-9-]{1,32}", name) or name in keys:
            raise ValueError("keys such as 2026-a:BASE64,2025-b:BASE64 are needed, each id once")
        keys[name] = _key(key)
    return tuple(keys.items())


def _folder(text: str) -> Path:
    folder = Path(text).expanduser()
    return folder if folder.is_absolute() else (ROOT / folder).resolve()


def _setting(parse: Callable[[str], Any], default: Any, doc: str) -> Any:
    # What is secret is not shown where settings are printed.
    is_shown = parse not in (_secret, _secrets, _pem, _key, _keys)
    return field(default=default, repr=is_shown, metadata={"parse": parse, "doc": doc})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. The environment variable of each has the field's name in capitals."""

    production: bool = _setting(
        _boolean, False, "Real money: refuse to start with anything left to chance."
    )
    database_url: str = _setting(
        _database, "", "SQLite or PostgreSQL; empty: the file lianbao.sqlite3 in VAR_DIR."
    )
    database_pool_size: int = _setting(
        _whole(1, 100), 5, "Connections kept per process; as many as a process has threads."
    )
    database_lock_timeout_ms: int = _setting(
        _whole(100, 60_000), 5_000, "Longest wait for somebody else's lock."
    )
    database_statement_timeout_ms: int = _setting(
        _whole(100, 600_000), 15_000, "Longest run of one statement of a request (PostgreSQL)."
    )
    database_durable: bool = _setting(
        _boolean, True, "SQLite: every commit reaches the disk. Only throw-away files do without."
    )
    transaction_attempts: int = _setting(
        _whole(1, 20), 5, "How often a unit of work is run when others get in its way."
    )
    postgres_programs: Path | None = _setting(
        _folder, None, "Folder of pg_dump and pg_restore, for backups; empty: looked for in PATH."
    )
    redis_url: str = _setting(
        _redis, "", "Redis for cache and shared rate counters; empty: go without."
    )
    redis_pool_size: int = _setting(
        _whole(1, 100), 5, "Connections per process to its cache, and to its counters, at most."
    )
    secret_key: str = _setting(
        _secret,
        "",
        "Seals paging cursors; the same on all servers. Empty: made once and kept in VAR_DIR.",
    )
    personal_data_keys: tuple[tuple[str, bytes], ...] = _setting(
        _keys,
        (),
        "Keys that seal personal identifiers, ID:BASE64 of 32 bytes and commas between: the first "
        "writes, all read. Empty: one made once and kept in VAR_DIR; not in production.",
    )
    personal_index_key: bytes = _setting(
        _key,
        b"",
        "The key by which they are looked up, BASE64 of 32 bytes; it stays when the others "
        "change. Empty: made once and kept in VAR_DIR; not in production.",
    )
    business_timezone: ZoneInfo = _setting(
        _zone, ZoneInfo("Asia/Shanghai"), "Where the business day begins and ends."
    )
    day_close_at: time | None = _setting(
        _time, None, "When the day before is closed, by every server process; empty: by hand."
    )
    fixed_now: datetime | None = _setting(
        _instant, None, "A clock that stands still at this instant, for trials; empty: real time."
    )
    jobs_in_server: bool = _setting(
        _boolean,
        True,
        "Servers close days and run stress tests too; off: only `flask worker` does.",
    )
    worker_poll_seconds: int = _setting(
        _whole(1, 3_600), 2, "How long a worker with nothing to do waits before it looks again."
    )
    webhook_keys: str = _setting(
        _secrets,
        "",
        "Seal webhooks' secrets in the database: the first seals, all open; commas between. Empty: "
        "SECRET_KEY does.",
    )
    webhook_timeout_seconds: int = _setting(
        _whole(1, 60), 10, "How long a receiver may take to answer, from the first byte sent."
    )
    webhook_attempts: int = _setting(
        _whole(1, 100), 14, "How often a delivery is tried before it is given up."
    )
    webhook_retry_first_seconds: int = _setting(
        _whole(1, 3_600), 15, "The wait after the first failure; each later one is twice as long."
    )
    webhook_retry_most_seconds: int = _setting(
        _whole(1, 604_800), 21_600, "The longest wait between two tries."
    )
    webhook_http: bool = _setting(
        _boolean, False, "Receivers without TLS are allowed: for trials on one machine only."
    )
    webhook_private_addresses: bool = _setting(
        _boolean, False, "Receivers inside one's own network are allowed."
    )
    log_level: str = _setting(_level, "INFO", "The least serious log lines to write.")
    rate_limits: bool = _setting(_boolean, True, "Whether callers are slowed down at all.")
    rate_limit_read: str = _setting(_rate, "1200/minute", "Reading, per caller and route.")
    rate_limit_write: str = _setting(
        _rate, "600/minute", "Writing, per caller and route; repayments are never counted."
    )
    rate_limit_heavy: str = _setting(
        _rate, "60/minute", "What costs much computing, per caller and route."
    )
    rate_limit_bad_tokens: str = _setting(_rate, "60/minute", "Wrong bearer tokens, per address.")
    rate_limit_sign_in: str = _setting(_rate, "10/minute", "Signing in, per login name.")
    rate_limit_sign_in_address: str = _setting(_rate, "60/minute", "Signing in, per address.")
    max_body_bytes: int = _setting(
        _whole(1_024, 1_000_000_000), 1_000_000, "Longest body of a request."
    )
    trusted_proxies: int = _setting(
        _whole(0, 5), 0, "How many proxies of ours stand in front and set X-Forwarded-For."
    )
    token_lifetime_days_max: int = _setting(
        _whole(1, 3_650), 365, "Longest lifetime of a bearer token."
    )
    session_hours: int = _setting(
        _whole(1, 720), 12, "How long somebody stays signed in to the pages at most."
    )
    session_idle_minutes: int = _setting(
        _whole(1, 10_080), 60, "How long somebody stays signed in without doing anything."
    )
    session_cookie_secure: bool = _setting(
        _boolean, False, "Cookies travel over HTTPS only; in production it has to be on."
    )
    enrolment_code_days: int = _setting(
        _whole(1, 60), 7, "How long a code for setting a password can be used."
    )
    password_characters_min: int = _setting(
        _whole(8, 64), 10, "The fewest characters of a password."
    )
    password_memory_kib: int = _setting(
        _whole(8, 1_048_576), 65_536, "argon2id: memory for hashing a password, in KiB."
    )
    password_passes: int = _setting(
        _whole(1, 20), 3, "argon2id: passes over that memory for hashing a password."
    )
    idempotency_days: int = _setting(
        _whole(1, 3_650), 30, "How long the answers to money-moving requests can be replayed."
    )
    record_key_file: Path | None = _setting(
        _folder,
        None,
        "PEM file of the Ed25519 key that signs credit records; empty: one made in VAR_DIR, and in "
        "production none.",
    )
    record_key: str = _setting(
        _pem, "", "The same key's PEM itself, its line ends as \\n; not beside RECORD_KEY_FILE."
    )
    retention_file: Path | None = _setting(
        _folder, None, "JSON file of how long personal data is kept; empty: the platform's rules."
    )
    retention_at: time | None = _setting(
        _time_or_never,
        time(3),
        "From when on a worker takes away, once a day, what has run out; never: by hand only.",
    )
    metrics_token: str = _setting(
        _secret,
        "",
        "Bearer token that /metrics asks for; empty: open, so keep it off the internet.",
    )
    data_dir: Path = _setting(
        _folder, (ROOT / "../shared/data").resolve(), "Where real village data lies, if anywhere."
    )
    network_dir: Path | None = _setting(
        _folder, None, "Network files, shared by all servers of a database; empty: in VAR_DIR."
    )
    var_dir: Path = _setting(_folder, ROOT / "var", "What a run keeps: database file, made secret.")

    @classmethod
    def load(cls) -> Self:
        """The settings of this process's environment."""
        return cls.from_environ(os.environ)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read and check all settings. Raises SettingsError that lists every fault at once."""
        values: dict[str, Any] = {}
        faults: list[str] = []
        for item in fields(cls):
            text = environ.get(item.name.upper(), "").strip()
            if not text:
                continue
            try:
                values[item.name] = item.metadata["parse"](text)
            except ValueError as fault:
                default = (
                    "its default" if item.default in ("", None, (), b"") else shown(item.default)
                )
                remedy = f"set it so, or leave it out for {default}"
                faults.append(f"{item.name.upper()}: {fault}; {remedy}")
        faults += _contradictions(values)
        if faults:
            raise SettingsError(faults)
        return cls(**values).completed()

    @property
    def omissions(self) -> list[str]:
        """What these settings leave undone; the platform starts, and says so at its start."""
        if self.production and not self.record_key and self.record_key_file is None:
            return [
                "RECORD_KEY_FILE or RECORD_KEY: without a key no credit record is signed, and no "
                "list of revocations"
            ]
        return []

    def completed(self) -> Self:
        """These settings with what was left empty filled in; makes VAR_DIR if it is needed."""
        filled: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        if not self.database_url:
            self.var_dir.mkdir(parents=True, exist_ok=True)
            filled["database_url"] = f"sqlite:///{self.var_dir / 'lianbao.sqlite3'}"
        if not self.secret_key:
            filled["secret_key"] = _kept_secret(self.var_dir)
        if not self.personal_data_keys:
            made = kept(self.var_dir / "personal_data_key", lambda: f"first:{_new_key()}")
            filled["personal_data_keys"] = _keys(made)
        if not self.personal_index_key:
            filled["personal_index_key"] = _key(kept(self.var_dir / "personal_index_key", _new_key))
        return type(self)(**filled)


def _contradictions(given: Mapping[str, Any]) -> list[str]:
    """What these values cannot be together. Each says the setting, the rule, and what to do."""
    faults: list[str] = []
    if given.get("production"):
        faults += [
            f"{name.upper()}: has to be set in production; set it, the same on all hosts"
            for name in ("database_url", "secret_key", "personal_data_keys", "personal_index_key")
            if not given.get(name)
        ]
        if given.get("fixed_now"):
            faults.append("FIXED_NOW: the clock has to run in production; leave it out")
        if not given.get("session_cookie_secure", False):
            faults.append(
                "SESSION_COOKIE_SECURE: has to be on in production; set it to 1, and serve over TLS"
            )
        if not given.get("database_durable", True):
            faults.append("DATABASE_DURABLE: has to be on in production; leave it out")
        if given.get("webhook_http"):
            faults.append(
                "WEBHOOK_HTTP: production sends over TLS only; leave it out, and give the "
                "receiver a certificate"
            )
    if given.get("record_key") and given.get("record_key_file"):
        faults.append(
            "RECORD_KEY: there is RECORD_KEY_FILE already, one of the two is allowed; leave one out"
        )
    lock_ms = given.get("database_lock_timeout_ms", _default("database_lock_timeout_ms"))
    statement_ms = given.get(
        "database_statement_timeout_ms", _default("database_statement_timeout_ms")
    )
    if statement_ms < lock_ms:
        faults.append(
            f"DATABASE_STATEMENT_TIMEOUT_MS: {statement_ms} ms end a statement before it has "
            f"waited DATABASE_LOCK_TIMEOUT_MS, {lock_ms} ms, for a lock; raise it, or lower that"
        )
    first, most = (
        given.get(name, _default(name))
        for name in ("webhook_retry_first_seconds", "webhook_retry_most_seconds")
    )
    if most < first:
        faults.append(
            f"WEBHOOK_RETRY_MOST_SECONDS: {most} is less than WEBHOOK_RETRY_FIRST_SECONDS, "
            f"{first}; raise it, or lower that"
        )
    told: dict[str, str] = {}
    for name in ("secret_key", "metrics_token", "webhook_keys"):
        for part in str(given.get(name, "")).split(","):
            if part.strip() and told.setdefault(part.strip(), name) != name:
                faults.append(
                    f"{name.upper()}: is the secret of {told[part.strip()].upper()} too, and who "
                    "learns one would know both; make it another"
                )
    return faults


def for_a_child(**more: str) -> dict[str, str]:
    """The environment of a program that we start: ours, and more."""
    return {**os.environ, **more}


def doubts(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """What somebody may not have meant: the platform starts, and says so."""
    environ = os.environ if environ is None else environ
    known = {item.name.upper() for item in fields(Settings)}
    found = []
    for name in sorted(environ.keys() - known):
        meant = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if name.startswith("LIANBAO_"):
            plain = name.removeprefix("LIANBAO_")
            meant = [plain] if plain in known else meant or [""]
        elif name.startswith(_FAMILIES):
            meant = meant or [""]
        if meant and name not in _OTHERS:
            remedy = (
                f"{meant[0]} is, if that is meant" if meant[0] else "config/example.env has all"
            )
            found.append(f"{name}: no setting of ours; {remedy}")
    is_sqlite = settings.database_url.startswith("sqlite")
    if not settings.rate_limits:
        found += [
            f"{name}: has no effect while RATE_LIMITS is off"
            for name in sorted(known & environ.keys())
            if name.startswith("RATE_LIMIT_") and environ[name].strip()
        ]
    if is_sqlite:
        found += [
            f"{name}: has no effect on SQLite"
            for name in ("DATABASE_STATEMENT_TIMEOUT_MS", "POSTGRES_PROGRAMS")
            if environ.get(name, "").strip()
        ]
    elif not settings.database_durable:
        found.append("DATABASE_DURABLE: has no effect on PostgreSQL; its own settings say")
    if settings.production:
        if not settings.rate_limits:
            found.append("RATE_LIMITS: is off, so nobody is slowed down who tries passwords")
        elif not settings.redis_url:
            found.append("REDIS_URL: without Redis each process counts its callers for itself")
        if not settings.metrics_token:
            found.append("METRICS_TOKEN: is not set, so /metrics is open to whoever reaches it")
        if is_sqlite:
            found.append("DATABASE_URL: SQLite serves one host only; PostgreSQL serves several")
    return found


# Names that look like ours and are not: set by those who run tests.
_OTHERS = frozenset({"TEST_DATABASE_URL"})
_FAMILIES = (
    "DATABASE_",
    "RATE_LIMIT",
    "WEBHOOK_",
    "IDEMPOTENCY_",
    "RECORD_KEY",
    "PERSONAL_",
    "DAY_CLOSE",
)
# Two names that share nine tenths of their letters are one misspelt.
_ALIKE = 0.9


def shown(value: Any) -> str:
    """A value as it is written in the environment."""
    if isinstance(value, bool):
        return str(int(value))
    return value.strftime("%H:%M") if isinstance(value, time) else str(value)


def described(settings: Settings) -> dict[str, str]:
    """Every setting by its variable's name as it counts, secrets and passwords hidden."""
    found = {}
    for item in fields(Settings):
        value = getattr(settings, item.name)
        text = "" if value in (None, (), b"") else shown(value)
        if item.name in SECRETS and text:
            text = "(set)"
        found[item.name.upper()] = masked(text)
    return found


SECRETS = frozenset(
    {
        "secret_key",
        "personal_data_keys",
        "personal_index_key",
        "record_key",
        "metrics_token",
        "webhook_keys",
    }
)


def masked(text: str) -> str:
    """A text without the credentials of the addresses in it."""
    text = re.sub(r"://[^/\s]*@", "://***@", text)
    return re.sub(r"(?i)\b(password|passwd|pwd)=[^&\s]+", r"\1=***", text)


def _default(name: str) -> Any:
    return next(item.default for item in fields(Settings) if item.name == name)


def _kept_secret(var_dir: Path) -> str:
    """The secret of this installation, made at its first start."""
    return kept(var_dir / "secret_key", lambda: secrets.token_urlsafe(48)).strip()


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def kept(place: Path, make: Callable[[], str]) -> str:
    """A secret in a file that only its owner reads, made at first use; processes agree on one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        # Written aside, then linked: of two processes one wins and nobody reads half a secret.
        draft = place.with_name(f"{place.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(make())
        try:
            os.link(draft, place)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return place.read_text()
