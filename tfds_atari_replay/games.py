"""The 60 games of the DQN Replay logs as one table."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re

from tfds_atari_replay.arguments import check_text

ALL_ACTIONS = (
    *("NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN", "UPRIGHT", "UPLEFT", "DOWNRIGHT", "DOWNLEFT"),
    *("UPFIRE", "RIGHTFIRE", "LEFTFIRE", "DOWNFIRE"),
    *("UPRIGHTFIRE", "UPLEFTFIRE", "DOWNRIGHTFIRE", "DOWNLEFTFIRE"),
)
"""ALE's 18 actions, in its order."""


@dataclasses.dataclass(frozen=True)
class Game:
    """One game of the logs.

    Attributes:
      name: as the logs' folders spell it, in CamelCase (`SpaceInvaders`).
      actions: the minimal action set, in the emulator's order; a logged action is an index into it.
        Both ROMs have the same, in atari-py and in ale-py.
      legacy_md5: MD5 of the ROM in atari-py 0.2.5, on which the logs were recorded.
      ale_md5: MD5 of the ROM in ale-py 0.12.1, which differs for 29 games.
      grey_difference: mean absolute difference, 0 to 255, between the 84x84 observations of the two
        ROMs over recorded play.
      random_score: mean return of random play, as published for DQN Zoo (up to 30 no-ops, no
        sticky actions); None for the five games without published scores.
      human_score: mean return of a professional tester, from the same source; None for the same
        games.
      dqn_score: mean unclipped return of Dopamine's DQN in training, with sticky actions, over the
        last 10 iterations of 250,000 steps and 5 runs. They are not the runs of the logs, but were
        trained with the same software and settings (google/dopamine, baselines/atari/data).
      unplugged_shards: files per run in RL Unplugged, one for each checkpoint: 50; 49 in three
        games; 0 in the 14 games that it lacks.
    """

    name: str
    actions: tuple[str, ...]
    legacy_md5: str
    ale_md5: str
    grey_difference: float
    random_score: float | None
    human_score: float | None
    dqn_score: float
    unplugged_shards: int

    @functools.cached_property
    def rom(self) -> str:
        """The name in snake_case: ale-py's id, the ROM's file name, and in config names."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()

    @functools.cached_property
    def full_actions(self) -> tuple[int, ...]:
        """The index of each action in `ALL_ACTIONS`."""
        return tuple(map(ALL_ACTIONS.index, self.actions))

    def with_actions(self, *, full_action_space: bool) -> Game:
        """Returns the game with ALE's 18 actions, or unchanged."""
        return dataclasses.replace(self, actions=ALL_ACTIONS) if full_action_space else self


