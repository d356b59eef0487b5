"""The page in a browser."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tfds_atari_replay import figures
from tfds_atari_replay.figures import page as page_lib

pytestmark = pytest.mark.slow

INK_AND_PAPER = """() => {
  const text = document.querySelector("figure svg text");
  return [getComputedStyle(text).fill, getComputedStyle(document.body).backgroundColor];
}"""


@pytest.fixture(scope="module")
def url(summary: figures.Summary, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: pathlib.Path = page_lib.write_page(summary, tmp_path_factory.mktemp("page"))
    return path.as_uri()


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """The page, open at 1280 pixels."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    yield page
    page.close()


def frame_of(player: Any) -> Any:
    """The pixels that a player shows: uint8 (84, 84)."""
    pixels = player.locator("canvas").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 84, 84).data]"
    )
    return np.array(pixels, np.uint8).reshape(84, 84, 4)[..., 0]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_alone_and_shows_what_it_must(
    browser: Any, url: str, width: int, scheme: str
) -> None:
    """It causes no errors and no requests; nothing is wider than the screen."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said: list[Any] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(error.message))
    page.on("request", lambda request: said.append(request.url))
    page.goto(url)
    page.wait_for_function("() => document.querySelector('.player:last-child output').textContent")
    assert [one for one in said if not str(one).startswith("data:")] == [url]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for name in ("What it is", "Load it", "Episodes to watch", "Numbers", "All episodes"):
        assert page.get_by_role("heading", name=name).is_visible()
    assert page.locator("canvas").count() == 3
    for picture in (*page.locator("canvas").all(), *page.locator("figure svg").all()):
        box = picture.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= width
        assert box["width"] > 300
    assert page.locator("figure svg").count() == 5
    assert page.locator("img.contact").evaluate("image => image.naturalWidth") == 1416
    assert page.locator("#table tbody tr").count() == 3
    page.close()


def test_dark_mode_changes_colours(browser: Any, url: str) -> None:
    """Figures' text contrasts with the page by 7 to 1 in both schemes."""

    def luminance(color: str) -> float:
        values: Any = np.array(color[4:-1].split(","), float) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    found = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(url)
        found[scheme] = tuple(map(luminance, page.evaluate(INK_AND_PAPER)))
        page.close()
    (light_ink, light_paper), (dark_ink, dark_paper) = found["light"], found["dark"]
    assert (light_paper + 0.05) / (light_ink + 0.05) > 7
    assert (dark_ink + 0.05) / (dark_paper + 0.05) > 7


def test_the_keyboard_sorts(page: Any) -> None:
    """Tab reaches a heading and shows its focus; Enter sorts by it, Enter again reverses."""
    page.locator(".player input").last.focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Clipped return":
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    heading = page.locator("th[data-column=episode_return]")

    def returns() -> list[str]:
        found: list[str] = page.locator("#table tbody td:nth-child(5)").all_text_contents()
        return found

    assert returns() == ["17", "18", "2"]
    page.keyboard.press("Enter")
    assert (returns(), heading.get_attribute("aria-sort")) == (["2", "17", "18"], "ascending")
    page.keyboard.press("Enter")
    assert (returns(), heading.get_attribute("aria-sort")) == (["18", "17", "2"], "descending")


def test_scrubbing_shows_the_datasets_frames(page: Any, summary: figures.Summary) -> None:
    """Every pixel is equal; the return so far and the mark of a reward are shown too."""
    episode = summary.read(0)  # the best
    player = page.locator(".player").first
    slider, output = player.locator("input"), player.locator("output")
    np.testing.assert_array_equal(frame_of(player), episode.frames[0])
    slider.focus()
    page.keyboard.press("ArrowRight")
    np.testing.assert_array_equal(frame_of(player), episode.frames[1])
    rewarded = int(np.flatnonzero(episode.reward)[2])
    slider.fill(str(rewarded))
    np.testing.assert_array_equal(frame_of(player), episode.frames[rewarded])
    action = episode.action_meanings[episode.action[rewarded]]
    score = episode.unclipped_reward[: rewarded + 1].sum()
    assert output.text_content() == f"step {rewarded} of 690, {action}, score {score:g}"
    assert player.locator("canvas").get_attribute("data-gained") == "good"
    page.keyboard.press("End")
    np.testing.assert_array_equal(frame_of(player), episode.frames[689])
    assert "score 20" in output.text_content()
    assert player.locator(".marks path").count() == 17


def test_playing_and_pausing(page: Any, summary: figures.Summary) -> None:
    """Playing stops at the last step, and starts over from there."""
    player = page.locator(".player").first
    slider, button = player.locator("input"), player.locator("button")
    button.focus()
    page.keyboard.press("Space")
    assert button.text_content() == "Pause"
    page.wait_for_function("() => document.querySelector('.player input').value > 3")
    page.keyboard.press("Space")
    assert button.text_content() == "Play"
    place = int(slider.input_value())
    np.testing.assert_array_equal(frame_of(player), summary.read(0).frames[place])
    page.wait_for_timeout(300)
    assert int(slider.input_value()) == place
    slider.fill("687")
    button.click()
    page.wait_for_function("() => document.querySelector('.player input').value == 689")
    assert button.text_content() == "Play"
    button.click()
    page.wait_for_function("() => document.querySelector('.player input').value == 2")


def test_long_tables_come_in_parts(browser: Any, url: str) -> None:
    """They show a hundred rows more at a time."""
    page = browser.new_page()
    page.add_init_script(
        """const parse = JSON.parse;
        JSON.parse = (text) => {
          const data = parse(text);
          if (data.episode_id) for (const name in data)
            data[name] = Array.from({length: 250}, (_, place) => place);
          return data;
        };"""
    )
    page.goto(url)
    counts = []
    while page.locator("#more").is_visible():
        counts.append(page.locator("#table tbody tr").count())
        page.locator("#more").click()
    assert [*counts, page.locator("#table tbody tr").count()] == [100, 200, 250]
    assert page.locator("#shown").text_content() == "250 of 250"
    page.close()
