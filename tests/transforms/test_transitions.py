"""`transitions` gives what a slow loop over the steps and Dopamine's replay buffer give."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build
from helpers.dopamine import compare_with_dopamine
from helpers.logs import log_folder, make_episodes, open_log, write_log
from helpers.options import OPTIONS, facts, in_tiers, number_of, options
from helpers.steps import (
    UNDECODED,
    as_dataset,
    as_tuple,
    assert_equal,
    by_number,
    episode_shapes,
    expected_transitions,
    make_all,
    make_steps,
    unbatched,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay import transitions
from tfds_atari_replay.fields import REWARDS


@settings(deadline=None)
@given(
    shapes=episode_shapes(),
    size=st.integers(1, 6),
    n_step=st.sampled_from([1, 1, 2, 3, 5, 20]),
    gamma=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    batch_size=st.sampled_from([1, 7, 32, 1000]),
    decoders=st.sampled_from([None, UNDECODED]),
    reward=st.sampled_from(["clipped", "unclipped"]),
)
def test_transitions_are_those_of_a_slow_loop(
    shapes: Any, size: int, n_step: int, gamma: float, batch_size: int, decoders: Any, reward: str
) -> None:
    """In order and shuffled, decoded or not, for windows shorter and longer than a block's lead."""
    episodes = make_all(shapes)
    expected = [
        t
        for steps in episodes
        for t in expected_transitions(steps, size, n_step, gamma, REWARDS[reward])
    ]
    for shuffle in (False, True):
        dataset = as_dataset(episodes, decoders).apply(
            transitions(
                stack_size=size,
                n_step=n_step,
                gamma=gamma,
                batch_size=batch_size,
                shuffle=shuffle,
                seed=1,
                reward=reward,
            )
        )
        assert dataset.element_spec["observation"].shape.as_list() == [None, size, 84, 84]
        batches = list(dataset.as_numpy_iterator())
        assert [len(batch["action"]) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
        got = unbatched(batches)
        assert_equal(by_number(got) if shuffle else got, expected)


def test_the_worked_rows_of_the_docstring() -> None:
    steps = make_steps(4)
    steps["reward"][:3] = 1, 2, 4
    a, b, c, zero = steps["observation"][..., 0]
    ((obs, actions, rewards, discounts, following),) = map(
        as_tuple,
        as_dataset([steps])
        .apply(transitions(stack_size=2, n_step=2, gamma=0.5, batch_size=9))
        .as_numpy_iterator(),
    )
    np.testing.assert_array_equal(obs, [[zero, a], [a, b], [b, c]])
    np.testing.assert_array_equal(actions, steps["action"][:3])
    assert rewards.tolist() == [2, 4, 4]
    assert discounts.tolist() == [0.25, 0, 0]
    np.testing.assert_array_equal(following, [[b, c], [c, zero], [c, zero]])


def with_changing_rows(episodes: list[Any], share: float) -> list[Any]:
    """Changes this share of the rows from frame to frame, at random."""
    rng: Any = np.random.default_rng(0)
    for steps in episodes:
        frames = steps["observation"]
        count = len(frames) - steps["is_terminal"][-1]
        time = np.arange(count)[:, np.newaxis] * (rng.random((count, 84)) < share)
        noise = rng.integers(0, 256, (count, 84, 84, 1), np.uint8)
        changed = noise[np.maximum.accumulate(time), np.arange(84)]
        changed[:, 0, :4] = frames[:count, 0, :4]
        frames[:count] = changed
    return episodes


@pytest.mark.parametrize("decoders", [None, UNDECODED], ids=["decoded", "undecoded"])
@pytest.mark.parametrize(
    ("stack_size", "n_step", "share"),
    cases(
        (3, 5, 0.0),
        slow=[(1, 1, 0.2), (4, 70, 0.2)],
        exhaustive=[(2, 12, 0.6), (4, 1, 0.2), (4, 6, 1.0), (5, 12, 0.2)],
    ),
)
def test_channels_last(stack_size: int, n_step: int, share: float, decoders: Any) -> None:
    """axis=-1 gives the frames of the slow loop, last, with static shapes."""
    lengths = (1, 63, 64, 65, 1, 129, 2, 90, 200)
    shapes = [(n, number % 3 > 0, number % 2 > 0) for number, n in enumerate(lengths)]
    episodes = with_changing_rows(make_all(shapes), share)
    expected = [t for e in episodes for t in expected_transitions(e, stack_size, n_step, 0.99)]
    for shuffle in (False, True):
        dataset = as_dataset(episodes, decoders).apply(
            transitions(
                stack_size=stack_size, n_step=n_step, batch_size=50, shuffle=shuffle, axis=-1
            )
        )
        for name in ("observation", "next_observation"):
            assert dataset.element_spec[name].shape.as_list() == [None, 84, 84, stack_size]
        got = [
            (np.moveaxis(obs, -1, 0), *others, np.moveaxis(next_obs, -1, 0))
            for obs, *others, next_obs in unbatched(dataset.as_numpy_iterator())
        ]
        assert_equal(by_number(got) if shuffle else got, expected)


def test_without_batch_size_transitions_are_single() -> None:
    """They are the same, one by one."""
    episodes = make_all([(70, True, True), (3, False, False), (90, False, True)])
    dataset = as_dataset(episodes, UNDECODED).apply(transitions())
    assert dataset.element_spec["observation"].shape.as_list() == [4, 84, 84]
    got = [as_tuple(transition) for transition in dataset.as_numpy_iterator()]
    assert_equal(got, [t for e in episodes for t in expected_transitions(e, 4, 1, 0.99)])


@pytest.mark.parametrize("decoders", [None, UNDECODED])
def test_without_the_remainder_batches_have_static_shapes(decoders: Any) -> None:
    """All other batches are the same as with it."""
    episodes = make_all([(70, True, True), (131, True, False)])
    whole = list(as_dataset(episodes, decoders).apply(transitions(batch_size=32)))
    dataset = as_dataset(episodes, decoders).apply(transitions(batch_size=32, drop_remainder=True))
    assert {name: spec.shape.as_list() for name, spec in dataset.element_spec.items()} == {
        "observation": [32, 4, 84, 84],
        "action": [32],
        "reward": [32],
        "discount": [32],
        "next_observation": [32, 4, 84, 84],
    }
    batches = list(dataset)
    assert len(batches) == len(whole) - 1 == 6
    for ours, theirs in zip(batches, whole, strict=False):
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    with pytest.raises(ValueError, match="drop_remainder needs a batch_size"):
        transitions(drop_remainder=True)


@pytest.mark.parametrize(
    "decoders",
    cases(UNDECODED, slow=[None]),
)
@pytest.mark.parametrize(
    ("game", "run", "split", "number"),
    cases(
        ("Breakout", 1, "expert", 50),
        slow=[("Breakout", 5, "expert", 49), ("Asterix", 1, "epoch_0", 0)],
        exhaustive=[
            ("Breakout", 1, "epoch_0", 0),
            ("Breakout", 1, "mixed", 1),
            ("Breakout", 1, "medium", 10),
            ("Breakout", 1, "epoch_49", 49),
            ("Breakout", 5, "mixed", 1),
            ("Asterix", 1, "epoch_1", 1),
            ("Asterix", 1, "epoch_2", 2),
        ],
    ),
)
def test_gives_the_transitions_of_dopamine(
    tmp_path: pathlib.Path, game: str, run: int, split: str, number: int, decoders: Any
) -> None:
    """For each log in dummy_data, for n_step 1, 3 and 5."""
    builder = build(f"{game.lower()}_{split}_v{run - 1}", DUMMY_DATA, tmp_path)
    dataset = builder.as_dataset(split="train", decoders=decoders)
    checkpoint = open_log(DUMMY_DATA, game, run, number)
    for n_step in (1, 3, 5):
        matched, _ = compare_with_dopamine(
            DUMMY_DATA / game / str(run) / "replay_logs", checkpoint, dataset, n_step
        )
        assert matched > 500


@pytest.mark.parametrize(
    ("length", "padding_rows", "expected"),
    cases(slow=[(40, 0, 1), (38, 2, 2)], exhaustive=[(39, 1, 3), (37, 3, 1)]),
)
@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "terminal"])
def test_what_dopamine_drops_at_the_cursor(
    tmp_path: pathlib.Path, length: int, padding_rows: int, expected: int, is_cut: bool
) -> None:
    """It does not sample some complete transitions.

    The ring holds the second episode and the rest of its padding. Without padding, it is unknown
    that the episode begins with a reset, and of the first four rows only the fourth has a history.
    """
    folder = log_folder(tmp_path / "logs")
    held = write_log(folder, 40, make_episodes([20, length], last_is_cut=is_cut))
    assert [piece.starts_at_reset for piece in held[1]] == [padding_rows > 0]
    builder = build("breakout_epoch_1_v0", tmp_path / "logs", tmp_path / "data")
    dataset = builder.as_dataset(split="train", decoders=UNDECODED)
    checkpoint = open_log(tmp_path / "logs", "Breakout", 1, 1)
    for n_step in (1, 2, 4):
        _, extras = compare_with_dopamine(folder, checkpoint, dataset, n_step)
        assert extras == expected + (0 if is_cut else n_step)


