"""Demo accounts, one for each role of the study team; refused outside the demo."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from trial.models import User
from trial.permissions import ROLES

PASSWORD = "attune-demo"  # noqa: S105  # published on purpose: these accounts exist in the demo only


class Command(BaseCommand):
    help = __doc__ or ""

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo accounts are made only where DEMO is on.")
        for role in ROLES:
            email = f"{role.replace('_', '-')}@demo.example"
            user = User.objects.filter(email=email).first()
            if user is None:
                user = User.objects.create_user(email, PASSWORD, is_staff=True)
                EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
            user.groups.set([Group.objects.get(name=role)])
            self.stdout.write(f"{email}  password {PASSWORD}")
