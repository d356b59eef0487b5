"""Whole runs on Apache Beam's runners, for real: processes of their own, and one that is killed."""

from __future__ import annotations

import importlib
import os
import pathlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import tensorflow_datasets as tfds
from helpers.datasets import build
from helpers.logs import log_folder, make_episodes, write_log

pytestmark = pytest.mark.slow

CONFIG = "breakout_full_v0"
DASK: Any = importlib.import_module("apache_beam.runners.dask.dask_runner")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run of 14 dumps."""
    root = tmp_path_factory.mktemp("logs")
    write_log(log_folder(root), 1500, make_episodes([200 + 7 * n % 500 for n in range(70)]))
    return root


@pytest.fixture(scope="module")
def expected(logs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset's files as this process writes them."""
    return files_of(build(CONFIG, logs, tmp_path_factory.mktemp("data")))


def files_of(builder: Any) -> dict[str, bytes]:
    """The files of a dataset."""
    return {path.name: path.read_bytes() for path in pathlib.Path(builder.data_path).iterdir()}


def build_with(options: dict[str, Any], logs: pathlib.Path, data_dir: pathlib.Path) -> Any:
    """Builds on an engine."""
    builder = tfds.builder(f"atari_replay/{CONFIG}", data_dir=data_dir)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(logs), **options)
    )
    return builder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes."""
    distributed: Any = importlib.import_module("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


def options_for(cluster: Any) -> dict[str, Any]:
    """TFDS's download options for a cluster."""
    options = DASK.DaskOptions([f"--dask_client_address={cluster.scheduler_address}"])
    return {"beam_runner": DASK.DaskRunner(), "beam_options": options}


@pytest.mark.exhaustive
def test_dask(
    cluster: Any, logs: pathlib.Path, tmp_path: pathlib.Path, expected: dict[str, bytes]
) -> None:
    """Two workers write the same bytes as one process."""
    assert files_of(build_with(options_for(cluster), logs, tmp_path)) == expected


def test_dask_with_a_worker_that_is_killed(
    cluster: Any, logs: pathlib.Path, tmp_path: pathlib.Path, expected: dict[str, bytes]
) -> None:
    """The other worker writes the shards of one that is killed."""
    distributed: Any = importlib.import_module("distributed")
    killed = []

    def kill_one() -> None:
        folder = tmp_path / "atari_replay" / CONFIG
        while len(list(folder.glob("incomplete.run_*/*.json"))) < 2:
            time.sleep(0.005)
        with distributed.Client(cluster) as client:
            killed.extend(client.run(os.getpid).values())
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    builder = build_with(options_for(cluster), logs, tmp_path)
    killer.join()
    assert len(killed) == 2
    assert not pathlib.Path(f"/proc/{killed[0]}").exists()
    assert files_of(builder) == expected


@pytest.mark.exhaustive
def test_direct_runner_by_the_command_lines_options(
    logs: pathlib.Path, tmp_path: pathlib.Path, expected: dict[str, bytes]
) -> None:
    """Several processes work if only the options name the runner, as with `tfds build`."""
    pipeline_options: Any = importlib.import_module("apache_beam.options.pipeline_options")
    options = pipeline_options.PipelineOptions(
        [
            "--runner=DirectRunner",
            "--direct_num_workers=2",
            "--direct_running_mode=multi_processing",
        ]
    )
    builder = build_with({"beam_options": options}, logs, tmp_path)
    assert files_of(builder) == expected


def test_a_folder_that_workers_cannot_see(
    cluster: Any, logs: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The worker's error names the file, and no dataset appears."""
    hidden = tmp_path / "hidden"
    renamed = tmp_path / "logs"
    renamed.symlink_to(logs)

    class Hiding(DASK.DaskRunner):
        def run_pipeline(self, *args: Any, **kwargs: Any) -> Any:
            renamed.rename(hidden)
            return super().run_pipeline(*args, **kwargs)

    options = {**options_for(cluster), "beam_runner": Hiding()}
    with pytest.raises(Exception, match=r"logs/Breakout/1/replay_logs/\S+ cannot be read: No such"):
        build_with(options, renamed, tmp_path / "data")
    assert not tfds.builder(f"atari_replay/{CONFIG}", data_dir=tmp_path / "data").is_prepared()
