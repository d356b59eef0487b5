"""Kills jobs at random moments, and looks at what is left.

  PYTHONPATH=tests python -m faults.kill [--times 100] [--seed 0] [--jobs NAME ...]

Each time a job is started in a folder of its own and killed with SIGKILL after a random part of the
time that it takes. Then what is there must be whole, byte for byte, or absent, and the job, begun
again, must end well and give what it gives undisturbed. Of two at once either or both are killed.
"""

from __future__ import annotations

import argparse
import collections
import pathlib
import random
import shutil
import tempfile
import time

import tqdm

from faults.jobs import ABSENT, JOBS, WHOLE, Job, logs_for, run, start


def try_once(
    job: Job,
    folder: pathlib.Path,
    environment: dict[str, str],
    duration: float,
    undisturbed: str,
    rng: random.Random,
) -> str:
    """Kills it once; says what was there then."""
    job.prepare(folder)
    processes = [start(job.work, folder, **environment) for _ in range(job.processes)]
    doomed = [p for p in processes if job.processes == 1 or rng.random() < 0.75]
    moments = sorted((rng.uniform(0, duration), number) for number in range(len(doomed)))
    begin = time.perf_counter()
    for moment, number in moments:
        time.sleep(max(begin + moment - time.perf_counter(), 0))
        doomed[number].kill()
    for process in processes:
        process.join()
    state: str
    state, found = job.look(folder)
    if state == WHOLE:
        assert found == undisturbed, f"{job.name} in {folder}: another dataset than undisturbed"
    left_unkilled = [p.exitcode for p in processes if p not in doomed]
    if state == ABSENT:
        assert 0 not in left_unkilled, f"{job.name} in {folder}: ended well, and left nothing"
        run(job, folder, environment)
    elif job.work.__name__ != "record":  # That never overwrites what is whole.
        run(job, folder, environment)
    assert job.look(folder) == (WHOLE, undisturbed), f"{job.name} in {folder}: not whole at last"
    return state


def kill(job: Job, times: int, seed: int) -> collections.Counter[str]:
    """Kills a job many times; counts what was there then. An assertion names what was lost."""
    rng = random.Random(f"{seed} {job.name}")
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as top, logs_for(job) as environment:
        durations = []
        # The first starts the server that later ones fork from, which takes seconds.
        for number in range(3):
            folder = pathlib.Path(top) / f"undisturbed {number}"
            folder.mkdir()
            job.prepare(folder)
            begin = time.perf_counter()
            run(job, folder, environment)
            durations.append(time.perf_counter() - begin)
            state, undisturbed = job.look(folder)
            assert state == WHOLE
        duration = min(durations)
        for number in tqdm.trange(times, desc=job.name, unit=" kills", disable=None):
            folder = pathlib.Path(top) / str(number)
            folder.mkdir()
            found[try_once(job, folder, environment, duration, undisturbed, rng)] += 1
            shutil.rmtree(folder)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="*", default=list(JOBS), choices=list(JOBS))
    args = parser.parse_args()
    print(f"{'killed':32}{'tried':>8}{'whole':>8}{'absent':>8}{'lost':>8}")
    for name in args.jobs:
        counts = kill(JOBS[name], args.times, args.seed)
        print(f"{name:32}{args.times:8}{counts[WHOLE]:8}{counts[ABSENT]:8}{0:8}", flush=True)
