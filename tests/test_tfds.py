"""What we take from TFDS beyond its public names still does what we take it for.

If a test here fails after an upgrade of TFDS, look at the function of `_tfds.py` that it names.
"""

import hashlib
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from etils import epath
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build
from helpers.processes import run_python
from helpers.server import Server

from tfds_atari_replay import _tfds
from tfds_atari_replay.fields import VERSION

DECODING: Any = {"steps": {"action", "reward"}, "episode_id": True}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where breakout_expert_v0 is prepared for reading with and without TensorFlow."""
    folder = tmp_path_factory.mktemp("data")
    build("breakout_expert_v0", DUMMY_DATA, folder, file_format="array_record")
    return folder


def builders(folder: pathlib.Path) -> dict[str, Any]:
    """Each kind of builder that TFDS hands out."""
    name = "atari_replay/breakout_expert_v0"
    return {
        "ours": tfds.builder(name, data_dir=folder),
        "pinned": tfds.builder(f"{name}:{VERSION}", data_dir=folder),
        "from folder": tfds.builder_from_directory(str(folder / name / VERSION)),
        "from folders": tfds.builder_from_directories([str(folder / name / VERSION)]),
    }


def values(episodes: Any) -> list[Any]:
    """Actions and rewards by episode_id."""
    return sorted(
        (
            int(episode["episode_id"]),
            [(int(step["action"]), float(step["reward"])) for step in episode["steps"]],
        )
        for episode in episodes
    )


@pytest.mark.parametrize("kind", ["ours", "pinned", "from folder", "from folders"])
def test_partial_decoding_selects_steps_fields_in_data_sources(
    data_dir: pathlib.Path, kind: str
) -> None:
    """`let_partial_decoding_select_from`: NumPy, which TFDS's own class cannot do at all."""
    builder = builders(data_dir)[kind]
    decoders = tfds.decode.PartialDecoding(DECODING)
    before = dict(vars(decoders))
    source = builder.as_data_source(split="train", decoders=decoders)
    for one in (source, pickle.loads(pickle.dumps(source))):
        assert set(one[0]) == {"steps", "episode_id"}
        assert set(one[0]["steps"][0]) == {"action", "reward"}
        assert values(one) == values(builder.as_data_source(split="train"))
    assert vars(decoders) == before


@pytest.mark.parametrize("kind", cases("pinned", slow=["ours", "from folder", "from folders"]))
def test_partial_decoding_selects_steps_fields_in_tf_data(expert: Any, kind: str) -> None:
    """`let_partial_decoding_select_from`: every builder, not only ours."""
    builder = builders(expert.data_path.parents[2])[kind]
    decoders = tfds.decode.PartialDecoding(DECODING)
    dataset = builder.as_dataset(split="train", decoders=decoders)
    assert set(dataset.element_spec) == {"steps", "episode_id"}
    assert set(dataset.element_spec["steps"].element_spec) == {"action", "reward"}
    assert values(tfds.as_numpy(dataset)) == values(tfds.as_numpy(builder.as_dataset("train")))


def test_partial_decoding_of_a_pinned_version_through_load(expert: Any) -> None:
    """`let_partial_decoding_select_from` works with `tfds.load` as users write it."""
    dataset = tfds.load(
        f"atari_replay/breakout_expert_v0:{VERSION}",
        split="train",
        data_dir=expert.data_path.parents[2],
        decoders=tfds.decode.PartialDecoding(DECODING),
    )
    assert values(tfds.as_numpy(dataset)) == values(tfds.as_numpy(expert.as_dataset("train")))


def test_partial_decoding_by_name_needs_no_tensorflow(data_dir: pathlib.Path) -> None:
    """`let_partial_decoding_select_from`: TFDS's own imports it to compare dtypes."""
    code = f"""
import sys
import tensorflow_datasets as tfds, tfds_atari_replay
decoding = tfds.decode.PartialDecoding({{"steps": {{"action"}}, "episode_id": True}})
source = tfds.data_source(
    "atari_replay/breakout_expert_v0", split="train", data_dir={str(data_dir)!r}, decoders=decoding
)
print(*source[0], *source[0]["steps"][0], "tensorflow" in sys.modules)
"""
    assert run_python(code) == "episode_id steps action False\n"


