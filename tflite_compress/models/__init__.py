"""Loading Keras models, and bringing them into the form passes work on."""
