"""What is interrupted: jobs that write, each with what tells afterwards whether all is well.

A job runs in a process forked off one that has all imported, so that most of its time is work. It
is the command's own code, called as the console script calls it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import multiprocessing
import os
import pathlib
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from helpers.datasets import DUMMY_DATA
from helpers.server import Server

from tfds_atari_replay.fields import VERSION

NAME = "atari_replay/breakout_expert_v0"
RUN = "atari_replay/breakout_full_v0"

_STEPS = {NAME: 1493 + 2, RUN: 6724 + 26}
"""Of dummy_data's datasets, terminal states included."""

# The server that forks jobs is told in no other way, before Python 3.12, where modules are.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["faults.jobs", "faults.preloaded"])

FILE_LIMIT = "FILE_LIMIT"
"""The variable that says how many bytes a job's files may have."""

KILLED_AT = "KILLED_AT"
"""The variable that says before which change of its folder a job is killed."""

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink"}

WHOLE = "whole"
ABSENT = "absent"


def digest(folder: pathlib.Path) -> str:
    """Of all files in a folder, names and contents."""
    made = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            made.update(f"{path.relative_to(folder)}\0".encode())
            made.update(hashlib.sha256(path.read_bytes()).digest())
    return made.hexdigest()


def log_of(folder: pathlib.Path) -> pathlib.Path:
    """Where jobs in a folder print to: beside it, since it may be full."""
    return folder.with_name(f"{folder.name}.log")


def _in_child(
    work: Callable[[pathlib.Path], None], folder: pathlib.Path, environment: Mapping[str, str]
) -> None:
    os.environ.update(environment)
    with open(log_of(folder), "ab") as log:
        # Written by another process, since a limit on files holds for the log too, and tqdm waits
        # for ever after a write that failed.
        writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
    assert writer.stdin
    for output in (1, 2):
        os.dup2(writer.stdin.fileno(), output)
    if limit := environment.get(FILE_LIMIT):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    if killed_at := environment.get(KILLED_AT):
        _die_before(int(killed_at), folder)
    work(folder)


def _die_before(number: int, folder: pathlib.Path) -> None:
    """Kills this process with SIGKILL before a change that Python makes to files in a folder."""
    left = number

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        is_change = event in _CHANGES or (event == "open" and arguments[2] & os.O_ACCMODE)
        if is_change and str(arguments[0]).startswith(str(folder)):
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(look)


def start(
    work: Callable[[pathlib.Path], None], folder: pathlib.Path, **environment: str
) -> multiprocessing.Process:
    """Starts a job in a process of its own."""
    settings = {"D4RL_DATASET_DIR": "/no/cache", **environment}
    process: Any = _processes.Process(target=_in_child, args=(work, folder, settings))
    process.start()
    return process  # type: ignore[no-any-return]


def _tfds_build(folder: pathlib.Path, *arguments: str, name: str = NAME) -> None:
    from tensorflow_datasets.scripts.cli import main

    command = [
        "tfds",
        "build",
        name,
        "--imports=tfds_atari_replay",
        f"--data_dir={folder / 'data'}",
    ]
    main.main(main._parse_flags([*command, *arguments]))


def build(folder: pathlib.Path) -> None:
    """`tfds build`, from a folder of logs."""
    _tfds_build(folder, f"--manual_dir={DUMMY_DATA}")


def build_array_record(folder: pathlib.Path) -> None:
    """`tfds build --file_format=array_record`."""
    _tfds_build(folder, f"--manual_dir={DUMMY_DATA}", "--file_format=array_record")


def build_run(folder: pathlib.Path) -> None:
    """`tfds build` of a whole run, in a shard for each of five checkpoints."""
    _tfds_build(folder, f"--manual_dir={DUMMY_DATA}", name=RUN)


def overwrite(folder: pathlib.Path) -> None:
    """`tfds build --overwrite`."""
    _tfds_build(folder, f"--manual_dir={DUMMY_DATA}", "--overwrite")


def overwrite_run(folder: pathlib.Path) -> None:
    """The same of a whole run."""
    _tfds_build(folder, f"--manual_dir={DUMMY_DATA}", "--overwrite", name=RUN)


