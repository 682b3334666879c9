"""Webhooks in the OpenAPI document: what a receiver is sent, kind by kind, and what it may answer.

`webhooks` of OpenAPI 3.1 names every kind of record with the schema of its body, the headers by
which the signature is verified, and what each answer does. A test compares it with the kinds that
there are and with what is really sent.
"""

from typing import Any

from community.webhooks.kinds import KINDS

# By family: what the subject's id begins with, what it is, and where the API tells more.
SUBJECTS: dict[str, tuple[str, str, str]] = {
    "call": ("cal", "call", "GET /api/v1/calls/{call_id}"),
    "case": ("cas", "case", "GET /api/v1/cases/{case_id}"),
    "claim": ("clm", "claim", "GET /api/v1/claims/{claim_id}"),
    "declared_event": ("dev", "declared event", "GET /api/v1/declared-events/{event_id}"),
    "guarantee": ("lon", "loan that was guaranteed", "GET /api/v1/loans/{loan_id}"),
    "loan": ("lon", "loan", "GET /api/v1/loans/{loan_id}"),
}
# Payments on claims have ids of their own.
_SETTLEMENT = ("cst", "payment on a claim", "GET /api/v1/claim-settlements/{settlement_id}")
BY_KIND: dict[str, tuple[str, str, str]] = {
    "claim.settled": _SETTLEMENT,
    "claim.settlement_declined": _SETTLEMENT,
    "claim.settlement_reversed": _SETTLEMENT,
    "claim.settlement_stated": _SETTLEMENT,
}
MEANINGS: dict[str, str] = {
    "call.dispute_resolved": "An officer decided a dispute; the call stands.",
    "call.dispute_upheld": "An officer decided a dispute for the guarantor; the call ends.",
    "call.disputed": "A guarantor disputes a call; its clock stands still.",
    "call.issued": "A guarantor is asked to pay for a loan.",
    "call.lapsed": "A call ran out unpaid; the next guarantors are asked.",
    "call.lowered": "Less is asked of a guarantor, as the borrower paid meanwhile.",
    "call.promised": "A guarantor named a day on which they pay.",
    "case.assigned": "A case was given to somebody.",
    "case.closed": "A case was closed with its outcome.",
    "case.escalated": "A case went to the next level.",
    "case.opened": "A case was opened about a member or a loan.",
    "case.taken": "Somebody took a case up.",
    "claim.settled": "The claimant confirmed a payment on a claim.",
    "claim.settlement_declined": "The claimant says that a payment did not come.",
    "claim.settlement_reversed": "A payment on a claim was taken back.",
    "claim.settlement_stated": "The debtor says that they paid on a claim.",
    "claim.waived": "The claimant let go of a claim, or of a part.",
    "declared_event.applied": "The dues of all loans of a declared event were changed.",
    "declared_event.applying": "The dues of a declared event's loans are being changed.",
    "declared_event.draft": "An event was drawn up, and its preview is void.",
    "declared_event.previewed": "What an event would change was worked out.",
    "declared_event.undoing": "The changes of an event are being taken back.",
    "declared_event.undone": "The changes of an event were taken back.",
    "guarantee.paid": "A guarantor paid for a loan.",
    "loan.approved": "A loan was approved, and its cover reserved.",
    "loan.called": "A loan's guarantors are called.",
    "loan.charge_added": "A fee or a penalty was charged by hand.",
    "loan.charge_waived": "A fee or a penalty was waived.",
    "loan.closed": "A loan is paid off.",
    "loan.cover_reserved": "Guarantors' promises were reserved for a loan.",
    "loan.cover_short": "Less stands behind a loan than its product asks.",
    "loan.current": "A loan is paid out, or no longer late.",
    "loan.disbursed": "A loan's money, or a part, was booked as paid out.",
    "loan.draft": "An application is being written.",
    "loan.endorsed": "An application has all its endorsements.",
    "loan.endorsement_given": "A member put in a word for an application.",
    "loan.expired": "An approved loan was not paid out in time.",
    "loan.fee_charged": "A fee was booked on a loan.",
    "loan.fee_waived": "A fee that was booked was given up.",
    "loan.overdue": "A loan is late.",
    "loan.paid_from_reserve": "The reserve fund paid for a loan.",
    "loan.paid_from_stake": "Locked savings paid for a loan.",
    "loan.paid_to_payees": "A loan's money went straight to its payees.",
    "loan.penalty_charged": "A penalty was booked on a loan.",
    "loan.penalty_waived": "A penalty that was booked was given up.",
    "loan.plan_change_undone": "A change of a loan's plan was taken back.",
    "loan.plan_changed": "A loan's plan of instalments was changed.",
    "loan.receipt_moved": "A receipt now pays other parts of a loan, as an earlier one came in.",
    "loan.receipt_reversed": "A receipt was taken back.",
    "loan.recovered": "Money came in on a loan that was written off.",
    "loan.rejected": "An application was refused.",
    "loan.repaid": "Money came in on a loan.",
    "loan.restructured": "A loan was restructured.",
    "loan.submitted": "An application was handed in.",
    "loan.withdrawn": "The borrower took the application back.",
    "loan.written_off": "A loan was written off.",
}
_ID = "[0-9a-hjkmnp-tv-z]{16}"
_DELIVERY = {"type": "string", "pattern": f"^whd_{_ID}$", "example": "whd_0t6x4m8sd2k9qvbn"}
_HEADERS: tuple[dict[str, Any], ...] = (
    {
        "name": "webhook-id",
        "in": "header",
        "required": True,
        "description": "The delivery's id, the same at every try: deal with each once.",
        "schema": _DELIVERY,
    },
    {
        "name": "webhook-timestamp",
        "in": "header",
        "required": True,
        "description": "When this try was sent, in seconds since 1970: refuse what is old.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,12}$", "example": "1764115200"},
    },
    {
        "name": "webhook-signature",
        "in": "header",
        "required": True,
        "description": (
            "`v1,` and the base64 of HMAC-SHA256, by the key in the secret, over "
            "`{webhook-id}.{webhook-timestamp}.{body}`, the body as it came. Several are set apart "
            "by spaces; one has to fit. See docs/webhooks.md."
        ),
        "schema": {
            "type": "string",
            "pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$",
            "example": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        },
    },
)
_ANSWERS = {
    "2XX": {"description": "Taken: it is not sent again. Nothing of the body is read."},
    "3XX": {"description": "Redirects are not followed: tried again later, as below."},
    "410": {"description": "Gone for good: the webhook is paused until an operator lets it go on."},
    "default": {
        "description": (
            "Not taken, as is no answer in time: tried again, ever later, for some twenty hours; "
            "then given up, until it is sent again by hand. How often and when are settings: "
            "WEBHOOK_TIMEOUT_SECONDS, WEBHOOK_ATTEMPTS, WEBHOOK_RETRY_FIRST_SECONDS, "
            "WEBHOOK_RETRY_MOST_SECONDS."
        )
    },
}


