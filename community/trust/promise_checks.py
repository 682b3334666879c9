"""Whether members may promise so much: asked under the lock of their standings, and kept.

Every step that writes or raises a promise takes the standings of those who promise first
(`hold_promisers`), so that two promises of one member are made one after the other; then it asks
here. What was found is a row that never changes, on which the database holds the caps.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, case, or_, select
from sqlalchemy.orm import Session, aliased

from community.communities import queries as communities
from community.communities.charter import GuaranteeBase
from community.communities.queries import CharterInForce
from community.locks import lock
from community.money import format_minor
from community.savings.queries import balances_of_many
from community.trust.errors import GuaranteeCapReached, VoucherRecordBound
from community.trust.guarantee_caps import CapCheck, CapKind, CapNote, Promises
from community.trust.models import PromiseCheck, Standing, Vouch, VoucherBound, VouchStatus
from community.trust.queries import capacities_on
from community.trust.record_bounds import RecordFigures, RecordsOf
from community.trust.snapshot import parts, read_standings
from community.trust.standings import ensure_standings


@dataclass(frozen=True, slots=True)
class Change:
    """A promise as it is about to be: a new one, or one that is there (`vouch_id`)."""

    voucher_id: int
    borrower_id: int
    most_minor: int  # what could be asked on it: its limit less what was paid
    expires_on: date
    vouch_id: int | None = None
    # For a new promise: that of an agreement rather than between two people.
    group_id: int | None = None


def most_on(on: date) -> ColumnElement[int]:
    """What could be asked on a promise: all that is not paid while it runs, then what is held."""
    return case(
        (
            and_(Vouch.status == VouchStatus.LIVE, Vouch.expires_on >= on),
            Vouch.limit_minor - Vouch.spent_minor,
        ),
        else_=Vouch.reserved_minor,
    )


def still_stands() -> ColumnElement[bool]:
    """Promises on which something can be asked, or that can take more."""
    return and_(
        Vouch.status != VouchStatus.OFFERED,
        or_(Vouch.status == VouchStatus.LIVE, Vouch.reserved_minor > 0),
    )


def hold_promisers(session: Session, community_id: int, member_ids: Iterable[int]) -> None:
    """Lock the standings of those who are about to promise; opened at zero where there is none.

    To be taken before any vouch is locked.
    """
    hold_promisers_in(session, {community_id: set(member_ids)})


def hold_promisers_in(session: Session, by_community: Mapping[int, Collection[int]]) -> None:
    """The same in several communities, all of them in the one order of locks."""
    ids: list[int] = []
    for community_id, member_ids in sorted(by_community.items()):
        ids += ensure_standings(session, community_id=community_id, member_ids=member_ids)
    for part in parts(ids):
        lock(session, Standing, part)


def check_promises(
    session: Session,
    *,
    community_id: int,
    changes: Sequence[Change],
    on: date,
    records_of: RecordsOf | None,
    charter: CharterInForce | None = None,
) -> dict[int, CapCheck]:
    """Everybody who promises in `changes`, with what they promise before and after; by member.

    A fixed number of statements. Nothing is written: it shows what would be, and decides once the
    standings are held.
    """
    charter = charter or communities.charter_on(session, community_id, on)
    currency = communities.get_community_by_id(session, community_id).currency
    ids = sorted({change.voucher_id for change in changes})
    rows: dict[int, dict[int, tuple[int, int, date]]] = {member_id: {} for member_id in ids}
    for part in parts(ids):
        found = session.execute(
            select(
                Vouch.id, Vouch.voucher_id, Vouch.borrower_id, most_on(on), Vouch.expires_on
            ).where(Vouch.community_id == community_id, Vouch.voucher_id.in_(part), still_stands())
        )
        for vouch_id, voucher_id, borrower_id, most, until in found:
            rows[voucher_id][vouch_id] = (borrower_id, most, until)
    bases = bases_of(session, community_id, ids, charter, on)
    records: Mapping[int, RecordFigures] = {}
    if charter.rules.voucher_bound_bps:
        if records_of is None:  # a caller that forgot it: nothing is promised unlooked at
            raise RuntimeError("the charter bounds promises by records, and none were passed in")
        records = records_of(session, community_id, ids, on, charter)
    by_member: dict[int, list[Change]] = {member_id: [] for member_id in ids}
    for change in changes:
        by_member[change.voucher_id].append(change)
    return {
        member_id: _check(
            member_id,
            rows[member_id],
            by_member[member_id],
            bases[member_id],
            charter,
            currency,
            records.get(member_id),
        )
        for member_id in ids
    }


def _check(
    member_id: int,
    rows: Mapping[int, tuple[int, int, date]],
    changes: Iterable[Change],
    base_minor: int,
    charter: CharterInForce,
    currency: str,
    record: RecordFigures | None,
) -> CapCheck:
    after = [(borrower, most) for borrower, most, _ in rows.values()]
    longer = False
    for change in changes:
        was = rows.get(change.vouch_id) if change.vouch_id is not None else None
        if was is not None:
            after.remove(was[:2])
            longer = longer or (change.most_minor > 0 and change.expires_on > was[2])
        after.append((change.borrower_id, change.most_minor))
    return CapCheck(
        member_id=member_id,
        currency=currency,
        before=_sum(row[:2] for row in rows.values()),
        after=_sum(after),
        longer=longer,
        base_minor=base_minor,
        rules=charter.rules,
        charter_id=charter.charter_id,
        charter_version=charter.version,
        record=record,
    )


def _sum(promises: Iterable[tuple[int, int]]) -> Promises:
    listed = [(borrower, most) for borrower, most in promises if most]
    return Promises(len({borrower for borrower, _ in listed}), sum(most for _, most in listed))


def bases_of(
    session: Session,
    community_id: int,
    member_ids: Collection[int],
    charter: CharterInForce,
    on: date,
) -> dict[int, int]:
    """What members' promises are measured against, by the charter; zero where there is nothing."""
    found = dict.fromkeys(member_ids, 0)
    if charter.rules.guarantee_base is GuaranteeBase.STANDING:
        for member_id, row in read_standings(session, community_id, member_ids).items():
            found[member_id] = row.stake_minor + row.assessed_on(on)
    elif charter.rules.guarantee_base is GuaranteeBase.SAVINGS:
        held = balances_of_many(session, community_id=community_id, member_ids=member_ids)
        found |= {member_id: row.total_minor for member_id, row in held.items()}
    else:
        granted = capacities_on(session, community_id=community_id, member_ids=member_ids, on=on)
        found |= {member_id: row.amount_minor for member_id, row in granted.items()}
    return found


