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
    """Does the same for E episodes at once, which takes hardly longer than one."""
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
    # Between stretches; from one episode's last to the next one's first there is no reward.
    between = np.arange(len(changes)) + owner
    signs = np.zeros(max(len(scores) - 1, 0))
    signs[between] = np.sign(clipped[changes])
    known, sums, num_excluded = _compare(scores, signs, stretches, facts)
    counts = np.diff(known)
    # A sum of one reward is that; so are those of several if each must be the game's smallest.
    is_smallest = _are_equal(signs, known) & (abs(sums) == facts.divisor * counts)
    shares = np.where(is_smallest | (counts == 1), sums / counts, np.nan)
    found = np.full(len(signs), np.nan)
    if len(counts):
        found[known[0] : known[-1]] = np.repeat(shares, counts)
    reward = np.zeros(len(clipped), np.float32)
    reward[changes] = found[between]
    is_pair = ~stretches.are_apart(known)
    pair_of = stretches.owner[known[1:]][is_pair]
    counts, sums, is_single = counts[is_pair], sums[is_pair], ~np.isnan(shares[is_pair])

    def total(values: Array) -> Array:
        return np.bincount(pair_of, values, len(lengths))

    is_known = np.zeros(len(scores), np.bool_)
    is_known[known] = True
    is_whole = (is_known[stretches.first] & is_known[stretches.last]) | (num_changes == 0)
    num_known = total(counts * is_single).astype(np.int64)
    num_summed = total(counts * (~is_single & ~np.isnan(sums))).astype(np.int64)
    return _by_episode(
        lengths,
        reward,
        np.where(is_whole, total(sums), np.nan),
        num_known,
        num_summed,
        num_changes - num_known - num_summed,
        num_contradictions + num_excluded,
    )


def _by_episode(lengths: npt.NDArray[np.int64], reward: Array, *columns: Array) -> list[Rewards]:
    """Cuts rewards (T,), and the other columns of `Rewards`, (E,) each, into the episodes' own."""
    rewards = np.split(reward, lengths.cumsum()[:-1])
    known = zip(*(column.tolist() for column in columns), strict=True)
    return [Rewards(own, *others) for own, others in zip(rewards, known, strict=True)]


class _Stretches:
    """The S stretches of E episodes: one more in each than it has rewards.

    Attributes:
      owner: (S,), the episode of each stretch.
      first: (E,), the first stretch of each episode.
      last: (E,), the last.
    """

    def __init__(self, counts: Array):
        self.owner = np.repeat(np.arange(len(counts)), counts)
        self.first = counts.cumsum() - counts
        self.last = self.first + counts - 1

    def are_apart(self, stretches: Array) -> Array:
        """Whether each of increasing stretches (K,) and the next are of two episodes, (K - 1,)."""
        owner = self.owner[stretches]
        are_apart: Array = owner[1:] != owner[:-1]
        return are_apart

    def count(self, stretches: Array) -> Array:
        """Counts stretches by episode, (E,)."""
        return np.bincount(self.owner[stretches], minlength=len(self.first))


def settled(
    rewards: Array, lag: int, starts: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.bool_]:
    """Marks the frames before which there was no reward in the last `lag` steps, (T,).

    Args:
      rewards: (T,), of one or several episodes.
      lag: how many steps back.
      starts: (E,), the first frame of each episode; one by default.
    """
    is_settled = np.ones(len(rewards), np.bool_)
    for steps in range(1, lag + 1):
        is_quiet = np.ones(len(rewards), np.bool_)
        is_quiet[steps:] = rewards[:-steps] == 0
        if starts is not None:
            # What was so long ago was in another episode.
            early = (starts[:, np.newaxis] + np.arange(steps)).reshape(-1)
            is_quiet[early[early < len(rewards)]] = True
        is_settled &= is_quiet
    return is_settled


def _read_stretches(
    readings: Array, episodes: Episodes, stretches: _Stretches, facts: Facts
) -> tuple[Array, Array]:
    """Returns the score of each stretch, (S,), NaN if unknown; and contradictions, (E,)."""
    clipped, lengths, starts_at_reset = episodes
    is_change = clipped != 0
    starts = lengths.cumsum() - lengths
    # Changes before the frame, and episodes.
    stretch = is_change.cumsum() - is_change + np.repeat(np.arange(len(lengths)), lengths)
    chosen = np.flatnonzero(settled(clipped, facts.lag, starts) & ~np.isnan(readings))
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
    """Whether scores are equal, or one is unknown; scores start again at the modulus."""
    difference = np.subtract(others, some)
    if facts.modulus:
        difference = difference % facts.modulus
    return np.isnan(difference) | (difference == 0)


def _compare(
    scores: Array, signs: Array, stretches: _Stretches, facts: Facts
) -> tuple[Array, Array, Array]:
    """Compares each known stretch with the next, and drops both where the signs exclude them.

    Args:
      scores: (S,), NaN where unknown.
      signs: (S - 1,), of the rewards between them.
      stretches: of these scores.
      facts: of the game.

    Returns:
      The K known stretches; (K - 1,), the sum of the rewards from each to the next, NaN if it may
      be more than what a picture can show, or if the next is another episode's; and (E,), how many
      were dropped.
    """
    known = np.flatnonzero(~np.isnan(scores))
    num_dropped = np.zeros(len(stretches.first), np.int64)
    while True:
        sums, is_excluded = _differences(scores, signs, known, facts)
        are_apart = stretches.are_apart(known)
        is_excluded &= ~are_apart
        if not is_excluded.any():
            return known, np.where(are_apart, np.nan, sums), num_dropped
        is_bad = np.append(is_excluded, False) | np.append(False, is_excluded)
        num_dropped += stretches.count(known[is_bad])
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
