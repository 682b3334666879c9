"""The OpenAPI document is valid and complete, and the application keeps to it."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select

from app import create_app
from app.extensions import db
from app.problems import all_problems, status_of
from app.webhooks import described
from community.database import new_public_id
from community.ledger.models import Event
from community.verification import verify
from community.webhooks import service
from community.webhooks.kinds import FAMILIES, KINDS
from community.webhooks.models import WebhookDelivery
from config.settings import Settings
from tests.api.test_permissions_matrix import IDS
from tests.api.world import API, World, make_world
from tools import refusals

DOCUMENT = f"{API}/openapi.json"
VERBS = frozenset({"get", "post", "put", "patch", "delete"})
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
# On SQLite; what is made up hardly meets the kind of database, so on PostgreSQL two are enough.
EXAMPLES = 3
# By what a bank checks a record, without being known here.
PUBLIC = {"records_list_keys", "records_get_revocations", "records_verify"}


@pytest.fixture(scope="module")
def bare_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application without a database: the document needs none."""
    folder = tmp_path_factory.mktemp("openapi")
    return create_app(Settings(database_url=f"sqlite:///{folder / 'none'}", var_dir=folder))


@pytest.fixture(scope="module")
def document(bare_app: Flask) -> dict[str, Any]:
    """The document as it is served."""
    served: dict[str, Any] = bare_app.test_client().get(DOCUMENT).get_json()
    return served


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for verb in VERBS & methods.keys():
            yield path, verb, methods[verb]


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_documented(bare_app: Flask, document: dict[str, Any]) -> None:
    rules = {
        re.sub(r"<(?:[^<>:]*:)?(\w+)>", r"{\1}", rule.rule)
        for rule in bare_app.url_map.iter_rules()
        if rule.rule.startswith(API) and rule.rule != DOCUMENT
    }
    assert rules == set(document["paths"])


def test_every_operation_says_what_it_is_and_who_may(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names) > 90
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"] == {
        "type": "http",
        "scheme": "bearer",
    }
    for path, verb, operation in operations(document):
        where = (verb, path)
        assert operation["summary"], where
        if operation["operationId"] in PUBLIC:
            assert operation["security"] == [], where
        else:
            assert operation["x-permission"], where
            # Not for everybody: what stands at the top counts.
            assert "security" not in operation, where
        assert any(status[0] == "2" for status in operation["responses"]), where


def test_every_operation_lists_the_problems_that_it_can_answer(document: dict[str, Any]) -> None:
    components = document["components"]["responses"]
    known = {kind.code: kind for kind in all_problems()}
    for path, verb, operation in operations(document):
        where, listed = (verb, path), set[str]()
        for status, response in operation["responses"].items():
            if status[0] == "2":
                continue
            if status == "414":
                # The server's own words: it has not read what was asked.
                assert any(given["in"] == "query" for given in operation["parameters"]), where
                continue
            answer = components[response["$ref"].removeprefix("#/components/responses/")]
            assert list(answer["content"]) == ["application/problem+json"]
            content = answer["content"]["application/problem+json"]
            assert content["schema"]["$ref"] == "#/components/schemas/Problem"
            types = content["schema"]["properties"]["type"]["enum"]
            codes = [kind.removeprefix("/problems/") for kind in types]
            assert {status_of(known[code]) for code in codes} == {int(status)}, where
            assert sorted(content["examples"]) == sorted(codes), where
            listed |= set(codes)
        assert {"bad-request", "internal", "unavailable", "too-many-requests"} <= listed, where
        is_public = operation["operationId"] in PUBLIC
        assert ({"bad-token", "token-revoked", "scope-missing"} <= listed) != is_public, where
        assert ("not-found" in listed) >= ("{" in path), where
        assert ("invalid" in listed) >= path.endswith(("{version}", "{number}")), where
        assert ("malformed-body" in listed) == (verb != "get"), where
        assert ("precondition-failed" in listed) == _sends(operation, "If-Match"), where
        assert ("idempotency-key-invalid" in listed) == _sends(operation, "Idempotency-Key"), where
        asks = any(given["in"] == "query" for given in operation.get("parameters", []))
        assert ("validation" in listed) == (asks or "requestBody" in operation), where
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) >= {"type", "title", "status", "detail", "instance"}
    assert problem.get("additionalProperties", True) is not False, "kinds add members of their own"


