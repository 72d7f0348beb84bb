"""Keras 3 models of every kind the bridge must carry, by name."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


def models(keras: ModuleType) -> dict[str, Callable[[], Any]]:
    keras.utils.set_random_seed(7)  # the same weights in every run, whatever ran before
    layers, ops = keras.layers, keras.ops
    tensor, graph, stack = keras.Input, keras.Model, keras.Sequential

    @keras.saving.register_keras_serializable("zoo")
    class Scale(keras.layers.Layer):  # type: ignore[misc,name-defined]
        def build(self, shape: Any) -> None:
            self.factor = self.add_weight(shape=(shape[-1],), initializer="random_normal")

        def call(self, x: Any) -> Any:
            return x * self.factor

    def multi_input() -> Any:
        a, b = tensor((8,), name="a"), tensor((4,), name="b")
        return graph([a, b], layers.Dense(3)(layers.Concatenate()([layers.Dense(4)(a), b])))

    def dict_ports() -> Any:
        a, b = tensor((8,), name="a"), tensor((4,), name="b")
        return graph({"b": b, "a": a}, {"z": layers.Dense(3)(a), "y": layers.Dense(2)(b)})

    def multi_output() -> Any:
        a = tensor((8,))
        h = layers.Dense(5, activation="relu")(a)
        return graph(a, [layers.Dense(2, name="p")(h), layers.Dense(1, name="q")(h)])

    def nested_and_shared() -> Any:
        inner = stack([tensor((8,)), layers.Dense(6, activation="silu"), layers.BatchNormalization()])
        a, b = tensor((8,)), tensor((8,))
        return graph([a, b], layers.Dense(2)(layers.Subtract()([inner(a), inner(b)])))

    def shared_layer() -> Any:
        dense, a = layers.Dense(8, activation="tanh"), tensor((8,))
        return graph(a, dense(dense(a)))

    def lstm() -> Any:
        return stack(
            [
                tensor((10, 4)),
                layers.LSTM(8, return_sequences=True),
                layers.Bidirectional(layers.LSTM(5)),
                layers.Dense(2),
            ]
        )

    def gru() -> Any:
        return stack(
            [
                tensor((10, 4)),
                layers.GRU(8, return_sequences=True),
                layers.GRU(5, reset_after=False),
                layers.Dense(2),
            ]
        )

    def encoder_decoder() -> Any:
        a, d = tensor((6, 4)), tensor((5, 3))
        _, h, c = layers.LSTM(7, return_state=True)(a)
        y = layers.LSTM(7, return_sequences=True)(d, initial_state=[h, c])
        return graph([a, d], layers.TimeDistributed(layers.Dense(2))(y))

    def stacked_cells() -> Any:
        return stack([tensor((10, 4)), layers.RNN([layers.LSTMCell(4), layers.LSTMCell(3)]), layers.Dense(2)])

    def conv1d() -> Any:
        return stack(
            [
                tensor((32, 3)),
                layers.Conv1D(8, 3, padding="causal", dilation_rate=2),
                layers.SeparableConv1D(6, 3),
                layers.MaxPooling1D(),
                layers.GlobalAveragePooling1D(),
                layers.Dense(2),
            ]
        )

    def conv2d_transpose() -> Any:
        return stack(
            [
                tensor((8, 8, 3)),
                layers.Conv2DTranspose(8, 3, strides=2, padding="same"),
                layers.LeakyReLU(0.1),
                layers.PReLU(),
                layers.UpSampling2D(interpolation="bilinear"),
                layers.Conv2D(3, 1),
            ]
        )

    def embedding() -> Any:
        return stack(
            [
                tensor((12,), dtype="int32"),
                layers.Embedding(50, 8, mask_zero=True),
                layers.LSTM(6),
                layers.Dense(1, activation="sigmoid"),
            ]
        )

    def attention() -> Any:
        a = tensor((10, 16))
        x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 8)(a, a) + a)
        return graph(a, layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.Attention()([x, x]))))

    def operations() -> Any:
        a = tensor((8, 8, 3))
        x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1, 2, 3])(layers.Resizing(16, 16)(a))
        x = layers.GroupNormalization(2)(layers.Conv2D(4, 3, activation="hard_sigmoid")(x))
        x = 1.0 - (ops.relu6(x) * 2.0 + 1.0)
        x = ops.mean(ops.concatenate([x, x], axis=-1), axis=(1, 2))[:, 1:5]
        return graph(a, layers.Softmax()(layers.Dense(4, activation="leaky_relu")(x)))

    def custom_layer() -> Any:
        a, scale = tensor((6,)), Scale()
        return graph(a, scale(scale(layers.Dense(6)(a))))

    def free_size() -> Any:
        return stack(
            [
                tensor((None, None, 3)),
                layers.Conv2D(4, 3, padding="same"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(2),
            ]
        )

    def conv_lstm() -> Any:
        return stack([tensor((4, 8, 8, 2)), layers.ConvLSTM2D(3, 3), layers.Flatten(), layers.Dense(2)])

    return {name: value for name, value in locals().items() if callable(value) and name in NAMES}


NAMES = (
    "multi_input dict_ports multi_output nested_and_shared shared_layer lstm gru encoder_decoder "
    "stacked_cells conv1d conv2d_transpose embedding attention operations custom_layer free_size conv_lstm"
).split()