def webhooks() -> dict[str, Any]:
    """Every kind as a path item: one POST to the receiver."""
    return {
        kind: {
            "post": {
                "operationId": f"told_{kind.replace('.', '_')}",
                "summary": MEANINGS[kind],
                "description": f"More of the {subject_of(kind)[1]} tells {subject_of(kind)[2]}.",
                "tags": ["webhooks"],
                "security": [],
                "parameters": list(_HEADERS),
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": body_of(kind), "example": _example(kind)}
                    },
                },
                "responses": _ANSWERS,
            }
        }
        for kind in KINDS
    }


def subject_of(kind: str) -> tuple[str, str, str]:
    """What a kind's subject begins with, what it is, and where the API tells more."""
    return BY_KIND.get(kind) or SUBJECTS[kind.partition(".")[0]]


def body_of(kind: str) -> dict[str, Any]:
    """The schema of what is sent of a kind."""
    prefix, noun, _ = subject_of(kind)
    return {
        "type": "object",
        "description": MEANINGS[kind],
        "required": ["id", "type", "timestamp", "data"],
        "additionalProperties": False,
        "properties": {
            "id": {**_DELIVERY, "description": "As in the header webhook-id."},
            "type": {"type": "string", "const": kind},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it was recorded.",
            },
            "data": {
                "type": "object",
                "required": ["subject", "community", "seq"],
                "additionalProperties": False,
                "properties": {
                    "subject": {
                        "type": "string",
                        "pattern": f"^{prefix}_{_ID}$",
                        "description": f"The id of the {noun}.",
                    },
                    "community": {
                        "type": ["string", "null"],
                        "pattern": f"^com_{_ID}$",
                        "description": "In whose book it is; null: the platform's own.",
                    },
                    "seq": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "Its place in that book.",
                    },
                },
            },
        },
    }


def _example(kind: str) -> dict[str, Any]:
    return {
        "id": "whd_0t6x4m8sd2k9qvbn",
        "type": kind,
        "timestamp": "2026-11-26T00:00:00Z",
        "data": {
            "subject": f"{subject_of(kind)[0]}_17xr0tt9ya5846g3",
            "community": "com_jkn9aw24mjwmkhez",
            "seq": 27,
        },
    }
