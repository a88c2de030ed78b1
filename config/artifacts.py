"""Where artifacts lie: a folder, or a bucket that every machine of the site reaches (GYEORU_ARTIFACTS)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured

FOLDER = "django.core.files.storage.FileSystemStorage"
KNOWN = {"endpoint", "region"}


def storage(address: str) -> dict[str, Any]:
    """An entry of STORAGES for a folder (nothing: MEDIA_ROOT) or `s3://bucket/prefix?endpoint=URL&region=NAME`.

    Keys come as boto3 finds them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the machine's role.

    Raises:
        ImproperlyConfigured: no such kind of address, no bucket in it, or the extra `s3` is not installed.
    """
    if "://" not in address:
        return {"BACKEND": FOLDER, "OPTIONS": {"location": address} if address else {}}
    parts = urlsplit(address)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.scheme != "s3" or not parts.netloc or parts.username or set(options) - KNOWN:
        raise ImproperlyConfigured(
            "GYEORU_ARTIFACTS must be a folder or s3://bucket/prefix?endpoint=URL&region=NAME (endpoint and region "
            "where needed, keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)."
        )
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": parts.netloc,
            "location": parts.path.strip("/"),
            "endpoint_url": options.get("endpoint"),
            "region_name": options.get("region"),
            "client_config": _client("path" if "endpoint" in options else "auto"),
        },
    }


def _client(addressing: str) -> Any:
    try:
        import storages  # noqa: F401 - the backend is named by its path
        from botocore.config import Config
    except ImportError as error:
        message = "GYEORU_ARTIFACTS names a bucket: install the extra s3 (pip install 'django-storages[s3]')."
        raise ImproperlyConfigured(message) from error
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": addressing},
        # Checksums of AWS alone, which other servers refuse; artifacts carry a sha256 of their own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # A page must not hang with the bucket.
        connect_timeout=5,
        read_timeout=30,
        retries={"max_attempts": 3, "mode": "standard"},
    )
