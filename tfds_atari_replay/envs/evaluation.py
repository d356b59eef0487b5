"""Evaluates a policy in the game that its data came from."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfds_atari_replay import games, notebooks, progress
from tfds_atari_replay._extras import required_for
from tfds_atari_replay.arguments import check_axis, check_share, check_sizes, check_whole
from tfds_atari_replay.envs.policies import Policy, actions_of, check_policy
from tfds_atari_replay.envs.protocol import STICKY_PROBABILITY
from tfds_atari_replay.logs.records import FRAME_SHAPE
from tfds_atari_replay.windows.stacking import LiveStacks, Stacking

if TYPE_CHECKING:
    from tfds_atari_replay.envs.emulators import Games


@dataclasses.dataclass(frozen=True, repr=False)
class Evaluation:
    """Scores of a policy.

    Attributes:
      game: name of the game.
      returns: unclipped return of each episode, in the order in which the episodes started.
      lengths: steps of each episode.
      human_normalized: (mean - random) / (human - random), with the scores in `games.GAMES`; None
        for the five games without published scores.
      dqn_normalized: (mean - random) / (DQN - random), as in Agarwal et al. (2020); None for the
        same games.
    """

    game: str
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    human_normalized: float | None
    dqn_normalized: float | None = None

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

    def __repr__(self) -> str:
        facts = self._facts()
        return f"Evaluation({facts.pop('game')}: {', '.join(f'{k} {v}' for k, v in facts.items())})"

    def _repr_html_(self) -> str:
        """Returns a table, for notebooks."""
        return notebooks.to_table(self._facts())

    def _facts(self) -> dict[str, str]:
        error = self.standard_error
        facts = {
            "game": self.game,
            "episodes": f"{len(self.returns):,}",
            "mean": f"{self.mean:,.2f}" + ("" if error is None else f" ± {error:,.2f}"),
            "median": f"{self.median:,.2f}",
        }
        for name in ("human_normalized", "dqn_normalized"):
            if (score := getattr(self, name)) is not None:
                facts[name] = f"{score:.3f}"
        return facts

    def to_json(self) -> str:
        """Returns all attributes, mean, median and standard error as a JSON object."""
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
    stack_size: int = 4,
    axis: int = 0,
    max_steps: int = 27_000,
    sticky_actions: bool = True,
    full_action_space: bool = False,
    roms: str = "auto",
    emulator: str = "ale_py",
) -> Evaluation:
    """Plays episodes with a policy, several games at a time, and summarizes the unclipped returns.

    Starts exactly `episodes` episodes and plays all of them to their end, so that short ones do not
    count more often than long ones. Each episode has its own random numbers, from
    `np.random.SeedSequence(seed).spawn(episodes)`: a different seed plays different episodes, and
    more `episodes` begin with the same ones. `num_envs` does not change the result if the policy's
    action depends on its observation alone. The games are played as `make_env` plays them.

    Example:
      ```python
      result = tfds_atari_replay.evaluate(
          lambda observations: [1] * len(observations), "breakout", episodes=2, max_steps=50
      )
      print(result.mean, result.human_normalized)
      ```

    Args:
      policy: maps observations, uint8 (num_envs, stack_size, 84, 84), to actions, integers
        (num_envs,). Any function will do, such as a model's argmax; it is called once per step.
      game: any spelling of its name.
      episodes: how many to play, at least 1.
      num_envs: games at a time; at most `episodes` are used.
      epsilon: probability of a random action instead, 0 to 1. Dopamine evaluates with 0.001.
      seed: of the games and the random actions, at least 0.
      stack_size: frames per observation, zeros before the first.
      axis: 0 for observations (num_envs, stack_size, 84, 84), -1 for (num_envs, 84, 84,
        stack_size).
      max_steps: number of steps after which an episode is cut.
      sticky_actions: as in `make_env`.
      full_action_space: as in `make_env`, for policies of several games.
      roms: as in `make_env`.
      emulator: as in `make_env`.

    Returns:
      The policy's scores.

    Raises:
      TypeError: an argument has the wrong type.
      ValueError: an argument is out of range; the policy returns a wrong shape or dtype, or an
        action that the game does not have. Also what `make_env` raises.
      ImportError: gymnasium, ale-py or the chosen emulator is not installed.
    """
    with required_for("evaluate", "envs"):
        # Without gymnasium, ale-py silently leaves out its vector environment.
        import gymnasium  # noqa: F401

        from tfds_atari_replay.envs import roms as roms_lib
        from tfds_atari_replay.envs.emulators import find_emulator

    found = games.find_game(game).with_actions(full_action_space=full_action_space)
    episodes, num_envs, stack_size, max_steps = check_sizes(
        episodes=episodes, num_envs=num_envs, stack_size=stack_size, max_steps=max_steps
    )
    epsilon = check_share("epsilon", epsilon)
    seed = check_whole("seed", seed, at_least=0)
    axis = check_axis(axis)
    check_policy(policy)
    num_envs = min(num_envs, episodes)
    playing = find_emulator(emulator).play_several(
        found,
        num_envs,
        rom=roms_lib.find_rom(found, roms),
        sticky_probability=STICKY_PROBABILITY if sticky_actions else 0.0,
    )
    streams = [_Stream(sequence) for sequence in np.random.SeedSequence(seed).spawn(episodes)]
    live = LiveStacks(num_envs, Stacking(stack_size, axis), FRAME_SHAPE)
    returns, lengths = _play(playing, found, policy, epsilon, streams, live, max_steps)
    mean = float(np.mean(returns))
    return Evaluation(
        found.name,
        tuple(returns),
        tuple(lengths),
        human_normalized=normalize(mean, found.random_score, found.human_score),
        dqn_normalized=normalize(mean, found.random_score, found.dqn_score),
    )


def normalize(score: float, random_score: float | None, reference: float | None) -> float | None:
    """Scales a score so that random play is 0 and the reference is 1; None if either is unknown."""
    if random_score is None or reference is None:
        return None
    return float((score - random_score) / (reference - random_score))


class _Stream:
    """The randomness of one episode: the emulator's seed, and a generator for random actions."""

    def __init__(self, sequence: np.random.SeedSequence):
        for_emulator, for_actions = sequence.spawn(2)
        self.seed = int(for_emulator.generate_state(1)[0]) % 2**31
        self.rng = np.random.default_rng(for_actions)


