"""Time models on this machine or a device, interleaved, with confidence intervals."""