def test_partial_decoding_names_what_steps_lack(expert: Any) -> None:
    """With TFDS's own error, in steps and beside them; by type, TFDS compares."""
    features = expert.info.features

    def extract(specs: Any) -> Any:
        return tfds.decode.PartialDecoding(specs).extract_features(features)

    for specs in ({"x"}, {"x": True}, {"steps": {"x"}}, {"steps": {"x": True, "action": True}}):
        with pytest.raises(ValueError, match="Missing expected feature 'x'"):
            extract(specs)
    typed = extract({"steps": {"action": np.int64, "reward": False}, "episode_id": np.int64})
    assert set(typed) == {"steps", "episode_id"}
    assert set(typed["steps"].feature) == {"action"}
    with pytest.raises(ValueError, match=r"Expected: .*float32"):
        extract({"steps": {"action": np.float32}})


OTHERS = """
import pathlib, re, sys
import numpy as np
import tensorflow_datasets as tfds

if len(sys.argv) > 2:
    import tfds_atari_replay

class Plain(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    FEATURES = {"a": {"b": np.int64, "c": np.int64}, "d": np.int64}
    EXAMPLE = {"a": {"b": 1, "c": 2}, "d": 3}

    def _info(self):
        features = tfds.features.FeaturesDict(self.FEATURES)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, self.EXAMPLE

class Nested(Plain):
    FEATURES = {**Plain.FEATURES, "e": tfds.features.Dataset({"f": np.int64, "g": np.int64})}
    EXAMPLE = {**Plain.EXAMPLE, "e": [{"f": 4, "g": 5}, {"f": 6, "g": 7}]}

def plain(value):
    if isinstance(value, dict):
        return {name: plain(part) for name, part in sorted(value.items())}
    return [plain(step) for step in value] if hasattr(value, "__len__") else int(value)

def attempt(name, get):
    try:
        print(name, plain(next(iter(get()))))
    except Exception as error:
        print(name, type(error).__name__, repr(re.sub("0x[0-9a-f]+", "", str(error))))

specs = [
    {"d": True}, {"d", "a"}, ["d"], {"a": {"b"}}, {"a": {"c": False}, "e": True}, {"e": {"f"}},
    {"x": True}, {"d": np.float32}, {},
]
for kind in (Plain, Nested):
    for file_format in ("tfrecord", "array_record"):
        builder = kind(data_dir=pathlib.Path(sys.argv[1]) / file_format, file_format=file_format)
        builder.download_and_prepare()
        for spec in specs:
            decoders = tfds.decode.PartialDecoding(spec)
            if file_format == "tfrecord":
                get = lambda: tfds.as_numpy(builder.as_dataset(split="train", decoders=decoders))
            else:
                get = lambda: builder.as_data_source(split="train", decoders=decoders)
            attempt(f"{file_format} {kind.__name__} {spec}:", get)
"""


def test_partial_decoding_of_other_datasets_is_tfdss_own(tmp_path: pathlib.Path) -> None:
    """`let_partial_decoding_select_from`: the same values and errors as without this package."""
    outputs = []
    for number, more in enumerate(([], ["with this package"])):
        command = [sys.executable, "-c", OTHERS, str(tmp_path / str(number)), *more]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}  # for the order of sets
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        )
        outputs.append([line for line in result.stdout.splitlines() if "record " in line[:13]])
    assert len(outputs[0]) == 36
    assert outputs[1] == outputs[0]
    for kind in ("Plain", "Nested"):
        assert f"tfrecord {kind} {{'d': True}}: {{'d': 3}}" in outputs[0]
        start = f"array_record {kind} {{'a': {{'b'}}}}: ValueError"
        assert any(line.startswith(start) for line in outputs[0])


def test_python_data_sources_index_and_pickle() -> None:
    """`PythonDataSource`: what `Steps` returns without TensorFlow; workers get it pickled."""
    source = _tfds.PythonDataSource(length=3, getitem=str)
    assert [source[0], source[2]] == ["0", "2"]
    assert len(source) == 3
    assert pickle.loads(pickle.dumps(source))[1] == "1"


def test_checksums_are_written_and_read(tmp_path: pathlib.Path) -> None:
    """`UrlInfo`, `compute_url_info`, `save_url_infos`, `load_url_infos`: the registry's format."""
    file = epath.Path(tmp_path / "some file.gz")
    file.write_bytes(b"abc")
    info = _tfds.compute_url_info(file)
    digest = hashlib.sha256(b"abc").hexdigest()
    assert info == _tfds.UrlInfo(size=3, checksum=digest, filename="some file.gz")
    registry = epath.Path(tmp_path / "registry.tsv")
    _tfds.save_url_infos(registry, {"https://host/b": info, "https://host/a": info})
    # Sorted, and without losing what was there.
    _tfds.save_url_infos(registry, {"https://host/c": info})
    lines = [f"https://host/{name}\t3\t{digest}\tsome file.gz" for name in "abc"]
    assert registry.read_text().splitlines() == lines
    assert _tfds.load_url_infos(registry) == dict.fromkeys(
        ("https://host/a", "https://host/b", "https://host/c"), info
    )


