"""Draw the network graph as PNG by Pillow: the boxes, lines and texts of the SVG file."""

from __future__ import annotations

import io
from collections.abc import Sequence

from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.reporting.graph_drawing import ARROW, BOX, HIGH, lay_out
from tflite_compress.reporting.graph_texts import PAPER, box_texts, precision_of

SCALE, LARGE = 2, 60_000_000  # pixels per unit of the SVG file; drawings of more pixels have one
SMALL, LINE, TEXT = 11, "#77828d", "#222222"


def graph_png(operators: Sequence[NetworkOperator]) -> bytes:
    """Draw operators.

    Args:
        operators: See :func:`tflite_compress.reporting.network_operators.read_operators`.

    Returns:
        The content of a PNG file.
    """
    from PIL import Image, ImageDraw, ImageFont

    drawing = lay_out(operators)
    scale = SCALE if SCALE**2 * drawing.width * drawing.height <= LARGE else 1
    image = Image.new("RGB", (drawing.width * scale, drawing.height * scale), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(SMALL * scale)
    for line in drawing.lines:
        draw.line([scale * value for corner in line for value in corner], fill=LINE, width=scale)
    for x, y in {line[-1] for line in drawing.lines}:
        head = (x, y, x - ARROW, y - 2 * ARROW, x + ARROW, y - 2 * ARROW)
        draw.polygon([scale * value for value in head], fill=LINE)
    for op, (x, y), (label_x, label_y) in zip(operators, drawing.boxes, drawing.labels, strict=True):
        texts = box_texts(op)
        corners = [scale * value for value in (x, y, x + BOX, y + HIGH)]
        draw.rounded_rectangle(corners, 5 * scale, fill=PAPER[precision_of(op)], outline=LINE, width=scale)
        for text, left, base, anchor in (
            (texts.operator, x + 8, y + 18, "ls"),
            (texts.number, x + BOX - 8, y + 18, "rs"),
            (texts.layer, x + 8, y + 38, "ls"),
            (texts.figures, x + 8, y + 57, "ls"),
            (texts.precision, x + BOX - 8, y + 57, "rs"),
            (texts.shape, label_x, label_y, "ls"),
        ):
            draw.text((left * scale, base * scale), text, fill=TEXT, font=font, anchor=anchor)
    stream = io.BytesIO()
    image.save(stream, format="png")
    return stream.getvalue()
