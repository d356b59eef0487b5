"""Offline DQN with Keras: n-step targets, a target network, Double DQN's choice of actions.

python examples/dqn.py atari_replay/breakout_medium_v0 --data_dir DATA --out OUT
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from common import Curve, evaluation_of, game_of, make_parser

import tfds_atari_replay


def make_model(num_actions: int, background: Any) -> Any:
    """The network of Mnih et al. (2013): uint8 (B, 84, 84, 4) to action values (B, num_actions)."""
    return keras.Sequential(
        [
            keras.Input((84, 84, 4), dtype="uint8"),
            # (x - mean) / 64: what moves stands out, so it is learned much sooner.
            keras.layers.Normalization(
                (1, 2, 3), mean=background, variance=np.full_like(background, 64**2)
            ),
            keras.layers.Conv2D(16, 8, strides=4, activation="relu"),
            keras.layers.Conv2D(32, 4, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(num_actions),
        ]
    )


def main(argv: list[str] | None = None) -> None:
    """Learns from the logs alone, and plays the game."""
    parser = make_parser(__doc__ or "", steps=2000, batch_size=32)
    parser.add_argument("--n_step", type=int, default=5)
    parser.add_argument("--gamma", type=float, default=0.97)
    parser.add_argument("--target_period", type=int, default=200, help="gradient steps")
    args = parser.parse_args(argv)
    keras.utils.set_random_seed(args.seed)
    batches = tfds.load(
        args.dataset,
        split="train",
        data_dir=args.data_dir,
        decoders={"steps": tfds.decode.SkipDecoding()},
    ).apply(
        tfds_atari_replay.transitions(
            n_step=args.n_step,
            gamma=args.gamma,
            batch_size=args.batch_size,
            shuffle=True,
            seed=args.seed,
            axis=-1,
        )
    )
    game = game_of(args.dataset)
    some = [batch["observation"] for batch in batches.take(32)]
    background = np.concatenate(some).mean(axis=0)
    online, target = (make_model(len(game.actions), background) for _ in range(2))
    target.set_weights(online.get_weights())
    optimizer, huber = keras.optimizers.Adam(3e-4), keras.losses.Huber()

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def train(batch: Any) -> Any:
        """Takes a gradient step and returns the loss."""
        best = tf.argmax(online(batch["next_observation"]), axis=1)
        bootstrap = tf.gather(target(batch["next_observation"]), best, batch_dims=1)
        # `discount` is gamma**n_step, and 0 where the episode ended within these steps.
        wanted = batch["reward"] + batch["discount"] * bootstrap
        with tf.GradientTape() as tape:
            value = tf.gather(online(batch["observation"]), batch["action"], batch_dims=1)
            loss = huber(wanted, value)
        weights = online.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    def policy(observations: Any) -> Any:
        return online.predict_on_batch(observations).argmax(axis=1)

    curve = Curve("dqn", args)
    for step, batch in enumerate(batches.repeat().take(args.steps), start=1):
        loss = train(batch)
        if step % args.target_period == 0:
            target.set_weights(online.get_weights())
        if step % (args.steps // args.evaluations) == 0:
            result = tfds_atari_replay.evaluate(
                policy, game.name, epsilon=0.01, axis=-1, **evaluation_of(args)
            )
            curve.add(step, float(loss), result)


if __name__ == "__main__":
    main()
