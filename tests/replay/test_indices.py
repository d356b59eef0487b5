"""Which items an index gives in NumPy; test_frameworks.py and test_torch.py do the others."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.indices import check_bad, check_good, check_iteration
from helpers.replays import make_replay
from helpers.steps import make_steps


@pytest.mark.parametrize("kind", ["transitions", "sequences"])
def test_indices(kind: str) -> None:
    replay = make_replay([make_steps(201), make_steps(2)])
    source = replay.transitions() if kind == "transitions" else replay.sequences(2)
    check_good(source, source, np.asarray)
    check_bad(source, np.asarray)
    check_iteration(source, source)
