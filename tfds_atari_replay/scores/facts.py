"""How each game shows its score and where it keeps it, as one table.

Addresses in the RAM are from ALE's sources (src/games/supported/*.cpp), which compute the rewards
from them. Only `tools/learn_digits.py` needs them, to make pictures of known scores.
"""

from __future__ import annotations

from typing import NamedTuple


class Facts(NamedTuple):
    """How a game shows its score.

    Attributes:
      ram: its digits in the RAM, ones first. Each is a hexadecimal address and a coding: `l` or `h`
        for the lower or upper half of the byte, `x8` for the digit times 8, nothing for the digit
        itself; after `-` if it belongs to a number that is subtracted.
      unit: the points that a 1 in the lowest digit stands for.
      has_leading_zeros: whether unused high digits are shown as zeros rather than blank.
      divisor: all rewards and scores are multiples of it.
      largest: no step's reward is larger, as far as anyone knows.
      start: the score after a reset.
      lag: for how many steps after a reward a frame may show an older score, or a mixture.
      modulus: scores that differ by a multiple of it look the same; None if all look different.
      clipped_is_true: whether every reward is -1, 0 or 1, so that there is nothing to read.
      why_not: why the score cannot be read; empty if it can.
    """

    ram: tuple[str, ...]
    unit: int = 1
    has_leading_zeros: bool = False
    divisor: int = 1
    largest: int = 50_000
    start: int = 0
    lag: int = 1
    modulus: int | None = None
    clipped_is_true: bool = False
    why_not: str = ""


# Columns: game, unit, divisor, leading digits, start, modulus, digits in the RAM.
_TABLE = """
air_raid            1   1 blank 0     1000000 AAl AAh A9l A9h A8l A8h
alien              10  10 blank 0     1000000 8Bx8 89x8 87x8 85x8 83x8
amidar              1   1 blank 0     100000  D9l D9h DAl DAh DBl
assault             1   1 blank 0     1000000 82l 82h 81l 81h 80l 80h
asterix             1   1 blank 0     1000000 E0l E0h DFl DFh DEl DEh
asteroids          10  10 blank 0     100000  BEl BEh BDl BDh
atlantis          100 100 blank 0     -       A2l A2h A3l A3h A1l A1h
bank_heist          1   1 blank 0     1000000 DAl DAh D9l D9h D8l D8h
battle_zone      1000 1000 blank 0    1000000 9Dh 9El 9Eh
beam_rider          1   1 blank 0     1000000 89l 89h 8Al 8Ah 8Bl 8Bh
berzerk             1   1 blank 0     1000000 DFl DFh DEl DEh DDl DDh
bowling             1   1 blank 0     100     A1l A1h
boxing              1   1 blank 0     -       92l 92h -93l -93h
breakout            1   1 zeros 0     1000    CDl CDh CCl
carnival           10  10 zeros 0     100000  AEl AEh ADl ADh
centipede           1   1 blank 0     1000000 F6l F6h F5l F5h F4l F4h
chopper_command   100 100 blank 0     1000000 EEl EEh ECl ECh
crazy_climber     100 100 zeros 0     1000000 82 83 84 85
demon_attack        1   1 blank 0     1000000 85l 85h 83l 83h 81l 81h
elevator_action     1   1 blank 0     1000000 89l 89h 88l 88h 87l 87h
enduro              1   1 blank -200  300     -ABl -ABh -ACl
frostbite           1   1 blank 0     1000000 CAl CAh C9l C9h C8l C8h
gopher              1   1 blank 0     1000000 B2l B2h B1l B1h B0l B0h
gravitar            1   1 blank 0     1000000 89l 89h 88l 88h 87l 87h
hero                1   5 blank 0     1000000 B9l B9h B8l B8h B7l B7h
jamesbond           1   1 blank 0     1000000 DCl DCh DDl DDh DEl DEh
journey_escape      1   1 blank 50000 1000000 92l 92h 91l 91h 90l 90h
kangaroo          100 100 blank 0     1000000 A8l A8h A7l A7h
kung_fu_master      1   1 blank 0     1000000 9Al 9Ah 99l 99h 98l 98h
montezuma_revenge   1   1 blank 0     1000000 95l 95h 94l 94h 93l 93h
ms_pacman           1  10 blank 0     1000000 F8l F8h F9l F9h FAl FAh
name_this_game      1   1 blank 0     1000000 C6l C6h C5l C5h C4l C4h
phoenix            10  10 blank 0     1000000 C7h C8l C8h C9l C9h
pitfall             1   1 blank 2000  1000000 D7l D7h D6l D6h D5l D5h
pooyan              1   5 blank 0     1000000 8Al 8Ah 89l 89h 88l 88h
private_eye         1   1 blank 1000  1000000 CAl CAh C9l C9h C8l C8h
qbert               1   1 zeros 0     100000  DBl DBh DAl DAh D9l
riverraid           1   1 blank 0     1000000 D7x8 D5x8 D3x8 D1x8 CFx8 CDx8
road_runner       100 100 blank 0     1000000 C9l CAl CBl CCl
seaquest            1   1 blank 0     1000000 BAl BAh B9l B9h B8l B8h
solaris            10  10 blank 0     1000000 DCl DCh DDl DDh DEl
space_invaders      1   1 zeros 0     10000   E8l E8h E6l E6h
star_gunner       100 100 blank 0     1000000 83l 84l 85l 86l
time_pilot        100 100 blank 0     1000000 8Dl 8Dh 8Fl 8Fh
tutankham           1   1 blank 0     10000   9Cl 9Ch 9Al 9Ah
up_n_down           1  10 blank 0     1000000 82l 82h 81l 81h 80l 80h
venture           100 100 zeros 0     1000000 C8l C8h C7l C7h
video_pinball       1   1 blank 0     1000000 B0l B0h B2l B2h B4l B4h
wizard_of_wor     100 100 zeros 0     100000  86l 86h 88l
zaxxon            100 100 zeros 0     1000000 E9l E9h E8l E8h
"""

