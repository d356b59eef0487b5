"""What we take from TFDS beyond its public names still does what we take it for.

If a test here fails after an upgrade of TFDS, look at the function of `_tfds.py` that it names.
"""

import pathlib
import pickle
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA, build

DECODING: Any = {"steps": {"action", "reward"}, "episode_id": True}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where breakout_expert_v0 is prepared for reading with and without TensorFlow."""
    folder = tmp_path_factory.mktemp("data")
    build("breakout_expert_v0", DUMMY_DATA, folder, file_format="array_record")
    return folder


def builders(folder: pathlib.Path) -> dict[str, Any]:
    """Each kind of builder that TFDS hands out."""
    name = "atari_replay/breakout_expert_v0"
    return {
        "ours": tfds.builder(name, data_dir=folder),
        "pinned": tfds.builder(f"{name}:1.0.0", data_dir=folder),
        "from folder": tfds.builder_from_directory(str(folder / name / "1.0.0")),
        "from folders": tfds.builder_from_directories([str(folder / name / "1.0.0")]),
    }


def values(episodes: Any) -> list[Any]:
    """Actions and rewards by episode_id."""
    return sorted(
        (
            int(episode["episode_id"]),
            [(int(step["action"]), float(step["reward"])) for step in episode["steps"]],
        )
        for episode in episodes
    )


@pytest.mark.parametrize("kind", ["ours", "pinned", "from folder", "from folders"])
def test_partial_decoding_selects_steps_fields_in_data_sources(
    data_dir: pathlib.Path, kind: str
) -> None:
    """`let_partial_decoding_select_from`: NumPy, which TFDS's own class cannot do at all."""
    builder = builders(data_dir)[kind]
    decoders = tfds.decode.PartialDecoding(DECODING)
    source = builder.as_data_source(split="train", decoders=decoders)
    for one in (source, pickle.loads(pickle.dumps(source))):
        assert set(one[0]) == {"steps", "episode_id"}
        assert set(one[0]["steps"][0]) == {"action", "reward"}
        assert values(one) == values(builder.as_data_source(split="train"))


@pytest.mark.parametrize("kind", ["ours", "pinned", "from folder", "from folders"])
def test_partial_decoding_selects_steps_fields_in_tf_data(expert: Any, kind: str) -> None:
    """`let_partial_decoding_select_from`: every builder, not only ours."""
    builder = builders(expert.data_path.parents[2])[kind]
    decoders = tfds.decode.PartialDecoding(DECODING)
    dataset = builder.as_dataset(split="train", decoders=decoders)
    assert set(dataset.element_spec) == {"steps", "episode_id"}
    assert set(dataset.element_spec["steps"].element_spec) == {"action", "reward"}
    assert values(tfds.as_numpy(dataset)) == values(tfds.as_numpy(builder.as_dataset("train")))


def test_partial_decoding_of_a_pinned_version_through_load(expert: Any) -> None:
    """As users write it."""
    dataset = tfds.load(
        "atari_replay/breakout_expert_v0:1.0.0",
        split="train",
        data_dir=expert.data_path.parents[2],
        decoders=tfds.decode.PartialDecoding(DECODING),
    )
    assert values(tfds.as_numpy(dataset)) == values(tfds.as_numpy(expert.as_dataset("train")))


def test_partial_decoding_of_other_datasets_is_tfdss_own() -> None:
    """`let_partial_decoding_select_from` leaves features without Steps alone, errors included."""
    features = tfds.features.FeaturesDict(
        {"a": {"b": np.int64, "c": np.int64}, "d": tfds.features.Dataset({"e": np.int64})}
    )
    subset = tfds.decode.PartialDecoding({"a": {"b"}}).extract_features(features)
    assert set(subset) == {"a"}
    assert set(subset["a"]) == {"b"}
    with pytest.raises(ValueError, match="Missing expected feature 'x'"):
        tfds.decode.PartialDecoding({"x": True}).extract_features(features)
    with pytest.raises(ValueError, match="Unexpected structure"):
        tfds.decode.PartialDecoding({"d": {"e"}}).extract_features(features)
