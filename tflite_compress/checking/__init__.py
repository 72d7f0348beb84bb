"""Check whether a ``.tflite`` fits a device: operators, types, shapes, memory, latency."""
