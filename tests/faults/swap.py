"""Reads logs while something writes there, and looks at what was read.

  PYTHONPATH=tests python -m faults.swap [--times 1000] [--seed 0] [--layout NAME] [--reader NAME]

Two checkpoints take each other's place, file by file, while they are read. Each file is whole at
all times; only together they are not. What is read must be what lay there at one moment, to the
last step, or be refused. One of the files gives a real error of the disk now and then.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import hashlib
import itertools
import os
import pathlib
import random
import tempfile
import threading
from typing import Any

import tqdm
from helpers.logs import find_checkpoint, log_folder, make_episodes, write_log
from helpers.unplugged import write_unplugged

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs.files import OpenedCheckpoint

_EIO = "/proc/self/mem"
"""A file that opens, and whose first byte nobody can read: an input/output error."""

_BROKEN = "broken"


def _hash_episodes(opened: OpenedCheckpoint, made: Any) -> None:
    for episode in opened.episodes():
        for frames in episode.frames:
            made.update(frames.tobytes())
        made.update(episode.action.tobytes() + episode.reward.tobytes())
        made.update(bytes([episode.starts_at_reset, episode.ends_in_terminal]))


def _hash_rows(opened: OpenedCheckpoint, made: Any) -> None:
    for array in dataclasses.astuple(opened.rows()):
        made.update(array.tobytes())


READERS = {"episodes": _hash_episodes, "rows": _hash_rows}
"""Ways to read all that a checkpoint holds."""


def _write_dopamine(root: pathlib.Path, lengths: list[int]) -> None:
    write_log(log_folder(root), 600, make_episodes(lengths))


def _write_unplugged(root: pathlib.Path, lengths: list[int]) -> None:
    write_unplugged(root / "Breakout" / "run_1-00001-of-00050", make_episodes(lengths))


WRITERS = {"dopamine": _write_dopamine, "rl_unplugged": _write_unplugged}
"""By layout. Checkpoint 1 is whole in both."""


Mixture = tuple[str, ...]
"""For each file, in order, which of the two checkpoints it is from."""


class Place:
    """Where files of the two take each other's place, and what lay there when."""

    def __init__(self, root: pathlib.Path, layout: str):
        self.root = root
        self._contents: dict[str, dict[str, bytes]] = {}
        for name, lengths in (("one", [300, 250, 700]), ("other", [211, 500, 444])):
            WRITERS[layout](root / name, lengths)
            files = find_checkpoint(root / name, "Breakout", 1, 1)
            paths = files.paths.values()
            self._contents[name] = {path.name: path.read_bytes() for path in paths}
            self._folder = root / os.path.relpath(files.folder, root / name)
        self.files = tuple(self._contents["one"])
        self._folder.mkdir(parents=True)
        self.history: list[Mixture] = [("one",) * len(self.files)]
        """What lay here, and what may do so by now."""
        self.done = 1
        """How much of the history has happened."""
        for file in self.files:
            self._put(file, "one")

    def _put(self, file: str, name: str) -> None:
        path = self._folder / file
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
        # So that reading ends before, meanwhile and after, whatever the layout.
        pause = 0.01 if len(self.files) > 1 else 0.2
        while not stop.wait(rng.uniform(0, pause)):
            name = rng.choice(["one", "other"])
            for file in rng.sample(self.files, len(self.files)):
                self.replace(file, _BROKEN if rng.random() < 0.003 else name)
                stop.wait(rng.uniform(0, 0.002))


def read_or_refuse(root: pathlib.Path, reader: str) -> tuple[str, str]:
    """How it ended, and the digest or the error."""
    made = hashlib.sha256()
    try:
        READERS[reader](find_checkpoint(root, "Breakout", 1, 1).open(), made)
        return "read", made.hexdigest()
    except ReplayLogError as error:
        kinds = ("changed while it was read", "cannot be read", "rows, 'observation' has")
        return next((kind for kind in kinds if kind in str(error)), str(error)), str(error)


def swap(layout: str, reader: str, times: int, seed: int) -> collections.Counter[str]:
    """Counts how readings ended; an assertion tells of one that mixed what lay there."""
    rng = random.Random(seed)
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as top:
        place = Place(pathlib.Path(top), layout)
        digests: dict[Mixture, str] = {}
        for mixture in itertools.product(["one", "other"], repeat=len(place.files)):
            for file, name in zip(place.files, mixture, strict=True):
                place.replace(file, name)
            digests[mixture] = read_or_refuse(place.root, reader)[1]
        stop = threading.Event()
        writer = threading.Thread(target=place.keep_swapping, args=(rng, stop))
        writer.start()
        try:
            for _ in tqdm.trange(times, desc="Reading", unit=" times", disable=None):
                first = place.done - 1
                how, got = read_or_refuse(place.root, reader)
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
    parser.add_argument("--layout", choices=WRITERS)
    parser.add_argument("--reader", choices=READERS)
    args = parser.parse_args()
    for layout in [args.layout] if args.layout else WRITERS:
        for reader in [args.reader] if args.reader else READERS:
            print(layout, reader, dict(swap(layout, reader, args.times, args.seed)))