# Columns: name, MD5 of the legacy ROM, MD5 of ale-py's ROM, grey difference, random score, human
# score, DQN's score, RL Unplugged files per run, minimal actions. ROMs are atari-py 0.2.5's and
# ale-py 0.12.1's. Random and human scores are DQN Zoo's (dqn_zoo/atari_data.py); the number of files
# is from TFDS's builder rlu_atari (rl_unplugged/atari_utils.py).
_TABLE = """
AirRaid          35be55426c1fec32dfb503b4f0651572 35be55426c1fec32dfb503b4f0651572    0.0        -        -   7379.21 0 NOOP FIRE RIGHT LEFT RIGHTFIRE LEFTFIRE
Alien            f1a0a23e6464d954e3a9579c4ccd01c8 f1a0a23e6464d954e3a9579c4ccd01c8    0.0    227.8   7127.7   2479.45 50 ALL
Amidar           056f5d886a4e7e6fdd83650554997d0d acb7750b4d0c4bd34969802a7deb2990 12.127      5.8   1719.5   1162.02 50 NOOP FIRE UP RIGHT LEFT DOWN UPFIRE RIGHTFIRE LEFTFIRE DOWNFIRE
Assault          c31a17942d162b80962cb1f7571cd1d5 de78b3a064d374390ac0710f95edde92  5.501    222.4    742.0   1519.86 50 NOOP FIRE UP RIGHT LEFT RIGHTFIRE LEFTFIRE
Asterix          89a68746eff7f266bbf08de2483abe55 89a68746eff7f266bbf08de2483abe55    0.0    210.0   8503.3   2734.56 50 NOOP UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT
Asteroids        ccbd36746ed4525821a8083b0d6d2c2c ccbd36746ed4525821a8083b0d6d2c2c    0.0    719.1  47388.7    714.90 0 NOOP FIRE UP RIGHT LEFT DOWN UPRIGHT UPLEFT UPFIRE RIGHTFIRE LEFTFIRE DOWNFIRE UPRIGHTFIRE UPLEFTFIRE
Atlantis         0b33252b680b65001e91a411e56e72e9 9ad36e699ef6f45d9eb6c4cf90475c9f  0.015  12850.0  29028.1 855208.20 50 NOOP FIRE RIGHTFIRE LEFTFIRE
BankHeist        83b8c01c72306d60dd9b753332ebd276 00ce0bdd43aed84a983bef38fe7f5ee3  43.25     14.2    753.1    590.06 50 ALL
BattleZone       e434c0e161dd3c3fb435eb6bad2e182c 41f252a66c6301f1e8ab3612c19bc5d4  3.484   2360.0  37187.5  17691.80 50 ALL
BeamRider        79ab4123a83dc11d468fb2108ea09e2e 79ab4123a83dc11d468fb2108ea09e2e    0.0    363.9  16926.5   5481.96 50 NOOP FIRE UP RIGHT LEFT UPRIGHT UPLEFT RIGHTFIRE LEFTFIRE
Berzerk          fac28963307b6e85082ccd77c88325e7 136f75c4dd02c29283752b7e5799f978  0.592    123.7   2630.4    495.18 0 ALL
Bowling          c9b7afad3bfd922e006a6bfc1d4f3fe7 c9b7afad3bfd922e006a6bfc1d4f3fe7    0.0     23.1    160.7     30.36 0 NOOP FIRE UP DOWN UPFIRE DOWNFIRE
Boxing           c3ef5c4653212088eda54dc91d787870 c3ef5c4653212088eda54dc91d787870    0.0      0.1     12.1     77.29 50 ALL
Breakout         f34f08e5eb96e500e851a80be3277a56 f34f08e5eb96e500e851a80be3277a56    0.0      1.7     30.5     93.95 50 NOOP FIRE RIGHT LEFT
Carnival         de29e46dbea003c3c09c892d668b9413 028024fb8e5e5f18ea586652f9799c96 13.802        -        -   4791.74 49 NOOP FIRE RIGHT LEFT RIGHTFIRE LEFTFIRE
Centipede        17d000a2882f9fdaa8b4a391ad367f00 91c2098e88a6b13f977af8c003e0bca5  5.213   2090.9  12017.0   2589.10 50 ALL
ChopperCommand   c1cb228470a87beb5f36e90ac745da26 c1cb228470a87beb5f36e90ac745da26    0.0    811.0   7387.8   2623.58 50 ALL
CrazyClimber     55ef7b65066428367844342ed59f956c 55ef7b65066428367844342ed59f956c    0.0  10780.5  35829.4 103835.52 50 NOOP UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT
DemonAttack      b24f6a5820a4b7763a3d547e3e07441d f0e0addc07971561ab80d9abe1b8d333  0.017    152.1   1971.0   6030.48 50 NOOP FIRE RIGHT LEFT RIGHTFIRE LEFTFIRE
DoubleDunk       cfc226d04d7490b69e155abd7741e98c 368d88a6c071caba60b4f778615aae94 12.906    -18.6    -16.4     -6.24 50 ALL
ElevatorAction   71f8bacfbdca019113f3f0801849057e 71f8bacfbdca019113f3f0801849057e    0.0        -        -    518.29 0 ALL
Enduro           94b92a882f6dbaa6993a46e2dcc58402 94b92a882f6dbaa6993a46e2dcc58402    0.0      0.0    860.5    640.16 50 NOOP FIRE RIGHT LEFT DOWN DOWNRIGHT DOWNLEFT RIGHTFIRE LEFTFIRE
FishingDerby     b8865f05676e64f3bec72b9defdacfa7 b8865f05676e64f3bec72b9defdacfa7    0.0    -91.7    -38.7      0.63 50 ALL
Freeway          8e0ab801b1705a740b476b7f588c6d16 8e0ab801b1705a740b476b7f588c6d16    0.0      0.0     29.6     26.22 50 NOOP UP DOWN
Frostbite        4ca73eb959299471788f0b685c3ba0b5 4ca73eb959299471788f0b685c3ba0b5    0.0     65.2   4334.7    383.46 50 ALL
Gopher           8f90590dba143d783df5a6cff2000e4d c16c79aad6272baffb8aae9a7fff0864 11.857    257.6   2412.5   5396.87 50 NOOP FIRE UP RIGHT LEFT UPFIRE RIGHTFIRE LEFTFIRE
Gravitar         4767356fa0ed3ebe21437b4473d4ee28 8ac18076d01a6b63acf6e2cab4968940    0.0    173.0   3351.4    308.46 49 ALL
Hero             fca4a5be1251927027f2c24774a02160 fca4a5be1251927027f2c24774a02160    0.0   1027.0  30826.4  17092.12 50 ALL
IceHockey        47711c44723da5d67047990157dcb5dd a4c08c4994eb9d24fb78be1793e82e26  0.236    -11.2      0.9     -6.16 50 ALL
Jamesbond        e51030251e440cffaab1ac63438b44ae e51030251e440cffaab1ac63438b44ae    0.0     29.0    302.8    575.05 50 ALL
JourneyEscape    718ae62c70af4e5fd8e932fee216948a 718ae62c70af4e5fd8e932fee216948a    0.0        -        -  -3527.19 0 NOOP UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT RIGHTFIRE LEFTFIRE DOWNFIRE UPRIGHTFIRE UPLEFTFIRE DOWNRIGHTFIRE DOWNLEFTFIRE
Kangaroo         4326edb70ff20d0ee5ba58fa5cb09d60 4326edb70ff20d0ee5ba58fa5cb09d60    0.0     52.0   3035.0  11573.89 50 ALL
Krull            cc724ebe74a109e39c0b2784ddc980ca 4baada22435320d185c95b7dd2bcdb24    0.0   1598.0   2665.5   6048.28 50 ALL
KungFuMaster     0b4e793c9425175498f5a65a3e960086 5b92a93b23523ff16e2789b820e2a4c5    0.0    258.5  22736.3  22818.91 50 NOOP UP RIGHT LEFT DOWN DOWNRIGHT DOWNLEFT RIGHTFIRE LEFTFIRE DOWNFIRE UPRIGHTFIRE UPLEFTFIRE DOWNRIGHTFIRE DOWNLEFTFIRE
MontezumaRevenge 3347a6dd59049b15a38394aa2dafa585 3347a6dd59049b15a38394aa2dafa585    0.0      0.0   4753.3      0.02 0 ALL
MsPacman         9469d18238345d87768e8965f9f4a6b2 87e79cd41ce136fd4f72cc6e2c161bee    0.0    307.3   6951.6   3349.31 50 NOOP UP RIGHT LEFT DOWN UPRIGHT UPLEFT DOWNRIGHT DOWNLEFT
NameThisGame     f98d2276d4a25b286135566255aea9d0 36306070f0c90a72461551a7a4f3a209  0.343   2292.3   8049.0   7210.25 50 NOOP FIRE RIGHT LEFT RIGHTFIRE LEFTFIRE
Phoenix          7e52a95074a66640fcfde124fffd491a 7e52a95074a66640fcfde124fffd491a    0.0    761.4   7242.6   4967.02 50 NOOP FIRE RIGHT LEFT DOWN RIGHTFIRE LEFTFIRE DOWNFIRE
Pitfall          f73d2d0eff548e8fc66996f27acf2b4b 3e90cf23106f2e08b2781e41299de556  0.483   -229.4   6463.7    -58.69 0 ALL
Pong             60e0ea3cbe0913d39803477945e9e5ec 60e0ea3cbe0913d39803477945e9e5ec    0.0    -20.7     14.6     15.62 50 NOOP FIRE RIGHT LEFT RIGHTFIRE LEFTFIRE
Pooyan           668dc528b7ea9345140f4fcfbecf7066 4799a40b6e889370b7ee55c17ba65141 26.977        -        -   3260.70 50 NOOP FIRE UP DOWN UPFIRE DOWNFIRE
PrivateEye       ef3a4f64b6494ba770862768caf04b86 ef3a4f64b6494ba770862768caf04b86    0.0     24.9  69571.3    237.65 0 ALL
Qbert            484b0076816a104875e00467d431c2d2 484b0076816a104875e00467d431c2d2    0.0    163.9  13455.0   9910.57 50 NOOP FIRE UP RIGHT LEFT DOWN
Riverraid        da5096000db5fdaa8d02db57d9367998 393948436d1f4cc3192410bb918f9724  0.088   1338.5  17118.0  11200.34 50 ALL
RoadRunner       7d3cdde63b16fa637c4484e716839c94 ce5cc62608be2cd3ed8abd844efb8919 35.125     11.5   7845.0  37598.95 50 ALL
Robotank         4f618c2429138e0280969193ed6c107e 4f618c2429138e0280969193ed6c107e    0.0      2.2     11.9     59.72 50 ALL
Seaquest         240bfbac5163af4df5ae713985386f92 240bfbac5163af4df5ae713985386f92    0.0     68.4  42054.7   1512.97 50 ALL
Skiing           367411b78119299234772c08df10e134 b76fbadc8ffb1f83e2ca08b6fb4d6c9f 22.658 -17098.1  -4336.9 -15964.01 0 NOOP RIGHT LEFT
Solaris          e72eb8d4410152bdcb69e7fba327b420 e72eb8d4410152bdcb69e7fba327b420    0.0   1236.3  12326.7   1397.26 0 ALL
SpaceInvaders    61dbe94f110f30ca4ec524ae5ce2d026 72ffbef6504b75e69ee1045af9075f66    0.0    148.0   1668.7   1759.96 50 NOOP FIRE RIGHT LEFT RIGHTFIRE LEFTFIRE
StarGunner       a3c1c70024d7aabb41381adbfb6d3b25 a3c1c70024d7aabb41381adbfb6d3b25    0.0    664.0  10250.0  44099.08 49 ALL
Tennis           a5c96b046d5f8b7c96daaa12f925bef8 42cdd6a9e42a3639e190722b8ea3fc51 23.083    -23.8     -8.3     -1.79 0 ALL
TimePilot        fc2104dd2dadf9a6176c1c1c8f87ced9 fc2104dd2dadf9a6176c1c1c8f87ced9    0.0   3568.0   5229.2   3685.40 50 NOOP FIRE UP RIGHT LEFT DOWN UPFIRE RIGHTFIRE LEFTFIRE DOWNFIRE
Tutankham        66c2380c71709efa7b166621e5bb4558 085322bae40d904f53bdcc56df0593fc 32.898     11.4    167.6    106.46 0 NOOP UP RIGHT LEFT DOWN UPFIRE RIGHTFIRE LEFTFIRE
UpNDown          a499d720e7ee35c62424de882a3351b6 a499d720e7ee35c62424de882a3351b6    0.0    533.4  11693.2   8817.34 50 NOOP FIRE UP DOWN UPFIRE DOWNFIRE
Venture          c63a98ca404aa5ee9fcff1de488c3f43 3e899eba0ca8cd2972da1ae5479b4f0d    0.0      0.0   1187.5     40.84 0 ALL
VideoPinball     a2424c1a0c783d7585d701b1c71b5fdc 107cc025334211e6d29da0b6be46aec7 30.801  16256.9  17667.9  77725.37 50 NOOP FIRE UP RIGHT LEFT DOWN UPFIRE RIGHTFIRE LEFTFIRE
WizardOfWor      663ef22eb399504d5204c543b8a86bcd 7e8aa18bc9502eb57daaf5e7c1e94da7 23.679    563.5   4756.5   2064.82 50 NOOP FIRE UP RIGHT LEFT DOWN UPFIRE RIGHTFIRE LEFTFIRE DOWNFIRE
YarsRevenge      ee8027d554d14c8d0b86f94737d2fdcc c5930d0e8cdae3e037349bfa08e871be    0.0   3092.9  54576.9  23641.35 50 ALL
Zaxxon           eea0da9b987d661264cce69a7c13c3bd eea0da9b987d661264cce69a7c13c3bd    0.0     32.5   9173.3   4634.52 50 ALL
"""


