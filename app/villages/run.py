"""The village run from end to end: read, import, lend, check, tell."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.extensions import db
from app.importing.commands import cli as import_commands
from app.transaction import run_unit
from app.villages import independent, lending, recipe, sheets
from app.villages.files import Survey
from app.villages.lending import District, VillageYear, instant
from app.villages.recipe import ASSUMED, CIRCLE, CURRENCY, DISTRICT, Village
from community.communities import service as communities
from community.communities import templates
from community.communities.charter import read_rules
from community.communities.models import Community, Membership
from community.credit import service as credit
from community.groups.models import Group, GroupStatus
from community.guarantees.models import Call, Claim, GuaranteePayment
from community.ledger.queries import balances_of
from community.loans.models import GroupLoan, Loan, Repayment, RepaymentSource
from community.members import service as members
from community.members.models import Household, Member, MemberKind
from community.money import Money, format_minor
from community.products import service as products
from community.savings.models import SavingsMovement
from community.trust import service as trust
from community.trust.models import AssessmentKind, Vouch, VouchKind, VouchStatus
from community.trust.snapshot import read_standings
from community.trust.standings import ensure_standings
from community.verification import Report, verify

Say = Callable[[str], None]

CHECKED_LIMITS = 20


@dataclass(frozen=True, slots=True)
class Options:
    """How much of the recipe's lending to do."""

    loans_per_village: int = 40
    groups_per_village: int = 3


