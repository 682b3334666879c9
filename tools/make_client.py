"""Generates a typed Python client from the API's document: `make client`, see docs/client.md.

openapi-python-client writes var/client, a package `lianbao_client` that needs httpx and attrs and
nothing of the platform.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

_FILES = ("text/csv", "image/jpeg", "image/png", "image/webp", "image/*")
# YAML reads JSON.
CONFIGURATION = {
    "project_name_override": "lianbao-client",
    "package_name_override": "lianbao_client",
    "post_hooks": [],
    # Tables and pictures are sent as they are.
    "content_type_overrides": dict.fromkeys(_FILES, "application/octet-stream"),
}


def generate(folder: Path, only: Collection[str] = ()) -> None:
    """Write the package into this folder: for all operations, or for those named."""
    from app import create_app
    from app.openapi import complete
    from config.settings import Settings

    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    document = complete(create_app(Settings(database_url="sqlite://", var_dir=folder.parent)))
    if only:
        document["paths"] = _chosen(document["paths"], only)
        _forget_unused(document)
    described = folder.parent / "openapi.json"
    described.write_text(json.dumps(document, ensure_ascii=False))
    configured = folder.parent / "client.yaml"
    configured.write_text(json.dumps(CONFIGURATION))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"]
    command += ["--path", str(described), "--config", str(configured)]
    command += ["--output-path", str(folder)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the generator says:\n{done.stdout}")


def _chosen(paths: dict[str, Any], only: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, methods in paths.items():
        kept = {
            name: part
            for name, part in methods.items()
            if name == "parameters" or part["operationId"] in only
        }
        if kept.keys() - {"parameters"}:
            found[path] = kept
    return found


def _forget_unused(document: dict[str, Any]) -> None:
    """Leave out the schemas that no operation needs."""
    schemas = document["components"]["schemas"]
    used: set[str] = set()
    waiting = [json.dumps([document["paths"], document["components"]["responses"]])]
    while waiting:
        for name in set(re.findall('#/components/schemas/([^"]+)', waiting.pop())) - used:
            used.add(name)
            waiting.append(json.dumps(schemas[name]))
    document["components"]["schemas"] = {name: schemas[name] for name in schemas if name in used}


if __name__ == "__main__":
    generate(ROOT / "var" / "client")
    print("client: var/client, a package lianbao_client")
