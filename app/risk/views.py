"""The desk's findings as the schemas show them, and as tables."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from community.communities.charter import LiabilityMode
from community.communities.models import Community
from community.members.models import Member
from community.money import Money, format_minor, round_half_even
from community.risk.alarms import Alarm
from community.risk.concentration import ConcentrationReport
from community.risk.losses import Cost
from community.risk.models import (
    CircleName,
    RiskCircle,
    RiskRun,
    StressCall,
    StressDraw,
    StressMember,
    StressTest,
)
from community.risk.network_map import OTHERS, OUTSIDE, RiskMap
from community.risk.queries import CircleFile
from community.risk.what_if import CallPlan, WhatIf
from community.risk.words import say

Cell = str | int | None


def run_view(run: RiskRun, charter_version: int, currency: str) -> dict[str, Any]:
    """A search."""
    return {
        "id": run.public_id,
        "number": run.number,
        "on": run.on_day,
        "charter_version": charter_version,
        "network_version": run.network_version,
        "members": run.members,
        "vouches": run.vouches,
        "outstanding": Money(run.outstanding_minor, currency),
        "largest_component": run.largest_component,
        "is_complete": run.is_complete,
        "circles": run.circles,
        "created_at": run.created_at,
    }


def circle_view(circle: RiskCircle, name: CircleName, currency: str) -> dict[str, Any]:
    """A circle in the list."""
    return {
        "id": name.public_id,
        "number": name.number,
        "rank": circle.rank,
        "kind": circle.kind,
        "size": circle.size,
        "borrowers": circle.borrowers,
        "exposure": Money(circle.exposure_minor, currency),
        "loss": _loss(circle, currency),
        "is_new": name.first_run_id == circle.run_id,
    }


def file_view(file: CircleFile, currency: str) -> dict[str, Any]:
    """A circle in full."""
    names = {member_id: member.name for member_id, member in file.people.items()}
    view = circle_view(file.circle, file.name, currency)
    view["run"] = run_view(file.run, file.charter_version, currency)
    view |= _advice(file.circle, file.people, currency)
    view["members"] = [
        {
            "id": file.people[member.member_id].public_id,
            "name": names[member.member_id],
            "owed": Money(member.owed_minor, currency),
            "guaranteed": Money(member.guaranteed_minor, currency),
            "contingent_bps": member.contingent_bps,
            "core": member.core,
            "is_articulation": member.is_articulation,
            "worst_paid": Money(member.worst_paid_minor, currency),
        }
        for member in file.members
    ]
    change = file.change
    view["change"] = (
        None
        if change is None
        else {
            "since_on": change.since_run.on_day,
            "was_there": change.before is not None,
            "loss_before": None if change.before is None else _loss(change.before, currency),
            "joined": [_person(file.people, member) for member in change.joined],
            "left": [_person(file.people, member) for member in change.left],
        }
    )
    return view


def _advice(
    circle: RiskCircle, people: Mapping[int, Member], currency: str
) -> dict[str, list[dict[str, Any]]]:
    names = {member_id: member.name for member_id, member in people.items()}
    return {
        "reasons": [
            {"code": reason["code"], "words": _words(reason, currency, names)}
            for reason in circle.reasons
        ],
        "actions": [
            {
                "code": action["code"],
                "words": _words(action, currency, names),
                "amount": Money(action["amount_minor"], currency),
                "vouch": action["vouch"],
                "member": _person(people, action["member_id"]),
                "pool_change_bps": action["pool_change_bps"],
                "expected_change_bps": action["expected_change_bps"],
                "worst_change_bps": action["worst_change_bps"],
                "moved": Money(action["moved_minor"], currency),
                "after": {
                    figure: Money(action["after"][f"{figure}_minor"], currency)
                    for figure in _LOSSES
                },
            }
            for action in circle.actions
        ],
    }


def map_view(found: RiskMap, charter_version: int, currency: str) -> dict[str, Any]:
    """The risk map."""
    places = {OUTSIDE: "outside", OTHERS: "others"}
    places |= {each.circle.rank: each.name.public_id for each in found.circles}
    return {
        "run": run_view(found.run, charter_version, currency),
        "circles": [
            circle_view(each.circle, each.name, currency)
            | _advice(each.circle, found.people, currency)
            | {
                "level": each.level,
                "since_on": None if each.change is None else each.change.since_run.on_day,
                "loss_before": None
                if each.change is None or each.change.before is None
                else _loss(each.change.before, currency),
            }
            for each in found.circles
        ],
        "steps": [Money(step, currency) for step in found.steps],
        "ties": [
            {
                "source": places[tie.source],
                "target": places[tie.target],
                "vouches": tie.vouches,
                "amount": Money(tie.amount_minor, currency),
                "in_use": Money(tie.reserved_minor, currency),
            }
            for tie in found.ties
        ],
        "other_circles": found.others,
        "other_expected": Money(found.others_expected_minor, currency),
        "other_worst": Money(found.others_worst_minor, currency),
        "outside_members": found.outside_members,
    }


def history_view(rows: list[tuple[RiskRun, RiskCircle]], currency: str) -> dict[str, Any]:
    """A circle by week."""
    return {
        "items": [
            {
                "on": run.on_day,
                "rank": circle.rank,
                "size": circle.size,
                "borrowers": circle.borrowers,
                "exposure": Money(circle.exposure_minor, currency),
                "loss": _loss(circle, currency),
            }
            for run, circle in rows
        ]
    }


def what_if_view(found: WhatIf, on: date, currency: str) -> dict[str, Any]:
    """A circle as it is and as it would be."""
    return {
        "on": on,
        "before": _cost(found.before, currency),
        "after": _cost(found.after, currency),
        "moved": Money(found.moved_minor, currency),
        "expected_change_bps": found.expected_change_bps,
        "worst_change_bps": found.worst_change_bps,
        "plan_before": None
        if found.plan_before is None
        else plan_view(found.plan_before, currency),
        "plan_after": None if found.plan_after is None else plan_view(found.plan_after, currency),
    }


def plan_view(plan: CallPlan, currency: str) -> dict[str, Any]:
    """The calls that would be made, in their order."""
    outcome = plan.outcome

    def person(member_id: int | None) -> dict[str, str] | None:
        return _person(plan.people, member_id) if member_id in plan.people else None

    return {
        "on": plan.on,
        "owed": Money(plan.owed_minor, currency),
        "own_paid": Money(sum(outcome.own.values()), currency),
        "members_paid": Money(outcome.paid_minor, currency),
        "lost": Money(outcome.lost_minor, currency),
        "ruined": len(outcome.ruined),
        "calls": [
            {
                "loan": planned.loan,
                "guarantor": person(planned.call.guarantor_id),
                "for_guarantor": person(planned.call.for_guarantor_id),
                "ground": planned.call.ground,
                "amount": Money(planned.call.amount_minor, currency),
                "paid": Money(planned.call.paid_minor, currency),
                "on": planned.on,
                "deadline_on": planned.deadline_on,
            }
            for planned in plan.calls
        ],
    }


def map_table(found: RiskMap, currency: str) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a circle on the map, and what the week changed; the rest in two lines."""
    columns = ["on", "rank", "number", "level", "kind", "members", "borrowers", "currency"]
    columns += ["exposure", "expected", "worst", "expected_week_before", "why", "what_helps"]

    def lines() -> Iterator[list[Cell]]:
        day = found.run.on_day.isoformat()
        names = {member_id: member.name for member_id, member in found.people.items()}
        for each in found.circles:
            circle, change = each.circle, each.change
            before = None if change is None else change.before
            line: list[Cell] = [day, circle.rank, each.name.number, each.level, circle.kind.value]
            line += [circle.size, circle.borrowers, currency]
            line += [
                format_minor(amount, currency)
                for amount in (circle.exposure_minor, each.expected_minor, each.worst_minor)
            ]
            line.append(
                None
                if before is None
                else format_minor(
                    before.expected_pool_minor + before.expected_members_minor, currency
                )
            )
            line.append(" ".join(_words(fact, currency, names)["zh"] for fact in circle.reasons))
            line.append(" ".join(_words(fact, currency, names)["zh"] for fact in circle.actions))
            yield line
        rest: list[Cell] = [day, None, "others", None, None, found.others, None, currency, None]
        rest += [
            format_minor(amount, currency)
            for amount in (found.others_expected_minor, found.others_worst_minor)
        ]
        yield [*rest, None, None, None]

    return columns, lines()


