"""Prepared datasets, read without TensorFlow."""
