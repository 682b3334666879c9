"""Seasons and charters of a database that was in use before there were declared events."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from app import create_app
from app.extensions import db
from community.communities.charter import Declarer, read_rules
from community.communities.templates import load
from community.engine import make_engine
from config.settings import Settings
from tests.keys import ENVIRON
from tests.servers import fresh_database

BEFORE = "0002"
SINCE = ("event_declarers", "event_deferral_days_max", "event_drift_bps_max")
# What the migration of the classes, between the two, added.
CLASSES = ("class_days", "class_watch_days", "worst_loan_per_member", "class_crop_seasons")
CLASSES += ("provision_bps", "non_accrual_from", "par_days", "restructures_max")
# What migrations after it added: groups that change, shared credit.
LATER = ("second_group_per_product", "leader_acting_days", "amendment_days_max")
LATER += ("group_whole_days", "kin_warnings", "mutual_pair_warnings", "group_alike_bps_max")
LATER += ("stagger_batches", "stagger_instalments_min", "one_line_per_product")
LATER += ("guarantees_count_max", "guarantee_ratio_bps_max", "guarantee_base")
LATER += ("guarantee_warning_bps", "circle_warning_members", "at_risk_days", "at_risk_from")
LATER += ("report_span_days", "report_prior", "reports_per_span_max", "proceeds_return_days")
# The risk desk.
LATER += ("circle_members_min", "circle_members_max", "circle_ring_max", "circles_advised_max")
LATER += ("hub_share_bps_max", "contingent_bps_max", "failure_bps", "fail_together_bps")
LATER += ("common_factor_bps", "assessed_pays_bps", "shortfall_tail_bps", "newcomer_days")
LATER += ("newcomer_trust_bps", "invented_ring_min", "self_dealing_bps", "inflow_days")
LATER += ("inflow_below_min", "inflow_alike_bps", "inflow_payout_bps")
LATER += ("self_dealing_promised_bps", "self_dealing_owed_bps")
# Rooms that came later, whose rules begin with their name.
ROOMS = (
    "campaign_",
    "recourse_",
    "record_",
    "line_",
    "risk_",
    "meeting_",
    "motion_",
    "visit_",
    "voucher_",
)
ROOMS += ("warning_",)
ROOMS += ("payee_",)
ROOMS += ("rating_", "feedback_", "complaint_", "theme_")
ROOMS += ("gate_",)
NOW = "2027-03-25 02:00:00+00:00"
SELLING = [{"due_on": "2027-12-01", "weight": 40}, {"due_on": "2027-10-15", "weight": 60}]


@pytest.fixture(params=["sqlite", "postgresql"])
def used(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database from before, with a season that a loan follows and a charter."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/used.sqlite3"
        _migrate(url, BEFORE)
        _fill(url)
        yield url
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        _migrate(url, BEFORE)
        _fill(url)
        yield url


def test_what_was_there_gets_what_the_templates_propose(used: str) -> None:
    _migrate(used, "head")
    engine = make_engine(used)
    with engine.begin() as connection:
        season = connection.execute(text("SELECT * FROM seasons")).mappings().one()
        assert str(season["sell_from"]) == "2027-10-15"
        assert (season["harvest_until"], season["version"], season["year_label"]) == (None, 1, "")
        assert _document(season["tranches"]) == _document(season["cash_flow"]) == []
        assert connection.execute(text("SELECT season_id FROM loans")).scalar_one() == 1
        rules = read_rules(
            _document(connection.execute(text("SELECT rules FROM charters")).scalar_one())
        )
    engine.dispose()
    template = read_rules(load("trade-association")["rules"])
    assert rules.event_declarers == (Declarer.OFFICER, Declarer.OPERATOR)
    assert [getattr(rules, name) for name in SINCE] == [getattr(template, name) for name in SINCE]


def test_going_back_leaves_what_was_there(used: str) -> None:
    _migrate(used, "head")
    _migrate(used, BEFORE, back=True)
    engine = make_engine(used)
    with engine.begin() as connection:
        season = connection.execute(text("SELECT * FROM seasons")).mappings().one()
        rules = _document(connection.execute(text("SELECT rules FROM charters")).scalar_one())
    engine.dispose()
    assert set(season) == {
        "id", "public_id", "community_id", "code", "crop", "sow_from", "sow_until",
        "harvest_from", "selling", "created_at",
    }  # fmt: skip
    assert rules == _old_rules()


def _old_rules() -> dict[str, object]:
    rules = load("trade-association")["rules"]
    return {
        name: rule
        for name, rule in rules.items()
        if name not in SINCE + CLASSES + LATER and not name.startswith(ROOMS)
    }


def _fill(url: str) -> None:
    values = {
        "members": "1, 'mem_1', 'person', 'x', NULL, NULL, NULL, 1, :now",
        "communities": "1, 'com_1', 'industry', 'Millers', 'millers', 'CNY', NULL, '/1/', 1, :now",
        "charters": "1, 1, 1, '2027-01-01', :rules, 'x', NULL, :now",
        "seasons": "1, 'sea_1', 1, 'rice', 'rice', '2027-03-20', '2027-05-10', '2027-09-20',"
        " :selling, :now",
        "products": "1, 'prd_1', 1, 'x', 'x', :now",
        "product_versions": "1, 1, 1, '2027-01-01', '{}', 'x', NULL, :now",
    }
    engine = make_engine(url)
    with engine.begin() as connection:
        given = {
            "now": NOW,
            "rules": json.dumps(_old_rules()),
            "selling": json.dumps(SELLING),
        }
        for table, row in values.items():
            statement = text(f"INSERT INTO {table} VALUES ({row})")
            connection.execute(statement, {k: v for k, v in given.items() if f":{k}" in row})
        connection.execute(
            text(
                "INSERT INTO loans (id, public_id, community_id, borrower_id, product_version_id,"
                " season_id, charter_id, terms, principal_minor, outstanding_minor,"
                " written_off_minor, purpose, status, version, created_at)"
                " VALUES (1, 'lon_1', 1, 1, 1, 1, 1, '{}', 100, 0, 0, 'x', 'submitted', 1, :now)"
            ),
            {"now": NOW},
        )
    engine.dispose()


def _document(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _migrate(url: str, revision: str, back: bool = False) -> None:
    app = create_app(Settings.from_environ({"DATABASE_URL": url, "LOG_LEVEL": "ERROR"} | ENVIRON))
    with app.app_context():
        try:
            (downgrade if back else upgrade)(revision=revision)
        finally:
            db.engine.dispose()
