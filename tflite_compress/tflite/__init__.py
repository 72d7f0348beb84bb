"""Reading and rewriting the ``.tflite`` flatbuffer."""
