"""What every server plug-in keeps to; a new file in runners/servers/ is covered as it is."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement

from servermatrix.config.options import canonical, offers
from servermatrix.contracts import Server
from servermatrix.plugins import load_servers
from tests.combinations import Combination, combinations, option_sets

SERVERS = load_servers()
PROTOCOLS = {"h1", "h1s", "h2c", "h2"}
# The other axes of the matrix: an option of such a name could not be told apart from them.
TAKEN = {"server", "protocol", "workers", "app", "connections"}

every_server = pytest.mark.parametrize("server", [pytest.param(server, id=name) for name, server in SERVERS.items()])
every_combination = pytest.mark.parametrize("one", [pytest.param(one, id=str(one)) for one in combinations()])


def test_the_four_servers_of_the_shipped_matrix_are_found() -> None:
    assert {"uvicorn", "gunicorn", "hypercorn", "granian"} <= set(SERVERS)


@pytest.mark.parametrize("name", SERVERS)
def test_a_name_can_stand_in_a_cell_id(name: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)


def test_at_least_one_combination_of_every_server_can_run() -> None:
    assert {one.name for one in combinations()} == set(SERVERS)


@every_server
def test_its_own_package_is_required_in_a_version_that_is_known_to_work(server: Server) -> None:
    assert server.requires
    for text in server.requires:
        assert Requirement(text).specifier, f"{text} names no version"


@every_server
def test_protocols_are_those_of_the_contract(server: Server) -> None:
    assert server.protocols
    assert set(server.protocols) <= PROTOCOLS
    assert len(set(server.protocols)) == len(server.protocols)


@every_server
def test_options_have_names_that_can_stand_in_a_cell_id_and_are_no_axis(server: Server) -> None:
    for name in server.options:
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", name)
        assert name not in TAKEN


@every_server
def test_defaults_are_canonical_values_of_their_options_and_never_auto(server: Server) -> None:
    for name, option in server.options.items():
        assert offers(option, option.default), name
        assert canonical(option, option.default) == option.default
        assert option.default != "auto"


@every_server
def test_values_are_different_words_that_can_stand_in_a_cell_id(server: Server) -> None:
    for option in server.options.values():
        values: tuple[str, ...] = getattr(option, "values", (option.default,))
        assert len(set(values)) == len(values)
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value) for value in values)


@every_server
def test_when_names_other_options_and_values_that_they_have(server: Server) -> None:
    for name, option in server.options.items():
        for other, values in option.when.items():
            assert other != name
            assert values
            assert all(offers(server.options[other], value) for value in values)


@every_server
def test_what_cannot_be_set_as_elsewhere_is_said_in_sentences_without_a_full_stop(server: Server) -> None:
    for sentence in server.unequal:
        assert len(sentence.split()) > 3
        assert sentence == sentence.strip()
        assert not sentence.endswith(".")
        assert "\n" not in sentence


@every_server
def test_an_objection_is_one_sentence_without_a_full_stop(server: Server) -> None:
    for protocol in server.protocols:
        for options in option_sets(server):
            for workers in (1, 2, 8):
                one = Combination(name="it", server=server, options=options, protocol=protocol)
                said = server.objection(one.launch(workers=workers))
                assert said is None or (len(said.split()) > 3 and not said.endswith(".") and "\n" not in said)


@every_combination
@pytest.mark.parametrize("workers", [1, 2])
def test_every_part_answers_for_every_combination(one: Combination, workers: int) -> None:
    launch = one.launch(workers=workers)
    assert one.server.argv(launch)
    for texts in (one.server.env(launch), one.server.files(launch), one.server.proof(launch)):
        assert all(type(name) is str and type(text) is str for name, text in texts.items())
    assert all(Requirement(text).name for text in one.server.needs(launch))


@every_combination
def test_it_is_started_with_the_interpreter_that_its_packages_are_checked_in(one: Combination) -> None:
    assert one.launch().python in one.server.argv(one.launch())


@every_combination
def test_an_event_loop_that_is_a_package_is_needed(one: Combination) -> None:
    launch = one.launch()
    loop = one.server.proof(launch)["loop"].split(".")[0]
    needed = {Requirement(text).name for text in (*one.server.requires, *one.server.needs(launch))}
    assert loop in {"asyncio", *needed}


@every_combination
def test_no_access_log_is_asked_for_and_reloading_is_off(one: Combination) -> None:
    words = one.server.argv(one.launch())
    assert not [word for word in words if re.match(r"--(access-?log|reload|debug)", word)]
