"""The TFDS builder `atari_replay`, which joins its neighbours.

Its own is what TFDS leaves to chance: interrupted deletions, concurrent builds, early checks.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import _extras, _tfds, blocks, configs, downloads, schema, shards
from tfds_atari_replay.builder_configs import AtariReplayConfig, ConfigsByName, all_configs
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.logs import layouts, paths, sources
from tfds_atari_replay.logs.files import OpenedCheckpoint

_DESCRIPTION = """
Episodes of the DQN Replay logs: everything DQN agents saw, did and received while they learned to
play 60 Atari 2600 games with sticky actions, in five runs per game with a million rows per
checkpoint, as Dopamine's logger wrote them (Agarwal et al., 2020). They are read in time order,
without the zero rows that pad the replay buffer, and follow the RLDS format: an episode of T steps
that ends in a terminal has T + 1, the last one being the terminal state, whose observation the logs
lack.
"""

_CITATION = """
@inproceedings{agarwal2020optimistic,
  title={An Optimistic Perspective on Offline Reinforcement Learning},
  author={Agarwal, Rishabh and Schuurmans, Dale and Norouzi, Mohammad},
  booktitle={International Conference on Machine Learning},
  year={2020}
}
@article{castro2018dopamine,
  title={Dopamine: A Research Framework for Deep Reinforcement Learning},
  author={Castro, Pablo Samuel and Moitra, Subhodeep and Gelada, Carles and Kumar, Saurabh and
          Bellemare, Marc G.},
  journal={arXiv preprint arXiv:1812.06110},
  year={2018}
}
"""

_logger = logging.getLogger(__name__)


class _OnAccess:
    """A class attribute that is made when someone asks for it, not at import."""

    def __init__(self, make: Callable[[], Any]):
        self._make = make

    def __get__(self, builder: Any, kind: Any) -> Any:
        return self._make()


class AtariReplay(tfds.core.GeneratorBasedBuilder):
    """RLDS episodes of the DQN Replay logs; docs/data.md says what the fields mean."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[Any] = _OnAccess(all_configs)  # 16,500 of them
    builder_configs: ClassVar[Mapping[str, AtariReplayConfig]] = ConfigsByName()
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
Not needed where a public copy can be reached. Otherwise manual_dir is a folder with a copy of your
own, in one of the layouts
{layouts.DESCRIPTION}
(${sources.SOURCE_VARIABLE} may name it instead). To record logs of your own:
  {sources.RECORD_COMMAND} breakout --out LOGS
