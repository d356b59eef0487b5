"""Reads logs that are damaged at random, but with an eye for what the bytes mean.

  PYTHONPATH=tests python -m faults.fuzz [--inputs 100000] [--seed 0]

Both readers are fed: npy in gzip as Dopamine writes them, and Examples with PNGs in TFRecord in
gzip as RL Unplugged has them. Damage is done at each layer, and what lies above is packed again as
it should be: bytes of the file, of what is in the gzip, of a header, a record, a field, a picture.
What is read may be whole or an error of ours, with the file's name. Anything else is a failure, and
so is an input that takes more than a few seconds, or memory that grows.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import logging
import pathlib
import random
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import tqdm
from helpers.logs import find_checkpoint, log_folder, make_episodes, write_log
from helpers.processes import peak_memory
from helpers.unplugged import masked_checksum, unplugged_example, write_records

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs import inspection

SECONDS = 5.0  # of the processor, all threads together
MEGABYTES = 300

# Numbers at which something ends.
_EDGES = (0, 1, -1, 2, 41, 84, 255, 2**16, 2**31 - 1, 2**31, -(2**31), 2**32, 2**63 - 1, 10**12)
_TOKENS = (
    *("(", ")", "[", "{", "}", "'", '"', ",", ":", "\\", "\0", "#", "-", "e9", "j", "L", "None"),
    *("True", "False", "'shape'", "'descr'", "'fortran_order'", "'|u1'", "'<i4'", "'<f4'", "'|O'"),
    *("'<U9'", "'|V0'", "[('a', '<i4')]", "'<M8[ns]'", "[[('a', ('<i4', (2**30,)))]]"),
    *map(str, _EDGES),
)


def damage_bytes(rng: random.Random, data: bytes) -> bytes:
    """A few bytes flipped, cut, repeated, inserted or overwritten."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(6)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del changed[place:]
        elif kind == 2:
            del changed[place : place + rng.choice((1, 4, 100))]
        elif kind == 3:
            changed[place:place] = rng.randbytes(rng.choice((1, 4, 100)))
        elif kind == 4:
            changed[place:place] = changed[place : place + rng.choice((8, 1000))]
        else:
            number = rng.choice(_EDGES) % 2**64
            changed[place : place + 8] = number.to_bytes(8, rng.choice(("little", "big")))
    return bytes(changed)


def pack(rng: random.Random, data: bytes) -> bytes:
    """In gzip, at times in several members, or with more behind."""
    packed = gzip.compress(data, rng.choice((0, 1, 9)), mtime=0)
    kind = rng.randrange(12)
    if kind == 0:
        cut = rng.randrange(len(data) + 1)
        packed = gzip.compress(data[:cut], mtime=0) + gzip.compress(data[cut:], mtime=0)
    elif kind == 1:
        packed += rng.choice((b"\0" * 9, b"more", gzip.compress(b"more"), packed))
    elif kind == 2:
        # A bomb: 30 MB that a few KB unpack to.
        packed = gzip.compress(data + b"\0" * 30_000_000, 9, mtime=0)
    return packed


