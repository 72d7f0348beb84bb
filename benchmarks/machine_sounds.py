"""Sounds of machines, made by arithmetic: fans with harmonics and noise, and the same with a fault."""

from __future__ import annotations

from typing import Any

import numpy as np

RATE, FFT, HOP, MELS, FRAMES = 16_000, 1_024, 512, 128, 5  # as in MLPerf Tiny's anomaly detection
SECONDS = 1.5
MACHINES = 4


def clip(rng: np.random.Generator, is_faulty: bool) -> np.ndarray:
    """Return one recording of a machine, shape (samples,).

    A fault is a whine, a knock of a bearing, or a change of the harmonics.
    """
    machine = np.random.default_rng(int(rng.integers(MACHINES)))
    time = np.arange(int(RATE * SECONDS)) / RATE
    speed = machine.uniform(40, 160) * rng.normal(1, 0.02)
    weights = machine.exponential(1, 16) / np.arange(1, 17) ** 0.7 * np.exp(rng.normal(0, 0.15, 16))
    fault = int(rng.integers(3)) if is_faulty else None
    if fault == 2:
        weights[3:12] *= np.exp(rng.normal(0, 1.0, 9))
    phases = rng.uniform(0, 2 * np.pi, 16)
    harmonics = np.arange(1, 17)[:, None]
    sound = (weights[:, None] * np.sin(2 * np.pi * speed * harmonics * time + phases[:, None])).sum(0)
    noise = rng.normal(size=len(time))
    color = machine.uniform(0.5, 0.97)
    for _ in range(2):
        noise = noise - color * np.concatenate([[0.0], noise[:-1]])
    sound = sound * (1 + 0.2 * np.sin(2 * np.pi * machine.uniform(1, 6) * time)) + 0.3 * noise
    if fault == 0:
        sound += 0.25 * np.sin(2 * np.pi * rng.uniform(1_500, 6_000) * time)
    if fault == 1:
        knocks = (time * rng.uniform(8, 30)) % 1 < 0.03
        sound += 1.2 * knocks * rng.normal(size=len(time))
    background = rng.normal(size=len(time)) * rng.uniform(0.05, 0.6)
    return np.asarray((sound + background) * np.exp(rng.normal(0, 0.2)), np.float32)


def log_mels(sounds: np.ndarray) -> np.ndarray:
    """Return log-mel spectrograms in dB, shape (clips, frames, MELS)."""
    import tensorflow as tf

    to_mels: Any = tf.signal.linear_to_mel_weight_matrix(MELS, FFT // 2 + 1, RATE, 0, RATE / 2)
    spectrum = tf.abs(tf.signal.stft(sounds, FFT, HOP)) ** 2
    return np.asarray(10 * np.log10(np.asarray(spectrum @ to_mels) + 1e-6), np.float32)


def windows(count: int, is_faulty: bool, seed: int) -> np.ndarray:
    """Return windows of FRAMES frames from random places of recordings, shape (count, FRAMES * MELS).

    They are scaled to about -1 to 1.
    """
    rng = np.random.default_rng(seed)
    per_clip = 16
    mels = log_mels(np.stack([clip(rng, is_faulty) for _ in range(-(-count // per_clip))]))
    starts = rng.integers(0, mels.shape[1] - FRAMES, (len(mels), per_clip))
    found = [m[s : s + FRAMES].reshape(-1) for m, row in zip(mels, starts, strict=True) for s in row]
    return np.asarray((np.stack(found[:count]) - 10) / 30, np.float32)
