"""What is looked at before a model is taken, one check at a time: here what the Hub or the model's server says.

Everything that waits for another machine runs in a thread of its own with an end in sight, and never inside a
database transaction. What the site itself knows is looked at in `precheck_site`.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from django.conf import settings
from django.core.cache import cache
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from runners.adapters import hub, served
from runners.adapters.hub import HubError, HubModel
from runners.models import Endpoint

State = Literal["ok", "bad", "warning", "unknown"]
T = TypeVar("T")
HUB_SECONDS = 10.0
SERVED_SECONDS = 5.0
REMEMBERED_SECONDS = 60
_slots = threading.BoundedSemaphore(8)


@dataclass(frozen=True)
class Check:
    """One look. `text` says what was found, `remedy` what to change; both in the reader's language."""

    key: str
    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Findings:
    """All looks at a model. `model` is None where it could not be pinned to a commit (or is a served one)."""

    checks: list[Check] = field(default_factory=list)
    model: HubModel | None = None

    def refusals(self) -> list[Check]:
        """What stands against it; what could not be seen stands against it too."""
        return [check for check in self.checks if check.state in ("bad", "unknown")]


class TookTooLong(Exception):
    """The other side did not answer in time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises, or TookTooLong. `work` must not touch the database: it has a thread of its own."""
    box: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
    ends = time.monotonic() + seconds
    if not _slots.acquire(timeout=seconds):
        raise TookTooLong

    def run() -> None:
        try:
            box.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            box.put((None, error))
        finally:
            _slots.release()

    threading.Thread(target=run, daemon=True, name="precheck").start()
    try:
        result, error = box.get(timeout=max(ends - time.monotonic(), 0.001))
    except queue.Empty:
        raise TookTooLong from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def hub_findings(hub_id: str, revision: str = "main") -> Findings:
    """The looks at a model of the Hub; at most HUB_SECONDS."""
    ends = time.monotonic() + HUB_SECONDS
    try:
        hub.check_name(hub_id)
        hub.check_revision(revision)
        model = _remembered(f"model {hub_id} {revision}", HUB_SECONDS, lambda: hub.resolve(hub_id, revision))
    except (HubError, TookTooLong) as error:
        return Findings([explain(error, hub_id, revision)])
    left = max(ends - time.monotonic(), 0.5)
    config = None
    try:
        hub.check_files(model)
        _remembered(f"config {model.hub_id} {model.sha} {model.folder}", left, lambda: hub.check_config(model))
    except (HubError, TookTooLong) as error:
        config = error
    return Findings([*_facts(model, revision), *_contents(model, config)], model)


def _remembered(key: str, seconds: float, work: Callable[[], T]) -> T:
    """The answer of the last minute, or a new one. Refusals are asked for again: somebody may be mending them."""
    key = f"precheck:{hash((key, os.environ.get('HF_ENDPOINT'), str(settings.HOME)))}"
    found = cache.get(key)
    if found is None:
        found = (within(seconds, work),)
        cache.set(key, found, REMEMBERED_SECONDS)
    return found[0]  # type: ignore[no-any-return]


def explain(error: HubError | TookTooLong, hub_id: str, revision: str) -> Check:
    """Why there is no such model to be had, and what to do."""
    names = {"id": hub_id[:120], "revision": revision[:120], "host": _hub_host()}
    kind = error.kind if isinstance(error, HubError) else "unreachable"
    if kind == "bad_name":
        return Check("name", "bad", _("“%(id)s” is not a model name.") % names,
                     _("Write owner/name as on the Hub, in Latin letters, digits, dots, dashes and underscores; "
                       "each part at most 96 characters."))  # fmt: skip
    if kind == "bad_revision":
        return Check("revision", "bad", _("There is no branch, tag or commit “%(revision)s”.") % names,
                     _("Leave it at main, or copy a commit from the model's history."))  # fmt: skip
    if kind == "missing":
        return Check("exists", "bad", _("%(id)s does not exist on the Hub, or is private.") % names,
                     _("Check the spelling, capitals included; make the model public."))  # fmt: skip
    if kind == "gated":
        return _gated_check(hub_id)
    detail = error.detail if isinstance(error, HubError) else _("no answer in %(s)d s") % {"s": HUB_SECONDS}
    carried = hub.carried(hub_id)
    if carried:
        remedy = _("A copy lies on this machine: put its commit into the field “revision”: %(shas)s") % {
            "shas": ", ".join(carried[-3:])
        }
    else:
        remedy = _(
            "Try again in a minute. Without a connection: put the model's folder to "
            "models/%(id)s@<commit> in the site's data directory and give that commit as the revision."
        ) % {"id": hub_id}
    text = _("The Hub (%(host)s) cannot be reached: %(detail)s.") % {**names, "detail": detail}
    return Check("exists", "unknown", text, remedy)


