"""Below a field of files: how many there are, and small images of the first ones, which the browser itself reduces."""

from __future__ import annotations

from typing import Any

import gradio as gr

SHOWN = 12
_SCRIPT = """files => {
  const given = files ?? [], name = file => file.orig_name ?? file.path.split('/').pop();
  const of = kind => given.filter(file => kind.test(name(file)));
  const zips = of(/\\.zip$/i).length, clips = of(/\\.(mp4|mov|webm|mkv|avi)$/i).length;
  const named = (number, unit) => number ? [`${number} ${unit}${number > 1 ? 's' : ''}`] : [];
  const parts = [...named(given.length - zips - clips, 'image'), ...named(clips, 'clip'), ...named(zips, 'ZIP file')];
  const safe = text => text.replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`);
  const shown = of(/\\.(jpe?g|png|webp|gif|bmp|avif)$/i).filter(file => file.url).slice(0, SHOWN);
  const small = shown.map(file => {
    const title = safe(name(file));
    return `<img src="${safe(file.url)}" alt="${title}" title="${title}" loading="lazy" decoding="async">`;
  }).join('');
  const count = parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : parts.join('');
  return count && `<p>${count}</p>` + (small && `<div class="thumbs">${small}</div>`);
}"""


def below(files: gr.File, name: str) -> gr.HTML:
    """The count and the small images of ``files``, where it is called. ``name``: the id of the element."""
    shown = gr.HTML(elem_id=name, elem_classes=["file-count"], container=False, padding=False)
    script: dict[str, Any] = {"js": _SCRIPT.replace("SHOWN", str(SHOWN)), "queue": False, "show_progress": "hidden"}
    files.change(None, files, shown, api_visibility="private", **script)
    return shown
