"""True rewards, from the scores that frames show and the clipped rewards that were logged.

Each checks the other. A clipped reward is non-zero exactly where the score changes, and has the
sign of the change. Between two such steps the score stands still: a stretch. The difference of two
stretches is the sum of the true rewards between them:

  frame           0   1   2   3   4   5   6
  clipped reward  0   1   0   0   1   1   0
  score shown     0   0   ?   30  30  ?   110
  stretch         0   0   1   1   1   2   3
  its score       0       30          -   110
  true reward     0   30  0   0   (80 together) 0

The first frame of a stretch (in Qbert, the first two) may still show the old score, or a mixture of
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
      num_summed: non-zero rewards known only as part of a sum.
      num_unknown: all other non-zero rewards.
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
    """Finds what the actions of an episode really scored.

    No logged frame shows the effect of the last action, so its reward is NaN unless it is 0 or all
    rewards of the game have the same size.

    Args:
      readings: (T,), the score that each frame shows, NaN where it cannot be read.
      clipped: (T,), the clipped reward of the action taken at each frame.
      facts: of the game.
      starts_at_reset: whether the first frame follows a reset.
    """
    one = Episodes(clipped, np.array([len(clipped)]), np.array([starts_at_reset]))
    (rewards,) = true_rewards_of(one, readings, facts)
    return rewards


class Episodes(NamedTuple):
    """The clipped rewards of E episodes, one after the other.

    Attributes:
      clipped: float32 (T,), of the action taken at each frame.
      lengths: int64 (E,), frames of each episode.
      starts_at_reset: bool (E,), whether its first frame follows a reset.
    """

    clipped: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    starts_at_reset: npt.NDArray[np.bool_]


def true_rewards_of(
    episodes: Episodes, readings: npt.NDArray[np.float64], facts: Facts
) -> list[Rewards]:
    """Does what `true_rewards` does for E episodes at once, which takes hardly longer than one."""
    clipped, lengths, _ = episodes
    changes = np.flatnonzero(clipped)
    owner = np.searchsorted(lengths.cumsum(), changes, side="right")  # the episode of each
    num_changes = np.bincount(owner, minlength=len(lengths))
    if facts.clipped_is_true:
        totals = np.bincount(owner, clipped[changes], len(lengths))
        none = np.zeros(len(lengths), np.int64)
        reward = clipped.astype(np.float32)
        return _by_episode(lengths, reward, totals, num_changes, none, none, none)
    stretches = _Stretches(num_changes + 1)
    scores, num_contradictions = _read_stretches(readings, episodes, stretches, facts)
    # The sign of the reward after each stretch. An episode's last stretch has none: 0.
    before = np.arange(len(changes)) + owner
    signs = np.zeros(len(scores))
    signs[before] = np.sign(clipped[changes])
    known, sums, have_one_sign, num_excluded = _compare(scores, signs, stretches, facts)
    counts = np.diff(known)
    # The rewards of a sum are known if there is one, or if each must be the game's smallest.
    are_smallest = have_one_sign & (abs(sums) == facts.divisor * counts)
    shares = np.where(are_smallest | (counts == 1), sums / counts, np.nan)
    reward = np.zeros(len(clipped), np.float32)
    # Rewards before the first known stretch or after the last are unknown.
    padded = np.concatenate([[np.nan], shares, [np.nan]])
    reward[changes] = padded[np.searchsorted(known, before, side="right")]

    def total(values: Array) -> Array:
        return np.bincount(stretches.owner[known[1:]], values, len(lengths))

    num_known = total(counts * ~np.isnan(shares)).astype(np.int64)
    num_in_sums = total(counts * ~np.isnan(sums)).astype(np.int64)
    is_known = np.zeros(len(scores), np.bool_)
    is_known[known] = True
    is_whole = is_known[stretches.first] & is_known[stretches.last]
    totals = total(np.where(stretches.are_apart(known), 0, sums))
    return _by_episode(
        lengths,
        reward,
        np.where(is_whole | (num_changes == 0), totals, np.nan),
        num_known,
        num_in_sums - num_known,
        num_changes - num_in_sums,
        num_contradictions + num_excluded,
    )


def _by_episode(lengths: npt.NDArray[np.int64], reward: Array, *columns: Array) -> list[Rewards]:
    """Splits rewards (T,), and the other columns of `Rewards`, each (E,), by episode."""
    rewards = np.split(reward, lengths.cumsum()[:-1])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Rewards(own, *row) for own, row in zip(rewards, rows, strict=True)]


class _Stretches:
    """The S stretches of E episodes; each episode has one more than it has rewards.

    Attributes:
      owner: (S,), the episode of each stretch.
      first: (E,), the first stretch of each episode.
      last: (E,), the last.
    """

    def __init__(self, counts: Array):
        self.owner = np.repeat(np.arange(len(counts)), counts)
        self.last = counts.cumsum() - 1
        self.first = self.last + 1 - counts

    def are_apart(self, stretches: Array) -> Array:
        """Whether each of K sorted stretches and the next are of two episodes, (K - 1,)."""
        are_apart: Array = np.diff(self.owner[stretches]) != 0
        return are_apart

    def count(self, stretches: Array) -> Array:
        """Counts stretches by episode, (E,)."""
        return np.bincount(self.owner[stretches], minlength=len(self.first))


def settled(
    rewards: Array, lag: int, lengths: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.bool_]:
    """Marks frames without a reward in the last `lag` steps of their episode, (T,).

    Args:
      rewards: (T,), of one or several episodes.
      lag: how many steps back.
      lengths: (E,), frames of each episode; all are one episode by default.
    """
    stops = np.array([len(rewards)]) if lengths is None else lengths.cumsum()
    changes = np.flatnonzero(rewards)
    stop = stops[np.searchsorted(stops, changes, side="right")]
    is_settled = np.ones(len(rewards), np.bool_)
    for frames in (changes + steps for steps in range(1, lag + 1)):
        is_settled[frames[frames < stop]] = False
    return is_settled


def _read_stretches(
    readings: Array, episodes: Episodes, stretches: _Stretches, facts: Facts
) -> tuple[Array, Array]:
    """Returns the score of each stretch, (S,), NaN if unknown; and contradictions, (E,)."""
    clipped, lengths, starts_at_reset = episodes
    is_change = clipped != 0
    # The stretch of each frame: the changes before it, and one more for each earlier episode.
    stretch = is_change.cumsum() - is_change + np.repeat(np.arange(len(lengths)), lengths)
    chosen = np.flatnonzero(settled(clipped, facts.lag, lengths) & ~np.isnan(readings))
    stretch, readings = stretch[chosen], readings[chosen]
    scores = np.full(len(stretches.owner), np.nan)
    scores[stretch] = readings  # the last one wins
    contradicting = np.unique(stretch[~_is_same(readings, scores[stretch], facts)])
    scores[contradicting] = np.nan
    num_contradictions = stretches.count(contradicting)
    first = stretches.first[starts_at_reset]
    num_contradictions[starts_at_reset] += ~_is_same(scores[first], facts.start, facts)
    scores[first] = facts.start
    return scores, num_contradictions


def _is_same(some: Any, others: Any, facts: Facts) -> Any:
    """Whether scores are equal modulo the game's modulus, or one is unknown."""
    difference = np.subtract(others, some)
    if facts.modulus:
        difference = difference % facts.modulus
    return np.isnan(difference) | (difference == 0)


