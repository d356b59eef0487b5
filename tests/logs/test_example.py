"""`tf.train.Example` is read without TensorFlow as TensorFlow reads it."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.example import parse_example

integers = st.lists(st.integers(-(2**63), 2**63 - 1))
floats = st.lists(st.floats(width=32, allow_nan=False))
values = st.one_of(
    st.builds(
        lambda v: tf.train.Feature(bytes_list=tf.train.BytesList(value=v)), st.lists(st.binary())
    ),
    st.builds(lambda v: tf.train.Feature(float_list=tf.train.FloatList(value=v)), floats),
    st.builds(lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=v)), integers),
)


@settings(max_examples=100)
@given(st.dictionaries(st.text(), values))
def test_every_value_is_tensorflows(features: dict[str, tf.train.Feature]) -> None:
    example = tf.train.Example(features=tf.train.Features(feature=features))
    parsed = parse_example(example.SerializeToString())
    assert set(parsed) == set(features)
    for name, feature in features.items():
        for kind in ("bytes_list", "float_list", "int64_list"):
            expected = list(getattr(feature, kind).value)
            assert list(getattr(parsed[name], kind).value) == expected


@pytest.mark.parametrize("record", [b"\x00", b"\x0a\x05abc", b"no example"])
def test_other_bytes_are_damage(record: bytes) -> None:
    with pytest.raises(DamageError, match=r"expected a tf\.train\.Example"):
        parse_example(record)
