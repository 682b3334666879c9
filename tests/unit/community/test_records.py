"""A signed record: what holds, and that nothing else does. No database."""

import base64
import copy
import hashlib
import hmac
import json
from datetime import date, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from community.records import signing
from community.records.keys import KeyUnusable, PublicKey, by_kid, key_document, read_keys
from community.records.signing import Signer, encode, fingerprint, load_signer
from community.records.statement import KIND, expiry_instant, faults_of
from community.records.verifying import (
    LIST_KIND,
    Fault,
    list_payload,
    read_revocations,
    verify_record,
)

DAY = date(2026, 11, 2)
LAST = date(2026, 12, 31)
IAT = 1_793_606_400  # 2026-11-02 08:00 UTC
ISSUER, MEMBER, RECORD = (f"{prefix}_0123456789abcdef" for prefix in ("com", "mem", "rec"))
BANK = "Bank of the Upper Valley"

# The key of RFC 8037, appendix A: other libraries' results for it are in the RFC.
RFC_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def signer(seed: int) -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


OLD, NEW, THIEF = signer(1), signer(2), signer(3)
KEYS = by_kid([PublicKey(OLD.x, DAY - timedelta(days=100), DAY), PublicKey(NEW.x, DAY)])


def period() -> dict[str, Any]:
    return {
        "from_on": "2025-01-01",
        "until_on": DAY.isoformat(),
        "source": {"charter_of": ISSUER, "charter_version": 2, "rule": "class_days"},
    }


def payload(**changes: Any) -> dict[str, Any]:
    """A record in which everything is said."""
    late = {"special_mention": 3, "substandard": 0, "doubtful": 0, "loss": 0}
    return {
        "v": 1,
        "iss": ISSUER,
        "issuer_name": "Upper Valley",
        "sub": MEMBER,
        "aud": BANK,
        "jti": RECORD,
        "iat": IAT,
        "exp": expiry_instant(LAST),
        "issued_on": DAY.isoformat(),
        "expires_on": LAST.isoformat(),
        "purposes": ["credit_decision"],
        "consent": {
            "id": "rcs_0123456789abcdef",
            "given_on": DAY.isoformat(),
            "until_on": LAST.isoformat(),
            "fields": ["debts", "guarantees", "lateness", "loans", "name", "standing"],
        },
        "name": "王秀英",
        "currency": "CNY",
        "figures": {
            "loans": {
                "taken": 3,
                "taken_minor": 900_00,
                "live": 1,
                "repaid": 2,
                "repaid_by_borrower_minor": 610_00,
                "written_off": 0,
                "cycles": 2,
            }
            | period(),
            "lateness": {
                "times_overdue": 1,
                "times_called": 0,
                "days_by_class": late,
                "worst_class": "special_mention",
            }
            | period(),
            "debts": {
                "outstanding_minor": 290_00,
                "overdue_minor": 0,
                "written_off_minor": 0,
                "owed_to_guarantors_minor": 0,
            }
            | period(),
            "guarantees": {
                "stood_for": 4,
                "cap_minor": 400_00,
                "live": 1,
                "repaid_by_borrower": 2,
                "not_repaid_by_borrower": 1,
                "paid_minor": 55_00,
                "recovered_minor": 5_00,
            }
            | period(),
            "standing": {"assessed_minor": 700_00, "assessed_until_on": LAST.isoformat()}
            | period(),
        },
        "book": {"records": 812, "head": "ab" * 32},
    } | changes


TEXT = NEW.sign(KIND, payload())


def faults(text: str, **given: Any) -> list[str]:
    verdict = verify_record(text, **({"keys": KEYS, "on": DAY} | given))
    assert verdict.holds == (not verdict.failures)
    return [failure.fault.value for failure in verdict.failures]


def parts(header: dict[str, Any] | str, body: dict[str, Any] | str, by: Signer = NEW) -> str:
    """A text with any header and body, signed all the same."""
    head, rest = (
        part if isinstance(part, str) else json.dumps(part, separators=(",", ":"))
        for part in (header, body)
    )
    signed = f"{encode(head.encode())}.{encode(rest.encode())}"
    return f"{signed}.{encode(by.private.sign(signed.encode()))}"


