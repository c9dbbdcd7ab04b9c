"""What every test here starts from: one real server on a directory that the test may break."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

pytest.register_assert_rewrite("writers")

import server as servers  # noqa: E402
from server import Server  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--minutes", type=float, default=0.4, help="how long the server is killed again and again")


@pytest.fixture
def start(request, tmp_path):
    """Starts a server: `start(snapCount=100)`, with `directory` where it is to lie and `environment` for its process."""
    begun = []

    def begin(directory: Path | None = None, environment: dict | None = None, **config) -> Server:
        of_process = [f"{name}={value}" for name, value in (environment or {}).items()]
        command = servers.flavour("zooid").command
        flavour = servers.Flavour("zooid", (3, 9), lambda file: ["setpriv", "--pdeathsig", "KILL", "env", *of_process, *command(file)])
        directory = directory or tmp_path / f"server-{len(begun)}"
        directory.mkdir(exist_ok=True)
        begun.append(Server(flavour, config, directory=directory))
        return begun[-1].start()

    yield begin
    for server in begun:
        if server.alive():
            server.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its server's log."""
    report = yield
    if report.failed:
        for log in item.funcargs.get("tmp_path", Path("/nonexistent")).glob("*/server.log"):
            report.sections.append((str(log), "\n".join(log.read_text(errors="replace").splitlines()[-30:])))
    return report


@pytest.fixture
def small_disk(tmp_path):
    """A directory on a disk of 96 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    yield disk
    # Lazily: the server may not be gone to the last file yet.
    subprocess.run(["umount", "--lazy", disk], check=True)
