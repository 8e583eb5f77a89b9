"""Which posts a participant answers: a random set, least-answered in their arm first.

Counting within the arm keeps every post answered about equally often in each arm, so the
between-arm difference is not a difference of posts.
"""

from __future__ import annotations

import secrets

from django.db.models import Count, Q

from trial.models import Participant, Post, Reply

_random = secrets.SystemRandom()


def assign(participant: Participant) -> list[Reply]:
    """Draw and store the participant's posts, in random order; call inside the allocation's transaction."""
    arm = participant.allocation.arm
    wanted = participant.protocol.writing.per_participant
    same_arm = Q(replies__participant__allocation__arm=arm)
    pool = list(
        Post.objects.filter(study=participant.study, active=True).annotate(used=Count("replies", filter=same_arm))
    )
    _random.shuffle(pool)
    pool.sort(key=lambda post: post.used)
    chosen = pool[:wanted]
    _random.shuffle(chosen)
    return Reply.objects.bulk_create(
        Reply(participant=participant, post=post, position=n) for n, post in enumerate(chosen, 1)
    )
