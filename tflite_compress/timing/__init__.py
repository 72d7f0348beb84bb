"""Timing models in processes of their own, in turns, and saying what the figures allow to say."""
