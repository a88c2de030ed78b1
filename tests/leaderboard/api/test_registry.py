"""Every endpoint is what its description says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboard.api import schemas, urls
from leaderboard.api.openapi import document
from leaderboard.api.registry import ENDPOINTS, Endpoint
from tests.leaderboard.api.holds import problems
from tests.leaderboard.api.site import Site, make_site

pytestmark = pytest.mark.django_db
NAMES = [endpoint.name for endpoint in ENDPOINTS]


@pytest.fixture
def site() -> Site:
    return make_site()


def address(endpoint: Endpoint, site: Site) -> str:
    values = {"suite": "ko-basic", "slug": site.finished.revision.language_model.slug, "id": str(site.finished.pk)}
    return re.sub(r"{(\w+)}", lambda match: values[match[1]], endpoint.path)


def test_every_module_of_the_api_has_its_endpoints() -> None:
    assert {endpoint.answer.__module__ for endpoint in ENDPOINTS} == {module.__name__ for module in urls.MODULES}
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=NAMES)
def test_an_example_is_what_the_schema_says(endpoint: Endpoint) -> None:
    if endpoint.name == "healthz":
        assert endpoint.example["checks"]["database"]["ok"] is True
    assert problems(endpoint.example, endpoint.response) == []


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=NAMES)
def test_an_answer_is_what_the_schema_says_and_writes_nothing(endpoint: Endpoint, site: Site, client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address(endpoint, site))
    assert response.status_code == 200, response.content
    if endpoint.content_type == "application/json":
        assert problems(response.json(), endpoint.response) == []
    assert all(query["sql"].startswith(("SELECT", "WITH", "DECLARE")) for query in queries)
    assert len(queries) <= 9
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=NAMES)
def test_only_get_and_head_are_answered(endpoint: Endpoint, site: Site, client: Client) -> None:
    assert client.head(address(endpoint, site)).status_code == 200
    for method in (client.post, client.put, client.delete, client.options):
        response = method(address(endpoint, site))
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, HEAD"
        assert problems(response.json(), schemas.ERROR) == []


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if not e.is_live], ids=lambda e: e.name)
def test_what_has_not_changed_is_not_sent_again(endpoint: Endpoint, site: Site, client: Client) -> None:
    first = client.get(address(endpoint, site))
    again = client.get(address(endpoint, site), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["Cache-Control"] == "public, max-age=0, must-revalidate"


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.is_live], ids=lambda e: e.name)
def test_what_holds_seconds_is_never_stored(endpoint: Endpoint, site: Site, client: Client) -> None:
    assert client.get(address(endpoint, site)).headers["Cache-Control"] == "no-store"


STRANGE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["-1", "0", "1", "٣", "1e9", "９", "\x00", "'; DROP TABLE", "%s", "99999999999999999999", "NaN"]),
    st.integers().map(str),
)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=NAMES)
def test_no_value_of_a_parameter_breaks_an_endpoint(endpoint: Endpoint, site: Site, client: Client) -> None:
    names = st.sampled_from([p.name for p in endpoint.parameters] or ["x"]) | st.text(min_size=1, max_size=5)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(query=st.dictionaries(names, STRANGE, max_size=3))
    def ask(query: dict[str, str]) -> None:
        response = client.get(address(endpoint, site), query)
        assert response.status_code in (200, 400, 404) or endpoint.name == "healthz"
        if response.status_code in (400, 404):
            error = response.json()
            assert problems(error, schemas.ERROR) == []
            assert error["parameter"] in query

    ask()


@pytest.mark.parametrize("path", ["boards/{}", "models/{}", "runs/{}", "runs/{}/samples", "{}"])
def test_no_path_breaks_the_api(path: str, site: Site, client: Client) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        value=st.one_of(st.text(max_size=40), st.integers().map(str), st.sampled_from(["%00", "..", "a/../b", "%ff"]))
    )
    def ask(value: str) -> None:
        raw = value
        if not value.startswith("%"):
            raw = "".join(f"%{byte:02x}" for byte in value.encode("utf-8", "replace"))
        response = client.get("/api/v1/" + path.format(raw))
        assert response.status_code in (200, 301, 302, 400, 404)

    ask()


def test_the_document_names_every_address_and_resolves_every_reference() -> None:
    made = json.loads(json.dumps(document()))
    assert made["openapi"] == "3.1.0"
    assert set(made["paths"]) == {endpoint.path for endpoint in ENDPOINTS}
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(made)))
    assert references <= set(made["components"]["schemas"])
    for path, item in made["paths"].items():
        names = {p["name"] for p in item["get"]["parameters"] if p["in"] == "path"}
        assert names == set(re.findall(r"{(\w+)}", path))
        assert item["get"]["responses"]["200"]["content"]


def test_the_contract_has_its_addresses() -> None:
    assert {endpoint.path for endpoint in ENDPOINTS} >= {
        "/api/v1/suites",
        "/api/v1/boards/{suite}",
        "/api/v1/models",
        "/api/v1/models/{slug}",
        "/api/v1/runs/{id}",
        "/api/v1/runs/{id}/samples",
        "/api/v1/queue",
        "/healthz",
        "/metrics",
    }


@pytest.mark.parametrize("path", ["/api/v1/docs", "/ko/api/v1/docs", "/en/api/v1/docs"])
def test_the_page_for_people_tries_every_address_without_a_script(path: str, client: Client) -> None:
    response = client.get(path)
    page = response.content.decode()
    assert response.status_code == 200
    for endpoint in ENDPOINTS:
        assert f"<code>GET {endpoint.path}</code>" in page
        assert f'href="{endpoint.trial}"' in page
    assert not re.search(r"<style|style=|<script(?![^>]*\bsrc=)|onclick", page)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/", "/api", "/api/v2/suites", "/api/v1/models/"])
def test_an_address_that_is_not_there_lists_those_that_are(path: str, client: Client) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "/api/v1/boards/{suite}" in response.json()["error"]


def test_an_unknown_value_is_named(site: Site, client: Client, settings: Any) -> None:
    response = client.get(f"/api/v1/runs/{site.finished.pk}/samples?status=maybe", headers={"Accept-Language": "en"})
    assert response.status_code == 400
    assert response.json() == {
        "error": "status cannot be “maybe”. Choose one of: right, wrong, no_answer, error, scored.",
        "status": 400,
        "parameter": "status",
        "value": "maybe",
    }


def test_an_unknown_parameter_and_a_doubled_one_are_refused(client: Client) -> None:
    unknown = client.get("/api/v1/models?stauts=open", headers={"Accept-Language": "en"})
    doubled = client.get("/api/v1/models?page=1&page=2", headers={"Accept-Language": "en"})
    assert (unknown.status_code, doubled.status_code) == (400, 400)
    assert "“stauts”" in unknown.json()["error"]
    assert "q, kind, page" in unknown.json()["error"]
    assert "more than once" in doubled.json()["error"]
