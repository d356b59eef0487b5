"""True rewards read off frames, against those of the emulators, for all games.

  python benchmarks/scores.py [--steps 3000] [--games Breakout Pong ...] [--search]

Plays with uniformly random actions on the logs' ROMs, in ale-py and in atari-py, with a seed from
which nothing was learnt; with --search, plays better, in ale-py alone. Frames and clipped rewards
go through `tfds_atari_replay.scores`. Every reading that is older than the game's lag, every reward
and every return must be NaN or right.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from players import Episode, play_by_search, play_randomly

from tfds_atari_replay.envs.emulators import EMULATORS
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.scores.facts import FACTS, Facts
from tfds_atari_replay.scores.reading import ScoreReader
from tfds_atari_replay.scores.rewards import settled, true_rewards


def count(game: str, episodes: Iterable[Episode], where: str) -> collections.Counter[str]:
    """Counts what is known of a game's scores. An assertion fails if anything is wrong."""
    facts = FACTS[GAMES[game].rom]
    counts: collections.Counter[str] = collections.Counter()
    if facts.why_not:
        return counts
    reader = ScoreReader.of(GAMES[game]) if facts.ram else None
    for frames, _, rewards, is_complete in episodes:
        readings = reader.read(frames) if reader else np.full(len(frames), np.nan)
        if reader:
            counts += _count_readings(readings, rewards, facts, where)
        clipped = np.clip(rewards, -1, 1).astype(np.float32)
        found = true_rewards(readings, clipped, facts, starts_at_reset=True)
        is_known = ~np.isnan(found.reward)
        assert (found.reward[is_known] == rewards[is_known]).all(), f"{where}: a wrong reward"
        assert np.isnan(found.total) or found.total == rewards.sum(), f"{where}: a wrong return"
        counts["rewards"] += int(np.count_nonzero(rewards))
        counts["singly"] += found.num_known
        counts["in sums"] += found.num_summed
        counts["contradictions"] += found.num_contradictions
        counts["highest"] = max(counts["highest"], int(rewards.sum()))
        if is_complete:
            counts["episodes"] += 1
            counts["returns"] += not np.isnan(found.total)
    return counts


def _count_readings(
    readings: npt.NDArray[np.float64], rewards: npt.NDArray[np.float64], facts: Facts, where: str
) -> collections.Counter[str]:
    scores = facts.start + np.append(0, rewards.cumsum()[:-1])
    is_settled = settled(rewards, facts.lag)
    is_read = is_settled & ~np.isnan(readings)
    difference = (readings - scores)[is_read]
    if facts.modulus:
        difference %= facts.modulus
    assert not difference.any(), f"{where}: a wrong reading"
    return collections.Counter({"frames": int(is_settled.sum()), "read": int(is_read.sum())})


def _count(arguments: tuple[str, int, int, bool]) -> tuple[str, collections.Counter[str]]:
    game, seed, steps, is_search = arguments
    if is_search:
        return game, count(game, play_by_search(game, seed, steps), f"{game}, search, seed {seed}")
    parts = [
        count(game, play_randomly(game, emulator, seed, steps), f"{game}, {emulator}, seed {seed}")
        for emulator in EMULATORS
    ]
    counts = sum(parts, collections.Counter[str]())
    counts["highest"] = max(part["highest"] for part in parts)
    return game, counts


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000, help="in each emulator")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--search", action="store_true", help="play by search")
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=list(GAMES))
    args = parser.parse_args()
    print("| game | frames read | rewards | singly | in sums | returns known | highest |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with multiprocessing.Pool() as pool:
        jobs = [(game, args.seed, args.steps, args.search) for game in args.games]
        for game, found in pool.imap(_count, jobs):
            assert not found["contradictions"], f"{game}: contradictions"
            print(
                f"| {game} | {_share(found['read'], found['frames'])} | {found['rewards']} "
                f"| {_share(found['singly'], found['rewards'])} "
                f"| {_share(found['in sums'], found['rewards'])} "
                f"| {found['returns']} of {found['episodes']} | {found['highest']:,} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
