"""The functions and classes that ``import tflite_compress`` offers."""
