"""Training, calibration and evaluation data."""