@pytest.mark.slow
def test_a_client_of_nested_steps_gets_the_same() -> None:
    """A client in the style of Dopamine's for RL Unplugged, with windows over nested steps.

    It does not pad, so the first three steps of an episode have no stack.
    """
    episodes = make_all([(70, True, True), (30, False, False), (5, True, True)])

    def windows(episode: Any) -> tf.data.Dataset:
        steps = episode["steps"].window(5, shift=1, drop_remainder=True)
        return steps.flat_map(
            lambda step: tf.data.Dataset.zip({name: step[name].batch(5) for name in step})
        )

    def to_transition(window: Any) -> Any:
        frames = tf.squeeze(window["observation"], -1)
        return {
            "observation": frames[:4],
            "action": window["action"][3],
            "reward": window["reward"][3],
            "discount": 0.99 * window["discount"][3],
            "next_observation": frames[1:],
        }

    client = as_dataset(episodes).flat_map(windows).map(to_transition)
    theirs = [as_tuple(transition) for transition in client.as_numpy_iterator()]
    ours = []
    for steps in episodes:
        got = unbatched(as_dataset([steps]).apply(transitions(batch_size=100)).as_numpy_iterator())
        ours += got[3:] if steps["is_first"][0] else got
    assert len(ours) == 67 - 1 + 26 - 0 + 1
    assert_equal(ours, theirs)


