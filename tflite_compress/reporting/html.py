"""Render HTML templates; nothing in a page is loaded from a network."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from tflite_compress.support.version import tool_version

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

PACKAGE = "tflite_compress.reporting"


def markup(html: str) -> Markup:
    """Mark a string as HTML that is not escaped again."""
    from markupsafe import Markup

    return Markup(html)


def render(template: str, **values: object) -> str:
    """Render a template of this package; values are escaped unless they are markup.

    Args:
        template: Path below ``templates/``.
        **values: Values of its variables.
    """
    return _environment().get_template(template).render(**values)


def render_page(template: str, **values: object) -> str:
    """Render a whole page, with the style sheet and the script. The page's policy allows no other script."""
    folder = files(PACKAGE).joinpath("templates")
    css, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    own = {"css": markup(css), "script": markup(script), "script_hash": digest, "version": tool_version()}
    return render(template, **own, **values)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader(PACKAGE)
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
