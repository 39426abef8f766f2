"""What the documents say, held against the program: commands, options, exit codes, examples, links."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from runners.loads import fake
from servermatrix import cli, plugins
from servermatrix.analysis.stats import rounds_needed
from servermatrix.config import applications
from servermatrix.config.matrix import read_matrix
from servermatrix.errors import Exit
from servermatrix.model import UNRANKED, Flag
from servermatrix.prepare import Wishes, prepare
from servermatrix.render import controls, effects, looks
from servermatrix.render.markdown import to_markdown
from servermatrix.render.results import CLOSED, OPEN
from tests.golden.protocol_examples import PROTOCOL_EXAMPLES

ROOT = Path(__file__).resolve().parent.parent.parent
README, CONTRIBUTING, READING = (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/reading-the-table.md"))
DOCUMENTS = (README, CONTRIBUTING, READING, ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md")
CONTEXT = click.Context(cli.cli)
COMMANDS = {name: found for name in cli.COMMANDS if (found := cli.cli.get_command(CONTEXT, name))}


def blocks(document: Path, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)


def the_block(document: Path, language: str, holding: str) -> str:
    (found,) = [block for block in blocks(document, language) if holding in block]
    return found


def prose(document: Path) -> str:
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def code_spans(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(document))


def typed(document: Path) -> Iterator[list[str]]:
    """Yield the words behind `run_matrix.py` of every command line in the document."""
    lines = [line for block in blocks(document, "sh") for line in block.replace("\\\n", " ").splitlines()]
    for line in (*lines, *code_spans(document)):
        words = shlex.split(line, comments=True)
        if words[:2] == ["python3", "run_matrix.py"]:
            yield words[2:]


def options(command: click.Command) -> set[str]:
    context = click.Context(command, info_name=command.name)
    return {name for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts)}


def first_column(document: Path, header: str) -> list[str]:
    """Return the code in the first column of the table with this header."""
    table = re.search(rf"^\| {re.escape(header)} \|.*?\n(?:\|.*\n)+", document.read_text(), re.MULTILINE)
    assert table, f"no table with {header!r}"
    rows = table[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_line_that_is_shown_can_be_typed(document: Path) -> None:
    for words in typed(document):
        args = words if words and not words[0].startswith("-") else ["run", *words]
        name, *rest = args[: args.index(">")] if ">" in args else args
        assert name in COMMANDS, f"{document.name}: there is no command {name!r}"
        command = COMMANDS[name]
        context = click.Context(command, info_name=name, **command.context_settings)
        command.make_parser(context).parse_args(rest)  # raises NoSuchOption, or BadOptionUsage for a missing value


def test_the_readme_shows_command_lines() -> None:
    assert len(list(typed(README))) >= 10
    assert [] in typed(README)


@pytest.mark.parametrize("document", [README, READING], ids=lambda path: path.name)
def test_every_option_that_is_mentioned_exists(document: Path) -> None:
    known = set().union(*map(options, COMMANDS.values())) | {"--help", "--version"}
    mentioned = {span.split()[0] for span in code_spans(document) if span.startswith("-")}
    assert mentioned <= known


def test_every_command_is_in_the_readme() -> None:
    assert set(first_column(README, "command")) == set(COMMANDS)


def test_the_readme_lists_the_exit_codes_that_are_in_use() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "servermatrix").rglob("*.py"))
    used = {Exit[name].value for name in re.findall(r"\bExit\.([A-Z_]+)\b", sources)}
    listed = {int(code) for code in first_column(README, "exit code")}
    assert used <= listed
    assert listed - used <= {1}, "a code is listed that nothing ends with"


def test_the_readme_explains_every_flag_of_a_row() -> None:
    assert sorted(first_column(README, "flag")) == sorted(Flag)
    rows = re.findall(r"^\| ([\w -]+) \|.*\| (yes|no) \|$", README.read_text(), re.MULTILINE)
    assert {flag for flag, ranked in rows if ranked == "no"} == UNRANKED


def test_every_flag_and_section_of_a_report_is_explained() -> None:
    text = READING.read_text()
    told = [flag for names in re.findall(r"^- \*\*([\w ,-]+)\*\*: ", text, re.MULTILINE) for flag in names.split(", ")]
    assert [flag for flag in Flag if flag not in told] == []
    sections = (controls.HEADING, effects.HEADING, looks.HEADING, "What limited each row", "Noise floor", "On the wire")
    assert [section for section in sections if section not in text] == []


def test_every_column_of_a_report_is_explained_in_the_readme() -> None:
    explained = {name for cell in first_column(README, "column") for name in cell.split(", ")} | {"server"}
    headers = {measure.header for measure in (*CLOSED, *OPEN) if measure.full} | {"CPU us/request", "vs ..."}
    assert headers - {"CPU us", "ratio", "rate kept"} <= explained
    assert "rate kept" in README.read_text()


@pytest.mark.parametrize("block", blocks(README, "yaml"), ids=lambda block: block.splitlines()[1].strip())
def test_every_matrix_in_the_readme_reads_as_one(block: str, tmp_path: Path) -> None:
    matrix, servers = tmp_path / "matrix.yaml", plugins.load_servers((write_example(tmp_path),))
    matrix.write_text(block)
    found = read_matrix(matrix, "quick", servers, plugins.load_generators(), applications.app_names())
    assert found.servers


def write_example(folder: Path) -> Path:
    """Write the plug-in of the README to where the README says it belongs."""
    (name,) = re.findall(r"This is `(servers/\w+\.py)`", README.read_text())
    (folder / name).parent.mkdir()
    (folder / name).write_text(the_block(README, "python", "SERVER = Server("))
    return folder


def test_the_plug_in_of_the_readme_loads_and_plans(tmp_path: Path) -> None:
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(the_block(README, "yaml", "anycorn") + "axes: {protocol: [h1, h2]}\n")
    prepared = prepare(Wishes(matrix=matrix, plugin_folders=(write_example(tmp_path),)), find_tools=False)
    assert [cell.id for cell in prepared.plan.cells if not cell.duplicate] == [
        f"anycorn[loop={loop}]/h1/w1/c64/plaintext" for loop in ("asyncio", "trio")
    ]
    assert [each.id.split("/")[1] for each in prepared.plan.excluded] == ["h2", "h2"]
    assert all("anycorn" in each.reason for each in prepared.plan.excluded)


def test_the_plan_of_the_plug_in_of_the_readme_shows_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix = tmp_path / "matrix.yaml"
    matrix.write_text(the_block(README, "yaml", "anycorn"))
    code = cli.guarded(["plan", "--matrix", str(matrix), "--runners", str(write_example(tmp_path))])
    assert code == Exit.OK
    assert "-m anycorn --config ./anycorn.toml --bind 127.0.0.1:8000 --workers 1 --worker-class trio" in capsys.readouterr().out


def test_the_table_of_rounds_is_what_a_plan_says() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \|$", READING.read_text(), re.MULTILINE)
    assert len(rows) >= 5
    for row in rows:
        size, pairs, rounds = map(int, row)
        assert (size * (size - 1) // 2, rounds) == (pairs, rounds_needed(pairs))


def test_the_sections_and_notes_that_are_explained_stand_in_reports() -> None:
    reports = "".join(to_markdown(report) for report in PROTOCOL_EXAMPLES.values())
    explained = re.findall(r"\*\*([A-Z][\w ]+)\*\*", READING.read_text().partition("## The same work?")[2].partition("\n## ")[0])
    assert len(explained) == 4
    assert [each for each in explained if each not in reports] == []


def test_the_fake_model_of_contributing_runs_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fake.yaml").write_text(the_block(CONTRIBUTING, "yaml", "fail:"))
    words, *_ = [words for words in typed(CONTRIBUTING) if "--fake" in words]
    assert cli.guarded([*words, "--json", "-q"]) == Exit.CELL_FAILED
    report = json.loads(capsys.readouterr().out)
    status = {cell["id"]: cell["status"] for cell in report["cells"]}
    assert {name for name, each in status.items() if each == "failed"} == {name for name in status if "hypercorn" in name}
    reasons = {cell["reason"] for cell in report["cells"] if cell["status"] == "failed"}
    assert reasons == {"it does not like Mondays"}
    assert (tmp_path / "reports" / "latest.md").is_file()


def test_contributing_describes_every_key_of_the_fake_model() -> None:
    assert set(first_column(CONTRIBUTING, "key of a cell")) == {*fake.NEEDED, *fake.OPTIONAL}
    assert set(first_column(CONTRIBUTING, "key of `noise`")) == {"kind", *fake.NOISE}
    (kinds,) = re.findall(r"^\| `kind` \|(.*)\|.*\|$", CONTRIBUTING.read_text(), re.MULTILINE)
    assert set(re.findall(r"`([\w-]+)`", kinds)) == set(fake.KINDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    for target in targets:
        if not target.startswith(("http:", "https:", "#")):
            assert (document.parent / target.partition("#")[0]).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_heading_leads_to_one(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+\.md#[^)\s]+)\)", document.read_text()):
        file, _, anchor = target.partition("#")
        headings = re.findall(r"^#+ (.*)$", (document.parent / file).read_text(), re.MULTILINE)
        assert anchor in [heading.lower().replace(" ", "-") for heading in headings], f"{document.name}: {target}"


@pytest.mark.parametrize("name", ["quick table", "h2 table"])
def test_the_place_of_each_measured_table_is_marked_in_the_readme(name: str) -> None:
    text = README.read_text()
    assert text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") == 1
    assert text.index(f"<!-- {name} -->") < text.index(f"<!-- /{name} -->")


def test_the_changelog_has_an_unreleased_part() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()
