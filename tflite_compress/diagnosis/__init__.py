"""Why a quantized model loses accuracy: the data first, then layer by layer."""
