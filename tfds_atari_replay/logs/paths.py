"""Addresses of logs: folders, buckets and servers."""

from __future__ import annotations

import os
import re

from etils import epath

# `user:password@host` without `https://` before it, or with one slash, as a pathlib.Path leaves it.
_FORGOTTEN_SCHEME = re.compile(r"(?![/.~]).*:.*@")


def is_remote(path: epath.PathLike) -> bool:
    """Whether a path leads to another machine: gs://, s3://, http(s)://."""
    return "://" in os.fspath(path)


def check_address(what: str, address: epath.PathLike) -> None:
    """Refuses an address that holds a secret, or that file names cannot be appended to.

    Messages never show a refused address: they end up in logs, and addresses in registries.

    Args:
      what: names the address in the message.
      address: a path or a URL.

    Raises:
      ValueError: it has a user name, a password, a query or a fragment.
    """
    address = os.fspath(address)
    _, separator, rest = address.partition("://")
    if not separator:
        if _FORGOTTEN_SCHEME.match(address):
            raise ValueError(
                f"{what} must be a folder or begin with a scheme such as https://, and hold no "
                "user name or password. (Put ./ before the name of a folder that has both : and @.)"
            )
        return
    # urllib would stop at a slash or an @ inside a password.
    host = rest.rpartition("@")[2].partition("/")[0]
    if "@" in rest:
        raise ValueError(
            f"{what} must not hold a user name or a password (in a path, write @ as %40). For "
            "http(s), put them into ~/.netrc, where they are looked up:\n"
            f"  machine {host.partition(':')[0]} login USER password PASSWORD"
        )
    if "?" in rest or "#" in rest:
        raise ValueError(
            f"{what} must be a base that file names can be appended to, without '?' or '#', got "
            f"one on {host}. Signed URLs are for single files: download them to a "
            "folder, and point to that."
        )


def open_path(path: epath.PathLike) -> epath.Path:
    """Returns a path that epath can list.

    Raises:
      ValueError: epath cannot list paths of this scheme; see also `check_address`.
    """
    check_address("The address of logs", path)
    try:
        return epath.Path(path).expanduser()
    except KeyError as error:
        raise ValueError(
            f"Cannot list {os.fspath(path)}: expected a folder, or a gs:// or s3:// path. (Logs on "
            "an http(s) server can be read, but not listed.)"
        ) from error


def absolute(path: epath.PathLike) -> epath.Path:
    """Returns a path that does not depend on the current folder."""
    return epath.Path(path) if is_remote(path) else epath.Path(os.path.abspath(path))


def children(folder: epath.Path) -> list[epath.Path]:
    """Lists a folder, sorted; [] if it is not a folder.

    Raises:
      OSError: this user may not list it.
    """
    return sorted(folder.iterdir()) if folder.is_dir() else []


def describe(root: epath.Path) -> str:
    """Describes in a few words what is at a path."""
    if not root.is_dir():
        if is_remote(root):
            return "does not exist, or cannot be reached"
        return "is not a folder" if root.exists() else "does not exist"
    names = [child.name for child in children(root)]
    if not names:
        return "is empty"
    return f"holds {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
