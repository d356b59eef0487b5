"""Every public entry checks its arguments in the same way."""

from __future__ import annotations

import math
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.replays import make_replay
from helpers.steps import as_dataset, make_steps

from tfds_atari_replay import (
    evaluate,
    figures,
    find_game,
    frame_stack,
    load_collection,
    load_replay,
    make_env,
    transitions,
)
from tfds_atari_replay.envs.recording import record
from tfds_atari_replay.figures.episodes import Episode
from tfds_atari_replay.logs.writer import ReplayLogger

NAN = math.nan
NO_WHOLE = (1.5, 1.0, "1", None, True, [1], np.float32(1), np.bool_(True), 1j)
NO_NUMBER = ("a", None, True, [0.5], 1j)
NO_NAME = (None, 3, ["ale_py"], b"auto")

Case = tuple[str, tuple[Any, ...], tuple[Any, ...]]
"""An argument, values of the wrong type, and values out of range."""

SIZE = (NO_WHOLE, (0, -1, np.int64(0)))
SIZE_OR_NONE = (tuple(value for value in NO_WHOLE if value is not None), (0, -1))
SHARE = (NO_NUMBER, (-0.1, 1.1, NAN, math.inf, np.float32(2)))
AXIS = (NO_WHOLE, (1, -2, 3))
SEED = (NO_WHOLE, (-1,))


