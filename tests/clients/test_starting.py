"""What an operator reads, and the exit status, where a server cannot start: 1, or 2 if the configuration is at fault."""

import os
import subprocess

import pytest
import server as servers
from ports import free_ports


@pytest.fixture(autouse=True)
def zooid_only(flavour):
    if not flavour.is_zooid:
        pytest.skip("Zooid's own sentences")


@pytest.fixture
def try_to_start(tmp_path):
    """Runs a server that should end by itself; gives its exit status and the last line it says."""

    def attempt(*lines, file="zoo.cfg") -> tuple[int, str]:
        path = tmp_path / file
        if lines:
            path.write_text("".join(f"{line}\n" for line in lines))
        ended = subprocess.run([servers.zooid_binary(), "server", path], capture_output=True, text=True, timeout=20, cwd=tmp_path)
        assert "panicked" not in ended.stderr
        return ended.returncode, ended.stderr.splitlines()[-1]

    return attempt


@pytest.fixture
def config(tmp_path):
    """The lines of a proper zoo.cfg; keys may be overridden."""

    def lines(**keys) -> list[str]:
        values = {"dataDir": tmp_path / "data", "clientPort": free_ports(1)[0], "clientPortAddress": servers.HOST} | keys
        return [f"{key}={value}" for key, value in values.items()]

    return lines


class TestRefuses:
    def test_a_directory_that_another_server_uses(self, start_server, try_to_start, config):
        other = start_server()
        status, said = try_to_start(*config(dataDir=other.data_dir))
        assert status == 1
        assert f"{other.data_dir}/zooid is used by another server (process {other.process.pid})" in said
        assert "stop that one" in said and other.alive()

    def test_a_port_that_another_server_uses(self, start_server, try_to_start, config):
        other = start_server()
        status, said = try_to_start(*config(clientPort=other.port))
        assert status == 1
        assert f"cannot listen for clients on {other.hosts}" in said and "is another server running there?" in said

    def test_the_directory_of_another_member(self, start_server, try_to_start, config):
        other = start_server()
        assert other.stop() == 0
        (other.data_dir / "myid").write_text("7\n")
        status, said = try_to_start(*config(dataDir=other.data_dir))
        assert status == 1
        assert "belongs to server 0, but this is server 7" in said and "correct myid" in said

    def test_a_file_with_other_voters_than_the_log(self, start_server, try_to_start, config):
        """A server that stood alone cannot become one of three."""
        other = start_server()
        assert other.stop() == 0
        (other.data_dir / "myid").write_text("0\n")
        ports = free_ports(6)
        lines = [f"server.{n}={servers.HOST}:{ports[2 * n]}:{ports[2 * n + 1]}" for n in range(3)]
        status, said = try_to_start(*config(dataDir=other.data_dir, initLimit=10, syncLimit=5), *lines)
        assert status == 2
        assert "has as servers with a vote: 0, 1, 2; but the log" in said and ": 0. This version cannot change who votes" in said
        assert other.start().stop() == 0

    @pytest.mark.parametrize("text", ["", "one\n", "-3\n", "1 2\n", "99999999999999999999999\n"])
    def test_a_myid_that_is_no_number(self, tmp_path, try_to_start, config, text):
        (tmp_path / "data").mkdir()
        (tmp_path / "data/myid").write_text(text)
        status, said = try_to_start(*config())
        assert status == 2 and "not a server's number" in said

    def test_files_of_something_else(self, tmp_path, try_to_start, config):
        (tmp_path / "data/zooid").mkdir(parents=True)
        (tmp_path / "data/zooid/precious").write_text("x")
        status, said = try_to_start(*config())
        assert status == 1 and "holds files of something else" in said and "precious" in said
        assert [path.name for path in (tmp_path / "data/zooid").iterdir() if path.name != "lock"] == ["precious"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
    def test_a_directory_it_may_not_write(self, tmp_path, try_to_start, config):
        (tmp_path / "data").mkdir(mode=0o500)
        status, said = try_to_start(*config())
        assert status == 1 and "check that it is a directory that this user may write" in said

    def test_a_directory_that_cannot_be(self, try_to_start, config):
        status, said = try_to_start(*config(dataDir="/proc/nowhere"))
        assert status == 1 and "cannot make the directory /proc/nowhere" in said

    @pytest.mark.parametrize(
        "lines, what",
        [
            (["clientPort=2181"], "dataDir is not set"),
            (["dataDir=data", "clientPort=65536"], "zoo.cfg:2: clientPort=65536 is not possible"),
            (["dataDir=data", "clientPort=2181", "tickTime=soon"], "zoo.cfg:3: tickTime=soon is not possible"),
            (["dataDir=data", "clientPort=2181", "server.1=a:1:2", "server.2=b:1:2"], "myid is missing"),
        ],
    )
    def test_a_configuration_that_cannot_be_meant(self, try_to_start, lines, what):
        status, said = try_to_start(*lines)
        assert status == 2 and what in said

    def test_a_configuration_that_is_not_there(self, try_to_start):
        status, said = try_to_start(file="absent.cfg")
        assert status == 2 and "cannot read the configuration" in said and "absent.cfg" in said


class TestWarns:
    def test_of_keys_it_does_not_know(self, start_server):
        log = start_server(frobnicate="1", snapCont="3").log_file.read_text()
        assert 'ignored the unknown key "frobnicate"' in log and "did you mean snapCount?" in log

    def test_of_data_that_a_zookeeper_left(self, start_server, tmp_path):
        (tmp_path / "version-2").mkdir()
        assert "ZooKeeper" not in start_server(dataDir=tmp_path).log_file.read_text().split("the directories are new")[1]
        (tmp_path / "other/version-2").mkdir(parents=True)
        (tmp_path / "other/version-2/snapshot.0").write_bytes(b"ZKSN")
        server = start_server(dataDir=tmp_path / "other")
        sentence = f"{tmp_path}/other/version-2 holds the data of a ZooKeeper, which is not read: clients find none of it here"
        assert server.log_file.read_text().count(sentence) == 1
        server.restart()
        assert server.log_file.read_text().count(sentence) == 1, "what was said at the first start is known"
