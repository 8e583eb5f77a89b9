"""Roles of the study team as data: a role is a Django group with these permissions."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission

ROLES: dict[str, tuple[str, ...]] = {
    "investigator": ("trial.view_study", "trial.change_study", "trial.view_participant"),
    "rater": (),
    "statistician": ("analysis.view_analysis",),
    "safety_officer": ("trial.view_safetyevent", "trial.change_safetyevent"),
    "monitor": ("trial.view_study", "trial.view_participant", "trial.view_allocation"),
    "administrator": ("trial.view_user", "trial.add_user", "trial.change_user"),
}


def create_roles() -> None:
    """Make every role's group hold exactly its permissions; run after each migrate."""
    for role, wanted in ROLES.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(_permission(name) for name in wanted)


def _permission(name: str) -> Permission:
    app, _, codename = name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)
