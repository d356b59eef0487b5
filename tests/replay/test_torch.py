"""Random access in PyTorch itself; `make test-torch` runs this, without TensorFlow."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA
from helpers.docs import PAGES, blocks, run
from helpers.indices import check_indices, sources_of
from helpers.transitions import count_transitions, in_batches

from tfds_atari_replay import load_replay

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the dataset is."""
    return tmp_path_factory.mktemp("torch")


@pytest.fixture(scope="module")
def replay(data_dir: pathlib.Path) -> Any:
    """A replay of real play."""
    config = tfds.download.DownloadConfig(manual_dir=str(DUMMY_DATA))
    return load_replay(
        "atari_replay/breakout_expert_v0",
        data_dir=data_dir,
        download_and_prepare_kwargs={"download_config": config},
    )


def test_the_docs_run(replay: Any, data_dir: pathlib.Path) -> None:
    """Those blocks that need PyTorch."""
    assert replay
    run(
        [page for page in PAGES if any(block.needs_torch for block in blocks(page))],
        data_dir,
        "torch",
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_gives_every_transition_once(replay: Any, workers: int) -> None:
    """As tensors, whatever the number of worker processes."""
    source = replay.transitions(n_step=3)
    utils = torch.utils.data
    loader = utils.DataLoader(
        source,
        sampler=utils.BatchSampler(utils.RandomSampler(source), 100, drop_last=False),
        batch_size=None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )
    for _ in range(2):
        batches = list(loader)
        assert all(isinstance(a, torch.Tensor) for batch in batches for a in batch.values())
        assert batches[0]["action"].dtype == torch.int64
        numpy = ({name: a.numpy() for name, a in batch.items()} for batch in batches)
        assert count_transitions(numpy) == count_transitions(in_batches(source))


def test_single_items_are_collated(replay: Any) -> None:
    """The usual arguments work too, only slower."""
    source = replay.transitions()
    loader = torch.utils.data.DataLoader(source, batch_size=100, shuffle=True)
    numpy = ({name: a.numpy() for name, a in batch.items()} for batch in loader)
    assert count_transitions(numpy) == count_transitions(in_batches(source))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_it_gathers_the_same_on_a_device(replay: Any, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    indices = np.random.default_rng(0).integers(1400, size=100)
    for source in (
        replay.transitions(),
        replay.transitions(n_step=3, axis=-1),
        replay.sequences(7),
        replay.sequences(3, stack_size=1, axis=-1),
    ):
        there = source.put(lambda array: torch.as_tensor(array, device=device))
        batch = there[torch.as_tensor(indices, device=device)]
        for name, array in source[indices].items():
            assert batch[name].device.type == device
            np.testing.assert_array_equal(batch[name].cpu().numpy(), array, strict=True)


@pytest.mark.parametrize("kind", range(4))
def test_indices_on_a_device(replay: Any, kind: int) -> None:
    """Whatever a source takes in NumPy, and tensors."""
    source = sources_of(replay)[kind]
    columns = (c[:20] if len(c) == len(source) else c for c in source.columns)
    source = dataclasses.replace(source, columns=type(source.columns)(*columns), length=20)
    check_indices(source, source.put(torch.as_tensor), torch.as_tensor)


@pytest.mark.parametrize("index", [20, -1])
@pytest.mark.parametrize("kind", range(4))
def test_tensors_out_of_range_on_a_device(replay: Any, kind: int, index: int) -> None:
    source = sources_of(replay)[kind]
    index = len(source) if index > 0 else index
    with pytest.raises((IndexError, RuntimeError), match="out of"):
        source.put(torch.as_tensor)[torch.as_tensor([3, index])]


def test_tensors_are_indices(replay: Any) -> None:
    source = replay.transitions()
    got, expected = source[torch.tensor([3, 9])], source[[3, 9]]
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)


def test_tensorflow_is_not_imported(replay: Any) -> None:
    assert replay
    assert "tensorflow" not in sys.modules
