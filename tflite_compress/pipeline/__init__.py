"""Recipes, plans and candidates: which passes run, and what is tried if accuracy drops."""
