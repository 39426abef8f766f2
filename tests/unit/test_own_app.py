"""An app of the user's: what may be typed about it, what of that a run stores, and what it takes to go on with one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from servermatrix import cli, store
from servermatrix.cli.redaction import without_values
from servermatrix.config.applications import user_app
from servermatrix.config.overrides import Overrides
from servermatrix.contracts import Launch
from servermatrix.errors import Exit, Unfit, UsageProblem
from servermatrix.header import planned_cells
from servermatrix.model import App, Asked, Expect, Request, RunHeader
from servermatrix.objections import server_objector
from servermatrix.prepare import Prepared, Setup, Wishes, prepare, prepare_stored
from servermatrix.venues import foreseen
from servermatrix.workbench import readied
from tests.conftest import ROOT
from tests.room import make_cell, small_server

MATRIX = """\
servers: {uvicorn: {loop: [asyncio], http: [h11]}, granian: {loop: [uvloop]}}
load: {duration: 1s, warmup: 0s, windows: 1}
rounds: 1
"""
MODEL = 'cells: {"*": {rps: 20000, cpu_us: 45}}\n'
MIX = """\
- {path: /items, weight: 3}
- {method: POST, path: /made, body: one, expect: {status: 201}}
"""
ITEMS = Asked(request=Request(path="/items"), weight=3)
MADE = Asked(request=Request(method="POST", path="/made", body="one"), expect=Expect(status=201))
SECRET = "hunter2"  # noqa: S105 - a secret for show


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a matrix, a model for the fake generator, a mix and a file of variables."""
    for name, text in (("matrix.yaml", MATRIX), ("model.yaml", MODEL), ("mix.yaml", MIX), (".env", f"TOKEN={SECRET}\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulated(*words: str, code: Exit = Exit.OK) -> None:
    """Run a simulation with these words, with a command line as the program would see it."""
    argv = ["run", "--load", "fake", "--fake", "model.yaml", "--app", "shop:make", "-q", *words]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["run_matrix.py", *argv])
        assert cli.guarded(argv) == code


def header_of(place: Path) -> RunHeader:
    return store.read_run(store.find_run("latest", place / "reports")).header


def test_all_that_is_typed_about_an_app_reaches_the_run_but_for_the_values_of_its_variables(place: Path) -> None:
    words = ("--factory", "--lifespan", "on", "--env-file", ".env", "--env", "MORE=s3cret", "--header", "x: 1")
    simulated(*words, "--requests", "mix.yaml")
    found = header_of(place)
    (app,) = found.apps
    with_header = tuple(replace(each, request=replace(each.request, headers=(("x", "1"),))) for each in (ITEMS, MADE))
    assert app == App(
        name="shop:make",
        target="shop:make",
        folder=str(place),
        request=with_header[0].request,
        expect=with_header[0].expect,
        factory=True,
        lifespan="on",
        env=(("MORE", ""), ("TOKEN", "")),
        mix=with_header,
    )
    everything = b"".join(file.read_bytes() for file in (place / "reports").rglob("*") if file.is_file())
    assert SECRET.encode() not in everything
    assert b"s3cret" not in everything
    assert found.argv[-3:] == ("x: 1", "--requests", "mix.yaml")
    assert "MORE=..." in found.argv


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (("--env", f"A={SECRET}", "run"), ("--env", "A=...", "run")),
        ((f"--env=A={SECRET}",), ("--env=A=...",)),
        (("--env", "A"), ("--env", "A")),
        (("--env", "A=", "--body", "a=b"), ("--env", "A=...", "--body", "a=b")),
        (("--env-file", "a=b", "--environment=c=d"), ("--env-file", "a=b", "--environment=c=d")),
        (("--env", "--env", f"A={SECRET}"), ("--env", "--env", "A=...")),
        (("--header", f"Authorization: Bearer {SECRET}"), ("--header", "Authorization: ...")),
        ((f"--header=cookie:{SECRET}", "--header", "x: 1"), ("--header=cookie: ...", "--header", "x: 1")),
        (("--header", f"X-API-Key: {SECRET}", "--path", "/token:1"), ("--header", "X-API-Key: ...", "--path", "/token:1")),
    ],
)
def test_of_a_command_line_the_values_of_variables_and_of_secret_headers_are_not_kept(
    typed: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    assert without_values(typed) == kept


@pytest.mark.parametrize(
    "words",
    [
        ("--factory",),
        ("--lifespan", "off"),
        ("--env", "A=b"),
        ("--env-file", ".env"),
        ("--requests", "mix.yaml"),
        ("--prepare", "true"),
        ("--cleanup", "true"),
        ("--app-dir", "reports"),
        ("--path", "/x"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan", "check"])
def test_what_is_about_an_app_needs_one(
    place: Path, words: tuple[str, ...], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place
    assert cli.guarded([command, *words]) == Exit.USAGE
    assert "options about an app of your own are given, but no app" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("--path", "/x"), ("--method", "POST"), ("--body", "x"), ("--expect-status", "201"), ("--expect-contains", "x")]
)
def test_a_mix_says_all_that_is_asked(place: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert place
    simulated("--requests", "mix.yaml", *words, code=Exit.USAGE)
    assert "--requests says what is asked and what is right" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--env", f"1={SECRET}"), ("--env", f"UVICORN_X={SECRET}")])
def test_a_wrong_variable_is_refused_without_its_value(
    place: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert place
    simulated(*words, code=Exit.USAGE)
    told = capsys.readouterr().err
    assert "Invalid value for '--env'" in told
    assert SECRET not in told


def test_a_mix_of_one_request_is_no_mix(place: Path) -> None:
    (place / "one.yaml").write_text("- {path: /x, weight: 9, expect: {contains: y}}")
    simulated("--requests", "one.yaml")
    (app,) = header_of(place).apps
    assert (app.request.path, app.expect.contains, app.mix) == ("/x", "y", ())


def test_a_target_with_parentheses_is_refused_with_the_way_to_name_a_factory(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        user_app("shop:make()", str(tmp_path), Request(), Expect())
    assert caught.value.tip.endswith("without its parentheses: --factory --app shop:make")


def begun(place: Path, *words: str) -> Path:
    """Leave of a simulation what an interruption before its first sample had left."""
    simulated(*words)
    folder = store.find_run("latest", place / "reports")
    lines = (folder / store.RUN_FILE).read_bytes().splitlines(keepends=True)
    (folder / store.RUN_FILE).write_bytes(lines[0])
    return folder


def test_a_run_goes_on_with_the_variables_that_it_was_begun_with_when_they_are_given_again(place: Path) -> None:
    folder = begun(place, "--env-file", ".env", "--env", "B=2", "--prepare", "touch before")
    assert cli.guarded(["run", "--resume", "latest", "-q", "--env-file", ".env", "--env", "B=3"]) == Exit.OK
    run = store.read_run(folder)
    assert run.complete
    assert run.header.apps[0].env == (("B", ""), ("TOKEN", ""))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "begun with environment variables whose values are not stored: B, TOKEN"),
        (("--env", "B=1"), "whose values are not stored: TOKEN"),
        (("--env-file", ".env", "--env", "B=1", "--env", "C=1"), "begun without the environment variables C"),
        (("--factory",), "cannot be changed with --factory"),
        (("--prepare", "true"), "cannot be changed with --prepare"),
    ],
)
def test_a_run_does_not_go_on_with_others(
    place: Path, words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(place, "--env-file", ".env", "--env", "B=2")
    assert cli.guarded(["run", "--resume", "latest", "-q", *words]) == Exit.USAGE
    assert sentence in capsys.readouterr().err


def test_the_values_go_to_the_app_that_has_them_alone(place: Path) -> None:
    begun(place, "--env", "A=1")
    found = header_of(place)
    other = App(name="plaintext", target="apps.plaintext:app", folder=".")
    prepared = prepare_stored(replace(found, apps=(*found.apps, other)), (), (("A", "1"),))
    assert [app.env for app in prepared.plan.apps] == [(("A", "1"),), ()]
    assert prepared.apps["shop:make"].env == (("A", "1"),)


def test_the_commands_before_and_after_are_stored_for_those_who_go_on(place: Path) -> None:
    begun(place, "--prepare", "touch before", "--cleanup", "touch after")
    stored = prepare_stored(header_of(place), ())
    assert dict(stored.settings) == {"prepare": "touch before", "cleanup": "touch after"}
    assert not (place / "before").exists(), "a simulation starts nothing that would need it"


def readying(place: Path, *commands: str) -> Prepared:
    """Prepare a run for real of an app in a folder, with commands before and after."""
    app = App(name="shop:make", target="shop:make", folder=str(place), env=(("WHO", "me"),))
    before, after = commands
    overrides = Overrides(app=app, generator="builtin")
    wishes = Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", overrides=overrides, prepare=before, cleanup=after)
    prepared = prepare(wishes, find_tools=False)
    other = App(name="plaintext", target="apps.plaintext:app", folder=str(ROOT))
    return replace(prepared, plan=replace(prepared.plan, apps=(other, *prepared.plan.apps)))


def test_the_commands_are_run_in_the_folder_of_the_users_app_with_its_variables(place: Path) -> None:
    setup, told = Setup(out=place / "reports", argv=()), list[str]()
    with readied(readying(place, "echo $WHO > before", "mv before after"), setup, told.append):
        assert (place / "before").read_text() == "me\n"
    assert (place / "after").exists()
    with readied(readying(place, "", ""), setup, told.append):
        assert not (place / "before").exists()
    assert told == []


def test_the_commands_disturb_no_run_that_is_measuring(place: Path) -> None:
    setup = Setup(out=place / "reports", argv=())
    prepared = readying(place, "touch before", "touch after")
    with (
        store.locked(setup.out),
        pytest.raises(Unfit, match="another run is measuring into"),
        readied(prepared, setup, list[str]().append),
    ):
        pytest.fail("it must not begin")
    assert not {"before", "after"} & {file.name for file in place.iterdir()}


def plan_of(app: App, *sets: tuple[str, tuple[str, ...]], generator: str | None = None) -> dict[str, str]:
    """Return the reasons for which cells are excluded, by id."""
    wishes = Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", overrides=Overrides(app=app, sets=sets, generator=generator))
    return {one.id: one.reason for one in prepare(wishes, find_tools=False).plan.excluded}


def shop(**more: object) -> App:
    return replace(App(name="shop:make", target="shop:make", folder="/nowhere"), **more)  # type: ignore[arg-type]


def test_a_generator_that_sends_one_request_over_and_over_drives_no_mix() -> None:
    mixed = shop(request=ITEMS.request, mix=(ITEMS, MADE))
    both = ("protocol", ("h1", "h2c"))
    reasons = plan_of(mixed, both)
    assert set(reasons.values()) - set(plan_of(shop(), both).values()) == {
        "h2load sends one request over and over: it cannot send a mix"
    }
    assert {cell_id.split("/")[1] for cell_id, reason in reasons.items() if "a mix" in reason} == {"h2c"}


def test_a_server_is_asked_whether_it_can_start_a_factory_and_run_a_lifespan() -> None:
    def objection(launch: Launch) -> str | None:
        return f"not {launch.lifespan}" if launch.factory else None

    servers = {"small": replace(small_server(), objection=objection)}
    of_app = server_objector(servers, {"plain": shop(factory=True, lifespan="off")})
    assert of_app(make_cell()) == "not off"
    assert of_app(replace(make_cell(), app="another")) is None
    assert server_objector(servers)(make_cell()) is None


def test_a_plan_shows_how_a_factory_is_started(tmp_path: Path) -> None:
    app = shop(factory=True, lifespan="off", folder=str(tmp_path))
    prepared = prepare(
        Wishes(matrix=ROOT / "matrix.yaml", profile="smoke", keep=("uvicorn*",), overrides=Overrides(app=app)), find_tools=False
    )
    for planned in planned_cells(prepared, foreseen(prepared.servers, prepared.plan.cells, "python")):
        assert "--factory" in planned.argv
        assert planned.argv[planned.argv.index("--lifespan") + 1] == "off"
