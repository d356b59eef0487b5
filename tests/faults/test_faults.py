"""A short run of each kind of fault; `make faults` has the long ones."""

import pytest

from faults.disk import fill
from faults.fuzz import READERS, fuzz
from faults.jobs import JOBS
from faults.kill import kill


@pytest.mark.parametrize("reader", READERS)
def test_damage_is_refused_by_name(reader: str) -> None:
    """Any bytes give an error of ours, soon, and without filling the memory."""
    found = fuzz(reader, inputs=160, seed=1)
    assert found["refused"] > 80
    assert found["read"] > 0
    assert found["inspected"] == 8


@pytest.mark.parametrize("name", ["tfds build", "two of record"])
@pytest.mark.slow
def test_what_is_killed_leaves_what_is_whole_or_nothing(name: str) -> None:
    """The next run then succeeds."""
    assert kill(JOBS[name], times=2, seed=1).total() == 2


@pytest.mark.parametrize(("name", "mounts"), [("tfds build", True), ("record", False)])
@pytest.mark.slow
def test_a_full_disk_leaves_what_is_whole_or_nothing(name: str, mounts: bool) -> None:
    """The next run, with room, then succeeds."""
    found = fill(JOBS[name], times=2, seed=1, mounts=mounts)
    assert found["refused"] >= 1
