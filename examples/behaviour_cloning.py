"""Behaviour cloning with Keras: learns to act as the player of the data did.

python examples/behaviour_cloning.py atari_replay/breakout_expert_v0 --data_dir DATA --out OUT
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow_datasets as tfds
from common import Curve, evaluation_of, game_of, make_parser

import tfds_atari_replay


def make_model(num_actions: int, background: Any) -> Any:
    """The network of Mnih et al. (2013): uint8 (B, 84, 84, 4) to logits (B, num_actions)."""
    model = keras.Sequential(
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
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return model


def main(argv: list[str] | None = None) -> None:
    """Clones a player and plays the game."""
    args = make_parser(__doc__ or "", steps=1000, batch_size=32).parse_args(argv)
    keras.utils.set_random_seed(args.seed)
    batches = tfds.load(
        args.dataset,
        split="train",
        data_dir=args.data_dir,
        decoders={"steps": tfds.decode.SkipDecoding()},
    ).apply(
        tfds_atari_replay.transitions(
            batch_size=args.batch_size, shuffle=True, seed=args.seed, axis=-1
        )
    )
    game = game_of(args.dataset)
    some = [batch["observation"] for batch in batches.take(32)]
    background = np.concatenate(some).mean(axis=0)
    model = make_model(len(game.actions), background)
    rng = np.random.default_rng(args.seed)

    def policy(observations: Any) -> Any:
        """Draws actions as often as the player took them, its random ones included."""
        logits = np.asarray(model.predict_on_batch(observations))
        return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)

    curve = Curve("behaviour_cloning", args)
    for step, batch in enumerate(batches.repeat().take(args.steps), start=1):
        loss = model.train_on_batch(batch["observation"], batch["action"])
        if step % (args.steps // args.evaluations) == 0:
            result = tfds_atari_replay.evaluate(policy, game.name, axis=-1, **evaluation_of(args))
            curve.add(step, float(loss), result)


if __name__ == "__main__":
    main()
