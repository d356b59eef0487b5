"""Items listed episode by episode; where a batch of them comes from, and its scalar fields."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import fields
from tfds_atari_replay.replay.batches import Array, Batch
from tfds_atari_replay.replay.indices import default_integer
from tfds_atari_replay.replay.joined import Joined

# Items that are listed at a time.
_ITEMS_AT_ONCE = 2**20


class Episodes(NamedTuple):
    """Where the items of E episodes come from, each int32 (E,).

    Attributes:
      first: the episode's first item. An episode without items has the next one's.
      dataset: the dataset that it is in.
      start: the frame of its first step.
    """

    first: Array
    dataset: Array
    start: Array


def list_episodes(joined: Joined, counts: npt.NDArray[Any]) -> Episodes:
    """Lists the selected episodes.

    Args:
      joined: the episodes.
      counts: integers (E,), items of each.
    """
    columns = (counts.cumsum() - counts, joined.episodes["dataset"], joined.spans["start"])
    return Episodes(*(column.astype(joined.frame_dtype) for column in columns))


def find_episodes(xp: Any, episodes: Episodes, indices: Array) -> Array:
    """Returns the episode of each item, integers (N,).

    Args:
      xp: the array library's namespace.
      episodes: all of them.
      indices: integers (N,), of the items.
    """
    first = episodes.first
    return xp.searchsorted(first, xp.astype(indices, first.dtype), side="right") - 1


def label_steps(xp: Any, episodes: Episodes, episode: Array, frame: Array) -> Batch:
    """Returns the labels of steps: `dataset`, `episode` and `step`.

    Args:
      xp: the array library's namespace.
      episodes: all of them.
      episode: integers, the episode of each step.
      frame: integers, the frame of each; the two are broadcast.
    """
    labels = {
        "dataset": episodes.dataset[episode],
        "episode": episode,
        "step": frame - episodes.start[episode],
    }
    return {name: xp.astype(array, default_integer(xp)) for name, array in labels.items()}


def take_scalars(xp: Any, scalars: dict[str, Array], indices: Array) -> Batch:
    """Takes scalar fields of steps, (N,), with the dtypes that batches have.

    Args:
      xp: the array library's namespace.
      scalars: by name.
      indices: integers (N,).
    """
    taken = {name: column[indices] for name, column in scalars.items()}
    for name in fields.INTEGERS & taken.keys():
        taken[name] = xp.astype(taken[name], default_integer(xp))
    return taken


def number_frames(first: npt.NDArray[Any], counts: npt.NDArray[Any], dtype: Any) -> Any:
    """Returns the numbers of consecutive frames, for one range after the other.

    first 5, 20, counts 2, 3  ->  5 6 20 21 22
    """
    before = counts.cumsum() - counts
    frames = np.arange(counts.sum(), dtype=dtype)
    frames += np.repeat((first - before).astype(dtype), counts)
    return frames


def in_groups(
    first: npt.NDArray[Any], counts: npt.NDArray[Any]
) -> Iterator[tuple[slice, slice, npt.NDArray[Any]]]:
    """Goes through the items of E episodes, some at a time, so that temporary memory stays small.

    Args:
      first: integers (E,), the step of each episode's first item.
      counts: integers (E,), items of each.

    Yields:
      Which episodes, which items, and the step of each of these items in its episode, int64.
    """
    stops = counts.cumsum()
    cuts = np.flatnonzero(np.diff(stops // _ITEMS_AT_ONCE)) + 1
    for begin, end in itertools.pairwise([0, *cuts.tolist(), len(counts)]):
        some = slice(begin, end)
        within = number_frames(first[some], counts[some], np.int64)
        yield some, slice(stops[end - 1] - len(within), stops[end - 1]), within
