"""From logs to datasets: the true rewards of datasets are those that the emulator gave."""

from __future__ import annotations

import functools
import logging
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.cases import cases
from helpers.datasets import build, rows
from helpers.logs import Truth, copy_to_cache
from helpers.unplugged import write_unplugged
from players import Episode, play_randomly

from tfds_atari_replay import load_replay, transitions
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.logs.writer import ReplayLogger
from tfds_atari_replay.scores.facts import FACTS
from tfds_atari_replay.scores.rewards import true_rewards
from tfds_atari_replay.scores.scorer import Scorer

QUICK = ("Seaquest", "Pong", "Qbert")

OTHER_ROMS = [
    name for name, game in GAMES.items() if FACTS[game.rom].ram and game.legacy_md5 != game.ale_md5
]
FEW = ("Amidar", "Atlantis")

play = functools.cache(play_randomly)


def clip(rewards: Any) -> Any:
    return np.clip(rewards, -1, 1).astype(np.float32)


def write(folder: pathlib.Path, game: str, episodes: list[Episode], capacity: int = 5000) -> None:
    """Writes play as the recorder does."""
    logger = ReplayLogger(folder / game / "1" / "replay_logs", capacity)
    for frames, _, rewards, is_complete in episodes:
        for step, (frame, reward) in enumerate(zip(frames, clip(rewards), strict=True)):
            logger.add(frame, 1, float(reward), is_complete and step == len(frames) - 1)
    logger.close()


def unplug(folder: pathlib.Path, game: str, episodes: list[Episode]) -> None:
    """Writes play as RL Unplugged does."""
    path = folder / game / "run_1-00000-of-00050"
    truths = [
        Truth(frames, np.ones(len(rewards), np.int32), clip(rewards), ends_in_terminal=is_complete)
        for frames, _, rewards, is_complete in episodes
    ]
    write_unplugged(path, truths)


def cache(folder: pathlib.Path, game: str, episodes: list[Episode]) -> None:
    """Writes play as d4rl-atari's cache has it."""
    write(folder / "written", game, episodes)
    copy_to_cache(folder / "written" / game / "1" / "replay_logs", folder / game / "1", 0)
    shutil.rmtree(folder / "written")


def check(found: list[Any], episodes: list[Episode]) -> tuple[int, int]:
    """Compares a dataset with play; returns how many rewards are known, and how many exist."""
    known = total = 0
    assert len(found) == len(episodes)
    for episode, (_, _, rewards, _) in zip(found, episodes, strict=True):
        got = np.array([step["unclipped_reward"] for step in episode["steps"]])[: len(rewards)]
        is_known = ~np.isnan(got)
        np.testing.assert_array_equal(got[is_known], rewards[is_known])
        assert is_known[rewards == 0].all()
        assert np.isnan(episode["unclipped_return"]) or (
            episode["unclipped_return"] == rewards.sum()
        )
        known += int(np.count_nonzero(got[is_known]))
        total += int(np.count_nonzero(rewards))
    return known, total


@pytest.mark.parametrize("emulator", cases("ale_py", slow=["atari_py"]))
@pytest.mark.parametrize("game", cases(*QUICK, slow=[game for game in GAMES if game not in QUICK]))
def test_datasets_have_the_emulators_rewards(
    game: str, emulator: str, tmp_path: pathlib.Path
) -> None:
    """So do transitions of tf.data and of the replay; unknown rewards are NaN."""
    episodes = play(game, emulator, 78, 1000)
    write(tmp_path / "logs", game, episodes)
    config = f"{GAMES[game].rom}_epoch_0_v0"
    builder = build(config, tmp_path / "logs", tmp_path / "data")
    known, total = check(rows(builder), episodes)
    counts = builder.info.metadata["unclipped_rewards"]
    assert counts["known"] == known
    assert counts["known"] + counts["summed"] + counts["unknown"] == total
    assert counts["contradictions"] == 0
    # Hero hides the score behind the level at first, for most of these steps.
    if not FACTS[GAMES[game].rom].why_not and game != "Hero":
        assert counts["known"] + counts["summed"] >= 0.7 * total
    replay = load_replay(config, data_dir=tmp_path / "data")
    for row, (_, _, rewards, _) in zip(replay.episodes, episodes, strict=True):
        assert np.isnan(row["unclipped_return"]) or row["unclipped_return"] == rewards.sum()
    at_random = replay.transitions(reward="unclipped")[:]["reward"]
    data = builder.as_dataset(split="train")
    batches = data.apply(transitions(reward="unclipped", batch_size=500)).as_numpy_iterator()
    in_order = np.concatenate([batch["reward"] for batch in batches])
    np.testing.assert_array_equal(np.sort(at_random), np.sort(in_order))
    # The same transitions, so where they are known they clip to the clipped ones.
    clipped = replay.transitions()[:]["reward"]
    is_known = ~np.isnan(at_random)
    np.testing.assert_array_equal(clip(at_random[is_known]), clipped[is_known])


