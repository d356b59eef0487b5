"""The layouts of logs: which files they find, and which layout wins."""

import pathlib
import shutil

import pytest
from helpers.cases import cases
from helpers.damage import CAPACITY
from helpers.datasets import build, rows
from helpers.logs import copy_to_cache, make_episodes, open_log
from helpers.public import LOGS, UNPLUGGED, build_from
from helpers.server import Server
from helpers.unplugged import write_unplugged


def make_layout(root: pathlib.Path, layout: str) -> None:
    """Writes checkpoint 49 of Breakout run 1 in one of the layouts, 'dqn/' and all."""
    prefix, _, kind = layout.rpartition("/")
    if kind == "dopamine":
        shutil.copytree(LOGS, root / prefix / "Breakout" / "1" / "replay_logs")
        for path in root.rglob("*ckpt.50.gz"):
            path.unlink()
    elif kind == "d4rl_atari":
        copy_to_cache(LOGS, root / prefix / "Breakout" / "1", 49)
    else:
        write_unplugged(root / prefix / UNPLUGGED, make_episodes([4, 6]))


@pytest.mark.parametrize(
    ("is_online", "layout"),
    cases(
        (True, "dopamine"),
        (False, "dqn/d4rl_atari"),
        (True, "rl_unplugged"),
        (False, "atari_episodes_ordered/rl_unplugged"),
        slow=[
            (False, "dopamine"),
            (True, "dqn/dopamine"),
            (False, "dqn/dopamine"),
            (True, "d4rl_atari"),
            (False, "d4rl_atari"),
            (True, "dqn/d4rl_atari"),
            (False, "rl_unplugged"),
            (True, "atari_episodes_ordered/rl_unplugged"),
        ],
    ),
)
def test_every_layout_is_read_from_folders_and_servers(
    tmp_path: pathlib.Path, layout: str, is_online: bool
) -> None:
    """Logs are found with or without the folder that the public bucket has above them."""
    # Blanks, percent signs and the like may be in a base.
    root = tmp_path / "my logs 100%"
    make_layout(root, layout)
    with Server(tmp_path) as server:
        place = f"{server.url}/my%20logs%20100%25/" if is_online else root
        builder = build_from(place, tmp_path / "data")
    assert builder.info.metadata["source"] == layout.rpartition("/")[2]
    assert builder.info.metadata["checkpoints"] == [49]
    assert len(rows(builder)) == 2


def test_dopamines_logs_win_over_other_layouts(tmp_path: pathlib.Path) -> None:
    """In one folder, Dopamine's logs win over the cache, and that over RL Unplugged."""
    for layout in ("dopamine", "d4rl_atari", "rl_unplugged"):
        make_layout(tmp_path, layout)
    for layout in ("dopamine", "d4rl_atari", "rl_unplugged"):
        builder = build("breakout_expert_v0", tmp_path, tmp_path / "data" / layout)
        assert builder.info.metadata["source"] == layout
        folder = tmp_path / "Breakout" / "1"
        shutil.rmtree(folder / ("replay_logs" if layout == "dopamine" else "49"), True)


def test_the_public_buckets_folder_is_found(log: pathlib.Path) -> None:
    """Gsutil copies gs://atari-replay-datasets/dqn/... with or without its dqn folder."""
    root = log.parents[2]
    (root / "dqn").mkdir()
    (root / "Breakout").rename(root / "dqn" / "Breakout")
    assert open_log(root, "Breakout", 1, 1).capacity == CAPACITY
