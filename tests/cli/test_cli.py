"""The commands, as typed."""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, ROOT, TFDS, build
from helpers.logs import Truth, make_episodes, read_gz
from helpers.unplugged import write_unplugged

import tfds_atari_replay
from tfds_atari_replay.cli.main import main, make_parser
from tfds_atari_replay.fields import VERSION
from tfds_atari_replay.logs import inspection, locating


def run_tfds(*arguments: Any, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """`tfds build` in a process of its own."""
    command = [str(TFDS), "build", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands."""
    actions = make_parser()._actions
    (found,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    return dict(found.choices)


@pytest.mark.parametrize("file_format", cases(slow=["tfrecord"], exhaustive=["array_record"]))
def test_tfds_build_by_name(tmp_path: pathlib.Path, file_format: str) -> None:
    """From anywhere, with --imports."""
    result = run_tfds(
        "atari_replay/breakout_expert_v0",
        "--imports=tfds_atari_replay",
        f"--manual_dir={DUMMY_DATA}",
        f"--data_dir={tmp_path}",
        f"--file_format={file_format}",
        cwd=tmp_path,
    )
    assert not result.returncode, result.stderr
    built = tmp_path / "atari_replay" / "breakout_expert_v0" / VERSION
    assert (built / "dataset_info.json").exists()
    assert list(built.glob(f"*.{file_format}*"))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_tfds_build_by_path(tmp_path: pathlib.Path) -> None:
    """From the clone, with --config, twice, with --overwrite."""
    arguments = (
        "tfds_atari_replay/atari_replay",
        "--config=breakout_expert_v4",
        f"--manual_dir={DUMMY_DATA}",
        f"--data_dir={tmp_path}",
    )
    result = run_tfds(*arguments, cwd=ROOT)
    assert not result.returncode, result.stderr
    (info,) = tmp_path.rglob("dataset_info.json")
    first = info.stat().st_mtime_ns
    result = run_tfds(*arguments, cwd=ROOT)
    assert not result.returncode, result.stderr
    assert info.stat().st_mtime_ns == first
    result = run_tfds(*arguments, "--overwrite", cwd=ROOT)
    assert not result.returncode, result.stderr
    assert info.stat().st_mtime_ns > first


@pytest.mark.slow
def test_tfds_build_suggests_names(tmp_path: pathlib.Path) -> None:
    """By path too, where TFDS makes the builder itself."""
    path, config = "tfds_atari_replay/atari_replay", "--config=breakuot_expert_v0"
    result = run_tfds(path, config, f"--data_dir={tmp_path}", cwd=ROOT)
    assert result.returncode
    *_, last = result.stderr.splitlines()
    assert "Unknown config 'breakuot_expert_v0' of atari_replay. Did you mean breakout_exp" in last


@pytest.mark.slow
@pytest.mark.exhaustive
def test_tfds_build_says_what_is_wrong(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With our own message at the end, and nothing left behind."""
    monkeypatch.setenv(locating.SOURCE_VARIABLE, "/no/logs")
    result = run_tfds(
        "atari_replay/pong_expert_v0",
        "--imports=tfds_atari_replay",
        f"--manual_dir={DUMMY_DATA}",
        f"--data_dir={tmp_path}",
        cwd=tmp_path,
    )
    assert result.returncode
    assert "No replay logs of Pong run 1, checkpoint 50 or 49. Looked in" in result.stderr
    assert f"1. manual_dir: {DUMMY_DATA} (holds Asterix, Breakout" in result.stderr
    assert not list(tmp_path.rglob("dataset_info.json"))


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert "usage: atari-replay [-h] [--version] COMMAND" in out
    assert not err


def test_an_unknown_command_is_answered_with_one_like_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["shw"])
    assert "invalid choice: 'shw' (choose from" in (err := capsys.readouterr().err)
    assert err.endswith("Did you mean 'show'?\n")


@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.0, 2.0])
def test_an_interrupt_is_one_line(seconds: float, tmp_path: pathlib.Path) -> None:
    """Whether it comes while TFDS is imported, or later."""
    command = [str(TFDS.with_name("atari-replay")), "record", "pong", "--steps=1000000"]
    process = subprocess.Popen(
        [*command, f"--out={tmp_path}"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err == "interrupted\n"
    assert process.returncode in (130, -signal.SIGINT)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", commands())
def test_each_command_has_an_example_that_parses(name: str) -> None:
    """At the end of its help."""
    help_of_it = " ".join(commands()[name].format_help().split())
    before, example = help_of_it.split(f"Example: atari-replay {name} ")
    assert before
    assert make_parser().parse_args([name, *example.split()]).run


def test_record(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Writes logs where it says."""
    arguments = ["record", "space-invaders", "--steps=50", "--capacity=30", f"--out={tmp_path}"]
    assert main([*arguments, "--run=3"]) == 0
    out, err = capsys.readouterr()
    logs = tmp_path / "SpaceInvaders" / "3" / "replay_logs"
    assert out == (
        f"Wrote {logs}\nIts last checkpoint as a dataset:\n  tfds build "
        "atari_replay/space_invaders_epoch_1_v2 --imports=tfds_atari_replay "
        f"--manual_dir={tmp_path}\n"
    )
    assert not err  # no bar, where nobody looks
    assert {path.name for path in logs.glob("add_count*")} == {
        "add_count_ckpt.0.gz",
        "add_count_ckpt.1.gz",
    }


def test_record_with_a_policy(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named as module:function, found beside the user."""
    (tmp_path / "my_policy.py").write_text("def left(observations):\n    return [3]\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    arguments = ["record", "breakout", "--steps=20", "--capacity=30", "--out=logs"]
    assert main([*arguments, "--policy=my_policy:left"]) == 0
    assert sys.path == path
    action = read_gz(next(pathlib.Path("logs").rglob("*action*")))
    np.testing.assert_array_equal(action[:23], [0, 0, 0] + [3] * 20)


@pytest.mark.slow
def test_record_with_a_policy_from_the_console(tmp_path: pathlib.Path) -> None:
    """A console script does not look for modules in the current folder by itself."""
    (tmp_path / "my_policy.py").write_text("def act(observations):\n    return [3]\n")
    command = [str(TFDS.with_name("atari-replay")), "record", "breakout", "--steps=20"]
    options = ["--capacity=30", "--out=logs", "--policy=my_policy:act"]
    subprocess.run([*command, *options], cwd=tmp_path, check=True)
    action = read_gz(next((tmp_path / "logs").rglob("*action*")))
    np.testing.assert_array_equal(action[:23], [0, 0, 0] + [3] * 20)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("their_policy", r"--policy must be MODULE:NAME of a callable \(got 'their_policy'\)"),
        (":act", r"--policy must be MODULE:NAME of a callable \(got ':act'\)"),
        (".their_policy:act", r"--policy must be MODULE:NAME of a callable \(got '.their_policy"),
        ("nowhere:act", r"no module 'nowhere' in /.*, nor installed"),
        (
            "their_policy.sub:act",
            r"No module named 'their_policy.sub'|no module 'their_policy.sub'",
        ),
        ("their_policy:walk", r"their_policy has no 'walk'"),
        ("their_policy:LEFT", r"their_policy.LEFT is 3"),
        ("needs_more:act", r"No module named 'what_it_needs'"),
    ],
)
def test_a_policy_that_cannot_be_had(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    policy: str,
    message: str,
) -> None:
    (tmp_path / "their_policy.py").write_text("LEFT = 3\n")
    (tmp_path / "needs_more.py").write_text("import what_it_needs\n")
    monkeypatch.chdir(tmp_path)
    for name in ("their_policy", "needs_more"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    arguments = ["record", "breakout", "--steps=20", "--out=logs", f"--policy={policy}"]
    assert main(arguments) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("name", ["breakout_expert_v0", "atari_replay/breakout_expert_v0"])
@pytest.mark.parametrize("command", ["show", "preview"])
def test_a_dataset_is_named_with_its_builder_or_without(
    expert: Any,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    name: str,
) -> None:
    data_dir = expert.data_path.parents[2]
    assert main([command, name, f"--data_dir={data_dir}", f"--out={tmp_path}/out.png"]) == 0
    assert f"{tmp_path}/out.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["record", "pongg", "--steps=1", "--out=x"],
            "error: Unknown game 'pongg'. Did you mean 'Pong'?",
        ),
        (
            ["record", "pong", "--steps=0", "--out=x"],
            "error: steps must be a whole number, at least 1 (got 0)",
        ),
        (
            ["record", "pong", "--steps=1", "--out=x", "--policy=nowhere:f"],
            "error: --policy must be MODULE:NAME of a callable (got 'nowhere:f')",
        ),
        (["show", "breakout_expert_v0", "--data_dir=x"], "holds no dataset. Build it first:"),
        (
            ["show", "breakout_expert_v0", "--data_dir=x", "--out=x.txt"],
            "error: --out must be the name of a PNG or JPEG picture, such as episode.png (got "
            "'x.txt')",
        ),
        (
            ["show", "breakout_expert_v0", "--data_dir=x", "--out=x.pgm"],
            "(got 'x.pgm')",
        ),
        (
            ["record", "pong", "--steps=1", "--out=x", "--run=0"],
            "error: run must be a whole number, at least 1 and below 2,147,483,649 (got 0)",
        ),
        (
            ["record", "pong", "--steps=1", "--out=x", "--policy=os:sep"],
            "error: --policy must be MODULE:NAME of a callable (got 'os:sep'): os.sep is '/'",
        ),
        (
            ["record", "pong", "--steps=1", "--out=x", "--capacity=1000000000"],
            "error: capacity must fit into memory: 1,000,000,000 rows of 7,065 bytes are 7,065.0",
        ),
        (["show", "breakout_expret_v0", "--data_dir=x"], "Did you mean breakout_expert_v0"),
        (["preview", "breakout_expert_v0", "--data_dir=x"], "holds no dataset. Build it first:"),
        (["preview", "breakout_expret_v0", "--data_dir=x"], "Did you mean breakout_expert_v0"),
    ],
)
def test_errors_are_one_message(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """Without a traceback; the exit status says so too."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
    assert not os.listdir(tmp_path)


def test_show(expert: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists the episodes and draws the best one."""
    picture = tmp_path / "sub" / "episode.png"
    data_dir = expert.data_path.parents[2]
    arguments = ["show", "breakout_expert_v0", f"--data_dir={data_dir}", f"--out={picture}"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "Breakout, run 1, checkpoint 50: 3 episodes, 1,493 steps" in out
    assert "         1    729     18              18  True" in out
    assert f"Drew episode 0 in {picture}" in out
    sheet: Any = cv2.imread(str(picture))
    assert sheet.shape == (862, 1416, 3)
    assert main([*arguments, "--episode=9"]) == 1
    assert "error: episode_id must be one with steps: 0, 1, 2 (got 9)" in capsys.readouterr().err


def test_show_a_whole_run(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which checkpoints it is of, and where it has gaps."""
    build("breakout_full_v0", DUMMY_DATA, tmp_path)
    arguments = [f"--data_dir={tmp_path}", f"--out={tmp_path / 'episode.png'}"]
    assert main(["show", "breakout_full_v0", *arguments]) == 0
    out = capsys.readouterr().out
    assert "Breakout, run 1, checkpoints 0 to 50: 29 episodes, 6,724 steps" in out
    assert "Episodes are cut at the gaps before checkpoint 10, 49" in out
    assert "        17     23      0               0  False" in out


def test_show_a_pinned_version(
    expert: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For which TFDS makes a builder of its own."""
    data_dir = expert.data_path.parents[2]
    arguments = [f"--data_dir={data_dir}", f"--out={tmp_path / 'episode.png'}"]
    assert main(["show", f"breakout_expert_v0:{VERSION}", *arguments]) == 0
    assert "Breakout, run 1, checkpoint 50: 3 episodes, 1,493 steps" in capsys.readouterr().out


def test_show_episodes_without_steps(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal state alone, as a file of RL Unplugged may begin with, is listed and not drawn."""
    nothing, some = make_episodes([2, 5])
    nothing = Truth(nothing.frames[:0], nothing.action[:0], nothing.reward[:0])
    folder = tmp_path / "Breakout"
    write_unplugged(folder / "run_1-00001-of-00050", [nothing, some])
    write_unplugged(folder / "run_1-00010-of-00050", [nothing])
    for config in ("breakout_mixed_v0", "breakout_medium_v0"):
        build(config, tmp_path, tmp_path / "data")
    arguments = [f"--data_dir={tmp_path / 'data'}", f"--out={tmp_path / 'episode.png'}"]
    assert main(["show", "breakout_mixed_v0", *arguments]) == 0
    out = capsys.readouterr().out
    assert "         0      0      0               0  False\n         1      5" in out
    assert "Drew episode 1 in" in out
    assert main(["show", "breakout_mixed_v0", *arguments, "--episode=0"]) == 1
    assert "error: episode_id must be one with steps: 1 (got 0)" in capsys.readouterr().err
    assert main(["show", "breakout_medium_v0", *arguments]) == 1
    assert "error: episode_id must be one with steps: none (got None)" in capsys.readouterr().err


def test_an_interrupt_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And has the status that shells give it."""

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "inspect", interrupted)
    assert main(["inspect", str(DUMMY_DATA)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_output_that_is_not_read_to_its_end(expert: Any, tmp_path: pathlib.Path) -> None:
    """As by `head`: no word about it."""
    reading, writing = os.pipe()
    os.close(reading)
    data_dir = f"--data_dir={expert.data_path.parents[2]}"
    command = ["show", "breakout_expert_v0", data_dir, f"--out={tmp_path / 'episode.png'}"]
    result = subprocess.run(
        [sys.executable, "-m", "tfds_atari_replay", *command],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, "")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"{tfds_atari_replay.__version__}\n"
