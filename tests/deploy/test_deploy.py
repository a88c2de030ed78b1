"""What lies in deploy/ names what exists: commands, lanes, settings and metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.test import Client

from arena.models import PairTally
from judging.models import Budget
from runners.models import Alarm
from tests.factories import make_run, make_worker

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
GPU = {"index": "0", "name": "H100", "utilisation": 0.5, "memory_used": 2**30, "memory_total": 80 * 2**30}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_unit_starts_a_command_that_exists(unit: Path):
    text = unit.read_text()
    named = re.findall(r"manage\.py (\w+)", text)
    assert set(named) <= set(get_commands()) and (named or "gunicorn" in text)
    assert "Type=oneshot" in text or "KillMode=mixed" in text


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path):
    for unit in (DEPLOY / "systemd").glob("gyeoru*.*"):
        text = unit.read_text().replace("/opt/gyeoru/.venv/bin/python", "/bin/true")
        (tmp_path / unit.name).write_text(text.replace("/opt/gyeoru/.venv/bin/gunicorn", "/bin/true"))
    units = sorted(str(path) for path in tmp_path.glob("*.[st]*") if path.suffix in (".service", ".timer"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert len(units) >= 6
    # Units of the machine itself may be complained about too.
    assert [line for line in (done.stdout + done.stderr).splitlines() if "gyeoru" in line] == []


def test_services_of_the_compose_file_refer_to_what_it_has():
    site = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    known = {"build", "image", "restart", "init", "stop_grace_period", "environment", "volumes", "depends_on"}
    known |= {"command", "ports", "profiles", "deploy", "healthcheck"}
    for name, service in site["services"].items():
        assert set(service) <= known, name
        for other, needs in service.get("depends_on", {}).items():
            state = needs["condition"]
            assert other in site["services"] and (
                state != "service_healthy" or "healthcheck" in site["services"][other]
            )
            assert state != "service_completed_successfully" or site["services"][other]["restart"] == "no"
        mounted = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert mounted <= set(site["volumes"]), name
    assert (DEPLOY / "Dockerfile").exists()


def test_compose_starts_every_lane_and_drains_with_one_signal():
    site = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    commands = [" ".join(service.get("command", [])) for service in site["services"].values()]
    lanes = {lane for command in commands for lane in re.findall(r"--queue, (\w+)|--queue (\w+)", command)}
    assert {a or b for a, b in lanes} == set(settings.LANES)
    assert {name for command in commands for name in re.findall(r"manage\.py (\w+)", command)} <= set(get_commands())
    assert "noeviction" in str(site["services"]["redis"])


def test_the_environment_of_the_units_is_documented():
    documented = (DEPLOY.parent / "docs" / "settings.md").read_text()
    names = re.findall(r"^(\w+)=", (DEPLOY / "systemd" / "gyeoru.env.example").read_text(), re.M)
    assert [name for name in names if name not in documented] == []


@pytest.mark.django_db
def test_every_metric_of_the_dashboard_is_served(client: Client):
    make_worker(gpus=[GPU])
    make_worker("r", lane="reconciler")
    make_run()
    Budget.objects.create(name="global", cap_usd=100, spent_usd=2)
    Alarm.objects.create(kind="worker_lost", key="w", text="w")
    served = client.get("/metrics").content.decode()
    dashboard = json.loads((DEPLOY / "grafana" / "gyeoru.json").read_text())
    shown = {
        name for panel in dashboard["panels"] for t in panel["targets"] for name in re.findall(r"gyeoru_\w+", t["expr"])
    }
    assert [name for name in sorted(shown) if not re.search(rf"^{name}[ {{]", served, re.M)] == []
    assert 'gyeoru_budget_spent_usd{budget="global"} 2.0' in served
    assert 'gyeoru_alarms_open{kind="worker_lost"} 1.0' in served
    assert "gyeoru_votes 0.0" in served and not PairTally.objects.exists()
