"""What mkdocs does besides: pages from outside docs/, the help of commands, a check of links."""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import subprocess
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from tfds_atari_replay.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[1]
FROM_ROOT = ("CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that have their place in the repository's root."""
    for name in FROM_ROOT:
        text = (
            (ROOT / name).read_text().replace("](docs/", "](").replace("](CHANGELOG", "](changelog")
        )
        files.append(File.generated(config, name.lower(), content=text))
    for path in sorted((ROOT / "examples").glob("*.py")):
        code = (
            f"# {path.name}\n\n[All examples](../examples.md)\n\n```python\n{path.read_text()}```\n"
        )
        files.append(File.generated(config, f"examples/{path.stem}.md", content=code))
    return files


def on_config(config: Any) -> Any:
    """Links to the repository, if the clone knows where it is from."""
    command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    found = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if found.startswith("https://"):
        config.repo_url = found.removesuffix(".git")
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills in the commands' help; names files of the repository, which the site does not hold."""
    if page.file.src_uri == "reference/cli.md":
        os.environ["COLUMNS"] = "80"  # whatever the terminal
        markdown += "".join(
            f"\n## {name}\n\n```text\n{command.format_help()}```\n"
            for name, command in _commands().items()
        )
    for name in FROM_ROOT:
        markdown = markdown.replace(f"](../{name})", f"]({name.lower()})")
    markdown = re.sub(r"\]\(\.\./examples/(\w+)\.py\)", r"](examples/\1.md)", markdown)
    up = "../" * (page.file.src_uri.count("/") + 1)
    return re.sub(rf"\[([^\]]*)\]\({re.escape(up)}([^)]+)\)", r"\1 (`\2`)", markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuses pages that load anything from elsewhere."""
    if foreign := re.findall(r"""<(?:script|link|img|iframe)[^>]+=["']?https?://[^>]+>""", output):
        raise PluginError(f"{page.file.src_uri} must be readable offline, but has {foreign}")
    return output


def _commands() -> dict[str, argparse.ArgumentParser]:
    actions = main.make_parser()._actions
    (found,) = (action for action in actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)
