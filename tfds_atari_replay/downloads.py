"""Downloads by TFDS's download manager, and the registry of their checksums.

The registry, `checksums/atari_replay.tsv`, is a file in TFDS's format: URL, size, SHA-256, file
name. Names in it that are no URLs are of files in `dummy_data`, beside it. Where the package cannot
be written to, new checksums go to a registry of the user's own, in the data folder.

TFDS itself would write the registry in place and alone: a process that is killed in that moment
leaves half of it, and of two processes one loses what it recorded. So it is given a file of its own
(`new_notes`), which `record_checksums` adds to the registry as a whole and in turn.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import filelock
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.download import checksums, resource
from tensorflow_datasets.core.download import util as download_util

from tfds_atari_replay.replay_logs import CheckpointFiles, ReplayLogError, UnreadableLogError
from tfds_atari_replay.sources import Found

_Item = TypeVar("_Item")

_NAME = "atari_replay"
_PACKAGE = epath.Path(__file__).parent

# In an installed package they lie in it, in a clone beside it.
_BESIDE = next(folder for folder in (_PACKAGE, _PACKAGE.parent) if (folder / "checksums").is_dir())
REGISTRY = _BESIDE / "checksums" / f"{_NAME}.tsv"
DUMMY_DATA = _BESIDE / "dummy_data"


def registry_to_write(data_dir: epath.PathLike) -> epath.Path:
    """Where to record checksums: the package's registry, or the user's if that is read-only."""
    if os.access(REGISTRY, os.W_OK) and os.access(REGISTRY.parent, os.W_OK):
        return REGISTRY
    path = _users_registry(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def new_notes() -> epath.Path:
    """Makes a file for TFDS's download manager to note checksums in, for `record_checksums`."""
    file, path = tempfile.mkstemp(prefix=f"{_NAME}_checksums_", suffix=".tsv")
    os.close(file)
    return epath.Path(path)


def record_checksums(notes: epath.Path, registry: epath.Path) -> None:
    """Adds what was noted to a registry, which is at all times whole, and deletes the notes."""
    with filelock.FileLock(f"{registry}.lock"):
        part = registry.with_name(f"{registry.name}.incomplete")
        part.write_bytes(registry.read_bytes() if registry.exists() else b"")
        checksums.save_url_infos(part, checksums.load_url_infos(notes))
        part.replace(registry)
    notes.unlink()


def read_registry(data_dir: epath.PathLike | None = None) -> dict[str, Any]:
    """The recorded checksums by URL: the package's, and the user's in a data folder.

    Raises:
      ValueError: a registry is damaged; the message names it.
    """
    infos = _load(REGISTRY)
    if data_dir is not None and (path := _users_registry(data_dir)).exists():
        infos.update(_load(path))
    return {url: info for url, info in infos.items() if "://" in url}


def _load(registry: epath.Path) -> dict[str, Any]:
    try:
        infos: dict[str, Any] = checksums.load_url_infos(registry)
    except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{registry} is damaged: expected lines of URL, size, SHA-256 and file name with tabs "
            f"between, but {error}. Restore it, or delete the bad line."
        ) from error
    return infos


def _users_registry(data_dir: epath.PathLike) -> epath.Path:
    return epath.Path(data_dir) / _NAME / "checksums.tsv"


def check_dummy_data(files: CheckpointFiles) -> None:
    """Compares files of `dummy_data` with the registry; all others are left alone.

    Raises:
      ReplayLogError: a file is another than the one recorded.
    """
    recorded = _load(REGISTRY)
    folder = os.path.realpath(DUMMY_DATA)
    for path in files.paths.values():
        name = os.path.relpath(os.path.realpath(path), folder).replace(os.sep, "/")
        if name in recorded and (got := checksums.compute_url_info(path)) != recorded[name]:
            raise ReplayLogError(
                f"{files}: {path} is not the file that {REGISTRY} has recorded. "
                f"Expected {recorded[name]}, got {got}. {files.if_damaged}"
            )


def download(manager: tfds.download.DownloadManager, urls: dict[str, str]) -> dict[str, epath.Path]:
    """Downloads files into TFDS's cache, or takes them from there.

    Raises:
      OSError: a download failed or broke off. What came whole stays in the cache.
    """
    try:
        paths: dict[str, epath.Path] = manager.download(urls)
    except (OSError, download_util.DownloadError) as error:
        raise OSError(
            f"A download failed: {error}\nWanted were {', '.join(urls.values())}. Run again to go "
            "on: whole files are kept, the rest is downloaded anew."
        ) from error
    return paths


def default_manager() -> tfds.download.DownloadManager:
    """TFDS's download manager with the cache that tfds.load uses if it is told nothing else."""
    data_dir = epath.Path(tfds.core.constants.DATA_DIR)
    return tfds.download.DownloadManager(
        download_dir=data_dir / "downloads", url_infos=read_registry(data_dir), dataset_name=_NAME
    )


def watched(found: Found, items: Iterable[_Item]) -> Iterator[_Item]:
    """Gives what is read of a checkpoint; see `deleting_if_damaged`."""
    with deleting_if_damaged(found):
        yield from items


@contextlib.contextmanager
def deleting_if_damaged(found: Found) -> Iterator[None]:
    """Deletes downloaded files from TFDS's cache if reading them shows damage.

    A server may send less than the file and call it whole. What is kept would fail for ever.
    """
    try:
        yield
    except UnreadableLogError:
        raise
    except ReplayLogError:
        if found.is_download:
            _delete(found.files.paths)
        raise


def _delete(paths: Mapping[str, epath.Path]) -> None:
    for path in paths.values():
        # TFDS takes a file for whole if both are there.
        for part in (resource.get_info_path(path), path):
            part.unlink(missing_ok=True)
