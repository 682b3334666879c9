"""A whole simulation: plans drawn, villages lived by several processes, findings compared."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.extensions import db
from app.simulation import collect, compare
from app.simulation.assumed import ASSUMED, YUAN, Assumed
from app.simulation.compare import Finding, Loss, Score, Seen
from app.simulation.drive import Life, day_of, found_district, instant, live
from app.simulation.plan import Kind, Plan, make_plan
from community.bulk import collector_paused
from community.communities.models import Community
from community.database import ids_from
from community.verification import verify
from config.settings import Settings

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """Which lives, and how they are closed."""

    seed: int = 1
    villages: int = 20
    days: int = 730
    # So many days are closed in one leap, and the desk looks then.
    close_every: int = 7
    assumed: Assumed = ASSUMED


@dataclass(slots=True)
class Part:
    """What one process brings back."""

    findings: list[Finding] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    loans: int = 0
    asked_in_reviews: int = 0
    days_worked: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation came to."""

    options: Options
    score: Score
    members: int
    loans: int
    losses: tuple[Loss, ...]
    asked_in_reviews: int
    refusals: Counter[str]
    days_worked: int
    breaches: tuple[str, ...]
    # By the clock, and of all processes together by stage.
    seconds: float
    stages: Counter[str]


def run(
    make_app: Callable[[str], Flask], urls: Sequence[str], options: Options, say: Say
) -> Outcome:
    """Live all villages, each process a share of them in the database that `urls` gives it.

    Raises FileExistsError if a database has communities already.
    """
    began = time.perf_counter()
    for url in sorted(set(urls)):
        _prepare(make_app(url))
    if len(urls) == 1:
        parts = [live_part(make_app(urls[0]), options, 0, 1, say)]
    else:
        with ProcessPoolExecutor(
            len(urls), mp_context=multiprocessing.get_context("spawn")
        ) as pool:
            work = partial(_live_there, options, len(urls))
            parts = list(pool.map(work, urls, range(len(urls))))
    broken = [breach for url in sorted(set(urls)) for breach in breaches(make_app(url))]
    return summed_up(options, parts, time.perf_counter() - began, broken)


def summed_up(
    options: Options, parts: Sequence[Part], seconds: float, broken: Sequence[str] = ()
) -> Outcome:
    """What all parts together come to."""
    plan = _plan(options)
    spans = [span for part in parts for span in part.spans]
    losses = tuple(loss for part in parts for loss in part.losses)
    found = compare.score(
        plan.planted,
        [finding for part in parts for finding in part.findings],
        losses,
        member_months=compare.member_months(spans),
    )
    return Outcome(
        options,
        found,
        members=len(spans),
        loans=sum(part.loans for part in parts),
        losses=losses,
        asked_in_reviews=sum(part.asked_in_reviews for part in parts),
        refusals=compare.merged(part.refusals for part in parts),
        days_worked=sum(part.days_worked for part in parts),
        breaches=tuple(broken),
        seconds=seconds,
        stages=compare.merged(part.seconds for part in parts),
    )


def _plan(options: Options) -> Plan:
    return make_plan(
        options.seed, villages=options.villages, days=options.days, assumed=options.assumed
    )


def _prepare(app: Flask) -> None:
    with app.app_context():
        upgrade()
        count = db.session().scalar(select(func.count()).select_from(Community))
        db.session.remove()
        db.engine.dispose()
    if count:
        raise FileExistsError("The database has communities already; give an empty one.")


def _live_there(options: Options, parts: int, url: str, number: int) -> Part:
    """A share of the villages, in a process of its own."""
    return live_part(make_app(url), options, number, parts, lambda line: None)


def make_app(url: str) -> Flask:
    """The application on a database that can be thrown away, without routes."""
    from app import create_app

    settings = replace(
        Settings.load(),
        database_url=url,
        database_durable=False,
        fixed_now=instant(day_of(0)),
        log_level="WARNING",
    )
    return create_app(settings, features=())


def live_part(app: Flask, options: Options, number: int, parts: int, say: Say) -> Part:
    """Every `parts`-th village from `number` on, lived to the end and read."""
    plan = _plan(options)
    mine = replace(plan, villages=plan.villages[number::parts])
    part = Part()
    # Nearly nothing that is made here is thrown away: looking for it costs a tenth of the time.
    with app.app_context(), collector_paused():
        session = db.session()
        district, places = found_district(session, mine, f"district-{number}")
        for village, community_id in zip(mine.villages, places, strict=True):
            # Who reviews whom is drawn by an id that nobody can choose; here it is the seed's.
            with ids_from(random.Random(f"{village.seed}/ids").randbytes):
                life = live(
                    session,
                    village,
                    community_id,
                    district,
                    days=options.days,
                    assumed=options.assumed,
                    close_every=options.close_every,
                )
            _read(session, life, options, part)
            say(f"village {village.number + 1}: {len(life.ids)} members, {life.loans} loans")
        db.session.remove()
        db.engine.dispose()
    return part


