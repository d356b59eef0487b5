"""d4rl-atari's interface: an environment for each checkpoint of each run, with `get_dataset`.

    import gymnasium
    import tfds_atari_replay.d4rl_atari  # instead of: import d4rl_atari

    env = gymnasium.make("breakout-mixed-v0", stack=True)
    dataset = env.get_dataset()

Importing it registers the ids with gymnasium and, if that is installed, with gym 0.26.
`gymnasium.make("tfds_atari_replay.d4rl_atari:breakout-mixed-v0")` needs no import. The module lets
code written for d4rl-atari run unchanged; `tfds.load` gives cleaner data.
"""

from tfds_atari_replay._extras import required_for
from tfds_atari_replay.d4rl_atari import registration

with required_for("tfds_atari_replay.d4rl_atari", "envs"):
    registration.register("gymnasium")
if registration.has_gym():
    registration.register("gym")
