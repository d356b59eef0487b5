"""Lets jobs run into a full disk, and looks at what is left.

  PYTHONPATH=tests python -m faults.disk [--times 20] [--seed 0]

Each time a job has a disk of its own, a tmpfs, with room for a random part of what it needs; where
nothing may be mounted, no file of it may grow beyond a random part of the largest. It must fail, or
end well if it had room after all. What is there then must be whole, byte for byte, or absent, and
the job, begun again with room, must end well and give what it gives undisturbed.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import pathlib
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator

import tqdm

from faults.jobs import ABSENT, FILE_LIMIT, JOBS, WHOLE, Job, log_of, logs_for, run, start

NAMES = (
    "tfds build",
    "tfds build, array_record",
    "tfds build of a run",
    "download",
    "record",
)


_ENOUGH = 2**30


def _mount(folder: pathlib.Path, size: int, option: str = "") -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"{option}size={size}", "tmpfs", str(folder)]
    return not subprocess.run(command, capture_output=True).returncode


class Disk:
    """A folder on a disk of its own, if one can be had; a context manager."""

    def __init__(self, folder: pathlib.Path, mounts: bool):
        self._folder = folder
        folder.mkdir()
        self._is_mounted = mounts and _mount(folder, _ENOUGH)

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_mounted:
            subprocess.run(["umount", "-l", str(self._folder)], check=True)

    @contextlib.contextmanager
    def with_little_room(self, part: float, needed: int, largest: int) -> Iterator[dict[str, str]]:
        """Meanwhile there is room for a part of what is needed; gives what to tell the job."""
        if not self._is_mounted:
            yield {FILE_LIMIT: str(int(part * largest))}
            return
        assert _mount(self._folder, sum(sizes(self._folder)) + int(part * needed), "remount,")
        yield {}
        assert _mount(self._folder, _ENOUGH, "remount,")


def sizes(folder: pathlib.Path) -> list[int]:
    """Of the files in a folder."""
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


def fill(job: Job, times: int, seed: int, mounts: bool = True) -> collections.Counter[str]:
    """Runs a job on full disks; counts how it ended. An assertion names what was lost."""
    rng = random.Random(f"{seed} {job.name}")
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as top, logs_for(job) as environment:
        folder = pathlib.Path(top) / "undisturbed"
        folder.mkdir()
        job.prepare(folder)
        run(job, folder, environment)
        state, undisturbed = job.look(folder)
        assert state == WHOLE
        needed, largest = sum(sizes(folder)), max(sizes(folder))
        for number in tqdm.trange(times, desc=job.name, unit=" disks", disable=None):
            folder = pathlib.Path(top) / str(number)
            with Disk(folder, mounts) as disk:
                job.prepare(folder)
                with disk.with_little_room(rng.uniform(0.01, 1.2), needed, largest) as limit:
                    process = start(job.work, folder, **environment, **limit)
                    process.join()
                state, made = job.look(folder)
                time.sleep(0.2)  # until the log is written
                log = log_of(folder).read_text()
                if process.exitcode == 0:
                    assert state == WHOLE, f"{job.name} ended well, and left nothing:\n{log}"
                else:
                    assert "No space left" in log or "too large" in log, log
                if state == ABSENT:
                    run(job, folder, environment)
                    state, made = job.look(folder)
                assert (state, made) == (WHOLE, undisturbed), f"{job.name}: {state}, {made}"
            found["whole" if process.exitcode == 0 else "refused"] += 1
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limits", action="store_true", help="mount nothing, though one could")
    parser.add_argument("--jobs", nargs="*", default=NAMES, choices=NAMES)
    args = parser.parse_args()
    for name in args.jobs:
        print(name, dict(fill(JOBS[name], args.times, args.seed, not args.limits)), flush=True)
