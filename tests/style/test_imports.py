"""Imports point one way: nodes to nodes/host to attention_patches to torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
METHODS = Path("attention_patches/methods")
LIBRARIES = {"torch", "numpy", "safetensors", "pydantic", "scipy", "sklearn", "threadpoolctl"}

# What the files of a folder may import: our own folders, and libraries (any, if None) besides Python's own.
ALLOWED: dict[str, tuple[set[str], set[str] | None]] = {
    "attention_patches": ({"attention_patches"}, LIBRARIES),
    "nodes/pictures": ({"nodes/pictures", "attention_patches"}, {"torch", "numpy", "PIL"}),
    "nodes/host": ({"nodes/host", "attention_patches", "demo_model"}, None),
}


def imported(source: str, file: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether it is ours) of each import in a file, ours as paths from the root of the checkout."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((name.name.partition(".")[0], False) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0], False
        elif isinstance(node, ast.ImportFrom):
            folder = "/".join(file.parts[: len(file.parts) - node.level])
            names = [node.module] if node.module else [name.name for name in node.names]
            yield from ((f"{folder}/{name.replace('.', '/')}".strip("/"), True) for name in names)


def wrong(source: str, file: Path) -> list[str]:
    """The imports in a file (its path from the root) that point the wrong way."""
    folder = next(name for name in ALLOWED if file.is_relative_to(name))
    inside, libraries = ALLOWED[folder]
    return [
        name
        for name, ours in imported(source, file)
        if (ours and not any(Path(name).is_relative_to(place) for place in inside))
        or (ours and _another_method(Path(name), file))
        or (not ours and libraries is not None and name not in libraries | sys.stdlib_module_names)
    ]


def _another_method(name: Path, file: Path) -> bool:
    """Whether both are methods, and not the same one; a method is a file or a package."""
    if not (name.is_relative_to(METHODS) and file.is_relative_to(METHODS)):
        return False
    one, other = (path.relative_to(METHODS).parts[:1] for path in (name, file.with_suffix("")))
    return one != other


FILES = [path.relative_to(ROOT) for folder in ALLOWED for path in sorted((ROOT / folder).rglob("*.py"))]


def test_imports_point_one_way() -> None:
    """The mathematics and the pictures know nothing of the host, and methods nothing of each other."""
    found = {str(file): wrong((ROOT / file).read_text(encoding="utf-8"), file) for file in FILES}
    assert len(found) > 200
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("import comfy.samplers", "attention_patches/contract/call/site.py"),
        ("from comfy_api.latest import io", "nodes/pictures/view.py"),
        ("from ....nodes.host.run import run", "attention_patches/contract/call/site.py"),
        ("from .cross_image import method", "attention_patches/methods/layout_guidance.py"),
        ("from . import cross_image", "attention_patches/methods/layout_guidance.py"),
        ("from ..cross_image.method import CrossImage", "attention_patches/methods/style_aligned/method.py"),
        ("from ...inspect.recording_inputs import make_recorder", "nodes/host/run/run.py"),
    ],
)
def test_an_import_the_wrong_way_is_seen(line: str, file: str) -> None:
    """Of the host, of what lies above, and of another method."""
    assert wrong(f"def late():\n    {line}\n", Path(file))


# The rooms of attention_patches from the ground up; a room imports from lower floors only.
FLOORS = [
    {"contract", "text", "numerics"},
    {"attention", "guests", "inversion"},
    {"maps"},
    {"layout"},
    {"methods"},
]


def floor(path: Path) -> int:
    """Of a file or folder in attention_patches."""
    room = path.relative_to("attention_patches").parts[0]
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def upwards(source: str, file: Path) -> list[str]:
    """The rooms' files that a file of attention_patches imports from its own floor or from one above it."""
    return [
        name
        for name, ours in imported(source, file)
        if ours and Path(name).parts[1] != file.parts[1] and floor(Path(name)) >= floor(file)
    ]


def test_rooms_stand_on_lower_ones() -> None:
    """What two rooms of one floor share moves down."""
    files = [file for file in FILES if len(file.parts) > 2 and file.parts[0] == "attention_patches"]
    found = {str(file): upwards((ROOT / file).read_text(encoding="utf-8"), file) for file in files}
    assert len(found) > 100
    assert {file: names for file, names in found.items() if names} == {}
    assert upwards("from ..methods import style", Path("attention_patches/maps/averages.py"))


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Files that are left when those that import nothing of what is left are taken away again and again."""
    left = dict(imports)
    while free := [file for file, names in left.items() if not names & left.keys() - {file}]:
        for file in free:
            del left[file]
    return sorted(left)


def imports_of_files() -> dict[Path, set[Path]]:
    """What of ours each file of the pack imports, without the suffix."""
    files = [path for folder in ("attention_patches", "nodes") for path in (ROOT / folder).rglob("*.py")]
    return {
        path.relative_to(ROOT).with_suffix(""): {
            Path(name)
            for name, ours in imported(path.read_text(encoding="utf-8"), path.relative_to(ROOT))
            if ours
        }
        for path in files
    }


def test_no_files_import_each_other_in_a_circle() -> None:
    """However long; and one of two files would be found."""
    imports = {str(file): {str(name) for name in names} for file, names in imports_of_files().items()}
    assert circles(imports) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c", "d"]


def both_ways(imports: dict[Path, set[Path]]) -> list[tuple[str, str]]:
    """Pairs of rooms that import each other; a room's own `__init__` may gather what lies deeper in it."""
    arrows = set()
    for file, names in imports.items():
        for name in names:
            room = name if (ROOT / name).is_dir() else name.parent
            if room != file.parent and not (file.name == "__init__" and room.is_relative_to(file.parent)):
                arrows.add((str(file.parent), str(room)))
    return sorted((one, other) for one, other in arrows if one < other and (other, one) in arrows)


def test_no_two_rooms_import_each_other() -> None:
    """And two that did would be found."""
    assert both_ways(imports_of_files()) == []
    assert both_ways({Path("a/x"): {Path("b/y")}, Path("b/z"): {Path("a/x")}}) == [("a", "b")]


def test_the_pack_itself_imports_next_to_nothing() -> None:
    """Neither torch nor the host, as the server asks each pack for its nodes only later."""
    command = "import sys; from pack import load_pack; load_pack(); print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    assert not {"torch", "comfy", "comfy_api", "nodes"} & set(answer.stdout.split())
