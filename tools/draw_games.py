"""Draws a frame of each game for the docs: `docs/games/*.png`, and ten of them as `docs/play.png`.

    python tools/draw_games.py [--out docs]

It plays at random, on the logs' ROMs where atari-py is installed (docs/environments.md), with fixed
seeds, and takes the frame with the highest score that could be read.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfds_atari_replay import GAMES, make_env, progress, read_scores
from tfds_atari_replay.games import Game
from tfds_atari_replay.scores.facts import FACTS

STEPS = 1500
SHOWN = (
    *("Asterix", "BeamRider", "Breakout", "Enduro", "MsPacman"),
    *("Pong", "Qbert", "Riverraid", "Seaquest", "SpaceInvaders"),
)
SCALE, MARGIN, CAPTION = 2, 6, 22


def play(game: Game) -> tuple[Any, float]:
    """Returns a frame, uint8 (84, 84), and the score that it shows; NaN if that is not read."""
    env = make_env(game.name)
    rng = np.random.default_rng(0)
    frame, _ = env.reset(seed=0)
    frames, action = [frame], 0
    for step in range(STEPS):
        if step % 4 == 0:
            action = int(rng.integers(len(game.actions)))
        frame, _, terminated, _, _ = env.step(action)
        if terminated:
            frame, _ = env.reset()
        frames.append(frame)
    stacked: Any = np.stack(frames)
    facts = FACTS[game.rom]
    if facts.clipped_is_true or facts.why_not:
        return stacked[STEPS // 3], np.nan
    scores = read_scores(stacked, game.name)
    # Just after a change, a frame may be a mixture of two scores.
    settled = np.flatnonzero(scores[2:] == scores[:-2]) + 2
    best = settled[np.argmax(scores[settled])] if len(settled) else STEPS // 3
    return stacked[best], float(scores[best])


def draw(found: dict[str, tuple[Any, float]]) -> Image.Image:
    """Draws frames side by side, with what was read off them below."""
    columns, size = len(SHOWN) // 2, 84 * SCALE
    width, height = size + MARGIN, size + MARGIN + CAPTION
    sheet = Image.new("L", (columns * width + MARGIN, 2 * height + MARGIN), 24)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, name in enumerate(SHOWN):
        frame, score = found[name]
        row, column = divmod(number, columns)
        left, top = MARGIN + column * width, MARGIN + row * height
        sheet.paste(
            Image.fromarray(frame).resize((size, size), Image.Resampling.NEAREST), (left, top)
        )
        read = "" if np.isnan(score) else f": {score:,.0f}"
        pen.text((left + 2, top + size + 3), f"{name}{read}", fill=235, font=font)
    return sheet


def main() -> None:
    """Plays all games and draws."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs"))
    args = parser.parse_args()
    folder = args.out / "games"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for game in progress.bar(list(GAMES.values()), desc="Playing", unit=" games"):
        found[game.name] = frame, _ = play(game)
        Image.fromarray(frame).save(folder / f"{game.rom}.png", optimize=True)
    draw(found).save(args.out / "play.png", optimize=True)


if __name__ == "__main__":
    main()
