"""Four-letter words: their exact text, the white list, and what tools make of them."""

import re
import socket
import time

import pytest
from protocol import Flag, Mode

NUMBER = r"-?\d+"
VERSION_LINE = r"Zookeeper version: \d+\.\d+\.\d+.*, built on .*\n"
SERVER_LINES = (
    rf"Latency min/avg/max: \d+/\d+\.\d+/\d+\nReceived: \d+\nSent: \d+\nConnections: \d+\nOutstanding: \d+\n"
    rf"Zxid: 0x[0-9a-f]+\nMode: standalone\nNode count: \d+\n"
)
CONNECTION_LINE = r" /127\.0\.0\.1:\d+\[\d\]\(queued=\d+,recved=\d+,sent=\d+.*\)\n"


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


def pairs(text: str, separator: str) -> dict[str, str]:
    return dict(line.split(separator, 1) for line in text.splitlines() if separator in line)


class TestText:
    def test_ruok(self, server):
        assert server.ask("ruok") == "imok"

    def test_srvr(self, server):
        assert matches(VERSION_LINE + SERVER_LINES, server.ask("srvr"))

    def test_stat(self, server, raw):
        assert matches(f"{VERSION_LINE}Clients:\n({CONNECTION_LINE})+\n{SERVER_LINES}", server.ask("stat"))

    def test_isro(self, server):
        assert server.ask("isro") == "rw"

    def test_conf(self, server):
        text = server.ask("conf")
        conf = pairs(text, "=")
        assert conf["clientPort"] == str(server.port)
        assert conf["secureClientPort"] == "-1"
        assert conf["dataDir"].startswith(str(server.data_dir))
        assert conf["dataLogDir"].startswith(str(server.data_dir))
        assert conf["dataDirSize"].isdigit() and conf["dataLogSize"].isdigit()
        names = ("tickTime", "maxClientCnxns", "minSessionTimeout", "maxSessionTimeout", "clientPortListenBacklog", "serverId")
        assert [conf[name] for name in names] == ["200", "0", "400", "4000", "-1", "0"]
        assert [line.split("=")[0] for line in text.splitlines()][:5] == ["clientPort", "secureClientPort", "dataDir", "dataDirSize", "dataLogDir"]

    def test_cons(self, server, raw, root):
        raw.get(root)
        text = server.ask("cons")
        line = next(line for line in text.splitlines() if f"sid=0x{raw.session.session_id:x}" in line)
        port = raw.sock.getsockname()[1]
        fields = rf"queued=\d+,recved=\d+,sent=\d+,sid=0x[0-9a-f]+,lop=GETD,est=\d{{13}},to=4000,lcxid=0x1,lzxid=0x[0-9a-f]+,lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+"
        assert matches(rf" /127\.0\.0\.1:{port}\[1\]\({fields}\)", line)

    def test_wchs(self, start_server, connect):
        server = start_server()
        assert server.ask("wchs") == "0 connections watching 0 paths\nTotal watches:0\n"
        first, second = connect(to=server), connect(to=server)
        first.create("/a")
        first.get("/a", watch=True)
        first.exists("/missing", watch=True)
        second.get("/a", watch=True)
        second.add_watch("/", Mode.PERSISTENT_RECURSIVE)
        assert server.ask("wchs") == "2 connections watching 3 paths\nTotal watches:4\n"

    def test_wchc_and_wchp(self, start_server, connect):
        server = start_server()
        client = connect(to=server)
        client.get("/", watch=True)
        session = f"0x{client.session.session_id:x}"
        assert server.ask("wchc").rstrip("\n") == f"{session}\n\t/"
        assert server.ask("wchp").rstrip("\n") == f"/\n\t{session}"

    def test_dump(self, start_server, connect):
        server = start_server()
        client = connect(to=server)
        client.create("/e", flags=Flag.EPHEMERAL)
        text = server.ask("dump")
        session = f"0x{client.session.session_id:x}"
        assert re.match(r"SessionTracker dump:\nSession Sets \(\d+\)/\(1\):\n(0 expire at .*\n)*1 expire at ", text)
        assert f":\n\t{session}\n" in text
        assert f"ephemeral nodes dump:\nSessions with Ephemerals (1):\n{session}:\n\t/e\n" in text

    def test_dirs(self, server):
        assert matches(r"datadir_size: \d+\nlogdir_size: \d+\n", server.ask("dirs"))

    def test_envi(self, server):
        text = server.ask("envi")
        assert text.startswith("Environment:\nzookeeper.version=")
        env = pairs(text, "=")
        for name in ("host.name", "os.name", "os.arch", "user.name", "user.dir"):
            assert env[name]

    def test_resets(self, server):
        assert server.ask("crst") == "Connection stats reset.\n"
        assert server.ask("srst") == "Server stats reset.\n"

    def test_gtmk(self, server):
        assert matches(NUMBER, server.ask("gtmk"))


