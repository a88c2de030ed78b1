"""Addresses of the console, below /console/."""

from __future__ import annotations

from django.urls import path

from leaderboard.console import factor_views, posts, registry_views, views

urlpatterns = [
    path("", views.runs, name="console"),
    path("failures/", views.failures, name="console_failures"),
    path("fleet/", views.fleet, name="console_fleet"),
    path("suites/", views.suites, name="console_suites"),
    path("suites/<int:pk>/", views.suite, name="console_suite"),
    path("registry/", registry_views.revisions, name="console_registry"),
    path("registry/<int:pk>/", registry_views.revision, name="console_revision"),
    path("registry/<int:pk>/act/", registry_views.act, name="console_revision_act"),
    path("settings/", views.settings, name="console_settings"),
    path("settings/change/", posts.setting, name="console_setting"),
    path("audit/", views.audit, name="console_audit"),
    path("runs/<int:pk>/log/", views.log, name="console_log"),
    path("second-factor/", factor_views.factor, name="console_second_factor"),
    path("second-factor/verify/", factor_views.verify, name="console_verify"),
    path("suites/<int:pk>/bump/", posts.bump, name="console_bump"),
    path("act/", posts.act, name="console_act"),
    path("workers/<int:pk>/", posts.worker, name="console_worker"),
    path("views/", posts.save_view, name="console_save_view"),
    path("views/<int:pk>/delete/", posts.drop_view, name="console_drop_view"),
]
