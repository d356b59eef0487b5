"""Random access in JAX and Grain themselves."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import ROOT
from helpers.indices import check_bad, check_good, check_iteration
from helpers.replays import make_replay
from helpers.steps import make_steps
from helpers.transitions import FIELDS, count_transitions, in_batches

grain = pytest.importorskip("grain")
jax = pytest.importorskip("jax")


@pytest.mark.parametrize("compile_it", cases(True, slow=[False]))
def test_jax_gathers_the_same(expert_replay: Any, compile_it: bool) -> None:
    """Where the arrays are, for any number of steps, and sequences too."""
    indices = np.random.default_rng(0).integers(1400, size=100)
    for source in (
        expert_replay.transitions(),
        expert_replay.transitions(n_step=3, axis=-1),
        expert_replay.sequences(7),
        expert_replay.sequences(3, stack_size=1, axis=-1),
    ):
        there = source.put(jax.device_put)
        gather = jax.jit(there.gather) if compile_it else there.gather
        batch, expected = gather(there.arrays, jax.numpy.asarray(indices)), source[indices]
        assert set(batch) == set(expected)
        for name, array in expected.items():
            assert isinstance(batch[name], jax.Array)
            np.testing.assert_array_equal(batch[name], array, err_msg=name)


@pytest.fixture(scope="module", params=["transitions", "sequences"])
def small(request: pytest.FixtureRequest) -> Any:
    """A source of some 200 items in NumPy, and the same in JAX."""
    replay = make_replay([make_steps(201), make_steps(2)])
    source = replay.transitions() if request.param == "transitions" else replay.sequences(2)
    return source, source.put(jax.device_put)


def test_jax_indices(small: Any) -> None:
    source, there = small
    check_good(there, source, jax.numpy.asarray)
    check_bad(there, jax.numpy.asarray)


def test_jax_iterates_to_the_end(small: Any) -> None:
    source, there = small
    check_iteration(there, source)


@pytest.mark.parametrize("compile_it", [False, True], ids=["op by op", "jit"])
def test_jax_marks_what_is_out_of_range(small: Any, compile_it: bool) -> None:
    """Every float is NaN and `mask` is False; other items of the batch are what they are."""
    source, there = small
    gather = jax.jit(there.gather) if compile_it else there.gather
    length, largest = len(there), np.iinfo(np.int32).max
    batch = gather(there.arrays, jax.numpy.asarray([3, length, -1, -length, largest, ~largest]))
    expected = source[[3]]
    for name in set(batch) & {"reward", "discount", "return_to_go"}:
        np.testing.assert_array_equal(batch[name][:1], expected[name])
        assert np.isnan(batch[name][1:]).all(), name
    if "mask" in batch:
        np.testing.assert_array_equal(batch["mask"][:1], expected["mask"])
        assert not batch["mask"][1:].any()


def test_jax_checks_types_while_it_compiles(small: Any) -> None:
    _, there = small
    gather = jax.jit(there.gather)
    with pytest.raises(IndexError, match=r"integer indices, got bool.*np.flatnonzero"):
        gather(there.arrays, jax.numpy.ones(len(there), bool))
    with pytest.raises(IndexError, match=r"of the shape \(N,\), got \(2, 3\)"):
        gather(there.arrays, jax.numpy.ones((2, 3), int))


def test_grain_gives_every_transition_once(expert_replay: Any) -> None:
    """One by one, and in batches of indices."""
    source = expert_replay.transitions()
    expected = count_transitions(in_batches(source))
    single = grain.MapDataset.source(source).shuffle(seed=3).batch(100)
    assert count_transitions(single) == expected
    batches = grain.MapDataset.range(len(source)).shuffle(seed=3).batch(100)
    batched = batches.map(source.__getitem__)
    assert count_transitions(batched) == expected
    for name in FIELDS:
        np.testing.assert_array_equal(single[2][name], batched[2][name])


WORKERS = """
import os
import sys
import absl.flags
import grain
from helpers.indices import check_bad, check_good, check_iteration
from helpers.replays import make_replay
from helpers.steps import make_steps
from helpers.transitions import count_transitions, in_batches
from tfds_atari_replay import load_replay

if __name__ == "__main__":
    absl.flags.FLAGS.mark_as_parsed()
    os.chdir(sys.argv[1])
    source = load_replay("atari_replay/breakout_expert_v0", data_dir=".").transitions()
    os.chdir("/")  # as Hydra changes the folder
    dataset = grain.MapDataset.source(source).shuffle(seed=3).batch(100)
    dataset = dataset.to_iter_dataset().mp_prefetch(grain.MultiprocessingOptions(num_workers=2))
    print(count_transitions(dataset) == count_transitions(in_batches(source)))
"""


@pytest.mark.slow
def test_grain_in_worker_processes(expert: Any, tmp_path: pathlib.Path) -> None:
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    data_dir = expert.data_path.parents[2]
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    output = subprocess.run(
        [sys.executable, script, data_dir],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.splitlines()[-1] == "True"


def test_a_source_can_be_batched_by_tf_data(expert_replay: Any) -> None:
    """With its cardinality known, as Keras likes it."""
    import tensorflow as tf

    source = expert_replay.transitions()
    order = tf.data.Dataset.range(len(source)).shuffle(len(source), seed=1).batch(128)

    def gather(indices: Any) -> Any:
        return [source[indices][name] for name in FIELDS]

    dtypes = [tf.as_dtype(source[0][name].dtype) for name in FIELDS]
    dataset = order.map(lambda indices: tf.numpy_function(gather, [indices], dtypes))
    batches = (dict(zip(FIELDS, b, strict=True)) for b in tfds.as_numpy(dataset))
    assert count_transitions(batches) == count_transitions(in_batches(source))
    assert len(dataset) == -(-len(source) // 128)
