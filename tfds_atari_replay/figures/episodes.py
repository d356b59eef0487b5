"""An episode that displays itself."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.figures import videos
from tfds_atari_replay.figures.contact_sheets import contact_sheet


@dataclasses.dataclass(frozen=True, eq=False)
class Episode:
    """The T logged steps of an episode. A notebook displays it as an animation.

    Attributes:
      episode_id: its order in time within the dataset.
      checkpoint_id: number of the checkpoint.
      length: T.
      episode_return: sum of the clipped rewards.
      is_complete: whether it goes from a reset to a terminal.
      unclipped_return: sum of the true rewards; NaN if unknown.
      dataset: full name of the dataset.
      frames: uint8 (T, 84, 84), at which the actions were taken.
      action: int64 (T,), indices into `action_meanings`.
      reward: float32 (T,), clipped rewards of the actions.
      unclipped_reward: float32 (T,), their true rewards; NaN where unknown.
      action_meanings: name by action.
    """

    episode_id: int
    checkpoint_id: int
    length: int
    episode_return: float
    is_complete: bool
    unclipped_return: float
    dataset: str = dataclasses.field(repr=False)
    frames: npt.NDArray[np.uint8] = dataclasses.field(repr=False)
    action: npt.NDArray[np.int64] = dataclasses.field(repr=False)
    reward: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    unclipped_reward: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    action_meanings: tuple[str, ...] = dataclasses.field(repr=False)

    @property
    def title(self) -> str:
        """A line with its dataset, id, length and returns."""
        cut = "" if self.is_complete else ", cut"
        is_known = not np.isnan(self.unclipped_return)
        score = f", true score {self.unclipped_return:,.0f}" if is_known else ""
        return (
            f"{self.dataset}, episode {self.episode_id}: {self.length} steps, "
            f"return {self.episode_return:g}{score}{cut}"
        )

    def video(self, scale: int = 3) -> npt.NDArray[np.uint8]:
        """Draws every step with its number and the return so far; rewards outline the frame.

        Args:
          scale: pixels in a row and column for each pixel of a frame.

        Returns:
          uint8 (T, 84 * scale + 28, 84 * scale + 8, 3), RGB. Frame t is
          `video[t, 4:4 + 84 * scale, 4:-4]`.
        """
        return videos.draw(self.frames, self.reward, np.arange(self.length), scale)

    def contact_sheet(self) -> npt.NDArray[np.uint8]:
        """Draws up to 32 steps, evenly spaced in time, as one picture: uint8 (H, W, 3), RGB."""
        return contact_sheet(
            self.title, self.frames, self.action, self.reward, self.action_meanings
        )

    @functools.cached_property
    def animation(self) -> videos.Clip:
        """The video as an animated WebP of at most 0.8 MB; if it is long, only every k-th step."""
        return videos.animate(self.frames, self.reward)

    def _repr_html_(self) -> str:
        stride = self.animation.stride
        every = f", 1 in {stride} shown" if stride > 1 else ""
        return (
            f'<figure><img alt="{self.title}" src="{videos.to_url(self.animation.webp)}">'
            f"<figcaption>{self.title}{every}</figcaption></figure>"
        )
