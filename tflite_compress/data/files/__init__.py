"""Kinds of files and folders with samples, one module each; see :mod:`tflite_compress.data.file_source`."""
