"""The languages in which members read what they sign and are told. Pure."""

LANGUAGES = ("zh-CN", "en")