def _sends(operation: dict[str, Any], header: str) -> bool:
    return any(given["name"] == header for given in operation.get("parameters", []))


def test_which_refusals_a_route_raises_is_as_the_code_says() -> None:
    """`python tools/refusals.py` writes the file anew."""
    assert refusals.FILE.read_text() == refusals.text()


def test_every_example_is_what_its_schema_admits(document: dict[str, Any]) -> None:
    whole = _absolute(document)
    registry: Any = Registry().with_resource("urn:doc", Resource(whole, DRAFT202012))
    seen = Counter[str]()

    def check(kind: str, where: Any, schema: Any, holder: dict[str, Any]) -> None:
        assert {"example", "examples"} & holder.keys(), (kind, where, "has no example")
        listed = [each["$ref"] for each in holder.get("examples", {}).values()]
        values = [document["components"]["examples"][_last(ref)]["value"] for ref in listed]
        for value in values or [holder["example"]]:
            faults = list(Draft202012Validator(schema, registry=registry).iter_errors(value))
            assert faults == [], (kind, where, value)
            seen[kind] += 1

    for path, methods in whole["paths"].items():
        for parameter in methods.get("parameters", []):
            check("parameter", path, parameter["schema"], parameter)
        for verb in VERBS & methods.keys():
            operation = methods[verb]
            for parameter in operation.get("parameters", []):
                check("parameter", (verb, path), parameter["schema"], parameter)
            bodies = [("request", operation.get("requestBody", {}))]
            bodies += [("answer", answer) for answer in operation["responses"].values()]
            for kind, body in bodies:
                for media_type, content in body.get("content", {}).items():
                    if not media_type.startswith("image/"):
                        check(kind, (verb, path), content["schema"], content)
    for name, answer in whole["components"]["responses"].items():
        [content] = answer["content"].values()
        check("problem", name, content["schema"], content)
    assert seen["request"] > 110
    assert seen["answer"] > 300 < seen["problem"]


def test_every_kind_of_webhook_is_described(document: dict[str, Any]) -> None:
    """All kinds that there are and no other: body, headers of the signature, what answers do."""
    told = document["webhooks"]
    assert set(told) == set(KINDS) == set(described.MEANINGS)
    assert set(described.SUBJECTS) == set(FAMILIES)
    assert set(described.BY_KIND) <= set(KINDS)
    for kind, item in told.items():
        operation = item["post"]
        assert operation["summary"], kind
        headers = {given["name"]: given for given in operation["parameters"]}
        assert headers.keys() == {"webhook-id", "webhook-timestamp", "webhook-signature"}
        assert all(given["required"] and given["in"] == "header" for given in headers.values())
        assert operation["responses"].keys() == {"2XX", "3XX", "410", "default"}
        content = operation["requestBody"]["content"]["application/json"]
        assert content["schema"]["properties"]["type"]["const"] == kind
        Draft202012Validator(content["schema"]).validate(content["example"])
        place = described.subject_of(kind)[2].removeprefix("GET ")
        assert "get" in document["paths"][place]
    names = {item["post"]["operationId"] for item in told.values()}
    known = {operation["operationId"] for _, _, operation in operations(document)}
    assert len(names) == len(KINDS)
    assert not names & known
    assert "webhooks" in {tag["name"] for tag in document["tags"]}


