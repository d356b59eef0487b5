"""Makes the logs in this folder from real play, and their checksums; the same bytes each time.

  python dummy_data/make.py

They are small, but otherwise what Dopamine's logger writes: Breakout run 1 with 51 checkpoints, of
which the ones that have a name of their own are kept; Breakout run 5, one lap of which ends inside
an episode's padding, so that its last dump is 49; and Asterix run 1. The players get better over a
run, as the agents of the real logs did.
"""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import tempfile

import numpy as np
import numpy.typing as npt
from tensorflow_datasets.core.download import checksums

from tfds_atari_replay import GAMES
from tfds_atari_replay.envs.policies import Policy, RandomPolicy
from tfds_atari_replay.envs.recording import record
from tfds_atari_replay.games import Game

FOLDER = pathlib.Path(__file__).resolve().parent
CHECKSUMS = FOLDER.parent / "checksums" / "atari_replay.tsv"

Frames = npt.NDArray[np.uint8]


class Learner:
    """Follows a rule ever more often, and else acts at random."""

    def __init__(self, rule: Policy, game: Game, steps: int, seed: int):
        self._rule = rule
        self._random = RandomPolicy(game, seed)
        self._rng = np.random.default_rng(seed)
        self._skill, self._growth = 0.0, 0.8 / steps

    def __call__(self, observations: Frames) -> npt.ArrayLike:
        self._skill += self._growth
        chosen = self._rule if self._rng.random() < self._skill else self._random
        return chosen(observations)


def follow_the_ball(observations: Frames) -> list[int]:
    """Breakout: moves the paddle below the ball; fires where there is none."""
    field = observations[0, -1, :, 5:79]
    ball, paddle = np.nonzero(field[38:75])[1], np.nonzero(field[76])[0]
    if not len(ball) or not len(paddle):
        return [1]
    gap = ball.mean() - paddle.mean()
    return [0 if abs(gap) < 2 else 2 if gap > 0 else 3]


def leave_the_row(observations: Frames) -> list[int]:
    """Asterix: goes up and down in turn, as the screen's brightness happens to have it."""
    return [1 + int(observations[0, -1].sum() // 16 % 4)]


def make(
    rule: Policy,
    game: str,
    run: int,
    *,
    steps: int,
    capacity: int,
    keep: set[int],
) -> None:
    """Records a run into this folder and keeps some of its checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        logs = record(
            game,
            folder,
            steps=steps,
            capacity=capacity,
            policy=Learner(rule, GAMES[game], steps, seed=run),
            run=run,
            seed=run,
        )
        numbers = {int(path.name.split(".")[1]) for path in logs.glob("*.gz")}
        print(f"{game} run {run}: last dump is {max(numbers)}")
        out = FOLDER / game / str(run) / "replay_logs"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for number in sorted(keep):
            for path in logs.glob(f"*_ckpt.{number}.gz"):
                shutil.copy(path, out)


def record_checksums() -> None:
    """Writes sizes and SHA-256 of the files in TFDS's format, under their names in the folder."""
    infos = {}
    for path in sorted(FOLDER.rglob("*.gz")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(FOLDER).as_posix()
        infos[name] = checksums.UrlInfo(path.stat().st_size, digest, path.name)
    CHECKSUMS.unlink(missing_ok=True)
    checksums.save_url_infos(CHECKSUMS, infos)


if __name__ == "__main__":
    make(follow_the_ball, "Breakout", 1, steps=75_000, capacity=1499, keep={0, 1, 10, 49, 50})
    # With this capacity lap 1 ends inside an episode's padding: checkpoint 1 is of lap 2.
    make(follow_the_ball, "Breakout", 5, steps=76_000, capacity=1510, keep={1, 49})
    make(leave_the_row, "Asterix", 1, steps=2_700, capacity=1000, keep={0, 1, 2})
    record_checksums()
