"""What a link to the page shows elsewhere."""

from __future__ import annotations

import io
import re

import httpx
import numpy as np
import pytest
from PIL import Image

from ipseg.ui.server.preview import DESCRIPTION, TITLE, Preview
from ipseg.ui.widgets.examples import contact_sheet
from tests.ui.conftest import finished

PAGE = (
    '<html><head><meta property="og:title" content="Gradio" />\n<meta\n property="og:image"\n content="https://else/x"\n'
    '/><meta name="twitter:title" content="Gradio" /><title>ipseg</title></head><body>og:title</body></html>'
)


def get(path: str, kind: str = "text/html; charset=utf-8", **headers: str) -> httpx.Response:
    """The answer to a request, of a page that is sent in two parts."""

    async def app(scope, receive, send):
        start = [(b"content-type", kind.encode()), (b"content-length", str(len(PAGE)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": PAGE[:70].encode(), "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[70:].encode()})

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(Preview(app, image=b"jpeg"))
        async with httpx.AsyncClient(transport=transport, base_url="http://page.test") as client:
            return await client.get(path, headers=headers)

    return finished(asked())


def test_a_link_shows_the_title_the_description_and_an_image_of_this_page():
    text = get("/").text
    found = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)" />', text))
    assert found["og:title"] == found["twitter:title"] == TITLE
    assert found["og:description"] == found["description"] == DESCRIPTION
    assert found["og:image"] == "http://page.test/preview.jpg"
    assert "Gradio" not in text
    assert "https://else" not in text
    assert text.endswith("<body>og:title</body></html>")


def test_the_address_of_the_image_is_that_which_a_proxy_was_asked_for():
    text = get("/", **{"x-forwarded-host": "me.hf.space", "x-forwarded-proto": "https"}).text
    assert 'content="https://me.hf.space/preview.jpg"' in text
    assert "<script>" not in get("/", **{"x-forwarded-host": 'a"><script>'}).text


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_other_answers_pass_unchanged(kind):
    assert get("/", kind).text == PAGE


def test_the_image_is_one_of_the_examples():
    assert get("/preview.jpg").content == b"jpeg"
    with Image.open(io.BytesIO(contact_sheet())) as image:
        assert image.size == (1200, 630)
        assert np.unique(np.asarray(image).reshape(-1, 3), axis=0).shape[0] > 1000