def choose(*allowed: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Values for the name of one of several."""
    return tuple(value for value in NO_NAME if value not in allowed), ("", "x")


def _play(**arguments: Any) -> Any:
    return evaluate(**{"policy": lambda o: np.zeros(len(o), int), "game": "pong", **arguments})


def _record(**arguments: Any) -> Any:
    return record(**{"game": "pong", "out": "logs", "steps": 5, "capacity": 9, **arguments})


def _replay(method: str) -> Any:
    replay = make_replay([make_steps(9)])
    return lambda **arguments: (
        getattr(replay, method)(**({"length": 3} if method == "sequences" else {}), **arguments)
        if "length" not in arguments
        else replay.sequences(**arguments)
    )


def _video(**arguments: Any) -> Any:
    frames = np.zeros((2, 84, 84), np.uint8)
    columns = np.zeros(2, int), np.zeros(2, np.float32)
    return Episode(
        0, 0, 2, 0.0, True, 0.0, "x", frames, *columns, np.zeros(2, np.float32), ("NOOP",)
    ).video(**arguments)


ENTRIES: dict[str, tuple[Any, dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]]] = {
    "frame_stack": (frame_stack, {"stack_size": SIZE, "axis": AXIS}),
    "transitions": (
        transitions,
        {
            "stack_size": SIZE,
            "n_step": SIZE,
            "gamma": SHARE,
            "batch_size": SIZE_OR_NONE,
            "seed": (SIZE_OR_NONE[0], (2**63,)),
            "axis": AXIS,
        },
    ),
    "Replay.transitions": (
        _replay("transitions"),
        {"stack_size": SIZE, "n_step": SIZE, "gamma": SHARE, "axis": AXIS},
    ),
    "Replay.sequences": (
        _replay("sequences"),
        {"length": SIZE, "stack_size": SIZE, "axis": AXIS},
    ),
    "load_replay": (
        load_replay,
        {"name": ((None, 3, b"x", ["x", 3]), ([], "breakot_expert_v0"))},
    ),
    "load_collection": (
        lambda **arguments: load_collection(**{"name": "atari_replay_expert5", **arguments}),
        {"name": ((None, 3, ["x"]), ("atari_replay_xprt",)), "missing": choose()},
    ),
    "evaluate": (
        _play,
        {
            "policy": ((None, 3, "x"), ()),
            "game": (NO_NAME, ("", "pongg")),
            "episodes": SIZE,
            "num_envs": SIZE,
            "epsilon": SHARE,
            "seed": SEED,
            "stack_size": SIZE,
            "axis": AXIS,
            "max_steps": SIZE,
            "roms": choose(),
            "emulator": choose(),
        },
    ),
    "make_env": (
        lambda **arguments: make_env(**{"game": "pong", **arguments}),
        {
            "game": (NO_NAME, ("", "pongg")),
            "roms": choose(),
            "emulator": choose(),
            "render_mode": choose(None),
        },
    ),
    "record": (
        _record,
        {
            "game": (NO_NAME, ("", "pongg")),
            "steps": SIZE,
            "capacity": (SIZE_OR_NONE[0], (0, 4, 10**12)),
            "policy": ((3, "x"), ()),
            "run": (NO_WHOLE, (0, -1, 2**31 + 1)),
            "seed": (SIZE_OR_NONE[0], (-1, 2**31)),
        },
    ),
    "ReplayLogger": (
        lambda **arguments: ReplayLogger(pathlib.Path("logs"), **arguments),
        {"capacity": (SIZE_OR_NONE[0], (0, 4, 10**12))},
    ),
    "find_game": (lambda **arguments: find_game(*arguments.values()), {"game": (NO_NAME, ("x",))}),
    "summarize": (figures.summarize, {"name": ((None, 3, ["x"]), ("breakot_expert_v0",))}),
    "Episode.video": (_video, {"scale": SIZE}),
}


@pytest.mark.parametrize(
    ("entry", "argument"),
    [(entry, argument) for entry, (_, arguments) in ENTRIES.items() for argument in arguments],
)
def test_bad_arguments(
    entry: str, argument: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TypeError or ValueError, with the argument's name and what was given; nothing is written."""
    monkeypatch.chdir(tmp_path)
    call, arguments = ENTRIES[entry]
    for kind, values in zip((TypeError, ValueError), arguments[argument], strict=True):
        for value in values:
            with pytest.raises(kind) as error:
                call(**{argument: value})
            said = str(error.value)
            if argument not in ("game", "name") or kind is TypeError:
                assert said.startswith(f"{argument} must "), value
            assert repr(value) in said or "GB" in said or argument == "name", value
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("split", [None, ["train"], {"train": 1}, ("train",), 3, True])
def test_a_split_that_is_none(expert: Any, split: Any) -> None:
    with pytest.raises(TypeError, match=r"split must be a single one, such as 'train\[:10%\]'"):
        load_replay("breakout_expert_v0", split=split, data_dir=expert.data_path.parents[2])


def test_what_is_no_dataset() -> None:
    for transform in (frame_stack(), transitions()):
        with pytest.raises(TypeError, match=r"Expected a tf\.data\.Dataset, .* got list"):
            transform([])


@pytest.mark.parametrize("dtype", cases(np.uint8, slow=[np.int8, np.int16, np.int64, np.uint64]))
def test_numbers_of_numpy_are_numbers(dtype: Any) -> None:
    """They give what Python's give, also where a sum or product of them would overflow."""
    replay = make_replay([make_steps(300)])
    episodes = as_dataset([make_steps(300)])
    big, small = 100, 4

    def results(number: Any) -> list[Any]:
        windows = {"stack_size": number(big), "n_step": number(big)}
        source = replay.transitions(**windows)
        batches = episodes.apply(
            transitions(**windows, batch_size=number(big), shuffle=True, seed=number(big))
        )
        stacked = episodes.apply(frame_stack(number(big)))
        return [
            source[[0, 150, len(source) - 1]],
            replay.sequences(number(big), stack_size=number(small))[[0, 298]],
            next(iter(tfds.as_numpy(batches))),
            list(next(iter(tfds.as_numpy(stacked)))["steps"])[150],
            {"video": _video(scale=number(small))},
        ]

    for got, expected in zip(results(dtype), results(int), strict=True):
        for name in expected:
            assert got[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_numbers_of_numpy_record_the_same_logs(tmp_path: pathlib.Path, dtype: Any) -> None:
    written = []
    for number in (int, dtype):
        out = tmp_path / number.__name__
        numbers: Any = {name: number(100) for name in ("steps", "capacity", "run", "seed")}
        folder = record("pong", out, **numbers)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gamma_of_numpy_is_a_number(dtype: Any) -> None:
    gamma = dtype(0.99)
    replay, episodes = make_replay([make_steps(9)]), as_dataset([make_steps(9)])
    discounts = [
        (
            replay.transitions(n_step=3, gamma=value)[0]["discount"],
            next(iter(episodes.apply(transitions(n_step=3, gamma=value))))["discount"].numpy(),
        )
        for value in (gamma, float(gamma))
    ]
    assert discounts[0] == discounts[1]
