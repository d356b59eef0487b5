"""Offline DQN in JAX, whose replay, sampling and updates are one compiled loop.

    python examples/dqn_jax.py atari_replay/breakout_medium_v0 --data_dir DATA --out OUT

The packed frames are put on the device once. From then on nothing passes between it and the host
but the loss: indices are drawn, batches gathered and networks updated inside `jax.lax.scan`. The
loss has the penalty of CQL (Kumar et al., 2020); --alpha 0 leaves it out.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from common import Curve, evaluation_of, game_of, make_dqn_parser
from jax.example_libraries import optimizers
from jax.example_libraries import stax as untyped_stax

import tfds_atari_replay

stax: Any = untyped_stax


def make_network(num_actions: int, background: Any) -> tuple[Any, Any]:
    """The network of Mnih et al. (2013): uint8 (B, 84, 84, 4) to action values (B, num_actions).

    Returns:
      What makes its parameters, and what applies it.
    """
    make, apply = stax.serial(
        *(stax.Conv(16, (8, 8), (4, 4)), stax.Relu),
        *(stax.Conv(32, (4, 4), (2, 2)), stax.Relu, stax.Flatten),
        *(stax.Dense(256), stax.Relu),
        stax.Dense(num_actions),
    )
    # What moves stands out, so it is learned much sooner.
    return make, lambda params, observation: apply(params, (observation - background) / 64)


def loss_of(apply: Any, alpha: float, online: Any, target: Any, batch: Any) -> Any:
    """The mean Huber loss of the n-step temporal difference errors, and CQL's penalty."""
    best = apply(online, batch["next_observation"]).argmax(axis=1)
    values_there = apply(target, batch["next_observation"])
    bootstrap = jnp.take_along_axis(values_there, best[:, None], axis=1)[:, 0]
    # `discount` is gamma**n_step, and 0 where the episode ended within these steps.
    wanted = jax.lax.stop_gradient(batch["reward"] + batch["discount"] * bootstrap)
    values = apply(online, batch["observation"])
    value = jnp.take_along_axis(values, batch["action"][:, None], axis=1)[:, 0]
    error = jnp.abs(value - wanted)
    huber = jnp.where(error < 1, 0.5 * error**2, error - 0.5).mean()
    # Actions that the logs do not show are overrated, which only playing would correct.
    return huber + alpha * (jax.nn.logsumexp(values, axis=1) - value).mean()


def main(argv: list[str] | None = None) -> None:
    """Learns from the logs alone, and plays the game."""
    args = make_dqn_parser(__doc__ or "").parse_args(argv)
    replay = tfds_atari_replay.load_replay(args.dataset, data_dir=args.data_dir)
    source = replay.transitions(n_step=args.n_step, gamma=args.gamma, axis=-1).put(jax.device_put)
    game = game_of(args.dataset)
    rng = np.random.default_rng(args.seed)
    some = source[rng.integers(len(source), size=1000)]["observation"]
    make, apply = make_network(len(game.actions), some.mean(axis=0))
    start, update, params_of = optimizers.adam(3e-4)
    key = jax.random.key(args.seed)
    _, params = make(key, (-1, 84, 84, 4))
    gradient_of = jax.value_and_grad(functools.partial(loss_of, apply, args.alpha))

    @functools.partial(jax.jit, static_argnums=2)
    def learn(arrays: Any, carry: Any, num_steps: int) -> Any:
        """Takes gradient steps; returns what goes on, and the mean loss."""

        def step(carry: Any, _: Any) -> Any:
            number, state, target, key = carry
            key, now = jax.random.split(key)
            indices = jax.random.randint(now, (args.batch_size,), 0, len(source))
            batch = source.gather(arrays, indices)
            loss, gradient = gradient_of(params_of(state), target, batch)
            state = update(number, gradient, state)
            is_time = (number + 1) % args.target_period == 0
            online = params_of(state)
            target = jax.tree.map(lambda new, old: jnp.where(is_time, new, old), online, target)
            return (number + 1, state, target, key), loss

        carry, losses = jax.lax.scan(step, carry, length=num_steps)
        return carry, losses.mean()

    act = jax.jit(lambda params, observations: apply(params, observations).argmax(axis=1))

    def policy(observations: Any) -> Any:
        return act(params_of(carry[1]), observations)

    curve = Curve("dqn_jax", args)
    carry = (0, start(params), params, key)
    period = args.steps // args.evaluations
    for step in range(period, args.steps + 1, period):
        carry, loss = learn(source.arrays, carry, period)
        result = tfds_atari_replay.evaluate(
            policy, game.name, epsilon=0.01, axis=-1, **evaluation_of(args)
        )
        curve.add(step, float(loss), result)


if __name__ == "__main__":
    main()