def require_caps(checks: Mapping[int, CapCheck], *, told_id: int | None) -> None:
    """Refuse a step that would take somebody past a cap.

    `told_id` is whose figures may be told: who acts; None is the platform itself. What others
    promise elsewhere stays theirs: of them the refusal only says how many are over. Raises
    GuaranteeCapReached, VoucherRecordBound if it is the record alone that does not carry it.
    """
    over = [check for check in checks.values() if check.refused]
    if not over:
        return
    mine = [check for check in over if told_id is None or check.member_id == told_id]
    notes = [note for check in mine for note in check.notes() if note.refuses]
    rules = sorted(
        {
            rule
            for check in over
            for rule, is_over in (
                ("guarantees_count_max", check.over_count),
                ("guarantee_ratio_bps_max", check.over_ratio),
                ("voucher_bound_bps", check.over_record),
            )
            if is_over
        }
    )
    others = len(over) - len(mine)
    words = [note.text["en"] for note in notes]
    if others:
        words.append(
            f"{others} of the others would promise more than the charter admits for one member; "
            "they are told their figures when they look themselves, and have to end or lower a "
            "promise first."
        )
    error = VoucherRecordBound if rules == ["voucher_bound_bps"] else GuaranteeCapReached
    raise error(
        " ".join(words),
        rules=rules,
        charter_version=over[0].charter_version,
        others=others,
        yours=[told_figures(check) for check in mine],
        texts=[note.text for note in notes],
    )


def told_figures(check: CapCheck) -> dict[str, object]:
    """A check's figures as a refusal names them."""

    def money(minor: int | None) -> dict[str, str] | None:
        if minor is None:
            return None
        return {"amount": format_minor(minor, check.currency), "currency": check.currency}

    return {
        "count": check.after.count,
        "count_max": check.rules.guarantees_count_max,
        "promised": money(check.after.most_minor),
        "base": money(check.base_minor),
        "base_kind": check.rules.guarantee_base.value,
        "ratio_bps_max": check.rules.guarantee_ratio_bps_max,
        "allowed": money(check.allowed_minor),
        "record": None
        if check.record is None
        else {
            "good_cases": round(check.record.good_cases, 3),
            "bad_cases": round(check.record.bad_cases, 3),
            "mean_ppm": check.record.mean_ppm,
            "lower_ppm": check.record.lower_ppm,
            "upper_ppm": check.record.upper_ppm,
            "bound_bps": check.rules.voucher_bound_bps,
            "allowed": money(check.allowed_by_record_minor),
        },
    }


