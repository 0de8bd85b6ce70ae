"""Files written beside a training: one write at a time, and of what waits the newest."""

import threading
from concurrent.futures import ThreadPoolExecutor


class Writer:
    """Calls `write(**job)` in a thread of its own, never twice at once.

    A job is a dict. One that comes while another is written waits; the next to come is laid over
    it, entry by entry. What `write` raises is raised by the next call of `hand` or `close`, and
    nothing more is written.
    """

    def __init__(self, write):
        self.write, self.waiting, self.failed = write, None, None
        self.lock, self.thread = threading.Lock(), ThreadPoolExecutor(1, "writer")

    def hand(self, **job):
        """Have it written, soon."""
        if self.failed:
            raise self.failed
        with self.lock:
            self.waiting = {**(self.waiting or {}), **job}
        self.thread.submit(self.write_waiting)

    def write_waiting(self):
        """In the thread: write what waits, unless an earlier call has."""
        with self.lock:
            job, self.waiting = self.waiting, None
        if job and not self.failed:
            try:
                self.write(**job)
            except BaseException as error:
                self.failed = error

    def close(self):
        """Wait until all is written."""
        self.thread.shutdown()
        if self.failed:
            raise self.failed
