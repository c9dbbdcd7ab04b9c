"""The judge of recordings has teeth: what was falsified in a recording is found."""

import time

import pytest

from judgement import ask_judge
from protocol import Op

HEADER = 16


def another_zxid(frames: list[tuple]) -> None:
    """A write is said to have its place ten before its own."""
    at = next(at for at, frame in enumerate(frames) if is_answer_to(frames, frame, Op.CREATE))
    *values, frame = frames[at]
    zxid = int.from_bytes(frame[4:12], "big") - 10
    frames[at] = (*values, frame[:4] + zxid.to_bytes(8, "big") + frame[12:])


def other_data(frames: list[tuple]) -> None:
    """A reader is told other data than there is."""
    at = next(at for at, frame in enumerate(frames) if is_answer_to(frames, frame, Op.GET_DATA) and len(frame[-1]) > HEADER + 4 + 68)
    *values, frame = frames[at]
    place = HEADER + 4
    frames[at] = (*values, frame[:place] + bytes([frame[place] ^ 1]) + frame[place + 1 :])


def an_event_less(frames: list[tuple]) -> None:
    """A watch is not told of a change after which its client read on."""
    events = [at for at, frame in enumerate(frames) if not frame[3] and frame[-1][:4] == b"\xff\xff\xff\xff"]
    del frames[events[0]]


def is_answer_to(frames: list[tuple], answer: tuple, op: Op) -> bool:
    """True of a good answer to a request of this kind on the same connection."""
    client, connection, _, is_sent, _, frame = answer
    if is_sent or len(frame) < HEADER or frame[12:16] != bytes(4):
        return False
    asked = frame[:4] + int(op).to_bytes(4, "big")
    return any(other[:2] == (client, connection) and other[3] and other[-1][:8] == asked for other in frames)


@pytest.mark.parametrize("falsify", [another_zxid, other_data, an_event_less])
def test_what_is_falsified_is_found(begin, flavour, falsify):
    if not flavour.is_zooid:
        pytest.skip("the logs of a ZooKeeper are not read")
    run = begin(3)
    time.sleep(1)
    run.judge()
    falsify(run.workload.recorder.frames)
    status, said = ask_judge(run.ensemble, run.workload.recorder)
    assert status == 1, said
    print(said.splitlines()[0])


def test_another_tree_and_another_author_are_found(begin, flavour):
    if not flavour.is_zooid:
        pytest.skip("the logs of a ZooKeeper are not read")
    run = begin(3)
    run.workload.stop()
    zxid = run.ensemble.wait_until_level()
    run.ensemble.kill()
    status, said = ask_judge(run.ensemble, run.workload.recorder, [(2, f"{zxid:x}", "17")])
    assert status == 1 and f"server 2 holds another tree at {zxid:#x}" in said, said
    status, said = ask_judge(run.ensemble, run.workload.recorder, address="10.9.8.7")
    assert status == 1 and "the log says that somebody else asked" in said, said
