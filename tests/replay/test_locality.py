"""Sorted tables give the same frames, with the rows of long use in front."""

import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay.replay import locality


def write(folder: pathlib.Path, **arrays: list[list[int]]) -> None:
    """Stores tables as `packing` does, narrower."""
    for name, rows in arrays.items():
        dtype = np.uint8 if name == "units" else np.int32
        np.save(folder / f"{name}.npy", np.array(rows, dtype))


def read(folder: pathlib.Path, name: str) -> list[list[int]]:
    """A stored table."""
    rows: list[list[int]] = np.load(folder / f"{name}.npy").tolist()
    return rows


def test_rows_of_long_use_come_first(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Group 2, of units 2 and 3, is used in frames 1 to 5, and the other groups once."""
    monkeypatch.setattr(locality, "_LONG", 4)
    write(
        tmp_path,
        units=[[0], [10], [20], [30], [40], [50]],
        groups=[[0, 0], [1, 1], [2, 3], [1, 4], [5, 5]],
        index=[[0], [2], [1], [3], [4], [2]],
    )
    locality.sort_by_lifetime(tmp_path)
    assert read(tmp_path, "units") == [[0], [20], [30], [10], [40], [50]]
    assert read(tmp_path, "groups") == [[0, 0], [1, 2], [3, 3], [3, 4], [5, 5]]
    assert read(tmp_path, "index") == [[0], [1], [2], [3], [4], [1]]
    assert {path.suffix for path in tmp_path.iterdir()} == {".npy"}


@settings(max_examples=50)
@given(st.data())
def test_frames_stay_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever is long, and however many rows are copied at a time."""
    numbers = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    num_frames, num_groups, num_units = (data.draw(st.integers(1, 40)) for _ in range(3))
    folder = tmp_path_factory.mktemp("tables")
    groups = numbers.integers(num_units, size=(num_groups, 3))
    groups[0] = 0
    index = numbers.integers(num_groups, size=(num_frames, 2))
    units = np.arange(num_units)[:, np.newaxis]
    write(folder, units=units.tolist(), groups=groups.tolist(), index=index.tolist())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locality, "_LONG", data.draw(st.integers(1, 40)))
        patch.setattr(locality, "_ROWS_AT_ONCE", data.draw(st.integers(1, 10)))
        locality.sort_by_lifetime(folder)
    sorted_units, sorted_groups, sorted_index = (
        np.array(read(folder, name)) for name in ("units", "groups", "index")
    )
    np.testing.assert_array_equal(sorted_units[sorted_groups[sorted_index]], units[groups[index]])
    assert sorted_units[0] == 0
    assert not sorted_groups[0].any()
