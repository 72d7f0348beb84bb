"""Read, validate, build and rewrite the ``.tflite`` flatbuffer."""
