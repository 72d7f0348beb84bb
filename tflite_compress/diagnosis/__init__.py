"""Find why a quantized model loses accuracy: check the data, then compare layer by layer."""
