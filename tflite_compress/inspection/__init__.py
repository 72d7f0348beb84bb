"""Looking into a ``.tflite``: operators, weights, and where the bytes go."""
