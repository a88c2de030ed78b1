"""Tables that leave the site."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.test import Client

from leaderboard.tables import csv_line, safe
from tests import factories

VECTORS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    "  =cmd|' /C calc'!A0",
    "\u3000＝1",
    "\n=1",
]


@pytest.mark.parametrize("text", VECTORS)
def test_a_text_that_a_spreadsheet_would_calculate_gets_an_apostrophe(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("value", ["한국어", "a=b", "model-7b", "", " ", "1.5", "'quoted"])
def test_any_other_text_stays_as_it_is(value: str) -> None:
    assert safe(value) == value


@pytest.mark.parametrize("value", [-1.5, 0, -3, None, True])
def test_a_number_stays_a_number(value: Any) -> None:
    assert safe(value) is value


def test_a_line_can_be_read_back() -> None:
    cells = ["가,나", '따옴표 "', "두\n줄", -0.5, None]
    assert next(csv.reader(io.StringIO(csv_line(cells)))) == ["가,나", '따옴표 "', "두\n줄", "-0.5", ""]


@pytest.fixture
def rows(db: None, client: Client) -> list[list[str]]:
    suite = factories.make_suite("ko-basic", tasks=[factories.make_task("first_gen", n_docs=4)])
    model = factories.make_language_model("maker/evil", organization="=HYPERLINK(1)")
    factories.make_finished_run(factories.make_revision(model), suite)
    factories.make_run(suite=suite)
    return list(csv.reader(io.StringIO(client.get("/en/boards/ko-basic.csv").content.decode("utf-8-sig"))))


def test_a_board_as_csv_has_the_numbers_of_the_page(rows: list[list[str]], client: Client) -> None:
    line = dict(zip(rows[0], rows[1], strict=True))
    assert line["Model"] == "maker/evil"
    assert line["Organisation"] == "'=HYPERLINK(1)"
    assert float(line["Average (%)"]) == 50.0
    assert float(line["first_gen task [first_gen] (%)"]) == 50.0
    page = client.get("/en/boards/ko-basic/").content.decode()
    half = re.search(r"<b>50\.0</b></a><i>±([\d.]+)</i>", page)
    assert half is not None
    assert f"{float(line['±95%']):.1f}" == half[1]


def test_what_is_missing_is_empty_and_never_zero(rows: list[list[str]]) -> None:
    line = dict(zip(rows[0], rows[2], strict=True))
    assert (line["Status"], line["Average (%)"], line["first_gen task [first_gen] n"]) == ("queued", "", "")


def test_the_file_opens_in_excel_in_the_readers_language(rows: list[list[str]], client: Client) -> None:
    response = client.get("/ko/boards/ko-basic.csv")
    assert response.content.startswith(b"\xef\xbb\xbf")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="ko-basic.csv"'
    assert "first_gen 과제 [first_gen] (%)" in response.content.decode()


def test_the_address_takes_what_the_pages_takes(rows: list[list[str]], client: Client) -> None:
    assert client.get("/en/boards/ko-basic.csv?kind=api").content.decode().count("\r\n") == 1
    assert client.get("/en/boards/ko-basic.csv?view=likelihood").content.decode().count("[first_gen]") == 0
    assert client.get("/en/boards/nothing.csv").status_code == 404


def test_a_file_that_has_not_changed_is_not_sent_again(rows: list[list[str]], client: Client) -> None:
    first = client.get("/en/boards/ko-basic.csv")
    again = client.get("/en/boards/ko-basic.csv", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
