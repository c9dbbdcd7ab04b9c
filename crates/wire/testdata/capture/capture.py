#!/usr/bin/env python3
"""Records conversations of stock ZooKeeper clients with real ZooKeeper servers as readable files.

Each client runs through its operations behind a proxy that notes every frame of both directions. A file has one block
for each frame: what it is, its bytes in hexadecimal (without the length), and, after `REWRITE=1 cargo test`, what this
crate reads it as. Start with `main`.
"""

import contextlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
sys.path.insert(0, str(HERE.parents[3] / "tests/lib"))

import needs  # noqa: E402
from protocol import XID_NOTIFICATION, Op  # noqa: E402

TOKEN = "drop"


def main() -> None:
    """Records all conversations, or those whose names are given."""
    needs.debian_java_clients()
    needs.debian("zookeeper", "libzookeeper-mt-dev")
    needs.c_compiler()
    needs.pyspark_jars()
    kazoo = needs.python_packages("kazoo==2.11.0")
    old, new = needs.debian_classpath() + ":" + extra_debian_jars(), needs.pyspark_classpath()
    surface = str(HERE / "Surface.java")
    GOLDEN.mkdir(exist_ok=True)
    conversations = {
        "java-3.8-server-3.8": (old, ["java", "-cp", old, surface]),
        "java-3.9-server-3.9": (new, ["java", "-cp", new, surface]),
        "c-3.8-server-3.9": (new, [c_program()]),
        "kazoo-2.11-server-3.9": (new, [str(kazoo), str(HERE / "surface_kazoo.py")]),
        "odd-server-3.9": (new, [sys.executable, str(HERE / "surface_odd.py")]),
    }
    for name in sys.argv[1:] or conversations:
        classpath, command = conversations[name]
        print(f"recording {name}", flush=True)
        record(GOLDEN / f"{name}.txt", classpath, command)


def extra_debian_jars() -> str:
    """What the server needs beside the client."""
    names = ("zookeeper-jute", "netty-all", "netty-handler", "netty-transport", "netty-common", "metrics-core", "snappy-java", "commons-cli", "audience-annotations")
    return ":".join(f"/usr/share/java/{name}.jar" for name in names)


def c_program() -> str:
    program = Path(tempfile.mkdtemp()) / "surface"
    subprocess.run(["gcc", "-DTHREADED", "-o", program, HERE / "surface.c", "-lzookeeper_mt"], check=True)
    return str(program)


def record(file: Path, classpath: str, command: list[str]) -> None:
    with server(classpath) as address, Proxy(address) as proxy:
        client = subprocess.Popen([*command, f"127.0.0.1:{proxy.port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        errors = threading.Thread(target=lambda: proxy.errors.append(client.stderr.read()))
        errors.start()
        for line in client.stdout:
            if line.strip() == TOKEN:
                proxy.drop()
            else:
                print("   ", line.rstrip())
        if client.wait(timeout=60) != 0:
            errors.join()
            raise SystemExit(f"{file.name}: the client failed\n{proxy.errors[-1][-4000:]}")
    file.write_text(f"# {file.stem}: frames recorded by capture.py.\n" + "".join(proxy.blocks()))


@contextlib.contextmanager
def server(classpath: str):
    """A standalone ZooKeeper on a free port; its address."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        (Path(folder) / "zoo.cfg").write_text(f"dataDir={folder}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=2000\nadmin.enableServer=false\nextendedTypesEnabled=true\n")
        main_class = "org.apache.zookeeper.server.ZooKeeperServerMain"
        with open(Path(folder) / "log", "w") as log:
            process = subprocess.Popen(["java", "-Xmx256m", "-cp", classpath, main_class, f"{folder}/zoo.cfg"], stdout=log, stderr=log)
        try:
            wait_for(port, process, Path(folder) / "log")
            yield ("127.0.0.1", port)
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"the server did not start:\n{log.read_text()[-4000:]}")


class Proxy:
    """Passes bytes on in both directions and notes the frames in the order in which they ended."""

    def __init__(self, server_address):
        self.server_address = server_address
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.frames = []
        self.sockets = []
        self.connections = 0
        self.errors = []

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.drop()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server_address)
            self.connections += 1
            for source, target, is_client in ((client, server, True), (server, client, False)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets.append(source)
                threading.Thread(target=self.pump, args=(source, target, is_client, self.connections), daemon=True).start()

    def pump(self, source, target, is_client, connection):
        """A reply may only be seen after its request: what is passed on was noted before."""
        pending = b""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                pending += data
                while len(pending) >= 4 and len(pending) >= 4 + (length := struct.unpack(">i", pending[:4])[0]):
                    with self.lock:
                        self.frames.append((connection, is_client, pending[4 : 4 + length]))
                    pending = pending[4 + length :]
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def drop(self):
        """Cuts all connections, so that clients have to come again."""
        for end in self.sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.sockets.clear()

    def blocks(self):
        """The text of each frame's block. Of a connection's pings the first one is enough."""
        opcodes, seen, spoke = {}, set(), None
        for connection, is_client, frame in self.frames:
            first = (connection, is_client) not in seen
            seen.add((connection, is_client))
            text = first_block(is_client, frame) if first else block(is_client, frame, opcodes, connection)
            if text and (text not in seen or "# ping" not in text):
                seen.add(text)
                yield f"\n# Connection {connection}.\n{text}" if spoke != connection else text
                spoke = connection


def first_block(is_client: bool, frame: bytes) -> str:
    return written("connect" if is_client else "connect-reply", "first frame", frame)


def block(is_client: bool, frame: bytes, opcodes: dict, connection: int) -> str:
    xid = struct.unpack(">i", frame[:4])[0]
    if is_client:
        opcode = struct.unpack(">i", frame[4:8])[0]
        opcodes[connection, xid] = opcode
        return written("request", f"{name(opcode)}, xid {xid}", frame)
    if xid == XID_NOTIFICATION:
        return written("event", "event", frame)
    opcode = opcodes[connection, xid]
    return written(f"reply opcode={opcode}", f"{name(opcode)} answered, xid {xid}", frame)


def name(opcode: int) -> str:
    try:
        return Op(opcode).name.lower().replace("_", " ")
    except ValueError:
        return f"operation {opcode}"


def written(directive: str, comment: str, frame: bytes) -> str:
    return f"\n# {comment}\n{directive}\n{frame.hex()}\n----\n"


if __name__ == "__main__":
    main()
