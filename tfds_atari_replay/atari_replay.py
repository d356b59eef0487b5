"""The TFDS builder `atari_replay`: from logs to episodes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import _tfds, configs, fields, notebooks, schema
from tfds_atari_replay.building import downloads, shards
from tfds_atari_replay.building.configs import AtariReplayConfig, ConfigsByName, all_configs
from tfds_atari_replay.building.keeping import KeepingBuilder
from tfds_atari_replay.building.writing import ExampleWriter
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.logs import layouts, locating, paths
from tfds_atari_replay.logs.files import OpenedCheckpoint
from tfds_atari_replay.prepared import opening
from tfds_atari_replay.scores.scorer import Scorer
from tfds_atari_replay.threads import one_late

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


class AtariReplay(KeepingBuilder):
    """RLDS episodes of the DQN Replay logs; docs/data.md says what the fields mean."""

    VERSION = tfds.core.Version(fields.VERSION)
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.1.0": "True scores: unclipped_reward in steps, unclipped_return in episodes.",
        "1.0.0": "First release.",
    }
    BUILDER_CONFIGS: ClassVar[Any] = _OnAccess(all_configs)  # 16,500 of them
    builder_configs: ClassVar[Mapping[str, AtariReplayConfig]] = ConfigsByName()
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
Not needed where a public copy can be reached. Otherwise manual_dir is a folder with a copy of your
own, in one of the layouts
{layouts.DESCRIPTION}
(${locating.SOURCE_VARIABLE} may name it instead). To record logs of your own:
  {locating.RECORD_COMMAND} breakout --out LOGS
"""
    url_infos: ClassVar[Any] = _OnAccess(downloads.read_registry)
    _checksums_path: ClassVar[epath.Path] = downloads.REGISTRY

    builder_config: AtariReplayConfig

    def __repr__(self) -> str:
        facts = ", ".join(self._facts().values())
        return f"{type(self).__name__}({facts})"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        return notebooks.to_table(self._facts())

    def _facts(self) -> dict[str, str]:
        facts = {"dataset": self.info.full_name}
        if self.info.splits:
            size = f"{self.info.dataset_size / 1e6:,.1f} MB, {self.info.file_format.value}"
            count = f"{self.info.splits['train'].num_examples:,}"
            facts |= {"episodes": f"{count} episodes", "size": size}
        else:
            facts |= {"state": "not prepared"}
        return facts | {"folder": str(self.data_path)}

    def _create_builder_config(self, builder_config: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(builder_config, str):
            name = builder_config.partition(":")[0]
            if name not in self.builder_configs:
                raise ValueError(configs.explain_unknown(name))
        return super()._create_builder_config(builder_config, *args, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return opening.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            citation=_CITATION,
            homepage="https://offline-rl.github.io/",
            features=schema.features(self.version),
            metadata=opening.Metadata(
                game=config.game,
                run=config.run,
                action_meanings=list(GAMES[config.game].actions),
            ),
        )

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

    @property
    def _shares_files(self) -> bool:
        return self.builder_config.is_whole_run  # whose shards are kept for the next attempt

    def _locate(self, manual_dir: epath.PathLike | None) -> list[locating.Located]:
        """Finds the checkpoint's files, or those of all checkpoints of a run."""
        config = self.builder_config
        wanted = configs.find_config(config.name)
        if wanted is None:  # one that a user has made
            take: Any = "all" if config.is_whole_run else "first"
            split = configs.Split(config.name, config.checkpoints, take)
            wanted = configs.Config(GAMES[config.game], split, config.run)
        return locating.locate(wanted, manual_dir=manual_dir)

    def _download(
        self, dl_manager: tfds.download.DownloadManager, urls: dict[str, str]
    ) -> dict[str, epath.Path]:
        try:
            return downloads.download(dl_manager, urls)
        finally:
            if dl_manager.register_checksums:
                registry = downloads.registry_to_write(self.data_dir_root)
                downloads.record_checksums(self._checksums_path, registry)

    def _example_writer(self) -> ExampleWriter:
        return ExampleWriter(self.info.file_format)

    def _download_and_prepare(
        self, dl_manager: tfds.download.DownloadManager, download_config: Any
    ) -> None:
        with downloads.deleting_damaged():
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
        located = self._locate(_tfds.manual_dir_of(dl_manager))
        run = downloads.join_located(located, functools.partial(self._download, dl_manager))
        if run.gaps:
            _logger.warning("%s: %s", config.name, run.describe_gaps())
        split, counts = shards.write_run(
            config.game,
            run,
            self._get_filename_template("train"),
            self.info.file_format.value,
            version=str(self.version),
            runner=download_config.beam_runner,
            options=download_config.beam_options,
        )
        self.info.set_splits(tfds.core.SplitDict([split]))
        self.info.metadata.update(run.metadata(), source=located[0].files.layout.name, **counts)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        (located,) = self._locate(_tfds.manual_dir_of(dl_manager))
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
        self, located: locating.Located, opened: OpenedCheckpoint
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        number = located.files.number
        scorer = Scorer(GAMES[self.builder_config.game])
        transitions = 0
        for started in one_late(schema.start_all(opened.episodes(), number, scorer)):
            transitions += started.num_steps
            example = started.finish()
            # Up to date at every episode, since TFDS may stop early (max_examples_per_split).
            self.info.metadata.update(
                transitions=transitions, unclipped_rewards=dict(scorer.counts)
            )
            yield f"{number}_{example['episode_id']}", example
