"""What is prepared stays, whatever is damaged, asked for or interrupted."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import pathlib
import pickle
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from etils import epath
from faults import jobs
from helpers.datasets import DUMMY_DATA, ROOT, TFDS, build, rows
from helpers.logs import copy_to_cache
from helpers.processes import unprivileged
from tensorflow_datasets.scripts.cli import main as tfds_cli

from tfds_atari_replay import (
    ReplayLogError,
    figures,
    load_collection,
    load_replay,
    transitions,
)
from tfds_atari_replay.building import folders
from tfds_atari_replay.cli import main as cli
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.fields import VERSION
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.logs import locating

REUSE = tfds.GenerateMode.REUSE_DATASET_IF_EXISTS
OVERWRITE = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
CHECKPOINT, RUN = "breakout_expert_v0", "breakout_full_v0"
KINDS = [
    (config, file_format)
    for config in (CHECKPOINT, RUN)
    for file_format in ("tfrecord", "array_record")
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A data_dir for each format, with a checkpoint and a run."""
    top = tmp_path_factory.mktemp("prepared")
    for config, file_format in KINDS:
        build(config, DUMMY_DATA, top / file_format, file_format=file_format)
    return top


def folder_of(data_dir: pathlib.Path, config: str) -> pathlib.Path:
    """Returns the folder of a dataset."""
    return data_dir / "atari_replay" / config / VERSION


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns all files of a dataset, without the packed ones."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if not path.name.startswith("replay")
    }


def config_for(logs: pathlib.Path | str, mode: Any) -> Any:
    """Returns the download config for a folder of logs."""
    return tfds.download.DownloadConfig(manual_dir=logs, download_mode=mode)


def run_tfds(*arguments: Any) -> None:
    """Runs `tfds build` in this process."""
    tfds_cli.main(tfds_cli._parse_flags(["tfds", "build", *map(str, arguments)]))


def run_cli(command: str, config: str, data_dir: pathlib.Path) -> None:
    """Runs `atari-replay` in this process; raises the error that it prints."""
    arguments = cli.make_parser().parse_args(
        [command, config, f"--data_dir={data_dir}", f"--out={data_dir / command}.png"]
    )
    arguments.run(arguments)


def _load(config: str, data_dir: pathlib.Path, logs: pathlib.Path, mode: Any = REUSE) -> None:
    tfds.load(
        f"atari_replay/{config}",
        data_dir=data_dir,
        download_and_prepare_kwargs={"download_config": config_for(logs, mode)},
    )


def _data_source(config: str, data_dir: pathlib.Path, _: pathlib.Path) -> None:
    tfds.builder(f"atari_replay/{config}", data_dir=data_dir).as_data_source(split="train")


def _prepare(config: str, data_dir: pathlib.Path, logs: pathlib.Path, mode: Any = REUSE) -> None:
    builder = tfds.builder(f"atari_replay/{config}", data_dir=data_dir)
    builder.download_and_prepare(download_config=config_for(logs, mode))


def _load_replay(
    config: str, data_dir: pathlib.Path, logs: pathlib.Path, mode: Any = REUSE
) -> None:
    load_replay(
        f"atari_replay/{config}",
        data_dir=data_dir,
        download_and_prepare_kwargs={"download_config": config_for(logs, mode)},
    )


def _load_collection(config: str, data_dir: pathlib.Path, logs: pathlib.Path) -> None:
    # Logs of Breakout alone, so that no other game takes time.
    load_collection(
        f"atari_replay_{config.split('_')[1]}5",
        missing="skip",
        data_dir=data_dir,
        download_and_prepare_kwargs={"download_config": config_for(logs, REUSE)},
    )


def _build_by_name(config: str, data_dir: pathlib.Path, logs: pathlib.Path, *options: str) -> None:
    run_tfds(
        f"atari_replay/{config}",
        "--imports=tfds_atari_replay",
        f"--manual_dir={logs}",
        f"--data_dir={data_dir}",
        *options,
    )


def _build_by_path(config: str, data_dir: pathlib.Path, logs: pathlib.Path, *options: str) -> None:
    run_tfds(
        ROOT / "tfds_atari_replay" / "atari_replay",
        f"--config={config}",
        f"--manual_dir={logs}",
        f"--data_dir={data_dir}",
        *options,
    )


Entry = Callable[[str, pathlib.Path, pathlib.Path], None]

