"""ZooKeeper's own command line tool, fed with commands and read like a person would."""

import subprocess

import needs
import pytest

CONFIG = {"tickTime": 1000}
LIMIT_SECONDS = 60


@pytest.fixture(scope="module")
def shell(server):
    def run(*commands: str) -> str:
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", needs.debian_classpath(), "org.apache.zookeeper.ZooKeeperMain", "-server", server.hosts]
        done = subprocess.run(command, input="\n".join([*commands, "quit", ""]), capture_output=True, text=True, timeout=LIMIT_SECONDS)
        return done.stdout + done.stderr

    return run


def test_a_session_of_the_shell(shell):
    text = shell(
        "create /cli hello",
        "get /cli",
        "set /cli goodbye",
        "get -s /cli",
        "create -e /cli/e",
        "create -s /cli/s- x",
        "create -c /cli/c",
        "create -t 60000 /cli/t",
        "ls /cli",
        "ls -R /cli",
        "getAllChildrenNumber /cli",
        "getEphemerals /cli",
        "getAcl /cli",
        "addauth digest alice:wonder",
        "setAcl /cli auth::cdrwa",
        "getAcl /cli",
        "whoami",
        "sync /cli",
        "config",
        "version",
    )
    for expected in (
        "Created /cli\n",
        "hello\n",
        "goodbye\n",
        "dataVersion = 1\n",
        "dataLength = 7\n",
        "Created /cli/e\n",
        "Created /cli/s-0000000001\n",
        "Created /cli/c\n",
        "Created /cli/t\n",
        "[c, e, s-0000000001, t]\n",
        "/cli\n/cli/c\n/cli/e\n/cli/s-0000000001\n/cli/t\n",
        "4\n",
        "[/cli/e]\n",
        "'world,'anyone\n: cdrwa\n",
        "'digest,'alice:",
        "Auth scheme: User\n",
        "digest: alice\n",
        "Sync is OK\n",
    ):
        assert expected in text, f"{expected!r} is not in:\n{text}"


def test_quotas_and_deleting_all(shell):
    text = shell(
        "create /q 12345",
        "create /q/a 123",
        "setquota -n 5 /q",
        "setquota -b 100 /q",
        "listquota /q",
        "delquota /q",
        "listquota /q",
        "deleteall /q",
        "ls /q",
    )
    assert "Output quota for /q count=5,bytes=100" in text
    assert "Output stat for /q count=2,bytes=8" in text
    assert "Node does not exist: /q" in text
