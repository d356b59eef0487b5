"""Offline DQN with Keras: n-step targets, a target network, Double DQN's choice of actions.

    python examples/dqn.py atari_replay/breakout_medium_v0 --data_dir DATA --out OUT

The loss has the penalty of CQL (Kumar et al., 2020); --alpha 0 leaves it out.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tensorflow_datasets as tfds
from common import Curve, evaluation_of, game_of, make_dqn_parser, make_keras_network

import tfds_atari_replay


def main(argv: list[str] | None = None) -> None:
    """Learns from the logs alone, and plays the game."""
    args = make_dqn_parser(__doc__ or "").parse_args(argv)
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
    online = make_keras_network(len(game.actions), batches)
    target = keras.models.clone_model(online)
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
            values = online(batch["observation"])
            value = tf.gather(values, batch["action"], batch_dims=1)
            # Actions that the logs do not show are overrated, which only playing would correct.
            penalty = tf.reduce_mean(tf.reduce_logsumexp(values, axis=1) - value)
            loss = huber(wanted, value) + args.alpha * penalty
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
