"""The table in docs/scoring.md says what the rules say of themselves."""

from pathlib import Path

from perl_env.scoring import RULES

TEXT = (Path(__file__).parents[3] / "docs" / "scoring.md").read_text(encoding="utf-8")
MEANING = {
    "never": "comparable",
    "fallback": "can only be lower",
    "always": "not comparable",
}


def test_the_table_names_every_rule_and_whether_it_is_comparable():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT.splitlines()
        if line.startswith("| `")
    ]
    assert {row[0].strip("`"): (row[2], row[3]) for row in rows} == {
        rule.name: (rule.judge, MEANING[rule.judge]) for rule in RULES.values()
    }
