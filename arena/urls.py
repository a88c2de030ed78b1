"""Addresses of the arena's pages; its streams are answered before Django (`arena.stream_door`)."""

from __future__ import annotations

from django.urls import path

from arena.views import battle, home, public

urlpatterns = [
    path("arena/", home.home, name="arena"),
    path("arena/consent/", home.consent, name="arena_consent"),
    path("arena/open/", home.open_battle, name="arena_open"),
    path("arena/chat/", home.chat, name="arena_chat"),
    path("arena/fair-play/", public.fair_play, name="fair_play"),
    path("arena/ledger/", public.ledger, name="ledger"),
    path("arena/ledger.csv", public.ledger_csv, name="ledger_csv"),
    path("arena/me/", public.me, name="arena_me"),
    path("arena/battles/<str:key>/", battle.page, name="battle"),
    path("arena/battles/<str:key>/vote/", battle.vote, name="battle_vote"),
    path("arena/battles/<str:key>/ask/", battle.ask, name="battle_ask"),
    path("arena/battles/<str:key>/retry/", battle.retry, name="battle_retry"),
    path("arena/battles/<str:key>/agree/", battle.agree, name="battle_agree"),
    path("arena/battles/<str:key>/share/", battle.share, name="battle_share"),
    path("arena/battles/<str:key>/report/", battle.report, name="battle_report"),
    path("arena/battles/<str:key>/delete/", battle.delete, name="battle_delete"),
]
