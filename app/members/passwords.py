"""How passwords are hashed here: argon2id, as costly as the settings say."""

from argon2 import PasswordHasher, Type
from flask import Flask, current_app

from config.settings import Settings


def init_app(app: Flask) -> None:
    """Make the application's hasher."""
    settings: Settings = app.extensions["settings"]
    app.extensions["passwords"] = PasswordHasher(
        time_cost=settings.password_passes,
        memory_cost=settings.password_memory_kib,
        parallelism=1,
        type=Type.ID,
    )


def hasher() -> PasswordHasher:
    """The hasher of the application under way."""
    found: PasswordHasher = current_app.extensions["passwords"]
    return found
