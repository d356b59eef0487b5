"""The command line, `atari-replay` or `python -m tfds_atari_replay`. One command a module."""
