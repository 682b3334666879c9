"""What crosses the wire: marshmallow fields that say exactly what they take."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin

from community.database import MINOR_MAX
from community.errors import AmountOutOfRange, Invalid
from community.money import AMOUNT_MINOR_MAX, CURRENCY_EXPONENTS
from community.money import Money as MoneyValue

_AMOUNT_PATTERN = r"^-?[0-9]{1,16}(\.[0-9]{1,3})?$"
_POSITIVE_PATTERN = r"^[0-9]{1,16}(\.[0-9]{1,3})?$"
_ID_BODY = "[0-9a-hj-km-np-tv-z]{16}"


class Schema(ma.Schema):
    """A schema that refuses fields it does not know: a typing error must not pass silently."""

    class Meta:
        unknown = ma.RAISE


class Money(ma.fields.Field[MoneyValue]):
    """Money: `{"amount": "120.50", "currency": "CNY"}` outside, exact minor units inside.

    Loading refuses JSON numbers, exponents, more decimals than the currency has, unknown
    currencies and amounts beyond what the books hold. `positive` admits only amounts above zero,
    with `zero=True` from zero up; `positive=False` admits any sign.

    Dumping takes a Money, or reads a row's columns: `Money(minor="principal_minor")` joins
    `principal_minor` with the row's `currency` (or the attribute that `currency` names).
    """

    default_error_messages = {
        "shape": 'Money is {{"amount": "120.50", "currency": "CNY"}}, the amount as a text.',
        "positive": "The amount has to be above zero.",
        "negative": "The amount cannot be below zero.",
    }

    def __init__(
        self,
        *,
        positive: bool = True,
        zero: bool = False,
        minor: str | None = None,
        currency: str = "currency",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.positive = positive
        self.zero = zero
        self.minor = minor
        self.currency_name = currency

    def get_value(
        self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing
    ) -> Any:
        """The row's minor units and currency as Money, if the field reads columns."""
        if self.minor is None:
            return super().get_value(obj, attr, accessor, default)
        amount_minor = _read(obj, self.minor)
        if amount_minor is None:
            return None
        return MoneyValue(amount_minor, _read(obj, self.currency_name))

    def _serialize(
        self, value: MoneyValue | None, attr: str | None, obj: Any, **kwargs: Any
    ) -> dict[str, str] | None:
        if value is None:
            return None
        return {"amount": str(value), "currency": value.currency}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> MoneyValue:
        if not isinstance(value, dict) or set(value) != {"amount", "currency"}:
            raise self.make_error("shape")
        amount, currency = value["amount"], value["currency"]
        if not isinstance(amount, str) or not isinstance(currency, str):
            raise self.make_error("shape")
        try:
            money = MoneyValue.parse(amount, currency)
        except AmountOutOfRange as refusal:
            raise ma.ValidationError({"amount": [refusal.detail]}) from None
        except Invalid as refusal:
            place = refusal.members.get("field", "amount")
            raise ma.ValidationError({place: [refusal.detail]}) from None
        if self.positive and money.amount_minor < 0:
            raise self.make_error("negative" if self.zero else "positive")
        if self.positive and not self.zero and money.amount_minor == 0:
            raise self.make_error("positive")
        return money


class PublicId(ma.fields.String):
    """A public id of one kind, such as `PublicId("mem")`."""

    default_error_messages = {"shape": "An id such as {example} is needed."}

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix
        self.pattern = f"^{prefix}_{_ID_BODY}$"

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern[1:-1], value):
            raise self.make_error("shape", example=f"{self.prefix}_0123456789abcdef")
        return value


