"""How a block of 64 frames is best packed: layout and codec, on the play in dummy_data.

python benchmarks/codecs.py
"""

from __future__ import annotations

import functools
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from etils import epath
from isal import isal_zlib
from zlib_ng import zlib_ng

from tfds_atari_replay import GAMES
from tfds_atari_replay.logs import layouts

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_CHECKPOINTS = {"Breakout": (1, 10, 49, 50), "Asterix": (0, 1, 2)}
_BLOCK = 64

Blocks = list[npt.NDArray[np.uint8]]


def recorded_blocks(game: str) -> tuple[Blocks, float]:
    """Blocks of recorded play, and the bytes a frame takes in the logs."""
    frames, size = [], 0
    for files in layouts.find_run(epath.Path(_ROOT / "dummy_data"), GAMES[game], 1):
        if files.number not in _CHECKPOINTS[game]:
            continue
        size += files.paths["observation"].stat().length
        frames += [np.concatenate(list(e.frames)) for e in files.open().episodes()]
    play = np.concatenate(frames)
    blocks = [play[i : i + _BLOCK] for i in range(0, len(play) - _BLOCK + 1, _BLOCK)]
    return blocks, size / len(play)


def by_frame(frames: npt.NDArray[np.uint8]) -> bytes:
    """Frame after frame."""
    return frames.tobytes()


def by_row(frames: npt.NDArray[np.uint8]) -> bytes:
    """The top row of all frames, then the next: what repeats is near."""
    return frames.swapaxes(0, 1).tobytes()


def by_change(frames: npt.NDArray[np.uint8]) -> bytes:
    """By row, only those that differ from the frame before; it is marked which do."""
    rows = frames.swapaxes(0, 1)
    is_new = np.ones(rows.shape[:2], np.bool_)
    np.any(rows[:, 1:] != rows[:, :-1], axis=2, out=is_new[:, 1:])
    return is_new.tobytes() + rows[is_new].tobytes()


def decode(packed: tf.Tensor, layout: Callable[..., Any]) -> tf.Tensor:
    """Unpacks a block."""
    raw = tf.io.decode_raw(tf.io.decode_compressed(packed, "ZLIB"), tf.uint8)
    if layout is by_frame:
        return tf.reshape(raw, (-1, 84, 84))
    if layout is by_row:
        return tf.transpose(tf.reshape(raw, (84, -1, 84)), (1, 0, 2))
    marks = 84 * _BLOCK
    index = tf.reshape(tf.cumsum(tf.cast(raw[:marks], tf.int32)) - 1, (84, _BLOCK))
    return tf.gather(tf.reshape(raw[marks:], (-1, 84)), tf.transpose(index))


def main() -> None:
    """Prints the table."""
    codecs: dict[str, Callable[[Any], bytes]] = {
        "ISA-L 1": lambda data: isal_zlib.compress(data, 1),
        "ISA-L 3": lambda data: isal_zlib.compress(data, 3),
        **{f"zlib-ng {n}": functools.partial(_zlib_ng, level=n) for n in range(2, 10)},
    }
    for game in _CHECKPOINTS:
        blocks, source = recorded_blocks(game)
        count = len(blocks) * _BLOCK
        print(f"{game}: {count:,} frames, {source:.0f} bytes each in the logs (gzip -9)")
        print("layout    codec      encode us   bytes  of source  decode us")
        for layout in (by_frame, by_row, by_change):
            for name, compress in codecs.items():
                start = time.perf_counter()
                packed = [compress(layout(block)) for block in blocks]
                encode = (time.perf_counter() - start) / count
                size = sum(map(len, packed)) / count
                dataset = tf.data.Dataset.from_tensor_slices(packed).cache().repeat(10)
                dataset = dataset.map(functools.partial(decode, layout=layout))
                for _ in range(2):  # the first fills the cache
                    start = time.perf_counter()
                    seen = sum(1 for _ in dataset)
                    seconds = (time.perf_counter() - start) / seen / _BLOCK
                print(
                    f"{layout.__name__:10}{name:10}{encode * 1e6:10.1f}{size:8.0f}"
                    f"{size / source:11.2f}{seconds * 1e6:11.1f}"
                )


def _zlib_ng(data: Any, level: int) -> bytes:
    return zlib_ng.compress(data, level)


if __name__ == "__main__":
    main()
