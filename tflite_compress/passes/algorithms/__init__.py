"""Algorithms that passes run; a pass imports them when it is applied."""
