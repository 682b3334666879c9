"""Early warning over the API: a night, a loan for those who may ask, a model's card, switching."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from app.extensions import db
from app.scoring.views import warning_view
from community.communities.models import Community
from community.loans.models import Loan
from community.members.models import Member
from community.scoring.features import OF_OTHERS
from community.scoring.models import Band, LoanWarning
from tests.api.people import assert_problem
from tests.api.world import World, make_world
from tests.databases import template_database


@pytest.fixture(scope="module", params=["sqlite"])
def own_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A world in which models are switched: nothing of that depends on the kind of database."""
    folder = tmp_path_factory.mktemp("warning")
    with template_database(request, folder) as url, make_world(url, folder) as made:
        yield made


def got(world: World, path: str, who: str = "officer") -> Any:
    answer = world.call(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_a_night_is_listed_in_pages_and_as_a_table(world: World) -> None:
    listed = got(world, "/communities/@village/warnings")
    assert listed["run"]["basis"] == "model"
    assert len(listed["items"]) == listed["run"]["loans"] > 1
    first = got(world, "/communities/@village/warnings?limit=1")
    rest = got(world, f"/communities/@village/warnings?cursor={first['next_cursor']}")
    assert first["items"] + rest["items"] == listed["items"]
    bands = {item["band"] for item in listed["items"]}
    for band in bands:
        some = got(world, f"/communities/@village/warnings?band={band}")
        assert {item["band"] for item in some["items"]} == {band}
    text = world.call("officer", "GET", "/communities/@village/warnings.csv").text
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["loan"] for row in rows] == [item["loan"] for item in listed["items"]]


def test_a_borrower_is_told_the_band_and_their_own_reasons_only(world: World) -> None:
    officers = got(world, "/loans/@late/warning")
    borrowers = got(world, "/loans/@late/warning", "ding")
    assert borrowers["band"] == officers["band"]
    assert officers["probability_ppm"] > 0
    assert all(reason["log_odds"] > 0 for reason in officers["reasons"])
    # No figure from which what is hidden could be worked out.
    assert borrowers["probability_ppm"] is None
    assert {reason["log_odds"] for reason in borrowers["reasons"]} <= {None}
    hidden = OF_OTHERS
    assert not {reason["code"] for reason in borrowers["reasons"]} & hidden
    told = {reason["code"] for reason in officers["reasons"]} - hidden
    assert {reason["code"] for reason in borrowers["reasons"]} == told
    assert all(reason["words"].keys() == {"zh-CN", "en"} for reason in officers["reasons"])


def test_what_others_add_is_hidden_from_the_borrower() -> None:
    reasons = [
        {"code": code, "value": 5_000, "thousandths": 700}
        for code in (*sorted(OF_OTHERS), "days_late")
    ]
    warning = LoanWarning(
        band=Band.RAISED, probability_ppm=1, rules_held=0, rules_on=1, reasons=reasons
    )
    about = (warning, Loan(public_id="lon_x"), Member(public_id="mem_x", name="x"), None)
    own = warning_view(*about, for_borrower=True)
    assert [reason["code"] for reason in own["reasons"]] == ["days_late"]
    assert len(warning_view(*about)["reasons"]) == len(OF_OTHERS) + 1


def test_a_card_says_how_good_a_model_was(world: World) -> None:
    card = got(world, "/warning-models/@warning_model", "auditor")
    assert card["is_in_force"]
    assert card["measures"]["brier"] < card["measures"]["brier_base"]
    assert sum(point["rows"] for point in card["measures"]["curve"]) == card["measures"]["rows"]
    assert [part["name"] for part in card["slices"]] == ["learn", "calibrate", "judge"]
    assert card["drift_now"]["features"].keys() == card["drift_then"]["features"].keys()
    [listed] = got(world, "/communities/@village/warning-models")["items"]
    assert listed["digest"] == card["digest"]


def test_switching_off_and_on_again(own_world: World) -> None:
    path = "/communities/@village/warning-activations"
    for number, model in ((2, None), (3, own_world.ids["warning_model"])):
        answer = own_world.call(
            "officer", "POST", path, json={"model": model, "reason": "so it was decided"}
        )
        assert answer.status_code == 201, answer.text
        assert answer.get_json()["number"] == number
        card = got(own_world, "/warning-models/@warning_model")
        assert card["is_in_force"] is (model is not None)


def test_a_training_that_finds_too_little_says_so(own_world: World) -> None:
    asked = own_world.call(
        "officer", "POST", "/communities/@village/warning-trainings", json={"seed": 3}
    )
    assert_problem(asked, 409, "too-little-history")
    assert asked.get_json()["wanted"]["loans"] > asked.get_json()["counted"]["loans"]
    # One that waited is refused by the worker, with the reason.
    worker = own_world.app.extensions["training_worker"]
    worker.nudge().join()
    waited = got(own_world, "/warning-trainings/@training")
    assert waited["status"] == "refused"
    assert waited["failure"]


def test_the_command_line_says_the_same(own_world: World) -> None:
    run = own_world.app.test_cli_runner()
    card = run.invoke(args=["warning", "card", own_world.ids["warning_model"]])
    assert "Brier" in card.output
    none = run.invoke(args=["warning", "card", "wmo_0000000000000000"])
    assert none.exit_code == 1
    with own_world.app.app_context():
        place = db.session().query(Community).filter_by(public_id=own_world.ids["village"]).one()
        reference = place.reference
    refused = run.invoke(args=["warning", "train", "--community", reference])
    assert refused.exit_code == 1
    assert "charter asks for" in refused.output
    scored = run.invoke(args=["warning", "score", "--community", reference])
    assert scored.output.startswith(f"{reference}: ")
    assert "0 trainings" in run.invoke(args=["warning", "work"]).output
