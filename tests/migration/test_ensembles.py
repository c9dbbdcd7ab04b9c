"""Ensembles: one member is imported, the others begin empty; and back to an ensemble of ZooKeeper."""

import shutil
import time

from conftest import wait_for, zooid

import tree

# Each kind of server writes its own members there.
CONFIG_NODE = ("/zookeeper/config",)


def test_an_ensemble_there_and_back(prepare_ensemble):
    there = prepare_ensemble("zookeeper-3.9", snapCount=300).start()
    leader = there.leader()
    one, other = tree.client(leader.address), tree.client(there.followers()[0].address)
    tree.build(one, other)
    tree.write_for(one, seconds=1)
    before = tree.read(one)
    there.wait_until_level()
    there.kill()

    ours = prepare_ensemble("zooid")
    source, first = there.members[0], ours.members[0]
    first.data_dir.mkdir()
    said = zooid("import", source.data_dir, first.data_dir, "--myid", 1)
    assert "as server 1" in said, said
    # Without the one that has everything the others do not begin anew.
    for empty in ours.members[1:]:
        empty.spawn()
    time.sleep(2)
    assert not any(empty.mode for empty in ours.members[1:])
    first.spawn()
    ours.wait_until_serving(ours.members)
    one = tree.again(one, ours.members[2].address)
    for member in ours.members:
        tree.check_equal(before, tree.read(tree.client(member.address)), CONFIG_NODE)
    # Elections after the last write show clients zxids that are in no log.
    epoch = int((source.data_dir / "version-2/currentEpoch").read_text())
    assert tree.client(first.address, last_zxid=(epoch + 3) << 32).get("/app").ok
    assert one.set("/app", b"at Zooid").ok
    print(ours.check_equal())

    # What was imported is everybody's now.
    first.kill()
    ours.wait_until_serving(ours.members[1:])
    one = tree.again(one, ours.members[2].address)
    assert one.create("/without-the-first").ok
    after = tree.read(one)
    ours.members[1].stop()
    ours.members[2].stop()

    back = prepare_ensemble("zookeeper-3.9")
    last = max(ours.members[1:], key=lambda member: int(exported(member, "zxid"), 16))
    for member in back.members:
        shutil.copytree(last.directory / "export", member.data_dir)
    back.start()
    tree.check_equal(after, tree.read(tree.again(one, back.members[1].address)), CONFIG_NODE)


def exported(member, field: str) -> str:
    """A line of what the export says, whose files are in the member's directory."""
    said = zooid("export", member.data_dir, member.directory / "export")
    return next(line.split()[1] for line in said.splitlines() if line.startswith(field))


def test_two_imports_are_two_ensembles(prepare, prepare_ensemble):
    there = prepare("zookeeper-3.9").start()
    assert tree.client(there.address).create("/app").ok
    there.kill()
    ours = prepare_ensemble("zooid", size=2)
    for member in ours.members:
        zooid("import", there.data_dir, member.data_dir, "--myid", member.number)
        member.spawn()
    wait_for(lambda: any("belongs to ensemble" in member.log_file.read_text() for member in ours.members))
    assert not any(member.mode for member in ours.members)


def test_an_import_is_for_one_server(prepare, prepare_ensemble):
    there = prepare("zookeeper-3.9").start()
    assert tree.client(there.address).create("/app").ok
    there.kill()
    ours = prepare_ensemble("zooid", size=2)
    zooid("import", there.data_dir, ours.members[1].data_dir, "--myid", 1)
    ours.members[1].spawn()
    assert wait_for(lambda: not ours.members[1].alive())
    assert "belongs to server 1" in ours.members[1].log_file.read_text()