def keep_checks(
    session: Session,
    checks: Mapping[int, CapCheck],
    *,
    community_id: int,
    vouch_id: int | None,
    group_id: int | None,
    on: date,
    now: datetime,
) -> None:
    """Keep what was found when promises were made; the table refuses what exceeds a cap."""
    rows = [
        (
            check,
            PromiseCheck(
                community_id=community_id,
                member_id=check.member_id,
                charter_id=check.charter_id,
                vouch_id=vouch_id,
                group_id=group_id,
                count_after=check.after.count,
                count_max=check.rules.guarantees_count_max,
                promised_minor=check.after.most_minor,
                base_minor=check.base_minor,
                allowed_minor=check.allowed_minor,
                checked_on=on,
                checked_at=now,
            ),
        )
        for check in checks.values()
        if check.raises
    ]
    session.add_all(row for _, row in rows)
    session.flush()  # a row past a cap is refused here, inside the unit
    bounds = [
        VoucherBound(
            check_id=row.id,
            promised_minor=check.after.most_minor,
            base_minor=check.base_minor,
            bound_bps=check.rules.voucher_bound_bps,
            lower_ppm=check.record.lower_ppm,
            allowed_minor=check.allowed_by_record_minor,
            good_cases_micro=round(check.record.good_cases * 1_000_000),
            bad_cases_micro=round(check.record.bad_cases * 1_000_000),
        )
        for check, row in rows
        if check.record is not None
    ]
    if bounds:
        session.add_all(bounds)
        session.flush()  # and one past its bound here


def require_and_keep(
    session: Session,
    *,
    community_id: int,
    changes: Sequence[Change],
    told_id: int | None,
    on: date,
    now: datetime,
    records_of: RecordsOf | None,
    vouch_id: int | None = None,
    group_id: int | None = None,
) -> dict[int, CapCheck]:
    """Decide on promises about to be made, whose givers' standings are held. See the parts."""
    checks = check_promises(
        session, community_id=community_id, changes=changes, on=on, records_of=records_of
    )
    require_caps(checks, told_id=told_id)
    keep_checks(
        session,
        checks,
        community_id=community_id,
        vouch_id=vouch_id,
        group_id=group_id,
        on=on,
        now=now,
    )
    return checks


def circle_notes(
    session: Session,
    *,
    community_id: int,
    changes: Sequence[Change],
    member_id: int,
    on: date,
) -> list[CapNote]:
    """Whether what a member is about to promise closes a pair or a longer circle of promises.

    One statement a step, at most as many steps as the charter's circle has members. Promises of
    the same agreement are mutual by its nature and are not looked at. Who is on a longer circle
    is not told: what others promise each other is theirs.
    """
    rules = communities.charter_on(session, community_id, on).rules
    mine = {change.borrower_id for change in changes if change.voucher_id == member_id}
    group = next((change.group_id for change in changes if change.group_id is not None), None)
    inside = {end for change in changes for end in (change.voucher_id, change.borrower_id)}
    longest = max(rules.circle_warning_members, 2 if rules.mutual_pair_warnings else 0)
    notes: list[CapNote] = []
    edge, seen = set(mine), set(mine)
    for length in range(2, longest + 1):
        if not edge:
            break
        nxt: set[int] = set()
        for part in parts(edge):
            statement = (
                select(Vouch.borrower_id)
                .where(
                    Vouch.community_id == community_id,
                    Vouch.voucher_id.in_(part),
                    Vouch.status == VouchStatus.LIVE,
                    Vouch.expires_on >= on,
                )
                .distinct()
            )
            if group is not None:
                statement = statement.where(or_(Vouch.group_id.is_(None), Vouch.group_id != group))
            nxt |= set(session.scalars(statement))
        if member_id in nxt:
            if length == 2 and rules.mutual_pair_warnings:
                notes.append(_pair_note(_back(session, community_id, mine, member_id, group, on)))
                if rules.circle_warning_members <= 2:
                    break
            elif length <= rules.circle_warning_members and length > 2:
                notes.append(_circle_note(length))
                break
        edge = nxt - seen - {member_id} - (inside if group is not None else set())
        seen |= edge
    return notes


def _back(
    session: Session,
    community_id: int,
    mine: Collection[int],
    member_id: int,
    group: int | None,
    on: date,
) -> int:
    """How many of those whom a member would stand behind stand behind the member."""
    back = aliased(Vouch)
    statement = select(back.voucher_id).where(
        back.community_id == community_id,
        back.voucher_id.in_(sorted(mine)),
        back.borrower_id == member_id,
        back.status == VouchStatus.LIVE,
        back.expires_on >= on,
    )
    if group is not None:
        statement = statement.where(or_(back.group_id.is_(None), back.group_id != group))
    return len(set(session.scalars(statement)))


def _pair_note(count: int) -> CapNote:
    return CapNote(
        CapKind.MUTUAL_PAIR,
        "mutual_pair_warnings",
        False,
        {
            "zh-CN": f"您将为 {count} 位已为您担保的人担保：两人同时还不上时，互保并不增加保障。",
            "en": f"{count} of those whom you would stand behind stand behind you already: if both "
            "fail, a promise each way is worth nothing more.",
        },
    )


def _circle_note(length: int) -> CapNote:
    return CapNote(
        CapKind.CIRCLE,
        "circle_warning_members",
        False,
        {
            "zh-CN": f"这项担保会与其他担保连成 {length} 人的担保圈："
            "圈中一人还不上，会一路传回到您。",
            "en": f"With other promises this closes a circle of {length} members: if one of them "
            "fails, it can come round to you.",
        },
    )
