"""The ceiling of the framework: Flask alone, and Flask with one row of PostgreSQL, no more."""

import os
import threading

import psycopg
from flask import Flask, jsonify
from werkzeug import Response

app = Flask(__name__)
_own = threading.local()


@app.get("/plain")
def plain() -> Response:
    """A small JSON."""
    return jsonify({"amount": "120.50", "currency": "CNY"})


@app.get("/row")
def row() -> Response:
    """The same, after one row was read by a connection that is kept."""
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(os.environ["BARE_DATABASE_URL"], autocommit=True)
    _own.connection.execute("SELECT id, name FROM communities WHERE id = 1").fetchone()
    return plain()
