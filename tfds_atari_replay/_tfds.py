"""What is taken from TFDS beyond its public names; tests/test_tfds.py checks each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.features import top_level_feature


def let_partial_decoding_select_from(nested: type[tfds.features.Dataset]) -> None:
    """Lets `tfds.decode.PartialDecoding` select among the fields of a nested dataset's feature.

    TFDS's own stops at nested datasets, and is not asked at all where data are read with NumPy.
    Builders that TFDS makes itself, of a pinned version or of a folder, run none of our code but
    the features, and these see the decoding too late; so the decoding is taught what a field of
    such a feature is. Without one, everything is as before.

    Args:
      nested: the feature's class.
    """
    extract = tfds.decode.PartialDecoding.extract_features
    deserialize = top_level_feature.TopLevelFeature.deserialize_example_np

    def extract_features(decoding: Any, features: Any) -> Any:
        specs = decoding._feature_specs
        if not isinstance(specs, Mapping | set | list):
            return extract(decoding, features)
        if not isinstance(specs, Mapping):
            specs = dict.fromkeys(specs, True)
        subsets = {
            name: tfds.decode.PartialDecoding(fields).extract_features(features[name].feature)
            for name, fields in specs.items()
            if isinstance(fields, Mapping | set | list)
            and name in features
            and isinstance(features[name], nested)
        }
        if not subsets:
            return extract(decoding, features)
        whole = {name: True if name in subsets else spec for name, spec in specs.items()}
        extracted = extract(tfds.decode.PartialDecoding(whole), features)
        return tfds.features.FeaturesDict(
            {
                name: nested(subsets[name]) if name in subsets else feature
                for name, feature in extracted.items()
            }
        )

    def deserialize_example_np(features: Any, serialized: Any, *, decoders: Any = None) -> Any:
        if isinstance(decoders, tfds.decode.PartialDecoding):
            features, decoders = _subset_of(features, decoders), decoders.decoders
        return deserialize(features, serialized, decoders=decoders)

    tfds.decode.PartialDecoding.extract_features = extract_features
    top_level_feature.TopLevelFeature.deserialize_example_np = deserialize_example_np


def _subset_of(features: Any, decoding: Any) -> Any:
    """The features a decoding selects, worked out once, not for each example."""
    kept = decoding.__dict__.get("_kept")
    if kept is None or kept[0] is not features:
        kept = decoding._kept = (features, decoding.extract_features(features))
    return kept[1]
