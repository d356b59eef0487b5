"""`python -m tfds_atari_replay`."""

import sys

from tfds_atari_replay import cli

if __name__ == "__main__":
    sys.exit(cli.main())
