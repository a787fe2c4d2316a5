"""`python app.py` whose requests stop at a gate: `python tests/ui/gated.py FOLDER [ARGUMENTS OF app.py]`.

It pretends to have a GPU. Every request says "arrived" before its similarity, waits until FOLDER holds a file "open",
and says "passed" when it goes on to its points. While it waits it says "deserted" once nobody waits for its answer.
What is left of a request that has ended, such as the second thread of a batch, neither speaks nor waits.
A file "limit" in FOLDER holds the seconds that a request may take.
"""

import runpy
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from gradio.context import LocalContext

from ipseg.method import points

FOLDER = Path(sys.argv.pop(1))
choose = points.choose


def say(word: str) -> None:
    """Where the test reads it."""
    print(word, flush=True)


def opened() -> int:
    """How often the gate was opened: the bytes of a file."""
    file = FOLDER / "opened"
    return file.stat().st_size if file.exists() else 0


def waiting(self, *arguments):
    """The similarity, once the gate is open."""
    events, name = LocalContext.blocks.get()._queue.event_ids_to_events, LocalContext.event_id.get()

    def deserted() -> bool:
        return not getattr(events.get(name), "alive", False)

    if deserted():
        return similarity(self, *arguments)
    say("arrived")
    logged, rounds = False, opened()
    while not (FOLDER / "open").exists() and opened() == rounds:  # it may be closed again before this thread runs
        if not logged and deserted():
            logged = True
            say("deserted")
        time.sleep(0.01)
    return similarity(self, *arguments)


def counted(*arguments, **settings):
    """The points, which come next."""
    say("passed")
    return choose(*arguments, **settings)


points.choose = counted  # before the pipeline is imported, which takes it as the default of a field

from ipseg.engine import presets
from ipseg.method.scorers.density import Density
from ipseg.ui.server.limits import Limits
from ipseg.ui.server.pool import EnginePool
from tests import small_engine


def limits(pool: EnginePool) -> Limits:
    """As the file says."""
    file = FOLDER / "limit"
    return Limits(float(file.read_text())) if file.exists() else Limits()


similarity = Density.similarity
Density.similarity = waiting
EnginePool.quick = True
EnginePool.limits = property(limits, lambda pool, value: None)
presets.PRESETS["offline"] = small_engine.offline()
runpy.run_path("app.py", run_name="__main__")