READING: dict[str, Entry] = {
    "tfds.load": _load,
    "data_source": _data_source,
    "download_and_prepare": _prepare,
    "load_replay": _load_replay,
    "load_collection": _load_collection,
    "tfds build": _build_by_name,
    "tfds build PATH": _build_by_path,
    "show": lambda config, data_dir, _: run_cli("show", config, data_dir),
    "preview": lambda config, data_dir, _: run_cli("preview", config, data_dir),
}
OVERWRITING: dict[str, Entry] = {
    "tfds.load": functools.partial(_load, mode=OVERWRITE),
    "download_and_prepare": functools.partial(_prepare, mode=OVERWRITE),
    "load_replay": functools.partial(_load_replay, mode=OVERWRITE),
    "tfds build": lambda *args: _build_by_name(*args, "--overwrite"),
    "tfds build PATH": lambda *args: _build_by_path(*args, "--overwrite"),
}


def _cut(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _rename(path: pathlib.Path) -> None:
    path.rename(path.with_name(f"{path.name}.bak"))


DAMAGE: dict[str, Callable[[pathlib.Path], None]] = {
    "missing": pathlib.Path.unlink,
    "cut": _cut,
    "renamed": _rename,
}
_JSON = ("dataset_info.json", "features.json", "metadata.json")


@pytest.fixture
def logs(tmp_path: pathlib.Path) -> dict[bool, pathlib.Path]:
    """Folders with logs of Breakout, and without."""
    (tmp_path / "no logs").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "Breakout").symlink_to(DUMMY_DATA / "Breakout")
    return {True: tmp_path / "logs", False: tmp_path / "no logs"}


def damaged(
    prepared: pathlib.Path, config: str, file_format: str, tmp_path: pathlib.Path, how: str
) -> Iterator[tuple[pathlib.Path, str]]:
    """Yields copies of a dataset, each with a damaged file: their data_dir, and the file's name."""
    whole = folder_of(prepared / file_format, config)
    for name in sorted(contents(whole)):
        data_dir = tmp_path / name
        shutil.copytree(whole, folder_of(data_dir, config))
        DAMAGE[how](folder_of(data_dir, config) / name)
        yield data_dir, name


MATRIX = [(how, *kind) for how in DAMAGE for kind in KINDS]
QUICK = [("cut", CHECKPOINT, "tfrecord"), ("missing", RUN, "array_record")]


@pytest.mark.parametrize(("how", "config", "file_format"), MATRIX)
@pytest.mark.parametrize("has_logs", [True, False])
def test_a_damaged_dataset_is_kept_and_refused(
    prepared: pathlib.Path,
    tmp_path: pathlib.Path,
    logs: dict[bool, pathlib.Path],
    has_logs: bool,
    how: str,
    config: str,
    file_format: str,
) -> None:
    """Each entry point names the folder, what is wrong with it, and what to do."""
    for data_dir, name in damaged(prepared, config, file_format, tmp_path, how):
        folder = folder_of(data_dir, config)
        before = contents(folder)
        for entry, read in READING.items():
            with pytest.raises(ValueError, match=r"incomplete: it lacks|damaged") as error:
                read(config, data_dir, logs[has_logs])
            said = str(error.value)
            assert f"{folder} is " in said, entry
            assert "--overwrite" in said, entry
            assert name in said or "tfrecord" in name, entry
            assert contents(folder) == before, entry
        assert [path.name for path in folder.parent.iterdir()] == [VERSION]
        shutil.rmtree(data_dir)


@pytest.mark.parametrize(
    ("how", "config", "file_format"),
    [case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in MATRIX],
)
def test_a_damaged_dataset_can_be_overwritten(
    prepared: pathlib.Path,
    tmp_path: pathlib.Path,
    logs: dict[bool, pathlib.Path],
    how: str,
    config: str,
    file_format: str,
) -> None:
    """Without logs it is kept as it is."""
    for number, (data_dir, name) in enumerate(
        damaged(prepared, config, file_format, tmp_path, how)
    ):
        folder = folder_of(data_dir, config)
        before = contents(folder)
        for entry, overwrite in OVERWRITING.items():
            with pytest.raises(FileNotFoundError, match="No replay logs of Breakout run 1"):
                overwrite(config, data_dir, logs[False])
            assert contents(folder) == before, entry
        # Which format it was is in dataset_info.json.
        becomes = "tfrecord" if name == "dataset_info.json" else file_format
        whole = contents(folder_of(prepared / becomes, config))
        # One entry for each file, since it repairs the dataset.
        entries = list(OVERWRITING)[file_format == "array_record" :]  # not for tfds.load
        entry = entries[number % len(entries)]
        OVERWRITING[entry](config, data_dir, logs[True])
        assert contents(folder) == whole, entry
        assert {path.name for path in folder.parent.iterdir()} == {VERSION, "incomplete.lock"}
        shutil.rmtree(data_dir)


