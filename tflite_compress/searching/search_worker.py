"""A worker process: reads jobs from standard input, writes what came out to standard output.

It is started as ``python -m tflite_compress.searching.search_worker`` by ``searching.engine``; both ends
are this program's own, which is why they may exchange pickles. It ends when its parent does.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from typing import Any, BinaryIO

from tflite_compress.support.errors import CompressError


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer calls until the other end closes.

    A message is ``(method, arguments)`` for :class:`searching.job.Worker`; the first is ``("open", setup)``.
    An answer is ``("done", value)`` or ``("failed", error)``.
    """
    worker: Any = None
    while True:
        try:
            method, arguments = pickle.load(source)
        except EOFError:
            return
        try:
            if method == "open":
                worker, value = _opened(*arguments), None
            else:
                value = getattr(worker, method)(*arguments)
            answer: tuple[str, Any] = ("done", value)
        except CompressError as error:
            answer = ("failed", error)
        except Exception as error:  # a bug or a library's: the search goes on without this trial
            text = f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            answer = ("failed", CompressError(text))
        pickle.dump(answer, sink)
        sink.flush()


def _opened(setup: Any) -> Any:
    from tflite_compress.searching.job import Worker
    from tflite_compress.support.progress import Silent

    return Worker(setup, Silent())


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Serve on the process's own standard input and output; whatever else prints goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    sink = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    main()
