"""The docs' code runs, and their links lead somewhere."""

from __future__ import annotations

import pathlib
import re
import textwrap
from typing import Any

import pytest
from helpers.cases import cases
from helpers.docs import PAGES, ROOT, blocks, parse, run
from helpers.processes import run_python

import tfds_atari_replay

MARKDOWN = (*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md")
README = ROOT / "README.md"
LONG = {"cluster.md", "environments.md", "start.md", "whole_runs.md"}
"""Pages that start a cluster, play, or run commands that import TensorFlow."""


def test_the_readme_runs(expert: Any) -> None:
    run([README], expert.data_path.parents[2], "python")


@pytest.mark.parametrize("is_long", cases(slow=[False], exhaustive=[True]))
def test_the_docs_run(expert: Any, is_long: bool) -> None:
    """Pages run one after the other, since importing TensorFlow takes seconds."""
    pages = [page for page in PAGES if page != README and (page.name in LONG) == is_long]
    run(pages, expert.data_path.parents[2], "all")


def test_the_readmes_commands_are_those_of_the_docs() -> None:
    """The test above runs these."""
    commands = {b.code for b in blocks(README) if b.language == "sh" and not b.why_not_run}
    assert commands
    assert commands <= {block.code for block in blocks(ROOT / "docs" / "start.md")}


def test_what_is_not_run_is_parsed() -> None:
    """The page says why it is not run."""
    excused = [block for page in PAGES for block in blocks(page) if block.why_not_run]
    assert excused
    for block in excused:
        parse(block)


def test_each_framework_takes_less_than_30_lines() -> None:
    for block in blocks(ROOT / "docs" / "random_access.md"):
        assert len(block.code.splitlines()) < 30, block


def test_every_block_names_a_language() -> None:
    """So no block is overlooked."""
    for page in PAGES:
        fences = re.findall(r"^ *```(.*)$", page.read_text(), re.M)[::2]
        assert set(fences) <= {"python", "sh", "text", "bibtex"}, page
        assert len(blocks(page)) == sum(fence in ("python", "sh") for fence in fences), page


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: pathlib.Path) -> None:
    """These are links within the repository; `make docs` checks the site's own."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, heading = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / path if path else page
        assert target.exists(), f"{page}: {link}"
        assert not heading or heading in headings(target), f"{page}: {link}"


def headings(page: pathlib.Path) -> set[str]:
    """Returns the anchors of a page, as GitHub and mkdocs name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_reference_has_every_public_name() -> None:
    text = "".join(page.read_text() for page in (ROOT / "docs" / "reference").iterdir())
    documented = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", text, re.M)}
    assert set(tfds_atari_replay.__all__) <= documented


@pytest.mark.slow
def test_the_examples_in_docstrings_run(
    expert: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each runs as it stands, with a reader's imports, on the default data_dir."""
    start = """
import numpy as np
import tensorflow_datasets as tfds
import tfds_atari_replay
from tfds_atari_replay import evaluate, figures, score_matrices, score_table
"""
    code = re.compile(r"^( *)```python\n(.*?)^ *```", re.M | re.S)
    files = (ROOT / "tfds_atari_replay").rglob("*.py")
    examples = [
        textwrap.dedent(found[2])
        for path in sorted(files)
        for found in code.finditer(path.read_text())
    ]
    assert len(examples) >= 10
    monkeypatch.setenv("TFDS_DATA_DIR", str(expert.data_path.parents[2]))
    monkeypatch.chdir(tmp_path)
    run_python(start + "\n".join(examples))
