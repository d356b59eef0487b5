"""Imports run one way, and each room keeps out what it must not know."""

from __future__ import annotations

import ast
import graphlib
import pathlib
from collections.abc import Iterator

import pytest
from helpers.datasets import ROOT

PACKAGE = ROOT / "tfds_atari_replay"

MAY_IMPORT = {
    "_extras": "",
    "_interrupts": "",
    "threads": "",
    "progress": "",
    "notebooks": "",
    "arguments": "",
    "fields": "",
    "games": "arguments",
    "configs": "games",
    "_tfds": "",
    "logs": "arguments _tfds games configs threads progress",
    "locking": "logs",
    "windows": "fields",
    "scores": "games",
    "blocks": "_extras",
    "steps": "blocks _tfds _extras threads",
    "schema": "fields scores steps logs",
    "prepared": "arguments configs fields blocks schema steps logs",
    "building": "arguments games configs scores prepared locking schema _tfds logs threads "
    "progress _extras",
    "transforms": "arguments fields windows schema steps blocks threads _extras",
    "replay": "arguments games configs fields windows schema blocks prepared locking logs threads "
    "progress notebooks",
    "figures": "arguments fields games configs logs blocks prepared progress _extras",
    "envs": "arguments games logs windows threads progress notebooks _extras",
    "atari_replay": "fields games configs scores logs schema prepared building threads notebooks "
    "_tfds",
    "d4rl_atari": "arguments fields games configs windows logs scores building envs _extras",
    "cli": "games configs logs envs prepared figures",
    "__init__": "_interrupts atari_replay building envs games logs replay scores transforms",
    "__main__": "cli",
}
"""Which rooms each room may import from, beside its own modules."""

MUST_NOT_IMPORT = {
    "logs": {"tensorflow", "tensorflow_datasets", "gymnasium", "ale_py"},
    "games": {"tensorflow", "tensorflow_datasets"},
    "configs": {"tensorflow", "tensorflow_datasets"},
    "envs": {"tensorflow", "tensorflow_datasets"},
    "prepared": {"tensorflow"},
    "replay": {"tensorflow"},
    "figures": {"tensorflow"},
}


def modules(room: str) -> list[pathlib.Path]:
    """The files of a room."""
    folder = PACKAGE / room
    return sorted(folder.glob("**/*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


def rooms_used_by(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Which room each import from this package leads to, with its full name."""
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "tfds_atari_replay":
            yield rest.partition(".")[0], name


def imports(path: pathlib.Path) -> Iterator[str]:
    """Full names of all that a module imports anywhere, as `package.module.name`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_is_listed() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py"}
    rooms |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(MAY_IMPORT)


def test_the_list_has_no_arrow_back() -> None:
    done: set[str] = set()
    for room, others in MAY_IMPORT.items():
        missing = set(others.split()) - done
        assert not missing or room.startswith("__"), f"{room} comes before {missing}"
        done.add(room)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    for path in modules(room):
        for other, name in rooms_used_by(path):
            allowed = {*MAY_IMPORT[room].split(), room}
            assert other in allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_arrow_is_unused(room: str) -> None:
    used = {other for path in modules(room) for other, _ in rooms_used_by(path)}
    assert set(MAY_IMPORT[room].split()) <= used


@pytest.mark.parametrize("room", MUST_NOT_IMPORT)
def test_what_a_room_must_not_know(room: str) -> None:
    for path in modules(room):
        for name in imports(path):
            package = name.partition(".")[0]
            assert package not in MUST_NOT_IMPORT[room], f"{path.relative_to(ROOT)}: {name}"


def test_only_one_module_takes_more_of_tfds_than_its_public_names() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.name != "_tfds.py":
            taken = [name for name in imports(path) if name.startswith("tensorflow_datasets.")]
            assert not taken, f"{path.relative_to(ROOT)} imports {taken}"


def test_each_module_has_its_tests() -> None:
    """`room/x.py` is tested by `tests/room/test_x.py`; types and exceptions need none."""
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("[!_]*.py")}
    modules |= {path.relative_to(PACKAGE) for path in PACKAGE.rglob("_[!_]*.py")}
    missing = {
        str(path)
        for path in modules
        if not (ROOT / "tests" / path.with_name(f"test_{path.name.lstrip('_')}")).exists()
    }
    assert missing == {"logs/errors.py", "replay/batches.py"}


def test_no_circle() -> None:
    """Modules can be ordered so that each imports earlier ones only, for types too."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    used = {name: {module_of(other, paths) for other in imports(paths[name])} for name in paths}
    graphlib.TopologicalSorter(
        {name: others - {None, name} for name, others in used.items() if name != PACKAGE.name}
    ).prepare()


def module_of(name: str, paths: dict[str, pathlib.Path]) -> str | None:
    """The module that an imported name is, or is from; None if it is not ours."""
    while name and name not in paths:
        name = name.rpartition(".")[0]
    return name or None
