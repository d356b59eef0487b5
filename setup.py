"""Packaging: the package, and with it what lies beside it (dummy_data/, checksums/)."""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).resolve().parent
INIT = (ROOT / "tfds_atari_replay" / "__init__.py").read_text()
(VERSION,) = re.findall(r'__version__ = "(.+)"', INIT)

EXTRAS = {
    # For tf.data, the transforms, and datasets stored as TFRecords, TFDS's default.
    "tensorflow": ["tensorflow>=2.20"],
    "envs": [
        # ROMs come with it from 0.10 on; the vector environment waits for ever for a partial reset
        # before 0.12.1. (0.10.0 and 0.10.1 play other games than their neighbours.)
        "ale-py>=0.12.1",
        # ale-py leaves its vector environment out, without a word, if gymnasium is older.
        "gymnasium>=1.1",
    ],
    # For `atari-replay preview`, tfds_atari_replay.figures and the examples.
    "preview": ["jinja2>=3.1", "matplotlib>=3.8", "pillow>=10.0"],
    # The `tfds` command imports these two when it starts, whatever it does, and TFDS does not ask
    # for them. tfds.load does without.
    "build": ["apache-beam>=2.69", "mlcroissant>=1.0.9"],
}

setuptools.setup(
    name="tfds-atari-replay",
    version=VERSION,
    description="The DQN Replay logs of 60 Atari games as a TFDS dataset of RLDS episodes",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    # TFDS and its tests expect dummy_data and checksums beside the builder, so an installed package
    # has them inside; package_data below finds its files by these names.
    packages=[
        *setuptools.find_packages(str(ROOT), include=["tfds_atari_replay*"]),
        "tfds_atari_replay.checksums",
        "tfds_atari_replay.dummy_data",
    ],
    package_dir={
        "tfds_atari_replay.checksums": "checksums",
        "tfds_atari_replay.dummy_data": "dummy_data",
    },
    package_data={
        "tfds_atari_replay": ["py.typed", "figures/*.json", "figures/page/*", "scores/*.npz"],
        "tfds_atari_replay.checksums": ["*.tsv"],
        "tfds_atari_replay.dummy_data": ["*/*/replay_logs/*.gz"],
    },
    entry_points={"console_scripts": ["atari-replay = tfds_atari_replay.cli.main:main"]},
    # What reading needs: logs, datasets, NumPy. The rest is in the extras.
    install_requires=[
        "array-api-compat>=1.9",
        "etils[epath]>=1.9.1",
        "filelock>=3.12",
        # TFRecords' checksums; what reads them without TensorFlow has to compare them itself.
        "google-crc32c>=1.5",
        # TFDS imports it for every builder outside its own package, and forgets to ask for it.
        "importlib-resources>=6.0",
        "isal>=1.6.1",
        "numpy>=1.26",
        # RL Unplugged, the only public copy that is still open, stores frames as PNGs.
        "opencv-python-headless>=4.8.1",
        # TFDS takes any tensorflow-metadata, which takes any protobuf, but its generated code needs
        # this one. Without the two bounds a resolver may choose versions that do not import.
        "protobuf>=6.31.1",
        "requests>=2.32",
        "rich>=13.0",
        "tensorflow-datasets>=4.9.7",
        "tensorflow-metadata>=1.21",
        "tqdm>=4.66",
        # From 2 on, less than a server promised is an error, not the end of a file.
        "urllib3>=2.0",
        "zlib-ng>=0.5.1",
    ],
    extras_require={
        **EXTRAS,
        "all": [requirement for extra in EXTRAS.values() for requirement in extra],
        "benchmarks": ["matplotlib>=3.8"],
        # Exact versions, since `make docs` takes every warning for an error.
        "docs": ["mkdocs==1.6.1", "mkdocs-material==9.8.2", "mkdocstrings[python]==1.0.8", "ruff"],
        # The last gym, for code that was never moved to gymnasium.
        "gym": ["gym==0.26.2"],
        # The emulator and the ROMs that recorded the logs. Without a wheel for today's Python, it
        # is built with cmake and a C++ compiler; docs/environments.md has a way without.
        "legacy": ["atari-py==0.2.5"],
        # dill is for tfds.testing, absl and gin for dopamine-rl, the oracle, which is installed
        # beside these without its own dependencies.
        "test": [
            *("absl-py", "dill", "gin-config", "gym==0.26.2", "hypothesis", "mypy", "pytest"),
            # A cluster for Beam's runner on Dask.
            *("dask", "distributed"),
            # playwright drives the machine's own Chromium; without one, its tests are skipped.
            *("playwright", "pytest-xdist", "ruff", "six"),
            # What papers' tables are made with. arch, which rliable needs, fails with pandas 3.
            *("pandas<3", "rliable==1.2.0"),
            # Notebooks are run as a user would.
            *("ipykernel", "ipywidgets", "nbclient"),
            # Users of random access; neither has wheels for Python 3.10 any more.
            *(f"{name}; python_version >= '3.11'" for name in ("grain", "jax")),
        ],
    },
)
