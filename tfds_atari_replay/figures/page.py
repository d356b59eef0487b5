"""A dataset as a single HTML page that needs no network."""

from __future__ import annotations

import pathlib
import tempfile
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import _extras, fields, progress
from tfds_atari_replay.figures import plots, videos
from tfds_atari_replay.figures.episodes import Episode
from tfds_atari_replay.figures.summaries import Summary, summarize_run
from tfds_atari_replay.logs import layouts

_COLUMNS = {
    "episode_id": "Episode",
    "checkpoint_id": "Checkpoint",
    "length": "Steps",
    "unclipped_return": "Score",
    "episode_return": "Clipped return",
    "is_complete": "Complete",
}
_PLOTS = {
    "Returns over time": plots.returns_over_time,
    "Distribution of returns": plots.return_distribution,
    "Episode lengths": plots.episode_lengths,
    "Action frequencies": plots.action_frequencies,
}


def check_can_write(folder: pathlib.Path) -> None:
    """Creates the folder; checks that it is writable and that the `preview` extra is installed.

    Raises:
      OSError: the folder cannot be made or written to.
      ImportError: the extra `preview` is not installed.
    """
    with _extras.required_for("atari-replay preview", "preview"):
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
        import PIL.Image  # noqa: F401
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(
            f"--out must be a folder that can be written to, or made (got '{folder}'): {error}"
        ) from error


def write_page(summary: Summary, folder: pathlib.Path) -> pathlib.Path:
    """Draws a dataset's page and writes it as index.html.

    Args:
      summary: of the dataset. Other datasets of the same run in the same data_dir add to the
        learning curve.
      folder: where to write; it must exist.

    Returns:
      The page's path.
    """
    page = _render(summary)
    path = folder / "index.html"
    incomplete = folder / f".{uuid.uuid4().hex}"
    try:
        incomplete.write_text(page, encoding="utf-8")
        incomplete.replace(path)
    finally:
        incomplete.unlink(missing_ok=True)
    return path


def _render(summary: Summary) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfds_atari_replay.figures", "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["url"] = videos.to_url
    run = summarize_run(summary)
    players = [
        _player(labels, summary.read(episode_id))
        for episode_id, labels in progress.bar(
            _chosen(summary).items(), desc="Drawing", unit=" episodes"
        )
    ]
    return environment.get_template("page.html").render(
        summary=summary,
        full_name=summary.builder.info.full_name,
        facts=_facts(summary),
        data_dir=repr(str(summary.builder.data_path.parents[2])),
        fields=_fields(summary),
        limits=_limits(summary),
        players=players,
        sheet=videos.to_webp([players[0]["episode"].contact_sheet()]) if players else None,
        plots={title: plots.to_svg(draw(summary)) for title, draw in _PLOTS.items()},
        curve=_curve(run),
        titles=_COLUMNS,
        columns={name: _values(summary.episodes[name]) for name in _COLUMNS},
    )


def _values(column: npt.NDArray[Any]) -> list[Any]:
    """Returns a column for JSON, which has null instead of NaN."""
    return [None if value != value else value for value in column.tolist()]


