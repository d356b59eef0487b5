"""The TFDS builder: joins its neighbours, knows nothing of its own but RLDS's alignment."""

from __future__ import annotations

import dataclasses
import difflib
import errno
import functools
import itertools
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import downloads, episodes, layouts, replay_logs, sources, steps, unplugged
from tfds_atari_replay.games import GAMES, Game

_DESCRIPTION = """
Episodes of the DQN Replay logs: what DQN agents saw, did and got while they learned to play 60
Atari 2600 games with sticky actions, five runs a game, one million rows a checkpoint, as Dopamine's
logger wrote them (Agarwal et al., 2020). They are read in the order of time, without the zero rows
that pad the replay buffer, and given in the RLDS format: an episode of T steps that ends in a
terminal has T + 1, the last one the terminal state, whose observation the logs do not have.
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

# The checkpoints a split stands for; of several, the first that exists. mixed, medium and expert
# are d4rl-atari's.
_SPLITS: dict[str, tuple[int, ...]] = {
    "mixed": (1,),
    "medium": (10,),
    "expert": layouts.LAST,
    **{f"epoch_{number}": (number,) for number in range(51)},
}
_RUNS = (1, 2, 3, 4, 5)

_logger = logging.getLogger(__name__)


@dataclasses.dataclass
class AtariReplayConfig(tfds.core.BuilderConfig):
    """One checkpoint of one run of one game.

    Attributes:
      game: as in `GAMES`.
      run: of the logs, 1 to 5; `v0` in a config's name is run 1.
      checkpoints: its number; of several, the first that exists.
    """

    game: str = ""
    run: int = 1
    checkpoints: tuple[int, ...] = ()


def _config_name(game: Game, split: str, run: int) -> str:
    return f"{game.rom}_{split}_v{run - 1}"


def _configs() -> list[AtariReplayConfig]:
    return [
        AtariReplayConfig(
            name=_config_name(game, split, run),
            description=f"{game.name}, run {run}, checkpoint {' or '.join(map(str, checkpoints))}.",
            game=game.name,
            run=run,
            checkpoints=checkpoints,
        )
        for game in GAMES.values()
        for split, checkpoints in _SPLITS.items()
        for run in _RUNS
    ]


def _close_config_names(name: str) -> list[str]:
    # Against all 16,200 names difflib takes seconds, so the game comes first.
    def likeness(game: Game) -> float:
        return difflib.SequenceMatcher(a=game.rom, b=name[: len(game.rom)]).ratio()

    games = sorted(GAMES.values(), key=likeness, reverse=True)[:3]
    names = [_config_name(game, split, run) for game in games for split in _SPLITS for run in _RUNS]
    return difflib.get_close_matches(name, names, n=3)


class _Registry:
    """The recorded checksums, read when they are asked for, not when the package is imported."""

    def __get__(self, builder: Any, kind: Any) -> dict[str, Any]:
        return downloads.read_registry()


class AtariReplay(tfds.core.GeneratorBasedBuilder):
    """RLDS episodes of the DQN Replay logs; see the package's README for fields and meanings."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[AtariReplayConfig]] = _configs()
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
Needs nothing by hand where a public copy can be reached. manual_dir is a folder with a copy of your
own, laid out as
{layouts.LAYOUTS}
(${sources.SOURCE_VARIABLE} may name it instead). Logs of your own:
  {sources.RECORD_COMMAND} breakout --out LOGS
