"""Running the code in the docs."""

from __future__ import annotations

import pathlib
import re

import pytest

from helpers.datasets import DUMMY_DATA, ROOT
from helpers.processes import run_python

_FIRST = """
import os
import tensorflow_datasets as tfds
import tfds_atari_replay
os.environ["TQDM_DISABLE"] = "1"
"""


def run_section(section: str, data_dir: pathlib.Path, folder: pathlib.Path, word: str = "") -> None:
    """Runs a section of docs/random_access.md after the page's first block.

    What its code prints must be what its comments say.

    Args:
      section: its heading.
      data_dir: where the dataset is that the code reads.
      folder: an empty one to run it in.
      word: what a block of the section must hold to be run.
    """
    text = (ROOT / "docs" / "random_access.md").read_text()
    intro, *sections = re.split(r"^## ", text, flags=re.M)
    by_name = {part.partition("\n")[0]: part for part in sections}
    own = [block for block in _python_blocks(by_name[section]) if word in block]
    blocks = _python_blocks(intro) + own
    _run(blocks, data_dir, folder)


def run_page(name: str, data_dir: pathlib.Path, folder: pathlib.Path) -> None:
    """Runs all code of a page of docs/; else like `run_section`."""
    _run(_python_blocks((ROOT / "docs" / name).read_text()), data_dir, folder)


def _run(blocks: list[str], data_dir: pathlib.Path, folder: pathlib.Path) -> None:
    (folder / "dummy_data").symlink_to(DUMMY_DATA)
    (folder / "quickstart").mkdir()
    (folder / "quickstart" / "data").symlink_to(data_dir)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        printed = run_python(_FIRST + "\n".join(blocks)).splitlines()
    shown = re.findall(r"^print\(.*\)\n?(?:  )?# (.*)$", "\n".join(blocks), re.M)
    assert shown
    assert [line for line in printed if line in shown] == shown, printed


def _python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.S)
