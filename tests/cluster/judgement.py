"""What must be true of a whole run: of all that was acknowledged, and of the trees that every member has at the end.

One function for each promise. Start with `judge`.
"""

import os
import subprocess
from collections import defaultdict

from ensemble import Ensemble, Member
from jute import Stat
from ports import HOST
from rawclient import RawClient

from workload import LIVE, SHARED, Recorder, Workload, Write, Writer

Tree = dict[str, tuple[bytes, Stat]]
# A member's number, a zxid in hexadecimal digits, the digest of its tree there.
Digest = tuple[int, str, str]


def judge(ensemble: Ensemble, workload: Workload, expired: int = 0) -> str:
    """Ends the workload and checks everything; what was checked, in a sentence. So many sessions may have expired."""
    workload.stop()
    levels = ensemble.check_equal()
    trees = [read_tree(member) for member in ensemble.members]
    tree = trees[0]
    for member, other in zip(ensemble.members[1:], trees[1:]):
        assert other == tree, f"member {member.number} has another tree: {difference(tree, other)}"
    for writer in workload.writers:
        check_own(writer, tree)
    check_shared(workload.writers, tree)
    check_real_time(workload.writers)
    check_sessions(workload, tree, expired)
    workload.close()
    check_ephemerals_are_gone(ensemble)
    assert not ensemble.panics(), ensemble.panics()
    writes = [write for writer in workload.writers for write in writer.writes]
    doubt = sum(write.zxid is None for write in writes)
    reads, events = sum(reader.reads for reader in workload.readers), sum(reader.events for reader in workload.readers)
    assert events, "no watch was ever told anything: the readers checked nothing of it"
    return f"{len(writes) - doubt} writes acknowledged, {doubt} in doubt, {reads} reads, {events} events; {levels}"


def judge_by_logs(ensemble: Ensemble, recorder: Recorder, digests: list[Digest]) -> str:
    """Every answer and every event that clients were told, held against what the logs of the servers, which have
    ended, say was agreed: by the oracle that judges simulated servers. What was judged, in a sentence."""
    status, said = ask_judge(ensemble, recorder, digests)
    assert status == 0, said
    return said


def ask_judge(ensemble: Ensemble, recorder: Recorder, digests: list[Digest] = (), address: str = HOST) -> tuple[int, str]:
    recording = ensemble.directory / "frames.jsonl"
    recorder.write(recording)
    members = [f"--member={member.number}:{member.port}:{member.data_dir}" for member in ensemble.members]
    shown = [f"--digest={number}:{zxid}:{digest}" for number, zxid, digest in digests]
    command = [os.environ["ZOOID_JUDGE"], recording, f"--address={address}", *members, *shown]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def read_tree(member: Member) -> Tree:
    """Every znode but ZooKeeper's own, with its data and its stat."""
    client, tree, paths = RawClient(member.address), {}, ["/"]
    while paths:
        path = paths.pop()
        names = client.children(path).value
        tree[path] = client.get(path).value
        paths += [f"{path.rstrip('/')}/{name}" for name in names if (path, name) != ("/", "zookeeper")]
    client.close()
    return tree


def difference(left: Tree, right: Tree) -> str:
    paths = sorted(path for path in left.keys() | right.keys() if left.get(path) != right.get(path))
    return f"{len(paths)} paths, like {[(path, left.get(path), right.get(path)) for path in paths[:3]]}"


