"""Early warning: which loans the last night says are likely to come into trouble, and why."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, url_for
from sqlalchemy import case

from app.auth import caller
from app.extensions import db
from app.fields import Schema, Whole
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import read_query
from app.pages.layout import page
from app.pages.riskdesk.desk_room import pages
from app.pages.riskdesk.places import place_for
from app.permissions import Facts, may, permit, requires
from app.scoring.views import run_view, warning_view, warnings_table
from app.sheets import sheet
from community.communities import queries as communities
from community.errors import Invalid
from community.scoring import queries
from community.scoring.models import Band, LoanWarning, WarningModel, WarningRun

_PER_PAGE = 30


class WarningArgs(Schema):
    """Which warnings."""

    community = ma.fields.String(load_default="")
    band = ma.fields.Enum(Band, by_value=ma.fields.String, load_default=None)
    page = Whole(1, 1_000, from_text=True, load_default=1)


@pages.listed("warnings", place="community")
@pages.get("/desk/warnings")
@requires("warning:read")
def warnings() -> Response:
    """The last night's warnings, those that ask for most first; never of the reader's own loans."""
    place = place_for("warning:read")
    form, asked = read_query(WarningArgs())
    if form.errors:
        raise Invalid(field=next(iter(form.errors)))
    session = db.session()
    run = queries.last_run(session, place.community.id)
    shown: list[Mapping[str, Any]] = []
    told, more = None, False
    if run is not None:
        model = None if run.model_id is None else session.get_one(WarningModel, run.model_id)
        told = run_view(run, model, queries.charter_version(session, run.charter_id))
        gravity = case({each: at for at, each in enumerate(Band)}, value=LoanWarning.band)
        rows = session.execute(
            queries.warnings_of(
                run,
                bands=() if asked["band"] is None else (asked["band"],),
                without_member_id=caller().member_id,
            )
            .order_by(
                gravity.desc(),
                LoanWarning.probability_ppm.desc(),
                LoanWarning.rules_held.desc(),
                LoanWarning.loan_id,
            )
            .offset((asked["page"] - 1) * _PER_PAGE)
            .limit(_PER_PAGE + 1)
        ).all()
        more = len(rows) > _PER_PAGE
        shown = [warning_view(warning, loan, who, model) for warning, loan, who in rows[:_PER_PAGE]]

    def address(number: int) -> str:
        return url_for(
            "riskdesk.warnings",
            community=place.community.public_id,
            band=asked["band"].value if asked["band"] else None,
            page=number,
        )

    return page(
        "riskdesk/warnings.html",
        place=place,
        run=told,
        asked=asked,
        warnings=shown,
        bands=tuple(each.value for each in Band),
        tongue="zh" if language() == "zh-CN" else "en",
        older=address(asked["page"] + 1) if more else "",
        newer=address(1) if asked["page"] > 1 else "",
        may_plan=may("risk:read", Facts(path=place.community.path_ids)),
    )


@pages.get("/desk/<pid(com):community_id>/warnings.csv")
@requires("warning:read")
@limited("heavy")
def warnings_csv(community_id: str) -> Response:
    """The last night's warnings as a table."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("warning:read", Facts(path=community.path_ids))
    run: WarningRun | None = queries.last_run(session, community.id)
    rows: list[Any] = []
    if run is not None:
        query = queries.warnings_of(run, without_member_id=caller().member_id)
        rows = [tuple(row) for row in session.execute(query.order_by(LoanWarning.loan_id))]
    return sheet("warnings", *warnings_table(run, rows))
