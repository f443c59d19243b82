"""Signed bundles: the right key passes, everything else is refused; without the extra, one line."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime import BundleError
from edge_runtime.bundle.signature import sign, verify

from ...conftest import Run
from ...support.helpers import TIMEOUT, edit_manifest, environment

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("cryptography") is None, reason="needs the sign extra"
)


def keys(folder: Path, name: str = "key") -> tuple[Path, Path]:
    """A new pair of keys: (private, public)."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    pem = s.Encoding.PEM
    private.write_bytes(key.private_bytes(pem, s.PrivateFormat.PKCS8, s.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(pem, s.PublicFormat.SubjectPublicKeyInfo))
    return private, public


@needs_extra
def test_a_signed_bundle_passes_with_its_key_and_with_no_other(
    run: Run, tmp_path: Path, bundle: Path
) -> None:
    private, public = keys(tmp_path)
    _, foreign = keys(tmp_path, "foreign")
    done = run("check", bundle, "--key", public, status=3)
    assert b"is not signed, it holds no manifest.sig" in done.stderr
    assert sign(bundle, private) == bundle / "manifest.sig"
    assert b"signed with the key of " in run("check", bundle, "--key", public).stdout
    run("check", bundle)
    done = run("check", bundle, "--key", foreign, status=3)
    assert b"is not the signature of manifest.json by the key" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    # Whoever changes the bundle can seal it again, but not sign it.
    edit_manifest(bundle, lambda data: data.update(min_score=0.0))
    run("check", bundle)
    run("check", bundle, "--key", public, status=3)
    done = run("update", bundle, tmp_path / "target", "--key", public, status=3)
    assert not (tmp_path / "target").exists()
    sign(bundle, private)
    run("update", bundle, tmp_path / "target", "--key", public)
    verify(tmp_path / "target", public)


@needs_extra
def test_every_changed_byte_of_a_signature_is_refused(tmp_path: Path, bundle: Path) -> None:
    private, public = keys(tmp_path)
    whole = sign(bundle, private).read_bytes()
    changes = [
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(64)
    ]
    for data in [*changes, b"", whole[:-1], whole + b"\0"]:
        (bundle / "manifest.sig").write_bytes(data)
        with pytest.raises(BundleError, match="do not use this bundle"):
            verify(bundle, public)


@needs_extra
def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path, bundle: Path) -> None:
    private, public = keys(tmp_path)
    sign(bundle, private)
    (tmp_path / "noise").write_bytes(b"-----BEGIN PUBLIC KEY-----\n\xff")
    for path in (tmp_path / "noise", private):
        with pytest.raises(BundleError, match="is no Ed25519 public key"):
            verify(bundle, path)
    for path in (tmp_path / "noise", public):
        with pytest.raises(BundleError, match="is no Ed25519 private key"):
            sign(bundle, path)


@needs_extra
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_makes_the_keys_and_verifies_the_same_signature(
    tmp_path: Path, bundle: Path
) -> None:
    def openssl(*words: object) -> None:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    signature = sign(bundle, private)
    verify(bundle, public)
    manifest = bundle / "manifest.json"
    openssl(
        *("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public),
        *("-in", manifest, "-sigfile", signature),
    )


def test_without_the_extra_one_line_names_it(bundle: Path, home: Path, tmp_path: Path) -> None:
    key = tmp_path / "x.pem"
    key.touch()
    code = (
        "import sys; sys.modules['cryptography'] = None;"
        f"sys.argv[1:] = ['check', {str(bundle)!r}, '--key', {str(key)!r}];"
        "from edge_runtime.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment(home), timeout=TIMEOUT
    )
    assert done.returncode == 2
    assert done.stderr == (
        b"edge-runtime: signatures need the cryptography package:"
        b" pip install 'edge-runtime[sign]'\n"
    )
