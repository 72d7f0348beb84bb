"""Device profiles as typed TOML."""
