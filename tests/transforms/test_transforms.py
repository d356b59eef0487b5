"""Windows and transitions are those that a slow loop over the steps would make."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from dopamine.tf.replay_memory import circular_replay_buffer
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build
from helpers.logs import log_folder, make_episodes, open_log, write_log
from helpers.steps import (
    UNDECODED,
    as_dataset,
    as_tuple,
    assert_equal,
    by_number,
    expected_transitions,
    make_all,
    make_steps,
    stack_at,
    unbatched,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay import frame_stack, transitions
from tfds_atari_replay.fields import REWARDS

SLOW = pytest.mark.slow

# Around the ends of blocks, and short.
lengths = st.one_of(st.integers(1, 12), st.integers(60, 70), st.integers(126, 131))
episode_lists = st.lists(st.tuples(lengths, st.booleans(), st.booleans()), min_size=1, max_size=6)


@settings(deadline=None)
@given(
    shapes=episode_lists,
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
    """In order and shuffled, decoded or not, for windows within and beyond a block's lead."""
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


@settings(deadline=None)
@given(
    shapes=episode_lists,
    size=st.integers(1, 6),
    axis=st.sampled_from([0, -1]),
    decoders=st.sampled_from([None, UNDECODED]),
)
@pytest.mark.slow
def test_frame_stack_is_a_slow_loop(shapes: Any, size: int, axis: int, decoders: Any) -> None:
    """Of episodes, and of their steps one after the other; all else stays as it was."""
    episodes = make_all(shapes)
    stacked = list(as_dataset(episodes, decoders).apply(frame_stack(size, axis=axis)))
    assert len(stacked) == len(episodes)
    flat = as_dataset(episodes).flat_map(lambda episode: episode["steps"])
    in_a_row = flat.apply(frame_stack(size, axis=axis)).as_numpy_iterator()
    for number, (episode, steps) in enumerate(zip(stacked, episodes, strict=True)):
        assert int(episode["episode_id"]) == number
        got = list(tfds.as_numpy(episode["steps"]))
        assert len(got) == len(steps["action"])
        for index, step in enumerate(got):
            expected = {name: column[index] for name, column in steps.items()}
            expected["observation"] = np.moveaxis(stack_at(steps, index, size), 0, axis)
            for other in (step, next(in_a_row)):
                assert set(other) == set(expected)
                for name, value in expected.items():
                    np.testing.assert_array_equal(other[name], value, name)
                    assert other[name].dtype == value.dtype
    assert next(in_a_row, None) is None


def test_the_worked_rows_of_the_docstrings() -> None:
    """What is printed there is what comes out."""
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
    (episode,) = as_dataset([steps]).apply(frame_stack(2))
    stacks = [step["observation"] for step in tfds.as_numpy(episode["steps"])]
    np.testing.assert_array_equal(stacks, [[zero, a], [a, b], [b, c], [c, zero]])


def with_changing_rows(episodes: list[Any], share: float) -> list[Any]:
    """The same episodes, but this share of the rows changes from frame to frame, at random."""
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
    """axis=-1 gives the frames of the slow loop, last; the shape is known beforehand."""
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
    """The same transitions, one by one."""
    episodes = make_all([(70, True, True), (3, False, False), (90, False, True)])
    dataset = as_dataset(episodes, UNDECODED).apply(transitions())
    assert dataset.element_spec["observation"].shape.as_list() == [4, 84, 84]
    got = [as_tuple(transition) for transition in dataset.as_numpy_iterator()]
    assert_equal(got, [t for e in episodes for t in expected_transitions(e, 4, 1, 0.99)])


def dopamine_buffer(root: pathlib.Path, number: int, checkpoint: Any, n_step: int) -> Any:
    """Dopamine's buffer, loaded with a checkpoint."""
    buffer = circular_replay_buffer.OutOfGraphReplayBuffer(
        (84, 84), 4, checkpoint.capacity, 32, update_horizon=n_step, gamma=0.99
    )
    buffer.load(str(root), number)
    if checkpoint.is_full and not buffer.is_full():
        # A run's last dump has only the cursor in add_count.
        buffer.add_count = np.array(buffer.add_count + checkpoint.capacity)
    # As it was saved, invalid_range is that of the run, whose n_step was 1.
    buffer.invalid_range = circular_replay_buffer.invalid_range(
        buffer.cursor(), checkpoint.capacity, 4, n_step
    )
    return buffer


