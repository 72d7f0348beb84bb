"""Limits on child processes, set by the parent: ``preexec_fn`` may deadlock in a process with threads."""

from __future__ import annotations

import contextlib
import resource


def limit_child(pid: int, memory_bytes: int) -> int:
    """Limit the address space of a child process, and let it write no core file.

    The child may already run. It is limited before it has read a model, as its interpreter starts first. A
    lower limit that the child has from this process is kept: only an administrator can raise it.

    Args:
        pid: A child of this process; nothing happens if it has ended.
        memory_bytes: Maximum address space in bytes.

    Returns:
        The maximum address space that the child has, in bytes.
    """
    with contextlib.suppress(ProcessLookupError):
        inherited = resource.prlimit(pid, resource.RLIMIT_AS)
        memory_bytes = min([memory_bytes, *(b for b in inherited if b != resource.RLIM_INFINITY)])
        resource.prlimit(pid, resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    return memory_bytes