def _facts(model: HubModel, revision: str) -> list[Check]:
    names = {"id": model.hub_id, "old": model.moved_from, "revision": revision, "sha": model.sha[:12]}
    if model.folder is not None:
        exists = Check("exists", "ok", _("%(id)s lies on this machine at that commit.") % names)
    elif model.moved_from:
        exists = Check("exists", "warning", _("%(old)s has moved: it is called %(id)s now.") % names,
                       _("It is measured and listed under its new name."))  # fmt: skip
    else:
        exists = Check("exists", "ok", _("%(id)s is on the Hub.") % names)
    pinned = Check("revision", "ok", _("“%(revision)s” is commit %(sha)s now; that commit is measured.") % names)
    return [exists, pinned, _size_check(model), _licence_check(model)]


def _size_check(model: HubModel) -> Check:
    size = filesizeformat(model.weights)
    if model.weights > settings.MAX_MODEL_BYTES:
        return Check("size", "bad", _("The weights are %(size)s.") % {"size": size},
                     _("This site runs models of up to %(limit)s.") %
                     {"limit": filesizeformat(settings.MAX_MODEL_BYTES)})  # fmt: skip
    if len(model.files) > hub.FILES_LIMIT:
        return Check("size", "bad", _("The repository has %(n)d files.") % {"n": len(model.files)},
                     _("At most %(limit)d are taken.") % {"limit": hub.FILES_LIMIT})  # fmt: skip
    if model.n_parameters:
        billions = f"{model.n_parameters / 1e9:.2g}"
        return Check("size", "ok", _("%(n)s billion parameters, %(size)s of weights.") % {"n": billions, "size": size})
    return Check("size", "ok", _("%(size)s of weights.") % {"size": size})


def _licence_check(model: HubModel) -> Check:
    if model.licence:
        return Check("licence", "ok", _("Licence as stated: %(licence)s.") % {"licence": model.licence})
    return Check(
        "licence", "warning", _("No licence is stated."), _("State one in the model card; the board shows it.")
    )


def _gated_check(hub_id: str) -> Check:
    return Check("gated", "bad", _("%(id)s is gated, and this site has not been given access.") % {"id": hub_id},
                 _("Open the model, or ask the people who run this site to request access."))  # fmt: skip


def _contents(model: HubModel, refused: HubError | TookTooLong | None) -> list[Check]:
    """Whether it may be read, how it is asked, whether it can be loaded, and whether it brings code."""
    kind = refused.kind if isinstance(refused, HubError) else "unreachable" if refused else ""
    checks = []
    if kind == "gated":
        checks.append(_gated_check(model.hub_id))
    elif model.gated and not kind:
        checks.append(Check("gated", "ok", _("Gated, and this site has access.")))
    elif not model.gated:
        checks.append(Check("gated", "ok", _("Open to everybody.")))
    if model.has_chat_template:
        checks.append(Check("template", "ok", _("It has a chat template; questions are asked through it.")))
    else:
        remedy = _(
            "That is right for a base model; an instruction-tuned one should carry its template. "
            "Suites of conversations can't be chosen without one."
        )
        checks.append(Check("template", "warning", _("It has no chat template: it is asked in plain text."), remedy))
    return [*checks, _weights_check(model), _code_check(refused, kind)]


def _weights_check(model: HubModel) -> Check:
    if "config.json" not in model.files:
        return Check("weights", "bad", _("There is no config.json: this is no transformers model."),
                     _("Adapters and GGUF files can't be measured; upload the merged model."))  # fmt: skip
    if not model.weights:
        remedy = _("Pickled weights can run code and are refused: convert them to safetensors and upload them.")
        return Check("weights", "bad", _("There are no safetensors weights."), remedy)
    return Check("weights", "ok", _("The weights are safetensors."))