def check_own(writer: Writer, tree: Tree) -> None:
    """Acknowledged writes are there once, those without a reply once or not at all, all in the order they were sent."""
    found = {int(path.rsplit("/", 1)[1]): node for path, node in tree.items() if path.startswith(f"{writer.root}/")}
    latest = 0
    for write in writer.writes:
        if write.kind in ("create", "multi"):
            data, stat = found.pop(write.number, (None, None))
            assert stat or not write.zxid, f"{writer.root}/{write.number} was acknowledged at {write.zxid:#x} and is not there"
            assert stat is None or (data == writer.data(write.number) and write.zxid in (None, stat.czxid)), f"{write} became {data} {stat}"
        zxid = write.zxid or (stat.czxid if write.kind in ("create", "multi") and stat else None)
        assert zxid is None or zxid > latest, f"{writer.root}: {write} took effect at {zxid:#x}, after a later one at {latest:#x}"
        latest = zxid or latest
    assert not found, f"{writer.root} has znodes that were never written: {sorted(found)}"
    check_versions(writer, tree[writer.root][1])


def check_versions(writer: Writer, final: Stat) -> None:
    """The version counts the sets that took effect: each acknowledged one once, each in doubt once or not at all."""
    version, doubt = 0, 0
    for write in writer.writes:
        if write.kind not in ("set", "multi"):
            continue
        if write.zxid is None:
            doubt += 1
            continue
        now = write.value.version
        assert version + 1 <= now <= version + 1 + doubt, f"{writer.root}: {write} after version {version} and {doubt} in doubt"
        version, doubt = now, 0
    assert version <= final.version <= version + doubt, f"{writer.root} has version {final.version}, {version} was acknowledged, {doubt} in doubt"


def check_shared(writers: list[Writer], tree: Tree) -> None:
    """Numbers come once and without gaps; each has the data of the one write that got it."""
    found = {path: data.decode() for path, (data, _) in tree.items() if path.startswith(f"{SHARED}/")}
    assert sorted(found) == [f"{SHARED}/n-{number:010d}" for number in range(len(found))], "shared numbers have gaps"
    assert len(set(found.values())) == len(found), "a numbered create took effect twice"
    written = {f"{writer.number}/{write.number}": write for writer in writers for write in writer.writes if write.kind == "numbered"}
    strangers = set(found.values()) - written.keys()
    assert not strangers, f"numbered znodes that nobody wrote: {strangers}"
    for tag, write in written.items():
        assert write.zxid is None or found.get(write.value) == tag, f"{tag} was given {write.value}, which has {found.get(write.value)}"


def check_real_time(writers: list[Writer]) -> None:
    """A write that was sent after another was acknowledged comes later in the order; no two have one place."""
    writes = [write for writer in writers for write in writer.writes if write.zxid]
    places = defaultdict(list)
    for write in writes:
        places[write.zxid].append(write)
    assert len(places) == len(writes), f"writes with one zxid: {[twins for twins in places.values() if len(twins) > 1][:3]}"
    answered = sorted(writes, key=lambda write: write.answered)
    latest: Write | None = None
    at = 0
    for write in sorted(writes, key=lambda write: write.sent):
        while answered[at].answered < write.sent:
            latest = max(latest or answered[at], answered[at], key=lambda one: one.zxid)
            at += 1
        assert latest is None or write.zxid > latest.zxid, f"{write} was sent after {latest} was acknowledged"


def check_sessions(workload: Workload, tree: Tree, allowed: int) -> None:
    """No session expires whose client is there; an ephemeral is there while its session is."""
    expired = sum(client.expired for client in workload.clients)
    assert expired <= allowed, f"{expired} sessions expired, {allowed} at most could"
    for writer in workload.writers:
        owner = tree[writer.ephemeral][1].ephemeralOwner
        assert owner == writer.session.session_id, f"{writer.ephemeral} is of {owner:#x}, the session is {writer.session.session_id:#x}"
    live = [path for path in tree if path.startswith(f"{LIVE}/")]
    assert len(live) == len(workload.writers), f"ephemerals {live}"


def check_ephemerals_are_gone(ensemble: Ensemble) -> None:
    """Closed sessions leave nothing behind, on any member."""
    ensemble.wait_until_level()
    for member in ensemble.members:
        client = RawClient(member.address)
        assert client.children(LIVE).value == [], f"member {member.number} has ephemerals of closed sessions"
        client.close()