def _compare(
    scores: Array, signs: Array, stretches: _Stretches, facts: Facts
) -> tuple[Array, Array, Array, Array]:
    """Compares each known stretch with the next, and drops both where the signs exclude them.

    Args:
      scores: (S,), NaN where unknown.
      signs: (S,), of the reward after each; 0 for an episode's last.
      stretches: of these scores.
      facts: of the game.

    Returns:
      The K known stretches; for each and the next, (K - 1,), the sum of the rewards between them,
      NaN if the picture cannot show it, or if the next is another episode's; and whether these
      rewards have one sign; and (E,), how many stretches were dropped.
    """
    known = np.flatnonzero(~np.isnan(scores))
    num_dropped = np.zeros(len(stretches.first), np.int64)
    while True:
        sums, have_one_sign, is_excluded = _differences(scores, signs, known, facts)
        are_apart = stretches.are_apart(known)
        is_excluded &= ~are_apart
        if not is_excluded.any():
            return known, np.where(are_apart, np.nan, sums), have_one_sign, num_dropped
        is_bad = np.append(is_excluded, False) | np.append(False, is_excluded)
        num_dropped += stretches.count(known[is_bad])
        known = known[~is_bad]


def _differences(
    scores: Array, signs: Array, known: Array, facts: Facts
) -> tuple[Array, Array, Array]:
    """Returns the sums of rewards between known stretches, NaN where the modulus hides them.

    Also whether these rewards have one sign, and whether they exclude the sum; all (K - 1,).
    """
    low, high = (f.reduceat(signs, known)[:-1] for f in (np.minimum, np.maximum))
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
    return np.where(is_open, np.nan, sums), low == high, is_excluded & ~is_open
