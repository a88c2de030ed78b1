"""Every address of the site against every role: who may read, who is led to the login, who is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

from leaderboard.models import AuditEntry, SavedView, Submission
from tests import factories

pytestmark = pytest.mark.django_db
ROLES = ("anonymous", "user", "staff", "superuser")
LOGIN = "/admin/login/"
# Patterns that are written as expressions, with an address each.
BY_HAND = {
    r"admin/^(?P<app_label>": "/admin/auth/",
    r"admin/(?P<url>.*)$": "/admin/nowhere/at/all",
    r"^api(?:/(?P<rest>.*))?$": "/api/nowhere",
}
# Where nobody has to be anybody.
OPEN_ADMIN = {"/admin/login/", "/admin/logout/"}
# Pages that any staff member may have by Django's own rules: the index, one's password, a redirect to an object.
STAFF_ADMIN = {"/admin/", "/admin/password_change/", "/admin/password_change/done/", "/admin/jsi18n/"}
POSTED = ("console/act/", "console/workers/", "console/views/", "/bump/", "settings/change/", "/1/act/")


@cache
def _patterns() -> tuple[str, ...]:
    def walk(patterns: Any, before: str) -> Iterator[str]:
        for pattern in patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            else:
                yield f"^{route}" if isinstance(pattern.pattern, RegexPattern) and not before else route

    return tuple(walk(get_resolver().url_patterns, ""))


@pytest.fixture
def rows() -> dict[str, Any]:
    """Something for each address to be about."""
    run = factories.make_finished_run(factories.make_revision("maker/model"), factories.make_suite("kobest"))
    run.rerun_of = factories.make_finished_run(run.revision, run.suite)
    run.save()
    result = run.results.get()
    made = Submission.objects.create(form_key="k", revision=run.revision, network_hash="h")
    made.runs.add(run)
    keeper = User.objects.create_user("keeper", is_staff=True)
    return {
        "suites/<int:pk>": run.suite_id, "registry/<int:pk>": run.revision_id,
        "workers/<int:pk>": factories.make_worker().pk,
        "views/<int:pk>": SavedView.objects.create(owner=keeper, name="x").pk,
        "<int:pk>": run.pk, "<int:id>": run.pk, "<int:artifact_pk>": run.artifacts.get(result=result).pk,
        "<slug:slug>": "kobest", "models/<path:slug>": "maker/model", "<str:suite>": "kobest",
        "<str:task>": result.task.name, "<int:doc_id>": 0, "<str:code>": made.receipt,
        "<path:object_id>": 1, "<id>": 1, "<path:content_type_id>": ContentType.objects.get_for_model(Submission).pk,
    }  # fmt: skip


def _address(route: str, rows: dict[str, Any]) -> str:
    for start, address in BY_HAND.items():
        if route.startswith(start) or route.startswith(f"^{start}"):
            return address
    for pattern, value in rows.items():
        place, _, _name = pattern.rpartition("<")
        route = route.replace(pattern, f"{place}{value}")
    route = re.sub(r"<int:\w+>", "1", route)
    route = re.sub(r"<(\w+:)?\w+>", "x", route)
    assert not re.search(r"[\\^$(]", route), f"give {route} an address in BY_HAND"
    return f"/{route}"


def _client(role: str) -> Client:
    client = Client()
    if role != "anonymous":
        maker = User.objects.create_superuser if role == "superuser" else User.objects.create_user
        client.force_login(maker(role, is_staff=role in ("staff", "superuser")))
    return client


def _expected(role: str, address: str, method: str) -> set[int]:
    """The answers that are right; 302 stands for the way to the login."""
    if address in OPEN_ADMIN:
        return {200, 302, 405}
    if address.startswith("/admin/"):
        if role in ("anonymous", "user"):
            return {302}
        if role == "staff":
            # What does not exist leads back to the index (302) before anybody is asked for a permission.
            return {200, 302, 404, 405} if address in STAFF_ADMIN else {302, 403, 404, 405}
        return {200, 302, 403, 404, 405}
    if "/console/" in address:
        if role == "anonymous":
            return {302}
        if role == "user":
            return {403}
        if "/second-factor/" in address:
            # Nobody here has a device: the page of its code leads on.
            return {302} if "/verify/" in address else {200} if method == "GET" else {422}
        posted = any(part in address for part in POSTED)
        if method == "GET":
            return {405} if posted else {200}
        if not posted:
            return {405}
        if "/views/" in address:
            return {302, 404}
        return {403} if role == "staff" else {422}
    return set()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("role", ROLES)
def test_each_address_answers_each_role_as_it_should(role: str, method: str, rows: dict[str, Any]) -> None:
    client, wrong, seen = _client(role), [], 0
    for route in _patterns():
        address = _address(route, rows)
        expected = _expected(role, address, method)
        if not expected and (method == "POST" or role != "anonymous"):
            seen += 1
            continue
        acts = (("/workers/", "drain"), ("/registry/", "alias"))
        data = {"action": next((action for part, action in acts if part in address), "rerun")}
        # Who logs out is nobody from then on: a client of its own.
        asks = Client() if address == "/admin/logout/" else client
        answer = asks.get(address) if method == "GET" else asks.post(address, data)
        login = answer.status_code == 302 and answer["Location"].startswith(LOGIN)
        if not expected:
            right = answer.status_code < 500 and answer.status_code not in (401, 403) and not login
        else:
            right = answer.status_code in expected
            if role in ("anonymous", "user") and address not in OPEN_ADMIN and answer.status_code == 302:
                right = right and login
        seen += 1
        if not right:
            wrong.append(f"{method} {address} as {role}: {answer.status_code} {answer.headers.get('Location', '')}")
    assert wrong == []
    assert seen == len(_patterns())
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_site_that_requires_a_second_factor_opens_nothing_of_the_console_without(
    method: str, rows: dict[str, Any], settings: Any
) -> None:
    settings.CONSOLE_SECOND_FACTOR = "required"
    client, wrong = _client("superuser"), []
    for route in _patterns():
        address = _address(route, rows)
        if address in OPEN_ADMIN or not ("/console/" in address or address.startswith("/admin/")):
            continue
        answer = client.get(address) if method == "GET" else client.post(address, {"reason": "x"})
        if "/second-factor/" in address and "/verify/" not in address:
            right = answer.status_code == (200 if method == "GET" else 422)
        elif "/verify/" in address:
            right = answer.status_code == 302 and answer["Location"].endswith("/console/")
        else:
            right = answer.status_code == 302 and "/console/second-factor/" in answer["Location"]
        if not right:
            wrong.append(f"{method} {address}: {answer.status_code} {answer.headers.get('Location', '')}")
    assert wrong == []


def test_public_pages_say_the_same_to_every_role(rows: dict[str, Any]) -> None:
    clients = {role: _client(role) for role in ROLES}
    wrong = []
    for route in _patterns():
        address = _address(route, rows)
        if _expected("user", address, "GET"):
            continue
        codes = {role: client.get(address).status_code for role, client in clients.items()}
        if len(set(codes.values())) != 1:
            wrong.append((address, codes))
    assert wrong == []


def test_the_pages_of_django_rq_are_not_there(admin_client: Client) -> None:
    assert not [route for route in _patterns() if "rq" in route]
    assert admin_client.get("/admin/django_rq/dashboard/").status_code == 404


def test_the_login_leads_back_to_where_one_wanted_to_go(client: Client) -> None:
    answer = client.get("/ko/console/?status=failed")
    assert answer["Location"] == "/admin/login/?next=/ko/console/%3Fstatus%3Dfailed"


def test_an_account_that_was_closed_is_out(client: Client) -> None:
    user = User.objects.create_user("gone", is_staff=True)
    client.force_login(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/ko/console/")["Location"].startswith(LOGIN)


def test_each_kind_of_action_needs_its_own_permission(client: Client) -> None:
    from django.contrib.auth.models import Permission

    user = User.objects.create_user("half", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="operate_runs"))
    client.force_login(user)
    run, worker = factories.make_run(status="failed"), factories.make_worker()
    press = {"ids": [run.pk], "reason": "x"}
    assert client.post("/en/console/act/", {"action": "hide", **press}).status_code == 403
    assert client.post(f"/en/console/workers/{worker.pk}/", {"action": "drain", **press}).status_code == 403
    assert client.post("/en/console/act/", {"action": "drain", **press}).status_code == 403
    assert client.post("/en/console/act/", {"action": "delete", **press}).status_code == 403
    assert client.post("/en/console/act/", {"action": "rerun", **press}).status_code == 302


def test_a_press_from_another_site_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("chief"))
    run = factories.make_run(status="failed")
    answer = client.post("/en/console/act/", {"action": "rerun", "ids": [run.pk], "reason": "x"})
    assert answer.status_code == 403
    assert not run.reruns.exists()
