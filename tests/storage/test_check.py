"""`zooid check`: what it says of directories that are sound, damaged, somebody else's; and that it changes nothing."""

import json
import os
import shutil
import subprocess

import pytest
from rawclient import RawClient
from server import zooid_binary

SOUND, UNCHECKED, EMPTY, SUSPECT, REFUSED = 0, 1, 3, 4, 5


def check(directory, *options):
    """The exit code, the object that was printed, and what was said on stderr."""
    command = [zooid_binary(), "check", directory, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def contents(directory) -> dict:
    """Every file with its bytes and the time of its last change."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def stopped(start):
    """A server with some data in checkpoint and log, which was killed."""
    server = start(snapCount=50)
    client = RawClient(server.address)
    assert client.create("/big", b"x" * 5000).ok and client.create("/tree").ok
    for number in range(300):
        assert client.create(f"/tree/{number}", b"12345").ok
    server.kill()
    return server


def test_a_sound_directory(stopped):
    before = contents(stopped.data_dir)
    code, found, _ = check(stopped.data_dir)
    assert code == SOUND
    assert contents(stopped.data_dir) == before, "it changed something"
    state = found["state"]
    assert state["znodes"] == 307 and state["dataBytes"] == 5000 + 300 * 5 and state["sessions"] == 1
    assert state["biggest"][0] == {"path": "/big", "bytes": 5000}
    assert {"path": "/tree", "znodes": 301, "bytes": 1500} in state["biggestSubtrees"]
    assert found["runs"] and found["promisedEpoch"] == 1 and "is there" in found["recovery"]
    stopped.start()
    shown = dict(line.split(": ", 1) for line in stopped.ask("srvr").splitlines() if ": " in line)
    assert int(shown["Node count"]) == state["znodes"]
    text = subprocess.run([zooid_binary(), "check", stopped.data_dir], capture_output=True, text=True)
    assert text.returncode == UNCHECKED and "stop it first" in text.stderr, "it is in use"


def test_for_people(stopped):
    done = subprocess.run([zooid_binary(), "check", stopped.data_dir], capture_output=True, text=True)
    assert done.returncode == SOUND
    assert "307 znodes" in done.stdout and "/big" in done.stdout and "recovery    everything up to" in done.stdout


def test_two_directories_and_another_server(start, tmp_path):
    server = start(dataLogDir=tmp_path / "log")
    client = RawClient(server.address)
    assert client.create("/a").ok
    server.kill()
    assert check(server.data_dir, "--log-dir", tmp_path / "log")[0] == SOUND
    code, found, _ = check(server.data_dir, "--log-dir", tmp_path / "log", "--id", "7")
    assert code == REFUSED and "but this is server 7" in found["recovery"]
    code, _, says = check(server.data_dir)
    assert code != SOUND, says


def test_what_is_damaged_or_missing_is_said(stopped, tmp_path):
    home = stopped.data_dir / "zooid"
    log = max((home / "log").glob("*.raftlog"), key=lambda file: file.stat().st_size)
    run = next((home / "runs").iterdir())
    for number, (broken, says) in enumerate(
        [
            (lambda data: shutil.rmtree(data / "zooid/log"), "is gone, but"),
            (lambda data: (data / "zooid/witness").unlink(), "witness cannot be used"),
            (lambda data: flip(data / log.relative_to(stopped.data_dir)), "is damaged"),
            (lambda data: flip(data / run.relative_to(stopped.data_dir)), "the checkpoint needs the run"),
        ]
    ):
        data = tmp_path / f"copy-{number}"
        shutil.copytree(stopped.data_dir, data)
        broken(data)
        before = contents(data)
        code, found, _ = check(data)
        assert (code, says in found["recovery"]) == (SUSPECT, True), found["recovery"]
        assert str(data) in found["recovery"] or "/" not in found["recovery"], found["recovery"]
        assert contents(data) == before, "it changed something"
    (home / "format").write_text("zooid data, format 99\n")
    code, _, says = check(stopped.data_dir)
    assert code == REFUSED and "start the version that wrote it" in says


def flip(file) -> None:
    data = bytearray(file.read_bytes())
    # Files may be longer than what is written in them.
    data[len(bytes(data).rstrip(b"\0")) // 3] ^= 1
    file.write_bytes(data)


def test_what_is_no_data_directory(tmp_path):
    code, _, says = check(tmp_path)
    assert code == UNCHECKED and "is not there" in says
    (tmp_path / "zooid").mkdir()
    assert check(tmp_path)[0] == EMPTY
    (tmp_path / "zooid/something").write_text("else")
    code, _, says = check(tmp_path)
    assert code == REFUSED and f"{tmp_path}/zooid holds files of something else" in says, says


def test_a_directory_that_may_only_be_read(stopped):
    if os.geteuid() != 0:
        stopped.data_dir.chmod(0o555)
        assert check(stopped.data_dir)[0] == SOUND
        return
    mounted = subprocess.run(["mount", "--bind", "-o", "ro", stopped.data_dir, stopped.data_dir], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    try:
        assert check(stopped.data_dir)[0] == SOUND
    finally:
        subprocess.run(["umount", "--lazy", stopped.data_dir], check=True)
