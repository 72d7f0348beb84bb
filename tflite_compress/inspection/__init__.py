"""Inspect a ``.tflite``: operators, weights, sizes."""
