"""Write the reference pages from the schema and the TOML files: ``python docs/generate.py``.

A test fails if ``recipes.md`` or ``devices.md`` differs from what this writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from tflite_compress.passes import all_passes
from tflite_compress.passes.training import Training
from tflite_compress.pipeline.recipes import Recipe, all_recipes
from tflite_compress.pipeline.setting_types import type_name
from tflite_compress.profiles.citations import Sources
from tflite_compress.profiles.devices import (
    Core,
    Device,
    Memory,
    Npu,
    Precisions,
    Runtime,
    all_devices,
)
from tflite_compress.scoring.head_registry import all_heads
from tflite_compress.scoring.metrics import Head
from tflite_compress.scoring.task_registry import all_tasks
from tflite_compress.support.docstrings import attribute_meanings, attribute_summary

HERE = Path(__file__).parent
TASKS_TEXT = [
    "A task says what an output of the model is, and which metrics score it. The first metric of each",
    "task is its default. `--task=` names the task, `--metric=` another metric, also as",
    "`module:function`. A model with several outputs takes one task for each, separated by commas:",
    "`--task=classification,regression`.",
    "",
    "Without `--task`, a task is inferred where the shapes of output and labels allow one only:",
    "segmentation for a class number per pixel, anomaly detection for a reconstruction of the input with",
    "one label 0 or 1 per sample, embeddings for vectors of length 1 with class numbers, sequence for",
    "labels of another length than the output, object detection for boxes. Otherwise the loss that the",
    "model was compiled with, the labels and the values decide between classes, yes-or-no values and",
    "numbers.",
]
HEADS_TEXT = [
    "The head says what the outputs hold. It is recognized where their shapes allow one only; `--head=`",
    "names it. Boxes above 2 are pixels of the model's input, others shares of its width and height. Scores",
    "outside 0 to 1 are logits. `--head=module:function` names a function of the outputs, a tuple of arrays",
    "(samples, ...), that returns boxes (samples, boxes, 4) as x_min, y_min, x_max, y_max from 0 to 1, and",
    "scores (samples, boxes, classes). Detections of a class that overlap a better one by more than 0.6 are",
    "removed (non-maximum suppression), except where a head leaves none. Without labels, detections of the",
    "original with a score of 0.3 stand for them.",
]
MADE = "<!-- Written by docs/generate.py from the schema; change the docstrings there, not this page. -->"
TABLES = {
    Device: "",
    Core: "core",
    Npu: "npu",
    Memory: "memory",
    Precisions: "precisions",
    Runtime: "runtime",
    Sources: "sources",
}


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {"recipes.md": recipes_page(), "devices.md": devices_page(), "tasks.md": tasks_page()}


def recipes_page() -> str:
    """Every bundled recipe, and every setting of every pass."""
    lines = ["# Recipes and passes", "", MADE, "", *RECIPES_TEXT, ""]
    lines += ["| recipe | result | passes | fallbacks |", "|---|---|---|---|"]
    for recipe in all_recipes():
        chain = " → ".join(p.tag() for p in recipe.passes)
        lines.append(f"| `{recipe.name}` | {_cell(recipe.summary)} | {chain} | {len(recipe.fallbacks)} |")
    lines += ["", "## The file", "", *_table(Recipe), "", "## Passes"]
    for kind in all_passes().values():
        lines += ["", f"### {kind.tag()}", "", _cell(attribute_summary(kind)), "", *_table(kind)]
    return "\n".join(lines) + "\n"


def tasks_page() -> str:
    """Every task with its metrics."""
    lines = ["# Tasks and metrics", "", MADE, "", *TASKS_TEXT]
    for task in all_tasks().values():
        lines += [
            "",
            f"## {task.name}",
            "",
            f"The output is {task.summary}. `--task={task.name}` takes {task.takes}.",
        ]
        lines += [f"Distillation loss: {task.loss}.", "", "| metric | meaning | better | range | unit |"]
        lines += ["|---|---|---|---|---|"]
        for metric in task.metrics(Head("regression", False)):
            better = "higher" if metric.higher_is_better else "lower"
            ends = ("no limit" if end is None else f"{end:g}" for end in (metric.lowest, metric.highest))
            name = metric.name + (" (needs labels)" if metric.needs_labels else "")
            lines += [
                f"| {name} | {_cell(metric.meaning)} | {better} | {' to '.join(ends)} | {metric.unit} |"
            ]
        if task.joint is not None:
            lines += ["", *HEADS_TEXT, "", "| head | outputs |", "|---|---|"]
            lines += [f"| `{head.name}` | {_cell(head.summary)} |" for head in all_heads().values()]
    return "\n".join(lines) + "\n"


def devices_page() -> str:
    """Every bundled device, and every key of a profile."""
    lines = ["# Device profiles", "", MADE, "", *DEVICES_TEXT, ""]
    lines += [
        "| device | | kind | core | flash | RAM | runtime | recipe |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for device in all_devices():
        cells = (
            f"`{device.name}`",
            device.title,
            device.kind,
            device.core.name,
            _bytes(device.memory.flash_bytes),
            _bytes(device.memory.ram_bytes),
            device.runtime.name,
            device.default_recipe,
        )
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    for struct, table in TABLES.items():
        lines += [
            "",
            f"## `[{table}]`" if table else "## Top of the file",
            "",
            _cell(attribute_summary(struct)),
            "",
            *_table(struct),
        ]
    return "\n".join(lines) + "\n"


def _table(struct: Any) -> list[str]:
    """The settings of a struct: name, type with its bounds, default, meaning."""
    hints = get_type_hints(struct, include_extras=True)
    meanings = attribute_meanings(struct)
    fields = msgspec.structs.fields(struct)
    if not fields:
        return ["No settings."]
    rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for field in fields:
        if isinstance(field.default, Training):
            rows += _training_rows(struct.usual_training)
            continue
        default = "required" if field.required else f"`{_shown(field.default)}`"
        values = _cell(type_name(hints[field.name]))
        rows.append(f"| `{field.name}` | {values} | {default} | {_cell(meanings.get(field.name, ''))} |")
    return rows


def _training_rows(usual: Training) -> list[str]:
    """The keys of the table ``training`` with a pass's defaults."""
    hints = get_type_hints(Training, include_extras=True)
    rows = []
    for name, meaning in attribute_meanings(Training).items():
        values = _cell(type_name(hints[name]))
        rows.append(f"| `training.{name}` | {values} | `{getattr(usual, name)}` | {_cell(meaning)} |")
    return rows


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "or").strip()


