"""Which fields of steps transitions are made of."""

from __future__ import annotations

import pytest

from tfds_atari_replay import fields


@pytest.mark.parametrize(("reward", "field"), fields.REWARDS.items())
def test_transitions_carry_action_and_the_chosen_reward(reward: str, field: str) -> None:
    assert fields.carried(reward) == {"action": "action", "reward": field}
    assert fields.needed(reward) == ("action", field, "is_first", "is_terminal")
