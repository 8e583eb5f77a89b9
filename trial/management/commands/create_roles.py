"""Make every role's group hold exactly its permissions."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from trial.permissions import ROLES, create_roles


class Command(BaseCommand):
    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        create_roles()
        self.stdout.write(f"Roles: {', '.join(ROLES)}")
