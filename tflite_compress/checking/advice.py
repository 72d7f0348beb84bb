"""Replacements for operators that a runtime does not have."""

from __future__ import annotations

_INSTEAD = {
    "GELU": "use activation 'relu6' or 'hard_silu' (hard_swish), or the tanh form of GELU, and fine-tune",
    "ERF": "use the tanh form of GELU: keras.activations.gelu(x, approximate=True)",
    "POW": "multiply, or use sqrt and square",
    "TILE": "use Concatenate, or let a broadcasting Add or Multiply repeat the values",
    "TOPK_V2": "select the largest entries in the application",
    "WHERE": "multiply by a mask",
    "SELECT": "multiply by a mask",
    "RANGE": "make the positions a constant input",
    "ONE_HOT": "use an Embedding or a Dense layer on class numbers",
    "REVERSE_SEQUENCE": "use keras.ops.flip on a fixed length",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "use two LSTM layers, one with go_backwards=True",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "use an LSTM layer, or unroll=True",
    "CONV_3D": "use Conv2D on frames joined as channels, or DepthwiseConv2D over time",
    "CONV_3D_TRANSPOSE": "use Conv2DTranspose on frames joined as channels",
    "REDUCE_PROD": "add logarithms",
    "SEGMENT_SUM": "use a Dense layer with constant weights",
    "SCATTER_ND": "use Concatenate and Pad",
    "LOCAL_RESPONSE_NORMALIZATION": "use BatchNormalization, which folds into the convolution",
    "RFFT2D": "compute the spectrum before the model, in the firmware's DSP library",
    "STABLEHLO_COMPOSITE": "convert without composites",
    "TRANSPOSE": "keep the channels last, so that no transpose is needed",
    "BATCH_MATMUL": "use Dense layers instead of attention",
    "GATHER": "use a Dense layer on one-hot rows instead of an Embedding",
    "SOFTMAX": "end the model before softmax and use the largest entry",
    "HARD_SWISH": "use activation 'relu6'",
    "GATHER_ND": "multiply by a one-hot matrix, or use slices",
    "BROADCAST_TO": "let Add or Multiply broadcast, or multiply by a matrix of ones",
    "EXPAND_DIMS": "use Reshape",
    "SQUEEZE": "use Reshape",
    "PAD": "use Concatenate with zeros",
    "ARG_MIN": "use ARG_MAX of the negative",
    "L2_NORMALIZATION": "divide by the square root of the sum of squares",
    "LOG_SOFTMAX": "use the logarithm of SOFTMAX, or end the model before it",
    "SPACE_TO_BATCH_ND": "use a convolution with strides instead of dilation, or depth-to-space",
    "BATCH_TO_SPACE_ND": "use a convolution with strides instead of dilation, or depth-to-space",
    "TFLM_DECODE": "use the plain file beside it (*.plain.tflite), or --encode=none",
}


def suggest_replacement(operator: str) -> str:
    """Return a hint on how to replace an operator that the device's runtime does not have."""
    known = _INSTEAD.get(operator)
    if known:
        return known
    if operator.startswith("Flex"):
        return "this is a TensorFlow operator outside TFLite: rewrite the layer with built-in Keras layers"
    return "replace the layer by one made of convolutions, dense layers, pooling or simple arithmetic"
