"""Amounts as members read them, in each language of the platform. Pure."""

from community.money import format_minor

LANGUAGES = ("zh-CN", "en")


def amount(minor: int, currency: str, language: str) -> str:
    """An amount in words of the language: '2,000.00 CNY', '2,000.00 元'."""
    text = format_minor(minor, currency)
    whole, point, decimals = text.partition(".")
    grouped = f"{int(whole):,}{point}{decimals}"
    unit = "元" if (language, currency) == ("zh-CN", "CNY") else currency
    return f"{grouped} {unit}"
