"""The four networks of MLPerf Tiny as Keras 3 models with random weights."""

from __future__ import annotations

from typing import Any


def resnet8() -> Any:
    """Image classification: 32 x 32 x 3 pixels, 10 classes."""
    import keras

    layers = keras.layers

    def normed(x: Any, channels: int, size: int, stride: int) -> Any:
        x = layers.Conv2D(channels, size, stride, padding="same")(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(normed(inputs, 16, 3, 1))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = normed(layers.ReLU()(normed(x, channels, 3, stride)), channels, 3, 1)
        shortcut = x if stride == 1 else layers.Conv2D(channels, 1, stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def ds_cnn() -> Any:
    """Keyword spotting: 49 frames of 10 MFCCs, 12 classes."""
    import keras

    layers = keras.layers
    inputs = keras.Input((49, 10, 1))
    x = layers.Conv2D(64, (10, 4), 2, padding="same")(inputs)
    x = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization()(x)))
    for _ in range(4):
        x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(64, 1)(x)))
    x = layers.Flatten()(layers.AveragePooling2D((25, 5))(layers.Dropout(0.4)(x)))
    return keras.Model(inputs, layers.Dense(12, activation="softmax")(x))


def mobilenet_v1() -> Any:
    """Visual wake words: 96 x 96 x 3 pixels, width 0.25, 2 classes."""
    import keras

    layers = keras.layers
    inputs = keras.Input((96, 96, 3))
    x = layers.Conv2D(8, 3, 2, padding="same")(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    blocks = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for channels, stride in blocks:
        x = layers.DepthwiseConv2D(3, stride, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(channels, 1)(x)))
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x))


def autoencoder() -> Any:
    """Anomaly detection: 640 values of a log-mel spectrogram, restored."""
    import keras

    layers = keras.layers
    x = inputs = keras.Input((640,))
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(width)(x)))
    return keras.Model(inputs, layers.Dense(640)(x))
