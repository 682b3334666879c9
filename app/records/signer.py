"""The key that signs credit records: of the settings, or one made for trials; in production none.

A key that is configured and cannot be read stops the start. Without any, production serves all but
what has to be signed, says so at the start, and refuses where somebody asks.
"""

import logging

from flask import Flask, current_app

from community.records.signing import KeyUnusable, Signer, load_signer, new_private_pem
from config.settings import Settings, SettingsError, kept

logger = logging.getLogger(__name__)

_FILE = "record_key.pem"
_PLACE = "record_signer"


def init_app(app: Flask) -> None:
    """Read the configured key, and say what is not configured."""
    settings: Settings = app.extensions["settings"]
    app.extensions[_PLACE] = _configured(settings)
    for omission in settings.omissions:
        logger.warning("not set: %s", omission)


def current_signer() -> Signer | None:
    """The signer of this application; None in production without a key."""
    settings: Settings = current_app.extensions["settings"]
    if current_app.extensions[_PLACE] is None and not settings.production:
        pem = kept(settings.var_dir / _FILE, lambda: new_private_pem().decode())
        current_app.extensions[_PLACE] = load_signer(pem.encode())
    found: Signer | None = current_app.extensions[_PLACE]
    return found


def _configured(settings: Settings) -> Signer | None:
    name = "RECORD_KEY" if settings.record_key else "RECORD_KEY_FILE"
    try:
        if settings.record_key:
            return load_signer(settings.record_key.encode())
        if settings.record_key_file is not None:
            return load_signer(settings.record_key_file.read_bytes())
    except (KeyUnusable, OSError) as error:
        raise SettingsError([f"{name}: {error}"]) from None
    return None
