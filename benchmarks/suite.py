"""This tool beside three others, on the same models and data: one command, written to docs/results.md.

    python benchmarks/suite.py FOLDER

Models: two CNNs on Fashion-MNIST, a Conv1D-LSTM on spoken words (spoken.py), MobileNetV2 at 96 x 96
(mobilenet.py). Tools: TFLiteConverter alone, litert-quantizer alone, TF-MOT as in its pruning and
quantization tutorials, this tool. Each makes its file in a process of its own, one after the other; then all
files of a model are timed interleaved. FOLDER keeps finished models and files, so an interrupted run goes on.
About an hour on 2 cores. Needs: apt-get install dataset-fashion-mnist espeak-ng
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fashion
import mobilenet
import numpy as np
import spoken
from accuracy import top_1
from results import write_section

FINE_TUNING = 20_000  # of the 60,000 training images, for the tools that train
MODELS = {
    "fashion_cnn": "depthwise CNN, Fashion-MNIST",
    "resnet8": "ResNet8, Fashion-MNIST",
    "spoken": "Conv1D-LSTM, spoken words",
    "mobilenetv2_96": "MobileNetV2 0.35, 96x96",
}
TOOLS = {
    "float32": "float32, converter",
    "converter": "TFLiteConverter, int8",
    "quantizer": "litert-quantizer, int8",
    "ours-int8": "tflite-compress, int8",
    "tfmot-prune": "TF-MOT, 80 % pruned, int8",
    "ours-prune-int8": "tflite-compress, prune-int8, 80 %",
    "tfmot-qat": "TF-MOT, QAT",
    "ours-channel-prune-int8": "tflite-compress, channel-prune-int8",
}


def prepare(folder: Path) -> None:
    """Make data and train models that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)

    def some(path: Path) -> None:
        fashion.save_npz(path, FINE_TUNING)

    makers: dict[str, tuple[Any, Any]] = {
        "fashion_cnn": (some, lambda path, data: fashion.train(path, 5)),
        "resnet8": (some, lambda path, data: fashion.train(path, 5, fashion.build_resnet8)),
        "spoken": (spoken.save_npz, spoken.train),
        "mobilenetv2_96": (mobilenet.save_npz, mobilenet.train),
    }
    for name, (make_data, train) in makers.items():
        data, model = folder / f"{name}.npz", folder / f"{name}.keras"
        if not data.exists():
            make_data(data)
        if not model.exists():
            train(model, data)


def made(folder: Path, model: str, tool: str) -> dict[str, Any]:
    """What a tool made of a model, in a process of its own, now or earlier."""
    record = folder / f"{model}-{tool}.json"
    if not record.exists():
        print(f"{model}: {tool}", flush=True)
        command = [sys.executable, str(Path(__file__).with_name("jobs.py")), str(folder), model, tool]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["?"])[-1]
            record.write_text(json.dumps({"error": why[:300]}))
        else:
            record.write_text(done.stdout.strip().splitlines()[-1])
    found = dict(json.loads(record.read_text()))
    if "error" not in found and "top1" not in found:
        with np.load(folder / f"{model}.npz") as data:
            x, y = data["x_test"].astype(np.float32), data["y_test"]
        found["top1"] = top_1((folder / f"{model}-{tool}.tflite").read_bytes(), x, y)
        record.write_text(json.dumps(found))
    return found


def ratios(folder: Path, model: str, tools: list[str]) -> dict[str, str]:
    """Latency of each file relative to the converter's int8 file, all timed interleaved."""
    from tflite_compress.timing.benchmark import benchmark

    paths = {tool: folder / f"{model}-{tool}.tflite" for tool in tools}
    others = [path for tool, path in paths.items() if tool != "converter"]
    found = benchmark(paths["converter"], *others, kernels=["xnnpack"], seconds=3)
    by_name = {c.name: c.ratio for c in found.comparisons if c.what == "file"}
    words = {}
    for tool, path in paths.items():
        interval = next((r for name, r in by_name.items() if path.name in name), None)
        words[tool] = "1.00" if interval is None else f"{interval.value:.2f}"
    return words


def main(folder: Path) -> None:
    """Make, score and time everything, and write the table."""
    prepare(folder)
    rows = [
        "| model | tool | bytes | gzip bytes | top-1 | accuracy drop, points | latency ratio | seconds | "
        "peak "
        "memory, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model, title in MODELS.items():
        found = {tool: made(folder, model, tool) for tool in TOOLS}
        there = [tool for tool, record in found.items() if "error" not in record]
        latency = ratios(folder, model, there)
        base = found["float32"]["top1"]
        for tool, record in found.items():
            if "error" in record:
                rows.append(f"| {title} | {TOOLS[tool]} | {record['error'].replace('|', '/')} | | | | | | |")
                continue
            content = (folder / f"{model}-{tool}.tflite").read_bytes()
            cells = (
                title,
                TOOLS[tool],
                f"{len(content):,}",
                f"{len(gzip.compress(content, 9)):,}",
                f"{100 * record['top1']:.2f}",
                f"{100 * (base - record['top1']):+.2f}",
                latency[tool],
                f"{record['seconds']:.0f}",
                f"{record['peak_mb']:,.0f}",
            )
            rows.append(f"| {' | '.join(cells)} |")
    write_section("Recipes compared with other tools", [*TEXT, "", *rows])


TEXT = [
    "Written by `benchmarks/suite.py`. Each tool gets the same trained model, training data and 256 "
    "calibration "
    "samples.",
    "",
    "- Accuracy drop: relative to the float32 file, on 10,000 Fashion-MNIST images, 2,560 spoken words or "
    "4,000 "
    "enlarged images.",
    "- Latency ratio: relative to the converter's int8 file. LiteRT with XNNPACK, 1 thread, this machine, "
    "all "
    "files of a model interleaved.",
    "- Seconds: from the model file to the `.tflite`, with training, without the import of TensorFlow. For "
    "tflite-compress they include evaluation and latency measurement.",
    "- Peak memory: of the process, with TensorFlow and the training data; 1 MB = 1,048,576 bytes.",
    "",
    "TF-MOT does not accept Keras 3 models, so it gets the tf_keras copy that this tool makes. It prunes "
    "from 50 "
    "to 80 % in 2 epochs, or trains 1 epoch with simulated quantization, with Adam's defaults, as in its "
    "tutorials. Tools that train use 20,000 of the 60,000 training images of Fashion-MNIST, all spoken "
    "words, or "
    "6,000 enlarged images. litert-quantizer keeps the LSTM in float32.",
    "",
    "MobileNetV2 was trained for six epochs: at 48 x 48 pixels, then at 96 x 96, without ImageNet weights. "
    "It "
    "had not converged, so further training raises its accuracy. This explains the negative accuracy drops.",
]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
