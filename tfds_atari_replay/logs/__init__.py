"""Replay logs on disks and servers: finding, reading, inspecting and writing them.

Nothing here knows TFDS or TensorFlow.
"""
