"""Settings are typed, checked all at once, and say what is wrong with each."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import Settings, SettingsError, described, doubts


def test_with_nothing_set_it_runs_on_a_file_of_its_own(tmp_path: Path) -> None:
    settings = Settings.from_environ({"VAR_DIR": str(tmp_path / "var")})
    assert settings.database_url == f"sqlite:///{tmp_path / 'var' / 'lianbao.sqlite3'}"
    assert (tmp_path / "var").is_dir()
    assert settings.redis_url == ""
    assert settings.business_timezone.key == "Asia/Shanghai"


def test_the_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    first = Settings.from_environ({"VAR_DIR": str(tmp_path)})
    again = Settings.from_environ({"VAR_DIR": str(tmp_path)})
    assert first.secret_key == again.secret_key
    assert len(first.secret_key) >= 32
    assert first.personal_data_keys == again.personal_data_keys
    assert first.personal_index_key == again.personal_index_key
    names = ["personal_data_key", "personal_index_key", "secret_key"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    shown = repr(first)
    assert first.secret_key not in shown
    assert "personal_data_keys" not in shown


def test_values_are_read(tmp_path: Path) -> None:
    settings = Settings.from_environ(
        {
            "DATABASE_URL": "postgresql://db.example/lianbao",
            "FIXED_NOW": "2026-11-23T09:00:00+08:00",
            "RATE_LIMITS": "off",
            "LOG_LEVEL": "debug",
            "MAX_BODY_BYTES": "2048",
            "DATA_DIR": str(tmp_path),
            "VAR_DIR": str(tmp_path),
            "UNRELATED": "x",
        }
    )
    assert settings.fixed_now is not None
    assert settings.fixed_now.utcoffset() == timedelta(hours=8)
    assert (settings.rate_limits, settings.log_level) == (False, "DEBUG")
    assert (settings.max_body_bytes, settings.data_dir) == (2048, tmp_path)


def test_all_faults_are_listed_at_once() -> None:
    faulty = {
        "DATABASE_URL": "mysql://x",
        "DATABASE_POOL_SIZE": "0",
        "REDIS_URL": "http://x",
        "BUSINESS_TIMEZONE": "Mars/Olympus",
        "FIXED_NOW": "2026-11-23T09:00:00",
        "LOG_LEVEL": "LOUD",
        "RATE_LIMIT_READ": "many",
        "RATE_LIMITS": "maybe",
        "MAX_BODY_BYTES": "1e6",
        "SECRET_KEY": "short",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(faulty)
    assert sorted(fault.partition(":")[0] for fault in caught.value.faults) == sorted(faulty)
    assert all(name in str(caught.value) for name in faulty)


def test_a_fault_never_shows_the_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"SECRET_KEY": "my secret"})
    assert "my secret" not in str(caught.value)


def test_production_leaves_nothing_to_chance() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(
            {
                "PRODUCTION": "1",
                "FIXED_NOW": "2026-11-23T09:00:00+08:00",
                "DATABASE_DURABLE": "0",
            }
        )
    names = {fault.partition(":")[0] for fault in caught.value.faults}
    assert names == {
        "DATABASE_URL",
        "SECRET_KEY",
        "PERSONAL_DATA_KEYS",
        "PERSONAL_INDEX_KEY",
        "SESSION_COOKIE_SECURE",
        "FIXED_NOW",
        "DATABASE_DURABLE",
    }


@pytest.mark.parametrize(
    "together, names",
    [
        ({"DATABASE_STATEMENT_TIMEOUT_MS": "4000"}, ["DATABASE_STATEMENT_TIMEOUT_MS"]),
        ({"WEBHOOK_RETRY_FIRST_SECONDS": "60", "WEBHOOK_RETRY_MOST_SECONDS": "30"}, None),
        ({"SECRET_KEY": "s" * 40, "METRICS_TOKEN": "s" * 40}, ["METRICS_TOKEN", "SECRET_KEY"]),
        ({"WEBHOOK_KEYS": f"{'k' * 40}, {'s' * 40}", "SECRET_KEY": "s" * 40}, ["WEBHOOK_KEYS"]),
        ({"RECORD_KEY": "-----BEGIN x", "RECORD_KEY_FILE": "x"}, ["RECORD_KEY", "RECORD_KEY_FILE"]),
    ],
)
def test_what_contradicts_itself_is_refused(
    together: dict[str, str], names: list[str] | None
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(together)
    (fault,) = caught.value.faults
    assert all(name in fault for name in names or together)
    # The setting, the rule, the remedy; and no secret.
    assert re.fullmatch(r"[A-Z_]+: [^;]+; (?:make|raise|leave) .+", fault)
    assert "ssss" not in fault


def test_faults_of_one_value_and_of_several_are_listed_together() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"PRODUCTION": "1", "WEBHOOK_HTTP": "1", "WORKER_POLL_SECONDS": "0"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "WORKER_POLL_SECONDS",
        "DATABASE_URL",
        "SECRET_KEY",
        "PERSONAL_DATA_KEYS",
        "PERSONAL_INDEX_KEY",
        "SESSION_COOKIE_SECURE",
        "WEBHOOK_HTTP",
    ]
    assert "set it so, or leave it out for 2" in caught.value.faults[0]


def test_what_may_not_be_meant_is_said(tmp_path: Path) -> None:
    environ = {
        "LIANBAO_SECRET_KEY": "x",
        "DATABSE_URL": "x",
        "WEBHOOK_URL": "x",
        "PATH": "/bin",
        "HOME": "/",
        "TEST_DATABASE_URL": "x",
        "RATE_LIMITS": "0",
        "RATE_LIMIT_READ": "5/minute",
        "POSTGRES_PROGRAMS": "/bin",
        "VAR_DIR": str(tmp_path),
    }
    said = doubts(Settings.from_environ(environ), environ)
    assert {text.partition(":")[0] for text in said} == {
        "LIANBAO_SECRET_KEY",
        "DATABSE_URL",
        "WEBHOOK_URL",
        "RATE_LIMIT_READ",
        "POSTGRES_PROGRAMS",
    }
    assert "LIANBAO_SECRET_KEY: no setting of ours; SECRET_KEY is, if that is meant" in said
    assert "DATABSE_URL: no setting of ours; DATABASE_URL is, if that is meant" in said


def test_settings_are_shown_without_their_secrets(tmp_path: Path) -> None:
    told = described(
        Settings.from_environ(
            {
                "DATABASE_URL": "postgresql://us:hush-hush@db.example/lianbao?password=hush-hush",
                "REDIS_URL": "redis://:hush-hush@db.example/0",
                "SECRET_KEY": "hush-hush" * 4,
                "METRICS_TOKEN": "hush-hush" * 5,
                "WEBHOOK_KEYS": "hush-hush" * 6,
                "RECORD_KEY": "-----BEGIN hush-hush",
                "VAR_DIR": str(tmp_path),
            }
        )
    )
    assert "hush-hush" not in str(told)
    assert told["DATABASE_URL"] == "postgresql://***@db.example/lianbao?password=***"
    assert (told["SECRET_KEY"], told["DATABASE_POOL_SIZE"]) == ("(set)", "5")
