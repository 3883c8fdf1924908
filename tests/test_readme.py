"""The README's commands are ones that the scripts take, and its links lead somewhere."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(
    r"python (experiments/\w+\.py)([^#\n]*)", "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))
)


def test_readme_shows_every_script():
    assert {script for script, _ in COMMANDS} == {
        f"experiments/{path.name}" for path in (ROOT / "experiments").glob("*.py")
    }


@pytest.mark.parametrize(("script", "arguments"), COMMANDS, ids=[f"{script} {text}" for script, text in COMMANDS])
def test_command_in_readme_is_understood(load_script, script, arguments):
    load_script(Path(script).stem)._parser().parse_args(shlex.split(arguments.split(" && ")[0]))


def test_readme_has_the_test_command_that_is_run_on_every_change():
    block = re.search(r"<!-- test command -->\n```bash\n(.*?)\n```", README, re.DOTALL)[1]
    assert block.endswith("python -m pytest") and "-c constraints.txt" in block
    assert "test command" in (ROOT / ".ci" / "run").read_text()


def test_python_in_readme_names_what_exists():
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        for node in ast.walk(ast.parse(block, "README.md")):
            if isinstance(node, ast.ImportFrom):
                package = importlib.import_module(node.module)
                assert [one.name for one in node.names if not hasattr(package, one.name)] == [], node.module
            elif isinstance(node, ast.Import):
                assert all(importlib.import_module(one.name) for one in node.names)


def test_links_lead_to_headings_and_files_that_there_are():
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert sum(link.startswith("#") for link in links) > 10
    assert [link for link in links if link not in anchors and not (ROOT / link).is_file()] == []
