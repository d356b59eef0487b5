"""Steps read like `tfds.features.Dataset`, however they are stored."""

import dataclasses
import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.options import OPTIONS, assert_steps_in_order, in_tiers, options
from helpers.steps import as_dataset, make_all
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay import blocks
from tfds_atari_replay import steps as steps_lib

FIELDS = {
    "observation": tfds.features.Image(shape=(84, 84, 1), dtype=np.uint8),
    "action": np.int64,
    "reward": np.float32,
    "is_last": np.bool_,
}


def features(kind: Any = steps_lib.Steps) -> Any:
    """The features of an episode."""
    return tfds.features.FeaturesDict({"steps": kind(FIELDS), "episode_id": np.int64})


def make_columns(length: int) -> dict[str, Any]:
    """Steps with random contents, as columns."""
    rng: Any = np.random.default_rng(0)
    return {
        "observation": rng.integers(0, 256, (length, 84, 84, 1), np.uint8),
        "action": rng.integers(0, 18, length),
        "reward": rng.normal(size=length).astype(np.float32),
        "is_last": rng.random(length) < 0.5,
    }


def roundtrip_tf(columns: Any, feature: Any = None) -> list[dict[str, Any]]:
    """Writes and reads an episode in TensorFlow."""
    feature = feature or features()
    data = feature.serialize_example({"steps": columns, "episode_id": 3})
    return list(tfds.as_numpy(feature.deserialize_example(data)["steps"]))


def assert_steps(got: Any, columns: dict[str, Any]) -> None:
    """Compares values, dtypes and shapes."""
    assert len(got) == len(columns["action"])
    for index, step in enumerate(got):
        assert set(step) == set(columns)
        for name, value in step.items():
            expected = columns[name][index]
            assert np.asarray(value).dtype == expected.dtype
            np.testing.assert_array_equal(value, expected)


@settings(deadline=None)
@given(length=st.integers(0, 150), block=st.integers(1, 80), chunk=st.integers(1, 90))
def test_what_is_read_does_not_depend_on_blocks(length: int, block: int, chunk: int) -> None:
    """For any block length and any chunks of frames, in TensorFlow and NumPy."""
    columns = make_columns(length)
    frames = columns["observation"]
    chunks = (frames[i : i + chunk] for i in range(0, length, chunk))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_LENGTH", block)
        data = features().serialize_example(
            {"steps": {**columns, "observation": chunks}, "episode_id": 0}
        )
    assert_steps(list(tfds.as_numpy(features().deserialize_example(data)["steps"])), columns)
    in_numpy = features().deserialize_example_np(data)["steps"]
    assert len(in_numpy) == length
    assert_steps(list(in_numpy), columns)


def test_gives_what_tfds_own_dataset_feature_gives() -> None:
    """The element_spec, the nested elements and the tensor info are the same."""
    columns = make_columns(70)
    ours, theirs = features(), features(tfds.features.Dataset)
    specs = []
    for feature in (ours, theirs):
        data = feature.serialize_example({"steps": columns, "episode_id": 3})
        dataset = tf.data.Dataset.from_tensors(data).map(feature.deserialize_example)
        specs.append(dataset.element_spec)
        (episode,) = tfds.as_numpy(dataset)
        assert episode["episode_id"] == 3
        assert_steps(list(episode["steps"]), columns)
    assert specs[0]["steps"].element_spec == specs[1]["steps"].element_spec
    assert ours.get_tensor_spec() == theirs.get_tensor_spec()
    assert ours["steps"].np_dtype == theirs["steps"].np_dtype
    assert ours["steps"].shape == theirs["steps"].shape


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.bool_])
def test_frames_may_have_any_shape_and_dtype(dtype: Any) -> None:
    """They come back with it, in TensorFlow and NumPy."""
    frames = (np.arange(70 * 15).reshape(70, 5, 3) % 3).astype(dtype)
    kind = steps_lib.Steps({"frame": tfds.features.Tensor(shape=(5, 3), dtype=dtype)})
    feature = tfds.features.FeaturesDict({"steps": kind})
    data = feature.serialize_example({"steps": {"frame": frames}})
    in_tensorflow = tfds.as_numpy(feature.deserialize_example(data)["steps"])
    for steps in (in_tensorflow, feature.deserialize_example_np(data)["steps"]):
        got = np.array([step["frame"] for step in steps])
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, frames)


