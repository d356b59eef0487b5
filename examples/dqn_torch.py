"""Offline DQN in PyTorch: n-step targets, a target network, Double DQN's choice of actions.

    python examples/dqn_torch.py atari_replay/breakout_medium_v0 --data_dir DATA --out OUT

The loss has the penalty of CQL (Kumar et al., 2020); --alpha 0 leaves it out.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from common import Curve, evaluation_of, game_of, make_dqn_parser
from torch import nn

import tfds_atari_replay


class QNetwork(nn.Module):
    """The network of Mnih et al. (2013): uint8 (B, 4, 84, 84) to action values (B, num_actions)."""

    def __init__(self, num_actions: int, background: torch.Tensor):
        super().__init__()
        self.register_buffer("background", background)
        self._layers = nn.Sequential(
            *(nn.Conv2d(4, 16, 8, stride=4), nn.ReLU()),
            *(nn.Conv2d(16, 32, 4, stride=2), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(32 * 9 * 9, 256), nn.ReLU()),
            nn.Linear(256, num_actions),
        )

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Returns float32 (B, num_actions)."""
        # What moves stands out, so it is learned much sooner.
        values: torch.Tensor = self._layers((observation - self.background) / 64)
        return values


def loss_of(
    online: QNetwork, target: QNetwork, batch: dict[str, torch.Tensor], alpha: float
) -> torch.Tensor:
    """The mean Huber loss of the n-step temporal difference errors, and CQL's penalty."""
    with torch.no_grad():
        best = online(batch["next_observation"]).argmax(dim=1, keepdim=True)
        bootstrap = target(batch["next_observation"]).gather(1, best)[:, 0]
        # `discount` is gamma**n_step, and 0 where the episode ended within these steps.
        wanted = batch["reward"] + batch["discount"] * bootstrap
    values = online(batch["observation"])
    value = values.gather(1, batch["action"][:, None])[:, 0]
    # Actions that the logs do not show are overrated, which only playing would correct.
    penalty = (values.logsumexp(dim=1) - value).mean()
    return nn.functional.smooth_l1_loss(value, wanted) + alpha * penalty


def main(argv: list[str] | None = None) -> None:
    """Learns from the logs alone, and plays the game."""
    args = make_dqn_parser(__doc__ or "").parse_args(argv)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    source = tfds_atari_replay.load_replay(args.dataset, data_dir=args.data_dir).transitions(
        n_step=args.n_step, gamma=args.gamma
    )
    game = game_of(args.dataset)
    some = torch.as_tensor(source[rng.integers(len(source), size=1000)]["observation"])
    online = QNetwork(len(game.actions), some.float().mean(dim=0)).to(device)
    target = copy.deepcopy(online)
    optimizer = torch.optim.Adam(online.parameters(), lr=3e-4)

    def policy(observations: Any) -> Any:
        with torch.no_grad():
            values = online(torch.as_tensor(observations, device=device))
        return values.argmax(dim=1).cpu().numpy()

    curve = Curve("dqn_torch", args)
    for step in range(1, args.steps + 1):
        batch = source[rng.integers(len(source), size=args.batch_size)]
        tensors = {name: torch.as_tensor(array, device=device) for name, array in batch.items()}
        loss = loss_of(online, target, tensors, args.alpha)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.target_period == 0:
            target.load_state_dict(online.state_dict())
        if step % (args.steps // args.evaluations) == 0:
            result = tfds_atari_replay.evaluate(
                policy, game.name, epsilon=0.01, **evaluation_of(args)
            )
            curve.add(step, loss.item(), result)


if __name__ == "__main__":
    main()
