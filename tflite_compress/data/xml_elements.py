"""XML with the line of each element. Document types and entities are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from tflite_compress.support.errors import DataError


@dataclass
class XmlElement:
    """An element.

    Attributes:
        name: Its tag.
        line: The line where it begins, from 1.
        text: The text in it, without that of its children.
        children: The elements in it.
    """

    name: str
    line: int
    text: str = ""
    children: list[XmlElement] = field(default_factory=list)

    def all(self, name: str) -> list[XmlElement]:
        """Return the children with a tag."""
        return [child for child in self.children if child.name == name]

    def find(self, name: str) -> XmlElement | None:
        """Return the first child with a tag; None if there is none."""
        return next(iter(self.all(name)), None)


def read_xml(path: Path) -> XmlElement:
    """Return the root element of a file.

    Raises:
        DataError: The file is missing, is not well-formed, or declares a document type.
    """
    parser = expat.ParserCreate()
    root = XmlElement("", 0)
    opened = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = XmlElement(name, parser.CurrentLineNumber)
        opened[-1].children.append(element)
        opened.append(element)

    def end(name: str) -> None:
        opened.pop()

    def text(part: str) -> None:
        opened[-1].text += part

    def refuse(*declared: object) -> None:
        raise DataError(
            f"{path}: line {parser.CurrentLineNumber} declares a document type, which may hide entities",
            "Remove the line that begins with <!DOCTYPE.",
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "unknown")
        raise DataError(
            f"{path}: line {error.lineno} is not XML ({reason})", "Repair the file, or export it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error
    return root.children[0]