class TestNumbers:
    def test_zxid_and_node_count_follow_the_tree(self, server, raw, root):
        before = int(pairs(server.ask("srvr"), ": ")["Node count"])
        reply = raw.create(f"{root}/n")
        after = pairs(server.ask("srvr"), ": ")
        assert after["Zxid"] == f"0x{reply.zxid:x}"
        assert int(after["Node count"]) == before + 1

    def test_node_count_of_a_new_server(self, start_server):
        assert pairs(start_server().ask("srvr"), ": ")["Node count"] == "5"

    def test_connections_count_themselves(self, server, connect):
        before = int(pairs(server.ask("srvr"), ": ")["Connections"])
        clients = [connect() for _ in range(5)]
        assert int(pairs(server.ask("srvr"), ": ")["Connections"]) == before + len(clients)

    def test_received_and_sent_grow_and_reset(self, server, raw, root):
        before = pairs(server.ask("srvr"), ": ")
        for _ in range(50):
            raw.get(root)
        raw.ping()
        # The last reply is counted once it is written, so the one before it is counted for sure.
        after = pairs(server.ask("srvr"), ": ")
        assert int(after["Received"]) >= int(before["Received"]) + 50
        assert int(after["Sent"]) >= int(before["Sent"]) + 50
        server.ask("srst")
        assert int(pairs(server.ask("srvr"), ": ")["Received"]) < 50


class TestMntr:
    def metrics(self, server) -> dict[str, str]:
        text = server.ask("mntr")
        assert all(re.fullmatch(r"zk_\S+\t.*", line) for line in text.splitlines() if line)
        return pairs(text, "\t")

    def test_has_what_dashboards_read(self, server):
        metrics = self.metrics(server)
        assert metrics["zk_server_state"] == "standalone"
        assert re.match(r"\d+\.\d+\.\d+.*, built on ", metrics["zk_version"])
        for name in ("zk_avg_latency", "zk_max_latency", "zk_min_latency", "zk_packets_received", "zk_packets_sent", "zk_num_alive_connections", "zk_outstanding_requests", "zk_znode_count", "zk_watch_count", "zk_ephemerals_count", "zk_approximate_data_size", "zk_open_file_descriptor_count", "zk_max_file_descriptor_count", "zk_uptime", "zk_global_sessions", "zk_connection_drop_count"):  # fmt: skip
            assert float(metrics[name]) >= 0

    def test_counts_the_tree(self, start_server, connect):
        server = start_server()
        empty = self.metrics(server)
        assert (empty["zk_znode_count"], empty["zk_ephemerals_count"], empty["zk_watch_count"]) == ("5", "0", "0")
        client = connect(to=server)
        client.create("/abc", b"12345")
        client.create("/abc/e", flags=Flag.EPHEMERAL)
        client.get("/abc", watch=True)
        metrics = self.metrics(server)
        assert (metrics["zk_znode_count"], metrics["zk_ephemerals_count"], metrics["zk_watch_count"]) == ("7", "1", "1")
        assert metrics["zk_global_sessions"] == "1"
        assert int(metrics["zk_approximate_data_size"]) == int(empty["zk_approximate_data_size"]) + len("/abc" + "12345" + "/abc/e")


class TestWhiteList:
    def test_names_srvr_only_unless_told(self, start_server):
        server = start_server(**{"4lw.commands.whitelist": "srvr"})
        assert "Mode: standalone" in server.ask("srvr")
        for word in ("ruok", "stat", "conf", "cons", "mntr", "dump", "wchs", "isro", "envi", "hash"):
            assert server.ask(word) == f"{word} is not executed because it is not in the whitelist.\n"

    def test_is_a_list_with_or_without_spaces(self, start_server):
        server = start_server(**{"4lw.commands.whitelist": "srvr, ruok,isro"})
        assert (server.ask("ruok"), server.ask("isro")) == ("imok", "rw")
        assert "whitelist" in server.ask("stat")

    @pytest.mark.parametrize("word", ["nope", "RUOK", "quit"])
    def test_unknown_words_are_closed_without_an_answer(self, server, word):
        assert server.ask(word) == ""


class TestManners:
    def test_a_newline_does_no_harm(self, server):
        assert server.ask("ruok\n") == "imok"

    def test_the_connection_is_closed_after_the_answer(self, server):
        with socket.create_connection(server.address, timeout=5) as sock:
            sock.sendall(b"ruok")
            time.sleep(0.2)
            assert sock.recv(100) == b"imok"
            assert sock.recv(100) == b""

    def test_letters_may_come_one_by_one(self, server):
        with socket.create_connection(server.address, timeout=5) as sock:
            for letter in b"ruok":
                sock.sendall(bytes([letter]))
                time.sleep(0.02)
            assert sock.recv(100) == b"imok"

    def test_kazoo_asks_them(self, zk):
        assert zk.command(b"ruok") == "imok"
        assert "Mode: standalone" in zk.command(b"srvr")
        assert zk.server_version()[0] == 3
