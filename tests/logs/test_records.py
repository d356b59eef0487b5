"""Records say what they hold."""

import numpy as np
import pytest

from tfds_atari_replay.logs.records import Episode


@pytest.mark.parametrize("starts", [False, True])
@pytest.mark.parametrize("ends", [False, True])
def test_an_episode_is_complete_from_reset_to_terminal(starts: bool, ends: bool) -> None:
    """Its repr has no arrays."""
    action, reward = np.zeros(9, np.int32), np.zeros(9, np.float32)
    episode = Episode(3, starts, ends, action, reward, iter(()))
    assert episode.is_complete == (starts and ends)
    assert repr(episode) == (
        f"Episode(index=3, starts_at_reset={starts}, ends_in_terminal={ends}, "
        "has_terminal_frame=False)"
    )
