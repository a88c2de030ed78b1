"""Files of votes: what is taken, and what is refused with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.vote_files import Fault, RawVote, Refused, VoteFile

HEAD = "model_a,model_b,winner\n"


def rows(path: Path, **columns: str) -> list[RawVote | Fault]:
    return list(VoteFile(path, columns).rows())


def write(folder: Path, text: str | bytes, name: str = "votes.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("model_a", "a"), ("A", "a"), ("left", "a"), ("1", "a"), ("model_b", "b"), ("B", "b"), ("right", "b"),
        ("2", "b"), ("tie", "tie"), ("Tie", "tie"), ("tie (bothbad)", "bothbad"), ("tie (inconsistent)", "tie"),
    ],
)  # fmt: skip
def test_every_spelling_of_a_winner_is_understood(tmp_path: Path, said: str, meant: str) -> None:
    (vote,) = rows(write(tmp_path, f"{HEAD}x,y,{said}\n"))
    assert isinstance(vote, RawVote)
    assert vote.winner == meant


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x,y,maybe", "unknown winner"),
        ("x,y,", "unknown winner"),
        ("x,x,tie", "against itself"),
        (",y,tie", "without a name"),
        ("x,y", "2 fields"),
        ("x\x07,y,tie", "not printable"),
    ],
)
def test_a_faulty_row_is_named_by_its_line(tmp_path: Path, line: str, why: str) -> None:
    found = rows(write(tmp_path, f"{HEAD}x,y,tie\n{line}\nx,y,a\n"))
    assert [type(one) for one in found] == [RawVote, Fault, RawVote]
    assert found[1].line == 3
    assert why in found[1].message  # type: ignore[union-attr]


def test_a_quoted_line_break_does_not_shift_the_numbers(tmp_path: Path) -> None:
    text = 'model_a,model_b,winner,prompt\nx,y,tie,"one\ntwo"\nx,y,?,p\n'
    found = rows(write(tmp_path, text))
    assert isinstance(found[0], RawVote)
    assert found[0].prompt == "one\ntwo"
    assert found[1].line == 4


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"Line 1: there is no column “winner”; the file has model_a, model_b, result"):
        rows(write(tmp_path, "model_a,model_b,result\nx,y,a\n"))


def test_a_mapped_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no column “user” for voter"):
        rows(write(tmp_path, f"{HEAD}x,y,a\n"), voter="user")


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no field “votes”"):
        rows(write(tmp_path, HEAD), votes="x")


def test_latin_1_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Line 3 is not UTF-8"):
        rows(write(tmp_path, HEAD.encode() + b"x,y,a\ncaf\xe9,y,a\n"))


def test_a_cut_gzip_is_refused_after_its_last_line(tmp_path: Path) -> None:
    whole = gzip.compress((HEAD + "".join(f"model-{n},model-{n + 1},a\n" for n in range(5000))).encode())
    with pytest.raises(Refused, match="gzip file breaks off after line"):
        rows(write(tmp_path, whole[: len(whole) // 2], "votes.csv.gz"))


def test_a_gzip_whose_checksum_is_wrong_is_refused(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(f"{HEAD}x,y,a\n".encode()))
    whole[-6] ^= 1
    with pytest.raises(Refused, match="gzip"):
        rows(write(tmp_path, bytes(whole), "votes.csv.gz"))


def test_a_cut_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "votes.parquet"
    pq.write_table(pa.table({"model_a": ["x"] * 999, "model_b": ["y"] * 999, "winner": ["a"] * 999}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Refused, match="Parquet file cannot be read"):
        rows(path)


def test_parquet_and_json_lines_say_the_same_as_csv(tmp_path: Path) -> None:
    said = {"model_a": "x", "model_b": "y", "winner": 2, "turn": 1, "tstamp": 1700000000.5}
    pq.write_table(pa.table({name: [value] for name, value in said.items()}), tmp_path / "v.parquet")
    write(tmp_path, json.dumps(said) + "\n", "v.jsonl")
    write(tmp_path, ",".join(said) + "\nx,y,2,1,1700000000.5\n", "v.csv")
    found = {name: rows(tmp_path / f"v.{name}")[0] for name in ("parquet", "jsonl", "csv")}
    assert len({one[1:] for one in found.values()}) == 1
    assert found["csv"].cast_at == 1700000000.5  # type: ignore[union-attr]


def test_a_line_that_is_no_json_is_a_fault(tmp_path: Path) -> None:
    text = '{"model_a":"x","model_b":"y","winner":"tie"}\n[1]\n{"model_a":"x","winner":"tie"}\n{bad\n'
    found = rows(write(tmp_path, text, "v.jsonl"))
    assert [one.line for one in found if isinstance(one, Fault)] == [2, 3, 4]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    for name in ("v.csv", "v.jsonl"):
        with pytest.raises(Refused, match="empty"):
            rows(write(tmp_path, "", name))


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path: Path) -> None:
    assert len(rows(write(tmp_path, "\ufeff" + HEAD + "x,y,a\n"))) == 1
