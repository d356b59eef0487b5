"""The page says what the dataset holds."""

from __future__ import annotations

import dataclasses
import html
import json
import pathlib
import re
import shutil
from typing import Any

import numpy as np
import pytest
from helpers.datasets import DUMMY_DATA, build, rows
from helpers.logs import Truth, make_episodes
from helpers.processes import unprivileged
from helpers.unplugged import write_unplugged

from tfds_atari_replay import figures
from tfds_atari_replay.fields import VERSION
from tfds_atari_replay.figures import page as page_lib
from tfds_atari_replay.figures.page import check_can_write, write_page


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The builder of a dataset of short episodes."""
    return build("breakout_epoch_1_v0", DUMMY_DATA, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def stored(builder: Any) -> list[dict[str, Any]]:
    return rows(builder)


@pytest.fixture(scope="module")
def page(builder: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    data_dir = builder.data_path.parents[2]
    summary = figures.summarize("breakout_epoch_1_v0", data_dir=data_dir)
    return write_page(summary, tmp_path_factory.mktemp("page")).read_text()


def embedded(page: str) -> list[Any]:
    """The data that the page's scripts read: of each player, then of the table."""
    found = re.findall(r'<script type="application/json".*?>(.*?)</script>', page)
    return [json.loads(data) for data in found]


def text_of(page: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", page).split())


def test_the_table_is_the_datasets(stored: list[dict[str, Any]], page: str) -> None:
    """It lists every episode in time order."""
    *_, columns = embedded(page)
    for name in ("episode_id", "checkpoint_id", "episode_return", "is_complete"):
        assert columns[name] == [episode[name].item() for episode in stored]
    assert columns["length"] == [
        sum(not step["is_terminal"] for step in episode["steps"]) for episode in stored
    ]


def test_the_players_show_the_datasets_steps(
    builder: Any, stored: list[dict[str, Any]], page: str
) -> None:
    """They are the best, median and worst episode, with the actions and rewards of each step."""
    *players, _ = embedded(page)
    meanings = builder.info.metadata["action_meanings"]
    for player, number in zip(players, (2, 4, 9), strict=True):
        steps = [step for step in stored[number]["steps"] if not step["is_terminal"]]
        assert player["length"] == len(steps)
        assert player["stride"] == 1
        assert player["actions"] == [meanings[step["action"]] for step in steps]
        assert player["gained"] == [step["reward"].item() for step in steps]
    for title in ("Best: episode 2", "Median: episode 4", "Worst: episode 9"):
        assert title in text_of(page)


def test_the_facts_and_limits_are_the_datasets(page: str) -> None:
    text = text_of(page)
    assert f"Breakout, run 1, checkpoint 1 · atari_replay/breakout_epoch_1_v0/{VERSION}" in text
    assert "Steps 1,469 Episodes 11, 9 complete" in text
    assert "Score of complete episodes mean 0.44, median 0, 0 to 3" in text
    assert "Of 5 rewards, 5 are known by themselves, 0 as part of a sum, 0 not." in text
    assert f"Steps of complete episodes mean {1375 / 9:,.0f}, 130 to 262" in text
    assert "Layout of the logs dopamine" in text
    assert "2 episodes are cut" in text
    assert "The logs lack the frame after an episode's last action" in text.replace("&#39;", "'")
    assert "The grey line is what Dopamine's DQN scored" in text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({}, "This version of the dataset has no true scores."),
        ({}, "1 episode is cut: the logs lack the start or the end"),
        (
            {"gaps": [{"before": 9, "missing": [2, 3, 4, 7], "rows": None}]},
            "at the gap before checkpoint 9 (missing: checkpoint 2 to 4, checkpoint 7).",
        ),
        (
            {"gaps": [{"before": 9, "missing": [], "rows": 1200}]},
            "at the gap before checkpoint 9 (missing: 1,200 rows).",
        ),
        ({"cursor_assumed": True}, "do not say where the logger stopped writing"),
    ],
)
def test_limits_of_other_logs(
    builder: Any, metadata: dict[str, Any], sentence: str, tmp_path: pathlib.Path
) -> None:
    """Each limit is said of the datasets that have it, and only of these."""
    path = tmp_path / "atari_replay"
    shutil.copytree(builder.data_path.parent, path / "breakout_epoch_1_v0")
    (path,) = path.rglob("metadata.json")
    stored = json.loads(path.read_text())
    del stored["unclipped_rewards"]
    path.write_text(json.dumps(stored | metadata))
    summary = figures.summarize("breakout_epoch_1_v0", data_dir=tmp_path)
    shown = " ".join(page_lib._limits(dataclasses.replace(summary, episodes=summary.episodes[1:])))
    assert sentence in shown
    assert ("gap before" in shown) == ("gaps" in metadata)
    assert ("stopped writing" in shown) == ("cursor_assumed" in metadata)