class Logs:
    """A checkpoint as Dopamine writes it."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.folder = log_folder(root)
        write_log(self.folder, 40, make_episodes([30, 30, 40]))
        self.paths = [
            self.folder / f"{prefix}{name}_ckpt.{number}.gz"
            for number in (1, 2)
            for prefix, name in (
                *(("$store$_", name) for name in ("observation", "action", "reward", "terminal")),
                ("", "add_count"),
            )
        ]

    def damaged(self, rng: random.Random, whole: bytes) -> bytes:
        """A file's bytes, damaged at some layer."""
        array = gzip.decompress(whole)
        layers: list[Callable[[], bytes]] = [
            lambda: damage_bytes(rng, whole),
            lambda: pack(rng, damage_bytes(rng, array)),
            lambda: pack(rng, array[:10] + damage_bytes(rng, array[10:128]) + array[128:]),
            lambda: pack(rng, self._with_header(rng, array)),
            lambda: pack(rng, self._with_header(rng, array)),
            lambda: rng.choice(self.paths).read_bytes(),  # another array, whole
            lambda: pack(rng, rng.choice((b"", b"\x93NUMPY", array * 2, array[:128]))),
        ]
        return rng.choice(layers)()

    def _with_header(self, rng: random.Random, array: bytes) -> bytes:
        words = array[10:128].decode().replace("(", " ( ").replace(",", " , ").split(" ")
        for _ in range(rng.choice((1, 1, 2, 4))):
            words[rng.randrange(len(words))] = rng.choice(_TOKENS) * rng.choice((1, 1, 1, 300))
        header = " ".join(words).encode()
        version = rng.choice((1, 1, 1, 2, 3))
        size = len(header) if rng.random() < 0.9 else rng.choice(_EDGES) % 2**31
        length = (size % 2**16).to_bytes(2, "little") if version == 1 else struct.pack("<I", size)
        return b"\x93NUMPY" + bytes((version, 0)) + length + header + array[128:]

    def read(self) -> None:
        """Reads what a build reads."""
        for number in (1, 2):
            for episode in find_checkpoint(self.root, "Breakout", 1, number).open().episodes():
                for frames in episode.frames:
                    assert frames.shape[1:] == (84, 84)


class Unplugged:
    """A checkpoint as RL Unplugged has it."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.folder = root / "Breakout"
        self.folder.mkdir()
        self.paths = [self.folder / "run_1-00001-of-00050"]
        self._truths = make_episodes([4, 6])
        self._examples = [unplugged_example(1, i, e) for i, e in enumerate(self._truths)]
        write_records(self.paths[0], self._examples)
        self._png = cv2.imencode(".png", self._truths[0].frames[0])[1].tobytes()

    def damaged(self, rng: random.Random, whole: bytes) -> bytes:
        """The file's bytes, damaged at some layer."""
        records = gzip.decompress(whole)
        layers: list[Callable[[], bytes]] = [
            lambda: damage_bytes(rng, whole),
            lambda: pack(rng, damage_bytes(rng, records)),
            lambda: pack(rng, self._with_length(rng, records)),
            lambda: pack(rng, self._records([damage_bytes(rng, e) for e in self._examples])),
            lambda: pack(rng, self._records([self._with_field(rng)])),
            lambda: pack(rng, self._records([self._with_png(rng)])),
            lambda: pack(rng, self._records([self._with_png(rng)])),
        ]
        return rng.choice(layers)()

    @staticmethod
    def _records(examples: list[bytes]) -> bytes:
        return b"".join(
            part + masked_checksum(part)
            for example in examples
            for part in (len(example).to_bytes(8, "little"), example)
        )

    def _with_length(self, rng: random.Random, records: bytes) -> bytes:
        number = rng.choice((*_EDGES, 2**26, 2**26 + 1, len(records))) % 2**64
        return number.to_bytes(8, "little") + records[8:]

    def _with_field(self, rng: random.Random) -> bytes:
        number = rng.choice([n for n in _EDGES if abs(n) < 2**63])
        count = rng.choice((0, 1, 4, 5, 6, 1000))
        fields: dict[str, list[Any]] = {
            "actions": [number] * count,
            "checkpoint_idx": [number] * rng.choice((0, 1, 2)),
            "episode_idx": [number] * rng.choice((0, 1, 2)),
            "clipped_rewards": [rng.choice((float("nan"), float("inf"), -1e30, 0.0))] * count,
            "discounts": [rng.choice((float("nan"), 0.0, 0.5, 1.0))] * count,
            "observations": [rng.choice((b"", self._png, b"\x89PNG\r\n\x1a\n"))] * count,
        }
        chosen = rng.sample(list(fields), rng.choice((1, 2, 6)))
        return unplugged_example(1, 0, self._truths[0], **{name: fields[name] for name in chosen})

    def _with_png(self, rng: random.Random) -> bytes:
        png = self._png
        kind = rng.randrange(5)
        if kind == 0:
            png = damage_bytes(rng, png)
        elif kind == 1:  # sizes, depths and kinds of colour
            head = struct.pack(
                ">IIBBBBB",
                rng.choice((84, 84, 30_000, 2**31 - 1, 0, 83)),
                rng.choice((84, 84, 30_000, 2**31 - 1, 0, 85)),
                rng.choice((1, 2, 4, 8, 16, 99)),
                rng.choice((0, 2, 3, 4, 6, 77)),
                *(rng.choice((0, 0, 0, 1)) for _ in range(3)),
            )
            png = png[:12] + self._chunk(b"IHDR", head)[4:] + png[33:]
        elif kind == 2:  # pixels that unpack to more, or less
            size = rng.choice((0, 1, 85 * 84, 10**7))
            data = zlib.compress(rng.choice((b"\0", b"\5")) * size)
            png = png[:33] + self._chunk(b"IDAT", data) + self._chunk(b"IEND", b"")
        elif kind == 3:  # other chunks before the pixels
            name = rng.choice((b"iCCP", b"zTXt", b"iTXt", b"acTL", b"tRNS", b"PLTE", b"eXIf"))
            data = rng.choice((b"", b"a\0\0" + zlib.compress(b"\0" * 10**7), rng.randbytes(50)))
            png = png[:33] + self._chunk(name, data) + png[33:]
        else:
            png = png[: rng.randrange(len(png))]
        return unplugged_example(1, 0, self._truths[0], observations=[self._png] * 4 + [png])

    @staticmethod
    def _chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    def read(self) -> None:
        """Reads what a build reads."""
        for episode in find_checkpoint(self.root, "Breakout", 1, 1).open().episodes():
            for frames in episode.frames:
                assert frames.shape[1:] == (84, 84)