@pytest.fixture
def ready(prepared: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A data_dir with both datasets, whose name is a pattern of globs."""
    shutil.copytree(prepared / "tfrecord", tmp_path / "data[1]")
    return tmp_path / "data[1]"


@pytest.mark.parametrize("config", [CHECKPOINT, RUN])
def test_a_folder_whose_name_is_a_glob(
    ready: pathlib.Path, logs: dict[bool, pathlib.Path], config: str
) -> None:
    before = contents(folder_of(ready, config))
    for entry in ("tfds.load", "load_replay", "tfds build", "tfds build PATH", "show"):
        READING[entry](config, ready, logs[False])
    assert contents(folder_of(ready, config)) == before
    dataset = tfds.load(f"atari_replay/{config}", split="train", data_dir=ready)
    assert len(dataset) == {CHECKPOINT: 3, RUN: 29}[config]


@pytest.mark.parametrize(
    ("config", "entry"),
    [(CHECKPOINT, "tfds build"), *(((RUN, entry)) for entry in OVERWRITING)],
)
def test_a_dataset_is_kept_if_its_logs_are_damaged(
    ready: pathlib.Path, tmp_path: pathlib.Path, config: str, entry: str
) -> None:
    """The damage is in the last frames, so that it shows after most of the work."""
    shutil.copytree(DUMMY_DATA / "Breakout" / "1", tmp_path / "logs" / "Breakout" / "1")
    _cut(tmp_path / "logs/Breakout/1/replay_logs/$store$_observation_ckpt.50.gz")
    before = contents(folder_of(ready, config))
    with pytest.raises(ReplayLogError, match=r"observation_ckpt\.50\.gz is damaged"):
        OVERWRITING[entry](config, ready, tmp_path / "logs")
    assert contents(folder_of(ready, config)) == before
    assert not [
        path
        for path in folder_of(ready, config).parent.iterdir()
        if not path.name.startswith((VERSION, "incomplete.run_", "incomplete.lock"))
    ]


def other_logs(tmp_path: pathlib.Path) -> pathlib.Path:
    """Copies run 5 as run 1, in d4rl-atari's layout, which lacks the cursor."""
    copy_to_cache(DUMMY_DATA / "Breakout/5/replay_logs", tmp_path / "others/Breakout/1", 49)
    return tmp_path / "others"


def test_overwriting_leaves_nothing_of_the_old_dataset(
    ready: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Its files, the builder and the packed files are those of the new one."""
    name = f"atari_replay/{CHECKPOINT}"
    assert load_replay(name, data_dir=ready).episodes["episode_return"].tolist() == [17, 18, 2]
    builder = tfds.builder(name, data_dir=ready)
    assert builder.info.metadata["checkpoints"] == [50]
    builder.download_and_prepare(download_config=config_for(other_logs(tmp_path), OVERWRITE))
    alone = build(CHECKPOINT, tmp_path / "others", tmp_path / "alone")
    assert contents(folder_of(ready, CHECKPOINT)) == contents(pathlib.Path(alone.data_path))
    for other in (builder, tfds.builder(name, data_dir=ready)):
        assert dict(other.info.metadata.items()) == dict(alone.info.metadata.items())
        assert other.info.splits["train"].filepaths[0].parent == folder_of(ready, CHECKPOINT)
        assert [int(e["episode_return"]) for e in rows(other)] == [
            int(e["episode_return"]) for e in rows(alone)
        ]
    assert load_replay(name, data_dir=ready).episodes["episode_return"].tolist() == [2, 8, 22]
    # And back again: nothing is left of the assumed cursor.
    builder.download_and_prepare(download_config=config_for(DUMMY_DATA, OVERWRITE))
    assert "cursor_assumed" not in dict(builder.info.metadata.items())


@pytest.mark.parametrize("config", [CHECKPOINT, RUN])
def test_an_unknown_file_format_is_refused(tmp_path: pathlib.Path, config: str) -> None:
    """The error comes before any folder is made."""
    builder = tfds.builder(f"atari_replay/{config}", data_dir=tmp_path / "data")
    with pytest.raises(ValueError, match="foo is not a valid FileFormat! Valid file formats: "):
        builder.download_and_prepare(
            download_config=config_for(DUMMY_DATA, REUSE), file_format="foo"
        )
    assert not (tmp_path / "data").exists()


def test_where_folders_cannot_change_places_at_once(
    ready: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS is an example. After a kill between two renames, the next builder restores a folder."""
    folder = folder_of(ready, CHECKPOINT)
    before = contents(folder)
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    _prepare(CHECKPOINT, ready, other_logs(tmp_path), OVERWRITE)
    assert contents(folder) != before
    _prepare(CHECKPOINT, ready, DUMMY_DATA, OVERWRITE)
    assert contents(folder) == before
    assert {path.name for path in folder.parent.iterdir()} == {VERSION, "incomplete.lock"}

    path_type = type(epath.Path())
    rename = path_type.rename

    def die_at_the_second(path: Any, target: Any) -> Any:
        if path.name.startswith("incomplete.whole"):
            raise KeyboardInterrupt
        return rename(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(path_type, "rename", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            _prepare(CHECKPOINT, ready, DUMMY_DATA, OVERWRITE)
    assert not folder.exists()
    tfds.load(f"atari_replay/{CHECKPOINT}", data_dir=ready, download=False)
    assert contents(folder) == before


def test_anyone_else_can_delete_a_dataset(ready: pathlib.Path) -> None:
    """Only TFDS's command line cannot, since it would not look for logs first."""
    builder = tfds.builder(f"atari_replay/{CHECKPOINT}", data_dir=ready)
    builder.data_path.rmtree()
    assert not folder_of(ready, CHECKPOINT).exists()


@pytest.mark.slow
def test_overwriting_from_the_command_line(ready: pathlib.Path) -> None:
    """The real command keeps the dataset if its folder of logs is mistyped."""
    before = contents(folder_of(ready, CHECKPOINT))
    command = [
        str(TFDS),
        "build",
        f"atari_replay/{CHECKPOINT}",
        "--imports=tfds_atari_replay",
        f"--data_dir={ready}",
        "--overwrite",
    ]
    environment = {**os.environ, "ATARI_REPLAY_SOURCE": "/no/logs"}
    for logs, status in (("/no/logs", 1), (DUMMY_DATA, 0)):
        result = subprocess.run(
            [*command, f"--manual_dir={logs}"], env=environment, capture_output=True, text=True
        )
        assert result.returncode == status, result.stderr
        assert contents(folder_of(ready, CHECKPOINT)) == before


@pytest.mark.slow
@pytest.mark.parametrize("job", ["overwrite", "overwrite_run", "overwrite_without_exchange"])
def test_killed_at_any_write_while_overwriting(job: str, tmp_path: pathlib.Path) -> None:
    """The old dataset or the new one is there, whole, and the next run succeeds."""
    config = RUN if job == "overwrite_run" else CHECKPOINT
    others = other_logs(tmp_path) if config == CHECKPOINT else tmp_path / "logs"
    if config == RUN:  # without its last checkpoint
        shutil.copytree(DUMMY_DATA / "Breakout" / "1", others / "Breakout" / "1")
        for path in (others / "Breakout/1/replay_logs").glob("*.50.gz"):
            path.unlink()
    old = build(config, others, tmp_path / "old")
    new = build(config, DUMMY_DATA, tmp_path / "new")
    whole = [contents(pathlib.Path(builder.data_path)) for builder in (old, new)]
    assert whole[0] != whole[1]
    found = []
    for writes in range(1000):
        data_dir = tmp_path / "killed" / "data"
        shutil.copytree(tmp_path / "old", data_dir)
        process = jobs.start(
            getattr(jobs, job), tmp_path / "killed", **{jobs.KILLED_AT: str(writes)}
        )
        process.join()
        folder = folder_of(data_dir, config)
        tfds.builder(f"atari_replay/{config}", data_dir=data_dir)  # may restore it
        found.append(whole.index(contents(folder)))
        if process.exitcode == 0:
            break
        if writes % 5 == 0:
            _prepare(config, data_dir, DUMMY_DATA, OVERWRITE)
            assert contents(folder) == whole[1]
        shutil.rmtree(tmp_path / "killed")
    assert process.exitcode == 0
    # Killed early it is the old one, killed late the new one.
    assert found == sorted(found)
    assert found.count(0) > 10
    assert found.count(1) > 2


def read_everything(data_dir: pathlib.Path) -> None:
    """Does everything that needs no right to write."""
    for config in (CHECKPOINT, RUN):
        name = f"atari_replay/{config}"
        assert len(tfds.load(name, split="train", data_dir=data_dir)) in (3, 29)
        tfds.builder(name, data_dir=data_dir).download_and_prepare()
        assert len(load_replay(name, data_dir=data_dir).transitions()) > 1000
    for download in (True, False):
        kwargs: dict[str, Any] = {
            "data_dir": data_dir,
            "download": download,
            "download_and_prepare_kwargs": {"download_config": config_for("/no/logs", REUSE)},
        }
        loaded = load_collection("atari_replay_full5", missing="skip", **kwargs)
        assert list(loaded) == ["breakout"]
        with pytest.raises(FileNotFoundError, match=r"of asterix, pong, qbert, seaquest\. The fir"):
            load_collection("atari_replay_full5", **kwargs)


def make_readable(data_dir: pathlib.Path) -> None:
    """Packs both datasets, then makes them readable but not writable."""
    for config in (CHECKPOINT, RUN):
        load_replay(f"atari_replay/{config}", data_dir=data_dir)
    for path in [data_dir, *data_dir.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_reading_as_another_user(ready: pathlib.Path) -> None:
    """An old lock file that this user may not write does not matter."""
    (folder_of(ready, RUN).parent / "incomplete.lock").touch()
    make_readable(ready)
    with unprivileged(ready):
        read_everything(ready)


def test_nothing_can_be_written_and_there_are_logs(ready: pathlib.Path) -> None:
    make_readable(ready)
    kwargs: Any = {
        "download_and_prepare_kwargs": {"download_config": config_for(DUMMY_DATA, REUSE)}
    }
    with unprivileged(ready):
        with pytest.raises(PermissionError, match=r"data\[1\]"):
            tfds.load("atari_replay/asterix_full_v0", data_dir=ready, **kwargs)
        loaded = load_collection("atari_replay_full5", missing="skip", data_dir=ready, **kwargs)
    assert list(loaded) == ["breakout"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_reading_from_a_read_only_mount(ready: pathlib.Path, tmp_path: pathlib.Path) -> None:
    make_readable(ready)
    (tmp_path / "mount").mkdir()
    for options in (["--bind"], ["-o", "remount,bind,ro"]):
        subprocess.run(["mount", *options, str(ready), str(tmp_path / "mount")], check=True)
    try:
        with pytest.raises(OSError, match="Read-only file system"):
            (tmp_path / "mount" / "x").touch()
        read_everything(tmp_path / "mount")
    finally:
        subprocess.run(["umount", str(tmp_path / "mount")], check=True)


def test_a_file_system_without_locks(
    ready: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading needs no lock, and writing works without one."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    read_everything(ready)
    new = build(RUN, DUMMY_DATA, tmp_path / "new")
    assert contents(pathlib.Path(new.data_path)) == contents(folder_of(ready, RUN))


def test_building_beside_a_lock_that_one_may_not_take(tmp_path: pathlib.Path) -> None:
    """Waiting for it would never end."""
    lock = folder_of(tmp_path / "data", RUN).parent / "incomplete.lock"
    lock.parent.mkdir(parents=True)
    lock.touch(0o444)
    for path in (tmp_path / "data").rglob("*"):
        if path.is_dir():
            path.chmod(0o777)
    (tmp_path / "data").chmod(0o777)
    with unprivileged(tmp_path / "data"):
        builder = build(RUN, DUMMY_DATA, tmp_path / "data")
    assert builder.info.splits["train"].num_examples == 29


def test_a_relative_folder_may_be_left(
    ready: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Builders, pickled copies, pipelines, data sources and workers' jobs still find their
    files.
    """
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "logs").symlink_to(DUMMY_DATA)
    monkeypatch.chdir(tmp_path)
    name = f"atari_replay/{CHECKPOINT}"
    builder = tfds.builder(name, data_dir=ready.name)
    dataset = builder.as_dataset(split="train")
    source = tfds.data_source(
        name,
        split="train",
        data_dir="new",
        builder_kwargs={"file_format": "array_record"},
        download_and_prepare_kwargs={"download_config": config_for("logs", REUSE)},
    )
    located = locating.locate(Config(GAMES["Breakout"], SPLITS["epoch_50"], 1), manual_dir="logs")[
        0
    ]
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert sorted(int(e["episode_id"]) for e in tfds.as_numpy(dataset)) == [0, 1, 2]
    copy = pickle.loads(pickle.dumps(builder))
    assert copy.data_path == folder_of(ready, CHECKPOINT)
    assert [e["episode_return"] for e in rows(copy)] == [17, 18, 2]
    assert sorted(e["episode_return"] for e in pickle.loads(pickle.dumps(source))) == [2, 17, 18]
    assert pickle.loads(pickle.dumps(located)).files.open().capacity == 1499
    assert os.listdir() == []


OLDER = "breakout_epoch_0_v0"


@pytest.fixture
def older(tmp_path: pathlib.Path) -> pathlib.Path:
    """A data_dir with a dataset of version 1.0.0, as that version wrote it."""
    shutil.copytree(ROOT / "tests" / "data" / "without_geometry", tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("name", [OLDER, f"{OLDER}:1.0.0"])
def test_an_older_version_stays_readable(older: pathlib.Path, name: str) -> None:
    """Its plain name works everywhere; asking it for scores says how to get them."""
    before = contents(older / "atari_replay" / OLDER / "1.0.0")
    dataset = tfds.load(f"atari_replay/{name}", data_dir=older, split="train")
    assert "unclipped_reward" not in dataset.element_spec["steps"].element_spec
    reward = [batch["reward"] for batch in dataset.apply(transitions(batch_size=64))]
    with pytest.raises(ValueError, match=r"unclipped_reward.*is missing.*version 1\.0\.0.*tfds bu"):
        dataset.apply(transitions(reward="unclipped"))
    replay = load_replay(name, data_dir=older)
    random = replay.transitions()[:]["reward"]
    np.testing.assert_array_equal(np.sort(np.concatenate(reward)), np.sort(random))
    assert np.isnan(replay.episodes["unclipped_return"]).all()
    for ask in (replay.transitions, lambda **kwargs: replay.sequences(3, **kwargs)):
        with pytest.raises(ValueError, match=r"of version 1\.0\.0, which has no unclipped_reward"):
            ask(reward="unclipped")
    summary = figures.summarize(name, data_dir=older)
    assert summary.return_field == "episode_return"
    assert summary.read(1).episode_return == replay.episodes["episode_return"][1]
    after = contents(older / "atari_replay" / OLDER / "1.0.0")
    assert {path: after[path] for path in before} == before


def test_a_newer_version_is_built_beside_an_older_one(older: pathlib.Path) -> None:
    """The command in the error builds it, and the plain name then means the newer one."""
    with pytest.raises(ValueError, match="of version") as refused:
        load_replay(OLDER, data_dir=older).transitions(reward="unclipped")
    command = str(refused.value).splitlines()[-1].split()
    assert command[:2] == ["tfds", "build"]
    run_tfds(*[part.replace("LOGS", str(DUMMY_DATA)) for part in command[2:]])
    versions = {path.name for path in (older / "atari_replay" / OLDER).iterdir()}
    assert versions == {"1.0.0", VERSION}
    replay = load_replay(OLDER, data_dir=older)
    assert replay.transitions(reward="unclipped")[:]["reward"].sum() > 0
    assert len(replay) != len(load_replay(f"{OLDER}:1.0.0", data_dir=older))
    both = load_replay([OLDER, f"{OLDER}:1.0.0"], data_dir=older)
    with pytest.raises(ValueError, match=r"1\.0\.0 is of version"):
        both.transitions(reward="unclipped")


def test_an_older_version_is_not_overwritten(older: pathlib.Path) -> None:
    """Overwriting would put a newer version into its folder, so it is refused."""
    before = contents(older / "atari_replay" / OLDER / "1.0.0")
    with pytest.raises(ValueError, match=r"1\.1\.0 has; prepare it beside this one"):
        _prepare(OLDER, older, DUMMY_DATA, OVERWRITE)
    assert contents(older / "atari_replay" / OLDER / "1.0.0") == before
