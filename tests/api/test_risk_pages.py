"""The risk desk's pages: light in large networks, forms that refuse and go on, nothing twice."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.extensions import db
from community.communities.models import Community
from community.members.models import Member
from community.risk.finding import CircleKind
from community.risk.models import CircleName, RiskCircle, RiskCircleMember, RiskRun, StressTest
from community.risk.service import last_run
from tests.api.world import World, make_world
from tests.reading import Reader, check_html

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
REASONS: list[dict[str, Any]] = [
    {"code": "mutual_pairs", "pairs": 12},
    {"code": "rings", "rings": 140, "shortest": 3},
    {"code": "cover_inside", "share_bps": 9_812, "amount_minor": 1_234_567_89},
    {"code": "assessed_only", "share_bps": 5_432, "amount_minor": 987_654_32},
    {"code": "one_crop", "share_bps": 8_800, "crop": "rice"},
    {"code": "borrow_together", "members": 20, "borrowers": 17},
]


@pytest.fixture
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(template_url, tmp_path_factory.mktemp("desk")) as made:
        yield made


def operator(world: World, language: str = "en") -> Reader:
    return Reader(world.app, language).sign_in(world.tokens["operator"])


def many_circles(session: Session, circles: int, size: int) -> None:
    """As if the last search had found so many, each with all there is to say."""
    village = session.scalars(select(Community).order_by(Community.id).limit(1)).one()
    before = last_run(session, village.id)
    assert before is not None
    facts = {name: getattr(before, name) for name in RiskRun.__table__.columns.keys()}  # noqa: SIM118
    run = RiskRun(
        **{name: value for name, value in facts.items() if name not in ("id", "public_id")}
        | {"number": before.number + 1, "circles": circles, "members": 9_000}
    )
    session.add(run)
    session.flush()
    who = session.scalars(select(Member.id).order_by(Member.id).limit(size)).all()
    for at in range(circles):
        name = CircleName(community_id=village.id, number=1_000 + at, first_run_id=run.id)
        session.add(name)
        session.flush()
        cost = 1_000_000_00 - at * 1_000_00
        action = {
            "code": "lock_stake", "amount_minor": 123_456_00, "vouch": None, "member_id": who[0],
            "pool_change_bps": -1_234, "expected_change_bps": -2_345, "worst_change_bps": -345,
            "moved_minor": 0, "after": dict.fromkeys(
                ("expected_pool_minor", "expected_members_minor", "worst_pool_minor",
                 "worst_members_minor"), 1),
        }  # fmt: skip
        circle = RiskCircle(
            run_id=run.id, name_id=name.id, kind=CircleKind.CIRCLE, rank=at + 1, size=size,
            borrowers=size, exposure_minor=9 * cost, expected_pool_minor=cost,
            expected_members_minor=cost, worst_pool_minor=2 * cost, worst_members_minor=3 * cost,
            reasons=REASONS, actions=[action] * 3,
        )  # fmt: skip
        session.add(circle)
        session.flush()
        for member_id in who:
            session.add(
                RiskCircleMember(
                    circle_id=circle.id, member_id=member_id, owed_minor=cost // size,
                    guaranteed_minor=cost, contingent_bps=None, core=3, is_articulation=False,
                    worst_paid_minor=cost // size,
                )
            )  # fmt: skip
    session.commit()


@pytest.mark.parametrize(("circles", "size"), [(300, 12), (60, 4)])
def test_a_large_network_stays_light_and_takes_as_many_statements(
    own_world: World, circles: int, size: int
) -> None:
    def statements() -> tuple[int, str]:
        seen = []
        with own_world.app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
        # Twice: what is read once for all is read by the first.
        reader = operator(own_world)
        reader.open("/desk/map")
        seen.clear()
        answer = reader.open("/desk/map")
        assert answer.status_code == 200
        check_html(answer, "en")
        return len(seen), answer.text

    few, _ = statements()
    with own_world.app.app_context():
        many_circles(db.session(), circles, size)
    many, text = statements()
    # Changes, and names in parts of a thousand: no more than some.
    assert many <= 2 * few + 4, (few, many)
    assert f"{circles - 30} other circles" in text
    assert text.count('class="blob"') == 30
    for path in ("/desk/map?lang=zh-CN", f"/desk/{own_world.ids['village']}/map.csv"):
        assert operator(own_world).open(path).status_code == 200


def test_what_if_is_a_form_that_needs_no_script(world: World) -> None:
    reader = operator(world)
    path = f"/desk/circles/{world.ids['circle']}/what-if"
    shown = reader.open(path)
    sliders = re.findall(r'name="(limit\.vch_\w+)" min="0" max="([0-9.]+)"', shown.text)
    assert sliders
    name, most = sliders[0]
    answer = reader.open(f"{path}?ask=1&{name}=1")
    check_html(answer, "en")
    assert f'name="{name}" min="0" max="{most}" step="1" value="1.00"' in answer.text
    assert "What it comes to" in answer.text
    replaced = reader.open(f"{path}?ask=1&replace={name.removeprefix('limit.')}")
    assert "Moved out of the circle" in replaced.text
    for wrong in ("fails=mem_0000000000000000", f"{name}=x", "replace=x", "limit.x=1"):
        refused = reader.open(f"{path}?ask=1&{wrong}")
        assert refused.status_code == 422, wrong
        assert 'role="alert"' in refused.text


def test_a_stress_test_asked_for_twice_is_asked_for_once(own_world: World) -> None:
    reader = operator(own_world)
    path = f"/desk/{own_world.ids['village']}/stress"
    page = reader.open(path)
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    refused = reader.client.post(
        path, data=fields | {"shock": "price", "fall": "200"}, headers=reader.headers
    )
    assert refused.status_code == 422
    assert 'value="200"' in refused.text
    nobody = reader.client.post(
        path, data=fields | {"shock": "member", "draws": "5", "seed": "3"}, headers=reader.headers
    )
    assert nobody.status_code == 422
    assert "The shock does not say whom it hits" in nobody.text
    asked = fields | {
        "shock": "member", "circle": own_world.ids["circle"], "draws": "5", "seed": "3",
    }  # fmt: skip
    answers = [reader.client.post(path, data=asked, headers=reader.headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    thread = own_world.app.extensions["desk_worker"].thread
    thread.join()
    with own_world.app.app_context():
        tests = db.session().scalars(select(StressTest).where(StressTest.seed == 3)).all()
        assert len(tests) == 1
        assert len(tests[0].spec["member_ids"]) == 3
        db.session().rollback()
    done = reader.open(answers[0].location)
    # Done, the page does not come again by itself.
    assert "Refresh" not in done.headers
    check_html(done, "en")
    assert done.text.count('<svg class="chart"') == 2
    told = reader.open(answers[0].location.partition("?")[0] + ".json").get_json()
    assert (told["seed"], told["draws"], told["status"]) == (3, 5, "done")


def test_a_waiting_test_comes_again_only_where_that_was_asked_for(world: World) -> None:
    reader = operator(world)
    path = f"/desk/stress/{world.ids['stress']}"
    assert "Refresh" not in reader.open(path).headers
    watched = reader.open(f"{path}?watch=1")
    assert watched.headers["Refresh"] == "3"
    assert f'href="{path}"' in watched.text


def test_a_case_is_taken_written_down_handed_up_and_closed(own_world: World) -> None:
    reader = operator(own_world)
    path = f"/desk/cases/{own_world.ids['case']}"

    def send(step: str, **fields: str) -> int:
        where = f"{path}/{step}"
        return reader.send(where, shown=path, **fields).status_code

    assert send("taking") == 303
    assert send("action", kind="talk", text="") == 422
    assert send("action", kind="talk", text="will come") == 303
    assert "will come" in reader.open(path).text
    assert send("assignment", member=own_world.ids["li"]) == 422
    assert send("assignment", member=own_world.ids["officer"]) == 303
    assert "Given to" in reader.open(path).text
    assert send("escalation", text="not mine") == 303
    # Nobody is above.
    assert send("escalation", text="again") == 409
    assert send("closing", outcome="x", text="y") == 422
    assert send("closing", outcome="resolved", text="came") == 303
    closed = reader.open(path).text
    assert "closed: It was so, and was put right" in closed
    assert "Write it down" not in closed
    listed = reader.open("/desk/cases?whose=closed").text
    assert path in listed
    assert path not in reader.open("/desk/cases").text


def test_the_queue_is_narrowed_down_as_asked(world: World) -> None:
    reader = operator(world, "en")
    queue = "/desk/cases"
    every = re.findall(r"/desk/cases/(cas_\w+)", reader.open(queue).text)
    late = re.findall(r"/desk/cases/(cas_\w+)", reader.open(f"{queue}?rule=late").text)
    low = re.findall(r"/desk/cases/(cas_\w+)", reader.open(f"{queue}?severity=low").text)
    assert set(late) | set(low) < set(every)
    assert set(late) & set(low) == set()
    # The gravest first; the least is last.
    assert every[-len(low) :] == low
    answer = world.call("operator", "GET", "/communities/@village/cases?rule=late")
    assert {item["id"] for item in answer.get_json()["items"] if item["status"] == "open"} == set(
        late
    )
    mine = world.call("operator", "GET", "/communities/@village/cases?mine=true")
    assert mine.get_json()["items"] == []
    assert reader.open(f"{queue}?whose=mine").text.count("/desk/cases/cas_") == 0
    assert reader.open(f"{queue}?severity=x").status_code == 422