"""
    url_infos: ClassVar[Any] = _OnAccess(downloads.read_registry)
    _checksums_path: ClassVar[epath.Path] = downloads.REGISTRY

    builder_config: AtariReplayConfig

    def _create_builder_config(self, builder_config: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(builder_config, str):
            name = builder_config.partition(":")[0]
            if name not in self.builder_configs:
                raise ValueError(configs.explain_unknown(name))
        return super()._create_builder_config(builder_config, *args, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            citation=_CITATION,
            homepage="https://offline-rl.github.io/",
            features=schema.features(),
            metadata=tfds.core.MetadataDict(
                game=config.game,
                run=config.run,
                action_meanings=list(GAMES[config.game].actions),
            ),
        )

    def download_and_prepare(
        self,
        *,
        download_config: tfds.download.DownloadConfig | None = None,
        file_format: Any = None,
        **kwargs: Any,
    ) -> None:
        """Like TFDS's, but recovers from interrupted deletions and tolerates concurrent builds.

        Of a whole run, a second process waits for the first: it would work on the same shards.
        """
        lock: Any = contextlib.nullcontext()
        if self.builder_config.is_whole_run:
            lock = downloads.lock(self.data_path.parent / f"{_tfds.INCOMPLETE}run.lock")
        with lock:
            self._prepare(download_config, file_format, **kwargs)

    def _prepare(
        self,
        download_config: tfds.download.DownloadConfig | None,
        file_format: Any,
        **kwargs: Any,
    ) -> None:
        mode = (download_config or tfds.download.DownloadConfig()).download_mode
        exists = self.data_path.exists()
        if not exists or mode.overwrite_dataset or not self._is_whole():
            _check_writable(file_format or self.info.file_format)
            if exists:
                self._remove()
        try:
            super().download_and_prepare(
                download_config=download_config, file_format=file_format, **kwargs
            )
        except OSError as error:
            # Another process prepared the same meanwhile, and finished first.
            is_taken = isinstance(error, FileExistsError) or error.errno == errno.ENOTEMPTY
            if not (is_taken and self.is_prepared()):
                raise
            _logger.info("%s: using what another process has prepared.", self.data_path)
            self.info.read_from_directory(self.data_path)

    def as_dataset(self, *args: Any, **kwargs: Any) -> Any:
        _extras.check_tensorflow(
            "A tf.data.Dataset (tfds.load, as_dataset)",
            "Or read with NumPy: tfds.data_source or tfds_atari_replay.load_replay.",
        )
        return super().as_dataset(*args, **kwargs)

    def _is_whole(self) -> bool:
        """Whether no file is missing, as some are after an interrupted deletion."""
        return self.is_prepared() and all(
            path.exists() for split in self.info.splits.values() for path in split.filepaths
        )

    def _remove(self) -> None:
        """Deletes the dataset, renaming it first so a partial one is never used."""
        doomed = self.data_path.with_name(f"{_tfds.INCOMPLETE}{uuid.uuid4().hex}_{self.version}")
        self.data_path.rename(doomed)
        doomed.rmtree()

    def _make_download_manager(
        self, download_dir: epath.PathLike | None, download_config: tfds.download.DownloadConfig
    ) -> tfds.download.DownloadManager:
        if download_config.manual_dir is not None:
            paths.open_path(download_config.manual_dir)  # TFDS would raise a bare KeyError.
        # Read as late as possible: another builder may have recorded checksums since.
        self.url_infos = downloads.read_registry(self.data_dir_root)  # type: ignore[misc]
        if download_config.register_checksums:
            self._checksums_path = downloads.new_notes()  # type: ignore[misc]
        return super()._make_download_manager(
            download_dir=download_dir, download_config=download_config
        )

    def _download(
        self, dl_manager: tfds.download.DownloadManager, urls: dict[str, str]
    ) -> dict[str, epath.Path]:
        try:
            return downloads.download(dl_manager, urls)
        finally:
            if dl_manager.register_checksums:
                registry = downloads.registry_to_write(self.data_dir_root)
                downloads.record_checksums(self._checksums_path, registry)

    def _example_writer(self) -> _tfds.ExampleWriter:
        return _tfds.ExampleWriter(self.info.file_format)

    def _download_and_prepare(
        self, dl_manager: tfds.download.DownloadManager, download_config: Any
    ) -> None:
        if self.builder_config.is_whole_run:
            self._write_run(dl_manager, download_config)
        else:
            super()._download_and_prepare(dl_manager, download_config)

    def _write_run(self, dl_manager: tfds.download.DownloadManager, download_config: Any) -> None:
        config = self.builder_config
        if download_config.max_examples_per_split is not None:
            raise ValueError(
                "max_examples_per_split is not for whole runs, whose shards are whole checkpoints. "
                "Build one checkpoint, or read a slice such as train[:1%]."
            )
        located = sources.locate_run(
            GAMES[config.game], config.run, manual_dir=_tfds.manual_dir_of(dl_manager)
        )
        run = downloads.join_located(located, functools.partial(self._download, dl_manager))
        if run.gaps:
            _logger.warning("%s: %s", config.name, run.describe_gaps())
        split, transitions = shards.write_run(
            run,
            self._get_filename_template("train"),
            self.info.file_format.value,
            version=str(self.version),
            is_download=located[0].is_download,
            runner=download_config.beam_runner,
            options=download_config.beam_options,
        )
        self.info.set_splits(tfds.core.SplitDict([split]))
        self.info.metadata.update(
            run.metadata(), source=located[0].files.layout.name, transitions=transitions
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        located = sources.locate(
            GAMES[config.game],
            config.run,
            config.checkpoints,
            manual_dir=_tfds.manual_dir_of(dl_manager),
        )
        # Opened here, so that damage in anything but the frames shows before anything is written.
        located, opened = downloads.open_located(
            located, functools.partial(self._download, dl_manager)
        )
        self.info.metadata.update(
            checkpoints=[located.files.number],
            source=located.files.layout.name,
            capacity=opened.capacity,
        )
        if opened.is_cursor_assumed:
            self.info.metadata["cursor_assumed"] = True
        return {"train": self._generate_examples(located, opened)}

    def _generate_examples(
        self, located: sources.Located, opened: OpenedCheckpoint
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        number = located.files.number
        transitions = 0
        episodes = opened.episodes(blocks.BLOCK_LENGTH)
        found = shards.to_examples(episodes, number, is_download=located.is_download)
        for episode, example in found:
            transitions += len(episode.action)
            # Updated at every episode, since TFDS may stop early (max_examples_per_split).
            self.info.metadata["transitions"] = transitions
            yield f"{number}_{episode.index}", example


def _check_writable(file_format: Any) -> None:
    """Refuses what TFDS would refuse only after reading all of the log."""
    if tfds.core.FileFormat.from_value(file_format) is tfds.core.FileFormat.TFRECORD:
        _extras.check_tensorflow(
            "Storing a dataset as TFRecords, TFDS's default,",
            "Or store it with file_format='array_record' (tfds build --file_format=array_record).",
        )
