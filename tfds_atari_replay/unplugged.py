"""One checkpoint of RL Unplugged, the other public copy of the same play, as episodes.

A file is a GZIP TFRecord of one tf.train.Example an episode. Source of the facts: TFDS's builder
rlu_atari (rl_unplugged/atari_utils.py), against which tests hold what is read here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.episodes import Episode
from tfds_atari_replay.replay_logs import (
    FRAME_SHAPE,
    CheckpointFiles,
    DamageError,
    naming,
    open_gzip,
    read_exactly,
)
from tfds_atari_replay.threads import map_ahead

# Around its data a record has its length (uint64) and a checksum of that (uint32), and behind it a
# checksum of the data (uint32). gzip's own checksum, over all of it, is compared instead.
_HEAD, _FOOT = 12, 4
# An episode has 27,001 frames at most, and no PNG of one is longer than the frame itself by much.
_MAX_RECORD = 2**28

_PNG = b"\x89PNG\r\n\x1a\n"

_logger = logging.getLogger(__name__)

Frames = npt.NDArray[np.uint8]


def read_episodes(files: CheckpointFiles, frames_at_once: int = 64) -> Iterator[Episode]:
    """Gives the episodes of a checkpoint in the order of the file.

    One episode's packed frames are in memory at a time. What the file does not say: whether its
    first episode begins at a reset or is the rest of one. All are taken to begin at a reset, as in
    rlu_atari, but for a terminal state alone, which no reset leads to. What it has more than
    Dopamine's logs: the frame of the terminal state.

    Args:
      files: with one path, `episodes`.
      frames_at_once: how many frames `Episode.frames` gives at a time.

    Returns:
      Episodes whose `index` is the file's `episode_idx`. If the last discount is 0, the last of its
      steps is the terminal state, of which the action and the reward mean nothing: they are left
      out.

    Raises:
      ReplayLogError: while reading, if the file is damaged, cut short or something else; gzip's
        checksum is compared after the last episode.
    """
    with naming(files, "episodes"), open_gzip(files.paths["episodes"]) as stream:
        count = 0
        for record in _read_records(stream):
            fields = _parse(record)
            if not count and (number := _one_integer(fields, "checkpoint_idx")) != files.number:
                _logger.warning(
                    "%s: %s says that it holds checkpoint %s. Was it renamed?",
                    files,
                    files.paths["episodes"],
                    number,
                )
            yield _to_episode(files, fields, frames_at_once)
            count += 1
        if not count:
            raise DamageError("expected episodes, got none")


def _read_records(stream: IO[bytes]) -> Iterator[bytes]:
    while start := stream.read(1):
        head = start + read_exactly(stream, _HEAD - 1)
        length = int.from_bytes(head[:8], "little")
        if length > _MAX_RECORD:
            raise DamageError(f"expected a TFRecord file, got a record of {length:,} bytes")
        data = read_exactly(stream, length)
        read_exactly(stream, _FOOT)
        yield data


def _parse(record: bytes) -> Any:
    """The fields of a tf.train.Example by name; one that is missing is empty."""
    # Imported here: TensorFlow takes seconds, and nothing else in this module needs it.
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2

    try:
        return example_pb2.Example.FromString(record).features.feature
    except DecodeError as error:
        raise DamageError(f"expected a tf.train.Example in each record: {error}") from error


def _one_integer(fields: Any, name: str) -> int:
    values = list(fields[name].int64_list.value)
    if len(values) != 1:
        raise DamageError(f"expected one {name} in each record, got {len(values)}")
    return int(values[0])


def _to_episode(files: CheckpointFiles, fields: Any, frames_at_once: int) -> Episode:
    index = _one_integer(fields, "episode_idx")
    packed = fields["observations"].bytes_list.value
    columns = {
        "actions": fields["actions"].int64_list.value,
        "clipped_rewards": fields["clipped_rewards"].float_list.value,
        "discounts": fields["discounts"].float_list.value,
    }
    lengths = {"observations": len(packed), **{name: len(c) for name, c in columns.items()}}
    where = f"episode {index}"
    if not packed or len(set(lengths.values())) > 1:
        raise DamageError(f"{where}: expected fields of one length, at least 1, got {lengths}")
    action = np.fromiter(columns["actions"], np.int64, len(packed))
    reward = np.fromiter(columns["clipped_rewards"], np.float32, len(packed))
    discount = np.fromiter(columns["discounts"], np.float32, len(packed))
    # A discount comes one step late: that of the last step says how the action before it ended.
    ended = bool(discount[-1] == 0)
    if not discount[1:-1].all():
        raise DamageError(f"{where}: expected a discount of 0 in the last step only")
    length = len(packed) - ended
    action, reward = action[:length], reward[:length]
    actions = len(files.game.actions)
    if length and not 0 <= action.min() <= action.max() < actions:
        raise DamageError(
            f"{where}: expected actions from 0 to {actions - 1}, {files.game.name}'s {actions} "
            f"(another game's file?), got {action.min()} to {action.max()}"
        )
    if not np.isfinite(reward).all():
        raise DamageError(f"{where}: expected finite rewards")
    return Episode(
        index,
        starts_at_reset=length > 0,
        ends_in_terminal=ended,
        action=action.astype(np.int32),
        reward=reward,
        frames=_unpack(files, where, list(packed), frames_at_once),
        has_terminal_frame=ended,
    )


def _unpack(
    files: CheckpointFiles, where: str, packed: list[bytes], at_once: int
) -> Iterator[Frames]:
    pieces = (packed[start : start + at_once] for start in range(0, len(packed), at_once))
    with naming(files, "episodes"):
        yield from map_ahead(lambda piece: _decode_png(where, piece), pieces)


def _decode_png(where: str, packed: list[bytes]) -> Frames:
    import cv2

    frames = np.empty((len(packed), *FRAME_SHAPE), np.uint8)
    for frame, png in zip(frames, packed, strict=True):
        expected = f"{where}: expected PNG images, uint8 {FRAME_SHAPE}"
        if (shape := _png_shape(png)) != FRAME_SHAPE:
            raise DamageError(f"{expected}, got {f'one of the shape {shape}' if shape else None}")
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None or image.shape != FRAME_SHAPE or image.dtype != np.uint8:
            got = "a damaged one" if image is None else f"{image.dtype} {image.shape}"
            raise DamageError(f"{expected}, got {got}")
        frame[:] = image
    return frames


def _png_shape(png: bytes) -> tuple[int, int] | None:
    """The shape that a PNG's header promises; None if it is none, or is cut short.

    OpenCV makes room for as many pixels, and in each chunk for as many bytes, as it is promised.
    """
    place = 8
    while png[:8] == _PNG and place < len(png):
        kind = png[place + 4 : place + 8]
        if place == 8 and kind != b"IHDR":
            return None
        place += 12 + int.from_bytes(png[place : place + 4], "big")
        if kind == b"IEND" and place <= len(png):
            return int.from_bytes(png[20:24], "big"), int.from_bytes(png[16:20], "big")
    return None
