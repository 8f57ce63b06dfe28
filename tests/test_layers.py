"""The layer rules of docs/design.md, read off the source: imports point down, and torch stays in its rooms."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "custome"

LEVEL = {
    "errors": 0,
    "types": 0,
    "model_catalog": 0.5,
    "files": 1,
    "ports": 1,
    "report": 1.2,
    "reporter": 1.2,  # L1 in itself: config and resources use report and files
    "tuning_methods": 1.3,
    "config": 1.5,
    "recipe_file": 1.6,
    "resources": 1.5,
    "machine": 1.7,
    "corpus": 2,
    "models": 2,
    "planning": 2,
    "training": 3,
    "engine": 3,
    "retrieval": 3,
    "conversations": 3.5,
    "apps": 4,
    "evaluation": 5,
    "server": 5,
    "webui": 5,
    "cli": 6,
    "__main__": 7,
}
TORCH_ROOMS = (
    "models/",
    "training/",
    "engine/local.py",
    "engine/local_generation.py",
    "engine/open_local.py",
    "apps/image.py",
)
HEAVY = {"torch", "transformers", "peft", "accelerate", "bitsandbytes"}
FORBIDDEN_NAMES = {"utils.py", "misc.py", "helpers.py", "constants.py"}


def imports(path: Path) -> list[tuple[int, str, bool]]:
    """(line, dotted module, at module level) of every import in a file; relative ones made absolute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ["custome", *path.relative_to(PACKAGE).parts[:-1]]
    found = []
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found.append((node.lineno, module, id(node) in top))
            if module == "custome":
                found += [
                    (node.lineno, f"custome.{alias.name}", id(node) in top) for alias in node.names
                ]
    return found


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "custome" and len(parts) > 1 else None


def violations(package: Path) -> list[str]:
    wrong = []
    for path in sorted(package.rglob("*.py")):
        here = path.relative_to(package)
        own = here.parts[0].removesuffix(".py")
        if path.name in FORBIDDEN_NAMES:
            wrong.append(f"{here}: a drawer, not a room")
        if own == "__init__":
            continue
        for line, module, _ in imports(path):
            other = room(module)
            if other and other in LEVEL and other != own and LEVEL[other] >= LEVEL[own]:
                wrong.append(
                    f"{here}:{line}: {own} (L{LEVEL[own]}) imports {module} (L{LEVEL[other]})"
                )
            if other == "models" and own in {"server", "webui"}:
                wrong.append(f"{here}:{line}: {own} must not know models")
            if module.split(".")[0] in HEAVY and not str(here).startswith(TORCH_ROOMS):
                wrong.append(f"{here}:{line}: {module} is imported outside its rooms")
            if own == "apps" and other == "apps" and len(here.parts) > 2:
                theirs = module.split(".")[2:3]
                folder = theirs and (PACKAGE / "apps" / theirs[0]).is_dir()
                if folder and theirs[0] != here.parts[1]:
                    wrong.append(f"{here}:{line}: an app must not know another app, {module}")
            if other == "engine" and own == "apps" and not module.endswith("engine.base"):
                wrong.append(f"{here}:{line}: apps know engine.base only, not {module}")
    return wrong


def test_every_room_has_a_level():
    rooms = {
        p.name.removesuffix(".py")
        for p in PACKAGE.iterdir()
        if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert rooms - {"__init__"} <= set(LEVEL)


def test_imports_point_down():
    assert violations(PACKAGE) == []


def test_imports_name_modules_that_are_there():
    """A wrong one inside a function is found by nobody until it is called."""
    missing = [
        f"{path.relative_to(PACKAGE)}:{line}: {module}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, module, _ in imports(path)
        if module.startswith("custome.")
        and not _is_module(module)
        and not _is_module(module.rpartition(".")[0])
    ]
    assert missing == []


def _is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
