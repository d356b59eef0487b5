"""A small Decision Transformer (Chen et al., 2021) in PyTorch, on `replay.sequences`.

    python examples/decision_transformer.py atari_replay/pong_expert_v0 --data_dir DATA --out OUT

It is asked for the same high return at each step: `evaluate` tells a policy no rewards, so what was
already gained is not subtracted, unlike in the paper.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from common import Curve, evaluation_of, game_of, make_parser
from torch import nn

import tfds_atari_replay


class DecisionTransformer(nn.Module):
    """Three tokens a step, return to go, state and action; the state's predicts the action."""

    def __init__(self, num_actions: int, length: int, background: torch.Tensor, width: int = 96):
        super().__init__()
        self.length, self._background = length, background
        self._embed_return = nn.Linear(1, width)
        self._embed_state = nn.Sequential(
            *(nn.Conv2d(4, 16, 8, stride=4), nn.ReLU()),
            *(nn.Conv2d(16, 32, 4, stride=2), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(32 * 9 * 9, width), nn.Tanh()),
        )
        self._embed_action = nn.Embedding(num_actions, width)
        self._place = nn.Parameter(torch.zeros(3 * length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True)
        self._blocks = nn.TransformerEncoder(layer, num_layers=2)
        self._head = nn.Linear(width, num_actions)

    def forward(self, batch: dict[str, torch.Tensor]) -> Any:
        """Maps a batch of `sequences` to logits, float32 (B, length, num_actions)."""
        mask, size = batch["mask"], 3 * self.length
        # What moves stands out, so it is learned much sooner.
        observation = (batch["observation"] - self._background) / 64
        state = self._embed_state(observation.flatten(0, 1))
        wanted = self._embed_return(batch["return_to_go"][..., None] / 10)
        tokens = [wanted, state.unflatten(0, mask.shape), self._embed_action(batch["action"])]
        later = torch.ones(size, size, dtype=torch.bool).triu(1)
        # Padding stays visible to itself, since a softmax over nothing is NaN.
        padding = ~mask.repeat_interleave(3, dim=1)[:, None] & ~torch.eye(size, dtype=torch.bool)
        blocked = (later | padding).repeat_interleave(4, dim=0)  # for each of 4 heads
        output = self._blocks(torch.stack(tokens, dim=2).flatten(1, 2) + self._place, mask=blocked)
        return self._head(output[:, 1::3])


class Player:
    """Plays several games, and remembers the last steps of each."""

    def __init__(self, model: DecisionTransformer, wanted_return: float):
        self._model, self._wanted_return = model, wanted_return
        self._memory: dict[str, torch.Tensor] = {}

    def __call__(self, observations: Any) -> Any:
        """Maps uint8 (B, 4, 84, 84) to actions (B,)."""
        count, length = len(observations), self._model.length
        new = {
            "observation": torch.as_tensor(observations)[:, None],
            "return_to_go": torch.full((count, 1), self._wanted_return),
            "action": torch.zeros((count, 1), dtype=torch.int64),  # not chosen yet, and not seen
            "mask": torch.ones((count, 1), dtype=torch.bool),
        }
        for name, value in new.items():
            before = self._memory.get(name, torch.zeros_like(value.repeat_interleave(length, 1)))
            self._memory[name] = torch.cat([before[:, 1:], value], dim=1)
        # Only a game's first stack has frames of zeros in all places but the last.
        is_first = ~torch.as_tensor(observations[:, :-1].any(axis=(1, 2, 3)))
        self._memory["mask"][is_first, :-1] = False
        with torch.no_grad():
            logits = self._model(self._memory)[:, -1]
        actions = logits.softmax(dim=1).multinomial(1)[:, 0]
        self._memory["action"][:, -1] = actions
        return actions.numpy()


def main(argv: list[str] | None = None) -> None:
    """Learns to act as episodes of a high return do, and plays the game."""
    parser = make_parser(__doc__ or "", steps=1000, batch_size=16)
    parser.add_argument("--length", type=int, default=5, help="steps of context")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    replay = tfds_atari_replay.load_replay(args.dataset, data_dir=args.data_dir)
    # Of the others, the return to go is not known.
    replay = replay.select(replay.episodes["is_complete"])
    source = replay.sequences(args.length)
    game = game_of(args.dataset)
    some = torch.as_tensor(source[rng.integers(len(source), size=200)]["observation"])
    background = some.float().mean(dim=(0, 1))
    model = DecisionTransformer(len(game.actions), args.length, background)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.1)
    wanted_return = float(np.quantile(replay.episodes["episode_return"], 0.9))
    curve = Curve("decision_transformer", args)
    for step in range(1, args.steps + 1):
        indices = rng.integers(len(source), size=args.batch_size)
        batch = {name: torch.as_tensor(array) for name, array in source[indices].items()}
        mask = batch["mask"]
        loss = nn.functional.cross_entropy(model(batch)[mask], batch["action"][mask])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (args.steps // args.evaluations) == 0:
            result = tfds_atari_replay.evaluate(
                Player(model, wanted_return), game.name, epsilon=0, **evaluation_of(args)
            )
            curve.add(step, loss.item(), result)


if __name__ == "__main__":
    main()