def test_the_code_loads_the_dataset(builder: Any, page: str) -> None:
    """The code runs unchanged; each field is explained."""
    code = html.unescape(re.findall("<pre.*?><code>(import.*?)</code>", page, re.S)[0])
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["batch"]["observation"].shape == (3, 4, 84, 84)
    assert sum(1 for _ in names["episodes"]) == builder.info.splits["train"].num_examples
    text = text_of(page)
    for name in builder.info.features["steps"].feature:
        assert f"steps/{name} " in text
    for name in set(builder.info.features) - {"steps"}:
        assert f" {name} " in text
    assert "Actions 0 NOOP, 1 FIRE, 2 RIGHT, 3 LEFT" in text
    assert "@inproceedings{agarwal2020optimistic" in text


def test_a_page_is_small_and_needs_no_network(page: str) -> None:
    """Its only URLs are XML namespaces and data."""
    assert len(page.encode()) < 2e6
    assert not re.findall(r'(?:src|href|action)="(?!data:|#)', page)
    assert set(re.findall(r"https?://[^\"' ]*", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


@pytest.mark.slow
def test_the_same_dataset_gives_the_same_page(
    builder: Any, page: str, tmp_path: pathlib.Path
) -> None:
    """An older page is replaced."""
    data_dir = builder.data_path.parents[2]
    (tmp_path / "index.html").write_text("old")
    summary = figures.summarize("atari_replay/breakout_epoch_1_v0", data_dir=data_dir)
    assert write_page(summary, tmp_path).read_text() == page
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.slow
def test_a_whole_run_has_a_learning_curve_and_gaps(tmp_path: pathlib.Path) -> None:
    """The numbers beside the curve are means over the dataset."""
    builder = build("breakout_full_v0", DUMMY_DATA, tmp_path)
    summary = figures.summarize("breakout_full_v0", data_dir=tmp_path)
    text = text_of(write_page(summary, tmp_path).read_text())
    assert "before checkpoint 10 (missing: checkpoint 2 to 9, 11,992 rows)." in text
    assert "From breakout_full_v0." in text
    complete = [episode for episode in rows(builder) if episode["is_complete"]]
    numbers = sorted({episode["checkpoint_id"].item() for episode in complete})
    assert len(numbers) > 2
    shown = []
    for number in numbers:
        returns = [e["unclipped_return"] for e in complete if e["checkpoint_id"] == number]
        error = np.std(returns, ddof=1) / len(returns) ** 0.5 if len(returns) > 1 else None
        error_text = "-" if error is None else f"{error:.2f}"
        shown.append(f"{number} {len(returns)} {np.mean(returns):.2f} {error_text}")
    assert f"Standard error {' '.join(shown)} All episodes" in text


def test_logs_with_terminal_frames_and_one_episode(tmp_path: pathlib.Path) -> None:
    """RL Unplugged has terminal frames; a single episode is best, median and worst."""
    (some,) = make_episodes([5])
    write_unplugged(tmp_path / "Breakout" / "run_1-00001-of-00050", [some])
    build("breakout_mixed_v0", tmp_path, tmp_path / "data")
    summary = figures.summarize("atari_replay/breakout_mixed_v0", data_dir=tmp_path / "data")
    page = write_page(summary, tmp_path).read_text()
    assert "lack the frame" not in page
    assert "Best, median, worst: episode 0" in page
    assert len(embedded(page)) == 2


def test_no_episode_with_steps(tmp_path: pathlib.Path) -> None:
    """A terminal state alone, as a file of RL Unplugged may begin with."""
    (some,) = make_episodes([5])
    nothing = Truth(some.frames[:0], some.action[:0], some.reward[:0])
    write_unplugged(tmp_path / "Breakout" / "run_1-00001-of-00050", [nothing])
    build("breakout_mixed_v0", tmp_path, tmp_path / "data")
    summary = figures.summarize("atari_replay/breakout_mixed_v0", data_dir=tmp_path / "data")
    page = write_page(summary, tmp_path).read_text()
    assert "No episode has steps." in page
    (columns,) = embedded(page)
    assert columns["length"] == [0]


def test_a_new_folder_is_made_for_a_page(tmp_path: pathlib.Path) -> None:
    """Checking that it can be written to leaves nothing in it."""
    folder = tmp_path / "new" / "folder"
    check_can_write(folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("is_file", [True, False])
def test_a_folder_that_cannot_be_written_to(tmp_path: pathlib.Path, is_file: bool) -> None:
    folder = tmp_path / "preview"
    if is_file:
        folder.write_text("")
    else:
        folder.mkdir(mode=0o555)
    message = f"--out must be a folder that can be written to, or made (got '{folder}'): "
    with unprivileged(folder), pytest.raises(OSError, match=re.escape(message)):
        check_can_write(folder)
