"""Profiles and records of vouchers, asked for wrongly."""

from tests.api.wrong.shape import VILLAGE, Wrong

_PROFILE = "GET /members/@wang/profile"
_RECORD = "GET /members/@wang/voucher-record"
_RECORDS = f"GET {VILLAGE}/voucher-records"

PROFILES = [
    *(
        Wrong(name, who, path, None, problem)
        for name, who, path, problem in (
            ("a profile of nowhere", "wang", _PROFILE, "422 validation"),
            (
                "a profile of a community that is none",
                "wang",
                f"{_PROFILE}?community=com_0000000000000000",
                "404 community-not-found",
            ),
            (
                "a profile from a day to come",
                "wang",
                f"{_PROFILE}?community=@village&since=2199-01-01",
                "422 invalid",
            ),
            (
                "a profile where somebody never was",
                "operator",
                f"{_PROFILE}?community=@far",
                "404 membership-not-found",
            ),
            (
                "a neighbour's profile",
                "gao",
                f"{_PROFILE}?community=@village",
                "404 not-found",
            ),
            ("a record of nowhere", "wang", _RECORD, "422 validation"),
            (
                "a record of days to come",
                "wang",
                f"{_RECORD}?community=@village&on=2199-01-01",
                "422 invalid",
            ),
            (
                "a record from before any charter",
                "wang",
                f"{_RECORD}?community=@village&on=1900-01-01",
                "409 no-charter",
            ),
            ("a record of no day", "wang", f"{_RECORD}?community=@village&on=x", "422 validation"),
            (
                "another's record",
                "zhao",
                f"{_RECORD}?community=@village",
                "404 not-found",
            ),
            ("all records by a member", "wang", _RECORDS, "404 not-found"),
            ("all records as a picture", "officer", f"{_RECORDS}?format=png", "422 validation"),
            ("all records from anywhere", "officer", f"{_RECORDS}?cursor=x", "422 bad-cursor"),
            (
                "all records of days to come",
                "officer",
                f"{_RECORDS}?on=2199-01-01",
                "422 invalid",
            ),
        )
    ),
]
