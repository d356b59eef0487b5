"""Downloads by TFDS's download manager, and the registry of their checksums.

The registry, `checksums/atari_replay.tsv`, is a file in TFDS's format: URL, size, SHA-256, file
name. Names in it that are no URLs are of files in `dummy_data`, beside it. Where the package cannot
be written to, new checksums go to a registry of the user's own, in the data folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.download import checksums, resource
from tensorflow_datasets.core.download import util as download_util

from tfds_atari_replay.replay_logs import CheckpointFiles, ReplayLogError
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
    if os.access(REGISTRY, os.W_OK):
        return REGISTRY
    path = _users_registry(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def read_registry(data_dir: epath.PathLike | None = None) -> dict[str, Any]:
    """The recorded checksums by URL: the package's, and the user's in a data folder."""
    infos = checksums.load_url_infos(REGISTRY)
    if data_dir is not None and (path := _users_registry(data_dir)).exists():
        infos.update(checksums.load_url_infos(path))
    return {url: info for url, info in infos.items() if "://" in url}


def _users_registry(data_dir: epath.PathLike) -> epath.Path:
    return epath.Path(data_dir) / _NAME / "checksums.tsv"


def check_dummy_data(files: CheckpointFiles) -> None:
    """Compares files of `dummy_data` with the registry; all others are left alone.

    Raises:
      ReplayLogError: a file is another than the one recorded.
    """
    recorded = checksums.load_url_infos(REGISTRY)
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
    except ReplayLogError:
        if found.is_download:
            _delete(found.files.paths)
        raise


def _delete(paths: Mapping[str, epath.Path]) -> None:
    for path in paths.values():
        # TFDS takes a file for whole if both are there.
        for part in (resource.get_info_path(path), path):
            part.unlink(missing_ok=True)
