"""Whole runs as a dataset's shards, one for each checkpoint, written here or by many workers.

A worker is told where to read and where to write; no data passes through the engine that runs it.
Beside its shard it leaves a note. Only shards whose notes match their files become a dataset, so an
engine that loses or repeats work cannot harm it, and finished shards are reused after a restart.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import _tfds, progress, schema
from tfds_atari_replay.building import downloads
from tfds_atari_replay.building.writing import ExampleWriter
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.logs.runs import Run, Shard
from tfds_atari_replay.scores.scorer import Scorer
from tfds_atari_replay.threads import one_late


@dataclasses.dataclass(frozen=True)
class Note:
    """Describes a shard that was written.

    Attributes:
      examples: how many episodes.
      transitions: how many logged steps.
      num_bytes: how large the file is.
      rewards: how many true rewards are known; see `Scorer.counts`.
    """

    examples: int
    transitions: int
    num_bytes: int
    rewards: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Job:
    """A shard to write, for any worker that sees the logs and the dataset's folder.

    Attributes:
      game: which is played.
      shard: what to read.
      path: the file to write.
      file_format: TFDS's name of the format, such as `tfrecord`.
    """

    game: str
    shard: Shard
    path: epath.Path
    file_format: str

    def read_note(self) -> Note | None:
        """Returns the note; None if the shard is not written, or has changed since."""
        try:
            note = Note(**json.loads(self._note_path.read_text()))
            return note if self.path.stat().length == note.num_bytes else None
        except (OSError, ValueError, TypeError):
            return None

    def write(self, when_read: Callable[[int], object] = lambda _: None) -> None:
        """Writes the shard and then the note, unless both are there already.

        Args:
          when_read: called with the number of steps of each episode.

        Raises:
          ReplayLogError: a file of the logs is damaged, or has changed since the run was joined.
          OSError: the folder cannot be written to.
        """
        if self.read_note() is not None:
            return
        counts: list[int] = []
        scorer = Scorer(GAMES[self.game])
        # Under unique names: an engine may run a job twice at the same time.
        part, note_part = (
            path.with_name(f"{_tfds.INCOMPLETE}{uuid.uuid4().hex}.{path.name}")
            for path in (self.path, self._note_path)
        )
        try:
            writer = ExampleWriter(tfds.core.FileFormat.from_value(self.file_format))
            with downloads.deleting_damaged():
                examples = self._examples(counts, scorer, when_read)
                writer.encode_and_write(part, schema.features(), examples)
            note = Note(len(counts), sum(counts), part.stat().length, scorer.counts)
            note_part.write_text(json.dumps(dataclasses.asdict(note)))
            part.replace(self.path)
            note_part.replace(self._note_path)
        finally:
            part.unlink(missing_ok=True)
            note_part.unlink(missing_ok=True)

    def move_to(self, folder: epath.Path) -> None:
        """Moves the shard into a folder, and deletes the note."""
        self.path.rename(folder / self.path.name)
        self._note_path.unlink()

    @property
    def _note_path(self) -> epath.Path:
        return self.path.with_name(f"{self.path.name}.json")

    def _examples(
        self, counts: list[int], scorer: Scorer, when_read: Callable[[int], object]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        episodes = self.shard.episodes()
        for started in one_late(schema.start_all(episodes, self.shard.number, scorer)):
            counts.append(started.num_steps)
            example = started.finish()
            yield example["episode_id"], example
            when_read(started.num_steps)


def write_run(
    game: str,
    run: Run,
    template: Any,
    file_format: str,
    *,
    version: str,
    runner: Any = None,
    options: Any = None,
) -> tuple[tfds.core.SplitInfo, dict[str, Any]]:
    """Writes a run as one split, a shard for each checkpoint.

    Until all shards are written, they are kept in a folder beside the dataset's, where a second
    attempt continues.

    Args:
      game: which is played.
      run: what to write.
      template: TFDS's `ShardedFileTemplate` of the split.
      file_format: TFDS's name of the format.
      version: of the dataset.
      runner: a runner of Apache Beam.
      options: Beam's `PipelineOptions`. Without these two, shards are written in this process.

    Returns:
      The split, and for the dataset's metadata, how many logged steps and true rewards it has.

    Raises:
      ReplayLogError: a file of the logs is damaged, or has changed since the run was joined. (By
        way of Beam it is a RuntimeError.)
      FileNotFoundError: a shard is missing or changed, although no worker reported an error.
    """
    jobs = _plan(game, run, template, file_format, version)
    if runner is None and options is None:
        _write_here(jobs)
    else:
        _write_with_beam(jobs, runner, options)
    notes = _collect(jobs, template.data_dir)
    return tfds.core.SplitInfo(
        name=template.split,
        shard_lengths=[note.examples for note in notes],
        num_bytes=sum(note.num_bytes for note in notes),
        filename_template=template,
    ), {
        "transitions": sum(note.transitions for note in notes),
        "unclipped_rewards": {
            kind: sum(note.rewards[kind] for note in notes) for kind in notes[0].rewards
        },
    }


def _plan(game: str, run: Run, template: Any, file_format: str, version: str) -> list[Job]:
    count = len(run.shards)
    names = [template.sharded_filepath(shard_index=n, num_shards=count).name for n in range(count)]
    # Everything the shards depend on. Shards of a different plan are useless.
    identity = repr((version, file_format, names, run.shards))
    prefix = f"{_tfds.INCOMPLETE}run_"
    beside = template.data_dir.parent
    parts = beside / f"{prefix}{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    parts.mkdir(parents=True, exist_ok=True)
    for old in beside.iterdir():
        if old.name.startswith(prefix) and old != parts:
            old.rmtree()
    return [
        Job(game, shard, parts / name, file_format)
        for shard, name in zip(run.shards, names, strict=True)
    ]


def _write_here(jobs: Sequence[Job]) -> None:
    rows = [job.shard.num_rows for job in jobs]
    total = None if None in rows else sum(row or 0 for row in rows)
    done = sum(note.transitions for job in jobs if (note := job.read_note()))
    with progress.bar(
        desc="Generating train examples", total=total, initial=done, unit=" steps"
    ) as bar:
        for job in jobs:
            job.write(bar.update)


def _write_with_beam(jobs: Sequence[Job], runner: Any, options: Any) -> None:
    beam: Any = importlib.import_module("apache_beam")
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        # A source for each job, since runners merge the elements of one; and one end for all, since
        # Dask's runner computes only the last end.
        written = [
            pipeline
            | f"Plan {job.path.name}" >> beam.Create([job])
            | f"Write {job.path.name}" >> beam.Map(_write)
            for job in jobs
        ]
        _ = written | beam.Flatten()


def _write(job: Job) -> None:
    job.write()


def _collect(jobs: Sequence[Job], folder: epath.Path) -> list[Note]:
    notes = [job.read_note() for job in jobs]
    lost = [job.path for job, note in zip(jobs, notes, strict=True) if note is None]
    if lost:
        raise FileNotFoundError(
            f"{len(lost)} of {len(jobs)} shards are missing or changed, although no worker "
            f"reported an error. The first is {lost[0]}. Can all workers see that folder? Run the "
            "same command again; finished shards are reused."
        )
    for job in jobs:
        job.move_to(folder)
    jobs[0].path.parent.rmtree()
    return [note for note in notes if note is not None]