@pytest.mark.parametrize("layout", [write, unplug, cache])
def test_every_layout_has_true_rewards(layout: Callable[..., None], tmp_path: pathlib.Path) -> None:
    """A whole run of one checkpoint has the same rewards as the checkpoint."""
    episodes = play("Breakout", "ale_py", 78, 1000)
    layout(tmp_path / "logs", "Breakout", episodes)
    builder = build("breakout_epoch_0_v0", tmp_path / "logs", tmp_path / "data")
    assert check(rows(builder), episodes) == (7, 7)
    assert not np.isnan([row["unclipped_return"] for row in rows(builder)]).any()
    if layout is not cache:  # whose copies are of single checkpoints
        run = build("breakout_full_v0", tmp_path / "logs", tmp_path / "data")
        assert check(rows(run), episodes) == (7, 7)
        assert (
            run.info.metadata["unclipped_rewards"] == (builder.info.metadata["unclipped_rewards"])
        )


def test_rewards_that_contradict_the_frames(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No reward is known then, and a warning says why."""
    episodes = [
        episode._replace(rewards=np.roll(episode.rewards, 40))
        for episode in play("Seaquest", "ale_py", 78, 3000)
    ]
    write(tmp_path / "logs", "Seaquest", episodes)
    with caplog.at_level(logging.WARNING):
        builder = build("seaquest_epoch_0_v0", tmp_path / "logs", tmp_path / "data")
    for episode in rows(builder):
        steps = episode["steps"]
        given = [step["unclipped_reward"] for step in steps if step["reward"] != 0]
        assert np.isnan(given).all()
    counts = builder.info.metadata["unclipped_rewards"]
    assert counts["known"] == counts["summed"] == 0
    assert counts["contradictions"] >= 3
    assert "Seaquest: in 3 of 3 episodes the scores in the frames contradict" in caplog.text


def test_one_bad_frame_costs_only_its_neighbours() -> None:
    """All other rewards stay known, unless many frames are bad."""
    scorer = Scorer(GAMES["Seaquest"])
    rewards = np.zeros(3000)
    rewards[10::10] = 20
    readings = np.append(0, rewards.cumsum()[:-1])
    readings[1505] = 7_777

    def judge(readings: Any) -> Any:
        found = true_rewards(readings, clip(rewards), FACTS["seaquest"], starts_at_reset=True)
        return scorer.judge(found, clip(rewards))

    found = judge(readings)
    assert found.num_contradictions == 1
    is_known = ~np.isnan(found.reward)
    np.testing.assert_array_equal(found.reward[is_known], rewards[is_known])
    assert (~is_known).sum() == 2
    readings[100:2000:90] = 7_777
    found = judge(readings)
    assert found.num_known == 0
    assert np.isnan(found.total)


@pytest.mark.parametrize("game", cases(*FEW, slow=[g for g in OTHER_ROMS if g not in FEW]))
def test_other_roms_give_nothing_wrong(game: str) -> None:
    """Either their digits look the same, or they are not read."""
    scorer = Scorer(GAMES[game])
    for frames, _, rewards, _ in play_randomly(game, "ale_py", 66, 1000, roms="ale"):
        clipped = np.clip(rewards, -1, 1).astype(np.float32)
        scored = scorer.watch([frames], clipped, starts_at_reset=True)
        assert len(list(scored)) == 1
        found = scored.rewards
        is_known = ~np.isnan(found.reward)
        np.testing.assert_array_equal(found.reward[is_known], rewards[is_known])
        assert np.isnan(found.total) or found.total == rewards.sum()


def test_frames_pass_through_and_those_after_the_steps_are_not_read() -> None:
    """The terminal frame, which comes after the steps, may show a different score."""
    (episode, *_) = play("Breakout", "ale_py", 78, 1000)
    frames, _, rewards, _ = episode
    parts = np.split(frames, [1, 7, 100])
    after = np.full((1, 84, 84), 255, np.uint8)
    scored = Scorer(GAMES["Breakout"]).watch([*parts, after], clip(rewards), starts_at_reset=True)
    passed = list(scored)
    assert [len(part) for part in passed] == [len(part) for part in parts] + [1]
    np.testing.assert_array_equal(np.concatenate(passed), np.concatenate([frames, after]))
    assert sum(map(len, scored.take_rows())) == len(frames)
    assert scored.take_rows() == []


def test_episodes_found_together_are_as_each_alone() -> None:
    episodes = play("Seaquest", "ale_py", 78, 1000)

    def watch(scorer: Scorer) -> list[Any]:
        watched = [
            scorer.watch([frames], clip(rewards), starts_at_reset=True)
            for frames, _, rewards, _ in episodes
        ]
        for scored in watched:
            list(scored)
        return watched

    together, alone = Scorer(GAMES["Seaquest"]), Scorer(GAMES["Seaquest"])
    found = watch(together)
    together.find(found)
    expected = watch(alone)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.rewards.reward, other.rewards.reward)
        np.testing.assert_array_equal(one.rewards[1:], other.rewards[1:])
    assert together.counts == alone.counts
    assert together.counts["known"] > 0