@dataclass(slots=True)
class Outcome:
    """What a run found; `holds` says whether everything that was checked is right."""

    # By stage: on the clock, and of the processor, in this process.
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    rates: list[tuple[str, int, float]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    years: list[VillageYear] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    checked: int = 0
    verified: Report | None = None

    @property
    def holds(self) -> bool:
        return not self.disagreements and self.verified is not None and self.verified.holds

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        clock, processor = time.perf_counter(), time.process_time()
        yield
        before = self.seconds.get(stage, (0.0, 0.0))
        self.seconds[stage] = (
            before[0] + time.perf_counter() - clock,
            before[1] + time.process_time() - processor,
        )


def run(app: Flask, survey: Survey, options: Options, say: Say) -> Outcome:
    """Carry the villages through the main job in the application's database.

    Raises FileExistsError if that has communities already.
    """
    outcome = Outcome()
    start = ASSUMED.start_on
    with app.app_context():
        with outcome.timed("migrate"):
            upgrade()
        session = db.session()
        _refuse_full(session)
        with outcome.timed("recipe"):
            rules = recipe.charter_document(templates.load("village-cooperative"))
            villages = recipe.settle_villages(
                survey.people, survey.households, age_min=read_rules(rules).member_age_min
            )
            said, outcome.dropped = recipe.words(villages, survey.ties)
        say(f"{len(villages)} villages, {len(survey.people)} people, {len(survey.ties)} ties")
        with tempfile.TemporaryDirectory(prefix="villages-") as folder:
            with outcome.timed("recipe"):
                written = sheets.write_sheets(Path(folder), villages, said, start)
            for sheet in written:
                _import(sheet, start, outcome)
                if sheet.kind == "communities":
                    with outcome.timed("district"):
                        district = run_unit(session, _open_district, rules=rules, on=start)
        outcome.years = _begin_years(session, villages)
        with outcome.timed("assessments and pools"):
            for village, year in zip(villages, outcome.years, strict=True):
                run_unit(session, _endow, village=village, year=year, on=start)
        _lend(session, outcome, district, options, start, say)
        with outcome.timed("verify"):
            outcome.verified = verify(session)
            session.rollback()
        say("")
        for line in summary(session, outcome):
            say(line)
        session.rollback()
        db.engine.dispose()
    return outcome


def _refuse_full(session: Session) -> None:
    count = session.scalar(select(func.count()).select_from(Community))
    session.rollback()
    if count:
        raise FileExistsError("The database has communities already; give an empty one.")


def _import(sheet: sheets.Sheet, on: date, outcome: Outcome) -> None:
    """Hand a sheet to `flask import`, the command itself."""
    stage = f"import {sheet.kind}"
    with outcome.timed(stage):
        import_commands.main(
            args=[sheet.kind, str(sheet.path), "--on", on.isoformat()],
            prog_name="flask import",
            standalone_mode=False,
        )
    outcome.rates.append((sheet.kind, sheet.rows, outcome.seconds[stage][0]))


def _open_district(session: Session, *, rules: dict[str, Any], on: date) -> District:
    """The district's own charter, its products, its season, and the officer who decides."""
    district = session.scalars(select(Community).where(Community.reference == DISTRICT)).one()
    now = instant(on)
    officer = members.register_member(
        session, kind=MemberKind.PERSON, name="District officer", now=now
    )
    communities.adopt_charter(
        session,
        community_id=district.id,
        rules_document=rules,
        valid_from=on,
        source=recipe.CHARTER_SOURCE,
        on=on,
        now=now,
        actor_id=officer.id,
    )
    offered = {}
    for code, terms in recipe.PRODUCTS.items():
        product = products.create_product(
            session,
            community_id=district.id,
            code=code,
            name=f"{code.title()} loan",
            now=now,
            actor_id=officer.id,
        )
        products.publish_version(
            session,
            product_id=product.id,
            terms_document=terms,
            valid_from=on,
            source=recipe.CHARTER_SOURCE,
            on=on,
            now=now,
            actor_id=officer.id,
        )
        offered[code] = product.id
    calendar = recipe.SEASON
    season = products.add_season(
        session,
        community_id=district.id,
        code=calendar["code"],
        crop=calendar["crop"],
        sow_from=on + calendar["sow_from"],
        sow_until=on + calendar["sow_until"],
        harvest_from=on + calendar["harvest_from"],
        selling=[
            {"due_on": (on + after).isoformat(), "weight": weight}
            for after, weight in calendar["selling"]
        ],
        now=now,
        actor_id=officer.id,
    )
    return District(offered, season.id, officer.id)


def _begin_years(session: Session, villages: Sequence[Village]) -> list[VillageYear]:
    rows = session.execute(select(Community.reference, Community.id))
    ids = {row.reference: row.id for row in rows}
    years = []
    for village in villages:
        references = {home.number: sheets.head_reference(home) for home in village.heads()}
        people = lending.borrowers_of_record(session, references)
        years.append(
            VillageYear(
                village.number,
                ids[village.reference],
                people,
                {member: household for household, member in people.items()},
            )
        )
    session.rollback()
    return years


def _endow(session: Session, *, village: Village, year: VillageYear, on: date) -> None:
    """Standing assessments by the rule, and money to lend and to make good losses."""
    now = instant(on)
    expires_on = on + timedelta(days=ASSUMED.end_after_days)
    heads = {year.members[home.number]: home for home in village.heads()}
    ensure_standings(session, community_id=year.community_id, member_ids=heads)
    standings = read_standings(session, year.community_id, heads)
    # In the order of their standings, in which they are locked.
    for home in (heads[member] for member in sorted(heads, key=lambda m: standings[m].id)):
        evidence = recipe.assessment_evidence(home)
        if evidence is not None:
            trust.grant_assessment(
                session,
                community_id=year.community_id,
                member_id=year.members[home.number],
                kind=AssessmentKind.STANDING,
                amount=Money(ASSUMED.assessed_minor, CURRENCY),
                evidence=evidence,
                expires_on=expires_on,
                on=on,
                now=now,
                actor_id=None,
            )
    for fund, minor, reference in (
        (credit.fund_lending_pool, ASSUMED.pool_per_household_minor * len(year.members), "pool"),
        (credit.fund_reserve, ASSUMED.reserve_per_village_minor, "reserve"),
    ):
        if minor:
            fund(
                session,
                community_id=year.community_id,
                amount=Money(minor, CURRENCY),
                reference=f"{reference} of village {year.number}",
                on=on,
                now=now,
                actor_id=None,
            )


def _lend(
    session: Session,
    outcome: Outcome,
    district: District,
    options: Options,
    start: date,
    say: Say,
) -> None:
    years = outcome.years
    _compute_limits(session, outcome, start, say)
    with outcome.timed("check limits"):
        _check(session, outcome, start, "before lending", say)
    for year in years:
        with outcome.timed("form groups"):
            lending.form_groups(session, year, start, most=options.groups_per_village)
    apply_on = start + lending.APPLY_DAY
    # With the groups' promises limits are larger: applicants look again.
    _compute_limits(session, outcome, apply_on, say, quiet=True)
    for year in years:
        with outcome.timed("apply, approve, pay out"):
            lending.lend(session, year, district, start, most=options.loans_per_village)
    say(f"lent: {session.scalar(select(func.count()).select_from(Loan))} loans applied for")
    session.rollback()
    with outcome.timed("check limits"):
        _check(session, outcome, start + lending.PAY_OUT_DAY, "with cover reserved", say)
    until = start + timedelta(days=ASSUMED.end_after_days)
    for done, year in enumerate(years, start=1):
        with outcome.timed("repay, fail, call, recover"):
            lending.live_through(session, year, district, start, until=until)
        if done % 10 == 0 or done == len(years):
            say(f"worked through until {until}: {done} of {len(years)} villages")


def _compute_limits(
    session: Session, outcome: Outcome, on: date, say: Say, quiet: bool = False
) -> None:
    """The limits of all borrowers of record, village by village."""
    with outcome.timed("limits of all households"):
        for year in outcome.years:
            year.limits = credit.credit_limits(
                session,
                community_id=year.community_id,
                on=on,
                member_ids=sorted(year.members.values()),
            )
            session.rollback()
    if not quiet:
        outcome.limits = sorted(limit for year in outcome.years for limit in year.limits.values())
        say(f"{len(outcome.limits)} limits")


def _check(session: Session, outcome: Outcome, on: date, when: str, say: Say) -> None:
    """Some limits by the other way, of those with vouches first; what does not agree is told."""
    places = {
        year.person(member): (year, member)
        for year in outcome.years
        for member, limit in year.limits.items()
        if limit
    }
    backed = set(session.scalars(select(Vouch.borrower_id).where(Vouch.status == VouchStatus.LIVE)))
    others_behind = {person for person, (_, member) in places.items() if member in backed}
    chosen = recipe.choose(places, CHECKED_LIMITS, when, first=others_behind)
    say(f"limits by an independent path ({when}): flow and limit, ours = NetworkX's")
    for person in chosen:
        year, member = places[person]
        place: dict[str, Any] = {
            "community_id": year.community_id,
            "member_id": member,
            "on": on,
        }
        ours = credit.credit_limit(session, **place)
        [in_bulk] = credit.credit_limits(
            session, community_id=year.community_id, on=on, member_ids=[member]
        ).values()
        theirs = independent.work_out(session, **place)
        session.rollback()
        same = (ours.flow_minor, ours.amount_minor, in_bulk) == (
            theirs.flow_minor,
            theirs.limit_minor,
            theirs.limit_minor,
        )
        line = (
            f"  village/household {person}: {_yuan(ours.flow_minor)} and "
            f"{_yuan(ours.amount_minor)} {'=' if same else '≠'} {_yuan(theirs.flow_minor)} and "
            f"{_yuan(theirs.limit_minor)} ({theirs.edges} edges)"
        )
        say(line)
        outcome.checked += 1
        if not same:
            outcome.disagreements.append(f"{when}: {line.strip()}")


def summary(session: Session, outcome: Outcome) -> Iterator[str]:
    """The closing table, and the verdict."""
    yield from _table("What there is", _counts(session, outcome))
    yield from _table("Ties left out", sorted(outcome.dropped.items()))
    yield from _table("Loans", _loan_counts(session))
    yield from _table("Money", _money(session))
    asked: Counter[str] = sum((year.asked for year in outcome.years), Counter())
    yield from _table("Asked for", sorted(asked.items()))
    refusals: Counter[str] = sum((year.refusals for year in outcome.years), Counter())
    yield from _table("Refused, by code", sorted(refusals.items()))
    yield from _table(
        "Import",
        [
            (f"{kind}: rows", f"{rows}, {took:.2f} s, {rows / took:,.0f} rows/s")
            for kind, rows, took in outcome.rates
        ],
    )
    steps: Counter[str] = sum((year.steps for year in outcome.years), Counter())
    yield from _table(
        "Units of work: how many, processor time of one",
        [
            (step.replace("_", " "), f"{count}, {1000 * _seconds(outcome, step) / count:.1f} ms")
            for step, count in steps.most_common()
        ],
    )
    yield from _table(
        "Seconds (of these on the processor)",
        [
            (stage, f"{clock:.2f} ({processor:.2f})")
            for stage, (clock, processor) in [
                *outcome.seconds.items(),
                ("together", _together(outcome.seconds.values())),
            ]
        ],
    )
    agreeing = outcome.checked - len(outcome.disagreements)
    yield f"{agreeing} of {outcome.checked} limits agree with NetworkX."
    yield from (f"DISAGREES {line}" for line in outcome.disagreements)
    report = outcome.verified
    assert report is not None
    looked_at = f"{report.entries} entries, {report.postings} postings, {report.events} events"
    if report.holds:
        yield f"The laws hold: {looked_at} verified, no breach."
    else:
        yield f"LAWS ARE BROKEN ({looked_at} verified):"
        for breach in report.breaches:
            yield f"  law {breach.law}: {breach}"


def _table(title: str, rows: Sequence[tuple[str, object]] | Iterator[tuple[str, object]]) -> Any:
    yield title
    for name, value in rows:
        yield f"  {name:<52} {value:>24}"


def _counts(session: Session, outcome: Outcome) -> list[tuple[str, object]]:
    def count(model: Any, *where: Any) -> int:
        return session.scalar(select(func.count()).select_from(model).where(*where)) or 0

    limits = outcome.limits
    able = sum(limit > 0 for limit in limits)
    backed = session.scalar(
        select(func.count(Vouch.borrower_id.distinct())).where(
            Vouch.status == VouchStatus.LIVE,
            Vouch.kind == VouchKind.PERSONAL,
            Vouch.community_id.in_([year.community_id for year in outcome.years]),
        )
    )
    in_circle = select(Community.id).where(Community.reference == CIRCLE).scalar_subquery()
    live = Vouch.status == VouchStatus.LIVE
    personal = Vouch.kind == VouchKind.PERSONAL
    return [
        ("villages", len(outcome.years)),
        # The officer is not of the files.
        ("people", count(Member, Member.reference.is_not(None))),
        ("households", count(Household)),
        ("borrowers of record", sum(len(year.members) for year in outcome.years)),
        ("memberships", count(Membership)),
        (
            "  of which in the interest community",
            count(Membership, Membership.community_id == in_circle),
        ),
        ("savings movements", count(SavingsMovement)),
        ("live vouches, both sides said so", count(Vouch, live, personal)),
        ("live vouches of groups", count(Vouch, live, Vouch.kind == VouchKind.GROUP)),
        ("open offers, one side said so", count(Vouch, Vouch.status == VouchStatus.OFFERED)),
        ("active groups", count(Group, Group.status == GroupStatus.ACTIVE)),
        ("limits", len(limits)),
        ("  median", _yuan(int(median(limits))) if limits else "-"),
        ("  largest", _yuan(limits[-1]) if limits else "-"),
        ("  of households with somebody behind them", backed),
        ("  above zero", f"{able} ({100 * able / max(1, len(limits)):.1f} %)"),
    ]


def _loan_counts(session: Session) -> list[tuple[str, object]]:
    rows = session.execute(
        select(Loan.status, func.count(), func.sum(Loan.principal_minor))
        .group_by(Loan.status)
        .order_by(Loan.status)
    )
    found: list[tuple[str, object]] = [
        (status.value, f"{count} ({_yuan(int(total))})") for status, count, total in rows
    ]
    called = session.scalar(
        select(func.count()).select_from(Loan).where(Loan.called_on.is_not(None))
    )
    found.append(("called at some time", called or 0))
    found.append(("group loans", session.scalar(select(func.count()).select_from(GroupLoan)) or 0))
    return found


def _money(session: Session) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    disbursed = session.scalar(
        select(func.sum(Loan.principal_minor)).where(Loan.disbursed_on.is_not(None))
    )
    found.append(("disbursed", _yuan(int(disbursed or 0))))
    for source, count, total in session.execute(
        select(Repayment.source, func.count(), func.sum(Repayment.amount_minor))
        .group_by(Repayment.source)
        .order_by(Repayment.source)
    ):
        name = "written off" if source is RepaymentSource.WRITE_OFF else f"paid by {source.value}"
        found.append((name.replace("_", " "), f"{count} ({_yuan(int(total))})"))
    recovered, recourse = session.execute(
        select(func.sum(Repayment.recovered_minor), func.sum(Repayment.recourse_minor))
    ).one()
    found.append(("recovered after write-off", _yuan(int(recovered or 0))))
    found.append(("claims settled by borrowers", _yuan(int(recourse or 0))))
    for ground, count, total, paid in session.execute(
        select(Call.ground, func.count(), func.sum(Call.amount_minor), func.sum(Call.paid_minor))
        .group_by(Call.ground)
        .order_by(Call.ground)
    ):
        found.append(
            (
                f"calls, {ground.value.replace('_', ' ')}: called, paid",
                f"{count}: {_yuan(int(total))}, {_yuan(int(paid))}",
            )
        )
    for basis, count, total, settled in session.execute(
        select(
            Claim.ground, func.count(), func.sum(Claim.amount_minor), func.sum(Claim.settled_minor)
        )
        .group_by(Claim.ground)
        .order_by(Claim.ground)
    ):
        found.append(
            (
                f"claims on {basis.value.replace('_', ' ')}: amount, settled",
                f"{count}: {_yuan(int(total))}, {_yuan(int(settled))}",
            )
        )
    unrecovered = session.scalar(
        select(func.sum(GuaranteePayment.amount_minor - GuaranteePayment.recovered_minor))
    )
    found.append(("paid for others and not yet recovered", _yuan(int(unrecovered or 0))))
    totals: Counter[str] = Counter()
    for community_id in session.scalars(select(Community.id)).all():
        for balance in balances_of(session, community_id, CURRENCY).balances:
            totals[balance.account.value] += balance.amount_minor
    found += [(f"balance, {name.replace('_', ' ')}", _yuan(t)) for name, t in totals.items()]
    return found


def _seconds(outcome: Outcome, step: str) -> float:
    return sum(year.step_seconds.get(step, 0.0) for year in outcome.years)


def _together(times: Iterable[tuple[float, float]]) -> tuple[float, float]:
    clocks, processors = zip(*times, strict=True)
    return sum(clocks), sum(processors)


def _yuan(minor: int) -> str:
    return f"{format_minor(minor, CURRENCY)} {CURRENCY}"
