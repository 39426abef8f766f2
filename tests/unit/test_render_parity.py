"""What compared cells do differently: told where it is known and matters, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from servermatrix.model import PlannedCell, Proof, Report, Summary, Wire
from servermatrix.render.markdown import to_markdown
from servermatrix.render.parity import differences, introduction, on_the_wire, unequal
from servermatrix.render.terminal import to_terminal
from tests.golden.protocol_examples import AES_128, AES_256, DIFFERING_FRAMING, DIFFERING_TLS, planned, proof, row
from tests.golden.report_examples import RANKED


def sending(name: str, head: int = 100, framing: str = "content-length", *, body: int = 10, protocol: str = "h1") -> Summary:
    return row(planned(name, protocol), 1_000, 1, Wire(head_bytes=head, body_bytes=body, framing=framing), name)


def silent(name: str) -> Summary:
    return row(planned(name), 1_000, 1)


# framing


def test_a_different_framing_is_told_with_who_sends_what() -> None:
    rows = [sending("a", framing="chunked"), sending("b"), sending("c"), sending("d", framing="close")]
    assert differences(rows, []) == ["Different framing: chunked from a; close from d; content-length from b, c."]


def test_the_same_framing_is_not_told() -> None:
    assert differences([sending("a", framing="chunked"), sending("b", framing="chunked")], []) == []


def test_frames_are_to_http_2_what_chunks_are_to_http_1() -> None:
    chunked, frames = sending("a", framing="chunked"), sending("b", framing="frames", protocol="h2c")
    assert differences([chunked, frames], []) == []
    assert differences([sending("a"), frames], []) == ["Different framing: content-length from a; frames from b."]


def test_most_of_many_rows_are_counted_and_not_named() -> None:
    many = [sending(f"s{number}") for number in range(5)]
    odd = sending("a", framing="chunked")
    assert differences([*many, odd], []) == ["Different framing: chunked from a; content-length from the other 5 rows."]
    assert differences([*many[:4], odd], []) == ["Different framing: chunked from a; content-length from s0, s1, s2, s3."]


def test_rows_that_nothing_is_known_of_are_not_among_the_others() -> None:
    rows = [*(sending(f"s{number}") for number in range(5)), sending("a", framing="chunked"), silent("x")]
    assert differences(rows, []) == ["Different framing: chunked from a; content-length from s0, s1, s2, s3, s4."]


def test_what_is_not_known_is_not_compared() -> None:
    assert differences([sending("a", framing="chunked"), silent("b")], []) == []
    assert differences([silent("a"), silent("b")], []) == []
    assert differences([], []) == []


# sizes


def test_a_size_that_differs_by_more_than_a_tenth_is_told_with_the_extremes() -> None:
    rows = [sending("a", 110), sending("b", 100), sending("c", 140)]
    assert differences(rows, []) == [
        "Different size on the wire: one HTTP/1.1 answer is from 110 bytes (b) to 150 (c), 36 % more."
    ]


@pytest.mark.parametrize(("head", "told"), [(100, 0), (111, 0), (112, 1)])
def test_a_tenth_more_is_still_no_difference(head: int, told: int) -> None:
    assert len(differences([sending("a", 100), sending("b", head)], [])) == told


def test_the_body_counts_as_the_head_does() -> None:
    assert len(differences([sending("a"), sending("b", body=30)], [])) == 1


def test_compressed_headers_are_not_compared_with_others() -> None:
    one, other = sending("a", 40, protocol="h2c"), sending("b", 120)
    assert differences([one, other], []) == []
    wider = sending("c", 60, protocol="h2c")
    assert differences([one, other, wider], []) == [
        "Different size on the wire: one HTTP/2 answer is from 50 bytes (a) to 70 (c), 40 % more."
    ]


def test_an_answer_of_no_byte_at_all_is_no_reason_to_fail() -> None:
    assert len(differences([sending("a", 0, body=0), sending("b")], [])) == 1


# TLS


def proven(*found: tuple[str, str]) -> list[str]:
    cells = [planned(name, "h2") for name, _ in found]
    proofs = [proof(each, tls, "2") for each, (_, tls) in zip(cells, found, strict=True)]
    return differences([row(each, 1_000, 1) for each in cells], proofs)


def test_tls_that_differs_is_told_with_who_has_what() -> None:
    assert proven(("a", AES_128), ("b", AES_128), ("c", AES_256)) == [f"TLS differs: {AES_256} for c; {AES_128} for a, b."]


def test_tls_that_is_the_same_or_not_known_is_not_told() -> None:
    assert proven(("a", AES_128), ("b", AES_128)) == []
    assert proven(("a", AES_128), ("b", "")) == []


def test_a_proof_of_another_worker_count_or_protocol_proves_nothing() -> None:
    a, b = planned("a", "h2"), planned("b", "h2")
    others = [
        proof(planned("b", "h2", workers=2), AES_256, "2"),
        proof(planned("b", "h1s"), AES_256, "1.1"),
        proof(a, AES_128, "2"),
    ]
    assert differences([row(a, 1_000, 1), row(b, 900, 2)], others) == []


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (DIFFERING_TLS, f"TLS differs: {AES_128} for granian, hypercorn; {AES_256} for uvicorn, gunicorn."),
        (DIFFERING_FRAMING, "Different framing: chunked from server1; content-length from the other 6 rows."),
        (
            DIFFERING_FRAMING,
            "Different size on the wire: one HTTP/1.1 answer is from 93 bytes (server2) to 141 (server1), 52 % more.",
        ),
    ],
)
def test_differences_stand_under_the_table_in_every_form(report: Report, sentence: str) -> None:
    assert f"- {sentence}\n" in to_markdown(report)
    assert f"  {sentence}\n" in to_terminal(report, width=200, colour=False)


# on the wire


def test_each_answer_is_listed_once_however_many_loads_it_was_sent_under() -> None:
    rows = [sending("a"), sending("b", 120), sending("a"), replace(sending("a"), planned=planned("a", workers=2))]
    assert on_the_wire(rows) == [
        ("plaintext", "a", "h1", "100", "10", "content-length"),
        ("plaintext", "b", "h1", "120", "10", "content-length"),
    ]


def test_the_answer_that_most_rows_have_seen_is_listed() -> None:
    ((*_, head, _, _),) = on_the_wire([sending("a", 101), sending("a"), sending("a")])
    assert head == "100"


def test_answers_of_one_app_stand_together_by_protocol() -> None:
    wsgi = replace(sending("w"), planned=planned("w", interface="wsgi"))
    rows = [sending("a", protocol="h2c"), wsgi, sending("b"), sending("a"), silent("c")]
    assert [line[:3] for line in on_the_wire(rows)] == [
        ("plaintext", "b", "h1"),
        ("plaintext", "a", "h1"),
        ("plaintext", "a", "h2c"),
        ("plaintext (WSGI)", "w", "h1"),
    ]


def test_that_two_families_are_not_comparable_is_said_where_both_are_listed() -> None:
    h1, h2 = sending("a"), sending("b", protocol="h2")
    assert "not comparable" in introduction([h1, h2])
    assert "not comparable" not in introduction([h1, h1])
    assert "not comparable" not in introduction([h2, silent("a")])


def test_a_run_that_looked_at_no_answer_has_no_section_and_no_note() -> None:
    assert "wire" not in to_markdown(RANKED)
    assert "framing" not in to_markdown(RANKED)


# what could not be set alike


def unlike(of: PlannedCell, *sentences: str) -> Summary:
    return row(replace(of, unequal=sentences), 1_000, 1)


def test_what_holds_for_a_whole_server_is_told_of_the_server_once() -> None:
    h1, h2, other = planned("a", label="x=1"), planned("a", "h2", label="x=2"), planned("b")
    assert unequal([unlike(h1, "one", "two"), unlike(h2, "one", "two"), unlike(other)]) == [("a", "one"), ("a", "two")]


def test_what_holds_for_some_settings_is_told_of_those() -> None:
    rows = [unlike(planned("a", label=f"x={value}"), *(["one"] if value != 2 else [])) for value in (3, 1, 2)]
    assert unequal(rows) == [("a[x=1], a[x=3]", "one")]


def test_what_holds_for_a_protocol_or_a_worker_count_names_it() -> None:
    h1, h2, h2_by_two = planned("a"), planned("a", "h2"), planned("a", "h2", workers=2)
    assert unequal([unlike(h1), unlike(h2, "one"), unlike(h2_by_two, "one")]) == [("a h2", "one")]
    assert unequal([unlike(h1), unlike(h2), unlike(h2_by_two, "one")]) == [("a/h2/w2", "one")]


def test_what_holds_for_one_cell_alone_names_its_id() -> None:
    one, other = planned("a"), planned("a", app="json")
    assert unequal([unlike(one, "one"), unlike(other)]) == [(one.cell.id, "one")]


def test_of_many_settings_four_are_named() -> None:
    rows = [unlike(planned("a", label=f"x={value}"), "one") for value in range(6)]
    assert unequal([*rows, unlike(planned("a"))]) == [("a[x=0], a[x=1], a[x=2], a[x=3], 2 more", "one")]
    assert unequal([*rows[:5], unlike(planned("a"))]) == [("a[x=0], a[x=1], a[x=2], a[x=3], a[x=4]", "one")]


def test_what_is_told_of_one_server_stands_together() -> None:
    rows = [unlike(planned("a"), "one"), unlike(planned("b"), "two"), unlike(planned("a", "h2"), "three")]
    assert unequal(rows) == [("a h1", "one"), ("a h2", "three"), ("b", "two")]


def test_the_same_sentence_of_two_servers_is_told_of_each() -> None:
    assert unequal([unlike(planned("a"), "one"), unlike(planned("b"), "one")]) == [("a", "one"), ("b", "one")]


def test_a_proof_is_found_by_the_key_that_it_is_asked_under() -> None:
    found: Proof = proof(planned("a", "h2", label="x=1", python="3.13"), AES_128, "2")
    assert found.key == "a[x=1]@3.13/h2/w1"
