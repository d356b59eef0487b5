"""Packed files, mapped again in other processes and folders, and files that are gone or wrong."""

from __future__ import annotations

import multiprocessing
import operator
import os
import pathlib
import pickle
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers.replays import make_replay, pack_steps
from helpers.steps import make_steps
from helpers.transitions import assert_same, count_transitions, in_batches

from tfds_atari_replay import load_replay
from tfds_atari_replay.replay.packed import map_folder

NAME = "atari_replay/breakout_expert_v0"
INDICES = [3, 700, 3]


@pytest.fixture
def folder(expert: Any, tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with `data`, where a dataset is that a test may delete, and an empty `elsewhere`."""
    shutil.copytree(expert.data_path.parents[2], tmp_path / "data")
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


@pytest.fixture
def relative(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A replay loaded by a relative path; the current folder has changed since, as Hydra does."""
    monkeypatch.chdir(folder)
    replay = load_replay(NAME, data_dir="data")
    monkeypatch.chdir(folder / "elsewhere")
    return replay


@pytest.fixture
def pool() -> Iterator[Any]:
    """A pool with a spawned worker, which is in a different folder."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, initializer=os.chdir, initargs=("/",)) as pool:
        yield pool


def test_the_current_folder_does_not_matter(
    relative: Any, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [relative.transitions(), relative.sequences(5)]
    data = pickle.dumps([relative, *sources])
    monkeypatch.chdir("/")
    replay, *copies = pickle.loads(data)
    np.testing.assert_array_equal(replay.episodes, relative.episodes)
    for source, copy in zip(sources, copies, strict=True):
        expected = source[INDICES]
        assert_same(copy[INDICES], expected)
        assert_same(pool.apply(operator.getitem, (source, INDICES)), expected)


def test_several_datasets_in_another_folder(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    source = load_replay([NAME, NAME], data_dir="data").transitions()
    monkeypatch.chdir(folder / "elsewhere")
    copy = pickle.loads(pickle.dumps(source))
    assert_same(copy[[3, 2000]], source[[3, 2000]])


def test_files_that_are_gone(folder: pathlib.Path, relative: Any) -> None:
    data = pickle.dumps(relative.transitions())
    shutil.rmtree(folder / "data")
    with pytest.raises(RuntimeError, match=r"data/.*no longer what .*Call load_replay again"):
        pickle.loads(data)


def test_a_pool_hears_of_files_that_are_gone(folder: pathlib.Path, relative: Any) -> None:
    """The error reaches the caller, who would otherwise wait forever."""
    source = relative.transitions()
    context = multiprocessing.get_context("spawn")
    shutil.rmtree(folder / "data")
    with context.Pool(1, initializer=print, initargs=(source,)) as pool:
        assert pool.apply_async(len, (source,)).get(timeout=20) == len(source)
        assert pool.apply_async(repr, (source,)).get(timeout=20) == repr(source)
        assert pool.apply_async(repr, (relative,)).get(timeout=20) == (
            f"Replay({NAME}: its files are gone)"
        )
        for function, arguments in (
            (operator.getitem, (source, 7)),
            (operator.getitem, (source, INDICES)),
            (operator.attrgetter("episodes"), (relative,)),
            (operator.methodcaller("transitions"), (relative,)),
        ):
            with pytest.raises(RuntimeError, match=r"data/.*no longer.*Call load_replay again"):
                pool.apply_async(function, arguments).get(timeout=20)
        returned: Any = pool.apply_async(operator.itemgetter(0), ([source],)).get(timeout=20)
    with pytest.raises(RuntimeError, match=r"data/.*no longer.*Call load_replay again"):
        returned[7]


@pytest.mark.parametrize(
    ("name", "array"),
    [("units", np.zeros((3, 99), np.uint8)), ("reward", np.zeros(3, np.float64))],
)
def test_files_that_hold_something_else(name: str, array: Any, tmp_path: pathlib.Path) -> None:
    pack_steps([make_steps(9)], tmp_path)
    np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(ValueError, match=rf"{name}.npy holds {array.dtype} \(3"):
        map_folder(tmp_path, "")


def test_sources_without_files_are_pickled_whole() -> None:
    source = make_replay([make_steps(151)]).transitions()
    copy = pickle.loads(pickle.dumps(source))
    assert count_transitions(in_batches(copy)) == count_transitions(in_batches(source))
