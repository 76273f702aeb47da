"""Makes what is generated from proto/: the Python stubs and the descriptor set of the Rust crates.

`python proto/generate.py` writes them, `python proto/generate.py --check` only compares and fails with the
names of the files that differ. The tools are those of the environment (grpcio-tools, mypy-protobuf, buf), so
the same lock file gives the same bytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
STUBS = ROOT / "clients" / "python" / "src"
DESCRIPTORS = ROOT / "core_rs" / "wire" / "lockstock.binpb"
STUB_SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def tool(name: str) -> str:
    """Where a command of this environment is; the environment need not be activated."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def run(*command: str, cwd: Path) -> None:
    """Runs a tool; its own words are the message if it fails."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)  # noqa: S603 - our own tools
    if done.returncode != 0:
        raise SystemExit(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")


def generate(into: Path) -> dict[Path, bytes]:
    """Everything that is generated, by the path where it belongs."""
    sources = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "lockstock").rglob("*.proto"))
    services = [name for name in sources if "\nservice " in (PROTO / name).read_text(encoding="utf-8")]
    common = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={PROTO}",
        f"--proto_path={PROTO / 'third_party'}",
    ]
    run(
        *common,
        f"--plugin=protoc-gen-mypy={tool('protoc-gen-mypy')}",
        f"--python_out={into}",
        f"--mypy_out=quiet:{into}",
        *sources,
        cwd=PROTO,
    )
    run(
        *common,
        f"--plugin=protoc-gen-mypy_grpc={tool('protoc-gen-mypy_grpc')}",
        f"--grpc_python_out={into}",
        f"--mypy_grpc_out=quiet:{into}",
        *services,
        cwd=PROTO,
    )
    descriptors = into / DESCRIPTORS.name
    run(tool("buf"), "build", "--exclude-source-info", "-o", str(descriptors), cwd=PROTO)
    made = {DESCRIPTORS: descriptors.read_bytes()}
    for path in sorted((into / "lockstock").rglob("*_pb2*")):
        made[STUBS / path.relative_to(into)] = path.read_bytes()
    return made


def standing() -> set[Path]:
    """The generated files that are there."""
    stubs = {path for path in (STUBS / "lockstock").rglob("*_pb2*") if path.name.endswith(STUB_SUFFIXES)}
    return stubs | ({DESCRIPTORS} if DESCRIPTORS.exists() else set())


def main() -> int:
    """Writes, or compares; the exit code is 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        made = generate(Path(folder))
    before = {path: path.read_bytes() for path in standing()}
    stale = sorted(path for path in before.keys() | made.keys() if before.get(path) != made.get(path))
    if check:
        for path in stale:
            sys.stderr.write(f"{os.path.relpath(path, ROOT)} is not what proto/ gives: run make proto\n")
        return 1 if stale else 0
    for path in stale:
        if path in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made[path])
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
