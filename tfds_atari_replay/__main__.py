"""`python -m tfds_atari_replay`."""

import sys

from tfds_atari_replay.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