READERS: dict[str, type[Logs | Unplugged]] = {"npy": Logs, "TFRecord": Unplugged}


def feed(logs: Logs | Unplugged, number: int) -> str:
    """Reads what is there, or has it inspected; says how that ended."""
    if number % 20 == 0:
        inspection.inspect(logs.root, deep=number % 40 == 0)
        return "inspected"
    try:
        logs.read()
    except ReplayLogError as error:
        if str(logs.folder) in str(error):
            return "refused"
        raise
    return "read"


def fuzz(reader: str, inputs: int, seed: int) -> collections.Counter[str]:
    """Feeds a reader; counts what came of it. An assertion shows the input that was too much."""
    rng = random.Random(f"{seed} {reader}")
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as top:
        logs = READERS[reader](pathlib.Path(top))
        logs.read()
        whole = {path: path.read_bytes() for path in logs.paths}
        start = peak_memory()
        for number in tqdm.trange(inputs, desc=reader, unit=" inputs", disable=None):
            path = rng.choice(logs.paths)
            path.write_bytes(logs.damaged(rng, whole[path]))
            begin = time.process_time()
            try:
                found[feed(logs, number)] += 1
            except BaseException:
                keep = pathlib.Path(tempfile.mkdtemp()) / path.name
                path.rename(keep)
                print(f"\n{reader}, seed {seed}, input {number}: see {keep}", file=sys.stderr)
                raise
            seconds = time.process_time() - begin
            assert seconds < SECONDS, f"{reader}, seed {seed}, input {number}: {seconds:.1f} s"
            path.write_bytes(whole[path])
        grown = (peak_memory() - start) / 1e6
        assert grown < MEGABYTES, f"{reader}, seed {seed}: memory grew by {grown:.0f} MB"
        found["peak MB"] = round(grown)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    for name in READERS:
        print(name, dict(fuzz(name, args.inputs, args.seed)), flush=True)
