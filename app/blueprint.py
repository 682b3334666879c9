"""The blueprint that features are made of: routes below /api/v1, documented from their marks."""

from typing import Any

import flask_smorest
from flask.views import MethodView
from werkzeug.routing import BaseConverter, Map

from app.idempotency import HEADER
from app.intake import StrictParser
from app.marks import mark_of

PREFIX = "/api/v1"


class PublicIdConverter(BaseConverter):
    """A public id of one kind in a path: `<pid(lon):loan_id>`. Anything else is not found."""

    def __init__(self, map: Map, prefix: str) -> None:
        super().__init__(map)
        self.prefix = prefix
        self.regex = f"{prefix}_[0-9a-hj-km-np-tv-z]{{16}}"


def describe_public_id(converter: PublicIdConverter) -> dict[str, Any]:
    """What the OpenAPI says of such a path parameter."""
    return {"type": "string", "pattern": f"^{converter.regex}$"}


class Blueprint(flask_smorest.Blueprint):
    """`blp = Blueprint("loans", __name__, description="…")`; routes begin with `/api/v1`."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, **kwargs: Any) -> None:
        kwargs.setdefault("url_prefix", PREFIX)
        super().__init__(name, import_name, **kwargs)
        self._prepare_doc_cbks.append(_prepare_marks_doc)

    def _store_endpoint_docs(
        self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any
    ) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        methods: dict[str, dict[str, Any]] = {
            name: doc for name, doc in self._docs[endpoint].items() if isinstance(doc, dict)
        }
        for method, doc in methods.items():
            is_class = isinstance(obj, type) and issubclass(obj, MethodView)
            view = getattr(obj, method) if is_class else obj
            operation_id = f"{self.name}_{endpoint}"
            doc["marks"] = {
                "operationId": operation_id if len(methods) == 1 else f"{operation_id}_{method}",
                "public": mark_of(view, "_public", False),
                "permission": mark_of(view, "_permission"),
                "money_moving": mark_of(view, "_money_moving", False),
                # A PATCH says which version it changes: see app.paging.check_etag.
                "versioned": method.lower() == "patch" or mark_of(view, "_versioned", False),
            }


def _prepare_marks_doc(doc: dict[str, Any], info: dict[str, Any], **_: Any) -> dict[str, Any]:
    marks = info["marks"]
    doc["operationId"] = marks["operationId"]
    if marks["public"]:
        doc["security"] = []
    if marks["permission"]:
        doc["x-permission"] = marks["permission"]
    if marks["money_moving"]:
        doc.setdefault("parameters", []).append(
            {
                "in": "header",
                "name": HEADER,
                "required": True,
                "description": "Made up by the caller for this one movement of money; a repeated "
                "request sends the same.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~-]{8,80}$"},
            }
        )
    if marks["versioned"]:
        doc.setdefault("parameters", []).append(
            {
                "in": "header",
                "name": "If-Match",
                "required": True,
                "description": "The ETag that was read; 412 if the thing has changed since.",
                "schema": {"type": "string", "pattern": '^"[0-9]{1,18}"$'},
            }
        )
    return doc
