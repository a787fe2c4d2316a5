"""`app.demo` served by a plain `demo.launch()`, as another program does it: `python tests/ui/plain.py [HOW]`.

Its engine is the stub of the tests. HOW: "mcp" serves its tools too.
"""

import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from ipseg.labelling import run as labelling
from ipseg.ui.server.pool import EnginePool
from tests.conftest import ColourEngine, label_by_colour

how, sys.argv = sys.argv[1:], ["plain.py"]


class PageEngine(ColourEngine):
    """The stub, called as the page does it."""

    def prompt(self, images, masks=None, *, mask_value=None, progress=None):
        made = super().prompt(images, masks, mask_value=mask_value)
        made.views = ()
        return made

    def segment(self, prompt, image, *, progress=None, **settings):
        return super().segment(prompt, image, **settings)


engine = PageEngine()
labelling.label_image = label_by_colour
EnginePool.engine = lambda pool, spec, progress=None: engine

import app

app.demo.launch(prevent_thread_lock=True, max_file_size="2gb", mcp_server="mcp" in how)
with suppress(KeyboardInterrupt):  # the server's own answer to SIGTERM
    while True:
        time.sleep(0.1)