class Text(ma.fields.String):
    """A text of 1 to `longest` characters, without control characters; outer spaces fall away.

    `lines=True` admits line breaks; `empty=True`, or a default of '', the empty text.
    """

    default_error_messages = {
        "characters": "The text has characters that cannot be written.",
        "length": "The text has to have {least} to {longest} characters.",
    }

    def __init__(
        self, longest: int, *, lines: bool = False, empty: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.longest = longest
        self.least = 0 if empty or self.load_default == "" else 1
        self.lines = lines

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).strip()
        allowed = "\n\t" if self.lines else ""
        text = text.replace("\r\n", "\n") if self.lines else text
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in allowed for c in text):
            raise self.make_error("characters")
        if not self.least <= len(text) <= self.longest:
            raise self.make_error("length", least=self.least, longest=self.longest)
        return text


class Whole(ma.fields.Integer):
    """A whole number from `least` to `most`. `from_text=True` for query strings."""

    default_error_messages = {
        "whole": "A whole number is needed.",
        "range": "The number has to be from {least} to {most}.",
    }

    def __init__(
        self,
        least: int = 0,
        most: int = MINOR_MAX,
        *,
        from_text: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(strict=True, **kwargs)
        self.least = least
        self.most = most
        self.from_text = from_text

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if self.from_text and isinstance(value, str) and re.fullmatch("-?[0-9]{1,19}", value):
            value = int(value)
        if type(value) is not int:
            raise self.make_error("whole")
        if not self.least <= value <= self.most:
            raise self.make_error("range", least=self.least, most=self.most)
        return value


class YesNo(ma.fields.Boolean):
    """true or false and nothing that merely equals one of them, such as 1."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Day(ma.fields.Date):
    """A calendar date, `2026-11-23`, within the years that loans are made in."""

    default_error_messages = {"range": "The date has to be between 1900 and 2199."}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> date:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise self.make_error("invalid", input=value, obj_type="date")
        day = super()._deserialize(value, attr, data, **kwargs)
        if not 1900 <= day.year < 2200:
            raise self.make_error("range")
        return day


class Instant(ma.fields.AwareDateTime):
    """An instant in ISO 8601 with its offset; handed out in UTC."""

    default_error_messages = {"range": "The instant has to be between 1900 and 2199."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", **kwargs)

    def _serialize(
        self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any
    ) -> str | float | None:
        if value is None:
            return None
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("invalid", input=value, obj_type="datetime")
        instant = super()._deserialize(value, attr, data, **kwargs)
        if not 1900 < instant.year < 2199:
            raise self.make_error("range")
        return instant.astimezone(UTC)


def describe_fields(plugin: MarshmallowPlugin) -> None:
    """Teach the OpenAPI what these fields look like on the wire."""
    converter = plugin.converter
    assert converter is not None

    def describe(_self: Any, field: ma.fields.Field, **_kwargs: Any) -> dict[str, Any]:
        if isinstance(field, Money):
            pattern = _POSITIVE_PATTERN if field.positive else _AMOUNT_PATTERN
            return {
                "type": ["object", "null"] if field.allow_none else "object",
                "required": ["amount", "currency"],
                "additionalProperties": False,
                "properties": {
                    "amount": {
                        "type": "string",
                        "pattern": pattern,
                        "description": "Decimal units of the currency, at most "
                        f"{AMOUNT_MINOR_MAX} of its smallest units.",
                    },
                    "currency": {"type": "string", "enum": sorted(CURRENCY_EXPONENTS)},
                },
                "example": {"amount": "120.50", "currency": "CNY"},
            }
        if isinstance(field, PublicId):
            return {"pattern": field.pattern}
        if isinstance(field, Text):
            return {
                "minLength": field.least,
                "maxLength": field.longest,
                "pattern": _text_pattern(field),
            }
        if isinstance(field, Whole):
            return {"minimum": field.least, "maximum": field.most}
        return {}

    converter.add_attribute_function(describe)


def _text_pattern(field: Text) -> str:
    control = r"\x00-\x08\x0b-\x1f\x7f-\x9f" if field.lines else r"\x00-\x1f\x7f-\x9f"
    if field.least == 0:
        return f"^[^{control}]*$"
    return rf"^[^{control}]*[^\s{control}][^{control}]*$"


def _read(obj: Any, name: str) -> Any:
    return obj[name] if isinstance(obj, Mapping) else getattr(obj, name)
