"""A service-account key of this machine's own: real enough for every client, worth nothing anywhere else."""

from __future__ import annotations

import json
from pathlib import Path


def write_key(file: Path, token_uri: str, project: str) -> None:
    """Write a service-account key whose tokens come from `token_uri`; an existing key pair is kept.

    Args:
        file: the JSON file; only its owner may read it.
        token_uri: where clients exchange it for a token.
        project: the project it names.
    """
    old = json.loads(file.read_text()) if file.exists() else {}
    key = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "local",
        "private_key": old.get("private_key") or _new_private_key(),
        # Empty on purpose: with a name here google-auth would ask Google about it.
        "client_email": "",
        "client_id": "1",
        "token_uri": token_uri,
    }
    if key == old:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(key, indent=1))


def _new_private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()
