"""Reads what the counting job wrote about itself (see `job/CountingJob.java`) and judges it.

The judgement needs no knowledge of what was killed when: a restart from an older checkpoint than one the
job was told to be complete, a state other than the one at that checkpoint's barrier, a checkpoint id used
twice and a number lost or repeated are wrong whenever they happen. Start with `Journal.check`.
"""

from pathlib import Path

SUBTASKS = 2


class Journal:
    """The journals of all counting subtasks of one job, in one directory."""

    def __init__(self, directory: Path):
        self.directory = directory

    def lines(self, subtask: int) -> list[list[str]]:
        path = self.directory / f"subtask-{subtask}"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def starts(self) -> int:
        """How often every subtask was started: 1 plus the restarts of the job."""
        return min(sum(line[0] == "start" for line in self.lines(subtask)) for subtask in range(SUBTASKS))

    def last_start(self) -> int | None:
        """The checkpoint that the latest start restored; `None` if it started afresh."""
        restored = [line[1] for line in self.lines(0) if line[0] == "start"][-1]
        return None if restored == "-" else int(restored)

    def completed(self) -> int:
        """The latest checkpoint that the job was told to be complete: its znodes were acknowledged."""
        return self.highest("complete")

    def newest(self) -> int:
        """The latest checkpoint that was begun: the counter's step past it was acknowledged."""
        return self.highest("snapshot")

    def highest(self, word: str) -> int:
        return max((int(line[1]) for subtask in range(SUBTASKS) for line in self.lines(subtask) if line[0] == word), default=0)

    def count(self) -> int:
        """Records counted at the latest barrier, all subtasks together."""
        return sum(next((int(line[2]) for line in reversed(self.lines(s)) if line[0] == "snapshot"), 0) for s in range(SUBTASKS))

    def check(self) -> None:
        for subtask in range(SUBTASKS):
            check_lines(subtask, self.lines(subtask))


def check_lines(subtask: int, lines: list[list[str]]) -> None:
    """Goes through one journal in order; an assertion fails at the first line that contradicts an earlier one."""
    assert lines, f"subtask {subtask} wrote nothing"
    counts: dict[int, int] = {}
    completed = newest = 0
    for line in lines:
        match line:
            case ["start", "-", count]:
                assert completed == 0, f"subtask {subtask} started afresh although checkpoint {completed} was complete"
                assert count == "0", f"subtask {subtask} started afresh with {count} records counted"
            case ["start", checkpoint, count]:
                check_restored(subtask, int(checkpoint), int(count), completed, counts)
            case ["snapshot", checkpoint, count]:
                assert int(checkpoint) > newest, f"subtask {subtask}: checkpoint id {checkpoint} came after {newest}"
                newest = int(checkpoint)
                counts[newest] = int(count)
            case ["complete", checkpoint]:
                completed = max(completed, int(checkpoint))
            case _:
                raise AssertionError(f"subtask {subtask} says: {' '.join(line)}")


def check_restored(subtask: int, checkpoint: int, count: int, completed: int, counts: dict[int, int]) -> None:
    assert checkpoint >= completed, f"subtask {subtask} restored checkpoint {checkpoint}, but {completed} was complete"
    assert checkpoint in counts, f"subtask {subtask} restored checkpoint {checkpoint}, of which it took no snapshot"
    taken = counts[checkpoint]
    assert count == taken, f"subtask {subtask} counted {taken} records at checkpoint {checkpoint}, but restored {count}"