def header(**changes: Any) -> dict[str, Any]:
    return {"alg": "EdDSA", "kid": NEW.kid, "typ": KIND} | changes


def test_a_record_holds_until_its_last_day() -> None:
    verdict = verify_record(TEXT, keys=KEYS, on=DAY, audience=BANK)
    assert (verdict.holds, verdict.kid, verdict.payload) == (True, NEW.kid, payload())
    assert faults(TEXT, on=LAST) == []
    assert faults(TEXT + "\n", on=LAST) == []
    assert faults(TEXT, on=LAST + timedelta(days=1)) == ["expired"]
    assert faults(TEXT, on=DAY - timedelta(days=1)) == ["not-yet"]
    assert faults(TEXT, audience="Another bank") == ["audience"]
    # Everything that fails is named at once.
    late = LAST + timedelta(days=1)
    assert faults(TEXT, audience="Another bank", on=late) == ["expired", "audience"]


def test_signatures_and_fingerprints_are_those_of_the_rfc() -> None:
    """RFC 8037, appendix A: the thumbprint, and a signature over bytes of another library."""
    raw = base64.urlsafe_b64decode(RFC_D + "=")
    known = Signer(Ed25519PrivateKey.from_private_bytes(raw))
    assert (known.x, known.kid) == (RFC_X, RFC_KID)
    assert fingerprint(RFC_X) == RFC_KID
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    expected = (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert encode(known.private.sign(signed)) == expected


def test_no_byte_can_be_changed() -> None:
    """Every character, each by another that base64url has and by one that it has not."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, character in enumerate(TEXT):
        if character == ".":
            assert faults(TEXT[:place] + TEXT[place + 1 :]) == ["malformed"]
            continue
        other = alphabet[(alphabet.index(character) + 1) % 64]
        for swapped in (other, "="):
            assert faults(TEXT[:place] + swapped + TEXT[place + 1 :]), (place, swapped)
        assert faults(TEXT[:place] + TEXT[place + 1 :])


def test_no_bit_of_the_signed_bytes_can_be_flipped() -> None:
    head, body, signature = (
        bytearray(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        for part in TEXT.split(".")
    )
    for part in (head, body, signature):
        for place in range(len(part)):
            part[place] ^= 1 << (place % 8)
            assert faults(".".join(encode(bytes(p)) for p in (head, body, signature))), place
            part[place] ^= 1 << (place % 8)
    assert faults(".".join(encode(bytes(p)) for p in (head, body, signature))) == []


def test_stray_bits_and_padding_are_refused() -> None:
    """64 bytes leave four bits of the last character unused: sixteen texts would be one."""
    for last in "BCDEFGHIJKLMNOP":
        assert TEXT[-1] in "AQgw"
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        stray = alphabet[alphabet.index(TEXT[-1]) + "ABCDEFGHIJKLMNOP".index(last)]
        assert faults(TEXT[:-1] + stray) == ["malformed"]
    for spoiled in (TEXT + "==", TEXT + ".", "." + TEXT, TEXT.replace(".", "..", 1), "", "a.b.c"):
        assert faults(spoiled) == ["malformed"]
    assert faults("x" * 1_000_001) == ["malformed"]


def test_the_text_does_not_choose_its_algorithm() -> None:
    """ "none", and HMAC with the public key as its secret, which is known to everybody."""
    unsigned = f"{encode(json.dumps(header(alg='none')).encode())}.{TEXT.split('.')[1]}"
    assert faults(f"{unsigned}.") == ["signature"]
    assert faults(f"{unsigned}.{TEXT.split('.')[2]}") == ["header"]
    for secret in (NEW.x.encode(), signing.read_x(NEW.x)):
        signed = f"{encode(json.dumps(header(alg='HS256')).encode())}.{TEXT.split('.')[1]}"
        tag = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        assert faults(f"{signed}.{encode(tag)}") == ["signature"]
        assert faults(f"{signed}.{encode(tag + tag)}") == ["header"]
    for name in ("none", "None", "HS256", "ES256", "eddsa", "Ed25519", "", None, 1):
        assert faults(parts(header(alg=name), payload())) == ["header"]


def test_the_header_says_three_things_once() -> None:
    for extra in ("crit", "jwk", "jku", "x5u", "b64"):
        assert faults(parts(header(**{extra: {"x": THIEF.x}}), payload())) == ["header"]
    assert faults(parts(header(typ="JWT"), payload())) == ["header"]
    assert faults(parts(header(kid=None), payload())) == ["header"]
    assert faults(parts({"alg": "EdDSA", "kid": NEW.kid}, payload())) == ["header"]
    twice = json.dumps(header())[:-1]
    assert faults(parts(twice + ', "alg": "none"}', payload())) == ["header"]
    assert faults(parts(twice + f', "kid": "{THIEF.kid}"}}', payload())) == ["header"]
    assert faults(parts("[]", payload())) == ["header"]
    assert faults(parts("\ud7ff{", payload())) == ["header"]
    # A list of revocations is no record, though the same key signed it.
    listed = NEW.sign(LIST_KIND, list_payload(issued_on=DAY, issued_at=IAT, records=[]))
    assert faults(listed) == ["header"]


def test_only_known_keys_count_each_for_its_days() -> None:
    assert faults(THIEF.sign(KIND, payload())) == ["key-unknown"]
    # The thief names our key.
    assert faults(parts(header(), payload(), by=THIEF)) == ["signature"]
    # On the day of the change both keys signed; after it only the new one.
    assert faults(OLD.sign(KIND, payload())) == []
    tomorrow = DAY + timedelta(days=1)
    later = payload(issued_on=tomorrow.isoformat(), iat=IAT + 86_400)
    assert faults(NEW.sign(KIND, later), on=tomorrow) == []
    assert faults(OLD.sign(KIND, later), on=tomorrow) == ["key-not-in-use"]
    before = payload(issued_on="2026-11-01", iat=IAT - 86_400)
    before["consent"]["given_on"] = "2026-10-01"
    assert faults(OLD.sign(KIND, before)) == []
    assert faults(NEW.sign(KIND, before)) == ["key-not-in-use"]
    stolen = KEYS | by_kid([PublicKey(NEW.x, DAY, DAY, revoked_on=tomorrow)])
    assert faults(TEXT, keys=stolen) == ["key-revoked"]
    assert faults(OLD.sign(KIND, payload()), keys=stolen) == []


def test_fields_that_contradict_are_named() -> None:
    def named(**changes: Any) -> list[str]:
        document = payload()
        for path, value in changes.items():
            *outer, last = path.split("__")
            place = document
            for name in outer:
                place = place[name]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        verdict = verify_record(NEW.sign(KIND, document), keys=KEYS, on=DAY)
        assert {failure.fault for failure in verdict.failures} <= {Fault.FIELD}
        return sorted(failure.field or "" for failure in verdict.failures)

    assert named(exp=expiry_instant(LAST) + 1) == ["exp"]
    assert named(iat=IAT + 200_000) == ["iat"]
    assert named(iat=True) == ["iat"]
    assert named(v=True) == ["v"]
    assert named(v=2) == ["v"]
    assert named(expires_on="2026-12-30") == ["exp"]
    assert named(expires_on="2026-10-30") == ["consent", "exp", "expires_on"]
    assert named(sub="mem_1") == ["sub"]
    assert named(aud="") == ["aud"]
    assert named(purposes=[]) == ["purposes"]
    assert named(purposes=["marketing"]) == ["purposes"]
    assert named(consent__until_on="2026-12-30") == ["consent"]
    assert named(consent__given_on="2026-11-03") == ["consent"]
    assert named(consent__fields=["loans"]) == ["figures"]
    assert named(name=...) == ["figures"]
    assert named(figures__debts=...) == ["figures"]
    assert named(figures__debts__overdue_minor=-1) == ["figures.debts.overdue_minor"]
    assert named(figures__debts__overdue_minor=True) == ["figures.debts.overdue_minor"]
    assert named(figures__lateness__worst_class="fine") == ["figures.lateness.worst_class"]
    assert named(figures__lateness__days_by_class={}) == ["figures.lateness.days_by_class"]
    assert named(figures__loans__bonus=1) == ["figures.loans"]
    assert named(figures__loans__from_on="2025") == ["figures.loans"]
    assert named(figures__neighbours={}) == ["figures", "figures.neighbours"]
    assert named(book__head="ab") == ["book.head"]
    assert named(jti=...) == ["jti"]
    assert named(extra=1) == ["extra"]
    assert faults_of(payload()) == []


def test_the_payload_is_plain_json() -> None:
    whole = json.dumps(payload(), ensure_ascii=False)
    assert faults(parts(header(), whole)) == []
    for spoiled in (
        whole[:-1] + f', "sub": "{MEMBER}"}}',
        whole.replace('"taken": 3', '"taken": 3.0'),
        whole.replace('"taken": 3', '"taken": NaN'),
        whole.replace('"taken": 3', '"taken": 3' + "0" * 30),
        whole[:-1],
        "[" * 100_000,
        "[]",
    ):
        assert faults(parts(header(), spoiled)) == ["field"]


def test_revocations_are_looked_up_in_a_saved_list() -> None:
    def listed(*records: str, on: date = DAY, by: Signer = NEW) -> str:
        return by.sign(LIST_KIND, list_payload(issued_on=on, issued_at=IAT, records=list(records)))

    other = "rec_fedcba9876543210"
    assert faults(TEXT, revocations=listed(other)) == []
    assert faults(TEXT, revocations=listed(other, RECORD)) == ["revoked"]
    # A list from before the record cannot know of it.
    earlier = DAY - timedelta(days=1)
    assert faults(TEXT, revocations=listed(on=earlier, by=OLD)) == ["revocation-list-too-old"]
    assert faults(TEXT, revocations=listed(on=DAY + timedelta(days=1))) == ["revocation-list"]
    # A list counts only if it holds itself.
    for spoiled in (listed(by=THIEF), listed()[:-2] + "AA", TEXT, "", listed(on=earlier)):
        assert faults(TEXT, revocations=spoiled) == ["revocation-list"]
    found, failures = read_revocations(listed(RECORD), keys=KEYS, on=DAY)
    assert (found is not None and found.records, failures) == ({RECORD}, [])
    # Nothing but ids leaves with it.
    body = json.loads(base64.urlsafe_b64decode(listed(RECORD).split(".")[1] + "=="))
    assert body == {"v": 1, "iat": IAT, "issued_on": DAY.isoformat(), "records": [RECORD]}


def test_keys_are_published_and_read_again() -> None:
    published = {"keys": [key_document(key) for key in KEYS.values()]}
    assert read_keys(json.loads(json.dumps(published))) == KEYS
    plain = {"kty": "OKP", "crv": "Ed25519", "x": NEW.x}
    assert read_keys({"keys": [plain]}) == by_kid([PublicKey(NEW.x)])
    # A key of somebody else under our key's name would take its place.
    forged = copy.deepcopy(published)
    forged["keys"][0]["x"] = THIEF.x
    for wrong in (
        forged,
        {"keys": [plain, plain]},
        {"keys": [plain | {"d": "x"}]},
        {"keys": [plain | {"crv": "X25519"}]},
        {"keys": [plain | {"kty": "oct"}]},
        {"keys": [plain | {"alg": "HS256"}]},
        {"keys": [plain | {"x": NEW.x[:-1]}]},
        {"keys": [plain | {"x": 1}]},
        {"keys": [plain | {"until_on": "soon"}]},
        {"keys": [plain | {"until_on": 5}]},
        {"keys": [1]},
        {"keys": {}},
        [],
        None,
    ):
        with pytest.raises(KeyUnusable):
            read_keys(wrong)


def test_a_private_key_is_read_from_pem() -> None:
    pem = signing.new_private_pem()
    assert load_signer(pem).kid == load_signer(pem).kid != NEW.kid
    elliptic = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for wrong in (elliptic, b"", pem[:40], b"-----BEGIN PUBLIC KEY-----"):
        with pytest.raises(KeyUnusable):
            load_signer(wrong)
