"""What the browser shows by itself: that a correction runs, and where the click was.

Nothing here waits for the server. The state is held in attributes of the page's elements, which CSS shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

LISTEN = """() => {
  if (window.ipsegListens) return;
  window.ipsegListens = true;
  document.addEventListener('click', event => {
    window.ipsegPlace = [event.pageX, event.pageY];
    const image = event.target.closest('#numbered .image-container')?.querySelector('img');
    const field = document.querySelector('#place textarea, #place input');
    if (!image || !field || event.target.closest('button, .legend')) return;
    const box = image.getBoundingClientRect(), scale = Math.min(
      box.width / image.naturalWidth, box.height / image.naturalHeight);  // the image is fitted into its element
    const x = (event.clientX - box.left - (box.width - image.naturalWidth * scale) / 2) / scale;
    const y = (event.clientY - box.top - (box.height - image.naturalHeight * scale) / 2) / scale;
    if (x < 0 || y < 0 || x >= image.naturalWidth || y >= image.naturalHeight) return;
    window.ipsegClicks = (window.ipsegClicks ?? 0) + 1;
    field.value = JSON.stringify([Math.floor(x), Math.floor(y), window.ipsegClicks]);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }, true);
  const pointed = (event, what) => {  // a name under the image shows its instance
    const name = event.target.closest?.('#instances label')?.innerText.trim();
    if (name) document.querySelectorAll('#numbered .legend-item').forEach(item => item.innerText.trim() === name
      && item.dispatchEvent(new MouseEvent(what, { bubbles: true })));
  };
  document.addEventListener('mouseover', event => pointed(event, 'mouseover'));
  document.addEventListener('mouseout', event => pointed(event, 'mouseout'));
}"""
BEGIN = """(...values) => {
  const row = document.getElementById('corrections');
  if (!row || row.dataset.elapsed) return values;
  const start = performance.now();
  const show = () => { row.dataset.elapsed = `${Math.round((performance.now() - start) / 1000)} s`; };
  show();
  row.timer = setInterval(show, 500);
  if (!MARK || !window.ipsegPlace) return values;
  const sign = document.querySelector('#sign label:has(input:checked)')?.innerText.trim()[0] ?? '+';
  const mark = document.createElement('div');
  mark.className = 'click-mark';
  mark.setAttribute('aria-hidden', 'true');
  mark.textContent = '+\\u2212'.includes(sign) ? sign : '\\u2022';
  const [x, y] = window.ipsegPlace;
  mark.style.cssText = `position: absolute; z-index: 30; left: ${x - 11}px; top: ${y - 11}px; width: 22px;
    height: 22px; border-radius: 50%; border: 2px solid #fff; box-sizing: border-box; pointer-events: none;
    color: #fff; font: 700 16px/17px system-ui, sans-serif; text-align: center;
    background: ${{ '+': '#15803d', '\\u2212': '#b91c1c' }[sign] ?? '#57534e'}`;
  document.body.append(mark);
  return values;
}"""
END = """(...values) => {
  const row = document.getElementById('corrections');
  if (row) { clearInterval(row.timer); delete row.dataset.elapsed; }
  document.querySelectorAll('.click-mark').forEach(mark => mark.remove());
  return values;
}"""


def listen(page: gr.Blocks) -> None:
    """Note where the last click was, from the first visit of ``page`` on."""
    page.load(None, js=LISTEN, **_QUIET)


def begin(triggers: Sequence[Any], marks: bool) -> None:
    """Show from these events on that a correction runs, with the seconds, and with ``marks`` the click itself.

    Call it before the events that compute the correction are made; see :func:`ipseg.ui.widgets.running.buttons`.
    """
    gr.on(triggers, None, js=BEGIN.replace("MARK", "true" if marks else "false"), **_QUIET)


def end(events: Sequence[Dependency]) -> None:
    """Show when one of these corrections has ended."""
    for event in events:
        event.then(None, js=END, **_QUIET)
