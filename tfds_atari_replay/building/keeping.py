"""A TFDS builder that keeps what is prepared, whatever happens."""

from __future__ import annotations

import abc
import contextlib
import errno
import logging
import os
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import _extras, _tfds, locking
from tfds_atari_replay.building import folders
from tfds_atari_replay.logs.paths import absolute
from tfds_atari_replay.prepared import opening

_logger = logging.getLogger(__name__)


class KeepingBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder that deletes no dataset before its replacement is complete.

    TFDS's own deletes a dataset that is to be overwritten, and then looks for something to make
    another of. It also takes whatever has the dataset's name for a dataset.
    """

    _replacement: KeepingBuilder | None = None  # built in this one's place, see _overwrite

    @abc.abstractmethod
    def _locate(self, manual_dir: epath.PathLike | None) -> Any:
        """Finds what the dataset is made from; raises FileNotFoundError if there is nothing."""

    @property
    @abc.abstractmethod
    def _shares_files(self) -> bool:
        """Whether two processes that prepare the dataset would write to the same files."""

    @property
    def info(self) -> tfds.core.DatasetInfo:
        return self._replacement.info if self._replacement else super().info

    @property
    def data_path(self) -> epath.Path:
        return _tfds.DataPath(self.data_dir)

    def is_prepared(self) -> bool:
        """Whether there is a dataset, by the names of its files.

        TFDS looks for them with a glob, and finds none below a folder such as `data[1]`.
        """
        return all((self.data_path / name).exists() for name in opening.DESCRIPTIONS)

    def download_and_prepare(
        self,
        *,
        download_config: tfds.download.DownloadConfig | None = None,
        file_format: Any = None,
        **kwargs: Any,
    ) -> None:
        """Like TFDS's, but never loses a dataset, and tolerates concurrent builds.

        What is there is deleted only if the download mode says overwrite, and only once the new
        dataset is complete beside it. An older version of it counts as prepared, unless the builder
        was made for a version, or by `tfds build`.

        Raises:
          FileNotFoundError: there are no logs.
          ReplayLogError: the logs are damaged.
          ValueError: a dataset is there that is not whole, and was not to be overwritten; or one of
            an older version is to be.
          OSError: the folder cannot be written.
        """
        config = download_config or tfds.download.DownloadConfig()
        is_overwriting = config.download_mode.overwrite_dataset
        if self.version != self.VERSION and is_overwriting:
            raise ValueError(opening.explain_older(self.data_path))
        arguments = {"download_config": config, "file_format": file_format, **kwargs}
        if self.data_path.exists() and not is_overwriting:
            opening.check_whole(self)
            super().download_and_prepare(**arguments)  # does nothing, and says so
            return
        if file_format is not None:
            # TFDS would refuse an unknown one only after it has made folders.
            tfds.core.FileFormat.from_value(file_format)
        needs_lock = is_overwriting or self._shares_files
        lock = locking.lock(self.data_path.parent / f"{_tfds.INCOMPLETE}lock")
        with lock if needs_lock else contextlib.nullcontext():
            try:
                self._overwrite(**arguments) if is_overwriting else self._prepare(**arguments)
            except OSError as error:
                if error.errno in locking.UNWRITABLE:
                    self._locate(config.manual_dir)  # Without logs, that is the better error.
                raise

    def _prepare(self, **kwargs: Any) -> None:
        """Prepares the dataset, unless another process does so first."""
        try:
            if not self.data_path.exists():
                super().download_and_prepare(**kwargs)
                return
        except OSError as error:
            is_taken = isinstance(error, FileExistsError) or error.errno == errno.ENOTEMPTY
            if not (is_taken and self.is_prepared()):
                raise
        _logger.info("%s: using what another process has prepared.", self.data_path)
        self.info.read_from_directory(self.data_path)

    def _overwrite(self, *, file_format: Any, **kwargs: Any) -> None:
        """Prepares the dataset beside the one that is there, and replaces that at last."""
        beside = folders.new_beside(self.data_path)
        # A builder that knows nothing of the old dataset, whose metadata would mix with the new.
        new = type(self)(
            data_dir=beside,
            config=self.builder_config,
            file_format=file_format or self.info.file_format,
        )
        new._data_dir_root, new._data_dir = self._data_dir_root, os.fspath(beside)
        new._log_download_done = lambda: None  # It would name that folder.
        new._prepare(file_format=None, **kwargs)
        folders.replace(self.data_path, beside)
        new._data_dir = self._data_dir
        new.info.update_data_dir(self._data_dir)
        self._replacement = new
        self._log_download_done()

    def as_dataset(self, *args: Any, **kwargs: Any) -> Any:
        _extras.check_tensorflow(
            "A tf.data.Dataset (tfds.load, as_dataset)",
            "Or read with NumPy: tfds.data_source or tfds_atari_replay.load_replay.",
        )
        self._check_whole()
        return super().as_dataset(*args, **kwargs)

    def as_data_source(self, *args: Any, **kwargs: Any) -> Any:
        self._check_whole()
        return super().as_data_source(*args, **kwargs)

    def _check_whole(self) -> None:
        if self.data_path.exists():  # if not, TFDS's own error says so
            opening.check_whole(self)

    def _build_data_dir(self, *args: Any) -> tuple[str, str]:
        # Absolute, since workers and later code may be in a different folder.
        root, folder = map(absolute, super()._build_data_dir(*args))
        self._original_state["data_dir"] = os.fspath(root)
        folders.restore(folder)
        if self._is_any_version and not folder.exists() and not _tfds.is_tfds_build():
            # What is prepared stays readable, without the logs and without a pinned version.
            found = (f for f in map(folder.with_name, self.RELEASE_NOTES) if f.exists())
            folder = next(found, folder)
            self._version = tfds.core.Version(folder.name)
        return os.fspath(root), os.fspath(folder)

    def _pick_version(self, requested_version: Any) -> tfds.core.Version:
        self._is_any_version = requested_version is None
        return super()._pick_version(requested_version)
