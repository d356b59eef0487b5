"""Running an example at a small size."""

from __future__ import annotations

import importlib
import json
import pathlib


def run_example(example: str, data_dir: pathlib.Path, out: pathlib.Path) -> None:
    """Takes six gradient steps on breakout_expert_v0 and checks the curve that is written."""
    options = ["--steps=6", "--evaluations=2", "--batch_size=8", "--episodes=2"]
    options += ["--max_steps=20", "--seed=3"]
    importlib.import_module(example).main(
        ["atari_replay/breakout_expert_v0", f"--data_dir={data_dir}", f"--out={out}", *options]
    )
    path = out / f"{example}-breakout_expert_v0-seed3.json"
    run = json.loads(path.read_text())
    assert run["example"] == example
    assert [point["step"] for point in run["points"]] == [3, 6]
    assert [len(point["returns"]) for point in run["points"]] == [2, 2]
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
