"""A draft of a product's next version on the wire: what it changes, what a loan then costs."""

from types import SimpleNamespace
from typing import Any

import marshmallow as ma

from app.fields import Day, Money, PublicId, Schema, Whole
from app.loans.schemas import CostSchema
from app.loans.views import cost_view
from app.products.schemas import ProductTermsSchema, ProductVersionInSchema
from community.loans.drafts import VersionPreview
from community.products.queries import terms_of


class ExampleInSchema(Schema):
    """The loan to compare; what is left out is taken as large and as long as both terms lend."""

    principal = Money(load_default=None, allow_none=True)
    instalments = Whole(1, 600, load_default=None, allow_none=True)
    season = PublicId("sea", load_default=None, allow_none=True)


class ProductDraftSchema(ProductVersionInSchema):
    """A version that is looked at before it is published."""

    example = ma.fields.Nested(ExampleInSchema, load_default=None, allow_none=True)


class TermChangeSchema(Schema):
    """One term as it is and as it would be; null where there is no version before."""

    term = ma.fields.String(required=True)
    before = ma.fields.Raw(required=True, allow_none=True)
    after = ma.fields.Raw(required=True, allow_none=True)


class ExampleSchema(Schema):
    """One loan under both terms, paid out on the draft's first day."""

    start_on = Day(required=True)
    instalments = Whole(
        1,
        required=True,
        allow_none=True,
        metadata={"description": "Null where the season says how many."},
    )
    season = ma.fields.String(required=True, allow_none=True)
    before = ma.fields.Nested(
        CostSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null where the present terms do not lend so."},
    )
    after = ma.fields.Nested(CostSchema, required=True)


class VersionPreviewSchema(Schema):
    """What publishing would do."""

    version = Whole(1, required=True, metadata={"description": "The number it would have."})
    follows = Whole(
        0, required=True, metadata={"description": "The version before it, 0 for none."}
    )
    differences = ma.fields.List(ma.fields.Nested(TermChangeSchema), required=True)
    example = ma.fields.Nested(
        ExampleSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null where no season is known that the terms could follow."},
    )
    charter_version = Whole(1, required=True)
    rate_cap_ppm = Whole(0, required=True)
    rate_cap_basis = ma.fields.String(required=True)


def preview_view(found: VersionPreview) -> SimpleNamespace:
    """A preview with its terms as the wire has them."""
    schema = ProductTermsSchema()
    after: dict[str, Any] = schema.dump(found.terms)
    before = {} if found.last is None else schema.dump(terms_of(found.last))
    example = None
    if found.example is not None:
        shown, currency = found.example, found.terms.currency
        example = SimpleNamespace(
            start_on=shown.start_on,
            instalments=shown.instalments,
            season=shown.season and shown.season.public_id,
            before=shown.before and cost_view(shown.before, currency),
            after=cost_view(shown.after, currency),
        )
    return SimpleNamespace(
        version=found.number,
        follows=found.number - 1,
        differences=[
            {"term": name, "before": before.get(name), "after": value}
            for name, value in after.items()
            if not before or before[name] != value
        ],
        example=example,
        charter_version=found.charter.version,
        rate_cap_ppm=found.charter.rules.yearly_rate_ppm_max,
        rate_cap_basis=found.charter.rules.rate_cap_basis,
    )
