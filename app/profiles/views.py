"""Profiles and records as they are answered."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy.orm import Session

from app.sheets import Cell
from community.communities.models import Community
from community.communities.queries import CharterInForce
from community.exposure.register import rule_sources
from community.loans import queries as loans
from community.members import queries as members
from community.members.queries import Named
from community.money import Money, format_minor
from community.profiles.profile import RECORD_RULES, Profile
from community.trust.promise_checks import bases_of
from community.trust.record_bounds import allowed_by_record
from community.vouching.records import VoucherRecord


def profile_view(profile: Profile) -> dict[str, Any]:
    """A profile with its money in words that cross the wire."""
    return {
        "member": profile.member,
        "community": profile.community,
        "on": profile.on,
        "since_on": profile.since_on,
        "relations": sorted(profile.relations),
        "charter_version": profile.charter_version,
        "figures": [
            {
                "figure": seen.figure,
                "scopes": sorted(seen.scopes),
                "values": _plain(seen.values),
                "source": {
                    "rows": seen.rows,
                    "from_on": seen.from_on,
                    "until_on": seen.until_on,
                    "rules": seen.rules,
                },
            }
            for seen in profile.figures
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        amount = format_minor(value.amount_minor, value.currency)
        return {"amount": amount, "currency": value.currency}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def record_view(
    session: Session, community: Community, record: VoucherRecord, charter: CharterInForce
) -> dict[str, Any]:
    """One member's record, with its loans and what it admits."""
    people = members.names_of(
        session, [record.member_id, *(word.borrower_id for word in record.words)]
    )
    numbers = loans.public_ids(session, (word.loan_id for word in record.words))
    base = bases_of(session, community.id, [record.member_id], charter, record.on)
    bps = charter.rules.voucher_bound_bps
    base_minor = base[record.member_id]
    return {
        **figures_view(record, people),
        "on": record.on,
        "currency": community.currency,
        "base_minor": base_minor,
        "bound_minor": allowed_by_record(base_minor, bps, record.figures.lower_ppm)
        if bps
        else None,
        "charter_version": charter.version,
        "rules": rule_sources(session, charter.charter_id, (*RECORD_RULES, "guarantee_base")),
        "loans": [
            {
                "loan": numbers[word.loan_id],
                "borrower": people[word.borrower_id],
                "share_ppm": word.share_ppm,
                "came_due_minor": word.came_due_minor,
                "paid_minor": word.paid_minor,
                "currency": community.currency,
                "good_cases": round(word.good_cases, 6),
                "bad_cases": round(word.bad_cases, 6),
            }
            for word in record.words
        ],
    }


def figures_view(record: VoucherRecord, people: dict[int, Named]) -> dict[str, Any]:
    """One row of the list of records."""
    return {
        "member": people[record.member_id],
        "good_cases": round(record.figures.good_cases, 6),
        "bad_cases": round(record.figures.bad_cases, 6),
        "mean_ppm": record.figures.mean_ppm,
        "lower_ppm": record.figures.lower_ppm,
        "upper_ppm": record.figures.upper_ppm,
        "loans_count": len(record.words),
        "borrowers_count": record.borrowers,
    }


HEADER = (
    "member",
    "name",
    "good_cases",
    "bad_cases",
    "mean_ppm",
    "lower_ppm",
    "upper_ppm",
    "loans",
    "borrowers",
    "charter_version",
)


def records_table(
    session: Session, records: Collection[VoucherRecord], charter: CharterInForce
) -> Iterable[tuple[Cell, ...]]:
    """Everybody's record as a sheet."""
    people = members.names_of(session, (record.member_id for record in records))
    for record in records:
        found, who = record.figures, people[record.member_id]
        yield (
            who.public_id,
            who.name,
            f"{found.good_cases:.6f}",
            f"{found.bad_cases:.6f}",
            found.mean_ppm,
            found.lower_ppm,
            found.upper_ppm,
            len(record.words),
            record.borrowers,
            charter.version,
        )
