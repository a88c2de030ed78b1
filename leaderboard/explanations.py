"""Why a run failed, in plain words, and what to change: one entry per error kind of the runners."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True)
class Explanation:
    """What happened and what to change, in the reader's language."""

    what: Text
    remedy: Text


UNKNOWN = Explanation(
    _("The evaluation failed for a reason that has no name here."),
    _("Read the message and the last log lines below; if they do not help, report this run to the site's staff."),
)

EXPLANATIONS: dict[str, Explanation] = {
    # What became of the attempt itself.
    "worker_lost": Explanation(
        _("The worker stopped answering in the middle of the run."),
        _("Nothing to do: the run goes back in line by itself and keeps the answers it already has."),
    ),
    "poison": Explanation(
        _("The worker died in each of the attempts, so the run was taken out of the line."),
        _("Look at the last log lines: most often memory runs out. Try a smaller precision or a bigger machine."),
    ),
    "killed": Explanation(
        _("The evaluation process was killed, most likely because memory ran out."),
        _("Use a smaller precision, a shorter maximum length or a machine with more memory."),
    ),
    "child_died": Explanation(
        _("The evaluation process ended without saying why."),
        _("The last log lines usually show the reason. The run is tried again while attempts are left."),
    ),
    "stalled": Explanation(
        _("No answer came for so long that the attempt was given up."),
        _("Check that the model server still answers; then ask for a rerun."),
    ),
    "disk_full": Explanation(
        _("There was no space left on the disk."),
        _("Free some space in the data directory; the answers stored so far are kept."),
    ),
    "no_disk": Explanation(
        _("There is not enough room on the worker's disk for this model."),
        _("Free some space or let another worker take it; the run is tried again by itself."),
    ),
    "internal": Explanation(
        _("Something in the evaluation itself broke."),
        _("This is not the model's fault. Please report the run with its last log lines."),
    ),
    "unknown": UNKNOWN,
    # Model servers.
    "endpoint_down": Explanation(
        _("The model server cannot be reached."),
        _("Check that the server runs and that the endpoint's base URL is right, including the port and /v1."),
    ),
    "endpoint_slow": Explanation(
        _("The model server does not answer in time."),
        _("Lower the concurrency, or give the server more capacity."),
    ),
    "endpoint_html": Explanation(
        _("The model server answers with a web page instead of JSON."),
        _("The base URL should end in /v1 and must not lead to a login page or a proxy's error page."),
    ),
    "endpoint_error": Explanation(
        _("The model server answers with errors."),
        _("Read the server's own log for the requests shown in the message below."),
    ),
    "auth": Explanation(
        _("The model server refuses the key."),
        _("Check the environment variable that holds the key on the worker's machine."),
    ),
    "model_not_found": Explanation(
        _("The server does not serve a model of this name."),
        _("Compare the served name of the endpoint with what the server lists at /v1/models."),
    ),
    "rate_limited": Explanation(
        _("The server says that there are too many requests."),
        _("Lower the concurrency or raise the quota of the key."),
    ),
    "bad_request": Explanation(
        _("The server refuses the requests."),
        _("Compare the message below with what the server supports, such as the longest prompt."),
    ),
    # Models of the Hub.
    "model_missing": Explanation(
        _("The model is not there, or it is private."),
        _("Check its name and that it is public."),
    ),
    "model_gated": Explanation(
        _("The model is gated on the Hub and this site has no access."),
        _("Ask its makers for access and set HF_TOKEN on the worker's machine."),
    ),
    "model_unreachable": Explanation(
        _("The Hub could not be reached."),
        _("Check the worker's network or HF_ENDPOINT; on a closed network put the files in place by hand."),
    ),
    "model_bad_name": Explanation(
        _("The name is not one of a model on the Hub."),
        _("Give it as owner/name."),
    ),
    "model_bad_revision": Explanation(
        _("The Hub has no such revision of this model."),
        _("Submit the model again with a branch, tag or commit that exists."),
    ),
    "model_no_config": Explanation(
        _("The model's files are not those of a transformers model."),
        _("Add a valid config.json to the repository."),
    ),
    "model_pickle_only": Explanation(
        _("The weights are pickled, and pickled files can run code."),
        _("Convert the weights to safetensors and upload them again."),
    ),
    "model_remote_code": Explanation(
        _("The model needs code of its own, which this site does not run."),
        _("Only architectures that transformers has by itself are run; remove auto_map and the .py files."),
    ),
    "unsafe_model": Explanation(
        _("The model's files ask for something that this site does not run."),
        _("Use safetensors weights and an architecture that transformers has by itself."),
    ),
    "unsupported_model": Explanation(
        _("This kind of model cannot be run by the installed backend."),
        _("Choose another backend, serve the model yourself and register the endpoint, or submit another model."),
    ),
    "model_too_large": Explanation(
        _("The model is larger than this site runs."),
        _("Submit a smaller or quantised version, or serve it yourself and register the endpoint."),
    ),
    "does_not_fit": Explanation(
        _("The model does not fit into the machine's memory."),
        _("Use a smaller precision or a quantised version, or a bigger GPU."),
    ),
    "no_chat_template": Explanation(
        _("The model has no chat template, so that no conversation can be put to it."),
        _("Choose suites of single questions, or submit the instruction-tuned model with its chat template."),
    ),
    "missing_dependency": Explanation(
        _("The worker's machine lacks a package that this model needs."),
        _("Install the extra that the message names in the environment of the worker."),
    ),
    # Suites and data sets.
    "unsupported_suite": Explanation(
        _("This suite is scored by likelihood only, which a chat API cannot give."),
        _("Choose a suite that is scored by generation and match."),
    ),
    "unsupported_task": Explanation(
        _("A task of this suite needs something that this backend cannot give."),
        _("Choose the suite's generation variant, or an endpoint that returns log-probabilities of a given text."),
    ),
    "no_dataset": Explanation(
        _("The items of the suite could not be found."),
        _("Put the set's public release below GYEORU_DATASETS, or allow the worker to reach the Hub."),
    ),
    "missing_file": Explanation(
        _("A file of the data set is not where its release has it."),
        _("Copy the release again so that the path in the message exists."),
    ),
    "dataset_missing": Explanation(
        _("The data set is not where it should be."),
        _("Copy the release again so that the path in the message exists."),
    ),
    "changed_file": Explanation(
        _("A file of the data set is cut short or is not the one this task was pinned to."),
        _("Restore the file from the release; a changed data set needs a new version of the suite."),
    ),
    "dataset_changed": Explanation(
        _("The data set is not the one this task was pinned to."),
        _("Restore the files from the release; a changed data set needs a new version of the suite."),
    ),
    "bad_row": Explanation(
        _("A row of the data set does not have the form of its release."),
        _("Restore the file from the release; the message names the line."),
    ),
    "hub_unreachable": Explanation(
        _("The data set could not be read from the Hub."),
        _("Check the network of the worker's machine, or put the release below GYEORU_DATASETS."),
    ),
    "unpinned": Explanation(
        _("The data set has no fixed commit, so its numbers could not be repeated."),
        _("Name the full commit of the data set in the suite."),
    ),
    "config_changed": Explanation(
        _("The task's definition is no longer the one the suite was published with."),
        _("Publish a new version of the suite, or restore the task's file."),
    ),
    "bad_spec": Explanation(
        _("The run's settings do not fit together."),
        _("The message names the setting; change it and ask for a rerun."),
    ),
    # Stored answers that are scored anew.
    "no_answers": Explanation(
        _("The stored answers of the earlier run are gone or damaged."),
        _("Restore its files from a backup, or repeat the run with its model."),
    ),
    "other_question": Explanation(
        _("The earlier run was asked other questions than this version asks."),
        _("Its answers cannot stand here; repeat the run with its model."),
    ),
    # Judged runs.
    "judge_failed": Explanation(
        _("The judge gave too few readable verdicts."),
        _("Check the judge's endpoint; the answers are kept and can be judged again."),
    ),
}


def explain(kind: str) -> Explanation:
    """What a run's `error_kind` means; a kind nobody has explained yet has a text of its own."""
    return EXPLANATIONS.get(kind, UNKNOWN)
