"""Run trials in this process, in worker processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from tflite_compress.searching.job import Setup, Worker
from tflite_compress.support.errors import CompressError, UsageError
from tflite_compress.support.progress import Progress

Reply = Future[Any]  # of the type that the called method returns
Actor = Any  # a Ray actor


class WorkerDiedError(Exception):
    """A worker's process ended during a job."""


class Slot(Protocol):
    """One worker."""

    def call(self, method: str, *arguments: object) -> Reply:
        """Call a method of :class:`searching.job.Worker`, one call at a time.

        The future raises :class:`WorkerDiedError` if the process ended; :meth:`restart` starts a new one.
        """

    def restart(self) -> None:
        """Replace a worker that died by a new one."""

    def close(self) -> None:
        """End the worker, also during a job."""


class Inline:
    """A worker in this process, for models and data that cannot be sent to another."""

    def __init__(self, setup: Setup, progress: Progress) -> None:
        self._worker = Worker(setup, progress)

    def call(self, method: str, *arguments: object) -> Reply:
        """Run the call immediately."""
        future: Reply = Future()
        try:
            future.set_result(getattr(self._worker, method)(*arguments))
        except CompressError as error:
            future.set_exception(error)
        return future

    def restart(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Process:
    """A worker in its own process, so that a crash in native code ends only one trial."""

    def __init__(self, setup: Setup, threads: int) -> None:
        self._setup, self._threads = setup, threads
        self._pool = ThreadPoolExecutor(1)
        self._child = self._started()

    def call(self, method: str, *arguments: object) -> Reply:
        """Send the call, and wait for the reply in a thread."""
        return self._pool.submit(self._exchange, self._child, method, arguments)

    def restart(self) -> None:
        """Start another process."""
        self._child.kill()
        self._child.wait()
        self._child = self._started()

    def close(self) -> None:
        """Kill the process."""
        self._child.kill()
        self._child.wait()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _started(self) -> subprocess.Popen[bytes]:
        count = str(self._threads)
        limits = {"TF_NUM_INTRAOP_THREADS": count, "TF_NUM_INTEROP_THREADS": count, "OMP_NUM_THREADS": count}
        paths = os.pathsep.join(p or os.getcwd() for p in sys.path)  # so that module:function is found there
        child = subprocess.Popen(
            [sys.executable, "-m", "tflite_compress.searching.search_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **limits, "PYTHONPATH": paths},
        )
        self._opening: BaseException | None = None
        self._pool.submit(self._exchange, child, "open", (self._setup,)).add_done_callback(self._keep_error)
        return child

    def _keep_error(self, future: Reply) -> None:
        if not future.cancelled():
            self._opening = future.exception()

    def _exchange(self, child: subprocess.Popen[bytes], method: str, arguments: tuple[object, ...]) -> object:
        if method != "open" and self._opening is not None:
            raise self._opening
        assert child.stdin is not None and child.stdout is not None
        try:
            pickle.dump((method, arguments), child.stdin)
            child.stdin.flush()
            state, value = pickle.load(child.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise WorkerDiedError(f"a worker process ended ({child.poll()})") from error
        if state == "failed":
            raise value
        return value


class RayActor:
    """A worker on a Ray cluster."""

    def __init__(self, setup: Setup, cpus: float) -> None:
        self._setup, self._cpus = setup, cpus
        self._actor = self._started()

    def call(self, method: str, *arguments: object) -> Reply:
        """Call the actor."""
        future: Reply = Future()

        def pass_on(done: Reply) -> None:
            error = done.exception()
            if error is None:
                state, value = done.result()
                future.set_result(value) if state == "done" else future.set_exception(value)
            else:
                future.set_exception(WorkerDiedError(f"a Ray worker ended: {type(error).__name__}"))

        self._actor.call.remote(method, arguments).future().add_done_callback(pass_on)
        return future

    def restart(self) -> None:
        """Start another actor."""
        self.close()
        self._actor = self._started()

    def close(self) -> None:
        """Kill the actor."""
        import ray

        ray.kill(self._actor)

    def _started(self) -> Actor:
        import ray

        @ray.remote(num_cpus=self._cpus)
        class RemoteWorker:
            def __init__(self, setup: Setup) -> None:
                from tflite_compress.support.progress import Silent

                self._worker = Worker(setup, Silent())

            def call(self, method: str, arguments: tuple[object, ...]) -> tuple[str, object]:
                try:
                    return "done", getattr(self._worker, method)(*arguments)
                except CompressError as error:
                    return "failed", error

        remote: Actor = RemoteWorker
        return remote.remote(self._setup)


def open_slots(engine: str, workers: int, setup: Setup, progress: Progress) -> list[Slot]:
    """Start workers.

    Args:
        engine: ``local``, or ``ray`` for the cluster at ``RAY_ADDRESS`` or a new one on this machine.
        workers: Number of workers.
        setup: Setup of each worker.
        progress: Progress of a worker in this process.

    Raises:
        UsageError: Ray is not installed, or model or data cannot be sent to another process.
    """
    sendable = isinstance(setup.model, str) and _pickles(setup)
    if engine == "ray":
        if not sendable:
            raise UsageError(
                "--engine=ray: the model exists only in this process", "Save it and give the path."
            )
        return _ray_slots(workers, setup)
    if not sendable:
        if workers > 1:
            raise UsageError(
                "--workers: the model or its data exist only in this process",
                "Save the model and give its path; give data as a file, arrays or module:function.",
            )
        return [Inline(setup, progress)]
    threads = max(1, (os.cpu_count() or 1) // workers)
    return [Process(setup, threads) for _ in range(workers)]


def _ray_slots(workers: int, setup: Setup) -> list[Slot]:
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine=ray: Ray is not installed", "pip install 'tflite-compress[cluster]'"
        ) from error
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports usage by default
        address = os.environ.get("RAY_ADDRESS")
        local: dict[str, int | bool] = {} if address else {"num_cpus": workers, "include_dashboard": False}
        paths = os.pathsep.join(p or os.getcwd() for p in sys.path)
        environment = {"env_vars": {"PYTHONPATH": paths, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}}
        ray.init(address=address, log_to_driver=False, runtime_env=environment, **local)
    return [RayActor(setup, 1) for _ in range(workers)]


def _pickles(setup: Setup) -> bool:
    try:
        pickle.dumps(setup)
    except Exception:
        return False
    return True
