"""A short run of each kind of fault; `make faults` has the long ones."""

import pytest

from faults.disk import fill
from faults.fuzz import READERS, fuzz
from faults.jobs import JOBS
from faults.kill import kill
from faults.swap import READERS as READERS_OF_ALL
from faults.swap import WRITERS, swap


@pytest.mark.parametrize("reader", READERS)
def test_damage_is_refused_by_name(reader: str) -> None:
    """Whatever the bytes: an error of ours, soon, and without filling the memory."""
    found = fuzz(reader, inputs=160, seed=1)
    assert found["refused"] > 80
    assert found["read"] > 0
    assert found["inspected"] == 8


@pytest.mark.parametrize(
    "name",
    ["tfds build", "--register_checksums", "two of record"],
)
@pytest.mark.slow
@pytest.mark.slow_cases("two of record", "tfds build")
def test_what_is_killed_leaves_what_is_whole_or_nothing(name: str) -> None:
    """And the next run ends well."""
    assert kill(JOBS[name], times=2, seed=1).total() == 2


@pytest.mark.parametrize(("name", "mounts"), [("tfds build", True), ("record", False)])
@pytest.mark.quick_cases("record-False")
def test_a_full_disk_leaves_what_is_whole_or_nothing(name: str, mounts: bool) -> None:
    """And the next run, with room, ends well."""
    found = fill(JOBS[name], times=2, seed=1, mounts=mounts)
    assert found["refused"] >= 1


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize("reader", READERS_OF_ALL)
@pytest.mark.quick_cases("episodes-dopamine", "rows-rl_unplugged")
def test_files_that_change_while_they_are_read_are_never_mixed(layout: str, reader: str) -> None:
    """What is read is one checkpoint or the other, or refused."""
    found = swap(layout, reader, times=80, seed=1)
    # One file in one pass cannot mix: once open, it stays what it was.
    is_one_pass = (layout, reader) == ("rl_unplugged", "episodes")
    assert found["read" if is_one_pass else "changed while it was read"] > 10
