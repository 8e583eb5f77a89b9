"""Forms of accounts where allauth's own do not fit."""

from __future__ import annotations

from allauth.account.forms import LoginForm as CodeOrPasswordForm


class LoginForm(CodeOrPasswordForm):  # type: ignore[misc]
    """A mailed code for everybody; a password for members of the study team who have one."""

    def _setup_password_field(self) -> None:
        # allauth drops the field where sign-up asks for none.
        password = self.fields["password"]
        password.required = False
        password.help_text = ""
        password.widget.attrs.pop("placeholder", None)
