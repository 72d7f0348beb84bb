"""Draw a model's graph as PNG: the boxes and lines of the SVG file, by Pillow."""

from __future__ import annotations

import io

from tflite_compress.inspection.drawing import HEIGHT, WIDTH, box_of, layout
from tflite_compress.inspection.inspect_file import Inspection

SCALE, LARGE = 2, 16_000  # pixels per unit of the SVG file; higher drawings have one
SMALL, LINE, TEXT = 11, "#888888", "#222222"


def draw_png(found: Inspection) -> bytes:
    """Draw the main graph of a file.

    Args:
        found: Inspection of the file.

    Returns:
        The content of a PNG file.
    """
    from PIL import Image, ImageDraw, ImageFont

    graph = layout(found)
    scale = SCALE if graph.height <= LARGE else 1
    image = Image.new("RGB", (graph.width * scale, graph.height * scale), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(SMALL * scale)
    for first, second in graph.edges:
        (x1, y1), (x2, y2) = graph.places[first], graph.places[second]
        ends = (x1 + WIDTH // 2, y1 + HEIGHT, x2 + WIDTH // 2, y2)
        draw.line([scale * value for value in ends], fill=LINE, width=scale)
    for op in graph.rows:
        box, (x, y) = box_of(op), graph.places[op.index]
        corners = [scale * value for value in (x, y, x + WIDTH, y + HEIGHT)]
        draw.rounded_rectangle(corners, 5 * scale, fill=box.color, outline="#666666", width=scale)
        for text, left, line, anchor in (
            (box.title, x + 8, 18, "ls"),
            (box.shape, x + WIDTH - 8, 18, "rs"),
            (box.layer, x + 8, 36, "ls"),
        ):
            draw.text((left * scale, (y + line) * scale), text, fill=TEXT, font=font, anchor=anchor)
    stream = io.BytesIO()
    image.save(stream, format="png")
    return stream.getvalue()
