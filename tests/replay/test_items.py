"""Items are listed in order, and their labels lead back to the steps that they come from."""

from __future__ import annotations

import pickle
from typing import Any

import array_api_compat
import numpy as np
import pytest
from helpers.replays import make_replay
from helpers.steps import make_all

from tfds_atari_replay.replay import items

JOINED = [(9, True, True), (70, True, False), (12, False, True), (131, True, False)]


def test_frames_of_ranges() -> None:
    """An episode may have none."""
    frames = items.number_frames(np.array([5, 9, 20]), np.array([2, 0, 3]), np.int32)
    np.testing.assert_array_equal(frames, np.array([5, 6, 20, 21, 22], np.int32), strict=True)


@pytest.mark.parametrize(
    ("at_once", "groups"),
    [
        (100, [((0, 4), (0, 9), [3, 4, 0, 1, 2, 3, 7, 8, 9])]),
        (
            4,
            [((0, 2), (0, 2), [3, 4]), ((2, 3), (2, 6), [0, 1, 2, 3]), ((3, 4), (6, 9), [7, 8, 9])],
        ),
    ],
)
def test_items_in_groups(at_once: int, groups: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Episodes with 2, 0, 4 and 3 items, from steps 3, 5, 0 and 7 on: no group splits one."""
    monkeypatch.setattr(items, "_ITEMS_AT_ONCE", at_once)
    first, counts = np.array([3, 5, 0, 7]), np.array([2, 0, 4, 3])
    found = [
        ((some.start, some.stop), (listed.start, listed.stop), within.tolist())
        for some, listed, within in items.in_groups(first, counts)
    ]
    assert found == groups


def test_episodes_of_items() -> None:
    """Two datasets, the second of which begins at frame 23; the second episode has no item."""
    replay = make_replay(
        make_all([(9, True, True), (12, False, True)]), make_all([(5, True, True)])
    )
    episodes = items.list_episodes(replay.joined, np.array([8, 0, 4]))
    assert [array.tolist() for array in episodes] == [[0, 8, 8], [0, 0, 1], [1, 11, 24]]
    xp = array_api_compat.array_namespace(episodes.first)
    indices = np.array([7, 8, 0, 11])
    found = items.find_episodes(xp, episodes, indices)
    assert found.tolist() == [0, 2, 0, 2]
    labels = items.label_steps(xp, episodes, found, np.array([8, 24, 1, 27]))
    assert {name: column.tolist() for name, column in labels.items()} == {
        "dataset": [0, 1, 0, 1],
        "episode": [0, 2, 0, 2],
        "step": [7, 0, 0, 3],
    }


def make_joined(shapes: list[tuple[int, bool, bool]]) -> Any:
    """Episodes of two datasets, the last of the second, all but the second selected."""
    episodes = make_all(shapes)
    return make_replay(episodes[:-1], episodes[-1:]).select(np.arange(len(shapes)) != 1)


@pytest.mark.parametrize("n_step", [1, 3])
def test_labels_of_transitions(n_step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each leads back to the step whose action it is; all else stays as it is without."""
    monkeypatch.setattr("tfds_atari_replay.replay.items._ITEMS_AT_ONCE", 20)
    episodes = [steps for number, steps in enumerate(make_all(JOINED)) if number != 1]
    replay = make_joined(JOINED)
    source = replay.transitions(n_step=n_step, labels=True)
    batch, plain = source[:], replay.transitions(n_step=n_step)[:]
    for name, column in plain.items():
        np.testing.assert_array_equal(batch.pop(name), column)
    assert {name: column.dtype for name, column in batch.items()} == dict.fromkeys(
        ("dataset", "episode", "step"), np.dtype(np.int64)
    )
    rows = replay.episodes[batch["episode"]]
    np.testing.assert_array_equal(batch["dataset"], rows["dataset"])
    assert set(batch["dataset"].tolist()) == {0, 1}
    for item, (episode, step) in enumerate(
        zip(batch["episode"].tolist(), batch["step"].tolist(), strict=True)
    ):
        assert episodes[episode]["action"][step] == plain["action"][item]
        frame = episodes[episode]["observation"][step, ..., 0]
        np.testing.assert_array_equal(plain["observation"][item, -1], frame)
    assert source[3]["step"] == batch["step"][3]


def test_labels_of_sequences() -> None:
    """Those of each step; -1 in the padding."""
    episodes = [steps for number, steps in enumerate(make_all(JOINED)) if number != 1]
    replay = make_joined(JOINED)
    batch = replay.sequences(7, labels=True)[:]
    for name, column in replay.sequences(7)[:].items():
        np.testing.assert_array_equal(batch[name], column)
    for name in ("dataset", "episode", "step"):
        assert batch[name].dtype == np.int64
        assert (batch[name][~batch["mask"]] == -1).all()
    mask = batch["mask"]
    episode, step = batch["episode"][mask], batch["step"][mask]
    np.testing.assert_array_equal(batch["dataset"][mask], replay.episodes["dataset"][episode])
    actions = [episodes[e]["action"][s] for e, s in zip(episode, step, strict=True)]
    np.testing.assert_array_equal(batch["action"][mask], actions)


@pytest.mark.parametrize("kind", ["transitions", "sequences"])
def test_labels_on_a_device_and_pickled(kind: str) -> None:
    jax = pytest.importorskip("jax")
    arguments = {"length": 7} if kind == "sequences" else {}
    source = getattr(make_joined(JOINED), kind)(**arguments, labels=True)
    indices = np.array([0, 40, 9])
    expected = source[indices]
    moved = source.put(jax.device_put)
    for other in (pickle.loads(pickle.dumps(source)), moved):
        batch = other[indices]
        for name in ("dataset", "episode", "step"):
            np.testing.assert_array_equal(np.asarray(batch[name]), expected[name])
