"""Settings of the test suite: the real ones, with fast hashing and nothing outside the process."""

import os
import tempfile

os.environ["DEMO"] = "1"
os.environ.pop("DEBUG", None)
os.environ.setdefault("STATE_DIR", tempfile.mkdtemp(prefix="attune-test-"))
for name in ("CELERY_BROKER_URL", "REDIS_URL", "EMAIL_URL"):
    os.environ.pop(name, None)
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
STAFF_MFA_REQUIRED = False