def _chosen(summary: Summary) -> dict[int, list[str]]:
    """Returns the ids of the best, median and worst episode, each with its labels."""
    ids = summary.ranked["episode_id"].tolist()
    chosen: dict[int, list[str]] = {}
    if ids:
        for label, rank in (("best", 0), ("median", len(ids) // 2), ("worst", -1)):
            chosen.setdefault(ids[rank], []).append(label)
    return chosen


def _player(labels: list[str], episode: Episode) -> dict[str, Any]:
    sheet = videos.lay_out(episode.frames)
    steps = np.arange(0, episode.length, sheet.stride)
    is_true = bool(np.isfinite(episode.unclipped_reward).all())
    reward = episode.unclipped_reward if is_true else episode.reward
    return {
        "label": ", ".join(labels).capitalize(),
        "episode": episode,
        "sheet": sheet,
        "data": {
            "columns": videos.SHEET_COLUMNS,
            "stride": sheet.stride,
            "length": episode.length,
            "fps": videos.FRAMES_PER_SECOND,
            "hold": videos.HOLD,
            "actions": [episode.action_meanings[action] for action in episode.action[steps]],
            "gained": np.add.reduceat(reward, steps).tolist(),
            "sum": "score" if is_true else "clipped return",
        },
    }


def _curve(run: list[Summary]) -> dict[str, Any] | None:
    """Returns the learning curve of a run, if it has points enough to show something."""
    points = plots.mean_returns(run)
    is_true = plots.return_field(run) == "unclipped_return"
    if len(points) < (1 if is_true else 2):
        return None
    return {
        "svg": plots.to_svg(plots.learning_curve(run)),
        "points": points,
        "is_true": is_true,
        "names": [summary.name for summary in run],
    }


def _fields(summary: Summary) -> list[tuple[str, str, str]]:
    """Returns the name, the type and the meaning of each of the dataset's fields."""
    features = summary.builder.info.features
    frame = ("steps/observation", "uint8 (84, 84, 1)", "Grey frame at which the action was taken.")
    return [frame] + [
        (prefix + field.name, np.dtype(field.dtype).name, field.description)
        for prefix, known, present in (
            ("steps/", fields.STEP, features["steps"].feature),
            ("", fields.EPISODE, features),
        )
        for field in known
        if field.name in present
    ]


def _facts(summary: Summary) -> dict[str, str]:
    metadata, info = summary.metadata, summary.builder.info
    complete, episodes = summary.complete, summary.episodes
    is_true = summary.return_field == "unclipped_return"
    returns = complete[summary.return_field].astype(np.float64)
    returns = returns[~np.isnan(returns)]
    facts = {
        "Steps": f"{episodes['length'].sum():,}",
        "Episodes": f"{len(episodes):,}, {len(complete):,} complete",
    }
    if len(complete):
        what = "Score" if is_true else "Clipped return"
        known = f", of {len(returns):,} that are known" if len(returns) < len(complete) else ""
        facts[f"{what} of complete episodes{known}"] = (
            f"mean {returns.mean():.2f}, median {np.median(returns):g}, "
            f"{returns.min():g} to {returns.max():g}"
        )
        facts["Steps of complete episodes"] = (
            f"mean {complete['length'].mean():,.0f}, "
            f"{complete['length'].min():,} to {complete['length'].max():,}"
        )
    meanings = enumerate(metadata["action_meanings"])
    return facts | {
        "Actions": ", ".join(f"{number} {meaning}" for number, meaning in meanings),
        "Layout of the logs": metadata["source"],
        "On disk": f"{info.dataset_size / 1e6:.1f} MB, {info.file_format.value}",
        "Version": str(info.version),
    }


def _limits(summary: Summary) -> list[str]:
    """Describes what the data lack, a sentence or two for each limit."""
    metadata, cut = summary.metadata, len(summary.episodes) - len(summary.complete)
    found = [
        "Rewards were clipped to [-1, 1] when they were logged, so a clipped return counts "
        f"rewards; it is not the game's score. {_describe_scores(metadata)}",
        "A step is four frames of the game. The agents of the public logs explored, and their "
        "actions were sticky: this is how they played while they learned, not their best.",
    ]
    if not layouts.find_layout(metadata["source"]).has_terminal_frames:
        found.append(
            "The logs lack the frame after an episode's last action; the dataset has zeros there, "
            "and animations end with the last action."
        )
    if cut:
        subject = "1 episode is" if cut == 1 else f"{cut:,} episodes are"
        found.append(
            f"{subject} cut: the logs lack the start or the end, so the return is incomplete."
        )
    for gap in metadata.get("gaps", ()):
        missing = [f"checkpoint {numbers}" for numbers in _ranges(gap["missing"])]
        missing += [] if gap["rows"] is None else [f"{gap['rows']:,} rows"]
        lost = f" (missing: {', '.join(missing)})" if missing else ""
        found.append(f"Episodes are cut at the gap before checkpoint {gap['before']}{lost}.")
    if metadata.get("cursor_assumed"):
        found.append(
            "The logs do not say where the logger stopped writing; a dump at a lap's end is "
            "assumed. In a run's last dump two episodes are then joined at one place."
        )
    return found


def _describe_scores(metadata: dict[str, Any]) -> str:
    counts = metadata.get("unclipped_rewards")
    if counts is None:
        return "This version of the dataset has no true scores."
    known, summed, unknown = counts["known"], counts["summed"], counts["unknown"]
    return (
        f"Scores were read off the frames. Of {known + summed + unknown:,} rewards, {known:,} are "
        f"known by themselves, {summed:,} as part of a sum, {unknown:,} not."
    )


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Abbreviates increasing numbers: 1, 2, 3, 7 become "1 to 3" and "7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
