"""A made-up cooperative lives for twenty-one months: founded, grown, lending, at times failing.

Everything is done by the services that routes, commands and imports use, each thing on its own
day, in the order of the days, so that the books read like a life. The same seed, number of
households and day give the same figures; public ids and hashes differ from run to run.
"""

from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial

from sqlalchemy.orm import Session

from app.demo import failing, founding, grouping, lending, promises, watching
from app.demo.cast import FINISHED, TOWNSHIP, Play, Size
from app.demo.people import make_villages
from app.demo.stories import DAYS_PLAYED, LENDING_AFTER
from community.ledger.events import record_event

_SAVING_EVERY = 30
# The days' work is done every so often, and in the last weeks, where the age of a call matters, on
# these days before the last.
_DAY_WORK_EVERY = 30
_LAST_DAY_WORK = (25, 10, 5, 0)


def seed(
    session: Session, size: Size, *, passed: Callable[[date], None] = lambda day: None
) -> Counter[str]:
    """Live through the whole story up to the day before `size.today`.

    Returns what was refused on the way, by problem code: life has refusals. Cost: about 250
    statements a household; progress is told to `passed`, day by day.
    """
    play = Play(session, size)
    _plan(play)
    play.life.play(play.last, passed)
    play.do(_finish, play=play)
    return play.refused


def _plan(play: Play) -> None:
    play.on_day(0, partial(founding.found_township, play))
    villages = make_villages(play.draw, play.size.households, play.first.year)
    for turn, village in enumerate(villages):
        play.on_day(2 + turn, partial(founding.found_village, play, village))
    play.on_day(20, partial(founding.found_trade, play))
    play.on_day(21, partial(founding.found_circle, play))
    play.on_day(25, partial(founding.open_the_desk, play))
    for day in range(28, DAYS_PLAYED, _SAVING_EVERY):
        play.on_day(day, partial(promises.collect_savings, play, first=day == 28))
    play.on_day(40, partial(promises.lock_stakes, play))
    play.on_day(48, partial(promises.assess, play))
    play.on_day(56, partial(promises.bring_promises, play))
    play.on_day(60, partial(grouping.plan_groups, play))
    for day in (150, 330, 480):
        play.on_day(day, partial(promises.promise, play, 0.08))
    regular = range(DAYS_PLAYED - LENDING_AFTER, _LAST_DAY_WORK[0], -1)
    for back in (*(day for day in regular if day % _DAY_WORK_EVERY == 0), *_LAST_DAY_WORK):
        play.on_day(DAYS_PLAYED - back, partial(failing.do_the_day, play))
    play.on_day(LENDING_AFTER - 12, partial(lending.plan_loans, play))
    for back, happening in (
        (70, promises.change_promises),
        (45, founding.change_memberships),
        (12, founding.fill_up_reserves),
        (9, promises.leave_offers_open),
        (6, founding.welcome_newcomers),
    ):
        play.on_day(DAYS_PLAYED - back, partial(happening, play))
    watching.plan(play)


def _finish(session: Session, play: Play) -> None:
    record_event(
        session,
        community_id=play.township_id,
        kind=FINISHED,
        subject=TOWNSHIP,
        actor_id=None,
        now=play.life.now,
        facts={
            "households": play.size.households,
            "seed": play.size.seed,
            "today": play.size.today.isoformat(),
        },
    )
