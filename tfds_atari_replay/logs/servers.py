"""Asks http(s) servers whether they have a file, without downloading it."""

from __future__ import annotations

# Most statuses from 400 to 499 mean that a file does not exist or is forbidden: where users may not
# list a bucket, Google's storage answers 403 for missing files; other servers answer 400 or 410.
# These few, like all statuses from 500 on, say nothing about the file.
_UNDECIDED = (407, 408, 423, 425, 429)


class UnreachableError(Exception):
    """A server does not answer, or its answer does not say whether the file is there."""


def ask(url: str) -> int:
    """Asks whether a file is there.

    Returns:
      The HTTP status: below 400 if it is there, below 500 if not.

    Raises:
      UnreachableError: the server gave no conclusive answer.
    """
    # Imported on first use, since most logs are in folders.
    import requests
    import urllib3

    # Fewer than TFDS's downloader, which takes ten retries and three minutes to report a missing
    # network.
    retries = urllib3.Retry(
        5, connect=1, read=1, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504)
    )
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retries))
        try:
            # Signed URLs and simple servers refuse HEAD.
            with session.get(url, stream=True, timeout=(10, 60)) as response:
                status: int = response.status_code
        except requests.RequestException as error:
            reason = getattr(error.args[0], "reason", error) if error.args else error
            raise UnreachableError(str(reason)) from error
    if status in _UNDECIDED or status >= 500:
        raise UnreachableError(f"it answers {status}")
    return status
