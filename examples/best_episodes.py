"""Behaviour cloning of the best episodes by their true returns, in PyTorch.

python examples/best_episodes.py atari_replay/breakout_full_v0 --data_dir DATA --out OUT

The logs' rewards are clipped, so papers that select "the best 10%" sort by clipped returns. Here
they are sorted by what they scored. --share 1 clones all episodes, to compare with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from common import Curve, evaluation_of, game_of, make_parser
from dqn_torch import QNetwork
from torch import nn

import tfds_atari_replay


def select_best(replay: tfds_atari_replay.Replay, share: float) -> tfds_atari_replay.Replay:
    """Selects this share of the complete episodes whose true return is known, the best ones."""
    episodes = replay.episodes
    returns = episodes["unclipped_return"]
    is_known = episodes["is_complete"] & np.isfinite(returns)
    if not is_known.any():
        raise ValueError("No episode is complete and of known return.")
    limit = np.quantile(returns[is_known], 1 - share)
    chosen = replay.select(is_known & (returns >= limit))
    print(f"{len(chosen)} of {is_known.sum()} episodes, with returns of {limit:g} or more")
    return chosen


def main(argv: list[str] | None = None) -> None:
    """Clones the best episodes and plays the game."""
    parser = make_parser(__doc__ or "", steps=1000, batch_size=32)
    parser.add_argument("--share", type=float, default=0.1, help="of the episodes, to be cloned")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    replay = tfds_atari_replay.load_replay(args.dataset, data_dir=args.data_dir)
    source = select_best(replay, args.share).transitions()
    game = game_of(args.dataset)
    some = torch.as_tensor(source[rng.integers(len(source), size=1000)]["observation"])
    network = QNetwork(len(game.actions), some.float().mean(dim=0))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def policy(observations: Any) -> Any:
        """Draws actions as often as the player took them, its random ones included."""
        with torch.no_grad():
            logits = network(torch.as_tensor(observations)).numpy()
        return (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)

    curve = Curve("best_episodes", args)
    for step in range(1, args.steps + 1):
        batch = source[rng.integers(len(source), size=args.batch_size)]
        logits = network(torch.as_tensor(batch["observation"]))
        loss = nn.functional.cross_entropy(logits, torch.as_tensor(batch["action"]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (args.steps // args.evaluations) == 0:
            result = tfds_atari_replay.evaluate(policy, game.name, **evaluation_of(args))
            curve.add(step, loss.item(), result)


if __name__ == "__main__":
    main()
