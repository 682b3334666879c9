"""A limit with the currency on each of its amounts, for dumping."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from community.credit.explain import CoverPreview, CreditLimit
from community.credit.limits import Constraint
from community.credit.service import Funding
from community.trust.networks import Source


def limit_view(limit: CreditLimit) -> dict[str, Any]:
    """The whole answer."""
    currency = limit.currency
    return {
        "community": limit.community_public_id,
        "member": limit.member,
        "currency": currency,
        "on": limit.on,
        "amount_minor": limit.amount_minor,
        "binding": _constraint(limit.binding, currency),
        "remedy": limit.remedy,
        "constraints": [_constraint(item, currency) for item in limit.constraints],
        "charter": limit.charter,
        "product": limit.product,
        "owed_minor": limit.facts.owed_minor,
        "circle_of_trust": limit.circle,
        "flow_minor": limit.flow_minor,
        "own_minor": limit.own_minor,
        "direct_minor": limit.direct_minor,
        "second_minor": limit.second_minor,
        "farther_minor": limit.farther_minor,
        "paths": _in(currency, limit.paths),
        "cut": _in(currency, limit.cut),
        "raise_by_minor": limit.raise_by_minor,
        "raises": _in(currency, limit.raises),
        "what_if": [
            {"voucher": voucher, "amount_minor": amount, "currency": currency}
            for voucher, amount in limit.what_if
        ],
        "record_bounds": [
            _columns(item) | {"binds": item.binds, "currency": currency}
            for item in limit.record_bounds
        ],
        "ceiling_minor": limit.ceiling_minor,
        "ceiling_from": _network_source(limit.ceiling_source),
    }


def cover_preview_view(preview: CoverPreview) -> dict[str, Any]:
    """Who would be held, and the limit with all its reasons."""
    currency = preview.limit.currency
    return {
        "currency": currency,
        "principal_minor": preview.principal_minor,
        "cover_minor": preview.cover_minor,
        "short_minor": preview.short_minor,
        "admitted": preview.is_admitted,
        "paths": _in(currency, preview.paths),
        "limit": limit_view(preview.limit),
    }


def _network_source(source: Source | None) -> dict[str, Any] | None:
    if source is None:
        return None
    return {
        "kind": "rows" if source.version is None else "file",
        "built_at": source.built_at,
        "read_again": source.read_again,
    }


def funding_view(funding: Funding) -> dict[str, Any]:
    """What was booked."""
    return {
        "account": funding.account.value,
        "amount": funding.amount,
        "balance": funding.balance,
        "on": funding.on,
        "reference": funding.reference,
    }


def _constraint(constraint: Constraint, currency: str) -> dict[str, Any]:
    return _columns(constraint) | {"detail": dict(constraint.detail), "currency": currency}


def _in(currency: str, items: Iterable[Any]) -> list[dict[str, Any]]:
    return [_columns(item) | {"currency": currency} for item in items]


def _columns(item: Any) -> dict[str, Any]:
    return {field.name: getattr(item, field.name) for field in fields(item)}
