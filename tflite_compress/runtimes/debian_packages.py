"""Fetch Debian packages and unpack their shared libraries, without root and without dpkg."""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tflite_compress.support.errors import UsageError

MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TIMEOUT_S = 30
_MAGIC, _HEADER = b"!<arch>\n", 60
_LIBRARY = re.compile(r"^[\w.+-]+\.so(\.[\d.]+)?$")
_NO_LINKS = 8  # links that follow each other in a package


class DebianPackage(msgspec.Struct, frozen=True):
    """A package with the libraries that are needed of it.

    Attributes:
        name: Its name in Debian.
        suite: Debian's suite that holds it.
        version: Its version.
        path: Its path on a mirror.
        sha256: SHA-256 of the file, in hexadecimal.
        bytes: Size of the file.
        libraries: Names of the libraries that are used, as the loader asks for them.
    """

    name: str
    suite: str
    version: str
    path: str
    sha256: str
    bytes: int
    libraries: tuple[str, ...]


def fetch_package(package: DebianPackage, architecture: str) -> tuple[bytes, str]:
    """Return the bytes of a package, checked against its hash, and its version.

    Where the mirror no longer serves the version, the current one of Debian's signed index is fetched.

    Args:
        package: The package.
        architecture: Debian's name of the processor, for example ``amd64``.

    Raises:
        UsageError: The mirror cannot be reached, the bytes are not those that were expected, or Debian's
            signature cannot be checked.
    """
    try:
        content = download(package.path)
        version, expected = package.version, package.sha256
    except FileNotFoundError:
        current = _signed_index(package.suite, architecture)[package.name]
        content = download(current["Filename"])
        version, expected = current["Version"], current["SHA256"]
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise UsageError(
            f"{MIRROR}/{package.path} has the SHA-256 {found[:16]}..., expected {expected[:16]}...",
            "Run it again; a proxy may have changed the file.",
        )
    return content, version


def download(path: str) -> bytes:
    """Return a file of the mirror.

    Raises:
        FileNotFoundError: The mirror does not serve it.
        UsageError: The mirror cannot be reached.
    """
    url = f"{MIRROR}/{path}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
            return bytes(reply.read())
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise FileNotFoundError(url) from error
        raise UsageError(f"{url}: {error}", "Check the network, then run it again.") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise UsageError(
            f"{url} cannot be fetched: {reason}", "Check the network, then run it again."
        ) from error


def read_index(text: str) -> dict[str, dict[str, str]]:
    """Return the fields of each package of an index (``Packages``) by name."""
    found = {}
    for paragraph in text.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if "Package" in fields:
            found[fields["Package"]] = fields
    return found


def unpack_libraries(content: bytes, folder: Path) -> list[Path]:
    """Write the shared libraries of a package into one folder, each link as a copy of what it names.

    Args:
        content: The ``.deb``.
        folder: Where to write.

    Returns:
        The written files.

    Raises:
        UsageError: The package is damaged.
    """
    written = []
    try:
        with tarfile.open(fileobj=io.BytesIO(_data_member(content))) as archive:
            members = {Path(m.name).name: m for m in archive if _LIBRARY.match(Path(m.name).name)}
            for name, member in members.items():
                for _ in range(_NO_LINKS):
                    if not member.issym():
                        break
                    member = members[Path(member.linkname).name]
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is not None:
                    with (folder / name).open("wb") as target:
                        shutil.copyfileobj(stream, target)
                    written.append(folder / name)
    except (tarfile.TarError, lzma.LZMAError, KeyError, ValueError, EOFError) as error:
        raise UsageError(f"a Debian package is damaged: {error}", "Run it again.") from error
    return written


def _data_member(content: bytes) -> bytes:
    """Return the archive of files within a ``.deb``."""
    for name, data in _members(content):
        if name.startswith("data.tar"):
            return data
    raise ValueError("it has no data.tar")


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the members of an ``ar`` archive."""
    if not content.startswith(_MAGIC):
        raise ValueError("it is not an ar archive")
    place = len(_MAGIC)
    while place + _HEADER <= len(content):
        header = content[place : place + _HEADER]
        size = int(header[48:58])
        place += _HEADER
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), content[place : place + size]
        place += size + size % 2


def _signed_index(suite: str, architecture: str) -> dict[str, dict[str, str]]:
    """Return Debian's current index of a suite, checked against Debian's signature."""
    release = _signed_text(download(f"dists/{suite}/InRelease"))
    path = f"main/binary-{architecture}/Packages.xz"
    listed = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(path)}$", release, re.MULTILINE)
    content = download(f"dists/{suite}/{path}")
    if listed is None or hashlib.sha256(content).hexdigest() != listed[1]:
        raise UsageError(f"Debian's index of {suite} does not match its signed hash", "Run it again.")
    return read_index(lzma.decompress(content).decode())


def _signed_text(content: bytes) -> str:
    """Return the text of a clear-signed file, after ``gpgv`` has checked it with Debian's keys."""
    if shutil.which("gpgv") is None or not KEYRING.exists():
        raise UsageError(
            "the pinned versions of Debian's packages are no longer served, and this machine cannot check "
            "the signature of the current ones",
            "Install gpgv and debian-archive-keyring, or update tflite-compress.",
        )
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as name:
        signed, plain = Path(name) / "InRelease", Path(name) / "Release"
        signed.write_bytes(content)
        command = ["gpgv", "-q", "--keyring", str(KEYRING), "-o", str(plain), str(signed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UsageError(
                f"Debian's signature is wrong: {done.stderr.strip()[-200:]}", "Run it again; check the clock."
            )
        return plain.read_text()
