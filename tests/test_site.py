"""The site that `make docs` builds, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.datasets import ROOT

pytestmark = pytest.mark.slow

SITE = ROOT / "site"

WIDE_ON_PHONES = {"cluster.html", "logs.html", "scores.html"}
"""Pages with a table that has to be scrolled on a telephone: many columns, or long paths."""

CUT_OFF = """() => {
  const found = [...document.querySelectorAll("article table, article .language-python pre")];
  return found.filter((one) => {
    const box = one.closest(".md-typeset__scrollwrap") ?? one.querySelector("code") ?? one;
    return box.scrollWidth > box.clientWidth + 1;
  }).map((one) => one.textContent.slice(0, 60));
}"""


@pytest.fixture(params=[1280, 390], ids=["desk", "phone"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    if not SITE.exists():
        pytest.skip("make docs has not built the site")
    page = browser.new_page(viewport={"width": request.param, "height": 800})
    yield page
    page.close()


def test_nothing_is_cut_off(page: Any) -> None:
    """No page is wider than the screen; tables fit, and so does code in Python."""
    width = page.viewport_size["width"]
    paths = sorted(path for path in SITE.rglob("*.html") if path.name != "404.html")
    assert len(paths) > 30
    for path in paths:
        page.goto(path.as_uri())
        page.wait_for_timeout(50)  # tables get their frames from a script
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        if width > 1000 or path.name not in WIDE_ON_PHONES:
            assert not page.evaluate(CUT_OFF), path


def test_the_games_can_be_sorted(page: Any) -> None:
    """By number and by name; what is unknown is less than anything."""
    page.goto((SITE / "games.html").as_uri())
    rows = page.locator("article tbody tr")
    assert rows.count() == 60

    def column(number: int) -> list[str]:
        found: list[str] = rows.locator(f"td:nth-child({number})").all_text_contents()
        return found

    page.locator("th", has_text="DQN").click()
    scores = [float(text.replace(",", "")) for text in column(8)]
    assert scores == sorted(scores)
    page.locator("th", has_text="DQN").click()
    assert [float(text.replace(",", "")) for text in column(8)] == scores[::-1]
    page.locator("th", has_text="actions").focus()
    page.keyboard.press("Enter")
    counts = [int("".join(filter(str.isdigit, text))) for text in column(3)]
    assert counts == sorted(counts)
    assert column(2)[0].startswith(("Freeway", "Skiing"))
    page.locator("th", has_text="game").click()
    assert column(2)[0].startswith("AirRaid")