def _play(
    envs: Games,
    game: games.Game,
    policy: Policy,
    epsilon: float,
    streams: Sequence[_Stream],
    live: LiveStacks,
    max_steps: int,
) -> tuple[list[float], list[int]]:
    """Plays an episode for each stream; a game whose episode has ended starts the next.

    All episodes that were started count. Counting the first that end would favour short ones.
    """
    episodes = len(streams)
    returns, lengths = [0.0] * episodes, [0] * episodes
    waiting = iter(range(episodes))
    playing: dict[int, int] = {}  # which episode each game plays

    def start(indices: Iterable[int]) -> None:
        started = dict(zip(indices, waiting, strict=False))
        playing.update(started)
        if started:
            chosen = np.array(list(started))
            seeds = np.array([streams[episode].seed for episode in started.values()])
            live.start(chosen, envs.reset(chosen, seeds))

    start(range(len(live.stacks)))
    with progress.bar(total=episodes, desc=f"Evaluating {game.name}", unit=" episodes") as bar:
        while playing:
            actions = actions_of(policy, live.stacks.copy(), game)
            for index, episode in playing.items():
                rng = streams[episode].rng
                if rng.random() < epsilon:
                    actions[index] = rng.integers(len(game.actions))
            frames, rewards, is_over = envs.step(actions)
            live.push(frames)
            ended = []
            for index, episode in playing.items():
                returns[episode] += float(rewards[index])
                lengths[episode] += 1
                if is_over[index] or lengths[episode] >= max_steps:
                    ended.append(index)
            for index in ended:
                del playing[index]
            start(ended)
            if ended:  # an update by 0 would draw the bar again and fill log files
                bar.update(len(ended))
    return returns, lengths
