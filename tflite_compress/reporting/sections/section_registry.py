"""What a section is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tflite_compress.reporting.recorded import Recorded


@dataclass(frozen=True)
class NotShown:
    """States that a section is not shown in a medium.

    Attributes:
        reason: Why.
    """

    reason: str


Renderer = Callable[[Recorded], str | None]


@dataclass(frozen=True)
class Section:
    """A part of the report as people see it.

    A renderer returns None where a result has nothing to show.

    Attributes:
        name: Its name.
        order: Place among the sections; lower comes first.
        to_html: Renders it for the page.
        to_markdown: Renders it for ``report.md``.
        to_terminal: Renders it as lines for the terminal.
    """

    name: str
    order: int
    to_html: Renderer | NotShown
    to_markdown: Renderer | NotShown
    to_terminal: Renderer | NotShown


REGISTERED: list[Section] = []


def register(section: Section) -> None:
    """Add a section to every medium.

    Raises:
        ValueError: Another section has the same name or place.
    """
    if any(section.name == other.name or section.order == other.order for other in REGISTERED):
        raise ValueError(f"section '{section.name}' (order {section.order}) is registered twice")
    REGISTERED.append(section)


def render_sections(sections: tuple[Section, ...], medium: str, found: Recorded) -> list[str]:
    """Render the sections that have something to show.

    Args:
        sections: The sections, in order.
        medium: ``html``, ``markdown`` or ``terminal``.
        found: The result.
    """
    renderers = [getattr(section, f"to_{medium}") for section in sections]
    texts = [renderer(found) for renderer in renderers if not isinstance(renderer, NotShown)]
    return [text for text in texts if text]
