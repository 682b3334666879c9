"""Money that is none, in every room that takes money."""

from typing import Any

from tests.api.wrong.shape import (
    DEPOSIT,
    HOLD,
    UNTIL,
    VILLAGE,
    WANG,
    WITHDRAW,
    Wrong,
    money,
    paid,
)

AMOUNTS: dict[str, Any] = {
    "a number": 5,
    "a fraction": 5.0,
    "a negative amount": "-5.00",
    "nothing": "0.00",
    "minus nothing": "-0.00",
    "too many decimals": "5.001",
    "an exponent": "5e2",
    "a plus sign": "+5.00",
    "a comma": "5,00",
    "a thousands sign": "5 000.00",
    "a space": " 5.00",
    "other digits": "٥.٠٠",
    "no digits": "",
    "a dot": ".",
    "NaN in words": "NaN",
    "hexadecimal": "0x10",
    "more than the books hold": "99999999999999.99",
    "more than any books hold": "9" * 400,
    "null": None,
    "a list": ["5.00"],
    "yes": True,
}
SHAPES: dict[str, Any] = {
    "money as a text": "5.00",
    "money as a number": 500,
    "money as a list": ["5.00", "CNY"],
    "money as null": None,
    "money without currency": {"amount": "5.00"},
    "money without amount": {"currency": "CNY"},
    "an unknown currency": money("5.00", "XXX"),
    "a currency in small letters": money("5.00", "cny"),
    "a number for a currency": money("5.00", 156),
    "null for a currency": money("5.00", None),
    "yen with decimals": money("5.50", "JPY"),
}
MONEY = [
    *(
        Wrong(f"an amount of {name}", "officer", DEPOSIT, paid(amount), "422 validation")
        for name, amount in AMOUNTS.items()
    ),
    *(
        Wrong(name, "officer", DEPOSIT, {"amount": shape}, "422 validation")
        for name, shape in SHAPES.items()
    ),
    # The same field in every room that takes money.
    *(
        Wrong(f"{name} at {request}", who, request, body, "422 validation")
        for name, amount in (
            ("a number", 5),
            ("a negative amount", "-5.00"),
            ("too much", "9" * 30),
        )
        for who, request, body in (
            ("officer", WITHDRAW, paid(amount)),
            ("wang", f"POST {WANG}/stake-locks", paid(amount)),
            ("officer", HOLD, paid(amount, **UNTIL)),
            ("officer", "POST /holds/@hold/posting", paid(amount)),
            ("wang", f"POST {WANG}/stake-releases", paid(amount)),
            ("operator", f"POST {VILLAGE}/lending-pool/deposits", paid(amount, reference="x")),
            ("operator", f"POST {VILLAGE}/reserve-fund/deposits", paid(amount, reference="x")),
            ("officer", "POST /loans/@current/repayments", paid(amount)),
            ("officer", "POST /calls/@call/payments", paid(amount)),
            (
                "wu",
                f"POST {VILLAGE}/vouches",
                {
                    "side": "voucher",
                    "other": "@li",
                    "limit": money(amount),
                    "expires_on": "2027-01-01",
                },
            ),
            (
                "wang",
                "POST /loans",
                {
                    "community": "@village",
                    "product": "@plain",
                    "principal": money(amount),
                    "purpose": "x",
                },
            ),
        )
    ),
    *(
        Wrong(f"a foreign currency at {request}", who, request, body, "422 currency-mismatch")
        for who, request, body in (
            ("officer", DEPOSIT, paid("5.00", "USD")),
            ("officer", WITHDRAW, paid("5.00", "USD")),
            ("wang", f"POST {WANG}/stake-locks", paid("5.00", "USD")),
            ("officer", HOLD, paid("5.00", "USD", **UNTIL)),
            ("officer", "POST /holds/@hold/posting", paid("1.00", "USD")),
            ("wang", f"POST {WANG}/stake-releases", paid("5.00", "USD")),
            (
                "operator",
                f"POST {VILLAGE}/lending-pool/deposits",
                paid("5.00", "USD", reference="x"),
            ),
            (
                "operator",
                f"POST {VILLAGE}/reserve-fund/deposits",
                paid("5.00", "USD", reference="x"),
            ),
            ("officer", "POST /loans/@current/repayments", paid("5.00", "USD")),
            ("officer", "POST /calls/@call/payments", paid("5.00", "USD")),
            (
                "wu",
                f"POST {VILLAGE}/vouches",
                {
                    "side": "voucher",
                    "other": "@li",
                    "limit": money("5.00", "USD"),
                    "expires_on": "2027-01-01",
                },
            ),
            (
                "wang",
                "POST /loans",
                {
                    "community": "@village",
                    "product": "@plain",
                    "principal": money("50.00", "USD"),
                    "instalments": 1,
                    "purpose": "x",
                },
            ),
            (
                "officer",
                f"POST {VILLAGE}/members/@gao/assessments",
                {
                    "kind": "standing",
                    "amount": money("5.00", "USD"),
                    "evidence": "x",
                    "expires_on": "2027-01-01",
                },
            ),
        )
    ),
]