def test_takes_steps_as_tfds_does() -> None:
    """Steps may be a list, an iterator or columns of lists."""
    columns = make_columns(5)
    as_list = [{name: column[i] for name, column in columns.items()} for i in range(5)]
    assert_steps(roundtrip_tf(as_list), columns)
    assert_steps(roundtrip_tf(iter(as_list)), columns)
    assert_steps(roundtrip_tf({name: list(column) for name, column in columns.items()}), columns)


def test_steps_in_numpy_are_a_sequence() -> None:
    """They are indexed and raise errors like a list, give copies, and can be pickled."""
    columns = make_columns(130)
    data = features().serialize_example({"steps": columns, "episode_id": 0})
    sequence = features().deserialize_example_np(data)["steps"]
    for index in (0, 129, 64, 63, 1, -1, -130):
        np.testing.assert_array_equal(
            sequence[index]["observation"], columns["observation"][index], str(index)
        )
        assert sequence[index]["action"] == columns["action"][index]
    with pytest.raises(IndexError, match="step 130 of an episode of 130"):
        sequence[130]
    sequence[0]["observation"][:] = 0
    np.testing.assert_array_equal(sequence[0]["observation"], columns["observation"][0])
    again = pickle.loads(pickle.dumps(sequence))
    np.testing.assert_array_equal(again[77]["observation"], columns["observation"][77])


def test_survives_features_json(tmp_path: Any) -> None:
    """The feature is restored by its name, as builder_from_directory does."""
    features().save_config(str(tmp_path))
    restored = tfds.features.FeatureConnector.from_config(str(tmp_path))
    assert isinstance(restored["steps"], steps_lib.Steps)
    assert_steps(roundtrip_tf(make_columns(9), restored), make_columns(9))


def test_skipping_the_decoding_gives_what_is_stored() -> None:
    """Frames come as blocks and each scalar as one column, which `blocks` unpacks."""
    columns = make_columns(130)
    data = features().serialize_example({"steps": columns, "episode_id": 0})
    stored = features().deserialize_example(data, decoders={"steps": tfds.decode.SkipDecoding()})
    infos = features()["steps"].feature.get_tensor_info()
    packed = stored["steps"]["observation"]
    assert packed.shape == (3,)
    frames = [blocks.unpack_frames(block, infos["observation"])[0] for block in packed]
    np.testing.assert_array_equal(tf.concat(frames, 0), columns["observation"])
    for name in ("action", "reward", "is_last"):
        unpacked = blocks.unpack_column(stored["steps"][name], infos[name])
        np.testing.assert_array_equal(unpacked, columns[name])


def test_fields_can_be_selected() -> None:
    """PartialDecoding reads some fields of steps, given as a set, list or dict."""
    columns = make_columns(70)
    data = features().serialize_example({"steps": columns, "episode_id": 3})
    for fields in (
        {"action", "is_last"},
        ["action", "is_last"],
        {"action": True, "is_last": np.bool_},
    ):
        decoding = tfds.decode.PartialDecoding({"steps": fields})
        subset = decoding.extract_features(features())
        assert set(subset) == {"steps"}
        assert "observation" not in subset.get_serialized_info()["steps"]
        got = list(tfds.as_numpy(subset.deserialize_example(data)["steps"]))
        assert_steps(got, {name: columns[name] for name in ("action", "is_last")})
    only_frames = tfds.decode.PartialDecoding({"steps": {"observation"}}).extract_features(
        features()
    )
    got = list(tfds.as_numpy(only_frames.deserialize_example(data)["steps"]))
    np.testing.assert_array_equal([step["observation"] for step in got], columns["observation"])
    assert len(only_frames.deserialize_example_np(data)["steps"]) == 70
    whole = tfds.decode.PartialDecoding({"steps": True, "episode_id": True})
    assert set(whole.extract_features(features())["steps"].feature) == set(FIELDS)
    with pytest.raises(ValueError, match="Missing expected feature 'nonsense'"):
        tfds.decode.PartialDecoding({"steps": {"nonsense"}}).extract_features(features())


