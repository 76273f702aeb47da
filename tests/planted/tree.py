"""A copy of the tree in which bugs are planted, and the tests run in it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planted.bugs import ROOT, Bug, CargoTest, PlantedError, Pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Kept from run to run, so that the next one compiles only what has changed.
_KEPT: Final = ROOT / "core_rs" / "target" / "planted"
_BUILD_SECONDS: Final = 1_800
_TEST_SECONDS: Final = 300
_RUST_TEST_FAILED: Final = 101
_PYTEST_FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test: it passed, failed as a test does, or neither (it hung, crashed or is not there)."""

    passed: bool
    failed: bool
    said: str
    """The line that says why."""


class Tree:
    """The copy. Whatever is planted in it, this tree is left alone."""

    def __init__(self, folder: Path = _KEPT) -> None:
        self.root = folder / "tree"
        self._target = folder
        self._binaries: dict[tuple[str, str], Path] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else uses the copy meanwhile. Raises PlantedError where somebody does."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root.parent / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PlantedError("bugs are being planted already, in the same copy") from None
            yield

    def refresh(self) -> None:
        """Makes the copy what the tree is: files that are the same keep their times, so nothing is compiled again."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        names = {name for name in os.fsdecode(listed.stdout).split("\0") if name and (ROOT / name).is_file()}
        # Built, so git does not list it; bugs in Python need it.
        built = ROOT.glob("server/lockstock_server/_core*.so")
        names |= {str(path.relative_to(ROOT)) for path in built}
        for path in self.root.rglob("*"):
            if path.is_file() and str(path.relative_to(self.root)) not in names:
                path.unlink()
        for name in names:
            source, copy = ROOT / name, self.root / name
            if not copy.is_file() or copy.read_bytes() != source.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)

    @contextmanager
    def planted(self, bug: Bug) -> Iterator[None]:
        """The copy with one bug in it. Raises PlantedError where it does not apply."""
        path = self.root / bug.file
        text = path.read_text() if path.is_file() else ""
        path.write_text(bug.planted(self.root))
        try:
            yield
        finally:
            # Written anew, so that its time says it has changed.
            path.write_text(text)

    def build(self, tests: Iterable[CargoTest | Pytest]) -> str | None:
        """Compiles what the tests need; what the compiler says where it cannot."""
        wanted = sorted({(test.package, test.target) for test in tests if isinstance(test, CargoTest)})
        for package, target in wanted:
            which = ["--lib"] if target == "lib" else ["--test", target]
            command = [
                "cargo",
                "test",
                "--locked",
                "--no-run",
                "--message-format",
                "json",
                "-p",
                package,
                *which,
            ]
            ran = self._run(command, self.root / "core_rs", _BUILD_SECONDS)
            if ran is None or ran.returncode:
                return f"{package} does not compile: {_line(ran.stderr if ran else '', 'error')}"
            self._binaries[package, target] = _binary(ran.stdout)
        return None

    def run(self, test: CargoTest | Pytest) -> Outcome:
        """Runs one test that was built."""
        return self._cargo(test) if isinstance(test, CargoTest) else self._pytest(test)

    def _cargo(self, test: CargoTest) -> Outcome:
        folder = self.root / "core_rs" / test.package.removeprefix("lockstock-")
        command = [str(self._binaries[test.package, test.target]), test.test, "--exact"]
        ran = self._run(command, folder, _TEST_SECONDS)
        if ran is None:
            return Outcome(passed=False, failed=False, said=f"it did not end in {_TEST_SECONDS} s")
        if "running 1 test" not in ran.stdout:
            return Outcome(passed=False, failed=False, said="there is no such test")
        failed = ran.returncode == _RUST_TEST_FAILED and f"test {test.test} ... FAILED" in ran.stdout
        said = _line(ran.stdout, " panicked at ", after=1) if failed else f"it ended with {ran.returncode}"
        return Outcome(passed=ran.returncode == 0, failed=failed, said=said)

    def _pytest(self, test: Pytest) -> Outcome:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", test.node]
        ran = self._run(command, self.root, _TEST_SECONDS)
        if ran is None:
            return Outcome(passed=False, failed=False, said=f"it did not end in {_TEST_SECONDS} s")
        # Of a test with parameters one case is enough; what cannot be imported or set up is no failure.
        failed = ran.returncode == _PYTEST_FAILED and f"FAILED {test.node}" in ran.stdout
        said = (
            _line(ran.stdout, "E  ").removeprefix("E").strip()
            if failed
            else f"it ended with {ran.returncode}"
        )
        return Outcome(passed=ran.returncode == 0, failed=failed, said=said)

    def _run(self, command: list[str], folder: Path, seconds: int) -> subprocess.CompletedProcess[str] | None:
        """Runs a command in the copy; None where it takes too long."""
        paths = [self.root / "server", self.root / "clients" / "python" / "src", self.root / "tests"]
        environment = {
            **os.environ,
            "CARGO_TARGET_DIR": str(self._target),
            # One test a run: compiling counts, not how fast it runs.
            "CARGO_PROFILE_DEV_OPT_LEVEL": "0",
            "CARGO_PROFILE_DEV_DEBUG": "0",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # With a group of its own: what a test has started ends with it.
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return None
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def _binary(messages: str) -> Path:
    """The test binary that cargo made, from what it says in JSON."""
    for line in messages.splitlines():
        message = json.loads(line)
        if (
            message.get("reason") == "compiler-artifact"
            and message["profile"]["test"]
            and message["executable"]
        ):
            return Path(message["executable"])
    raise PlantedError("cargo made no test binary")


def _line(text: str, mark: str, after: int = 0) -> str:
    """The first line with a mark in it, or one behind it."""
    lines = text.splitlines()
    at = next((at for at, line in enumerate(lines) if mark in line), None)
    return lines[min(at + after, len(lines) - 1)].strip() if at is not None else "(it said nothing)"