def in_order_of_time(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Sorts a few episodes, which come in hashed order."""
    ids = [int(episode["episode_id"]) for episode in dataset]
    ordered = dataset.take(0)
    for place in np.argsort(ids):
        ordered = ordered.concatenate(dataset.skip(place).take(1))
    return ordered


def compare_with_dopamine(
    folder: pathlib.Path, checkpoint: Any, dataset: tf.data.Dataset, n_step: int
) -> tuple[int, int]:
    """Checks that each transition valid to Dopamine is there once and equal, in order of time.

    Returns:
      How many there are, and how many more we have, each checked to be at the cursor.
    """
    buffer = dopamine_buffer(folder, checkpoint.files.number, checkpoint, n_step)
    rows = np.arange(checkpoint.capacity)
    in_time = np.concatenate([rows[part] for part in checkpoint.time_order]).tolist()
    valid = [row for row in in_time if buffer.is_valid_transition(row)]
    state, action, reward, next_state, _, _, terminal, *_ = buffer.sample_transition_batch(
        len(valid), valid
    )
    ours = in_order_of_time(dataset).apply(transitions(n_step=n_step, batch_size=500, axis=-1))
    matched, extras = 0, []
    for obs, act, rew, discount, next_obs in unbatched(ours.as_numpy_iterator()):
        if (
            matched < len(valid)
            and np.array_equal(obs, state[matched])
            and act == action[matched]
            and abs(rew - reward[matched]) < 1e-5
            and (discount == 0) == terminal[matched]
            and (terminal[matched] or np.array_equal(next_obs, next_state[matched]))
        ):
            assert abs(discount - (0 if terminal[matched] else 0.99**n_step)) < 1e-6
            matched += 1
        else:
            extras.append((matched, discount == 0))
    assert matched == len(valid)
    # What Dopamine drops without need: the four rows from the cursor on, the oldest, where their
    # history is whole or a reset; the last n_step rows before it, where a terminal follows.
    after_cursor = [is_over for before, is_over in extras if before == 0]
    before_cursor = [is_over for before, is_over in extras if before == len(valid)]
    assert len(after_cursor) + len(before_cursor) == len(extras)
    assert len(after_cursor) <= 4
    assert len(before_cursor) <= n_step
    assert all(before_cursor)
    if n_step == 1:
        assert len(extras) <= 4
    return matched, len(extras)


@pytest.mark.parametrize(
    "decoders",
    [pytest.param(None, id="decoded", marks=SLOW), pytest.param(UNDECODED, id="undecoded")],
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
    """Of each log in dummy_data, for n_step 1, 3 and 5."""
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
    """Transitions that are whole, though Dopamine does not sample them.

    The ring holds the second episode, and how much is left of its padding. Without any, nobody can
    know that it begins at a reset; then, of the first four rows, only the fourth has a history.
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
    """Windows over nested steps, as Dopamine's client of RLU's datasets makes them.

    It pads nothing, so the first three steps of an episode have no stack.
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


def in_the_order_of(dataset: tf.data.Dataset) -> list[int]:
    """The actions, which tell where a transition is from."""
    return [int(a) for batch in dataset.as_numpy_iterator() for a in batch["action"]]


@pytest.mark.parametrize("decoders", [pytest.param(None, marks=SLOW), UNDECODED])
@pytest.mark.slow
def test_shuffling_is_reproducible_and_reshuffles(decoders: Any) -> None:
    """The same seed gives the same order, each iteration another, another seed others."""
    episodes = make_all([(100, True, True)] * 30)
    for steps in episodes:
        steps["action"] = (
            steps["observation"][:, 0, :4, 0].copy().view("<u4")[:, 0].astype(np.int64)
        )
    dataset = as_dataset(episodes, decoders)

    def shuffled(seed: int | None) -> tf.data.Dataset:
        return dataset.apply(transitions(batch_size=256, shuffle=True, seed=seed))

    in_order = in_the_order_of(dataset.apply(transitions(batch_size=256)))
    one, same, other, unseeded = shuffled(1), shuffled(1), shuffled(2), shuffled(None)
    first, second = in_the_order_of(one), in_the_order_of(one)
    assert first == in_the_order_of(same)
    assert second == in_the_order_of(same)
    orders = [first, second, in_the_order_of(other)]
    orders += [in_the_order_of(unseeded), in_the_order_of(unseeded)]
    twice = in_the_order_of(shuffled(1).repeat(2))
    assert sorted(twice) == sorted(in_order * 2)
    assert twice[: len(in_order)] == first
    assert twice[len(in_order) :] != first
    for order in orders:
        assert order != in_order
        assert sorted(order) == in_order
    assert len({tuple(order) for order in orders}) == len(orders)


@pytest.mark.parametrize("decoders", [pytest.param(None, marks=SLOW), UNDECODED])
@pytest.mark.slow
def test_a_batch_is_from_many_places(decoders: Any) -> None:
    """More than 100 different blocks of 64 steps in each batch of 256, from all of the data."""
    count, length = 300, 256
    episodes = []
    for number in range(count):
        steps = make_steps(length, ends_in_terminal=False)
        steps["action"] = number * length + np.arange(length)
        episodes.append(steps)
    dataset = as_dataset(episodes, decoders).apply(
        transitions(batch_size=256, shuffle=True, seed=0)
    )
    uniform = len(np.unique(np.random.default_rng(0).integers(0, count * length, 256) // 64))
    whole = [
        batch["action"] for batch in dataset.as_numpy_iterator() if len(batch["action"]) == 256
    ]
    for places in whole[: -len(whole) // 4]:
        assert len(np.unique(places // 64)) > 100
        # In no quarter of the data there are few.
        assert np.histogram(places, 4, (0, count * length))[0].min() > 20
    mean = np.mean([len(np.unique(places // 64)) for places in whole])
    assert mean > 0.6 * uniform


@pytest.fixture(params=[None, UNDECODED], ids=["decoded", "undecoded"])
def decoders(request: pytest.FixtureRequest) -> Any:
    """Both ways in which steps come to a transform."""
    return request.param


SHAPES = [(70, True, True), (50, True, False), (90, True, True)]


def expected_of(*numbers: int) -> list[Any]:
    """The transitions of some of the episodes."""
    episodes = make_all(SHAPES)
    return [t for n in numbers for t in expected_transitions(episodes[n], 4, 1, 0.99)]


def got_from(dataset: tf.data.Dataset) -> list[Any]:
    """All transitions of a dataset of batches."""
    return unbatched(dataset.as_numpy_iterator())


def test_works_in_functions(decoders: Any) -> None:
    batches = as_dataset(make_all(SHAPES), decoders).apply(transitions(batch_size=50))

    def join() -> tf.Tensor:
        actions = tf.zeros(0, tf.int64)
        for batch in batches:
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(actions, tf.TensorShape([None]))]
            )
            actions = tf.concat([actions, batch["action"]], 0)
        return actions

    expected = [row[1] for row in expected_of(0, 1, 2)]
    assert tf.function(join)().numpy().tolist() == expected


def test_episodes_can_be_cached_and_shuffled(decoders: Any) -> None:
    shuffled = as_dataset(make_all(SHAPES), decoders).cache().repeat(2).shuffle(10)
    got = got_from(shuffled.apply(transitions(batch_size=50)))
    assert_equal(by_number(got), by_number(expected_of(0, 1, 2) * 2))


def test_stacked_episodes_can_be_filtered(decoders: Any) -> None:
    stacked = as_dataset(make_all(SHAPES), decoders).apply(frame_stack())
    (episode,) = stacked.filter(lambda episode: episode["episode_id"] == 1)
    steps = make_all(SHAPES)[1]
    for number, step in enumerate(tfds.as_numpy(episode["steps"])):
        np.testing.assert_array_equal(step["observation"], stack_at(steps, number, 4))
        assert step["action"] == steps["action"][number]
    assert number == 49


@pytest.mark.slow
def test_feeds_a_keras_model(expert: Any) -> None:
    """A Q network learns from it in Keras' fit."""
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


def bad_datasets() -> list[tuple[Any, tf.data.Dataset, str]]:
    """What transforms refuse, and the beginning of what they say."""
    episodes = as_dataset([make_steps(5)])
    stored = as_dataset([make_steps(5)], UNDECODED)
    steps = episodes.flat_map(lambda episode: episode["steps"])
    few = episodes.map(
        lambda episode: {"steps": episode["steps"].map(lambda s: {"action": s["action"]})}
    )
    few_stored = stored.map(lambda episode: {"steps": {"action": episode["steps"]["action"]}})
    odd = stored.map(
        lambda episode: {"steps": {**episode["steps"], "light": episode["steps"]["action"]}}
    )
    missing = r"Steps need the fields .*'observation'.* is missing"
    both = (frame_stack(), transitions())
    return [
        *(
            (both[1], data, "Expected a dataset of episodes")
            for data in (tf.data.Dataset.range(3),)
        ),
        (both[0], tf.data.Dataset.range(3), "Expected steps or episodes"),
        (both[1], steps, "These are steps; apply it to the episodes"),
        (both[0], steps.batch(2), r"Expected single steps.*\.unbatch\(\)"),
        *((one, few, missing) for one in both),
        *((one, few_stored, missing) for one in both),
        (both[0], steps.map(lambda s: {"observation": s["observation"]}), "Steps need the fields"),
        *((one, episodes.batch(2), "Expected a dataset of single episodes") for one in both),
        *((one, stored.ragged_batch(2), "Expected a dataset of single episodes") for one in both),
        *((one, stored.batch(1), "Expected a dataset of single episodes") for one in both),
        *((one, odd, r"unknown fields \['light'\]") for one in both),
        (
            both[1],
            episodes.apply(frame_stack()),
            r"'observation' of the shape \(height, width, 1\)",
        ),
    ]


@pytest.mark.parametrize("number", range(len(bad_datasets())))
def test_refuses_other_datasets(number: int) -> None:
    """It says what was expected, and shows the element_spec that it got."""
    transform, dataset, message = bad_datasets()[number]
    with pytest.raises(ValueError, match=message) as error:
        dataset.apply(transform)
    assert f"Got {dataset.element_spec}" in str(error.value)


def test_decoded_steps_may_have_more_fields() -> None:
    """Strings too; they are not taken for undecoded ones."""
    episodes = make_all([(70, True, True), (3, False, False)])
    dataset = as_dataset(episodes).map(
        lambda episode: {
            "steps": episode["steps"].map(lambda step: {**step, "note": tf.constant("x")})
        }
    )
    got = unbatched(dataset.apply(transitions(batch_size=50)).as_numpy_iterator())
    assert_equal(got, [t for e in episodes for t in expected_transitions(e, 4, 1, 0.99)])
    (first, _) = dataset.apply(frame_stack())
    steps = list(first["steps"].as_numpy_iterator())
    assert {step["note"] for step in steps} == {b"x"}
    np.testing.assert_array_equal(steps[5]["observation"], stack_at(episodes[0], 5, 4))


@pytest.mark.parametrize("decoders", [None, UNDECODED], ids=["decoded", "undecoded"])
def test_stacked_episodes_know_their_length(decoders: Any) -> None:
    """If those they are made of do."""
    dataset = as_dataset(make_all([(70, True, True), (3, False, False)]), decoders)
    assert [len(episode["steps"]) for episode in dataset.apply(frame_stack())] == [70, 3]
    if decoders is None:
        filtered = dataset.map(
            lambda episode: {"steps": episode["steps"].filter(lambda step: step["action"] > 3)}
        )
        (episode, _) = filtered.apply(frame_stack())
        assert len(list(episode["steps"])) == sum(n % 18 > 3 for n in range(69))


def test_a_restored_iterator_goes_on_with_its_epoch(decoders: Any, tmp_path: pathlib.Path) -> None:
    """In the same order; the next epoch's is that of its own seed."""
    dataset = as_dataset(make_all(SHAPES), decoders)

    def make_epoch(seed: int) -> tf.data.Dataset:
        return dataset.apply(transitions(batch_size=20, shuffle=True, seed=seed))

    expected = got_from(make_epoch(0))
    iterator = iter(make_epoch(0))
    before = unbatched(tfds.as_numpy([next(iterator), next(iterator)]))
    path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / "checkpoint")
    restored = iter(make_epoch(0))
    tf.train.Checkpoint(iterator=restored).restore(path)
    after = unbatched(tfds.as_numpy(list(restored)))
    assert_equal(before + after, expected)
    assert [row[1] for row in got_from(make_epoch(1))] != [row[1] for row in expected]


@pytest.mark.parametrize("decoders", [None, UNDECODED])
def test_without_the_remainder_batches_have_static_shapes(decoders: Any) -> None:
    """And are the same as with it, but for the last."""
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
