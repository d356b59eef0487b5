"""Runs the code in Markdown pages.

A page's blocks run one after the other, as a reader would run them, in a folder of their own where

- `dummy_data` and `LOGS` are the logs of dummy_data,
- `quickstart/data` is what `make quickstart` has built.

Every `print` at the top level of Python code must print what the comment behind it says. A block
with `<!-- not run: why -->` before it is only parsed.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import io
import linecache
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tokenize
from collections.abc import Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_ENVIRONMENT = {
    "ATARI_REPLAY_SOURCE": str(ROOT / "dummy_data"),  # and so nothing is looked for elsewhere
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TQDM_DISABLE": "1",
}

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>.+?) -->\n+)?```(?P<language>python|sh)\n(?P<code>.*?)^```",
    re.M | re.S,
)


# What is installed in the environment with PyTorch.
_OF_TORCH = re.compile(r"^(import|from) (torch|d3rlpy|minari|datasets|stable_baselines3)\b", re.M)


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
      page: the file.
      line: of its first line of code in the file.
      language: `python` or `sh`.
      why_not_run: what the page says; None if the block is to be run.
    """

    page: pathlib.Path
    line: int
    language: str
    code: str
    why_not_run: str | None

    @property
    def needs_torch(self) -> bool:
        """Whether it is for the environment that has PyTorch instead of TensorFlow."""
        return _OF_TORCH.search(self.code) is not None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: pathlib.Path) -> list[Block]:
    """The Python and shell blocks of a page."""
    text = page.read_text()
    return [
        Block(
            page,
            text.count("\n", 0, match.start("code")) + 1,
            match["language"],
            match["code"],
            match["why"],
        )
        for match in _BLOCK.finditer(text)
    ]


def parse(block: Block) -> None:
    """Checks that a block is Python or shell at all."""
    if block.language == "python":
        ast.parse(block.code, str(block))
    else:
        subprocess.run(["bash", "-n"], input=block.code, text=True, check=True)


def run(pages: list[pathlib.Path], data_dir: pathlib.Path, kind: str) -> None:
    """Runs pages in a process of its own.

    Args:
      pages: each is run in a namespace and a folder of its own.
      data_dir: has breakout_expert_v0.
      kind: `all`; `python`, so no shell; or `torch`, what needs PyTorch, together with the Python
        blocks before a page's first section. The others leave that out.
    """
    command = [sys.executable, "-m", "helpers.docs", kind, *map(str, [data_dir, *pages])]
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    with tempfile.TemporaryDirectory() as default_data_dir:
        own = {"PYTHONPATH": path, **_ENVIRONMENT}
        # What libraries keep beside the user's files.
        for variable in ("TFDS_DATA_DIR", "MINARI_DATASETS_PATH", "HF_HOME"):
            own[variable] = os.path.join(default_data_dir, variable)
        result = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True)
    assert not result.returncode, result.stderr
    print(result.stderr)  # which block took how long


def _run_pages(pages: list[pathlib.Path], data_dir: pathlib.Path, kind: str) -> None:
    start = time.monotonic()
    for page in pages:
        first_section = page.read_text().partition("\n## ")[0].count("\n")
        namespace: dict[str, Any] = {"__name__": "__main__"}
        with _folder(data_dir):
            for block in blocks(page):
                is_shared = block.language == "python" and block.line < first_section
                is_wanted = (
                    block.needs_torch or is_shared if kind == "torch" else not block.needs_torch
                )
                if block.why_not_run or not is_wanted:
                    continue
                print(f"{time.monotonic() - start:.1f} s: {block}", file=sys.stderr, flush=True)
                if block.language == "python":
                    _run_python(block, namespace)
                elif kind != "python":
                    _run_sh(block)


@contextlib.contextmanager
def _folder(data_dir: pathlib.Path) -> Iterator[None]:
    before = pathlib.Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for link in ("dummy_data", "LOGS", "tfds_atari_replay", "benchmarks"):
            (folder / link).symlink_to(ROOT / ("dummy_data" if link == "LOGS" else link))
        shutil.copytree(data_dir, folder / "quickstart" / "data")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _run_sh(block: Block) -> None:
    bin_folder = pathlib.Path(sys.executable).parent
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _run_python(block: Block, namespace: dict[str, Any]) -> None:
    # As many empty lines before it as there are lines in the page, so that errors name its lines.
    code = "\n" * (block.line - 1) + block.code
    name = str(block.page)
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    comments = _comments(code)
    for statement in ast.parse(code, name).body:
        end = statement.end_lineno or 0
        expected = comments.get(end)
        if not expected and linecache.getline(name, end + 1).startswith("#"):
            expected = comments[end + 1]
        with contextlib.ExitStack() as stack:
            printed = None
            if _is_print(statement):
                assert expected, f"{name}:{end}: say in a comment what this prints"
                printed = stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            exec(compile(ast.Module([statement], []), name, "exec"), namespace)
        if printed:
            assert printed.getvalue() == f"{expected}\n", f"{name}:{end}: {printed.getvalue()}"


def _is_print(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func) == "print"


def _comments(code: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {t.start[0]: t.string[2:] for t in tokens if t.type == tokenize.COMMENT}


if __name__ == "__main__":
    kind_of_run, folder_of_data, *names = sys.argv[1:]
    _run_pages([pathlib.Path(name) for name in names], pathlib.Path(folder_of_data), kind_of_run)
