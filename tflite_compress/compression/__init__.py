"""Compress one model for any number of devices."""