def _read(session: Session, life: Life, options: Options, part: Part) -> None:
    part.findings += collect.findings_of(session, life)
    part.losses += collect.losses_of(session, life)
    part.spans += [(life.village.people[name].joins, options.days) for name in sorted(life.ids)]
    part.refusals.update(life.refusals)
    part.seconds.update(life.seconds)
    part.loans += life.loans
    part.asked_in_reviews += collect.asked_in_reviews(session, life)
    part.days_worked += life.days_worked
    session.rollback()


def breaches(app: Flask) -> list[str]:
    """The laws that a database breaks, once nobody writes in it any more."""
    with app.app_context():
        report = verify(db.session())
        db.session.remove()
        db.engine.dispose()
    return [f"law {b.law}: {b.table} {b.row}: {b.what}" for b in report.breaches]


def databases(settings: Settings, seed: int, workers: int) -> list[str]:
    """Where each process works: in the database that was named, else in a fresh file of its own.

    Never in the file that is served where none is named: a simulation is thrown away.
    """
    if settings.database_url != Settings(var_dir=settings.var_dir).completed().database_url:
        return [settings.database_url] * workers
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(workers):
        file = settings.var_dir / f"simulation-{seed}-{number + 1}.sqlite3"
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        found.append(f"sqlite:///{file}")
    return found


def told(outcome: Outcome) -> Iterator[str]:
    """The outcome as lines of text."""
    options, found = outcome.options, outcome.score
    yield (
        f"seed {options.seed}: {options.villages} villages, {options.days} days,"
        f" {outcome.members} members, {outcome.loans} loans,"
        f" {outcome.days_worked} days worked through, {outcome.seconds:.0f} s"
        f" ({sum(outcome.stages.values()):.0f} s of processor)"
    )
    yield ""
    yield (
        "planted        village  people  from day  found on  by                    first loss"
        "  ahead"
    )
    for seen in found.seen:
        yield _line(seen)
    group = [
        seen for seen in found.seen if seen.planted.kind in (Kind.RING, Kind.PANEL, Kind.INVENTED)
    ]
    yield ""
    yield f"rings, panel and invented ring found before their first loss: {_in_time(group)}"
    yield f"all planted found before their first loss: {_in_time(found.seen)}"
    yield (
        f"false alarms: {len(found.false_alarms)}, {float(found.false_alarm_rate):.2f} per 1,000"
        f" members and month ({float(found.member_months):,.0f} member months);"
        f" right suspicions: {found.right}"
    )
    for rule, count in sorted(found.by_rule.items()):
        yield f"    {rule}: {count}"
    yield "reminders (never false), and how many came before a loss on a loan of the same member:"
    for rule, count in sorted(found.reminders.items()):
        rate = float(compare.per_thousand(count, found.member_months))
        before = found.reminders_before_loss[rule]
        yield f"    {rule}: {count}, {rate:.1f} per 1,000 members and month; {before}"
    yield f"odd answers of single reviewers, decided within the review: {outcome.asked_in_reviews}"
    lost = sum(loss.minor for loss in outcome.losses) // YUAN
    planted = sum(seen.lost_minor for seen in found.seen) // YUAN
    yield f"lost by others than borrowers: {lost:,} yuan, {planted:,} of it by what was planted"
    yield "refused on the way: " + (
        ", ".join(f"{count} {code}" for code, count in sorted(outcome.refusals.items()))
        or "nothing"
    )
    yield "all laws hold" if not outcome.breaches else f"BROKEN: {'; '.join(outcome.breaches[:5])}"


def _in_time(seen: Sequence[Seen]) -> str:
    return f"{sum(one.in_time for one in seen)} of {len(seen)}"


def _line(seen: Seen) -> str:
    truth = seen.planted
    found = "missed" if seen.found_day is None else str(seen.found_day)
    loss = "none" if seen.loss_day is None else str(seen.loss_day)
    ahead = "" if seen.lead_days is None else f"{seen.lead_days} days"
    return (
        f"{truth.name:<15}{truth.village + 1:>7}{len(truth.people):>8}{truth.from_day:>10}"
        f"{found:>10}  {seen.rule or '':<22}{loss:>10}  {ahead}"
    )
