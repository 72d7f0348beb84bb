"""Search: which widths, bit widths, clusters and encodings give the best files within a drop and a budget."""