def test_works_in_functions() -> None:
    """Batches can be iterated over in a `tf.function`."""
    episodes = make_all([(70, True, True), (50, True, False)])
    batches = as_dataset(episodes, UNDECODED).apply(transitions(batch_size=50))

    def sum_of_actions() -> tf.Tensor:
        return batches.reduce(tf.constant(0, tf.int64), lambda n, b: n + tf.reduce_sum(b["action"]))

    expected = [t[1] for steps in episodes for t in expected_transitions(steps, 4, 1, 0.99)]
    assert tf.function(sum_of_actions)().numpy() == sum(expected)


@pytest.mark.slow
def test_feeds_a_keras_model(expert: Any) -> None:
    """A network learns from batches in Keras' `fit`."""
    dataset = expert.as_dataset(split="train", decoders=UNDECODED).apply(
        transitions(batch_size=64, shuffle=True, seed=0, axis=-1)
    )
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((84, 84, 4)),
            tf.keras.layers.Rescaling(1 / 255),
            tf.keras.layers.Conv2D(8, 8, 8, activation="relu"),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(4),
        ]
    )
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pairs = dataset.repeat().map(lambda batch: (batch["observation"], batch["action"]))
    history = model.fit(pairs, epochs=3, steps_per_epoch=20, verbose=0, shuffle=False)
    losses = history.history["loss"]
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_a_restored_iterator_goes_on_with_its_epoch(tmp_path: pathlib.Path) -> None:
    """It gives the rest in the same order; another seed gives another order."""
    dataset = as_dataset(make_all([(70, True, True), (50, True, False)]), UNDECODED)

    def make_epoch(seed: int) -> tf.data.Dataset:
        return dataset.apply(transitions(batch_size=20, shuffle=True, seed=seed))

    expected = unbatched(make_epoch(0).as_numpy_iterator())
    iterator = iter(make_epoch(0))
    before = unbatched(tfds.as_numpy([next(iterator), next(iterator)]))
    path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / "checkpoint")
    restored = iter(make_epoch(0))
    tf.train.Checkpoint(iterator=restored).restore(path)
    after = unbatched(tfds.as_numpy(list(restored)))
    assert_equal(before + after, expected)
    other = unbatched(make_epoch(1).as_numpy_iterator())
    assert [row[1] for row in other] != [row[1] for row in expected]


# Ten blocks each, so that there is something to overtake.
EPISODES = make_all([(640, True, True)] * 4)


@pytest.mark.parametrize("name", in_tiers("many threads", "deterministic", "every optimization"))
@pytest.mark.parametrize(
    ("decoders", "shuffle"),
    cases((UNDECODED, True), slow=[(None, False), (UNDECODED, False)], exhaustive=[(None, True)]),
)
def test_transitions_keep_their_frames(name: str, decoders: Any, shuffle: bool) -> None:
    """No option of tf.data gives a transition the action, reward or next frame of another."""
    dataset = as_dataset(EPISODES, decoders).apply(
        transitions(batch_size=100, shuffle=shuffle, seed=0)
    )
    seen = []
    for batch in dataset.with_options(options(**OPTIONS[name])).as_numpy_iterator():
        numbers = number_of(batch["observation"])
        action, reward = facts(numbers[:, -1])
        np.testing.assert_array_equal(batch["action"], action)
        np.testing.assert_array_equal(batch["reward"], reward)
        following = number_of(batch["next_observation"])
        np.testing.assert_array_equal(following[:, :-1], numbers[:, 1:])
        is_over = batch["discount"] == 0
        np.testing.assert_array_equal(following[:, -1], (numbers[:, -1] + 1) * ~is_over)
        seen += numbers[:, -1].tolist()
    expected = np.arange(1, 4 * 640 + 1)
    np.testing.assert_array_equal(np.sort(seen), expected[expected % 640 != 0])