def _shown(default: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, tuple):
        return str(list(default))
    return str(default).lower() if isinstance(default, bool) else str(default)


def _bytes(number: int | None) -> str:
    from tflite_compress.support.quantities import format_bytes as size

    return "-" if number is None else size(number)


RECIPES_TEXT = [
    "A recipe is a TOML file: a list of passes, and fallbacks for results with too large an accuracy drop.",
    "`tflite-compress recipes NAME` prints a bundled recipe. Pass your own as `--recipe=mine.toml`.",
    "Every setting is also an option: `--sparsity=0.6`, or `--prune.epochs=8` if several passes have it.",
    "",
    "```toml",
    'name = "mine"',
    'summary = "60 % of the weights zero, then int8"',
    "",
    "[[passes]]",
    'pass = "prune"',
    "sparsity = 0.6",
    "",
    "[[passes]]",
    'pass = "convert"',
    'precision = "int8"',
    "",
    "[[fallbacks]]",
    "sparsity = 0.4",
    "```",
    "",
    "Exactly one pass is `convert`. Passes that train come before it, `slim` and `encode` after it.",
]
DEVICES_TEXT = [
    "A profile is a TOML file of facts; each group has its source. `tflite-compress devices NAME` prints a",
    "bundled profile. Pass your own as `--device=board.toml`; start from the most similar bundled profile.",
]

if __name__ == "__main__":
    main()
