"""What holds for the command line of every server plug-in, whatever is asked of it."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from itertools import chain
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from servermatrix.contracts import Count, Launch
from tests.combinations import Combination, combinations

ALL = tuple(combinations())
LOGGING = tuple(one for one in (one.logging() for one in ALL) if one.server.objection(one.launch()) is None)


@st.composite
def launches(draw: st.DrawFn) -> tuple[Combination, Launch]:
    """Draw a combination, with an access log or without, give every Count some value, and say how it is started."""
    one = draw(st.sampled_from(ALL + LOGGING))
    launch = one.launch(workers=draw(st.integers(1, 8)), port=draw(st.integers(1, 65_535)), folder=draw(folders))
    options = dict(launch.options)
    for name in options:
        option = one.server.options[name]
        if isinstance(option, Count):
            options[name] = str(draw(st.integers(option.minimum, option.minimum + 1000)))
    factory, lifespan = draw(st.booleans()), draw(st.sampled_from(("auto", "on", "off")))
    return one, replace(launch, options=options, factory=factory, lifespan=lifespan)


folders = st.sampled_from(("/cell", "/tmp/servermatrix-a b", "/tmp/ü", "/tmp/a:b"))


def everything(one: Combination, launch: Launch) -> list[str]:
    """List every text by which a server learns its settings."""
    server = one.server
    return [*server.argv(launch), *server.env(launch).values(), *server.files(launch).values()]


def possible(one: Combination, launch: Launch) -> bool:
    return one.server.objection(launch) is None


@given(launches())
def test_a_command_line_is_a_list_of_words(drawn: tuple[Combination, Launch]) -> None:
    one, launch = drawn
    words = one.server.argv(launch)
    assert isinstance(words, list)
    assert words
    assert all(type(word) is str and word and "\0" not in word for word in words)


@given(launches())
def test_the_same_start_has_the_same_command_files_and_environment_and_is_left_unchanged(
    drawn: tuple[Combination, Launch],
) -> None:
    one, launch = drawn
    before = copy.deepcopy(launch)
    first, second = (
        [
            *(part(launch) for part in (one.server.argv, one.server.env, one.server.files, one.server.needs, one.server.proof)),
            *(part(launch) for part in (one.server.interface, one.server.unequal, one.server.objection)),
            *(part(launch) for part in (one.server.settings, one.server.settings_argv)),
        ]
        for _ in range(2)
    )
    assert first == second
    assert launch == before


@given(launches())
def test_a_returned_command_line_can_be_changed_without_changing_the_next(drawn: tuple[Combination, Launch]) -> None:
    one, launch = drawn
    words = one.server.argv(launch)
    kept = list(words)
    words.append("--more")
    assert one.server.argv(launch) == kept


@given(launches())
def test_the_server_learns_its_port_its_app_and_its_number_of_workers(drawn: tuple[Combination, Launch]) -> None:
    one, launch = drawn
    texts = everything(one, launch)
    if possible(one, launch):
        assert any(re.search(rf"(?<!\d){launch.port}(?!\d)", text) for text in texts)
        assert any(launch.target in text for text in texts)
        assert launch.workers == 1 or any(re.search(rf"(?<!\d){launch.workers}(?!\d)", text) for text in texts)


@given(launches(), st.integers(1, 8))
def test_another_number_of_workers_is_another_command(drawn: tuple[Combination, Launch], workers: int) -> None:
    one, launch = drawn
    other = Launch(**{field: getattr(launch, field) for field in Launch.__slots__} | {"workers": workers})
    if possible(one, launch) and possible(one, other):
        assert (everything(one, launch) == everything(one, other)) == (launch.workers == workers)


@given(launches())
def test_the_files_that_are_there_to_stay_tell_port_app_and_workers_too(drawn: tuple[Combination, Launch]) -> None:
    one, launch = drawn
    words, settings = one.server.settings_argv(launch), one.server.settings(launch)
    texts = [*words, *settings.values()]
    for known in (str(launch.port), launch.called, *([str(launch.workers)] if launch.workers > 1 else [])):
        assert not words or any(re.search(rf"(?<!\d){re.escape(known)}(?!\d)", text) for text in texts)
    assert all(compile(text, name, "exec") for name, text in settings.items() if name.endswith(".py"))


@given(launches())
def test_nothing_is_left_to_what_happens_to_be_installed(drawn: tuple[Combination, Launch]) -> None:
    one, launch = drawn
    assert not [text for text in everything(one, launch) if re.search(r"(^|[=\"' ])auto($|[\"' ])", text)]


@given(launches())
def test_files_stay_within_the_work_folder(drawn: tuple[Combination, Launch]) -> None:
    one, launch = drawn
    for name, text in one.server.files(launch).items():
        path = PurePosixPath(name)
        assert name
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert isinstance(text, str)


@given(launches())
def test_certificate_and_key_are_those_of_the_work_folder_and_only_there_when_it_is_encrypted(
    drawn: tuple[Combination, Launch],
) -> None:
    one, launch = drawn
    # A backslash keeps a colon from ending a value in Twisted's descriptions.
    texts = [text.replace("\\:", ":") for text in everything(one, launch)]
    for file in (launch.certificate, launch.key):
        assert any(file in text for text in texts) == launch.encrypted


@given(st.sampled_from(LOGGING), st.integers(1, 8))
def test_an_access_log_changes_nothing_but_the_logging(one: Combination, workers: int) -> None:
    off = dict(one.options) | {"access_log": "off"}
    launch = one.launch(workers=workers)
    quiet = Launch(**{field: getattr(launch, field) for field in Launch.__slots__} | {"options": off})
    with_log, without = one.server.argv(launch), one.server.argv(quiet)
    assert with_log != without
    changed = {word for word in set(with_log) ^ set(without) if not re.search(r"access-?log|/cell_logging\.|--log-config", word)}
    assert changed <= {"-", "info", "warning"}
    files, quiet_files = one.server.files(launch), one.server.files(quiet)
    assert {name: files.get(name) for name in quiet_files} == quiet_files
    assert {name.split(".")[0] for name in files} - {name.split(".")[0] for name in quiet_files} <= {"cell_logging"}
    assert one.server.needs(launch) == one.server.needs(quiet)


@given(launches())
def test_a_proof_names_loop_and_protocol_class(drawn: tuple[Combination, Launch]) -> None:
    one, launch = drawn
    expected = one.server.proof(launch)
    assert set(expected) == {"loop", "http"}
    assert all(type(prefix) is str and prefix for prefix in expected.values())


def test_two_combinations_of_one_server_never_have_the_same_command() -> None:
    settings = [(one.name, one.protocol, tuple(everything(one, one.launch()))) for one in ALL]
    assert len(set(settings)) == len(settings)


def test_every_value_of_every_option_is_in_some_combination() -> None:
    seen = set(chain.from_iterable(((one.name, name, value) for name, value in one.options) for one in ALL))
    for one in ALL:
        for name, option in one.server.options.items():
            for value in getattr(option, "values", (option.default,)):
                assert (one.name, name, value) in seen
