"""Transitions a second that an accelerator gathers by itself, in JAX and in PyTorch.

  python benchmarks/on_device.py [--rows 200000] [--seconds 2]

dummy_data's Breakout is repeated to as many rows, built without TensorFlow, and put on the device:
once, and five times as five datasets. Then batches are gathered: one after the other from indices
on the device; inside a compiled loop (`jax.lax.scan`), which also draws them; and there with whole
training steps of examples/dqn_jax.py. What is not installed is left out. It runs on a CPU too.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import tensorflow_datasets as tfds
from make_checkpoint import make_checkpoint

import tfds_atari_replay

_NAME = "atari_replay/breakout_epoch_1_v0"
_BATCHES = (32, 256, 4096)
_DATASETS = (1, 5)


def prepare(rows: int, folder: pathlib.Path) -> None:
    """Makes logs and builds the dataset."""
    make_checkpoint(folder / "logs" / "Breakout" / "1" / "replay_logs", rows)
    config = tfds.download.DownloadConfig(manual_dir=str(folder / "logs"))
    builder = tfds.builder(_NAME, data_dir=folder, file_format="array_record")
    builder.download_and_prepare(download_config=config)


def load(folder: pathlib.Path, count: int) -> Any:
    """Loads it, as several datasets."""
    return tfds_atari_replay.load_replay([_NAME] * count, data_dir=folder, download=False)


def per_second(work: Callable[[], int], seconds: float) -> float:
    """Calls what returns a number of transitions, until the time is up."""
    work()
    start, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        done += work()
    return done / passed


def measure_jax(folder: pathlib.Path, seconds: float) -> None:
    """Prints what JAX does."""
    import jax

    device = jax.devices()[0]
    print(f"\nJAX {jax.__version__} on {device.device_kind}")
    print(f"{'datasets':>8}{'batch':>7}{'single':>15}{'in a loop':>15}{'trained on':>15}")
    # On a CPU, a step with the largest batch takes most of a minute.
    is_cpu = device.platform == "cpu"
    for count in _DATASETS:
        source = load(folder, count).transitions(axis=-1).put(jax.device_put)
        for size in _BATCHES[:2] if is_cpu else _BATCHES:
            speeds = [
                per_second(work, seconds) for work in jax_ways(source, size, 2 if is_cpu else 50)
            ]
            print(f"{count:8}{size:7}{''.join(f'{speed:15,.0f}' for speed in speeds)}", flush=True)


def jax_ways(source: Any, size: int, num_steps: int) -> list[Callable[[], int]]:
    """What gathers a batch; a loop of batches; and a loop of training steps."""
    import jax
    import jax.numpy as jnp

    jax_: Any = jax
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))
    dqn = importlib.import_module("dqn_jax")
    gather = jax.jit(source.gather)
    make, apply = dqn.make_network(4, source[[0]]["observation"][0])
    _, params = make(jax.random.key(0), (-1, 84, 84, 4))
    gradient_of = jax.grad(functools.partial(dqn.loss_of, apply, 1.0))
    indices = jax.random.randint(jax.random.key(1), (size,), 0, len(source))

    def single() -> int:
        jax_.block_until_ready(gather(source.arrays, indices))
        return size

    def look(params: Any, batch: Any) -> Any:
        # All of the batch is needed, and made before it is summed up, or the compiler would leave
        # out what is not.
        batch = jax_.lax.optimization_barrier(batch)
        total = sum(jnp.sum(array, dtype=jnp.float32) for array in batch.values())
        return jax.tree.map(lambda old: old + 0 * total, params)

    def train(params: Any, batch: Any) -> Any:
        gradient = gradient_of(params, params, batch)
        return jax.tree.map(lambda old, slope: old - 1e-4 * slope, params, gradient)

    def loop(body: Callable[[Any, Any], Any]) -> Callable[[], int]:
        @jax.jit
        def steps(arrays: Any, params: Any, key: Any) -> Any:
            def step(params: Any, key: Any) -> Any:
                drawn = jax.random.randint(key, (size,), 0, len(source))
                return body(params, source.gather(arrays, drawn)), None

            return jax.lax.scan(step, params, jax.random.split(key, num_steps))[0]

        def run() -> int:
            jax_.block_until_ready(steps(source.arrays, params, jax.random.key(2)))
            return num_steps * size

        return run

    return [single, loop(look), loop(train)]


def measure_torch(folder: pathlib.Path, seconds: float) -> None:
    """Prints what PyTorch does."""
    torch: Any = importlib.import_module("torch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    print(f"\nPyTorch {torch.__version__} on {name}")
    print(f"{'datasets':>8}{'batch':>7}{'single batches':>17}")
    for count in _DATASETS:
        source = load(folder, count).transitions()
        source = source.put(functools.partial(torch.as_tensor, device=device))
        for size in _BATCHES:

            def single(source: Any = source, size: int = size) -> int:
                indices = torch.randint(len(source), (size,), device=device)
                source[indices]
                if device == "cuda":
                    torch.cuda.synchronize()
                return size

            print(f"{count:8}{size:7}{per_second(single, seconds):17,.0f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        prepare(args.rows, pathlib.Path(temporary))
        for library, measure in (("jax", measure_jax), ("torch", measure_torch)):
            if importlib.util.find_spec(library):
                measure(pathlib.Path(temporary), args.seconds)
