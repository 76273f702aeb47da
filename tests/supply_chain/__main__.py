"""`python -m supply_chain`, in tests/: exits 1 and says what is not as the policy allows."""

from __future__ import annotations

import sys
from pathlib import Path

from supply_chain import advisories, trees
from supply_chain.policy import Policy, PolicyError, violations

HERE = Path(__file__).parent


def main() -> int:
    """Checks both trees."""
    root = HERE.parent.parent
    try:
        policy = Policy.read((HERE / "policy.toml").read_text())
        packages = [*trees.rust(root), *trees.python(root)]
    except PolicyError as error:
        print(error, file=sys.stderr)
        return 1
    wrong = violations(packages, policy)
    try:
        wrong += advisories.violations(advisories.advisories(packages), policy)
    except OSError as error:
        print(f"Advisories are not checked: OSV cannot be reached ({error}).", file=sys.stderr)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
