"""One rule for indices, whatever a source gives and wherever its arrays are."""

from __future__ import annotations

import functools
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from helpers.datasets import ROOT
from helpers.indices import check_indices, sources_of
from helpers.replays import make_replay
from helpers.steps import make_steps

from tfds_atari_replay import load_replay
from tfds_atari_replay.replay.packed import ReplayChangedError

EXPERT = "atari_replay/breakout_expert_v0"


@pytest.fixture(scope="module")
def small() -> Any:
    """Twenty steps and the terminal state."""
    return make_replay([make_steps(21)])


@pytest.mark.parametrize("kind", range(4))
def test_indices(small: Any, kind: int) -> None:
    source = sources_of(small)[kind]
    check_indices(source, source, np.asarray)


@pytest.mark.parametrize("kind", range(4))
def test_indices_in_jax(small: Any, kind: int) -> None:
    jax = pytest.importorskip("jax")
    source = sources_of(small)[kind]
    check_indices(source, source.put(jax.device_put), jax.numpy.asarray)


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("is_compiled", [False, True])
def test_out_of_range_in_jax(small: Any, kind: int, is_compiled: bool) -> None:
    """Known by its reward; all others of the batch are as ever."""
    jax = pytest.importorskip("jax")
    source = sources_of(small)[kind]
    there = source.put(jax.device_put)
    gather = functools.partial(jax.jit(there.gather), there.arrays)
    batch = (gather if is_compiled else there.__getitem__)(jax.numpy.array([3, 20, -1, -21, 7]))
    expected = source[[3, 7]]
    for name, values in expected.items():
        np.testing.assert_array_equal(np.asarray(batch[name])[[0, 4]], values)
    for name in {"reward", "return_to_go"} & set(batch):
        assert batch[name].dtype == np.float32
        assert np.isnan(np.asarray(batch[name])[1:4]).all()
    if "mask" in batch:
        assert not np.asarray(batch["mask"])[1:4].any()


def test_a_source_without_items() -> None:
    source = make_replay([make_steps(2, starts_at_reset=False)]).transitions()
    assert len(source) == 0
    assert not list(source)
    assert source[[]]["observation"].shape == (0, 4, 84, 84)
    with pytest.raises(IndexError, match="there is no item"):
        source[0]


@pytest.fixture
def data_dir(expert: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A relative path to a dataset."""
    shutil.copytree(expert.data_path.parents[2], tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return pathlib.Path("data")


def test_a_relative_folder_may_be_left(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Hydra does in every job; and workers are started elsewhere."""
    sources = [
        load_replay(EXPERT, data_dir=data_dir).transitions(),
        load_replay([EXPERT, EXPERT], data_dir=data_dir).transitions(),
        load_replay(EXPERT, data_dir=data_dir, cache_dir="cache").sequences(3),
    ]
    expected = [float(source[:]["reward"].sum()) for source in sources]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    copies = [pickle.loads(pickle.dumps(source)) for source in sources]
    assert [float(copy[:]["reward"].sum()) for copy in copies] == expected


POOL = """
import multiprocessing, os, sys
from tfds_atari_replay import load_replay

def add(source):
    return float(source[:]["reward"].sum())

if __name__ == "__main__":
    source = load_replay("atari_replay/breakout_expert_v0", data_dir="data").transitions()
    os.chdir("/")
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map_async(add, [source, source]).get(60) == [add(source)] * 2)
        os.rename(sys.argv[2], sys.argv[2] + ".gone")
        try:
            pool.apply_async(add, [source]).get(60)
        except Exception as error:
            print(type(error).__name__, "load_replay" in str(error))
"""


@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=pytest.mark.slow)])
def test_pools_of_processes_in_another_folder(data_dir: pathlib.Path, method: str) -> None:
    """And without the files: if unpickling a task fails, its result is waited for forever."""
    pathlib.Path("pool.py").write_text(POOL)
    folder = (data_dir / EXPERT / "1.0.0" / "replay").absolute()
    output = subprocess.run(
        [sys.executable, "pool.py", method, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert output.splitlines() == ["True", "ReplayChangedError True"]


def test_unpickling_without_the_files(data_dir: pathlib.Path) -> None:
    """No OSError, which pools of processes take for a closed pipe."""
    data = pickle.dumps(load_replay(EXPERT, data_dir=data_dir).transitions())
    shutil.rmtree(data_dir)
    with pytest.raises(ReplayChangedError, match=r"Call load_replay again") as error:
        pickle.loads(data)
    assert not isinstance(error.value, OSError)
    assert str(data_dir.absolute()) in str(error.value)