@dataclasses.dataclass(frozen=True)
class Refused:
    """Changes to good columns, and what the error says."""

    change: dict[str, Any]
    message: str


@pytest.mark.parametrize(
    "case",
    [
        Refused({"extra": np.zeros(5)}, r"Steps have the fields \['action'.*got .*'extra'"),
        Refused({"action": np.zeros(4, np.int64)}, r"equally long, got .*'action': 4"),
        Refused({"observation": np.zeros((4, 84, 84, 1), np.uint8)}, "'observation': 4"),
        Refused(
            {"observation": np.zeros((5, 84, 84), np.uint8)},
            r"'observation' of steps must have the shape \(steps, 84, 84, 1\), got \(5, 84, 84\)",
        ),
        Refused({"observation": np.zeros((5, 84, 84, 1))}, "must be uint8, got float64"),
        Refused({"action": np.zeros((5, 1), np.int64)}, r"shape \(steps\), got \(5, 1\)"),
        Refused({"action": np.zeros(5)}, "'action' of steps must be int64, got float64"),
        Refused({"is_last": np.zeros(5, np.int64)}, "'is_last' of steps must be bool, got int64"),
    ],
    ids=lambda case: case.message[:20],
)
def test_bad_steps_are_refused(case: Refused) -> None:
    """The error names the field, what was expected and what it got."""
    with pytest.raises(ValueError, match=case.message):
        features()["steps"].encode_example({**make_columns(5), **case.change})


def test_a_step_with_other_fields_is_refused() -> None:
    """The error lists the fields of the step."""
    with pytest.raises(ValueError, match=r"A step has the fields .*, got \['action'\]"):
        features()["steps"].encode_example([{"action": 1}])


def test_a_decoder_for_one_field_is_refused_with_the_ways_out() -> None:
    """Frames are stored in blocks, so single fields cannot be left undecoded."""
    data = features().serialize_example({"steps": make_columns(3), "episode_id": 0})
    decoders = {"steps": {"observation": tfds.decode.SkipDecoding()}}
    with pytest.raises(ValueError, match=r"cannot have their own decoders.*PartialDecoding"):
        features().deserialize_example(data, decoders=decoders)


@pytest.mark.parametrize(
    ("fields", "length"),
    cases(
        (None, 0),
        (None, 65),
        ({"observation"}, 130),
        ({"action"}, 1),
        ({"observation", "reward"}, 64),
        slow=itertools.product(
            (None, {"observation"}, {"action"}, {"observation", "reward"}),
            (0, 1, 63, 64, 65, 130),
        ),
    ),
)
def test_the_number_of_steps_is_known(length: int, fields: Any) -> None:
    """`len` works as on TFDS's nested datasets, whichever fields are read."""
    data = features().serialize_example({"steps": make_columns(length), "episode_id": 0})
    feature = features()
    if fields:
        feature = tfds.decode.PartialDecoding({"steps": fields}).extract_features(feature)
    dataset = tf.data.Dataset.from_tensors(data).map(feature.deserialize_example)
    (episode,) = dataset
    assert len(episode["steps"]) == length
    assert len(list(episode["steps"])) == length


def test_frames_and_scalars_of_other_lengths_are_an_error() -> None:
    """A step never gets the frame of another, even if the stored lengths differ."""
    columns = make_columns(130)
    longer = features()["steps"].encode_example(columns)
    shorter = features()["steps"].encode_example(
        {name: column[:70] for name, column in columns.items()}
    )
    for scalars, frames in ((longer, shorter), (shorter, longer)):
        mixed = {**scalars, "observation": frames["observation"]}
        dataset = features()["steps"].decode_example(
            {name: tf.constant(value) for name, value in mixed.items()}
        )
        with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError)):
            list(dataset)


@pytest.mark.parametrize("name", in_tiers("deterministic", "many threads", "every optimization"))
def test_steps_keep_their_frames_and_their_order(name: str) -> None:
    """No option of tf.data gives a step the scalars of another, or reorders them."""
    # Ten blocks each, so that there is something to overtake.
    dataset = as_dataset(make_all([(640, True, True)] * 12))
    for episode in dataset.with_options(options(**OPTIONS[name])):
        assert_steps_in_order(list(episode["steps"].as_numpy_iterator()), 640)
