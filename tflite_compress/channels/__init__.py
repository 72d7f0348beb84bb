"""Channel pruning: which channels hang together, what they cost, which to remove, and the smaller model."""
