"""The runtimes that execute a ``.tflite``."""
