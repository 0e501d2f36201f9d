"""A socket that never blocks: what cannot be sent yet waits here, and whoever sends asks first whether there is room."""

import selectors

WAITING_BYTES_MAX = 262_144
"""Beyond this, no more is taken from whoever produces it: as much as a stream's window to the host."""


class Channel:
    def __init__(self, selector, sock, on_input, on_room, on_broken):
        self.selector, self.socket = selector, sock
        self.on_input, self.on_room, self.on_broken = on_input, on_room, on_broken
        self.waiting = bytearray()
        self.reading = True
        self.mask = 0
        self.after_sent = None
        self.corked = False
        sock.setblocking(False)
        self.watch()

    @property
    def has_room(self):
        return len(self.waiting) < WAITING_BYTES_MAX

    def receive(self, count):
        """None when there is nothing yet, b"" at the end."""
        try:
            return self.socket.recv(count)
        except BlockingIOError:
            return None
        except OSError:
            self.on_broken()
            return None

    def send(self, data):
        """Sent at once as far as it goes. A reader that has gone is heard of later, from the loop."""
        if self.socket is None:
            return
        self.waiting += data
        if self.corked or len(self.waiting) > len(data):
            return
        self.try_send()

    def cork(self):
        """What is sent from here on leaves in one piece, when it is uncorked: each piece wakes whoever reads."""
        self.corked = True

    def uncork(self):
        self.corked = False
        if not self.waiting or self.socket is None:
            return
        had_room = self.has_room
        self.try_send()
        if not self.waiting and not self.reading and self.after_sent is not None:
            self.finish()
        elif not had_room and self.has_room:
            # All of it went at once: nothing else will say so.
            self.on_room()

    def try_send(self):
        try:
            sent = self.socket.send(self.waiting)
            del self.waiting[:sent]
        except OSError:
            pass  # Full, or gone: the loop says which.
        self.watch()

    def stop_reading(self):
        self.reading = False
        self.watch()

    def start_reading(self):
        self.reading = True
        self.watch()

    def watch(self):
        if self.socket is None:
            return
        mask = (selectors.EVENT_READ if self.reading else 0) | (selectors.EVENT_WRITE if self.waiting else 0)
        if mask == self.mask:
            return
        if self.mask == 0:
            self.selector.register(self.socket, mask, self.on_event)
        elif mask == 0:
            self.selector.unregister(self.socket)
        else:
            self.selector.modify(self.socket, mask, self.on_event)
        self.mask = mask

    def on_event(self, mask):
        if mask & selectors.EVENT_WRITE and not self.flush():
            return
        if mask & selectors.EVENT_READ and self.reading:
            self.on_input()

    def flush(self):
        had_room = self.has_room
        try:
            sent = self.socket.send(memoryview(self.waiting)[:WAITING_BYTES_MAX])
        except BlockingIOError:
            return True
        except OSError:
            self.broken()
            return False
        del self.waiting[:sent]
        self.watch()
        if not self.waiting and not self.reading and self.after_sent is not None:
            self.finish()
            return False
        if not had_room and self.has_room:
            self.on_room()
        return self.socket is not None

    def broken(self):
        if self.after_sent is not None:
            self.finish()
        else:
            self.on_broken()

    def close_when_sent(self, done):
        """Closes when the other side has: closed before, what it has not read yet would be lost. Until then what still comes means nothing."""
        self.after_sent = done
        self.on_input = self.discard
        if not self.reading and not self.waiting:
            self.finish()

    def discard(self):
        try:
            while self.socket is not None and self.socket.recv(WAITING_BYTES_MAX) != b"":
                pass
        except BlockingIOError:
            return
        except OSError:
            pass
        self.reading = False
        if not self.waiting:
            self.finish()
        else:
            self.watch()

    def finish(self):
        done, self.after_sent = self.after_sent, None
        self.close()
        if done is not None:
            done()

    def close(self):
        if self.socket is None:
            return
        if self.mask:
            self.selector.unregister(self.socket)
            self.mask = 0
        self.socket.close()
        self.socket = None
