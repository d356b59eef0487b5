"""Reads logs while something writes there, and looks at what was read.

  PYTHONPATH=tests python -m faults.swap [--times 1000] [--seed 0]

Two checkpoints take each other's place, file by file, while they are read. Each file is whole at
all times; only together they are not. What is read must be what lay there at one moment, to the
last step, or be refused. One of the files gives a real error of the disk now and then.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import itertools
import pathlib
import random
import tempfile
import threading

import tqdm
from helpers.logs import find_checkpoint, log_folder, make_episodes, write_log

from tfds_atari_replay import ReplayLogError

_EIO = "/proc/self/mem"
"""A file that opens, and whose first byte nobody can read: an input/output error."""

_BROKEN = "broken"


def read(root: pathlib.Path) -> str:
    """A digest of all that a checkpoint holds."""
    made = hashlib.sha256()
    for episode in find_checkpoint(root, "Breakout", 1, 1).open().episodes():
        for frames in episode.frames:
            made.update(frames.tobytes())
        made.update(episode.action.tobytes() + episode.reward.tobytes())
        made.update(bytes([episode.starts_at_reset, episode.ends_in_terminal]))
    return made.hexdigest()


Mixture = tuple[str, ...]
"""For each file, in order, which of the two checkpoints it is from."""


class Place:
    """Where files of the two take each other's place, and what lay there when."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self._contents: dict[str, dict[str, bytes]] = {}
        for name, lengths in (("one", [300, 250, 700]), ("other", [211, 500, 444])):
            write_log(log_folder(root / name), 600, make_episodes(lengths))
            paths = find_checkpoint(root / name, "Breakout", 1, 1).paths.values()
            self._contents[name] = {path.name: path.read_bytes() for path in paths}
        self.files = tuple(self._contents["one"])
        log_folder(root).mkdir(parents=True)
        self.history: list[Mixture] = [("one",) * len(self.files)]
        """What lay here, and what may do so by now."""
        self.done = 1
        """How much of the history has happened."""
        for file in self.files:
            self._put(file, "one")

    def _put(self, file: str, name: str) -> None:
        path = log_folder(self.root) / file
        part = path.with_suffix(".part")
        if name == _BROKEN:
            part.symlink_to(_EIO)
        else:
            part.write_bytes(self._contents[name][file])
        part.rename(path)

    def replace(self, file: str, name: str) -> None:
        """With that of a checkpoint."""
        at = self.files.index(file)
        self.history.append((*self.history[-1][:at], name, *self.history[-1][at + 1 :]))
        self._put(file, name)
        self.done += 1

    def keep_swapping(self, rng: random.Random, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.wait(rng.uniform(0, 0.01)):
            name = rng.choice(["one", "other"])
            for file in rng.sample(self.files, len(self.files)):
                self.replace(file, _BROKEN if rng.random() < 0.003 else name)
                stop.wait(rng.uniform(0, 0.002))


def read_or_refuse(root: pathlib.Path) -> tuple[str, str]:
    """How it ended, and the digest or the error."""
    try:
        return "read", read(root)
    except ReplayLogError as error:
        kinds = ("changed while it was read", "cannot be read", "rows, 'observation' has")
        return next(kind for kind in kinds if kind in str(error)), str(error)


def swap(times: int, seed: int) -> collections.Counter[str]:
    """Counts how readings ended; an assertion tells of one that mixed what lay there."""
    rng = random.Random(seed)
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as top:
        place = Place(pathlib.Path(top))
        digests: dict[Mixture, str] = {}
        for mixture in itertools.product(["one", "other"], repeat=len(place.files)):
            for file, name in zip(place.files, mixture, strict=True):
                place.replace(file, name)
            digests[mixture] = read_or_refuse(place.root)[1]
        stop = threading.Event()
        writer = threading.Thread(target=place.keep_swapping, args=(rng, stop))
        writer.start()
        try:
            for _ in tqdm.trange(times, desc="Reading", unit=" times", disable=None):
                first = place.done - 1
                how, got = read_or_refuse(place.root)
                lay_there = [m for m in place.history[first:] if digests.get(m) == got]
                assert how != "read" or lay_there, "what was read never lay there"
                if how == "read" and not any(len(set(mixture)) == 1 for mixture in lay_there):
                    how = "read, as it lay there mixed"
                found[how] += 1
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
