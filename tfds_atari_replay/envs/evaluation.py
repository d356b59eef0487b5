"""Scores of a policy in the game its data came from."""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tqdm

from tfds_atari_replay import games

if TYPE_CHECKING:
    from tfds_atari_replay.envs.parallel import Games

Frames: TypeAlias = npt.NDArray[np.uint8]
Policy: TypeAlias = Callable[[Frames], npt.ArrayLike]
"""From observations, uint8 (num_envs, stack, 84, 84), to actions, integers (num_envs,)."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a policy scored.

    Attributes:
      game: name of the game.
      returns: unclipped return of each episode, in the order in which they were due.
      lengths: steps of each episode.
      human_normalized: (mean - random) / (human - random), with the scores in `games.GAMES`; None
        for the five games without published scores.
    """

    game: str
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    human_normalized: float | None

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(np.mean(self.returns))

    @property
    def median(self) -> float:
        """Median return."""
        return float(np.median(self.returns))

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean; None for a single episode."""
        if len(self.returns) < 2:
            return None
        return float(np.std(self.returns, ddof=1)) / math.sqrt(len(self.returns))

    def to_json(self) -> str:
        """All of it as a JSON object."""
        summary = {"mean": self.mean, "median": self.median, "standard_error": self.standard_error}
        return json.dumps({**dataclasses.asdict(self), **summary})


def evaluate(
    policy: Policy,
    game: str,
    *,
    episodes: int = 100,
    num_envs: int = 8,
    epsilon: float = 0.001,
    seed: int = 0,
    stack: int = 4,
    axis: int = 0,
    max_steps: int = 27_000,
    sticky_actions: bool = True,
    roms: str = "auto",
    emulator: str = "ale_py",
) -> Evaluation:
    """Plays episodes with a policy, several games at a time, and sums up the unclipped returns.

    As many episodes as asked for are begun, and all are played to their end, so short ones do not
    count more often than long ones. Each has random numbers of its own, those that
    `np.random.SeedSequence(seed).spawn(episodes)` gives it: other seeds play other episodes, more
    episodes begin with the same ones, and `num_envs` changes none, if the policy answers to an
    observation alone. The games are those of `make_env`, played in as many threads as there are
    cores.

    Args:
      policy: from observations, uint8 (num_envs, stack, 84, 84), to actions, integers (num_envs,):
        any function, such as the argmax of a model. It is called once per step.
      game: any spelling of its name.
      episodes: how many, at least 1.
      num_envs: games at a time; no more than episodes are used.
      epsilon: how often a random action is taken instead, 0 to 1. Dopamine evaluates with 0.001.
      seed: of the games and the random actions, at least 0.
      stack: frames per observation, zeros before the first.
      axis: 0 for observations (num_envs, stack, 84, 84), -1 for (num_envs, 84, 84, stack).
      max_steps: after which an episode is cut.
      sticky_actions: as in `make_env`.
      roms: as in `make_env`.
      emulator: as in `make_env`.

    Raises:
      ValueError: an argument is out of range; the policy gives another shape, another dtype or an
        action that the game does not have. Also what `make_env` raises.
    """
    # Imported here, since that is slow, and this module is imported with the package.
    from tfds_atari_replay.envs import emulator as emulator_lib
    from tfds_atari_replay.envs import parallel
    from tfds_atari_replay.envs import roms as roms_lib

    found = games.find_game(game)
    limits = {"episodes": episodes, "num_envs": num_envs, "stack": stack, "max_steps": max_steps}
    for name, value in limits.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1 (got {value!r})")
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon must be from 0 to 1 (got {epsilon!r})")
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
        raise ValueError(f"seed must be a whole number, at least 0 (got {seed!r})")
    if not callable(policy):
        raise ValueError(f"policy must be a callable (got {policy!r})")
    if axis not in (0, -1):
        raise ValueError(f"axis must be 0, frames first, or -1, frames last (got {axis!r})")
    emulator_lib.check(emulator)
    num_envs = min(num_envs, episodes)
    kind = parallel.VectorGames if emulator == "ale_py" else parallel.ThreadedGames
    played = kind(
        found,
        num_envs,
        rom=roms_lib.find_rom(found, roms),
        sticky_probability=emulator_lib.STICKY_PROBABILITY if sticky_actions else 0.0,
        emulator=emulator,
    )
    streams = [_Stream(sequence) for sequence in np.random.SeedSequence(seed).spawn(episodes)]
    actor = _Actor(policy, found, epsilon, axis)
    returns, lengths = _play(played, actor, streams, num_envs, stack, max_steps)
    human_normalized = None
    if found.random_score is not None and found.human_score is not None:
        gap = found.human_score - found.random_score
        human_normalized = float((np.mean(returns) - found.random_score) / gap)
    return Evaluation(found.name, tuple(returns), tuple(lengths), human_normalized)


class _Stream:
    """An episode's random numbers: the emulator's seed, and those of random actions."""

    def __init__(self, sequence: np.random.SeedSequence):
        for_emulator, for_actions = sequence.spawn(2)
        self.seed = int(for_emulator.generate_state(1)[0]) % 2**31
        self.rng: Any = np.random.default_rng(for_actions)


def _play(
    played: Games,
    actor: _Actor,
    streams: Sequence[_Stream],
    num_envs: int,
    stack: int,
    max_steps: int,
) -> tuple[list[float], list[int]]:
    """Plays an episode for each stream; a game whose episode has ended goes on with the next.

    All that are begun count, and how many are begun is settled beforehand. Were it the first
    so many that end, short ones would be too many.
    """
    episodes = len(streams)
    returns, lengths = [0.0] * episodes, [0] * episodes
    waiting = iter(range(episodes))
    playing: dict[int, int] = {}  # the episode of each game that is needed
    stacks = np.zeros((num_envs, stack, 84, 84), np.uint8)

    def begin(games: Iterable[int]) -> None:
        playing.update(begun := dict(zip(games, waiting, strict=False)))
        if begun:
            chosen = np.array(list(begun))
            stacks[chosen] = 0
            seeds = np.array([streams[episode].seed for episode in begun.values()])
            stacks[chosen, -1] = played.reset(chosen, seeds)

    begin(range(num_envs))
    with tqdm.tqdm(total=episodes, desc=f"Evaluating {actor.game.name}", unit=" episodes") as bar:
        while playing:
            randoms = {game: streams[episode].rng for game, episode in playing.items()}
            frames, rewards, is_over = played.step(actor.act(stacks, randoms))
            stacks[:, :-1] = stacks[:, 1:]
            stacks[:, -1] = frames
            ended = []
            for game, episode in playing.items():
                returns[episode] += float(rewards[game])
                lengths[episode] += 1
                if is_over[game] or lengths[episode] >= max_steps:
                    ended.append(game)
            for game in ended:
                del playing[game]
            begin(ended)
            bar.update(len(ended))
    return returns, lengths


class _Actor:
    """A policy that acts at random now and then, and whose answers are checked."""

    def __init__(self, policy: Policy, game: games.Game, epsilon: float, axis: int):
        self._policy, self.game = policy, game
        self._epsilon, self._axis = epsilon, axis

    def act(self, stacks: Frames, randoms: Mapping[int, Any]) -> npt.NDArray[np.int64]:
        """The actions of all games; `randoms` has the random numbers of those that count."""
        observations = stacks if self._axis == 0 else np.moveaxis(stacks, 1, -1)
        actions = np.asarray(self._policy(observations.copy()))
        count = len(stacks)
        if actions.shape != (count,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"The policy must give one integer action per observation: for uint8 "
                f"{observations.shape} integers ({count},), got {actions.dtype} {actions.shape}. "
                "Of action values take the argmax."
            )
        choices = len(self.game.actions)
        if not ((actions >= 0) & (actions < choices)).all():
            raise ValueError(
                f"Actions in {self.game.name} are 0 to {choices - 1}; the policy gave "
                f"{sorted(set(actions.tolist()) - set(range(choices)))}."
            )
        chosen = actions.astype(np.int64)
        for game, rng in randoms.items():
            if rng.random() < self._epsilon:
                chosen[game] = rng.integers(choices)
        return chosen
