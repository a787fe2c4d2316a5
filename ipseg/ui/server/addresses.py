"""An image by its address: downloaded by Gradio's protected download alone, which goes to public servers only."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from gradio import processing_utils

from ipseg.core import images
from ipseg.core.types import ImageError

MAX_BYTES = 64 * 2**20  # as of an upload
SECONDS = 20.0  # for the whole download
LONGEST = 2000  # characters of an address
NOT_PUBLIC = "The address does not lead to a public server; give the https:// address of an image."
FAILED = "No image could be downloaded from that address; save the image and give it as a file."


async def download_image(address: str, cache: str) -> str:
    """The path of the image behind an http or https address, in the folder ``cache``.

    Raises ImageError with one message for an address that is none or is not public, for a download that fails or takes
    too long, and for what is no image.
    """
    path = await _downloaded(_checked(address), cache)
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise ImageError(f"The image at that address is larger than {MAX_BYTES >> 20} MB; give a smaller one.")
        images.size_of(path)
    except ImageError:
        Path(path).unlink(missing_ok=True)
        raise
    return path


async def _downloaded(address: str, cache: str) -> str:
    try:
        async with asyncio.timeout(SECONDS):
            return str(await processing_utils.async_ssrf_protected_download(address, cache))
    except ValueError as error:  # the name leads nowhere, or not to a public server
        raise ImageError(NOT_PUBLIC) from error
    except Exception as error:  # Gradio raises plain Exception, and whatever its client raises
        raise ImageError(FAILED) from error


def _checked(address: str) -> str:
    """The address, unless its form alone says that it is not public."""
    address = address.strip()
    try:
        parts = urlsplit(address)
        host, user = parts.hostname or "", parts.username
    except ValueError:
        raise ImageError(NOT_PUBLIC) from None
    if parts.scheme not in ("http", "https") or not host or user is not None or len(address) > LONGEST:
        raise ImageError(NOT_PUBLIC)
    if "." not in host.rstrip(".") and ":" not in host:  # a name of this network, or a number
        raise ImageError(NOT_PUBLIC)
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return address
    if not processing_utils.is_public_ip(str(literal)) or not literal.is_global:
        raise ImageError(NOT_PUBLIC)
    return address
