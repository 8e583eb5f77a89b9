"""A participant's replies: drafts saved as they type, submission one post at a time."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from trial import interventions
from trial.errors import DomainError
from trial.models import Participant, Reply
from trial.progress import State
from trial.services import audit, flow, safety
from trial.services.allocation import intervention_of


class ReplyError(DomainError):
    """A draft or reply that cannot be stored; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def current(participant: Participant) -> Reply | None:
    """The first reply not yet submitted; None when all are."""
    return participant.replies.filter(submitted_at__isnull=True).order_by("position").select_related("post").first()


def mark_shown(reply: Reply) -> None:
    """Note when the post was first seen."""
    Reply.objects.filter(pk=reply.pk, first_shown_at__isnull=True).update(first_shown_at=timezone.now())


def lock(reply: Reply) -> Reply:
    """The reply's row, locked until the transaction ends.

    Raises:
        ReplyError: `submitted` when it is no longer a draft, `wrong_state` when the
            participant is not writing.
    """
    locked = (
        Reply.objects.select_for_update(of=("self",))
        .select_related("participant__study", "participant__version", "post")
        .defer("participant__version__document")
        .get(pk=reply.pk)
    )
    if locked.submitted_at is not None:
        raise ReplyError("submitted", "This reply has already been sent.")
    if locked.participant.state != State.WRITING or not locked.participant.study.is_running:
        raise ReplyError("wrong_state", "The writing part is not open for you at the moment.")
    return locked


def clean(text: str, limit: int) -> str:
    """The text with its line ends made plain, all else as typed.

    Raises:
        ReplyError: `too_long`.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > limit:
        raise ReplyError(
            "too_long",
            f"Your reply has {len(text):,} characters; at most {limit:,} can be sent. Nothing was lost.",
        )
    return text


@transaction.atomic
def save_draft(*, reply: Reply, text: str, revision: int | None = None, window: str = "") -> Reply:
    """Keep the draft. `revision` is what the window was shown (None skips the check).

    A window may be behind its own saves, since they overlap, but not behind another window's.

    Raises:
        ReplyError: `submitted`, `wrong_state`, `too_long`, or `stale_revision` when another
            window or device saved a different text meanwhile.
    """
    reply = lock(reply)
    text = clean(text, reply.participant.protocol.writing.max_length)
    if text == reply.text:
        return reply
    if revision not in (None, reply.revision) and (not window or window != reply.saved_by):
        raise ReplyError("stale_revision", "This reply was changed in another window.")
    reply.text = text
    reply.revision += 1
    reply.saved_by = window
    reply.saved_at = timezone.now()
    reply.save(update_fields=["text", "revision", "saved_by", "saved_at"])
    safety.screen(participant=reply.participant, text=text, place=f"reply:{reply.position}", reply=reply)
    return reply


@transaction.atomic
def submit(*, reply: Reply, text: str, revision: int | None = None, window: str = "") -> Participant:
    """Send the reply and go on to the next post, or to the survey after the last one.

    Sending the same reply again changes nothing.

    Raises:
        ReplyError: `empty`, `too_long`, `stale_revision`, `wrong_state`.
    """
    participant = flow.lock(reply.participant)
    if Reply.objects.filter(pk=reply.pk, submitted_at__isnull=False).exists():
        return participant
    if not text.strip():
        raise ReplyError("empty", "Please write a few words before you go on.")
    reply = save_draft(reply=reply, text=text, revision=revision, window=window)
    reply.submitted_at = timezone.now()
    reply.save(update_fields=["submitted_at"])
    interventions.intervention(intervention_of(participant)).on_submit(reply)
    audit.record(
        "reply.submitted",
        label="participant",
        study=participant.study,
        ref=participant.code,
        data={"position": reply.position},
    )
    if current(participant) is None:
        flow.move(participant, State.POST_SURVEY)
    return participant
