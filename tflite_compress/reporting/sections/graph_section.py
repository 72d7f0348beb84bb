"""The network graph."""

from __future__ import annotations

from tflite_compress.reporting.graph_svg import GRAPH_CAPTION, network_graph
from tflite_compress.reporting.html import markup, render
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register


def to_html(found: Recorded) -> str | None:
    """Render the graph and its table."""
    details = found.report.details
    graph = network_graph(details.graph) if details is not None else None
    if graph is None:
        return None
    caption = f"{GRAPH_CAPTION} Times are those of the machine that ran the tool."
    return render("sections/graph.html", title="Network graph", caption=caption, graph=markup(graph))


SEE_INSPECT = NotShown("'tflite-compress inspect' prints operators and 'inspect --graph' draws them")
register(Section("graph", 68, to_html, SEE_INSPECT, SEE_INSPECT))
