"""The quickstart notebook, run as Jupyter runs it."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from helpers.datasets import ROOT

nbclient: Any = pytest.importorskip("nbclient")
nbformat: Any = pytest.importorskip("nbformat")


def shown_by(cell: Any) -> dict[str, Any]:
    """A cell's output by MIME type; later outputs replace earlier ones."""
    found: dict[str, Any] = {}
    for output in cell.outputs:
        assert output.output_type != "error", output
        found |= output.get("data", {})
    return found


@pytest.mark.slow
def test_the_quickstart_notebook(
    expert: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects are shown as tables, an episode as an animation, and bars as widgets."""
    (tmp_path / "dummy_data").symlink_to(ROOT / "dummy_data")
    (tmp_path / "quickstart").mkdir()
    (tmp_path / "quickstart" / "data").symlink_to(expert.data_path.parents[2])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "quickstart.ipynb", as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    cells = {cell.source: cell for cell in notebook.cells if cell.cell_type == "code"}
    ends = {source.splitlines()[-1]: cell for source, cell in cells.items()}
    for last_line, texts in {
        "builder": ("atari_replay/breakout_expert_v0", "3 episodes"),
        "replay": ("Breakout", "1,493", ">1<"),
        "source": (">1,489<", "uint8 (4, 84, 84)", ">NumPy<"),
        "pd.DataFrame(replay.episodes)": ("unclipped_return", ">20.0<"),
        "summary.read()": ("data:image/webp", "true score 20"),
    }.items():
        page = shown_by(ends[last_line])["text/html"]
        for text in texts:
            assert text in page, (last_line, text)
    assert "(3, 4, 84, 84)" in shown_by(ends['batch["observation"].shape'])["text/plain"]
    assert "image/png" in shown_by(ends["figures.returns_over_time(summary)"])
    played = next(cell for source, cell in cells.items() if "evaluate(" in source)
    assert "human_normalized" in shown_by(played)["text/html"]
    widgets = [
        output.data
        for output in played.outputs
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert len(widgets) == 1  # the bar


def test_the_notebook_holds_no_output() -> None:
    """Outputs would make its diffs unreadable."""
    notebook = nbformat.read(ROOT / "docs" / "quickstart.ipynb", as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs")
