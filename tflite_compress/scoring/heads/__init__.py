"""Layouts of detectors: one module per head."""
