"""A disk whose syncs stall or fail, by a library that stands between the server and the system."""

import subprocess
import time
from pathlib import Path

import pytest
from protocol import Op
from rawclient import RawClient
from writers import Writers, check_all

SOURCE = Path(__file__).with_name("faulty_sync.c")


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Path:
    library = tmp_path_factory.mktemp("faults") / "faulty_sync.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


@pytest.fixture
def fault(tmp_path) -> Path:
    return tmp_path / "fault"


def test_reads_and_pings_do_not_wait_for_a_disk_that_stalls(start, library, fault):
    # Long sessions: who waits for a write says nothing meanwhile here, other than a real client.
    server = start(environment={"LD_PRELOAD": library, "SYNC_FAULT": fault}, tickTime=2000)
    writer, reader = RawClient(server.address), RawClient(server.address)
    assert writer.create("/a", b"before").ok
    fault.write_text("delay 2000\n")
    asked = time.monotonic()
    xid = writer.send(Op.SET_DATA, b"\0\0\0\2/a\0\0\0\5after\xff\xff\xff\xff")
    for _ in range(20):
        began = time.monotonic()
        assert reader.get("/a").value[0] == b"before"
        assert reader.call(Op.PING, xid=-2).ok
        assert time.monotonic() - began < 1
        time.sleep(0.05)
    fault.unlink()
    assert writer.read_reply(xid).ok
    assert time.monotonic() - asked > 1.5, "it was not delayed, so nothing was shown"
    assert reader.get("/a").value[0] == b"after"
    assert "a sync took longer than fsync.warningthresholdms" in server.log_file.read_text()
    longest = dict(line.split("\t", 1) for line in server.ask("mntr").splitlines())["zk_max_fsynctime"]
    assert int(longest) >= 1500


def test_a_sync_that_fails_ends_the_server(start, library, fault):
    """After it nobody knows what is on the disk: what was acknowledged before is there at the next start."""
    server = start(environment={"LD_PRELOAD": library, "SYNC_FAULT": fault})
    writers = Writers(server)
    time.sleep(1)
    fault.write_text("fail\n")
    assert server.process.wait(timeout=20) == 10
    last = server.log_file.read_text().splitlines()[-1]
    assert "cannot go on" in last and 'thread="disk"' in last, last
    fault.unlink()
    server.start()
    time.sleep(0.5)
    writers.end()
    check_all(server, writers.all)
    assert writers.acknowledged
