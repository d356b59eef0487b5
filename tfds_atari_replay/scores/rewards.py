"""True rewards, from the scores that frames show and the clipped rewards that were logged.

The two witness each other. A clipped reward is not 0 exactly where the score changes, and has the
sign of the change. So between two such steps the score stands still: a stretch. The difference of
two stretches is the sum of the true rewards between them:

  frame           0   1   2   3   4   5   6
  clipped reward  0   1   0   0   1   1   0
  score shown     0   0   ?   30  30  ?   110
  stretch         0   0   1   1   1   2   3
  its score       0       30          -   110
  true reward     0   30  0   0   (80 together) 0

The first frame of a stretch (of Qbert, the first two) may still show the old score, or a mixture of
both, so it is not used.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.scores.facts import Facts

Array = npt.NDArray[Any]


class Rewards(NamedTuple):
    """True rewards of an episode, or of a piece of one.

    Attributes:
      reward: float32 (T,), NaN where it is not known by itself.
      total: their sum; NaN unless each reward is known, by itself or as part of a known sum.
      num_known: non-zero rewards known by themselves.
      num_summed: those known as part of a sum only.
      num_unknown: all others.
      num_contradictions: stretches whose reading the clipped rewards exclude.
    """

    reward: npt.NDArray[np.float32]
    total: float
    num_known: int
    num_summed: int
    num_unknown: int
    num_contradictions: int


def true_rewards(
    readings: npt.NDArray[np.float64],
    clipped: npt.NDArray[np.float32],
    facts: Facts,
    *,
    starts_at_reset: bool,
) -> Rewards:
    """Finds out what the actions of an episode really scored.

    The last action's reward shows in no logged frame, so it is NaN if it is not 0, unless all
    rewards of the game have the same size.

    Args:
      readings: (T,), the score that each frame shows, NaN where it cannot be read.
      clipped: (T,), the clipped reward of the action taken at each frame.
      facts: of the game.
      starts_at_reset: whether the first frame follows a reset.
    """
    changes = np.flatnonzero(clipped)
    if facts.clipped_is_true:
        total = float(clipped.sum(dtype=np.float64))
        return Rewards(clipped.astype(np.float32), total, len(changes), 0, 0, 0)
    scores, num_contradictions = _read_stretches(readings, clipped, facts)
    if starts_at_reset:
        if not _is_same(scores[0], facts.start, facts):
            num_contradictions += 1
        scores[0] = facts.start
    signs = np.sign(clipped[changes])
    known, sums, num_excluded = _compare(scores, signs, facts)
    reward = np.zeros(len(clipped), np.float32)
    reward[changes] = np.nan
    num_known = num_summed = 0
    for start, stop, change in zip(known[:-1], known[1:], sums, strict=True):
        between = changes[start:stop]
        if np.isnan(change):
            continue
        if smallest := _if_all_smallest(change, signs[start:stop], facts):
            reward[between] = smallest * signs[start:stop]
            num_known += len(between)
        elif len(between) == 1:
            reward[between] = change
            num_known += 1
        else:
            num_summed += len(between)
    is_whole = bool(len(known)) and known[0] == 0 and known[-1] == len(changes)
    total = float(sum(sums)) if is_whole or not len(changes) else np.nan
    num_unknown = len(changes) - num_known - num_summed
    return Rewards(
        reward, total, num_known, num_summed, num_unknown, num_contradictions + num_excluded
    )


def settled(rewards: Array, lag: int) -> npt.NDArray[np.bool_]:
    """Marks the frames before which there was no reward in the last `lag` steps, (T,)."""
    is_settled = np.ones(len(rewards), np.bool_)
    for steps in range(1, lag + 1):
        is_settled[steps:] &= rewards[:-steps] == 0
    return is_settled


def _read_stretches(readings: Array, clipped: Array, facts: Facts) -> tuple[Array, int]:
    """Returns the score of each stretch, NaN if unknown, and how many contradict themselves.

    Args:
      readings: (T,).
      clipped: (T,), of which C are not 0; there are C + 1 stretches.
      facts: of the game.
    """
    stretch = np.append(0, (clipped != 0).cumsum())[:-1]
    chosen = settled(clipped, facts.lag) & ~np.isnan(readings)
    scores = np.full(np.count_nonzero(clipped) + 1, np.nan)
    scores[stretch[chosen]] = readings[chosen]  # the last one wins
    differs = np.zeros(len(scores), np.bool_)
    is_other = ~_is_same(readings[chosen], scores[stretch[chosen]], facts)
    differs[stretch[chosen][is_other]] = True
    scores[differs] = np.nan
    return scores, int(differs.sum())


def _is_same(some: Any, others: Any, facts: Facts) -> Any:
    """Whether scores are equal, or one is unknown; scores start again at the modulus."""
    difference = np.subtract(others, some)
    if facts.modulus:
        difference = difference % facts.modulus
    return np.isnan(difference) | (difference == 0)


def _compare(scores: Array, signs: Array, facts: Facts) -> tuple[list[int], list[float], int]:
    """Compares each known stretch with the next, and drops both where the signs exclude them.

    Args:
      scores: (C + 1,), NaN where unknown.
      signs: (C,), of the rewards between them.
      facts: of the game.

    Returns:
      The known stretches; the sum of the rewards from each to the next; and how many were dropped.
    """
    known = np.flatnonzero(~np.isnan(scores)).tolist()
    num_dropped = 0
    while True:
        sums = [
            _difference(scores[start], scores[stop], signs[start:stop], facts)
            for start, stop in itertools.pairwise(known)
        ]
        bad = {
            stretch
            for pair, change in zip(itertools.pairwise(known), sums, strict=True)
            if change is None
            for stretch in pair
        }
        if not bad:
            return known, [change for change in sums if change is not None], num_dropped
        num_dropped += len(bad)
        known = [stretch for stretch in known if stretch not in bad]


def _difference(before: float, after: float, signs: Array, facts: Facts) -> float | None:
    """Returns the sum of the rewards between two stretches.

    None if there is no such sum; NaN if it may be more than what a picture can show.
    """
    change = after - before
    low, high = signs.min(), signs.max()
    least, most = facts.divisor * len(signs), facts.largest * len(signs)
    if facts.modulus:
        if 2 * most >= facts.modulus and not (low == high and most < facts.modulus):
            return np.nan
        change %= facts.modulus
        if high < 0 or (low < 0 and 2 * change > facts.modulus):
            change -= facts.modulus
    if change % facts.divisor or abs(change) > most:
        return None
    if (low > 0 and change < least) or (high < 0 and change > -least):
        return None
    return float(change)


def _if_all_smallest(change: float, signs: Array, facts: Facts) -> float:
    """Returns the game's smallest reward if all rewards of a sum must be that; otherwise 0."""
    is_one_way = abs(signs.sum()) == len(signs)
    return facts.divisor if is_one_way and abs(change) == facts.divisor * len(signs) else 0
