"""A reason that somebody gives for what stays on record."""

from __future__ import annotations

from mailer.cli import output

#: No more than a sentence or two.
LONGEST = 300


def checked(reason: str, option: str, *, longest: int = LONGEST) -> str:
    """The reason without blanks around it; ends the command where it says nothing."""
    if not reason.strip() or len(reason) > longest or not reason.isprintable():
        output.fail(f"{option}: write 1 to {longest} characters", code=output.MISTAKE)
    return reason.strip()
