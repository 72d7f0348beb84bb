"""Whether a ``.tflite`` fits a device: operators, types, shapes, memory, time."""
