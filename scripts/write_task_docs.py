"""Write the tables of docs/tasks.md from the loaders' own declarations.

python scripts/write_task_docs.py
"""

from __future__ import annotations

import re
from pathlib import Path

from perl_env.tasks import catalogue

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tasks.md"
TABLES = {
    "overview": catalogue.overview,
    "sub-tasks": catalogue.sub_tasks,
    "prompts": catalogue.prompts,
}


def with_tables(page: str) -> str:
    """The page with its tables as they should be."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        filled = table()
        page, count = pattern.subn(lambda m, filled=filled: f"{m[1]}{filled}\n{m[2]}", page)
        if count != 1:
            raise ValueError(f"docs/tasks.md needs one place for the table {name!r}, has {count}")
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
