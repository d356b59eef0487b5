"""What a joined run says of itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tfds_atari_replay.logs.records import Episode
from tfds_atari_replay.logs.runs import Gap, Run, Shard


class Nothing(Shard):
    """A shard without episodes."""

    def __init__(self, number: int):
        self.number, self.num_rows = number, 10

    def episodes(self, frames_at_once: int = 256) -> Iterator[Episode]:
        del frames_at_once
        return iter(())


def run(*gaps: Gap) -> Run:
    return Run([Nothing(1), Nothing(4), Nothing(5)], capacity=10, repeated=3, gaps=gaps)


def test_its_metadata_can_be_stored() -> None:
    """It is the same after a round trip through JSON."""
    metadata = run(Gap(1, (0,), None), Gap(4, (2, 3), 20)).metadata()
    expected: dict[str, Any] = {
        "checkpoints": [1, 4, 5],
        "capacity": 10,
        "repeated": 3,
        "gaps": [
            {"before": 1, "missing": [0], "rows": None},
            {"before": 4, "missing": [2, 3], "rows": 20},
        ],
    }
    assert metadata == expected
    assert json.loads(json.dumps(metadata)) == expected


@pytest.mark.parametrize(
    ("gaps", "text"),
    [
        ([Gap(4, (2, 3), 20)], "checkpoint 4; missing: 2, 3."),
        ([Gap(1, (0,), 9), Gap(4, (2, 3), None)], "checkpoint 1, 4; missing: 0, 2, 3."),
        ([Gap(5, (), 10)], "checkpoint 5."),
    ],
)
def test_gaps_in_words(gaps: list[Gap], text: str) -> None:
    """A lap that was never written is a gap without a missing checkpoint."""
    assert run(*gaps).describe_gaps() == f"episodes stay cut before {text}"