def overwrite_without_exchange(folder: pathlib.Path) -> None:
    """`tfds build --overwrite`, where two folders cannot change places at once."""
    from tfds_atari_replay.building import folders

    folders._exchange = lambda *_: False
    overwrite(folder)


def download(folder: pathlib.Path) -> None:
    """`tfds build` from the server that $ATARI_REPLAY_SOURCE names."""
    _tfds_build(folder)


def record(folder: pathlib.Path) -> None:
    """`record`, three dumps and a last one."""
    from tfds_atari_replay.cli.main import main

    arguments = ["record", "pong", "--steps=700", "--capacity=200", f"--out={folder / 'logs'}"]
    if status := main(arguments):
        raise SystemExit(status)


@dataclasses.dataclass(frozen=True)
class Job:
    """Something to interrupt.

    Attributes:
      name: for the table.
      work: does it, in a folder of its own.
      look: says what is there: `WHOLE`, with a digest of it, or `ABSENT`. It fails if what is there
        passes for whole and is not.
      prepare: fills the folder before.
      processes: how many do it at once.
      needs_server: whether it takes the logs from a server.
    """

    name: str
    work: Callable[[pathlib.Path], None]
    look: Callable[[pathlib.Path], tuple[str, str]]
    prepare: Callable[[pathlib.Path], None] = lambda _: None
    processes: int = 1
    needs_server: bool = False


def _look_at_dataset(folder: pathlib.Path, name: str = NAME) -> tuple[str, str]:
    import tensorflow_datasets as tfds

    built = folder / "data" / name / VERSION
    builder = tfds.builder(name, data_dir=folder / "data")
    if not (built / "dataset_info.json").exists():
        return ABSENT, ""
    try:
        if "array_record" in (built / "dataset_info.json").read_text():
            episodes = builder.as_data_source(split="train")
        else:
            episodes = builder.as_dataset(split="train")
        steps = sum(len(episode["steps"]) for episode in episodes)
    except Exception:  # What cannot be read is refused.
        return ABSENT, ""
    assert steps == _STEPS[name], f"{built} passes for a dataset and has {steps} steps"
    return WHOLE, digest(built)


def _look_at_run(folder: pathlib.Path) -> tuple[str, str]:
    return _look_at_dataset(folder, RUN)


def _look_at_logs(folder: pathlib.Path) -> tuple[str, str]:
    from tfds_atari_replay.logs import inspection

    logs = folder / "logs" / "Pong" / "1" / "replay_logs"
    if not logs.exists():
        return ABSENT, ""
    reports = inspection.inspect(folder / "logs", deep=True)
    unusable = [report for report in reports if not report.is_usable]
    assert not unusable, unusable
    return WHOLE, digest(logs)


def run(job: Job, folder: pathlib.Path, environment: Mapping[str, str]) -> None:
    """Does a job to its end, which must be well."""
    process = start(job.work, folder, **environment)
    process.join()
    log = log_of(folder).read_text()
    assert process.exitcode == 0, f"{job.name} in {folder} ended with {process.exitcode}:\n{log}"


@contextlib.contextmanager
def logs_for(job: Job) -> Iterator[dict[str, str]]:
    """Where a job finds logs, as environment variables."""
    if not job.needs_server:
        yield {}
        return
    with Server(DUMMY_DATA, bytes_per_second=2e6) as server:
        yield {"ATARI_REPLAY_SOURCE": server.url}


def _build_first(folder: pathlib.Path) -> None:
    process = start(build, folder)
    process.join()
    assert process.exitcode == 0, log_of(folder).read_text()


JOBS = {
    job.name: job
    for job in (
        Job("tfds build", build, _look_at_dataset),
        Job("tfds build, array_record", build_array_record, _look_at_dataset),
        Job("tfds build --overwrite", overwrite, _look_at_dataset, _build_first),
        Job("two builds at once", build, _look_at_dataset, processes=2),
        Job("tfds build of a run", build_run, _look_at_run),
        Job("two builds of a run at once", build_run, _look_at_run, processes=2),
        Job("download", download, _look_at_dataset, needs_server=True),
        Job("record", record, _look_at_logs),
        Job("two of record", record, _look_at_logs, processes=2),
    )
}
