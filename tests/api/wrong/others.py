"""What belongs to others: not there, or not theirs to do."""

from tests.api.wrong.shape import DEPOSIT, FIVE, VILLAGE, WANG, Wrong, money, paid

OTHERS = [
    # What belongs to others is not there, for members and for strangers alike.
    *(
        Wrong(f"{who} reads {path}", who, f"GET {path}", None, "404 not-found")
        for who, path in (
            ("wu", "/members/@wang"),
            ("wu", "/members/@wang/savings"),
            ("wu", "/members/@wang/tokens"),
            ("wu", f"{WANG}/savings"),
            ("wu", f"{WANG}/savings/movements"),
            ("wu", f"{WANG}/standing"),
            ("wu", f"{WANG}/exposure"),
            ("wu", f"{WANG}/vouches"),
            ("wu", f"{WANG}/credit-limit"),
            ("wu", WANG),
            ("wu", "/groups/@active"),
            ("wu", "/vouches/@live"),
            ("wei", "/loans/@current"),
            ("wei", "/loans/@current/cover"),
            ("wei", "/calls/@call"),
            ("zhou", "/group-loans/@group_loan"),
            ("gao", "/households/@home"),
            ("stranger", VILLAGE),
            ("stranger", f"{VILLAGE}/charter"),
            ("stranger", "/products/@plain"),
            ("stranger", "/seasons/@rice"),
            ("foreign", f"{VILLAGE}/members"),
            ("foreign", f"{VILLAGE}/loans"),
            ("foreign", f"{VILLAGE}/balances"),
            ("foreign", "/loans/@current"),
        )
    ),
    Wrong(
        "a neighbour takes a step", "wu", "POST /vouches/@live/revocation", None, "404 not-found"
    ),
    Wrong(
        "a stranger forms a group",
        "stranger",
        f"POST {VILLAGE}/groups",
        {"name": "x", "pair_cap": money("1.00"), "vouch_expires_on": "2027-01-01"},
        "404 not-found",
    ),
    Wrong(
        "a stranger endorses",
        "stranger",
        "POST /loans/@submitted/endorsements",
        {},
        "404 not-found",
    ),
    Wrong(
        "an officer from elsewhere approves",
        "foreign",
        "POST /loans/@endorsed/approval",
        None,
        "404 not-found",
    ),
    Wrong("an officer from elsewhere takes a deposit", "foreign", DEPOSIT, FIVE, "404 not-found"),
    Wrong("an auditor takes a deposit", "auditor", DEPOSIT, FIVE, "403 not-allowed"),
    Wrong(
        "an auditor approves", "auditor", "POST /loans/@endorsed/approval", None, "403 not-allowed"
    ),
    Wrong(
        "an auditor of everything approves",
        "inspector",
        "POST /loans/@endorsed/approval",
        None,
        "403 not-allowed",
    ),
    Wrong("a member books their own deposit", "wang", DEPOSIT, FIVE, "403 not-allowed"),
    Wrong(
        "a member approves their own loan",
        "wang",
        "POST /loans/@endorsed/approval",
        None,
        "403 not-allowed",
    ),
    Wrong(
        "an officer approves their own loan",
        "clerk",
        "POST /loans/@own/approval",
        None,
        "403 approver-involved",
    ),
    Wrong(
        "a member's place elsewhere",
        "operator",
        "GET /communities/@far/members/@wang",
        None,
        "404 membership-not-found",
    ),
    Wrong(
        "savings where one never was",
        "operator",
        "POST /communities/@far/members/@wang/savings/deposits",
        FIVE,
        "404 membership-not-found",
    ),
    Wrong(
        "another's token",
        "operator",
        "DELETE /members/@li/tokens/@kept",
        None,
        "404 token-not-found",
    ),
    Wrong(
        "another's role",
        "operator",
        "DELETE /members/@li/roles/@office",
        None,
        "404 role-grant-not-found",
    ),
    Wrong(
        "a member takes a role back",
        "wang",
        "DELETE /members/@officer/roles/@office",
        None,
        "404 not-found",
    ),
    Wrong(
        "an officer makes an operator's token",
        "officer",
        "POST /members/@operator/tokens",
        {"label": "x"},
        "404 not-found",
    ),
    Wrong(
        "an officer makes a colleague's token",
        "officer",
        "POST /members/@clerk/tokens",
        {"label": "x"},
        "403 not-allowed",
    ),
    Wrong("a member registers members", "wang", "POST /members", {"name": "x"}, "403 not-allowed"),
    Wrong(
        "an officer founds a community",
        "officer",
        "POST /communities",
        {"kind": "region", "name": "x", "reference": "x", "currency": "CNY"},
        "403 not-allowed",
    ),
    Wrong(
        "an officer funds the pool",
        "officer",
        f"POST {VILLAGE}/lending-pool/deposits",
        paid("1.00", reference="x"),
        "403 not-allowed",
    ),
    Wrong(
        "a member adopts a charter",
        "wang",
        f"POST {VILLAGE}/charters",
        {"valid_from": "2027-01-01", "source": "x", "begin_from": "present"},
        "403 not-allowed",
    ),
]