"""
    # Of the package alone; a builder adds those of its data folder.
    url_infos: ClassVar[Any] = _Registry()
    _checksums_path: ClassVar[epath.Path] = downloads.REGISTRY

    builder_config: AtariReplayConfig

    def _create_builder_config(self, builder_config: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(builder_config, str):
            name = builder_config.partition(":")[0]
            if name not in self.builder_configs:
                close = _close_config_names(name)
                hint = f" Did you mean {', '.join(close)}?" if close else ""
                raise ValueError(
                    f"Unknown config {name!r} of atari_replay.{hint} Names are "
                    "<game>_<split>_v<seed>: a game of tfds_atari_replay.GAMES in snake_case; "
                    "mixed, medium, expert or epoch_0 to epoch_50; v0 to v4."
                )
        return super()._create_builder_config(builder_config, *args, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            citation=_CITATION,
            homepage="https://offline-rl.github.io/",
            features=features(),
            metadata=tfds.core.MetadataDict(
                game=config.game,
                run=config.run,
                action_meanings=list(GAMES[config.game].actions),
            ),
        )

    def download_and_prepare(
        self, *, download_config: tfds.download.DownloadConfig | None = None, **kwargs: Any
    ) -> None:
        """As in TFDS, but neither the remains of a deletion nor a second build are in its way."""
        mode = (download_config or tfds.download.DownloadConfig()).download_mode
        if self.data_path.exists() and (mode.overwrite_dataset or not self._is_whole()):
            self._remove()
        try:
            super().download_and_prepare(download_config=download_config, **kwargs)
        except OSError as error:
            # Another process has built the same meanwhile, and was first to give it its name.
            is_taken = isinstance(error, FileExistsError) or error.errno == errno.ENOTEMPTY
            if not (is_taken and self.is_prepared()):
                raise
            _logger.info("%s: another process has prepared it; its files are used.", self.data_path)
            self.info.read_from_directory(self.data_path)

    def _is_whole(self) -> bool:
        """Whether no file of a dataset is missing, as some are if its deletion was interrupted."""
        return self.is_prepared() and all(
            path.exists() for split in self.info.splits.values() for path in split.filepaths
        )

    def _remove(self) -> None:
        """Removes what is in the dataset's place; first its name, so that no part passes for it."""
        # TFDS's own name for what is no dataset.
        doomed = self.data_path.with_name(f"incomplete.{uuid.uuid4().hex}_{self.version}")
        self.data_path.rename(doomed)
        doomed.rmtree()

    def _make_download_manager(
        self, download_dir: epath.PathLike | None, download_config: tfds.download.DownloadConfig
    ) -> tfds.download.DownloadManager:
        # Read at the last moment, since another builder may have recorded checksums since.
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

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        found = sources.find(
            GAMES[config.game],
            config.run,
            config.checkpoints,
            manual_dir=_manual_dir(dl_manager),
            download=functools.partial(self._download, dl_manager),
        )
        downloads.check_dummy_data(found.files)
        self.info.metadata.update(
            checkpoints=[found.files.number], source=found.files.layout, capacity=None
        )
        if found.files.layout == "rl_unplugged":
            read = functools.partial(unplugged.read_episodes, found.files)
        else:
            with downloads.deleting_if_damaged(found):
                # Opened here: all but the frames is checked before anything is written.
                checkpoint = replay_logs.open_checkpoint(found.files)
            self.info.metadata["capacity"] = checkpoint.capacity
            if checkpoint.add_count is None:
                self.info.metadata["cursor_assumed"] = True
            read = functools.partial(episodes.read_episodes, checkpoint)
        return {"train": self._generate_examples(found, read)}

    def _generate_examples(
        self, found: sources.Found, read: Callable[[int], Iterable[episodes.Episode]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        number = found.files.number
        transitions = 0
        for episode in downloads.watched(found, read(steps.BLOCK_LENGTH)):
            transitions += len(episode.action)
            # At every episode, since TFDS may stop early (max_examples_per_split).
            self.info.metadata["transitions"] = transitions
            # TFDS takes the frames when it writes the example, outside of this function.
            frames = downloads.watched(found, episode.frames)
            example = _to_rlds(dataclasses.replace(episode, frames=frames), number)
            yield f"{number}_{episode.index}", example


def _manual_dir(dl_manager: tfds.download.DownloadManager) -> epath.Path | None:
    try:
        return epath.Path(dl_manager.manual_dir)
    except (AssertionError, OSError):
        # It is missing, empty or unreadable; our own message shall say so, with the rest.
        path = getattr(dl_manager, "_manual_dir", None)
        # TFDS's default, if the user named none.
        return None if path == dl_manager.download_dir / "manual" else path


def features() -> tfds.features.FeaturesDict:
    """What an episode holds; `features()["steps"]` is how its steps are stored."""

    # Names and dtypes are those of TFDS's rlu_atari, so that code written for it reads this.
    def scalar(dtype: Any, desc: str, value_range: str | None = None) -> tfds.features.Scalar:
        doc = tfds.features.Documentation(desc=desc, value_range=value_range)
        return tfds.features.Scalar(dtype=dtype, doc=doc)

    return tfds.features.FeaturesDict(
        {
            "steps": steps.Steps(
                {
                    "observation": tfds.features.Image(
                        shape=(84, 84, 1),
                        dtype=np.uint8,
                        encoding_format="png",
                        doc="Grey frame at which the action was taken. In a terminal state, zeros "
                        "if it comes from Dopamine's logs, which do not have it.",
                    ),
                    "action": scalar(
                        np.int64, "Index into the game's minimal action set.", "[0, 17]"
                    ),
                    "reward": scalar(np.float32, "Clipped reward of the action.", "[-1, 1]"),
                    "discount": scalar(np.float32, "0 where the action ended the game.", "{0, 1}"),
                    "is_first": scalar(np.bool_, "First step after a reset."),
                    "is_last": scalar(np.bool_, "Last step that is known."),
                    "is_terminal": scalar(
                        np.bool_, "The state after the end; only flags are valid."
                    ),
                }
            ),
            "episode_id": scalar(np.int64, "Place in the order of time, from 0."),
            "checkpoint_id": scalar(np.int64, "Number of the checkpoint."),
            "episode_return": scalar(np.float32, "Sum of the clipped rewards."),
            "is_complete": scalar(np.bool_, "Whether all from reset to terminal is there."),
        }
    )


def _to_rlds(episode: episodes.Episode, checkpoint: int) -> dict[str, Any]:
    """Aligns an episode of T logged steps as RLDS does.

    With terminal, a step is added for the terminal state: action 2, reward 1, terminal after T = 3

      action a b c 0; reward r s t 0; discount 1 1 0 0; is_last and is_terminal 0 0 0 1
    """
    ended = episode.ends_in_terminal
    length = len(episode.action) + ended
    discount = np.ones(length, np.float32)
    is_first, is_last, is_terminal = np.zeros((3, length), np.bool_)
    frames: Iterator[Any] = (frames[..., np.newaxis] for frames in episode.frames)
    if ended:
        discount[-2:] = 0
        is_terminal[-1] = True
        if not episode.has_terminal_frame:
            frames = itertools.chain(frames, [np.zeros((84, 84, 1), np.uint8)])
    is_first[0] = episode.starts_at_reset
    is_last[-1] = True
    return {
        "steps": {
            "observation": frames,
            "action": np.pad(episode.action.astype(np.int64), (0, ended)),
            "reward": np.pad(episode.reward, (0, ended)),
            "discount": discount,
            "is_first": is_first,
            "is_last": is_last,
            "is_terminal": is_terminal,
        },
        "episode_id": episode.index,
        "checkpoint_id": checkpoint,
        "episode_return": episode.reward.sum(),
        "is_complete": episode.is_complete,
    }
