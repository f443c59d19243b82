"""Sign a bundle and verify it: a detached Ed25519 signature of the manifest, which has all hashes.

`manifest.sig` is the 64 bytes of the signature of manifest.json's bytes, as
`openssl pkeyutl -rawin` makes and verifies it too. Needs the `sign` extra.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import BundleError, MissingExtraError
from .integrity import read_file
from .manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest, manifest_bytes

_MAX_KEY_BYTES = 1 << 16


def sign(bundle: Path, private_key: Path) -> Path:
    """Write `manifest.sig` with an Ed25519 private key in PEM; returns its path.

    Raises BundleError for a bad bundle or key, MissingExtraError without the extra.
    """
    serialization, ed25519, _ = _library()
    Manifest.load(bundle)
    data = read_file(private_key, _MAX_KEY_BYTES)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError):  # TypeError: it wants a password
        key = None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise BundleError(
            f"{private_key}: is no Ed25519 private key in PEM without a password; make one with"
            " openssl genpkey -algorithm ed25519"
        )
    target = bundle / SIGNATURE_NAME
    target.write_bytes(key.sign(manifest_bytes(bundle)))
    return target


def verify(bundle: Path, public_key: Path) -> None:
    """Check `manifest.sig` with an Ed25519 public key in PEM.

    Raises BundleError when the bundle was not signed with that key, MissingExtraError without
    the extra.
    """
    serialization, ed25519, invalid = _library()
    data = read_file(public_key, _MAX_KEY_BYTES)
    try:
        key = serialization.load_pem_public_key(data)
    except ValueError:
        key = None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise BundleError(
            f"{public_key}: is no Ed25519 public key in PEM; make it of the private one with"
            " openssl pkey -in PRIVATE.pem -pubout"
        )
    signed = manifest_bytes(bundle)
    if not os.path.lexists(bundle / SIGNATURE_NAME):
        raise BundleError(f"{bundle}: is not signed, it holds no {SIGNATURE_NAME}")
    signature = read_file(bundle / SIGNATURE_NAME, _MAX_KEY_BYTES)
    try:
        key.verify(signature, signed)
    except invalid:
        raise BundleError(
            f"{bundle / SIGNATURE_NAME}: is not the signature of {MANIFEST_NAME} by the key"
            f" {public_key}: do not use this bundle"
        ) from None


def _library() -> tuple[Any, Any, Any]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtraError(
            "signatures need the cryptography package: pip install 'edge-runtime[sign]'"
        ) from None
    return serialization, ed25519, InvalidSignature
