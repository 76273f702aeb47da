"""Both dependency trees as their lock files have them."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any, Final

from supply_chain.policy import PYTHON, RUST, Package, PolicyError

if TYPE_CHECKING:
    from pathlib import Path

_CRATES_IO: Final = "registry+https://github.com/rust-lang/crates.io-index"
_PINNED: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;]+)(?:\s*;.*)?")
_APPROVED: Final = "License :: OSI Approved :: "
_OPTION: Final = re.compile(r"--[a-z-]+")


def rust(root: Path) -> list[Package]:
    """The crates of both lock files but our own, for all platforms and features.

    The fuzzer has a lock file of its own: what it runs must be what is shipped, so a crate that stands there in
    another version is there twice. Raises PolicyError where a lock file does not fit the manifests.
    """
    core = root / "core_rs"
    packages = [package for workspace in (core, core / "fuzz") for package in _workspace(workspace)]
    return list(dict.fromkeys(packages))


def _workspace(path: Path) -> list[Package]:
    manifest = path / "Cargo.toml"
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", str(manifest)]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    if told.returncode:
        raise PolicyError(f"the crates cannot be listed: {' '.join(told.stderr.split())}")
    lock = (path / "Cargo.lock").read_text()
    return crates(json.loads(told.stdout)["packages"], lock)


def crates(packages: list[dict[str, Any]], lock: str) -> list[Package]:
    """What cargo tells of packages, with the hashes of Cargo.lock. A package without a source is our own."""
    locked = tomllib.loads(lock).get("package", [])
    pinned = {(it["name"], it["version"]) for it in locked if it.get("checksum")}
    return [
        Package(
            RUST,
            package["name"],
            package["version"],
            RUST if package["source"] == _CRATES_IO else package["source"],
            (package["name"], package["version"]) in pinned,
            package["license"] or "",
        )
        for package in packages
        if package["source"]
    ]


def python(root: Path) -> list[Package]:
    """The distributions of requirements.lock, with the licences of those that are installed here."""
    lock = (root / "server" / "requirements.lock").read_text()
    return distributions(lock, _licence)


def distributions(lock: str, licence: Any) -> list[Package]:
    """The pinned lines of a lock file. Raises PolicyError for a line that names another index or place to look."""
    packages = []
    for line in lock.replace("\\\n", " ").splitlines():
        words, *options = re.split(r"\s+(?=--)", line.strip())
        if not words or words.startswith("#"):
            continue
        if _OPTION.match(words):
            raise PolicyError(f"requirements.lock says {words!r}: packages come from PyPI, by its default")
        if found := _PINNED.fullmatch(words):
            name, version, source = found["name"], found["version"], PYTHON
        else:
            name, _, source = words.partition("@")
            name, version, source = name.strip(), "", source.strip() or f"{words!r}, which is not pinned"
        pinned = any(option.startswith("--hash=sha256:") for option in options)
        packages.append(Package(PYTHON, name, version, source, pinned, licence(name)))
    return packages


def _licence(name: str) -> str | None:
    """What an installed distribution says of its licence; None where it is not installed."""
    try:
        about = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    # What a field is missing in has none, and asking for one would warn.
    expression, written = (
        next(iter(about.get_all(name, [])), "") for name in ("License-Expression", "License")
    )
    if expression:
        return str(expression)
    marked = [
        line.removeprefix(_APPROVED) for line in about.get_all("Classifier", []) if line.startswith(_APPROVED)
    ]
    # Some put the whole text of the licence there.
    return str(marked[0] if marked else written.strip().partition("\n")[0])
