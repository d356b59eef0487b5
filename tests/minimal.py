"""Builds and reads a dataset without TensorFlow, gymnasium or an emulator.

  python tests/minimal.py FOLDER

Run in an environment that has only what `pip install tfds-atari-replay` brings; see `make
test-minimal`.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import importlib.util
import io
import pathlib
import sys
from collections.abc import Callable

import numpy as np
import tensorflow_datasets as tfds

import tfds_atari_replay
from tfds_atari_replay.cli import main as cli
from tfds_atari_replay.logs import inspection

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGS = ROOT / "dummy_data"
NAME = "atari_replay/breakout_epoch_1_v0"


def expect_pip_line(extra: str, feature: Callable[[], object]) -> None:
    """What is missing is answered with the line that installs it."""
    try:
        feature()
    except ImportError as error:
        assert f"pip install 'tfds-atari-replay[{extra}]'" in str(error), error  # noqa: PT017, no pytest here
    else:
        raise AssertionError(f"{feature} worked without [{extra}]")


def main(folder: str) -> None:
    """Compares every reward and the last frame of each episode with the log."""
    absent = ("tensorflow", "gymnasium", "gym", "ale_py", "apache_beam", "mlcroissant", "jinja2")
    for package in absent:
        assert importlib.util.find_spec(package) is None, f"{package} is installed"
    assert all(report.is_usable for report in inspection.inspect(LOGS, deep=True))
    builder = tfds.builder(NAME, data_dir=folder, file_format="array_record")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=str(LOGS)))
    source = tfds.data_source(NAME, split="train", data_dir=folder)
    episodes = sorted(source, key=lambda episode: int(episode["episode_id"]))
    steps = [step for episode in episodes for step in episode["steps"] if not step["is_terminal"]]
    arrays = {}
    for name in ("observation", "reward", "terminal"):
        path = LOGS / "Breakout" / "1" / "replay_logs" / f"$store$_{name}_ckpt.1.gz"
        with gzip.open(path) as file:
            # A dump at the end of a lap: the last row is the oldest.
            arrays[name] = np.roll(np.load(file), 1, axis=0)
    # What the log has beside the steps is three zero rows before each episode.
    is_step = arrays["observation"].any(axis=(1, 2)) | (arrays["terminal"] == 1)
    frames = np.array([step["observation"][..., 0] for step in steps])
    np.testing.assert_array_equal(frames, arrays["observation"][is_step])
    np.testing.assert_array_equal([s["reward"] for s in steps], arrays["reward"][is_step])
    # The same at random, from this dataset and from one that load_replay prepares.
    config = tfds.download.DownloadConfig(manual_dir=str(LOGS))
    # The stacks of a cut episode's first three steps are unknown.
    known = [
        step
        for episode in episodes
        for number, step in enumerate(episode["steps"])
        if not step["is_terminal"] and (number >= 3 or episode["steps"][0]["is_first"])
    ]
    for data_dir in (folder, f"{folder}/replay"):
        replay = tfds_atari_replay.load_replay(
            "atari_replay/breakout_epoch_1_v0",
            data_dir=data_dir,
            download_and_prepare_kwargs={"download_config": config},
        )
        batch = replay.sequences(length=1)[:]
        np.testing.assert_array_equal(
            batch["observation"][:, 0, -1], [step["observation"][..., 0] for step in known]
        )
        np.testing.assert_array_equal(batch["action"][:, 0], [step["action"] for step in known])
    decoding = tfds.decode.PartialDecoding({"steps": {"reward"}, "episode_id": True})
    for partial in (
        builder.as_data_source(split="train", decoders=decoding),
        tfds.builder_from_directory(str(builder.data_path)).as_data_source(
            split="train", decoders=decoding
        ),
    ):
        for some, whole in zip(partial, source, strict=True):
            assert set(some) == {"steps", "episode_id"}
            rewards = [step["reward"] for step in whole["steps"]]
            np.testing.assert_array_equal([step["reward"] for step in some["steps"]], rewards)
    expect_pip_line("envs", lambda: tfds_atari_replay.make_env("pong"))
    expect_pip_line("envs", lambda: tfds_atari_replay.evaluate(lambda _: [0], "pong"))
    expect_pip_line("envs", lambda: importlib.import_module("tfds_atari_replay.d4rl_atari"))
    expect_pip_line("tensorflow", lambda: tfds_atari_replay.transitions()(None))
    expect_pip_line("tensorflow", lambda: builder.as_dataset(split="train"))
    expect_pip_line("tensorflow", lambda: tfds.load(NAME, data_dir=folder))
    arguments = ["breakout_epoch_1_v0", f"--data_dir={folder}"]
    assert cli.main(["show", *arguments, f"--out={folder}/episode.png"]) == 0
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert cli.main(["preview", *arguments, f"--out={folder}/preview"]) == 1
    assert "pip install 'tfds-atari-replay[preview]'" in said.getvalue()
    assert "tensorflow" not in sys.modules
    print(f"{len(episodes)} episodes, {len(steps)} steps, without TensorFlow")


if __name__ == "__main__":
    main(sys.argv[1])
