"""A participant's side of feedback: ask, take a suggestion, flag, and what becomes of the rest.

Every write locks the reply first, so that two taps, two tabs and the submission of the reply
come one after the other; docs/feedback.md tells the whole life of a request.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError

from feedback import tasks
from feedback.errors import NoReasonError, NothingToFlagError, NotOfferedError, SupersededError
from feedback.exposure import kept_share
from feedback.models import FeedbackFlag, FeedbackRequest, Suggestion
from feedback.placing import place
from trial.models import Participant, Reply
from trial.services import audit, replies
from trial.services.allocation import intervention_of

INTERVENTION = "feedback"
PREPARED_SECONDS = 3600  # after which a post is read again, should a worker have lost it
Status = FeedbackRequest.Status


@dataclass(frozen=True)
class Accepted:
    """The reply after a tap on a suggestion; `applied` is False when its place was gone."""

    text: str
    revision: int
    applied: bool


def is_offered(participant: Participant) -> bool:
    return intervention_of(participant) == INTERVENTION


@transaction.atomic
def ask(*, reply: Reply, text: str, key: str, revision: int | None = None, window: str = "") -> FeedbackRequest:
    """Save the draft and ask for feedback on it.

    A repeated tap gives the request that it already made, and a text that needed nothing needs
    nothing still. A request on older text is given up for the new one.

    Raises:
        NotOfferedError: the participant's arm has no feedback.
        ReplyError: the draft cannot be saved (`submitted`, `wrong_state`, `too_long`, `stale_revision`).
    """
    reply = _locked(reply)
    text = replies.clean(text, reply.participant.protocol.writing.max_length)
    known = _known(reply, text, key)
    if known is None:
        _give_up_open(reply, "superseded")
        _close(reply)
    replies.save_draft(reply=reply, text=text, revision=revision, window=window)
    return known or _create(reply, text, key)


def _locked(reply: Reply) -> Reply:
    if not is_offered(reply.participant):
        raise NotOfferedError("This study page does not exist.")
    return replies.lock(reply)


def _known(reply: Reply, text: str, key: str) -> FeedbackRequest | None:
    """The request that already answers, or will answer, this tap."""
    requests = FeedbackRequest.objects.latest_of(reply)
    same_key: FeedbackRequest | None = requests.filter(key=key).first()
    if same_key:
        return same_key
    latest: FeedbackRequest | None = requests.first()
    if latest is None or latest.text != text:
        return None
    return latest if latest.is_open or latest.outcome == "nothing_needed" else None


def _create(reply: Reply, text: str, key: str) -> FeedbackRequest:
    request = FeedbackRequest.objects.create(reply=reply, key=key, text=text, seed=secrets.randbits(62))
    _record("feedback.requested", request)
    # Robust: a broker that is away must not turn a stored request into an error page.
    transaction.on_commit(tasks.process_feedback.delay, robust=True)
    return request


def prepare(reply: Reply) -> None:
    """Let a worker read the post while the participant does; once in a while for each post, whoever opens it."""
    try:
        first = cache.add(f"feedback:prepared:{reply.post_id}", 1, PREPARED_SECONDS)
    except RedisError:
        first = True  # a cache that is away costs a message, and never the page
    if first:
        # A lambda, since Django names a robust callback that fails by a `__qualname__` that a partial lacks.
        transaction.on_commit(lambda: tasks.prepare_post.delay(reply.post_id), robust=True)


def call_again(request: FeedbackRequest) -> None:
    """Wake the workers once more for a request that waits: wake-ups can be lost, rows cannot."""
    if FeedbackRequest.objects.claimable().filter(pk=request.pk).exists():
        transaction.on_commit(tasks.process_feedback.delay, robust=True)


def _record(action: str, request: FeedbackRequest, **data: object) -> None:
    """The reference is the request and never the participant: who may read it must not learn arms."""
    audit.record(
        action,
        label="participant",
        study=request.reply.participant.study,
        ref=f"request:{request.pk}",
        data=data,
    )


def _give_up_open(reply: Reply, why: str) -> None:
    now = timezone.now()
    FeedbackRequest.objects.filter(reply=reply).open().update(
        status=Status.EXPIRED, error=why, lease_token=None, lease_until=None, finished_at=now, closed_at=now
    )


def _close(reply: Reply) -> None:
    """What was shown and not taken until now was ignored; its pills work no more."""
    now = timezone.now()
    earlier = FeedbackRequest.objects.filter(reply=reply, closed_at__isnull=True)
    Suggestion.objects.pending().filter(request__in=earlier, shown_at__isnull=False).update(ignored_at=now)
    earlier.update(closed_at=now)


def record_shown(request: FeedbackRequest) -> None:
    """Note when the answer and its suggestions were first on the participant's page."""
    if request.is_open or request.answered_at is not None:
        return
    now = timezone.now()
    with transaction.atomic():
        first = FeedbackRequest.objects.filter(pk=request.pk, answered_at__isnull=True).update(answered_at=now)
        if first:
            Suggestion.objects.filter(request=request, shown_at__isnull=True).update(shown_at=now)


