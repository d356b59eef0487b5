"""Reads logs while something writes there, and looks at what was read.

  PYTHONPATH=tests python -m faults.swap [--times 1000] [--seed 0]

Two checkpoints take each other's place, file by file, while they are read. Each file is whole at
all times; only together they are not. What is read must be one of the two, to the last step, or
refused. One of the files gives a real error of the disk now and then.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import hashlib
import pathlib
import random
import tempfile
import threading

import tqdm
from helpers.logs import find_checkpoint, log_folder, make_episodes, write_log

from tfds_atari_replay import ReplayLogError

_EIO = "/proc/self/mem"
"""A file that opens, and whose first byte nobody can read: an input/output error."""


def read(root: pathlib.Path) -> str:
    """A digest of all that a checkpoint holds."""
    made = hashlib.sha256()
    for episode in find_checkpoint(root, "Breakout", 1, 1).open().episodes():
        for frames in episode.frames:
            made.update(frames.tobytes())
        made.update(episode.action.tobytes() + episode.reward.tobytes())
        made.update(bytes([episode.starts_at_reset, episode.ends_in_terminal]))
    return made.hexdigest()


@dataclasses.dataclass
class Changes:
    """How many files were replaced: begun, and done."""

    begun: int = 0
    done: int = 0


def try_to_read(root: pathlib.Path, wholes: list[str], changes: Changes) -> str:
    """Says how it ended."""
    before = changes.done
    try:
        got = read(root)
    except ReplayLogError as error:
        kinds = ("changed while it was read", "cannot be read", "rows, 'observation' has")
        return next(kind for kind in kinds if kind in str(error))
    if got not in wholes:
        # No reader can tell what lay there mixed, and stayed as it was, from a checkpoint.
        assert changes.begun == before, "two checkpoints were mixed"
        return "lay there mixed"
    return "read"


def swap(times: int, seed: int) -> collections.Counter[str]:
    """Counts how readings ended; an assertion tells of one that mixed the two."""
    rng = random.Random(seed)
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as top:
        root = pathlib.Path(top)
        contents: list[dict[pathlib.Path, bytes]] = []
        for name, lengths in (("one", [300, 250, 700]), ("other", [211, 500, 444])):
            write_log(log_folder(root / name), 600, make_episodes(lengths))
            paths = log_folder(root / name).glob("*_ckpt.1.gz")
            contents.append({log_folder(root) / p.name: p.read_bytes() for p in paths})
        wholes = [read(root / name) for name in ("one", "other")]
        log_folder(root).mkdir(parents=True)
        stop, changes = threading.Event(), Changes()

        def replace(path: pathlib.Path, data: bytes | None) -> None:
            part = path.with_suffix(".part")
            if data is None:
                part.symlink_to(_EIO)
            else:
                part.write_bytes(data)
            changes.begun += 1
            part.rename(path)
            changes.done += 1

        def keep_swapping() -> None:
            while not stop.wait(rng.uniform(0, 0.01)):
                content = rng.choice(contents)
                for path, data in rng.sample(list(content.items()), len(content)):
                    replace(path, None if rng.random() < 0.003 else data)
                    stop.wait(rng.uniform(0, 0.002))

        for path, data in contents[0].items():
            replace(path, data)
        writer = threading.Thread(target=keep_swapping)
        writer.start()
        try:
            for _ in tqdm.trange(times, desc="Reading", unit=" times", disable=None):
                found[try_to_read(root, wholes, changes)] += 1
        finally:
            stop.set()
            writer.join()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(dict(swap(args.times, args.seed)))
