"""Weight encodings that TFLite Micro's DECODE operator expands on the device."""
