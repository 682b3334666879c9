"""Credit records: consenting, issuing, verifying, taking in."""

from typing import Any

from tests.api.wrong.shape import VILLAGE, WANG, Wrong

CONSENT = f"POST {WANG}/record-consents"
TAKE = f"POST {VILLAGE}/members/@wang/record-imports"
VERIFY = "POST /records/verify"
# The header of a record, then what nobody signed: {"iss": "com_…"} and 64 zero bytes.
HEAD = "eyJhbGciOiJFZERTQSIsImtpZCI6IngiLCJ0eXAiOiJsaWFuYmFvLXJlY29yZCtqd3QifQ"
STRANGE = f"{HEAD}.eyJpc3MiOiJjb21fMDAwMDAwMDAwMDAwMDAwMCJ9.{'A' * 86}"


def consent(**changes: Any) -> dict[str, Any]:
    return {
        "recipient": "A bank",
        "purposes": ["credit_decision"],
        "fields": ["loans", "debts"],
        "until_on": "2026-12-31",
    } | changes


RECORDS = [
    Wrong("consenting for a member", "officer", CONSENT, consent(), "403 not-allowed"),
    Wrong("consenting for a neighbour", "gao", CONSENT, consent(), "404 not-found"),
    Wrong("a consent to nothing", "wang", CONSENT, {}, "422 validation"),
    Wrong("a consent without a field", "wang", CONSENT, consent(fields=[]), "422 validation"),
    Wrong(
        "a consent to what no record has",
        "wang",
        CONSENT,
        consent(fields=["neighbours"]),
        "422 validation",
    ),
    Wrong(
        "a consent for advertising",
        "wang",
        CONSENT,
        consent(purposes=["advertising"]),
        "422 validation",
    ),
    Wrong(
        "a field of a record twice",
        "wang",
        CONSENT,
        consent(fields=["loans", "loans"]),
        "422 validation",
    ),
    Wrong(
        "a consent for ever",
        "wang",
        CONSENT,
        consent(until_on="2030-01-01"),
        "422 record-consent-term",
    ),
    Wrong(
        "withdrawing a consent twice",
        "wang",
        "POST /record-consents/@withdrawn/withdrawal",
        {},
        "409 record-consent-not-live",
    ),
    Wrong(
        "withdrawing for a member",
        "officer",
        "POST /record-consents/@consent/withdrawal",
        {},
        "403 not-allowed",
    ),
    Wrong(
        "a record under a withdrawn consent",
        "wang",
        "POST /record-consents/@withdrawn/records",
        None,
        "409 record-consent-not-live",
    ),
    Wrong(
        "a record under no consent",
        "wang",
        "POST /record-consents/rcs_0000000000000000/records",
        None,
        "404 record-consent-not-found",
    ),
    Wrong(
        "a record that is none",
        "wang",
        "GET /credit-records/rec_0000000000000000",
        None,
        "404 credit-record-not-found",
    ),
    Wrong(
        "taking in what is no record",
        "officer",
        TAKE,
        {"record": "x"},
        "422 credit-record-refused",
    ),
    Wrong(
        "taking in a record of who is not accepted",
        "officer",
        TAKE,
        {"record": STRANGE},
        "409 record-issuer-not-accepted",
    ),
    Wrong("verifying nothing", None, VERIFY, {}, "422 validation"),
    Wrong(
        "verifying by keys that are none",
        None,
        VERIFY,
        {"record": "x", "keys": {"keys": [{"kty": "oct", "k": "x"}]}},
        "422 record-keys-invalid",
    ),
]
