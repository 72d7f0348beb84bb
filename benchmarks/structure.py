"""Print the figures that describe the code's structure: ``python benchmarks/structure.py [--json]``."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tflite_compress"
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 40


def main() -> None:
    """Print one figure per line, or all of them as JSON."""
    found = figures()
    if "--json" in sys.argv[1:]:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{value:>6}  {name}")


def figures() -> dict[str, int]:
    """Return every figure by what it counts."""
    return {
        "isinstance tests of pass classes outside passes/": len(pass_tests()),
        "uses of Any outside import lines": sum(uses_of_any(path) for path in modules()),
        "modules beside packages at the top": len(top_modules()),
        "basenames that occur more than once": len(repeated_basenames()),
        "words in README.md": len((ROOT / "README.md").read_text(encoding="utf-8").split()),
        f"files over {MAX_FILE_LINES} lines": len(long_files()),
        f"functions over {MAX_FUNCTION_LINES} lines of code": len(long_functions()),
    }


def modules() -> list[Path]:
    """Return the package's modules."""
    return sorted(PACKAGE.rglob("*.py"))


def pass_classes() -> set[str]:
    """Return the names of the classes that describe a pass: those in ``passes/`` with a ``tag``."""
    return {
        node.name
        for path in (PACKAGE / "passes").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and any(keyword.arg == "tag" for keyword in node.keywords)
    }


def pass_tests() -> list[str]:
    """Return where a module outside ``passes/`` asks for a pass class, as ``file:line``."""
    classes = pass_classes()
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        if PACKAGE / "passes" not in path.parents
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.expr | ast.MatchClass) and _asks_for(node, classes)
    ]


def _asks_for(node: ast.expr | ast.MatchClass, classes: set[str]) -> bool:
    """Whether a node is an ``isinstance`` call, a class pattern or a comparison of types with one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
        wanted: ast.AST = node.args[1]
    elif isinstance(node, ast.MatchClass):
        wanted = node.cls
    elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Call):
        if not (isinstance(node.left.func, ast.Name) and node.left.func.id == "type"):
            return False
        wanted = ast.Tuple(node.comparators)
    else:
        return False
    named = (n.id if isinstance(n, ast.Name) else getattr(n, "attr", "") for n in ast.walk(wanted))
    return any(name in classes for name in named)


def uses_of_any(path: Path) -> int:
    """Return how often the word ``Any`` occurs in a module outside import lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    skipped = {line for node in imports for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(
        len(re.findall(r"\bAny\b", line)) for number, line in enumerate(lines, 1) if number not in skipped
    )


def top_modules() -> list[str]:
    """Return the modules that lie beside the packages."""
    return sorted(path.name for path in PACKAGE.glob("*.py"))


def repeated_basenames() -> list[str]:
    """Return the names, of modules or packages, that occur more than once."""
    names = Counter(path.stem for path in modules() if not path.stem.startswith("__"))
    names.update(path.parent.name for path in PACKAGE.rglob("*/__init__.py"))
    return sorted(name for name, times in names.items() if times > 1)


def long_files() -> list[str]:
    """Return the modules with too many lines."""
    return [
        str(path.relative_to(ROOT))
        for path in modules()
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_FILE_LINES
    ]


def long_functions() -> list[str]:
    """Return the functions with too many lines of code, docstring and blank lines left out."""
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and len(set(_code_lines(node))) > MAX_FUNCTION_LINES
    ]


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    yield function.lineno
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.expr | ast.stmt):
                yield node.lineno
                yield node.end_lineno or node.lineno


if __name__ == "__main__":
    main()