def circles_table(
    run: RiskRun, circles: list[tuple[RiskCircle, CircleName]], currency: str
) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a circle."""
    columns = ["on", "rank", "number", "kind", "members", "borrowers", "currency", "exposure"]
    columns += list(_LOSSES)

    def lines() -> Iterator[list[Cell]]:
        for circle, name in circles:
            line: list[Cell] = [run.on_day.isoformat(), circle.rank, name.number]
            line += [circle.kind.value, circle.size, circle.borrowers, currency]
            line.append(format_minor(circle.exposure_minor, currency))
            line += [
                format_minor(getattr(circle, f"{figure}_minor"), currency) for figure in _LOSSES
            ]
            yield line

    return columns, lines()


_LOSSES = ("expected_pool", "expected_members", "worst_pool", "worst_members")


def _loss(circle: RiskCircle, currency: str) -> dict[str, Money]:
    return {figure: Money(getattr(circle, f"{figure}_minor"), currency) for figure in _LOSSES}


def _cost(cost: Cost, currency: str) -> dict[str, Money]:
    return {figure: Money(getattr(cost, f"{figure}_minor"), currency) for figure in _LOSSES}


def _words(fact: Mapping[str, Any], currency: str, names: Mapping[int, str]) -> dict[str, str]:
    said = say(fact, currency=currency, names=names)
    return {"zh": said["zh-CN"], "en": said["en"]}


def _person(people: Mapping[int, Member], member_id: int | None) -> dict[str, str] | None:
    if member_id is None:
        return None
    return {"id": people[member_id].public_id, "name": people[member_id].name}


def stress_view(test: StressTest, charter_version: int, currency: str) -> dict[str, Any]:
    """A stress test."""
    spec, result = test.spec, test.result
    members = spec.get("member_ids")
    return {
        "id": test.public_id,
        "shock": test.shock,
        "mode": None if spec["mode"] is None else LiabilityMode(spec["mode"]),
        "spread": spec["spread"],
        "background": spec["background"],
        "severity_bps": spec["severity_bps"],
        "crop": spec.get("crop"),
        "fall_bps": spec.get("fall_bps"),
        "members_hit": None if members is None else len(members),
        "draws": test.draws,
        "done_draws": test.done_draws,
        "restarts": test.restarts,
        "seed": test.seed,
        "on": test.on_day,
        "status": test.status,
        "charter_version": charter_version,
        "network_version": test.network_version,
        "failure": test.failure,
        "result": None
        if result is None
        else {
            **{
                name: {
                    figure: Money(result[name][f"{figure}_minor"], currency)
                    for figure in ("mean", "median", "worst", "shortfall")
                }
                for name in ("pool", "reserve", "lost", "members")
            },
            **{
                name: result[name]
                for name in (
                    "tail_draws",
                    "ruined_mean_thousandths",
                    "calls_mean_thousandths",
                    "worst_draw",
                )
            },
        },
        "created_at": test.created_at,
        "finished_at": test.finished_at,
    }


def stress_member_view(
    row: StressMember, who: Member, test: StressTest, community: Community
) -> dict[str, Any]:
    """What a stress test came to for one member."""
    return {
        "id": who.public_id,
        "name": who.name,
        "failed_draws": row.failed_draws,
        "called_draws": row.called_draws,
        "ruined_draws": row.ruined_draws,
        "paid_mean": Money(_mean(row, test), community.currency),
        "paid_worst": Money(row.paid_worst_minor, community.currency),
    }


def stress_members_table(
    rows: Iterable[tuple[StressMember, Member]], test: StressTest, currency: str
) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a member."""
    columns = ["member", "name", "failed_draws", "called_draws", "ruined_draws", "currency"]
    columns += ["paid_mean", "paid_worst"]
    return columns, (
        [
            who.public_id,
            who.name,
            row.failed_draws,
            row.called_draws,
            row.ruined_draws,
            currency,
            format_minor(_mean(row, test), currency),
            format_minor(row.paid_worst_minor, currency),
        ]
        for row, who in rows
    )


