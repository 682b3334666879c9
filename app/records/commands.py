"""`flask records verify|new-key|keys|revoke-key`: see docs/portable-record.md."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from app.clock import now, today
from app.extensions import db
from app.records.signer import current_signer
from app.transaction import run_unit
from community.errors import CommunityError
from community.records import queries, service
from community.records.errors import SigningKeyMissing
from community.records.keys import key_document, read_keys
from community.records.signing import KeyUnusable, new_private_pem
from community.records.verifying import verify_record

cli = AppGroup("records", help="Portable credit records (docs/portable-record.md).")

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@cli.command("verify")
@click.argument("file", type=_FILE)
@click.option("--keys", "keys_file", type=_FILE, required=True, help="Saved /api/v1/record-keys.")
@click.option("--revoked", type=_FILE, help="Saved /api/v1/record-revocations.")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day; today if left out.")
@click.option("--audience", help="Who you are, as the record has to say.")
def verify(
    file: Path, keys_file: Path, revoked: Path | None, on: datetime | None, audience: str | None
) -> None:
    """Whether a record holds, by saved files alone: no database, no network.

    Exits with 0 if it holds, with 1 if anything fails; every failure has a line.
    """
    day = on.date() if on is not None else today()
    try:
        keys = read_keys(json.loads(_read(keys_file)))
    except (KeyUnusable, ValueError) as error:
        raise click.ClickException(f"{keys_file}: {error}") from None
    verdict = verify_record(
        _signed(file, "text"),
        keys=keys,
        on=day,
        audience=audience,
        revocations=None if revoked is None else _signed(revoked, "revocations"),
    )
    payload = verdict.payload
    if payload is not None:
        whose = f"{payload['sub']}" + (f" ({payload['name']})" if "name" in payload else "")
        click.echo(f"record {payload['jti']} of {whose}")
        click.echo(f"issuer {payload['iss']} ({payload['issuer_name']}), key {verdict.kid}")
        click.echo(f"for {payload['aud']}, {payload['issued_on']} to {payload['expires_on']}")
    if verdict.revocations_on is not None:
        click.echo(f"revocations as of {verdict.revocations_on}")
    elif revoked is None:
        click.echo("revocations were not looked at")
    for failure in verdict.failures:
        click.echo(f"fails: {failure.fault.value}: {failure.detail}")
    if not verdict.holds:
        raise SystemExit(1)
    click.echo(f"holds on {day}")


@cli.command("new-key")
@click.argument("file", type=click.Path(path_type=Path))
def new_key(file: Path) -> None:
    """Write a new private key to a file that does not exist, for RECORD_KEY_FILE."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(str(error)) from None
    with os.fdopen(handle, "wb") as opened:
        opened.write(new_private_pem())


@cli.command("keys")
@click.option("--use", is_flag=True, help="Publish the configured key now; the one before ends.")
def keys(use: bool) -> None:
    """Print the published keys as a JWK set."""
    if use:
        signer = current_signer()
        try:
            if signer is None:
                raise SigningKeyMissing()
            run_unit(
                db.session(),
                service.register_key,
                signer=signer,
                on=today(),
                now=now(),
                actor_id=None,
            )
        except CommunityError as refusal:
            raise click.ClickException(refusal.detail) from None
    rows = queries.list_keys(db.session())
    document: dict[str, Any] = {"keys": [key_document(queries.public_key(row)) for row in rows]}
    click.echo(json.dumps(document, indent=1))


@cli.command("revoke-key")
@click.argument("kid")
@click.option("--reason", required=True)
def revoke_key(kid: str, reason: str) -> None:
    """Say that a key is in wrong hands: nothing that it signed counts any more."""
    try:
        run_unit(
            db.session(),
            service.revoke_key,
            kid=kid,
            reason=reason,
            on=today(),
            now=now(),
            actor_id=None,
        )
    except CommunityError as refusal:
        raise click.ClickException(refusal.detail) from None
    click.echo(f"{kid} is revoked")


def _signed(file: Path, member: str) -> str:
    """A signed text, alone in its file or as the API answers it."""
    text = _read(file).strip()
    if not text.startswith("{"):
        return text
    try:
        found = json.loads(text).get(member)
    except ValueError:
        found = None
    if not isinstance(found, str):
        raise click.ClickException(f"{file}: there is no {member!r} in this JSON")
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{file}: {error}") from None
