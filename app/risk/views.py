"""The desk's findings as the schemas show them, and as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from community.members.models import Member
from community.money import Money, format_minor
from community.risk.models import CircleName, RiskCircle, RiskRun
from community.risk.queries import CircleFile
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
    view["reasons"] = [
        {"code": reason["code"], "words": _words(reason, currency, names)}
        for reason in file.circle.reasons
    ]
    view["actions"] = [
        {
            "code": action["code"],
            "words": _words(action, currency, names),
            "amount": Money(action["amount_minor"], currency),
            "vouch": action["vouch"],
            "member": _person(file.people, action["member_id"]),
            "pool_change_bps": action["pool_change_bps"],
            "expected_change_bps": action["expected_change_bps"],
            "worst_change_bps": action["worst_change_bps"],
            "moved": Money(action["moved_minor"], currency),
            "after": {
                figure: Money(action["after"][f"{figure}_minor"], currency) for figure in _LOSSES
            },
        }
        for action in file.circle.actions
    ]
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


def _words(fact: Mapping[str, Any], currency: str, names: Mapping[int, str]) -> dict[str, str]:
    said = say(fact, currency=currency, names=names)
    return {"zh": said["zh-CN"], "en": said["en"]}


def _person(people: Mapping[int, Member], member_id: int | None) -> dict[str, str] | None:
    if member_id is None:
        return None
    return {"id": people[member_id].public_id, "name": people[member_id].name}
