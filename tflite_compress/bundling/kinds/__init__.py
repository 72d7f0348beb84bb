"""One module per kind of bundle; each registers itself."""
