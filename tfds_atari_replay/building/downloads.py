"""Downloads by TFDS's download manager, and the registry of their checksums.

The registry, `checksums/atari_replay.tsv`, is in TFDS's format: URL, size, SHA-256, file name.
Entries that are not URLs are files of `dummy_data`, next to it. Where the package is read-only, new
checksums go to the user's own registry in the data folder.

TFDS itself would rewrite the registry in place, without a lock: a process killed meanwhile
leaves half a file, and one of two concurrent processes loses its entries. So it gets a separate
file (`new_notes`), which `record_checksums` merges into the registry atomically.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import _tfds, locking
from tfds_atari_replay.logs.errors import ReplayLogError
from tfds_atari_replay.logs.files import CheckpointFiles, OpenedCheckpoint
from tfds_atari_replay.logs.locating import Located
from tfds_atari_replay.logs.runs import Run

_NAME = "atari_replay"
_PACKAGE = epath.Path(__file__).parent.parent

# In an installed package these folders are inside it, in a clone next to it.
_BESIDE = next(folder for folder in (_PACKAGE, _PACKAGE.parent) if (folder / "checksums").is_dir())
REGISTRY = _BESIDE / "checksums" / f"{_NAME}.tsv"
DUMMY_DATA = _BESIDE / "dummy_data"


def open_located(
    located: Located, download: Callable[[dict[str, str]], Mapping[str, epath.Path]]
) -> tuple[Located, OpenedCheckpoint]:
    """Downloads a checkpoint's files if need be, opens and checks them.

    Returns:
      Where the files are now, and the checkpoint.

    Raises:
      OSError: a download failed, or a file is missing.
      ReplayLogError: a file is damaged.
    """
    located = located.fetch(download)
    check_dummy_data(located.files)
    return located, located.files.open()


def join_located(
    located: Sequence[Located], download: Callable[[dict[str, str]], Mapping[str, epath.Path]]
) -> Run:
    """Downloads the files of a run if need be, checks and joins them.

    Raises:
      OSError: a download failed, or a file is missing.
      ReplayLogError: a file is damaged, or checkpoints are not of one run.
      ValueError: copies of this layout cannot be joined.
    """
    checkpoints = [one.fetch(download).files for one in located]
    for files in checkpoints:
        check_dummy_data(files)
    return checkpoints[0].layout.join(checkpoints)


def download(manager: tfds.download.DownloadManager, urls: dict[str, str]) -> dict[str, epath.Path]:
    """Downloads files into TFDS's cache, or takes them from there.

    Waits while another process downloads the same files: TFDS would download them again and replace
    files that the other process is reading.

    Raises:
      OSError: a download failed or broke off. Complete files stay in the cache.
    """
    try:
        digest = hashlib.sha256("\n".join(urls.values()).encode()).hexdigest()
        with locking.lock(epath.Path(manager.download_dir) / f"{_NAME}-{digest[:16]}.lock"):
            paths: dict[str, epath.Path] = manager.download(urls)
    except (OSError, _tfds.DownloadError) as error:
        raise OSError(
            f"A download failed: {error}\nWanted were {', '.join(urls.values())}. Run again to go "
            "on: complete files are kept, the rest is downloaded again."
        ) from error
    return paths


def default_manager() -> tfds.download.DownloadManager:
    """Returns TFDS's download manager with the cache that tfds.load uses by default."""
    data_dir = _tfds.default_data_dir()
    return tfds.download.DownloadManager(
        download_dir=data_dir / "downloads", url_infos=read_registry(data_dir), dataset_name=_NAME
    )


@contextlib.contextmanager
def deleting_damaged() -> Iterator[None]:
    """Deletes downloads from TFDS's cache if reading them inside the block reveals damage.

    A server may send half a file as if it were complete. Left in the cache, it would fail forever.
    """
    try:
        yield
    except ReplayLogError as error:
        for path in error.downloads:
            # TFDS considers a file cached if both of these exist.
            for part in (_tfds.get_info_path(path), path):
                part.unlink(missing_ok=True)
        raise


def check_dummy_data(files: CheckpointFiles) -> None:
    """Compares files of `dummy_data` with the registry, and leaves all others alone.

    Raises:
      ReplayLogError: a file is not the one that was recorded.
    """
    recorded = _load(REGISTRY)
    folder = os.path.realpath(DUMMY_DATA)
    for path in files.paths.values():
        name = os.path.relpath(os.path.realpath(path), folder).replace(os.sep, "/")
        if name in recorded and (got := _tfds.compute_url_info(path)) != recorded[name]:
            raise ReplayLogError(
                f"{files}: {path} is not the file that {REGISTRY} has recorded. "
                f"Expected {recorded[name]}, got {got}. {files.if_damaged}"
            )


def registry_to_write(data_dir: epath.PathLike) -> epath.Path:
    """Returns where to record checksums: the package's registry, or the user's if read-only."""
    if os.access(REGISTRY, os.W_OK) and os.access(REGISTRY.parent, os.W_OK):
        return REGISTRY
    path = _users_registry(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def new_notes() -> epath.Path:
    """Creates a file for TFDS's download manager to note checksums in."""
    file, path = tempfile.mkstemp(prefix=f"{_NAME}_checksums_", suffix=".tsv")
    os.close(file)
    return epath.Path(path)


def record_checksums(notes: epath.Path, registry: epath.Path) -> None:
    """Merges notes into a registry atomically, and deletes the notes."""
    with locking.lock(registry.with_name(f"{registry.name}.lock")):
        part = registry.with_name(f"{registry.name}.incomplete")
        part.write_bytes(registry.read_bytes() if registry.exists() else b"")
        _tfds.save_url_infos(part, _tfds.load_url_infos(notes))
        part.replace(registry)
    notes.unlink()


def read_registry(data_dir: epath.PathLike | None = None) -> dict[str, Any]:
    """Reads the recorded checksums by URL: the package's, and the user's in a data folder.

    Raises:
      ValueError: a registry is damaged; the message names it.
    """
    infos = _load(REGISTRY)
    if data_dir is not None and (path := _users_registry(data_dir)).exists():
        infos.update(_load(path))
    return {url: info for url, info in infos.items() if "://" in url}


def _users_registry(data_dir: epath.PathLike) -> epath.Path:
    return epath.Path(data_dir) / _NAME / "checksums.tsv"


def _load(registry: epath.Path) -> dict[str, Any]:
    try:
        infos: dict[str, Any] = _tfds.load_url_infos(registry)
    except (AssertionError, ValueError) as error:
        raise ValueError(
            f"{registry} is damaged: expected lines of URL, size, SHA-256 and file name with tabs "
            f"between, but {error}. Restore it, or delete the bad line."
        ) from error
    return infos
