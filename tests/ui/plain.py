"""`app.demo` served by a plain `demo.launch()`, as another program does it."""

import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

import app

app.demo.launch(prevent_thread_lock=True, max_file_size="2gb")
with suppress(KeyboardInterrupt):  # the server's own answer to SIGTERM
    while True:
        time.sleep(0.1)
