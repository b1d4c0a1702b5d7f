"""The whole suite in two halves at once, one a core: `python -m tests.run [pytest's options]`.

Whole processes are killed and awaited in the acceptance tests, which leaves a core idle most of
the time. Their words come out when the other half is done, so that they don't mix.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

#: The acceptance tests, and all the others.
HALVES = (("tests/acceptance",), ("tests", "--ignore=tests/acceptance"))


def main() -> int:
    """Run both; gives 0 only where both passed."""
    command = [sys.executable, "-m", "pytest", "-m", "not chaos", *sys.argv[1:]]

    with tempfile.TemporaryFile("w+") as words:
        other = subprocess.Popen(
            [*command, "-p", "no:cacheprovider", *HALVES[0]],
            stdout=words,
            stderr=subprocess.STDOUT,
        )
        try:
            first = subprocess.run([*command, *HALVES[1]], check=False).returncode
            second = other.wait()
        except KeyboardInterrupt:
            other.wait(60)
            return 130
        words.seek(0)
        sys.stdout.write(words.read())
    return first or second


if __name__ == "__main__":
    sys.exit(main())
