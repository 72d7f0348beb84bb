"""A worker process: it reads jobs from standard input and writes outcomes to standard output.

``searching.engine`` starts it as ``python -m tflite_compress.searching.search_worker``. Both ends are this
program, so they exchange pickles. The worker ends when its parent ends.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from typing import BinaryIO

from tflite_compress.searching.job import Setup, Worker
from tflite_compress.support.errors import CompressError
from tflite_compress.support.process_settings import own_process
from tflite_compress.support.progress import Silent


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Reply to calls until the other end closes.

    A message is ``(method, arguments)`` for :class:`searching.job.Worker`; the first is ``("open", setup)``.
    A reply is ``("done", value)`` or ``("failed", error)``.
    """
    worker: Worker | None = None
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
            answer: tuple[str, object] = ("done", value)
        except CompressError as error:
            answer = ("failed", error)
        except Exception as error:  # a bug here or in a library: the search continues without this trial
            text = f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            answer = ("failed", CompressError(text))
        pickle.dump(answer, sink)
        sink.flush()


def _opened(setup: Setup) -> Worker:
    return Worker(setup, Silent())


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Serve on standard input and output, and discard all other output of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    sink = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    own_process()
    main()