def stress_draws_table(
    rows: Iterable[StressDraw], currency: str
) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a draw."""
    columns = ["draw", "failed", "calls", "ruined", "currency", "pool", "reserve", "members"]
    return columns, (
        [
            row.number,
            row.failed,
            row.calls,
            row.ruined,
            currency,
            format_minor(row.pool_minor, currency),
            format_minor(row.reserve_minor, currency),
            format_minor(row.members_minor, currency),
        ]
        for row in rows
    )


def stress_calls_view(
    rows: list[tuple[StressCall, str, Member, Member | None]], more: bool, currency: str
) -> dict[str, Any]:
    """Calls of the worst draw."""
    return {
        "items": [
            {
                "loan": loan,
                "guarantor": {"id": who.public_id, "name": who.name},
                "for_guarantor": None
                if other is None
                else {"id": other.public_id, "name": other.name},
                "ground": call.ground,
                "amount": Money(call.amount_minor, currency),
                "paid": Money(call.paid_minor, currency),
            }
            for call, loan, who, other in rows
        ],
        "next_number": rows[-1][0].number if rows and more else None,
    }


def concentration_view(report: ConcentrationReport) -> dict[str, Any]:
    """A report of concentration."""
    return {
        "on": report.on,
        "by": report.by,
        "outstanding": Money(report.outstanding_minor, report.currency),
        "hhi": report.hhi,
        "effective_thousandths": report.effective_thousandths,
        "items": [
            {
                "key": row.key,
                "name": row.name,
                "loans": row.loans,
                "outstanding": Money(row.outstanding_minor, report.currency),
                "share_bps": row.share_bps,
            }
            for row in report.rows
        ],
    }


def concentration_table(
    report: ConcentrationReport,
) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a part, and one for the whole with the index."""
    columns = ["on", "key", "name", "currency", "loans", "outstanding", "share_bps", "hhi"]

    def lines() -> Iterator[list[Cell]]:
        day, currency = report.on.isoformat(), report.currency
        for row in report.rows:
            amount = format_minor(row.outstanding_minor, currency)
            yield [day, row.key, row.name, currency, row.loans, amount, row.share_bps, None]
        whole = format_minor(report.outstanding_minor, currency)
        loans = sum(row.loans for row in report.rows)
        yield [day, None, "total", currency, loans, whole, 10_000 if loans else 0, report.hhi]

    return columns, lines()


def alarm_view(alarm: Alarm, people: Mapping[int, Member], currency: str) -> dict[str, Any]:
    """An alarm; internal ids stay inside."""
    names = {member_id: member.name for member_id, member in people.items()}
    facts = {name: value for name, value in alarm.facts.items() if name != "member_id"}
    return {
        "kind": alarm.kind,
        "words": _words(alarm.facts, currency, names),
        "members": [_person(people, member) for member in alarm.member_ids],
        "facts": facts,
    }


def alarms_table(
    on: date, alarms: Iterable[Alarm], people: Mapping[int, Member], currency: str
) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line an alarm and member."""
    columns = ["on", "alarm", "kind", "member", "name", "words"]

    def lines() -> Iterator[list[Cell]]:
        names = {member_id: member.name for member_id, member in people.items()}
        for number, alarm in enumerate(alarms, 1):
            said = say(alarm.facts, currency=currency, names=names)["zh-CN"]
            for member in alarm.member_ids:
                who = people[member]
                yield [on.isoformat(), number, alarm.kind.value, who.public_id, who.name, said]

    return columns, lines()


def _mean(row: StressMember, test: StressTest) -> int:
    return round_half_even(Fraction(row.paid_sum_minor, test.draws))
