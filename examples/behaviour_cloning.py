"""Behaviour cloning with Keras: learns to act as the player of the data did.

python examples/behaviour_cloning.py atari_replay/breakout_expert_v0 --data_dir DATA --out OUT
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow_datasets as tfds
from common import Curve, evaluation_of, game_of, make_keras_network, make_parser

import tfds_atari_replay


def main(argv: list[str] | None = None) -> tfds_atari_replay.Evaluation:
    """Clones a player and plays the game; returns what it scored last."""
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
    model = make_keras_network(len(game.actions), batches)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss_of)
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
    return result


if __name__ == "__main__":
    main()
