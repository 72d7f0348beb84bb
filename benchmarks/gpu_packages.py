"""Write the list of Debian packages that ``tflite-compress setup-gpu`` fetches, with their hashes.

    python benchmarks/gpu_packages.py > tflite_compress/runtimes/gpu_packages.json

It follows the libraries that lavapipe needs, from Debian's current indexes. Needs readelf and the network.
"""

from __future__ import annotations

import json
import lzma
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from tflite_compress.runtimes.debian_packages import MIRROR, read_index, unpack_libraries

SUITES = ("bookworm", "bookworm-updates", "bookworm-backports")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Part of every Linux system on which the wheel of ai-edge-litert runs.
FROM_SYSTEM = re.compile(r"^(libc6|libgcc-s1|gcc-.*-base|libstdc\+\+6|libcrypt1|libgpg.*|debconf.*)$")
DRIVER = "mesa-vulkan-drivers"


def fetch(path: str) -> bytes:
    """Return a file of the mirror."""
    with urllib.request.urlopen(f"{MIRROR}/{path}") as reply:
        return bytes(reply.read())


def index_of(architecture: str) -> dict[str, dict[str, str]]:
    """Return the fields of the newest package of each name: bookworm's own, and Mesa of the backports."""
    found: dict[str, dict[str, str]] = {}
    for suite in SUITES:
        for name, fields in read_index(
            lzma.decompress(fetch(f"dists/{suite}/main/binary-{architecture}/Packages.xz")).decode()
        ).items():
            if suite != "bookworm-backports" or name == DRIVER:
                found[name] = {**fields, "Suite": suite}
    return found


def closure(index: dict[str, dict[str, str]]) -> list[str]:
    """Return the names of the packages that the driver depends on, itself first."""
    names = [DRIVER]
    for name in names:
        for part in index[name].get("Depends", "").split(","):
            found = part.split("|")[0].split("(")[0].split(":")[0].strip()
            if found in index and found not in names and not FROM_SYSTEM.match(found):
                names.append(found)
    return names


def main() -> None:
    """Print the list."""
    found: dict[str, list[dict[str, object]]] = {}
    for machine, architecture in ARCHITECTURES.items():
        index = index_of(architecture)
        providers: dict[str, dict[str, object]] = {}
        needs: dict[str, list[str]] = {}
        for name in closure(index):
            fields = index[name]
            print(machine, name, fields["Version"], file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder:
                files = unpack_libraries(fetch(fields["Filename"]), Path(folder))
                for file in files:
                    text = subprocess.run(
                        ["readelf", "-d", str(file)], capture_output=True, text=True, check=True
                    ).stdout
                    needs[file.name] = re.findall(r"\(NEEDED\).*\[(.*)\]", text)
                    providers[file.name] = {
                        "name": name,
                        "suite": fields["Suite"],
                        "version": fields["Version"],
                        "path": fields["Filename"],
                        "sha256": fields["SHA256"],
                        "bytes": int(fields["Size"]),
                    }
        wanted = ["libvulkan_lvp.so", "libvulkan.so.1"]
        for library in wanted:
            wanted += [n for n in needs.get(library, []) if n in providers and n not in wanted]
        packages: dict[str, dict[str, object]] = {}
        for library in wanted:
            provider = providers[library]
            entry = packages.setdefault(str(provider["name"]), {**provider, "libraries": []})
            libraries = entry["libraries"]
            assert isinstance(libraries, list)
            libraries.append(library)
        found[machine] = list(packages.values())
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
