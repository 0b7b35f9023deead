"""What the registry and the Manager read: every value is one that they take, and the archive is whole."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pack import ROOT

# Of one wrong `Environment ::` or `Operating System ::` the registry's client drops all of that kind.
SYSTEMS = ("Microsoft", "POSIX", "MacOS", "OS Independent")
ACCELERATORS = {
    "GPU :: NVIDIA CUDA",
    "GPU :: AMD ROCm",
    "GPU :: Intel Arc",
    "NPU :: Huawei Ascend",
    "GPU :: Apple Metal",
}
# One of these in any text of the archive, a page included, and `nodesafe` calls it malicious (SECURITY.md).
ALARMING = (
    *("eval(", "exec(", "compile(", "__import__(", "importlib.import_module", "execfile("),
    *("subprocess.", "os.system(", "os.popen(", "os.exec", "os.spawn", "shell=True", "pty.spawn"),
    *(
        "base64.",
        "codecs.decode",
        "binascii.",
        "bytes.fromhex",
        "marshal.loads",
        "pickle.loads",
        "pickle.Unp",
    ),
    *("zlib.decompress", "lzma.decompress", "gzip.decompress", "globals()[", "locals()["),
)
TEXTS = {".py", ".js", ".css", ".md", ".txt", ".toml", ".json"}
LARGEST = 30e6  # bytes, nearly all of it the demo model and what belongs to it
PICTURES = {"Icon": (lambda w, h: w == h <= 400), "Banner": (lambda w, h: 9 * w == 21 * h)}


@pytest.fixture(scope="module")
def project() -> Any:
    """`pyproject.toml`."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        from pip._vendor import tomli as tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def archived() -> Iterator[str]:
    """The files that git keeps and `.comfyignore` leaves in; its lines are files and folders, no patterns."""
    lines = (ROOT / ".comfyignore").read_text().splitlines()
    left_out = tuple(line for line in lines if line and not line.startswith("#"))
    assert not [line for line in left_out if set("*?[!") & set(line)]
    assert not [line for line in left_out if not (ROOT / line).exists()]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in listed:
        out = any(name == line or (line.endswith("/") and name.startswith(line)) for line in left_out)
        if name and not out and (ROOT / name).is_file():
            yield name


def test_classifiers_are_known_to_the_registry(project: Any) -> None:
    """Each is of a kind and a value that the registry's client knows."""
    classifiers = project["project"]["classifiers"]
    kinds: dict[str, list[str]] = {}
    for kind, value in (each.split(" :: ", 1) for each in classifiers):
        kinds.setdefault(kind, []).append(value)
    assert kinds.keys() == {"License", "Operating System", "Environment"}
    assert set(kinds["Environment"]) <= ACCELERATORS
    assert all(value.startswith(SYSTEMS) for value in kinds["Operating System"])


def test_versions_have_the_registrys_form(project: Any) -> None:
    """Three numbers; and the changelog's first section becomes this version."""
    version = project["project"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert re.fullmatch(r">=\d+\.\d+\.\d+", project["tool"]["comfy"]["requires-comfyui"])
    first = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
    assert version in first.splitlines()[0]


def test_addresses_are_of_one_home(project: Any) -> None:
    """The repository's address stands at the front of all others, so that one place tells where to move."""
    urls = project["project"]["urls"]
    home = urls["Repository"]
    assert urls.keys() == {"Repository", "Documentation", "Bug Tracker"}
    assert all(url.startswith(home) for url in urls.values())
    raw = home.replace("github.com", "raw.githubusercontent.com") + "/main/"
    for name, fits in PICTURES.items():
        address = project["tool"]["comfy"][name]
        assert address.startswith(raw)
        with Image.open(ROOT / address.removeprefix(raw)) as picture:
            assert fits(*picture.size), (name, picture.size)


def test_both_places_ask_for_the_same_packages(project: Any) -> None:
    """The registry reads the one, the Manager the other; the registry's client reads no dynamic field."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == project["project"]["dependencies"]


def test_archive_holds_all_that_its_files_import() -> None:
    """Every relative import in the archive leads to a file in the archive."""
    names = set(archived())
    modules = {name for name in names if name.endswith(".py")}
    assert "nodes/host/demo_model.py" in modules
    missing = {
        (name, target) for name in modules for target in relative_imports(name) if not names & set(target)
    }
    assert missing == set()


def relative_imports(name: str) -> Iterator[tuple[str, ...]]:
    """For each relative import of a file, the files that it may mean."""
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = Path(name).parents[node.level - 1]
            base = folder.joinpath(*(node.module or "").split("."))
            for target in [base] if node.module else [folder / alias.name for alias in node.names]:
                yield (f"{target.as_posix()}.py", (target / "__init__.py").as_posix())


def test_nothing_in_the_archive_looks_malicious() -> None:
    """Neither code nor a page that speaks of code: scanners know no difference."""
    texts = [name for name in archived() if Path(name).suffix in TEXTS]
    assert {"SECURITY.md", "attention_patches/text/words.py"} <= set(texts)
    found = {(name, word) for name in texts for word in alarming((ROOT / name).read_text(encoding="utf-8"))}
    assert found == set()


def alarming(text: str) -> Iterator[str]:
    """What a scanner would make much of."""
    return (word for word in ALARMING if word in text)


def test_archive_is_no_larger_than_its_model() -> None:
    """Tests, benchmarks, training code and the judge stay out; what a user opens is in."""
    names = set(archived())
    assert sum((ROOT / name).stat().st_size for name in names) < LARGEST
    top = {name.partition("/")[0] for name in names}
    assert not top & {"tests", "benchmarks", "scripts", "translations", ".ci"}
    assert {
        "web",
        "nodes",
        "attention_patches",
        "demo_model",
        "example_workflows",
        "locales",
        "LICENSE",
    } <= top
    assert {f"demo_model/weights/{part}.safetensors" for part in ("unet", "text", "vae")} <= names
    assert not [name for name in names if "judge" in name]
