"""Spoken command words, made by espeak-ng, as log-mel features, and the Conv1D-LSTM that tells them apart.

Install the voice with: apt-get install espeak-ng. Test words are spoken by voices that training never heard,
and every word lies in noise of its own.
"""

from __future__ import annotations

import io
import itertools
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-029")
TRAIN_VOICES = ("m1", "m2", "m3", "m4", "m5", "f1", "f2", "f3", "f4", "Alex", "linda")
TEST_VOICES = ("m7", "m8", "f5", "Annie")
PITCHES, SPEEDS = (30, 45, 60, 75), (130, 160, 190, 220)
RATE, FRAME, HOP, MELS, FRAMES = 22050, 512, 352, 40, 61


def spoken(word: str, voice: str, pitch: int, speed: int) -> np.ndarray:
    """One word as samples from -1 to 1 at 22,050 Hz."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdout", word]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound)) as stream:
        assert stream.getframerate() == RATE
        # espeak writes to a pipe without knowing the length, so it is taken from what came.
        return np.frombuffer(sound[44:], np.int16).astype(np.float32) / 32768


def features(sound: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Log-mel energies of a second with the word somewhere in it, in noise; shape (61, 40)."""
    second = np.zeros(HOP * (FRAMES - 1) + FRAME, np.float32)
    sound = sound[: len(second)]
    start = generator.integers(0, len(second) - len(sound) + 1)
    second[start : start + len(sound)] = sound
    level = np.sqrt(np.mean(sound**2)) * 10 ** (-generator.uniform(0, 20) / 20)
    second += generator.standard_normal(len(second)).astype(np.float32) * level
    frames = np.lib.stride_tricks.sliding_window_view(second, FRAME)[::HOP] * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames)) ** 2
    return np.asarray(np.log(power @ _filters() + 1e-4), np.float32)


def _filters() -> np.ndarray:
    """Triangular filters evenly spaced on the mel scale, shape (257, 40)."""
    mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), MELS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(FRAME, 1 / RATE)[:, np.newaxis]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None)


def save_npz(path: Path) -> None:
    """Speak all words and write x_train, y_train, x_test, y_test."""
    arrays = {}
    for part, voices in (("train", TRAIN_VOICES), ("test", TEST_VOICES)):
        takes = list(itertools.product(range(len(WORDS)), ACCENTS, voices, PITCHES, SPEEDS))
        with ThreadPoolExecutor(4) as pool:
            sounds = pool.map(lambda t: spoken(WORDS[t[0]], f"{t[1]}+{t[2]}", t[3], t[4]), takes)
            generator = np.random.default_rng(len(part))
            arrays[f"x_{part}"] = np.stack([features(sound, generator) for sound in sounds])
        arrays[f"y_{part}"] = np.array([take[0] for take in takes])
    mean, spread = arrays["x_train"].mean(), arrays["x_train"].std()
    for part in ("train", "test"):
        arrays[f"x_{part}"] = (arrays[f"x_{part}"] - mean) / spread
    np.savez(path, allow_pickle=False, **arrays)


def train(path: Path, data: Path) -> None:
    """Train the network and save it."""
    from tflite_compress.support.backend import keras3

    keras = keras3()
    keras.utils.set_random_seed(0)
    layers = keras.layers

    def convolved(x: Any, channels: int, stride: int, name: str) -> Any:
        x = layers.Conv1D(channels, 3, strides=stride, padding="same", use_bias=False, name=name)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    inputs = keras.Input((FRAMES, MELS), name="features")
    x = convolved(convolved(inputs, 48, 1, "narrow"), 64, 2, "wide")
    x = layers.LSTM(48, name="memory")(x)
    outputs = layers.Dense(len(WORDS), activation="softmax", name="word")(x)
    model = keras.Model(inputs, outputs, name="spoken")
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
    with np.load(data) as archive:
        model.fit(archive["x_train"], archive["y_train"], batch_size=64, epochs=6, verbose=2)
        print("test", model.evaluate(archive["x_test"], archive["y_test"], verbose=0))
    model.save(path)
