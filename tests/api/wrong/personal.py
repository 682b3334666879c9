"""Wrong requests about one's own data."""

from tests.api.wrong.shape import Wrong

_ASK = "POST /members/@wang/erasure-request"
_YES = {"understood": True}

PERSONAL = [
    Wrong("a wish to be erased that is not understood", "wang", _ASK, {}, "422 validation"),
    Wrong("understood by a one", "wang", _ASK, {"understood": 1}, "422 validation"),
    Wrong("a wish with loans that are not over", "wang", _ASK, _YES, "409 still-live"),
    Wrong("wishing it for somebody", "officer", _ASK, _YES, "403 not-allowed"),
    Wrong("wishing it for a neighbour", "gao", _ASK, _YES, "404 not-found"),
    Wrong(
        "taking back what was not asked",
        "wang",
        "DELETE /members/@wang/erasure-request",
        None,
        "404 erasure-not-asked",
    ),
    Wrong(
        "refusing what was not asked",
        "operator",
        "POST /members/@wang/erasure-request/refusal",
        {"reason": "x"},
        "404 erasure-not-asked",
    ),
    Wrong(
        "refusing without a reason",
        "operator",
        "POST /members/@wang/erasure-request/refusal",
        {"reason": ""},
        "422 validation",
    ),
]