def _code_check(refused: HubError | TookTooLong | None, kind: str) -> Check:
    detail = {"detail": getattr(refused, "detail", "") or _("no answer in time")}
    if kind == "remote_code":
        remedy = _("Only models of stable transformers classes are run: upload it without auto_map and .py files.")
        return Check("code", "bad", _("The repository brings code of its own (%(detail)s).") % detail, remedy)
    if kind in ("no_config", "too_large") and detail["detail"]:
        return Check("code", "bad", _("A configuration file can't be read (%(detail)s).") % detail,
                     _("Upload valid JSON files of less than 2 MB."))  # fmt: skip
    if kind in ("unreachable", "missing", "bad_revision", "gated"):
        return Check("code", "unknown", _("Whether it brings code could not be seen (%(detail)s).") % detail,
                     _("Try again in a minute."))  # fmt: skip
    return Check("code", "ok", _("It brings no code of its own (no auto_map, no .py)."))


def _hub_host() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").split("://")[-1].rstrip("/")


def served_findings(endpoint: Endpoint) -> Findings:
    """The looks at a served model; at most twice SERVED_SECONDS."""
    address, key = endpoint.base_url, endpoint.key_env
    try:
        names = within(SERVED_SECONDS, lambda: served.list_models(address, key))
    except (served.ServerError, TookTooLong) as error:
        first = _server_check("endpoint", error)
        if first.state == "bad" and getattr(error, "kind", "") in ("down", "refused"):
            return Findings([first])
        checks = [Check("endpoint", "warning", first.text, first.remedy)]
    else:
        checks = [Check("endpoint", "ok", _("The server answers."))]
        if endpoint.served_name in names:
            checks.append(Check("listed", "ok", _("It lists %(name)s.") % {"name": endpoint.served_name}))
        else:
            checks.append(Check("listed", "warning", _("It does not list %(name)s.") % {"name": endpoint.served_name},
                                _("It lists: %(names)s.") % {"names": ", ".join(names[:8]) or "–"}))  # fmt: skip
    return Findings([*checks, _reply_check(endpoint)])


def _reply_check(endpoint: Endpoint) -> Check:
    try:
        text = within(SERVED_SECONDS, lambda: served.ask(endpoint.base_url, endpoint.served_name, endpoint.key_env))
    except (served.ServerError, TookTooLong) as error:
        return _server_check("reply", error)
    if not text.strip():
        remedy = _("A reasoning model may have spent it on thinking; else look at the server's settings.")
        return Check("reply", "warning", _("It answered a tiny question with an empty text."), remedy)
    return Check("reply", "ok", _("It answers a tiny question with text."))


def _server_check(key: str, error: served.ServerError | TookTooLong) -> Check:
    """What the server did instead. Slow and busy servers may be well later, so they do not stand in the way."""
    kind = error.kind if isinstance(error, served.ServerError) else "slow"
    status = {"status": getattr(error, "status", None) or "–", "s": round(SERVED_SECONDS)}
    texts: dict[str, tuple[State, str, str]] = {
        "down": ("bad", _("The server can't be reached."), _("Start it, or ask staff to correct its address.")),
        "slow": ("warning", _("The server gave no answer in %(s)s s."),
                 _("It may be loading the model; the run asks again with more patience.")),
        "refused": ("bad", _("The server refuses the key (%(status)s)."),
                    _("Ask staff to set the key's environment variable.")),
        "missing": ("bad", _("The server does not know the model or the path (%(status)s)."),
                    _("Ask staff to correct the served name or the address (…/v1).")),
        "busy": ("warning", _("The server has too much to do (%(status)s)."),
                 _("The run waits and asks again; raise the limit or come back later.")),
        "empty": ("bad", _("The server answered without any text (null)."),
                  _("Ask staff to look at the server's chat template and settings.")),
        "strange": ("bad", _("The server answered something that is not the OpenAI API, such as an HTML page."),
                    _("Ask staff to correct the address: it usually ends in /v1, without a login page before it.")),
    }  # fmt: skip
    state, text, remedy = texts.get(
        kind, ("bad", _("The server failed (%(status)s)."), _("Look at the server's log and try again."))
    )
    return Check(key, state, text % status, remedy)