@transaction.atomic
def accept(*, suggestion: Suggestion, text: str, revision: int | None = None, window: str = "") -> Accepted:
    """Apply one suggestion to the text as it stands now, manual edits included, and save it.

    Accepting twice changes nothing the second time. Where the place of the edit is gone from
    the text, the suggestion becomes stale and the text is kept as it is.

    Raises:
        NotOfferedError: the participant's arm has no feedback.
        SupersededError: a newer answer has replaced the one this suggestion belongs to.
        ReplyError: the draft cannot be saved.
    """
    reply = _locked(suggestion.request.reply)
    suggestion = Suggestion.objects.select_for_update().select_related("request").get(pk=suggestion.pk)
    if suggestion.accepted_at is not None:
        return Accepted(reply.text, reply.revision, applied=True)
    if suggestion.request.closed_at is not None:
        raise SupersededError("These suggestions have been replaced by newer ones.")
    text = replies.clean(text, reply.participant.protocol.writing.max_length)
    edited = _applied(suggestion, text)
    _settle(suggestion, stale=edited is None)
    kept = text if edited is None else edited
    saved = replies.save_draft(reply=reply, text=kept, revision=revision, window=window)
    return Accepted(saved.text, saved.revision, applied=edited is not None)


def _applied(suggestion: Suggestion, current: str) -> str | None:
    """The current text with the edit, or None when its place is gone."""
    taken = list(suggestion.request.suggestions.filter(accepted_at__isnull=False))
    return place(
        suggestion.request.text,
        [other.edit for other in taken],
        suggestion.edit,
        current,
        before=[other.edit for other in taken if other.order < suggestion.order],
    )


def _settle(suggestion: Suggestion, *, stale: bool) -> None:
    now = timezone.now()
    if stale:
        suggestion.stale_at = now
    else:
        suggestion.accepted_at = now
        suggestion.shown_at = suggestion.shown_at or now
    suggestion.save(update_fields=["stale_at", "accepted_at", "shown_at"])
    action = "feedback.suggestion_stale" if stale else "feedback.suggestion_accepted"
    _record(action, suggestion.request, order=suggestion.order)


@transaction.atomic
def flag(
    *, request: FeedbackRequest, not_understood: bool = False, harmful: bool = False, other: str = ""
) -> FeedbackFlag:
    """Record a complaint about an answer; complaining again about the same one adds to it.

    Raises:
        NotOfferedError: the participant's arm has no feedback.
        NothingToFlagError: there is no answer yet.
        NoReasonError: no reason was given.
        ReplyError: the reply has been sent.
    """
    _locked(request.reply)
    other = other.strip()[:1000]
    if not (not_understood or harmful or other):
        raise NoReasonError("Please tick a reason, or write one in your own words.")
    request = FeedbackRequest.objects.select_for_update().get(pk=request.pk)
    if request.is_open:
        raise NothingToFlagError("There is no feedback to flag yet.")
    before = FeedbackFlag.objects.filter(request=request).first()
    stored, _ = FeedbackFlag.objects.update_or_create(
        request=request,
        defaults={
            "not_understood": not_understood or bool(before and before.not_understood),
            "harmful": harmful or bool(before and before.harmful),
            "other": other or (before.other if before else ""),
        },
    )
    request.suggestions.filter(flagged_at__isnull=True).update(flagged_at=timezone.now())
    _record("feedback.flagged", request, harmful=harmful, not_understood=not_understood)
    return stored


def close_on_submit(reply: Reply) -> None:
    """The reply was sent: no answer is waited for, and how much of each suggestion stands in it is noted.

    Call inside the transaction that submits the reply.
    """
    _give_up_open(reply, "submitted")
    _close(reply)
    shown = list(Suggestion.objects.filter(request__reply=reply, shown_at__isnull=False))
    for suggestion in shown:
        suggestion.kept = kept_share(suggestion.new, reply.text)
    Suggestion.objects.bulk_update(shown, ["kept"])
