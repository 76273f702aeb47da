"""A network between the server and its PostgreSQL that can be cut, silenced and slowed."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from enum import Enum


class Mood(Enum):
    """What the network does with what it is given."""

    FORWARD = "passes it on"
    SLOW = "passes it on, a little later"
    SILENT = "keeps it, and says nothing"
    CUT = "resets every connection, also new ones"


SLOW_SECONDS = 0.05
CHUNK = 1 << 16
# Closing sends a reset at once, and nothing of what was still to be sent.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a port of the loopback, and passes on to a socket in the file system."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._changed = threading.Condition()
        self._mood = Mood.FORWARD
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def become(self, mood: Mood) -> None:
        with self._changed:
            self._mood = mood
            self._changed.notify_all()
            if mood is Mood.CUT:
                self._reset()

    def close(self) -> None:
        self.become(Mood.CUT)
        # Shut down first: a close alone does not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _reset(self) -> None:
        for end in self._open:
            # It may have gone by itself.
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            with self._changed:
                self._open += [near, far]
                try:
                    far.connect(self._target)
                except OSError:
                    self._reset()
                    continue
                if self._mood is Mood.CUT:
                    self._reset()
                    continue
            for one, other in [(near, far), (far, near)]:
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        # However a connection ends, both of its ends do.
        with contextlib.suppress(OSError):
            while data := one.recv(CHUNK):
                with self._changed:
                    if self._mood is Mood.SLOW:
                        self._changed.wait(SLOW_SECONDS)
                    self._changed.wait_for(lambda: self._mood is not Mood.SILENT)
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
