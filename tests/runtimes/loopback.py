"""A real sshd on the loopback interface, for one test session."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:" + os.environ.get("PATH", ""))


class Server:
    """A running sshd that accepts one key, and what a client needs to reach it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(mode=0o777)
        for name in ("host", "other_host", "user", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized").write_text((folder / "user.pub").read_text())
        self.port = _free_port()
        (folder / "config").write_text(
            f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
            f"PidFile {folder}/pid\nListenAddress 127.0.0.1\nPort {self.port}\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nLogLevel ERROR\nSubsystem sftp internal-sftp\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.knows("host")
        self._process = subprocess.Popen([str(SSHD), "-D", "-f", str(folder / "config")])
        _wait_for(self.port)

    def knows(self, key: str) -> None:
        """Write down a host key as the one the client trusts."""
        public = " ".join((self.folder / f"{key}.pub").read_text().split()[:2])
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {public}\n")

    def options(self, key: str = "user") -> tuple[str, ...]:
        """Options for the client: this key and these known hosts only."""
        return (
            f"IdentityFile={self.folder / key}",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={self.folder / 'known'}",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
        )

    @property
    def name(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1"

    def cut(self) -> None:
        """Break off every connection, as a device does that loses power or network."""
        listing = subprocess.run(
            ["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
        doomed = {str(self._process.pid)}
        for _ in range(3):  # sshd's children and theirs, but not the shells they started
            doomed |= {pid for pid, parent, name in rows if parent in doomed and name.startswith("sshd")}
        for pid in doomed - {str(self._process.pid)}:
            os.kill(int(pid), signal.SIGKILL)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("sshd did not start")
