"""What every server plug-in keeps to; a new file in runners/servers/ is covered as it is."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from packaging.requirements import Requirement

from servermatrix.config.options import canonical, offers
from servermatrix.contracts import ACCESS_LOG, Launch, Server
from servermatrix.model import PROTOCOLS
from servermatrix.plugins import load_servers
from tests.combinations import Combination, combinations, everything

SERVERS = load_servers()
# The other axes of the matrix: an option of such a name could not be told apart from them.
TAKEN = {"server", "protocol", "workers", "app", "connections", "streams", "requests_per_connection", "python", "requires"}
INTERFACES = {"asgi", "rsgi", "wsgi"}

VALID = list(combinations())
ALL = list(everything())

every_server = pytest.mark.parametrize("server", [pytest.param(server, id=name) for name, server in SERVERS.items()])
every_combination = pytest.mark.parametrize("one", [pytest.param(one, id=str(one)) for one in VALID])


def texts(one: Combination, launch: Launch) -> list[str]:
    """List every text by which a server learns its settings."""
    return [*one.server.argv(launch), *one.server.env(launch).values(), *one.server.files(launch).values()]


def sentence(said: str) -> bool:
    return len(said.split()) > 3 and said == said.strip() and not said.endswith(".") and "\n" not in said


def test_the_servers_that_come_with_the_tool_are_found() -> None:
    assert {"uvicorn", "gunicorn", "hypercorn", "granian", "daphne"} <= set(SERVERS)


@pytest.mark.parametrize("name", SERVERS)
def test_a_name_can_stand_in_a_cell_id(name: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)


def test_at_least_one_combination_of_every_server_can_run_in_every_protocol_that_it_speaks() -> None:
    assert {(one.name, one.protocol) for one in VALID} == {
        (name, protocol) for name, server in SERVERS.items() for protocol in server.protocols
    }


def test_two_combinations_of_one_server_never_have_the_same_id() -> None:
    ids = Counter((one.name, one.label, one.protocol) for one in ALL)
    assert [each for each, count in ids.items() if count > 1] == []


@every_server
def test_its_own_package_is_required_in_a_version_that_is_known_to_work(server: Server) -> None:
    assert server.requires
    for text in server.requires:
        assert Requirement(text).specifier, f"{text} names no version"


@every_server
def test_protocols_are_those_of_the_contract(server: Server) -> None:
    assert server.protocols
    assert set(server.protocols) <= set(PROTOCOLS)
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
def test_when_names_other_options_or_the_protocol_and_values_that_they_have(server: Server) -> None:
    for name, option in server.options.items():
        for other, values in option.when.items():
            assert other != name
            assert values
            if other == "protocol":
                assert set(values) <= set(server.protocols)
            else:
                assert all(offers(server.options[other], value) for value in values)


@every_server
def test_an_access_log_can_be_asked_for_under_the_same_name_everywhere(server: Server) -> None:
    assert server.options["access_log"] == ACCESS_LOG


@every_server
def test_an_alarm_is_a_text_of_one_line_that_is_too_long_to_turn_up_by_chance(server: Server) -> None:
    assert len(set(server.alarms)) == len(server.alarms)
    for alarm in server.alarms:
        assert len(alarm) > 12
        assert alarm == alarm.strip()
        assert "\n" not in alarm


@pytest.mark.parametrize("one", [pytest.param(one, id=str(one)) for one in ALL])
def test_what_cannot_run_can_be_described_and_is_refused_in_one_sentence(one: Combination) -> None:
    for workers in (1, 2, 8):
        launch = one.launch(workers=workers)
        said = one.server.objection(launch)
        assert said is None or sentence(said)
        assert one.server.interface(launch) in INTERFACES
        assert all(type(text) is str and text for text in texts(one, launch)), "it could not be started to confirm the objection"
        assert all(Requirement(text).name for text in one.server.needs(launch))
        assert all(one.server.proof(launch).values())


@every_combination
@pytest.mark.parametrize("workers", [1, 2])
def test_every_part_answers_for_every_combination(one: Combination, workers: int) -> None:
    launch = one.launch(workers=workers)
    assert one.server.argv(launch)
    for pairs in (one.server.env(launch), one.server.files(launch), one.server.proof(launch)):
        assert all(type(name) is str and type(text) is str for name, text in pairs.items())
    assert all(Requirement(text).name for text in one.server.needs(launch))


@every_combination
@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_set_as_elsewhere_is_said_in_different_sentences_without_a_full_stop(
    one: Combination, workers: int
) -> None:
    said = one.server.unequal(one.launch(workers=workers))
    assert all(sentence(each) for each in said)
    assert len(set(said)) == len(said)


@every_combination
def test_it_is_started_with_the_interpreter_that_its_packages_are_checked_in(one: Combination) -> None:
    assert one.launch().python in one.server.argv(one.launch())


@every_combination
def test_what_the_witness_must_find_comes_from_a_package_that_is_needed(one: Combination) -> None:
    launch = one.launch()
    needed = {Requirement(text).name.lower() for text in (*one.server.requires, *one.server.needs(launch))}
    found = {part: name.split(".")[0] for part, name in one.server.proof(launch).items()}
    assert found["loop"] in {"asyncio", *needed}
    assert found["http"] in needed


@every_combination
def test_certificate_and_key_are_named_when_it_is_encrypted_and_only_then(one: Combination) -> None:
    launch = one.launch()
    for file in (launch.certificate, launch.key):
        assert any(file in text for text in texts(one, launch)) == launch.encrypted
    assert launch.encrypted or not [word for word in one.server.argv(launch) if re.match(r"--(ssl|cert|key)", word)]


@every_combination
def test_no_access_log_is_asked_for_and_reloading_is_off(one: Combination) -> None:
    words = one.server.argv(one.launch())
    assert not [word for word in words if re.match(r"--(access-?log|reload|debug)", word)]


@every_combination
def test_an_access_log_is_asked_for_when_it_is_on_and_is_no_reason_for_another_id_when_it_is_off(one: Combination) -> None:
    logged = one.logging()
    assert "access_log" not in one.label
    assert "access_log=on" in logged.label
    if one.server.objection(logged.launch()) is None:
        assert [word for word in logged.server.argv(logged.launch()) if re.match(r"--access-?log(file)?$", word)]
        assert logged.server.interface(logged.launch()) == one.server.interface(one.launch())


def test_every_interface_has_a_server_that_can_run_it() -> None:
    assert {one.server.interface(one.launch()) for one in VALID} == INTERFACES


# The names of stored results: a change here makes strangers of runs that are already measured.
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("uvicorn", "http=h11,loop=asyncio"),
        ("uvicorn", "http=httptools,loop=uvloop"),
        ("gunicorn", "loop=uvloop,worker=asgi"),
        ("gunicorn", "http=httptools,loop=uvloop,worker=uvicorn"),
        ("hypercorn", "loop=asyncio"),
        ("granian", "loop=uvloop"),
    ],
)
def test_the_ids_of_settings_that_have_been_measured_stay_as_they_are(name: str, label: str) -> None:
    assert (name, label, "h1") in {(one.name, one.label, one.protocol) for one in VALID}


def pick(name: str, protocol: str, **options: str) -> Combination:
    """Find the one combination with these options among all; the others stand at their defaults where they apply."""
    server = SERVERS[name]
    wanted = {"access_log": "off"} | {name: option.default for name, option in server.options.items()} | options
    fitting = [
        one
        for one in ALL
        if (one.name, one.protocol) == (name, protocol)
        and set(options) <= set(dict(one.options))
        and all(wanted[key] == value for key, value in one.options)
    ]
    assert len(fitting) == 1, fitting
    return fitting[0]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (pick("uvicorn", "h2", http="httptools"), "zttp alone"),
        (pick("uvicorn", "h2c", http="h11"), "zttp alone"),
        (pick("uvicorn", "h1s", loop="rloop"), "no TLS"),
        (pick("uvicorn", "h2c", http="zttp", loop="rloop"), "never answers"),
        (pick("gunicorn", "h1", worker="asgi", loop="rloop"), "asyncio and uvloop alone"),
        (pick("gunicorn", "h2", worker="uvicorn", http="h11"), "zttp alone"),
        (pick("gunicorn", "h1s", worker="uvicorn", loop="rloop"), "no TLS"),
        (pick("gunicorn", "h2c", worker="uvicorn", http="zttp", loop="rloop"), "never answers"),
        (pick("gunicorn", "h1", worker="gthread", interface="asgi"), "with one for ASGI it answers 500"),
        (pick("gunicorn", "h1", worker="tornado", interface="asgi"), "with one for ASGI it never answers"),
        (pick("gunicorn", "h1", worker="asgi", interface="wsgi"), "with one for WSGI it answers 500"),
        (pick("gunicorn", "h2", worker="sync", interface="wsgi"), "has no HTTP/2"),
        (pick("gunicorn", "h2c", worker="tornado", interface="wsgi"), "has no HTTP/2"),
        (pick("daphne", "h2c"), "over TLS alone"),
    ],
    ids=str,
)
def test_what_was_started_and_failed_is_refused(one: Combination, words: str) -> None:
    assert words in (one.server.objection(one.launch()) or "")


@pytest.mark.parametrize(
    "one",
    [
        pick("uvicorn", "h1", loop="rloop"),
        pick("uvicorn", "h2", http="zttp"),
        pick("gunicorn", "h2", worker="asgi"),
        pick("gunicorn", "h2c", worker="uvicorn", http="zttp"),
        pick("gunicorn", "h1", worker="uvicorn", loop="rloop"),
        pick("gunicorn", "h2", worker="gthread", interface="wsgi"),
        pick("gunicorn", "h2c", worker="gevent", interface="wsgi"),
        pick("hypercorn", "h2", loop="trio"),
        pick("granian", "h2", loop="rloop", interface="rsgi"),
        pick("daphne", "h2"),
    ],
    ids=str,
)
def test_what_was_started_and_worked_is_not_refused(one: Combination) -> None:
    assert one.protocol in one.server.protocols
    assert one.server.objection(one.launch()) is None


def test_daphne_is_refused_with_more_than_one_worker() -> None:
    daphne = pick("daphne", "h1")
    assert daphne.server.objection(daphne.launch(workers=2))


@pytest.mark.parametrize("protocol", ["h2c", "h2"])
def test_a_parser_of_http_1_is_no_dimension_of_http_2(protocol: str) -> None:
    assert "parser" not in dict(pick("gunicorn", protocol, worker="asgi").options)
    assert "parser" in dict(pick("gunicorn", "h1", worker="asgi").options)


def test_what_is_excluded_still_asks_for_what_it_says() -> None:
    assert "--http2" in SERVERS["uvicorn"].argv(pick("uvicorn", "h2c", http="h11").launch())
    (text,) = SERVERS["gunicorn"].files(pick("gunicorn", "h2", worker="uvicorn", http="h11").launch()).values()
    assert '"http": "h11", "http2": True' in text
    assert "rloop" in SERVERS["gunicorn"].argv(pick("gunicorn", "h1", worker="asgi", loop="rloop").launch())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_protocol_is_asked_for_alone_where_a_server_can_be_told(protocol: str) -> None:
    http2, encrypted = protocol in {"h2c", "h2"}, protocol in {"h1s", "h2"}
    command = {name: " ".join(texts(one, one.launch())) for name, one in told(protocol).items()}
    assert f"--http {2 if http2 else 1} " in command["granian"]
    assert ("--http2 " in command["uvicorn"]) == http2
    assert ("--http-protocols h2" in command["gunicorn"]) == http2
    assert ("--http2-cleartext prior-knowledge" in command["gunicorn"]) == (http2 and not encrypted)
    for name, words in (("granian", "streams 128"), ("gunicorn", "streams 128"), ("hypercorn", "streams = 128")):
        assert (words in command[name]) == (http2 or name == "hypercorn")
    assert f'alpn_protocols = ["{"h2" if http2 else "http/1.1"}"]' in command["hypercorn"]


def told(protocol: str) -> dict[str, Combination]:
    return {
        "uvicorn": pick("uvicorn", protocol, http="zttp"),
        **{name: pick(name, protocol) for name in ("gunicorn", "hypercorn", "granian")},
    }


def test_daphne_reads_a_colon_in_the_name_of_a_folder_as_part_of_it() -> None:
    words = SERVERS["daphne"].argv(pick("daphne", "h2").launch(folder="/a:b\\c"))
    assert "ssl:8123:interface=127.0.0.1:backlog=2048:privateKey=/a\\:b\\\\c/key.pem:certKey=/a\\:b\\\\c/certificate.pem" in words


def test_differences_are_those_of_the_combination() -> None:
    def said(one: Combination, workers: int = 1) -> str:
        return " ".join(one.server.unequal(one.launch(workers=workers)))

    assert "experimental" in said(pick("uvicorn", "h1", http="zttp"))
    assert "experimental" not in said(pick("uvicorn", "h1", http="h11"))
    assert "40 ms" in said(pick("uvicorn", "h1", loop="asyncio"), workers=2)
    assert "40 ms" not in said(pick("uvicorn", "h1", loop="asyncio"))
    assert "backlog of 100" in said(pick("gunicorn", "h1", worker="asgi"))
    assert "backlog of 100" not in said(pick("gunicorn", "h1", worker="uvicorn"))
    assert "100 streams" in said(pick("gunicorn", "h2", worker="asgi"))
    assert "4096 requests" in said(pick("uvicorn", "h2c", http="zttp"))
    assert "4096 requests" in said(pick("gunicorn", "h2", worker="uvicorn"))
    assert "4096 requests" not in said(pick("uvicorn", "h1", http="zttp"))
    assert said(pick("hypercorn", "h1")) == ""
    assert "60 s without a request, not after 75" in said(pick("granian", "h1"))
    assert "for being idle" in said(pick("granian", "h2c"))
    assert "Date" in said(pick("daphne", "h1"))