def _read_table() -> dict[str, Game]:
    games = {}
    for line in _TABLE.strip().splitlines():
        name, legacy_md5, ale_md5, grey, random, human, dqn, shards, *actions = line.split()
        games[name] = Game(
            name,
            ALL_ACTIONS if actions == ["ALL"] else tuple(actions),
            legacy_md5,
            ale_md5,
            float(grey),
            None if random == "-" else float(random),
            None if human == "-" else float(human),
            float(dqn),
            int(shards),
        )
    return games


GAMES: dict[str, Game] = _read_table()
"""The 60 games by name, in alphabetical order."""

_BY_KEY = {name.lower(): game for name, game in GAMES.items()}


def find_game(name: str) -> Game:
    """Finds a game by name, in any spelling.

    `Space Invaders`, `SpaceInvaders`, `space-invaders` and `space_invaders` are the same game.

    Example:
      ```python
      game = tfds_atari_replay.find_game("space invaders")
      game.rom, game.actions  # "space_invaders", ("NOOP", "FIRE", ...)
      ```

    Returns:
      The game, one of `GAMES`.

    Raises:
      TypeError: the name is not a string.
      ValueError: there is no such game; the message suggests close names.
    """
    check_text("game", name)
    key = re.sub(r"[\s_-]", "", name).lower()
    if key in _BY_KEY:
        return _BY_KEY[key]
    close = [_BY_KEY[match].name for match in difflib.get_close_matches(key, _BY_KEY)]
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(f"Unknown game {name!r}.{hint} All names: tfds_atari_replay.GAMES.")
