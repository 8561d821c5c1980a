"""Our server with a sampler: from SIGUSR1 to SIGUSR2 it notes what runs, at each tick of its CPU time.

``python sampled.py PORT FILE``; the counts go to FILE as JSON: ``{"layer|where": samples}``. See bench/layers.py.
"""

import json
import linecache
import re
import signal
import sys
from collections import Counter
from pathlib import Path

from ours import make_server  # which patches with gevent first

#: Seconds of CPU time; the kernel makes a tick of it, which is 1 to 10 ms. So waiting is not counted.
INTERVAL = 0.001
LAYERS = ("wire", "state", "transport", "hub", "gateway")
#: A signal that comes while a system call runs is noticed directly after it, still on the call's line.
SYSTEM_CALL = re.compile(r"(?:\bsock|_socket|\bself)\._?(?:recv|send)\(")
samples: Counter[tuple[str, str, int]] = Counter()


def layer_of(path: str, line: int) -> str | None:
    """Give the layer that a line of a file belongs to; None says that whoever called it knows."""
    parts = Path(path).parts
    if "webpy_socketio" in parts[:-1]:
        folder = parts[len(parts) - 1 - parts[::-1].index("webpy_socketio") + 1]
        if folder == "transport" and parts[-1] == "link.py" and SYSTEM_CALL.search(linecache.getline(path, line)):
            return "kernel"
        return folder if folder in LAYERS else "vocabulary"
    if parts[-2:] == ("peers", "ours.py"):
        return "handler"
    return "loop" if "gevent" in parts else None


def note(number, frame):
    """Count where the process is."""
    # Attributed later: here only what is cheap.
    while frame is not None:
        code = frame.f_code
        if "webpy_socketio" in code.co_filename or "gevent" in code.co_filename or "ours.py" in code.co_filename:
            samples[code.co_filename, code.co_name, frame.f_lineno] += 1
            return
        frame = frame.f_back
    samples["?", "?", 0] += 1


def begin(number, frame):
    samples.clear()
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)


def end(number, frame):
    signal.setitimer(signal.ITIMER_PROF, 0)
    total: Counter[str] = Counter()
    for (path, name, line), count in samples.items():
        layer = layer_of(path, line) or "loop"
        total[f"{layer}|{'/'.join(Path(path).parts[-2:])} {name}"] += count
    Path(sys.argv[2]).write_text(json.dumps(total))


if __name__ == "__main__":
    signal.signal(signal.SIGPROF, note)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    make_server(int(sys.argv[1])).serve_forever()
