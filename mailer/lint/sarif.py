"""Problems as SARIF 2.1.0 (OASIS), which editors and CI systems show beside the lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from mailer import __version__
from mailer.issue.model import Problem
from mailer.issue.rules import Rule

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(problems: Iterable[Problem]) -> str:
    """One log with one run: all rules, and a result for each problem."""
    driver = {
        "name": "Pressrun",
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in Rule],
    }
    run = {
        "tool": {"driver": driver},
        # SARIF counts UTF-16 units unless it is told otherwise.
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem) for problem in problems],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.value,
        "shortDescription": {"text": rule.summary.replace("`", "")},
        "fullDescription": {"text": rule.summary.replace("`", "")},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(problem: Problem) -> dict[str, object]:
    region = {"startLine": problem.line, "startColumn": problem.column}
    return {
        "ruleId": problem.rule.value,
        "ruleIndex": list(Rule).index(problem.rule),
        "level": problem.severity.value,
        "message": {"text": f"{problem.message}; {problem.remedy}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(problem.path)},
                    "region": region,
                }
            }
        ],
    }


def _uri(path: str) -> str:
    """A relative path stays one, for whoever shows it knows the folder it starts from."""
    file = Path(path)
    return file.as_uri() if file.is_absolute() else quote(file.as_posix())
