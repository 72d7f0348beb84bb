"""Errors, progress, files and child processes: what every other package may use."""
