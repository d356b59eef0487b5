"""The same episodes with a PNG per step, as TFDS's `rlu_atari` stores them."""

from __future__ import annotations

from typing import Any

import tensorflow_datasets as tfds


class PngSteps(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The episodes of another builder, whose steps are a nested dataset of TFDS."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, original: Any, split: str, **kwargs: Any):
        self._original, self._split = original, split
        super().__init__(**kwargs)

    def _info(self) -> Any:
        fields = dict(self._original.info.features)
        fields["steps"] = tfds.features.Dataset(dict(fields["steps"].feature))
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(fields))

    def _split_generators(self, dl_manager: Any) -> Any:
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Any:
        for episode in tfds.as_numpy(self._original.as_dataset(split=self._split)):
            yield f"{episode['checkpoint_id']}_{episode['episode_id']}", episode
