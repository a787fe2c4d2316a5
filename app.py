"""The demo: ``python app.py``, ``gradio app.py``, or a Hugging Face Space. The page itself is ``ipseg/ui``.

    python app.py --preset light --port 8000

``python app.py --help`` lists the arguments. Where this file is imported or reloaded, the environment alone
decides: HOST, PORT, PRESET, and the variables that Gradio and the Hub set.
"""

from __future__ import annotations

import sys

from ipseg.engine import zerogpu  # noqa: F401 - on ZeroGPU it has to be imported before torch
from ipseg.ui import serving

chosen = serving.arguments(sys.argv[1:] if __name__ == "__main__" else [])
pool = serving.engine_pool(chosen)
demo = serving.page(pool, chosen)

if __name__ == "__main__":
    demo.launch()
