"""The OpenAPI document is valid and complete, and the application keeps to it."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app import create_app
from app.extensions import db
from community.verification import verify
from config.settings import Settings
from tests.api.test_permissions_matrix import IDS
from tests.api.world import API, World, make_world

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


def test_every_operation_documents_its_refusals_as_problems(document: dict[str, Any]) -> None:
    components = document["components"]["responses"]
    for path, verb, operation in operations(document):
        assert "default" in operation["responses"], (verb, path)
        for status, response in operation["responses"].items():
            if status[0] in "45d":
                name = response["$ref"].removeprefix("#/components/responses/")
                assert list(components[name]["content"]) == ["application/problem+json"]
                schema = components[name]["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) >= {"type", "title", "status", "detail", "instance"}
    assert problem.get("additionalProperties", True) is not False, "kinds add members of their own"


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