def test_what_a_world_records_is_what_its_receivers_were_promised(world: World) -> None:
    """Every record of a whole village that can be told of, as it would be sent."""
    with world.app.app_context():
        session = db.session()
        recorded = session.execute(
            select(Event.kind, Event.subject, Event.seq, Event.recorded_at).where(
                Event.kind.in_(KINDS)
            )
        ).all()
        session.rollback()
    seen = set()
    for kind, subject, seq, recorded_at in recorded:
        delivery = WebhookDelivery(
            public_id=new_public_id("whd"),
            kind=kind,
            subject=subject,
            seq=seq,
            recorded_at=recorded_at,
        )
        body = service.document_of(delivery, new_public_id("com"))
        Draft202012Validator(described.body_of(kind)).validate(body)
        seen.add(kind)
    assert {kind.partition(".")[0] for kind in seen} == set(FAMILIES)
    assert len(seen) > 20


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def _absolute(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: f"urn:doc{inner}" if name == "$ref" else _absolute(inner)
            for name, inner in value.items()
        }
    return [_absolute(inner) for inner in value] if isinstance(value, list) else value


def test_every_operation_has_its_headers_and_its_tag(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    shared = document["components"]["responses"]
    tagged = set[str]()
    for path, verb, operation in operations(document):
        where = (verb, path)
        [tag] = operation["tags"]
        assert tag in tags, where
        for status, response in operation["responses"].items():
            if status == "414":
                continue  # the server's own, which gives no number to what it has not read
            answer = shared[_last(response["$ref"])] if "$ref" in response else response
            assert "X-Request-Id" in answer["headers"], where
            assert ("WWW-Authenticate" in answer["headers"]) == (status == "401"), where
            assert ("Retry-After" in answer["headers"]) == (status in ("429", "503")), where
            if "ETag" in answer["headers"]:
                tagged.add(path)
            if _sends(operation, "Idempotency-Key") and status[0] == "2":
                assert "Idempotency-Replayed" in answer["headers"], where
        # What names a version can be read with one.
        if _sends(operation, "If-Match"):
            reads = document["paths"][path]["get"]["responses"]["200"]
            assert "ETag" in reads["headers"], where
    assert len(tagged) > 30


def test_lists_are_read_page_by_page(document: dict[str, Any]) -> None:
    schemas, paged = document["components"]["schemas"], 0
    for path, verb, operation in operations(document):
        names = {given["name"] for given in operation.get("parameters", [])}
        content = operation["responses"].get("200", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        fields = schemas[_last(reference)].get("properties", {}) if reference else {}
        assert ("cursor" in names) == ("next_cursor" in fields), (verb, path)
        if "cursor" in names:
            paged += 1
            assert "limit" in names, (verb, path)
            assert {"bad-cursor"} <= _codes(document, operation, "422"), (verb, path)
    assert paged > 20


def test_a_body_may_be_left_out_where_nothing_in_it_is_needed(document: dict[str, Any]) -> None:
    schemas, optional = document["components"]["schemas"], 0
    for path, verb, operation in operations(document):
        body = operation.get("requestBody")
        if body is not None and "application/json" in body["content"]:
            schema = body["content"]["application/json"]["schema"]
            needed = schemas[_last(schema["$ref"])].get("required", [])
            assert body["required"] == bool(needed), (verb, path)
            optional += not needed
    assert optional >= 3


def test_a_text_is_described_with_the_characters_that_it_may_have(
    document: dict[str, Any],
) -> None:
    purpose = document["components"]["schemas"]["LoanApplication"]["properties"]["purpose"]
    for text, fits in (("Seed 种子", True), (" a ", True), ("  ", False), ("a\x07b", False)):
        assert bool(re.search(purpose["pattern"], text)) == fits, text


def test_every_amount_has_one_of_two_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    spelled = [
        name
        for name, schema in schemas.items()
        for part in [schema, *schema.get("properties", {}).values()]
        if part.get("properties", {}).keys() == {"amount", "currency"}
    ]
    assert sorted(spelled) == ["Money", "SignedMoney"]


def _codes(document: dict[str, Any], operation: dict[str, Any], status: str) -> set[str]:
    answer = document["components"]["responses"][_last(operation["responses"][status]["$ref"])]
    types = answer["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
    return {kind.removeprefix("/problems/") for kind in types}


def test_money_is_moved_with_a_key_and_updates_name_a_version(document: dict[str, Any]) -> None:
    keyed: set[str] = set()
    versioned: set[str] = set()
    for path, verb, operation in operations(document):
        for header in operation.get("parameters", []):
            if header.get("in") == "header":
                assert header["required"], (verb, path)
                kind = keyed if header["name"] == "Idempotency-Key" else versioned
                kind.add(operation["operationId"])
        drafts = ("receiving_change_draft", "monitoring_change_meeting")
        changes = verb == "patch" or operation["operationId"] in drafts
        assert (operation["operationId"] in versioned) == changes, (verb, path)
    assert keyed == {
        "savings_deposit",
        "savings_withdraw",
        "holds_place_hold",
        "holds_post_hold",
        "holds_void_hold",
        "trust_lock_stake",
        "trust_release_stake",
        "credit_approve_loan",
        "credit_approve_group_loan",
        "credit_fund_lending_pool",
        "credit_fund_reserve",
        "lines_contribute",
        "loans_disburse",
        "loans_disburse_group_loan",
        "guarantees_record_repayment",
        "guarantees_pay_call",
        "claims_state_settlement",
        "claims_confirm_settlement",
        "claims_reverse_settlement",
        "claims_waive_claim",
        "servicing_settle_early",
        "servicing_reverse_repayment",
        "servicing_add_charge",
        "servicing_waive_charge",
        "servicing_pay_tranche",
        "receiving_collect",
        "receiving_collect_csv",
        "receiving_post_draft",
        "receiving_take_statement",
        "receiving_apply_bank_line",
        "receiving_save_bank_line",
        "receiving_return_bank_line",
    }


@pytest.fixture(scope="module")
def spent_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A community of its own: what is made up for it may succeed."""
    with make_world(template_url, tmp_path_factory.mktemp("spent")) as made:
        yield made


def test_made_up_requests_are_answered_as_documented(spent_world: World) -> None:
    """The operator sends what the document admits to every route: never a fault of ours."""
    world, met = spent_world, Counter[int]()
    by_kind: dict[str, str] = {}
    for public_id in world.ids.values():
        by_kind.setdefault(public_id.partition("_")[0], public_id)

    def real(value: Any) -> Any:
        """Made-up ids turned into ids of things that there are, so that requests get further."""
        if isinstance(value, str) and re.fullmatch("[a-z]{2,3}_[0-9a-z]{16}", value):
            return by_kind.get(value.partition("_")[0], value)
        if isinstance(value, list):
            return [real(inner) for inner in value]
        if isinstance(value, dict):
            return {name: real(inner) for name, inner in value.items()}
        return value

    token = {"Authorization": f"Bearer {world.tokens['operator']}"}
    on_sqlite = world.app.extensions["settings"].database_url.startswith("sqlite")
    for found in schemathesis.openapi.from_wsgi(DOCUMENT, world.app).get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # raises if the document is faulty
        names = re.findall(r"{(\w+)}", operation.path)
        places = {name: world.named(IDS[name]) for name in names}

        @settings(
            max_examples=EXAMPLES if on_sqlite else 2,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(path_parameters=places or None))
        def send(case: schemathesis.Case) -> None:
            case.body, case.query = real(case.body), real(case.query)
            answer = case.call(headers=token)
            met[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        send()
    # It got somewhere: reads and writes succeeded, rules refused.
    assert met[200] > 50 < met[422]
    assert met[201] > 0 < met[409]


def test_the_laws_hold_after_all_that(spent_world: World) -> None:
    with spent_world.app.app_context():
        assert verify(db.session()).breaches == ()
