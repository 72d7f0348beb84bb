"""Debian packages without dpkg: hashes, damage, and versions that are gone."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tflite_compress.runtimes import debian_packages as module
from tflite_compress.runtimes.debian_packages import (
    DebianPackage,
    fetch_package,
    read_index,
    unpack_libraries,
)
from tflite_compress.support.errors import UsageError


def deb(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    """Return a package with files and symbolic links."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    out = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("data.tar.xz", data.getvalue())):
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


PACKAGE = deb(
    {"./usr/lib/x86_64-linux-gnu/libx.so.1.2": b"library", "./usr/share/doc/libx/copyright": b"text"},
    {"./usr/lib/x86_64-linux-gnu/libx.so.1": "libx.so.1.2"},
)


def package(sha256: str) -> DebianPackage:
    return DebianPackage(
        "libx1", "bookworm", "1.2-1", "pool/libx1_1.2-1_amd64.deb", sha256, len(PACKAGE), ("libx.so.1",)
    )


def test_libraries_are_unpacked_with_what_links_name(tmp_path: Path) -> None:
    written = unpack_libraries(PACKAGE, tmp_path)
    assert sorted(path.name for path in written) == ["libx.so.1", "libx.so.1.2"]
    assert all(path.read_bytes() == b"library" for path in written)


@pytest.mark.parametrize("content", [b"", PACKAGE[:100], b"!<arch>\n" + b"x" * 60])
def test_damaged_packages_are_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="damaged"):
        unpack_libraries(content, tmp_path)


def test_bytes_with_another_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "download", lambda path: PACKAGE)
    right = hashlib.sha256(PACKAGE).hexdigest()
    assert fetch_package(package(right), "amd64") == (PACKAGE, "1.2-1")
    with pytest.raises(UsageError, match="has the SHA-256"):
        fetch_package(package("0" * 64), "amd64")


def test_a_version_that_is_gone_is_replaced_by_that_of_the_signed_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def download(path: str) -> bytes:
        if "1.2-1" in path:
            raise FileNotFoundError(path)
        return PACKAGE

    fields = {"Filename": "pool/new.deb", "Version": "1.3-1", "SHA256": hashlib.sha256(PACKAGE).hexdigest()}
    monkeypatch.setattr(module, "download", download)
    monkeypatch.setattr(module, "_signed_index", lambda suite, architecture: {"libx1": fields})
    assert fetch_package(package("0" * 64), "amd64") == (PACKAGE, "1.3-1")


def test_a_signature_that_cannot_be_checked_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(UsageError, match="cannot check the signature"):
        module._signed_text(b"-----BEGIN PGP SIGNED MESSAGE-----")


def test_an_index_is_read_by_package() -> None:
    text = "Package: a\nVersion: 1\nDepends: b, c\n\nPackage: b\nVersion: 2\n"
    assert {name: fields["Version"] for name, fields in read_index(text).items()} == {"a": "1", "b": "2"}
