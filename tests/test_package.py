"""What a user installs and reads."""

import hashlib
import pathlib
import re
import subprocess
import sys
import zipfile

from helpers.datasets import DUMMY_DATA, ROOT
from helpers.processes import run_python
from tensorflow_datasets.core.download import checksums

import tfds_atari_replay


def test_public_names() -> None:
    """`__all__` is sorted as ruff sorts, and matches the namespace."""
    public = {
        name
        for name in dir(tfds_atari_replay)
        if not name.startswith("_")
        and (value := getattr(tfds_atari_replay, name))
        and not hasattr(value, "__path__")
        and not hasattr(value, "__spec__")
    }
    assert public == set(tfds_atari_replay.__all__)


def test_importing_brings_nothing_heavy() -> None:
    """Beyond TFDS, it imports neither TensorFlow nor OpenCV nor an emulator."""
    code = """
import sys, tensorflow_datasets
before = set(sys.modules)
import tfds_atari_replay
heavy = {"tensorflow", "cv2", "ale_py", "gymnasium", "gym", "apache_beam", "mlcroissant"}
heavy |= {"filelock", "tfds_atari_replay.replay"}
print(*heavy & (set(sys.modules) - before))
"""
    assert run_python(code) == "\n"


def test_a_wheel_holds_dummy_data_and_checksums(tmp_path: pathlib.Path) -> None:
    """Folders beside the package in a clone are inside it when installed."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    beside = {f"dummy_data/{path.relative_to(DUMMY_DATA).as_posix()}" for path in logs()}
    beside |= {"checksums/atari_replay.tsv", "py.typed", "scores/digits.npz"}
    beside |= {f"figures/page/page.{kind}" for kind in ("html", "css", "js")}
    assert {f"tfds_atari_replay/{name}" for name in beside} <= names
    assert not any(name.startswith(("tests/", "dummy_data/", "checksums/")) for name in names)


def logs() -> list[pathlib.Path]:
    """The files of dummy_data."""
    return sorted(DUMMY_DATA.rglob("*.gz"))


def test_checksums_are_those_of_dummy_data() -> None:
    """The registry has all of its files, and no file that could not be checked."""
    recorded = checksums.load_url_infos(ROOT / "checksums" / "atari_replay.tsv")
    assert set(recorded) == {path.relative_to(DUMMY_DATA).as_posix() for path in logs()}
    for name, info in recorded.items():
        data = (DUMMY_DATA / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (info.size, info.checksum)


def test_the_changelog_names_the_datasets_version() -> None:
    """The builder has a release note for it too."""
    builder = tfds_atari_replay.AtariReplay
    assert f"dataset version {builder.VERSION}" in (ROOT / "CHANGELOG.md").read_text()
    assert str(builder.VERSION) in builder.RELEASE_NOTES


def test_changelog_and_citation_name_the_packages_version() -> None:
    """It is that of the newest heading; `setup.py` reads `__version__` itself."""
    version = tfds_atari_replay.__version__
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert next(heading for heading in headings if heading != "Unreleased") == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
