"""What an optional dependency's absence looks like: the line that installs it, before any work.

`tests/minimal.py` holds the same where they are really absent.
"""

import pathlib
import re
import subprocess
from typing import Any

import pytest
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA
from helpers.processes import run_python

ABSENT = """
import importlib.machinery
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = lambda name, *others: (
    None if name.partition(".")[0] == {!r} else find(name, *others)
)
"""

BUILD = f"""
import tensorflow_datasets as tfds, tfds_atari_replay
builder = tfds.builder("atari_replay/breakout_expert_v0", data_dir=FOLDER)
manual = tfds.download.DownloadConfig(manual_dir={str(DUMMY_DATA)!r})
builder.download_and_prepare(download_config=manual)
"""

GYMNASIUM_MAKE = """
import gymnasium, tfds_atari_replay.d4rl_atari
gymnasium.make("breakout-mixed-v0")
"""

EVALUATE = """
import tfds_atari_replay
tfds_atari_replay.evaluate(lambda observations: [0], "pong", episodes=1)
"""


def error_without(package: str, code: str) -> str:
    """Returns the error that code ends with if a package is not installed."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_python(f"{ABSENT.format(package)}\n{code}")
    stderr: str = caught.value.stderr
    (found,) = re.findall(r"^(?:ImportError|error): (.*)\Z", stderr, re.M | re.S)
    return str(found).strip()


@pytest.mark.parametrize(
    ("package", "code", "message"),
    [
        ("ale_py", GYMNASIUM_MAKE, "The environment needs ale_py. Install what it needs with: "),
        ("gymnasium", EVALUATE, "evaluate needs gymnasium. Install what it needs with: "),
    ],
)
def test_half_an_extra_is_not_enough(package: str, code: str, message: str) -> None:
    """ale-py and gymnasium need each other, and neither brings the other."""
    error = error_without(package, code)
    assert error == f"{message}pip install 'tfds-atari-replay[envs]'"


def test_datasets_are_prepared_without_tensorflow(expert: Any, tmp_path: pathlib.Path) -> None:
    """They have TFDS's default format, for `tf.data` where TensorFlow is installed."""
    run_python(f"{ABSENT.format('tensorflow')}\nFOLDER = {str(tmp_path)!r}\n{BUILD}")
    (built,) = tmp_path.rglob("*.tfrecord*")
    (expected,) = expert.data_path.glob("*.tfrecord*")
    assert built.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize(
    "reading",
    [
        "builder.as_dataset(split='train')",
        "tfds.load('atari_replay/breakout_expert_v0', data_dir=FOLDER, split='train')",
    ],
)
def test_reading_with_tf_data_names_the_extra(tmp_path: pathlib.Path, reading: str) -> None:
    """The error says what reads without TensorFlow."""
    code = f"FOLDER = {str(tmp_path)!r}\n{BUILD}\n{reading}"
    error = error_without("tensorflow", code)
    assert error.startswith("A tf.data.Dataset (tfds.load, as_dataset) needs ")
    assert "pip install 'tfds-atari-replay[tensorflow]'\nOr read with NumPy: " in error


@pytest.mark.parametrize("package", cases("matplotlib", slow=["jinja2", "PIL"]))
def test_preview_names_the_extra(expert: Any, tmp_path: pathlib.Path, package: str) -> None:
    """No folder is made before the error."""
    data_dir = expert.data_path.parents[2]
    arguments = ["preview", "breakout_expert_v0", f"--data_dir={data_dir}", f"--out={tmp_path}/a"]
    main = "from tfds_atari_replay.cli.main import main"
    error = error_without(package, f"{main}\nraise SystemExit(main({arguments}))")
    line = "Install what it needs with: pip install 'tfds-atari-replay[preview]'"
    assert error == f"atari-replay preview needs {package}. {line}"
    assert not list(tmp_path.iterdir())
