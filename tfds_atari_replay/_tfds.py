"""Everything used of TFDS that is not public.

Other modules import such names from here only. `tests/test_tfds.py` has a contract test for each,
which says what breaks if TFDS changes it.

Besides these, `AtariReplay` overrides five private methods of TFDS's builder, `_build_data_dir`,
`_create_builder_config`, `_make_download_manager`, `_download_and_prepare` and `_example_writer`,
calls `_get_filename_template` and `_log_download_done`, and sets `url_infos`, `_checksums_path`,
`_data_dir`, `_data_dir_root` and `_original_state`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.data_sources.python import PythonDataSource
from tensorflow_datasets.core.dataset_collection_builder import (
    DatasetCollection,
    DatasetCollectionInfo,
)
from tensorflow_datasets.core.download.checksums import (
    UrlInfo,
    compute_url_info,
    load_url_infos,
    save_url_infos,
)
from tensorflow_datasets.core.download.resource import get_info_path
from tensorflow_datasets.core.download.util import DownloadError
from tensorflow_datasets.core.example_serializer import ExampleSerializer
from tensorflow_datasets.core.features import top_level_feature
from tensorflow_datasets.core.naming import references_for
from tensorflow_datasets.core.writer import ExampleWriter
from tensorflow_datasets.proto import tf_example_pb2

Example = tf_example_pb2.Example
"""The message `tf.train.Example`, without TensorFlow."""

INCOMPLETE: str = tfds.core.constants.INCOMPLETE_PREFIX
"""How TFDS begins the names of folders that are no datasets."""

__all__ = [
    "INCOMPLETE",
    "DataPath",
    "DatasetCollection",
    "DatasetCollectionInfo",
    "DownloadError",
    "Example",
    "ExampleSerializer",
    "ExampleWriter",
    "PythonDataSource",
    "UrlInfo",
    "compute_url_info",
    "default_data_dir",
    "get_info_path",
    "let_partial_decoding_select_from",
    "load_url_infos",
    "manual_dir_of",
    "references_for",
    "save_url_infos",
]


class DataPath(type(epath.Path())):  # type: ignore[misc]
    """A builder's folder, which `tfds build --overwrite` leaves to the builder.

    TFDS's command line deletes the folder before it asks the builder for another dataset, so before
    anyone knows whether there can be one. If anyone else deletes it, it is gone.
    """

    def rmtree(self, missing_ok: bool = False) -> None:
        if sys._getframe(1).f_globals["__name__"] != _BUILD:
            super().rmtree(missing_ok=missing_ok)


_BUILD = "tensorflow_datasets.scripts.cli.build"


def is_tfds_build() -> bool:
    """Whether `tfds build` calls, which tells builders nothing but what everyone may."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        if frame.f_globals.get("__name__") == _BUILD:
            return True
        frame = frame.f_back
    return False


def default_data_dir() -> epath.Path:
    """Returns the folder that tfds.load uses if it is given none."""
    return epath.Path(tfds.core.constants.DATA_DIR)


def manual_dir_of(manager: tfds.download.DownloadManager) -> epath.Path | None:
    """Returns the user's manual_dir, even if missing, empty or unreadable.

    TFDS refuses such a folder with a message of its own; ours also says where else it looked.
    """
    try:
        return epath.Path(manager.manual_dir)
    except (AssertionError, OSError):
        path = getattr(manager, "_manual_dir", None)
        # If the user named none, TFDS falls back to this.
        return None if path == manager.download_dir / "manual" else path


def let_partial_decoding_select_from(nested: type[tfds.features.Dataset]) -> None:
    """Lets `tfds.decode.PartialDecoding` select among the fields of a nested dataset's feature.

    TFDS's own stops at nested datasets, is ignored where data are read with NumPy, and needs
    TensorFlow. Builders that TFDS makes itself, for a pinned version or a folder, run none of our
    code except features, and these see the decoding too late. So the decoding itself learns what a
    field of such a feature is. For datasets without such a feature, TFDS's own code runs.

    Args:
      nested: the feature's class.
    """
    extract = tfds.decode.PartialDecoding.extract_features
    deserialize = top_level_feature.TopLevelFeature.deserialize_example_np

    def extract_features(decoding: Any, features: Any) -> Any:
        specs = decoding._feature_specs
        if not isinstance(specs, Mapping | set | list) or not _has_any(features, nested):
            return extract(decoding, features)
        return _select(features, specs, nested, extract)

    def deserialize_example_np(features: Any, serialized: Any, *, decoders: Any = None) -> Any:
        if isinstance(decoders, tfds.decode.PartialDecoding) and _has_any(features, nested):
            features, decoders = _subset_of(features, decoders), decoders.decoders
        return deserialize(features, serialized, decoders=decoders)

    tfds.decode.PartialDecoding.extract_features = extract_features
    top_level_feature.TopLevelFeature.deserialize_example_np = deserialize_example_np


def _has_any(features: Any, kind: type) -> bool:
    return isinstance(features, tfds.features.FeaturesDict) and any(
        isinstance(feature, kind) for feature in features.values()
    )


def _select(features: Any, specs: Any, nested: Any, extract: Callable[..., Any]) -> Any:
    """Returns the features that specs select, taking those selected by name as they are."""
    if not isinstance(specs, Mapping):
        specs = dict.fromkeys(specs, True)
    fields: dict[str, Any] = dict(features.items())
    selected: dict[str, Any] = {}
    for name, spec in specs.items():
        feature = fields.get(name)
        if spec is True and feature is not None:
            selected[name] = feature
        elif isinstance(feature, nested) and isinstance(spec, Mapping | set | list):
            selected[name] = nested(_select(feature.feature, spec, nested, extract))
        elif spec is not False:
            # TFDS's own compares dtypes, for which it needs TensorFlow. If the name is unknown, it
            # raises the error.
            one = extract(tfds.decode.PartialDecoding({name: spec}), features)
            selected[name] = one[name]
    return tfds.features.FeaturesDict(selected)


@functools.lru_cache(maxsize=16)
def _subset_of(features: Any, decoding: Any) -> Any:
    """Returns the features that a decoding selects, computed once instead of per example."""
    return decoding.extract_features(features)
