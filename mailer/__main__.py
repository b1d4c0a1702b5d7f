"""The command `mailer`, also as `python -m mailer`; Ctrl-C while it loads makes no traceback."""

import sys


def main() -> None:
    """Run the command line; see `mailer.cli.app`."""
    try:
        from mailer.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
