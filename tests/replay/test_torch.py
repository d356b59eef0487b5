"""Random access in PyTorch itself; `make test-torch` runs this, without TensorFlow."""

from __future__ import annotations

import pathlib
import shutil
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA
from helpers.docs import PAGES, blocks, run
from helpers.indices import check_bad, check_good, check_iteration
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


def test_spawned_workers(
    replay: Any, data_dir: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They find a dataset with a relative path from any folder, and say if it is gone."""
    expected = replay.transitions()[[3, 9]]
    shutil.copytree(data_dir / "atari_replay", tmp_path / "data" / "atari_replay")
    monkeypatch.chdir(tmp_path)
    source = load_replay("atari_replay/breakout_expert_v0", data_dir="data").transitions()
    monkeypatch.chdir("/")
    loader = torch.utils.data.DataLoader(
        source, sampler=[[3, 9]], batch_size=None, num_workers=1, multiprocessing_context="spawn"
    )
    (batch,) = loader
    for name, array in expected.items():
        np.testing.assert_array_equal(batch[name].numpy(), array, strict=True)
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(RuntimeError, match=r"no longer what .*Call load_replay again"):
        list(loader)


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


@pytest.fixture(scope="module", params=["transitions", "sequences"])
def small(request: pytest.FixtureRequest, replay: Any) -> Any:
    """A source of the longest episode."""
    lengths = replay.episodes["length"]
    longest = replay.select(lengths == lengths.max())
    return longest.transitions() if request.param == "transitions" else longest.sequences(2)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_indices_on_a_device(small: Any, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")

    def put(array: Any) -> Any:
        return torch.as_tensor(array.astype(array.dtype.newbyteorder("=")), device=device)

    there = small.put(put)
    check_good(there, small, put)
    check_good(there, small, torch.as_tensor)
    check_bad(there, put)
    check_iteration(there, small)


def test_nothing_waits_for_the_device(small: Any) -> None:
    """Tensors on the device "meta" have no values, so whatever asked for one would raise."""
    there = small.put(lambda array: torch.as_tensor(array, device="meta"))
    for index in (5, [3, 9], np.array([3, 9]), torch.tensor([3, 9]), torch.tensor(5)):
        for one in (index, torch.as_tensor(index, device="meta")):
            for name, array in small[index].items():
                got = there[one][name]
                assert (got.device.type, *got.shape) == ("meta", *array.shape)
    for mask in (torch.ones(len(there), dtype=torch.bool), torch.tensor(True)):
        with pytest.raises(IndexError, match=r"integer indices, got torch.bool.*np.flatnonzero"):
            there[mask.to("meta")]
    with pytest.raises(IndexError, match=r"of the shape \(N,\), got \(1, 2\)"):
        there[torch.tensor([[3, 9]], device="meta")]
    with pytest.raises(IndexError, match=r"from 0 to .*, got -1"):
        there[-1]


@pytest.mark.parametrize("index", ["length", -1, [-1, 0]])
def test_tensors_out_of_range(small: Any, index: Any) -> None:
    """On a GPU they would end the process, so this is about the CPU."""
    there = small.put(torch.as_tensor)
    tensor = torch.as_tensor(len(there) if index == "length" else index)
    for source in (small, there):
        with pytest.raises(IndexError, match=r"Expected indices from 0 to .*, got"):
            source[tensor]
        with pytest.raises(IndexError, match=r"Expected indices from 0 to .*, got"):
            source.gather(source.arrays, tensor)


def test_tensors_are_indices_in_numpy(small: Any) -> None:
    check_good(small, small, torch.as_tensor)
    check_bad(small, torch.as_tensor)


def test_tensorflow_is_not_imported(replay: Any) -> None:
    assert replay
    assert "tensorflow" not in sys.modules


def test_items_are_batched_by_torch(replay: Any) -> None:
    """The plainest loader of all: its batches are those of the same indices."""
    source = replay.transitions(n_step=3, labels=True)
    loader = torch.utils.data.DataLoader(source, batch_size=100)
    for number, batch in enumerate(loader):
        expected = source[100 * number : 100 * (number + 1)]
        assert list(batch) == list(expected)
        for name, column in expected.items():
            assert batch[name].dtype == torch.as_tensor(column).dtype
            np.testing.assert_array_equal(batch[name].numpy(), column, name)
    assert number == len(source) // 100


@pytest.mark.parametrize("kind", ["transitions", "sequences"])
def test_several_datasets_put_together(data_dir: pathlib.Path, kind: str) -> None:
    """What PyTorch gathers from them is what NumPy does."""
    replay = load_replay(["breakout_expert_v0"] * 2, data_dir=data_dir, full_action_space=True)
    source = replay.sequences(5) if kind == "sequences" else replay.transitions(labels=True)
    moved = source.put(torch.as_tensor)
    indices = np.random.default_rng(0).integers(len(source), size=50)
    batch: Any = moved[torch.as_tensor(indices)]
    for name, column in source[indices].items():
        np.testing.assert_array_equal(batch[name].numpy(), column, name)


def test_taking_into_tensors(replay: Any) -> None:
    """Into a window that observations share, as in pinned memory, and into tensors of their own."""
    source = replay.transitions()
    indices = np.random.default_rng(0).integers(len(source), size=64)
    expected = source[indices]
    window = torch.zeros((64, 5, 84, 84), dtype=torch.uint8)
    for state, following in (
        (window[:, :4], window[:, 1:]),
        (torch.zeros((64, 4, 84, 84), dtype=torch.uint8), window[:, 1:].clone()),
    ):
        batch = {name: torch.as_tensor(array) * 0 for name, array in expected.items()}
        batch |= {"observation": state, "next_observation": following}
        assert source.take(indices, out=batch) is batch
        for name, column in expected.items():
            np.testing.assert_array_equal(batch[name].numpy(), column, name)
