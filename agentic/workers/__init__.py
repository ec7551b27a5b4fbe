"""What works beside the event loop: processes that can be killed, and threads.

Warm worker processes are for libraries that may take for ever, or all the memory; ``Threads`` for disks, and for
libraries that only block.

In the plugin, a pool of them::

    pool = WorkerPool("agentic_math.worker", timeout_s=10, memory_mb=1024, words=Words(slow="Too long.", …))
    said = await pool.ask({"expression": "2^10"})

In ``agentic_math/worker.py``, what each of them does::

    if __name__ == "__main__":
        serve(compute)
"""

from agentic.workers.pool import NoWorker, Words, WorkerPool
from agentic.workers.threads import Threads, to_the_end
from agentic.workers.work import serve

__all__ = ["NoWorker", "Threads", "Words", "WorkerPool", "serve", "to_the_end"]
