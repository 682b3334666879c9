"""Where the network files of this installation are."""

from pathlib import Path

from flask import current_app

from config.settings import Settings


def network_folder() -> Path:
    """The folder that NETWORK_DIR names; the servers that share a database share it."""
    settings: Settings = current_app.extensions["settings"]
    return settings.network_dir or settings.var_dir / "networks"
