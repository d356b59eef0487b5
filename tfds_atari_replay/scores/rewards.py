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
    counts = np.diff(known)
    # A sum of one reward is that; so are those of several if each must be the game's smallest.
    is_smallest = _are_equal(signs, known) & (abs(sums) == facts.divisor * counts)
    shares = np.where(is_smallest | (counts == 1), sums / counts, np.nan)
    reward = np.zeros(len(clipped), np.float32)
    reward[changes] = np.nan
    if len(counts):
        reward[changes[known[0] : known[-1]]] = np.repeat(shares, counts)
    num_known = int(counts[~np.isnan(shares)].sum())
    num_summed = int(counts[np.isnan(shares) & ~np.isnan(sums)].sum())
    is_whole = len(known) > 0 and known[0] == 0 and known[-1] == len(changes)
    return Rewards(
        reward,
        float(sums.sum()) if is_whole or not len(changes) else np.nan,
        num_known,
        num_summed,
        len(changes) - num_known - num_summed,
        num_contradictions + num_excluded,
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
    is_change = clipped != 0
    stretch = is_change.cumsum() - is_change  # changes before the frame
    chosen = np.flatnonzero(settled(clipped, facts.lag) & ~np.isnan(readings))
    stretch, readings = stretch[chosen], readings[chosen]
    scores = np.full(np.count_nonzero(is_change) + 1, np.nan)
    scores[stretch] = readings  # the last one wins
    contradicting = np.unique(stretch[~_is_same(readings, scores[stretch], facts)])
    scores[contradicting] = np.nan
    return scores, len(contradicting)


def _is_same(some: Any, others: Any, facts: Facts) -> Any:
    """Whether scores are equal, or one is unknown; scores start again at the modulus."""
    difference = np.subtract(others, some)
    if facts.modulus:
        difference = difference % facts.modulus
    return np.isnan(difference) | (difference == 0)


def _compare(scores: Array, signs: Array, facts: Facts) -> tuple[Array, Array, int]:
    """Compares each known stretch with the next, and drops both where the signs exclude them.

    Args:
      scores: (C + 1,), NaN where unknown.
      signs: (C,), of the rewards between them.
      facts: of the game.

    Returns:
      The K known stretches; (K - 1,), the sum of the rewards from each to the next, NaN if it may
      be more than what a picture can show; and how many were dropped.
    """
    known = np.flatnonzero(~np.isnan(scores))
    num_dropped = 0
    while True:
        sums, is_excluded = _differences(scores, signs, known, facts)
        if not is_excluded.any():
            return known, sums, num_dropped
        is_bad = np.append(is_excluded, False) | np.append(False, is_excluded)
        num_dropped += int(is_bad.sum())
        known = known[~is_bad]


def _differences(scores: Array, signs: Array, known: Array, facts: Facts) -> tuple[Array, Array]:
    """Returns the sums of rewards between known stretches, and whether there is no such sum."""
    if len(known) < 2:
        return np.zeros(0), np.zeros(0, np.bool_)
    between = signs[: known[-1]]
    low, high = (f.reduceat(between, known[:-1]) for f in (np.minimum, np.maximum))
    counts, sums = np.diff(known), np.diff(scores[known])
    least, most = facts.divisor * counts, facts.largest * counts
    is_open = np.zeros(len(counts), np.bool_)
    if facts.modulus:
        is_open = (2 * most >= facts.modulus) & ~((low == high) & (most < facts.modulus))
        sums %= facts.modulus
        falls = (high < 0) | ((low < 0) & (2 * sums > facts.modulus))
        sums -= facts.modulus * falls
    is_excluded = (sums % facts.divisor != 0) | (abs(sums) > most)
    is_excluded |= ((low > 0) & (sums < least)) | ((high < 0) & (sums > -least))
    return np.where(is_open, np.nan, sums), is_excluded & ~is_open


def _are_equal(signs: Array, known: Array) -> Array:
    """Whether all rewards between two known stretches have one sign, (K - 1,)."""
    if len(known) < 2:
        return np.zeros(0, np.bool_)
    are_equal: Array = abs(np.add.reduceat(signs[: known[-1]], known[:-1])) == np.diff(known)
    return are_equal
