"""Settings are typed, checked all at once, and say what is wrong with each."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import Settings, SettingsError


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
