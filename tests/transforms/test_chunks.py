"""Stored blocks and decoded steps are cut into the same chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from helpers.options import number_of
from helpers.steps import UNDECODED, as_dataset, make_steps

from tfds_atari_replay import blocks
from tfds_atari_replay.transforms import chunks
from tfds_atari_replay.windows.rule import Starts, Window

Chunks = list[tuple[list[int], list[Any]]]
"""Numbers of the frames of each chunk; action, reward and discount of each slot, or None."""


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks have four steps, as in the module's docstring."""
    monkeypatch.setattr(blocks, "BLOCK_LENGTH", 4)
    monkeypatch.setattr(blocks, "LEAD", 2)
    monkeypatch.setattr(chunks, "STEPS_PER_CHUNK", 4)


def to_chunk(frames: Any, length: Any, starts: Starts, window: Window) -> tuple[Any, Any]:
    """The parts of a chunk that mean something."""
    columns = (starts.scalars["action"], starts.scalars["reward"], starts.discount)
    slots = zip(*(column.numpy().tolist() for column in columns), strict=True)
    numbers = number_of(frames.numpy())[: window.length - 1 + length]
    return numbers.tolist(), [
        slot if is_valid else None for slot, is_valid in zip(slots, starts.is_valid, strict=True)
    ]


def cut_stored(steps: Any, window: Window) -> Chunks:
    (episode,) = as_dataset([steps], UNDECODED)
    cut = chunks.unpack_chunks(chunks.cut_stored_episode(episode["steps"], window), window)
    frames = tf.gather(cut.rows, cut.index)
    each = tf.data.Dataset.from_tensor_slices((frames, cut.length, cut.starts))
    return [to_chunk(frames, length, starts, window) for frames, length, starts in each]


def cut_decoded(steps: Any, window: Window) -> Chunks:
    (episode,) = as_dataset([steps])
    cut = chunks.cut_steps(episode["steps"], window)
    return [to_chunk(chunk.frames, chunk.length, chunk.starts, window) for chunk in cut]


@pytest.mark.parametrize("cut", [cut_stored, cut_decoded])
def test_a_window_belongs_to_the_chunk_in_which_it_ends(cut: Callable[..., Chunks]) -> None:
    """The example of the module's docstring, with frames from 1 and actions from 0."""
    window = Window(stack_size=2, n_step=1, gamma=0.5)
    assert cut(make_steps(10), window) == [
        ([0, 0, 1, 2, 3, 4], [None, (0, -3, 0.5), (1, -2, 0.5), (2, -1, 0.5)]),
        ([3, 4, 5, 6, 7, 8], [(3, 0, 0.5), (4, 1, 0.5), (5, 2, 0.5), (6, 3, 0.5)]),
        ([7, 8, 9, 0], [(7, -3, 0.5), (8, -2, 0), None, None]),
    ]


@pytest.mark.parametrize("cut", [cut_stored, cut_decoded])
def test_the_last_chunk_has_slots_for_windows_beyond_the_end(cut: Callable[..., Chunks]) -> None:
    """Windows of four frames need one more than a block's lead."""
    window = Window(stack_size=1, n_step=3, gamma=0.5)
    assert cut(make_steps(6), window) == [
        ([0, 0, 0, 1, 2, 3, 4], [None, None, None, (0, -4.25, 0.125), None, None]),
        ([2, 3, 4, 5, 0], [(1, -2.5, 0.125), (2, -0.75, 0), (3, 0.5, 0), (4, 1, 0), None, None]),
    ]


@pytest.mark.parametrize("cut", [cut_stored, cut_decoded])
def test_a_piece_of_an_episode_has_no_stacks_that_reach_before_it(
    cut: Callable[..., Chunks],
) -> None:
    """Windows of eight frames reach back over a whole chunk."""
    window = Window(stack_size=7, n_step=1, gamma=0.5)
    piece = make_steps(9, starts_at_reset=False, ends_in_terminal=False)
    assert [slots for _, slots in cut(piece, window)] == [
        [None] * 4,
        [None, None, None, (6, 3, 0.5)],
        [(7, -3, 0.5), None, None, None],
    ]
    whole = make_steps(9, ends_in_terminal=False)
    numbers = [n for _, slots in cut(whole, window) for n, _, _ in filter(None, slots)]
    assert numbers == list(range(8))
