"""The edge of requests that move money: at most once, whatever is repeated, on any server."""

import hashlib
import json
import re
from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from http import HTTPStatus
from typing import Any, ParamSpec

import marshmallow as ma
from flask import Response, g, request

from app.auth import caller
from app.clock import now
from app.extensions import db
from app.marks import mark_of
from app.permissions import mark_permitted
from app.transaction import in_transaction
from community.idempotency import IdempotencyKeyInvalid, claim_key, store_answer

Arguments = ParamSpec("Arguments")

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r"[A-Za-z0-9._~-]{8,80}")


def money_moving(
    schema: type[ma.Schema] | ma.Schema, status: int = 201
) -> Callable[[Callable[Arguments, Any]], Callable[Arguments, Response]]:
    """Make a view that moves money take effect at most once per Idempotency-Key.

    Stands innermost, below the arguments decorators, in place of `@transactional`: it is the unit
    of work. The view returns what `schema` dumps (or that and a status). In one transaction the
    key is taken, the view is run, its answer is dumped and kept, and all of it is committed. The
    same key with the same route and body gets the kept answer, marked by a header; with another
    route or body it is refused. A refusal keeps nothing: nothing was done, so the key stays free.

    It also documents the answer, the header and the permission in the OpenAPI, so no
    `@blp.response` is needed.
    """
    dumper = schema() if isinstance(schema, type) else schema

    def decorate(view: Callable[Arguments, Any]) -> Callable[Arguments, Response]:
        def work(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Response:
            key = _key_of_request()
            member_id = caller().member_id
            kept = claim_key(
                db.session(),
                member_id=member_id,
                key=key,
                route=f"{request.method} {request.path}"[:300],
                body_hash=_hash_of_request(),
                now=now(),
            )
            if kept is not None:
                answer = _answer(kept.status, kept.body)
                answer.headers[REPLAYED_HEADER] = "true"
                return answer
            result = view(*args, **kwargs)
            code = status
            if isinstance(result, tuple):
                result, code = result
            body = json.dumps(dumper.dump(result), ensure_ascii=False, separators=(",", ":"))
            store_answer(db.session(), member_id=member_id, key=key, status=code, body=body)
            return _answer(code, body)

        @wraps(view)
        def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Response:
            answer = in_transaction(work, *args, **kwargs)
            if REPLAYED_HEADER in answer.headers:
                # Whoever made the first request was permitted then, and the key is theirs alone.
                mark_permitted(g.get("permission_asked", ""))
            return answer

        documented: Any = run
        documented._money_moving = True
        documented._apidoc = deepcopy(mark_of(view, "_apidoc", {}))
        documented._apidoc.setdefault("response", {}).setdefault("responses", {})[status] = [
            {
                "schema": dumper,
                "description": HTTPStatus(status).phrase,
                "content_type": None,
                "headers": {
                    REPLAYED_HEADER: {
                        "description": "'true' if this is the kept answer of an earlier request.",
                        "schema": {"type": "string"},
                    }
                },
            }
        ]
        return run

    return decorate


def _key_of_request() -> str:
    key = request.headers.get(HEADER, "")
    if not key:
        raise IdempotencyKeyInvalid(
            f"Moving money needs the header {HEADER}: make one up, and send the same again when "
            "you repeat the request.",
            header=HEADER,
        )
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyInvalid(
            f"{HEADER} is 8 to 80 letters, digits, dots, underscores, tildes or hyphens.",
            header=HEADER,
        )
    return key


def _hash_of_request() -> str:
    # The meaning counts, not the spelling: a retry may write its JSON with other spaces.
    said = [g.get("document"), sorted(request.args.items(multi=True))]
    if "document" not in g and request.get_data(cache=True):
        # A file, such as a bank statement: there every byte counts.
        said.append(hashlib.sha256(request.get_data(cache=True)).hexdigest())
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _answer(status: int, body: str) -> Response:
    return Response(body, status, mimetype="application/json")
