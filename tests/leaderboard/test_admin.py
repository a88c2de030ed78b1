"""Staff's pages open, and what was measured cannot be changed there."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from leaderboard.models import Submission
from runners.models import ModelRevision
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "name",
    ["runners/endpoint", "runners/languagemodel", "runners/modelrevision", "runners/evaluationrun", "runners/price",
     "leaderboard/submission"],
)  # fmt: skip
def test_every_list_and_row_opens(admin_client: Client, name: str) -> None:
    run = factories.make_run(factories.make_revision(endpoint=factories.make_endpoint()))
    made = Submission.objects.create(form_key="k", revision=run.revision, network_hash="h")
    made.runs.add(run)
    rows: dict[str, Any] = {
        "endpoint": run.revision.endpoint_id, "languagemodel": run.revision.language_model_id,
        "modelrevision": run.revision_id, "evaluationrun": run.pk, "submission": made.pk,
    }  # fmt: skip
    assert admin_client.get(f"/admin/{name}/").status_code == 200
    if (pk := rows.get(name.split("/")[1])) is not None:
        page = admin_client.get(f"/admin/{name}/{pk}/change/").content.decode()
        assert made.receipt not in page


def test_a_frozen_revision_keeps_what_it_is(admin_client: Client) -> None:
    revision = factories.make_revision(frozen_at=timezone.now())
    admin_client.post(f"/admin/runners/modelrevision/{revision.pk}/change/", {"state": "gone", "commit_sha": "f" * 40})
    changed = ModelRevision.objects.get(pk=revision.pk)
    assert (changed.state, changed.commit_sha) == ("gone", revision.commit_sha)
    assert admin_client.get(f"/admin/runners/modelrevision/{revision.pk}/delete/").status_code == 403


def test_a_run_and_a_submission_are_only_read(admin_client: Client) -> None:
    run = factories.make_run()
    assert admin_client.get("/admin/runners/evaluationrun/add/").status_code == 403
    assert admin_client.post(f"/admin/runners/evaluationrun/{run.pk}/change/", {"status": "failed"}).status_code == 403
    assert admin_client.get("/admin/leaderboard/submission/add/").status_code == 403
