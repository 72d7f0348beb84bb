"""Channel pruning: groups of channels, their cost, the choice of what to remove, and the smaller model."""
