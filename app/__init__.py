"""The web: routes, commands, and the edge where units of work begin and end."""

import importlib
import importlib.util
import logging
import pkgutil
from collections.abc import Sequence
from types import ModuleType

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import community
from app import api_docs, auth, health, intake, problems, rate_limits
from app.blueprint import PublicIdConverter, describe_public_id
from app.businessday.schedule import Schedule
from app.cache import Cache
from app.clock import Clock
from app.extensions import db, migrate
from app.fields import describe_fields
from app.members import passwords
from app.pages import entry
from app.personal import noting
from app.problems import ProblemApi
from app.records import signer
from app.risk.work import DeskWorker
from app.scoring.work import TrainingWorker
from config import logging as json_logs
from config.settings import Settings, doubts

logger = logging.getLogger(__name__)

# Every feature has its routes in `app.<feature>.routes.blp`, or `pages` there if it answers people
# and not programs, and may have a command group in `app.<feature>.commands.cli`.
FEATURES = [
    "members",
    "communities",
    "groups",
    "savings",
    "holds",
    "trust",
    "networks",
    "products",
    "loans",
    "guarantees",
    "claims",
    "servicing",
    "portfolio",
    "receiving",
    "seasons",
    "lines",
    "campaigns",
    "grouplife",
    "records",
    "personal",
    "exposure",
    "monitoring",
    "profiles",
    "feedback",
    "credit",
    "risk",
    "scoring",
    "webhooks",
    "ledger",
    "businessday",
    "importing",
    "pages",
    "pages.signin",
    "pages.papers",
    "pages.member",
    "pages.review",
    "pages.leader",
    "pages.cooperative",
    "pages.office",
    "pages.riskdesk",
    "pages.platform",
    "pages.auditor",
    "demo",
]
# Modules with a list COMMANDS.
COMMAND_MODULES = [
    "app.commands",
    "app.operations.commands",
    "app.villages.commands",
    "app.simulation.commands",
    "app.personal.operations",
]


def create_app(
    settings: Settings | None = None, *, features: Sequence[str] = tuple(FEATURES)
) -> Flask:
    """The application, built from settings: those of the environment if none are given.

    Tests of the foundation leave the features out.
    """
    from_environment = settings is None
    settings = (settings or Settings.load()).completed()
    json_logs.configure(settings.log_level)
    if from_environment:
        for doubt in doubts(settings):
            logger.warning("setting %s", doubt)
    app = Flask(__name__, static_folder=None)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_body_bytes,
        API_TITLE="Lianbao",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"description": "Community lending on mutual trust."},
            "security": [{"bearer": []}],
        },
        PROPAGATE_EXCEPTIONS=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["settings"] = settings
    app.extensions["clock"] = Clock(settings)
    app.extensions["business_day"] = Schedule(app)
    app.extensions["desk_worker"] = DeskWorker(app)
    app.extensions["training_worker"] = TrainingWorker(app)
    app.url_map.converters["pid"] = PublicIdConverter
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    db.init_app(app)
    migrate.init_app(app, db)
    signer.init_app(app)
    app.extensions["cache"] = Cache(settings.redis_url, settings.redis_pool_size)
    # In this order: the request gets its id, its caller, its place in the queue, its body.
    health.init_app(app)
    auth.init_app(app)
    entry.init_app(app)
    passwords.init_app(app)
    rate_limits.init_app(app)
    intake.init_app(app)
    noting.init_app(app)
    _init_api(app)
    _load_refusals()
    for pages in (health.pages, problems.pages, api_docs.pages):
        app.register_blueprint(pages)
    for feature in features:
        _add_feature(app, feature)
    for name in COMMAND_MODULES:
        for command in importlib.import_module(name).COMMANDS:
            app.cli.add_command(command)
    return app


def _init_api(app: Flask) -> None:
    api = ProblemApi(app)
    describe_fields(api.ma_plugin)
    api.register_converter(PublicIdConverter, describe_public_id)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    app.extensions["api"] = api


def _add_feature(app: Flask, feature: str) -> None:
    routes = _module(f"app.{feature}", "routes")
    if routes is not None and hasattr(routes, "blp"):
        app.extensions["api"].register_blueprint(routes.blp)
    if routes is not None and hasattr(routes, "pages"):
        app.register_blueprint(routes.pages)
    own = _module(f"app.{feature}", "commands")
    if own is not None:
        app.cli.add_command(own.cli)


def _module(package: str, name: str) -> ModuleType | None:
    """A module of a package, None if there is no such file. What fails inside it comes through."""
    if importlib.util.find_spec(package) is None:
        return None
    if importlib.util.find_spec(f"{package}.{name}") is None:
        return None
    return importlib.import_module(f"{package}.{name}")


def _load_refusals() -> None:
    """Every feature's refusals are known from the start, whether or not it has routes yet."""
    importlib.import_module("app.paging")
    for feature in pkgutil.iter_modules(community.__path__, "community."):
        if feature.ispkg:
            _module(feature.name, "errors")
