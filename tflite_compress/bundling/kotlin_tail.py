"""Kotlin that runs a model's post-processing from a file of its own, behind the model."""

from __future__ import annotations

from tflite_compress.bundling.gpu_parts import GpuParts
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature

# Per type: Kotlin's array, LiteRT's suffix of read and write methods, and Kotlin's conversion.
KOTLIN = {
    "FLOAT32": ("FloatArray", "Float", "toFloat"),
    "INT8": ("ByteArray", "Int8", "toByte"),
    "INT32": ("IntArray", "Int", "toInt"),
    "INT64": ("LongArray", "Long", "toLong"),
}

_WHOLE = {
    "tail_doc": "",
    "tail_property": "",
    "buffers": "    private val outputs = model.createOutputBuffers()",
    "invoke": "        model.run(inputs, outputs)",
    "tail_close": "",
    "tail_file": "",
    "tail_create": "",
    "tail_argument": "",
    "tail_row": "",
    "tail_section": "",
}
_README = """
The post-processing is a file of its own, because the GPU refuses {names}. The class runs it on the CPU
behind the model, and passes {bytes} bytes on. `run_both.py` does the same in Python. `bundle --keep-graph`
writes one file.
"""


def tail_fragments(name: str, parts: GpuParts | None) -> dict[str, str]:
    """Return what the templates of an Android bundle insert for one or two files.

    Args:
        name: Name of the model.
        parts: Both files; None if the bundle has one.
    """
    if parts is None:
        return _WHOLE
    split, file = parts.split, f"{name}_tail.tflite"
    passed = "\n".join(
        f"        tailInputs[{i}].write{kind}(middle[{i}].read{kind}())"
        for i, spec in enumerate(read_signature(split.tail).inputs)
        for _, kind, _ in [KOTLIN[spec.type]]
    )
    return {
        "tail_doc": "\n * Its post-processing is a file of its own, which runs on the CPU.",
        "tail_property": "\n    private val tail: CompiledModel,",
        "buffers": (
            "    private val middle = model.createOutputBuffers()\n"
            "    private val tailInputs = tail.createInputBuffers()\n"
            "    private val outputs = tail.createOutputBuffers()"
        ),
        "invoke": f"        model.run(inputs, middle)\n{passed}\n        tail.run(tailInputs, outputs)",
        "tail_close": (
            "\n        middle.forEach { it.close() }"
            "\n        tailInputs.forEach { it.close() }\n        tail.close()"
        ),
        "tail_file": f'\n        const val TAIL = "{file}"',
        "tail_create": (
            "\n            val tailOptions = CompiledModel.Options(Accelerator.CPU)"
            "\n            val tail = CompiledModel.create(context.assets, TAIL, tailOptions)"
        ),
        "tail_argument": "tail, ",
        "tail_row": f"\n| `app/src/main/assets/{file}` | its post-processing, for the CPU |"
        "\n| `run_both.py` | runs both files in Python |",
        "tail_section": _README.format(names=parts.names, bytes=f"{split.passed_bytes:,}"),
    }


def output_buffers(outputs: tuple[FileTensorSpec, ...], parts: GpuParts | None) -> list[str]:
    """Return the Kotlin buffer of each output of the model.

    Args:
        outputs: The model's outputs.
        parts: Both files; None if the bundle has one.
    """
    if parts is None:
        return [f"outputs[{i}]" for i in range(len(outputs))]
    buffers = {"head": "middle", "tail": "outputs"}
    return [f"{buffers[source.part]}[{source.place}]" for source in parts.split.outputs]
