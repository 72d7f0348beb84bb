"""What a run found out, as data, as a manifest, and as tables."""
