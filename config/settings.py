"""Settings, all from the environment; `docs/settings.md` lists every name. Without any, a safe local site starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dj_database_url

from config import artifacts
from config.local import secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = os.environ.get

PRODUCTION = ENV("GYEORU_ENV", "local") == "production"
DEBUG = ENV("GYEORU_DEBUG", "") == "1" and not PRODUCTION
# An installed package keeps its data where it is started, never beside other packages.
IS_CHECKOUT = (BASE_DIR / "manage.py").is_file()
HOME = Path(ENV("GYEORU_HOME") or (BASE_DIR if IS_CHECKOUT else Path.cwd()) / "var").resolve()
HOME.mkdir(parents=True, exist_ok=True)

# Empty in production without SECRET_KEY: gyeoru.E001 then refuses to start.
SECRET_KEY = ENV("SECRET_KEY") or ("" if PRODUCTION else secret_key(HOME)) or "refused-by-gyeoru.E001"
ALLOWED_HOSTS = ENV("ALLOWED_HOSTS", "*" if not PRODUCTION else "localhost").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in ENV("CSRF_TRUSTED_ORIGINS", "").split(",") if o]
PUBLIC_URL = ENV("GYEORU_PUBLIC_URL", f"http://localhost:{ENV('PORT', '8000')}").rstrip("/")

INSTALLED_APPS = [
    "config.apps.GyeoruConfig",
    "leaderboard",
    "arena",
    "judging",
    "runners",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_rq",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.second_factor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "leaderboard.context.site",
            ],
        },
    }
]

# SQLite's own defaults lose one write in three under a web server and a worker; gyeoru.E002 refuses them.
SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": {**dj_database_url.parse(ENV("DATABASE_URL") or f"sqlite:///{HOME / 'gyeoru.sqlite3'}")}
}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
else:
    # Threads of an ASGI process come and go: a pool keeps their connections (docs/operations.md).
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 8, "timeout": 10}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The queue is a hint and Redis may be away: no request ever talks to it (runners/adapters/queue.py).
REDIS_URL = ENV("REDIS_URL") or f"unix://{HOME / 'redis' / 'redis.sock'}?db=0"
LANES = ("eval", "gpu", "judge")
RQ_QUEUES = {lane: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 7 * 24 * 3600} for lane in LANES}
# django-rq's own pages need only is_staff, talk to Redis inside a request and can empty a queue: not mounted.
RQ_SHOW_ADMIN_LINK = False

# One attempt's lease, a hint's age before it is given again, the reconciler's step and the stall limit, in seconds.
LEASE_SECONDS = float(ENV("GYEORU_LEASE_SECONDS", "120"))
BEAT_SECONDS = float(ENV("GYEORU_BEAT_SECONDS", "2"))
HINT_SECONDS = float(ENV("GYEORU_HINT_SECONDS", "60"))
RECONCILE_SECONDS = float(ENV("GYEORU_RECONCILE_SECONDS", "1"))
STALL_SECONDS = float(ENV("GYEORU_STALL_SECONDS", "1200"))
LOADING_SECONDS = float(ENV("GYEORU_LOADING_SECONDS", "2700"))
RETRY_SECONDS = float(ENV("GYEORU_RETRY_SECONDS", "5"))
MAX_ATTEMPTS = 3

DATASETS_ROOT = ENV("GYEORU_DATASETS") or None
HF_PYTHON = ENV("GYEORU_HF_PYTHON") or None
VLLM_PYTHON = ENV("GYEORU_VLLM_PYTHON") or None
HF_TOKEN_ENV = "HF_TOKEN"  # noqa: S105 - the NAME of a variable, never its value
MIN_FREE_BYTES = int(ENV("GYEORU_MIN_FREE_BYTES", str(200 * 1024**2)))
# Open submissions per network a day and at once; peers drown without (docs/operations.md).
SUBMISSIONS_OPEN = int(ENV("GYEORU_SUBMISSIONS_OPEN", "3"))
SUBMISSIONS_WEEK = int(ENV("GYEORU_SUBMISSIONS_WEEK", "10"))
# How many proxies of our own stand before the site: so many hops of X-Forwarded-For are believed.
TRUSTED_PROXIES = int(ENV("GYEORU_TRUSTED_PROXIES", "1" if PRODUCTION else "0"))
MAX_MODEL_BYTES = int(ENV("GYEORU_MAX_MODEL_BYTES", str(200 * 1024**3)))

# The arena: seconds a new vote waits before it counts, the least reading time, streams a process carries at once, and
# a dotted path to a callable that looks at texts before they are sent or shown (arena/moderation.py).
ARENA_QUARANTINE_SECONDS = float(ENV("GYEORU_ARENA_QUARANTINE_SECONDS", str(24 * 3600) if PRODUCTION else "0"))
ARENA_MIN_SECONDS = float(ENV("GYEORU_ARENA_MIN_SECONDS", "3"))
ARENA_STREAMS = int(ENV("GYEORU_ARENA_STREAMS", "300"))
ARENA_MODERATION = ENV("GYEORU_ARENA_MODERATION", "")

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = ENV("TZ") or "Asia/Seoul"

STATIC_URL = "static/"
# The wheel is what workers need; pages are served from a checkout or the image.
STATICFILES_DIRS = [BASE_DIR / "static"] if IS_CHECKOUT else []
STATIC_ROOT = HOME / "static"
MEDIA_ROOT = HOME / "artifacts"
STORAGES = {
    "default": artifacts.storage(ENV("GYEORU_ARTIFACTS", "")),
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if (STATIC_ROOT / "staticfiles.json").exists()
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()

# Whether staff gives a one-time code before the console and /admin/ open: off, optional (who has set it up), required.
CONSOLE_SECOND_FACTOR = ENV("GYEORU_CONSOLE_SECOND_FACTOR", "optional")

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024**2
if PRODUCTION:
    SECURE_SSL_REDIRECT = ENV("GYEORU_BEHIND_TLS_PROXY", "1") == "1"
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"

# Without EMAIL_HOST no mail is ever sent, and the pages say so.
EMAIL_HOST = ENV("EMAIL_HOST", "")
EMAIL_PORT = int(ENV("EMAIL_PORT", "25"))
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = ENV("EMAIL_HOST_USER", ""), ENV("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = ENV("EMAIL_USE_TLS", "") == "1"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENV("DEFAULT_FROM_EMAIL", "gyeoru@localhost")

# Who is told of alarms, and the canary runs of the drift watch (docs/operations.md); 0 hours: none.
ALARM_EMAILS = [a for a in ENV("GYEORU_ALARM_EMAILS", "").split(",") if a]
ALARM_WEBHOOKS = [a for a in ENV("GYEORU_ALARM_WEBHOOKS", "").split(",") if a]
ALARM_WAITING_SECONDS = float(ENV("GYEORU_ALARM_WAITING_SECONDS", "1800"))
CANARY_HOURS = float(ENV("GYEORU_CANARY_HOURS", "0"))
CANARY_SUITE, CANARY_ITEMS = ENV("GYEORU_CANARY_SUITE", "ko-basic"), int(ENV("GYEORU_CANARY_ITEMS", "20"))

LOGIN_URL = "/admin/login/"
LOG_FORMAT = ENV("GYEORU_LOG_FORMAT", "line")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"secrets": {"()": "runners.logs.SecretFilter"}},
    "formatters": {
        "line": {
            "()": "runners.logs.LineFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        },
        "json": {"()": "runners.logs.JSONFormatter"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["secrets"]},
    },
    # A line per request to a model server would cost as much as the request.
    "loggers": {"httpx2": {"level": "WARNING"}, "openai": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": ENV("GYEORU_LOG_LEVEL", "INFO")},
}