@pytest.mark.parametrize("line", ["one column", "https://host/a\t3\tno digest\tname\tmore"])
def test_a_damaged_registry_raises_what_we_catch(tmp_path: pathlib.Path, line: str) -> None:
    """`load_url_infos`: `downloads` names the file for AssertionError and ValueError."""
    registry = epath.Path(tmp_path / "registry.tsv")
    registry.write_text(f"{line}\n")
    with pytest.raises((AssertionError, ValueError)):
        _tfds.load_url_infos(registry)


def download(url: str, cache: pathlib.Path) -> epath.Path:
    """As a new process does."""
    manager = tfds.download.DownloadManager(download_dir=cache, dataset_name="atari_replay")
    path: epath.Path = manager.download(url)
    return path


def test_a_download_has_a_second_file(public: Server, tmp_path: pathlib.Path) -> None:
    """`get_info_path`: without both, TFDS downloads anew; that is how a damaged one is deleted."""
    (public.folder / "file.gz").write_bytes(b"abc")
    url, cache = f"{public.url}/file.gz", tmp_path / "cache"
    path = download(url, cache)
    assert download(url, cache) == path
    assert public.downloads["file.gz"] == 1
    _tfds.get_info_path(path).unlink()
    path.unlink()
    assert download(url, cache).read_bytes() == b"abc"
    assert public.downloads["file.gz"] == 2


def test_a_refused_download_raises_what_we_catch(public: Server, tmp_path: pathlib.Path) -> None:
    """`DownloadError`: else a user gets TFDS's traceback in place of our message."""
    with pytest.raises(_tfds.DownloadError):
        download(f"{public.url}/nothing.gz", tmp_path / "cache")


def test_manual_dir_is_what_the_user_named(tmp_path: pathlib.Path) -> None:
    """`manual_dir_of`: also a folder that is missing, which TFDS's own property refuses."""

    def manual_dir(folder: pathlib.Path | None) -> epath.Path | None:
        return _tfds.manual_dir_of(
            tfds.download.DownloadManager(
                download_dir=tmp_path / "cache", manual_dir=folder, manual_dir_instructions="any"
            )
        )

    assert manual_dir(tmp_path) == epath.Path(tmp_path)
    assert manual_dir(tmp_path / "missing") == epath.Path(tmp_path / "missing")
    assert manual_dir(None) is None


def test_the_default_data_dir_is_tfds_loads() -> None:
    """`default_data_dir`: where `get_dataset` shares downloads with `tfds.load`."""
    builder = tfds.builder("atari_replay/breakout_expert_v0")
    assert epath.Path(builder.data_path).parents[2] == _tfds.default_data_dir()


def test_a_doomed_dataset_is_none(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """`INCOMPLETE`: `AtariReplay` renames what it deletes, so that no part passes for a dataset."""
    name = "atari_replay/breakout_expert_v0"
    shutil.copytree(data_dir / name, tmp_path / name)
    assert tfds.builder(name, data_dir=tmp_path).is_prepared()
    doomed = f"{_tfds.INCOMPLETE}0123456789abcdef_{VERSION}"
    (tmp_path / name / VERSION).rename(tmp_path / name / doomed)
    assert not tfds.builder(name, data_dir=tmp_path).is_prepared()
    # The name that TFDS gives to what it has not finished.
    with tfds.core.utils.incomplete_dir(tmp_path / "some" / "1.0.0") as folder:
        assert pathlib.Path(folder).name.startswith(_tfds.INCOMPLETE)


def test_the_builders_private_methods_exist() -> None:
    """What `AtariReplay` overrides: under another name, it would no longer be called."""
    for name in (
        "_create_builder_config",
        "_make_download_manager",
        "_download_and_prepare",
        "_get_filename_template",
    ):
        assert callable(getattr(tfds.core.DatasetBuilder, name))
    assert callable(tfds.core.GeneratorBasedBuilder._example_writer)
    for name in ("url_infos", "_checksums_path"):
        assert hasattr(tfds.core.DatasetBuilder, name)
