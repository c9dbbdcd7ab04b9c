"""What `zooid import` and `zooid export` refuse: with a sentence, and without leaving anything behind."""

import gzip
import shutil
from pathlib import Path

import pytest
from conftest import zooid

TESTDATA = Path(__file__).resolve().parents[2] / "crates/zookeeper/testdata/3.8.0"


@pytest.fixture
def of_zookeeper(tmp_path) -> Path:
    """A directory with the files that a ZooKeeper left."""
    shutil.copytree(TESTDATA, tmp_path / "there")
    return tmp_path / "there"


def check_nothing_is_left(target: Path) -> None:
    assert not target.exists() or not list(target.iterdir())


def test_nothing_there(tmp_path):
    said = zooid("import", tmp_path / "nowhere", tmp_path / "ours", fails=True)
    assert "cannot read" in said and str(tmp_path / "nowhere") in said
    (tmp_path / "empty").mkdir()
    said = zooid("import", tmp_path / "empty", tmp_path / "ours", fails=True)
    assert "holds no snapshot of a ZooKeeper" in said
    check_nothing_is_left(tmp_path / "ours")


def test_a_zooid_is_there_already(of_zookeeper, tmp_path):
    zooid("import", of_zookeeper, tmp_path / "ours")
    said = zooid("import", of_zookeeper, tmp_path / "ours", fails=True)
    assert f"{tmp_path}/ours/zooid is there already" in said


def test_what_an_interrupted_import_left(of_zookeeper, tmp_path):
    """It is no data directory yet: no server starts from it, and the next import begins anew."""
    (tmp_path / "ours/zooid-import/zooid/runs").mkdir(parents=True)
    (tmp_path / "ours/zooid-import/zooid/format").write_text("half")
    zooid("import", of_zookeeper, tmp_path / "ours")
    assert [path.name for path in (tmp_path / "ours").iterdir()] == ["zooid"]


def test_into_the_same_directory(of_zookeeper):
    before = sorted(path.name for path in of_zookeeper.iterdir())
    zooid("import", of_zookeeper, of_zookeeper)
    assert sorted(path.name for path in of_zookeeper.iterdir()) == sorted([*before, "zooid"])


def test_logs_in_other_directories(of_zookeeper, tmp_path):
    (tmp_path / "logs/version-2").mkdir(parents=True)
    for log in of_zookeeper.glob("log.*"):
        log.rename(tmp_path / "logs/version-2" / log.name)
    said = zooid("import", of_zookeeper, tmp_path / "ours", "--log-dir", tmp_path / "logs", "--to-log-dir", tmp_path / "our-logs")
    assert "24 transactions" in said
    assert (tmp_path / "ours/zooid/runs").is_dir() and (tmp_path / "our-logs/zooid/log").is_dir()
    assert [path.name for path in (tmp_path / "our-logs").iterdir()] == ["zooid"]
    said = zooid("export", tmp_path / "ours", tmp_path / "back", "--log-dir", tmp_path / "our-logs")
    assert "zxid       0x30" in said


def test_damage(of_zookeeper, tmp_path):
    log = of_zookeeper / "log.19"
    content = bytearray(log.read_bytes())
    content[200] ^= 4
    log.write_bytes(content)
    said = zooid("import", of_zookeeper, tmp_path / "ours", fails=True)
    assert f"{log}, byte " in said and "its checksum is" in said and "or a backup" in said
    check_nothing_is_left(tmp_path / "ours")


def test_a_torn_tail(of_zookeeper, tmp_path):
    log = of_zookeeper / "log.19"
    log.write_bytes(log.read_bytes().rstrip(b"\0")[:-20])
    said = zooid("import", of_zookeeper, tmp_path / "ours")
    assert f"{log} ends at byte " in said and "in the middle of a write" in said and "zxid       0x2f" in said


def test_a_missing_log(of_zookeeper, tmp_path):
    (of_zookeeper / "snapshot.18").unlink()
    (of_zookeeper / "log.1").unlink()
    said = zooid("import", of_zookeeper, tmp_path / "ours", fails=True)
    assert "transactions are missing" in said and "snapshot.0 ends at 0x0" in said and "log.19 begins at 0x19" in said
    check_nothing_is_left(tmp_path / "ours")


def test_whose_it_is(of_zookeeper, tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/myid").write_text("3\n")
    assert "as server 3" in zooid("import", of_zookeeper, tmp_path / "ours")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/myid").write_text("three\n")
    said = zooid("import", of_zookeeper, tmp_path / "other", fails=True)
    assert f"{tmp_path}/other/myid holds" in said and "--myid N" in said


def test_exports(of_zookeeper, tmp_path):
    said = zooid("export", of_zookeeper, tmp_path / "back", fails=True)
    assert f"{of_zookeeper}/zooid is not there" in said
    check_nothing_is_left(tmp_path / "back")
    zooid("import", of_zookeeper, tmp_path / "ours")
    zooid("export", tmp_path / "ours", tmp_path / "back", "--gzip")
    snapshot = tmp_path / "back/version-2/snapshot.30.gz"
    assert gzip.decompress(snapshot.read_bytes()).startswith(b"ZKSN")
    said = zooid("export", tmp_path / "ours", tmp_path / "back", fails=True)
    assert "already: a ZooKeeper would mix both" in said
    # Nothing was changed by the exports, and what comes back is what went.
    assert "digest     0000000" in zooid("import", tmp_path / "back", tmp_path / "again")