# A twentieth of the modulus in all other games, so that sums of up to 19 rewards are known.
# Hero and Qbert pay a bonus in dozens of consecutive steps; rewards of up to 1,020 were seen.
_LARGEST = {"bowling": 30, "breakout": 40, "enduro": 10, "hero": 2000, "qbert": 2000}

# Measured (docs/scores.md); 1 in all other games.
_LAGS = {"qbert": 2}

_CLIPPED_IS_TRUE = (
    "double_dunk",
    "fishing_derby",
    "freeway",
    "ice_hockey",
    "pong",
    "robotank",
    "tennis",
)

_NOT_READ = {
    "krull": "its number is centred, so digits move",
    "skiing": "its reward is the time, whose digits change within a step",
    "yars_revenge": "the score is shown only between two lives",
}


def _read_table() -> dict[str, Facts]:
    facts = {}
    for line in _TABLE.strip().splitlines():
        game, unit, divisor, leading, start, modulus, *ram = line.split()
        limit = None if modulus == "-" else int(modulus)
        facts[game] = Facts(
            ram=tuple(ram),
            unit=int(unit),
            has_leading_zeros=leading == "zeros",
            divisor=int(divisor),
            largest=_LARGEST.get(game, limit // 20 if limit else Facts._field_defaults["largest"]),
            start=int(start),
            lag=_LAGS.get(game, 1),
            modulus=limit,
        )
    facts |= {game: Facts((), clipped_is_true=True) for game in _CLIPPED_IS_TRUE}
    facts |= {game: Facts((), why_not=reason) for game, reason in _NOT_READ.items()}
    return dict(sorted(facts.items()))


FACTS: dict[str, Facts] = _read_table()
"""The facts of each of the 60 games, by `Game.rom`."""
