"""The OpenAPI document, and a page to read it, served from installed files only."""

import json

from flask import Blueprint, Response, current_app, send_from_directory
from openapi_ui_bundles.swagger_ui import static_path

from app.marks import public
from app.openapi import complete
from community.errors import NotFound

pages = Blueprint("api_docs", __name__)

_ASSETS = frozenset(
    {
        "swagger-ui.css",
        "index.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "favicon-32x32.png",
    }
)
# The viewer sets styles and draws its icons from data addresses; scripts are files of ours.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lianbao API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="stylesheet" href="/api/docs/index.css">
<link rel="icon" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = """"use strict";
window.addEventListener("load", function () {
  window.ui = SwaggerUIBundle({
    url: "/api/v1/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
"""


@pages.get("/api/v1/openapi.json")
@public
def openapi_json() -> Response:
    """This API as an OpenAPI 3.1 document."""
    text = current_app.extensions.get("openapi_text")
    if text is None:
        text = json.dumps(complete(current_app), ensure_ascii=False)
        current_app.extensions["openapi_text"] = text
    return Response(text, mimetype="application/json")


@pages.get("/api/docs")
@public
def docs_page() -> Response:
    """A page to read the API in."""
    answer = Response(_PAGE, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer


@pages.get("/api/docs/start.js")
@public
def start_script() -> Response:
    """The few lines that start the viewer."""
    return Response(_START, mimetype="text/javascript")


@pages.get("/api/docs/<asset>")
@public
def docs_asset(asset: str) -> Response:
    """A file of the viewer."""
    if asset not in _ASSETS:
        raise NotFound("There is nothing here.")
    answer = send_from_directory(static_path, asset)
    answer.headers["Cache-Control"] = "public, max-age=86400"
    return answer
