"""Takes connections, reads one request from each, and hands it to its context. One thread: it is what contexts are forked from."""

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time

from . import wire
from .channel import Channel
from .context import Context, PRELOADED

CONTEXTS_MAX = 32
QUEUE_MAX = 32
"""Runs of one context that wait for the one before."""
CONNECTIONS_MAX = 128
"""As many as the agent makes at once."""
REQUEST_PIECE_BYTES = 262_144
"""Read at once: as much as a stream's window from the host."""
GENERATION_FILE = "/run/warmcell/generation-id"
"""Another text in every clone."""


def serve(port, modules):
    # What a plot is drawn with where there is no screen, unless the template says otherwise.
    os.environ.setdefault("MPLBACKEND", "Agg")
    for name in (*PRELOADED, *modules):
        try:
            importlib.import_module(name)
        except Exception as error:
            if name in PRELOADED:
                continue
            sys.exit(f"The module {name!r} cannot be imported before the snapshot: {type(error).__name__}: {error}")
    # An interrupt is for the code that runs, never for whoever starts it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is there now stays for good: contexts need not look through it, and so need not copy its pages.
    gc.collect()
    gc.freeze()
    Supervisor(port).run()


class Supervisor:
    def __init__(self, port):
        self.selector = selectors.DefaultSelector()
        self.contexts = {}
        self.runs = set()
        self.timers = []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=CONNECTIONS_MAX)
        self.listener.setblocking(False)
        self.context("default")
        self.selector.register(self.listener, selectors.EVENT_READ, lambda _: self.accept())
        # Whoever asked for port 0 reads here which one it is.
        print(f"listening on {self.listener.getsockname()[1]}", flush=True)

    def run(self):
        while True:
            due = min((at for at, _ in self.timers), default=None)
            events = self.selector.select(None if due is None else max(0, due - time.monotonic()))
            for key, mask in events:
                # One that was let go of in this very turn has nothing to say.
                if self.selector.get_map().get(key.fd) is key:
                    key.data(mask)
            now = time.monotonic()
            for timer in [timer for timer in self.timers if timer[0] <= now]:
                self.timers.remove(timer)
                timer[1]()

    def after(self, seconds, act):
        """Returns what cancels it."""
        timer = (time.monotonic() + seconds, act)
        self.timers.append(timer)
        return lambda: timer in self.timers and self.timers.remove(timer)

    def accept(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        if len(self.runs) >= CONNECTIONS_MAX:
            connection.close()
            return
        # Small answers leave at once, and not when the one before has been acknowledged.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Run(self, connection)

    def context(self, name):
        """Raises LookupError when there are too many."""
        context = self.contexts.get(name)
        if context is None:
            if len(self.contexts) >= CONTEXTS_MAX:
                raise LookupError
            context = self.contexts[name] = Context(self, name)
        return context

    def forget(self, context):
        if self.contexts.get(context.name) is context:
            del self.contexts[context.name]

    def close_in_child(self):
        """What a context that has been forked must not hold. What modules have opened stays."""
        self.selector.close()
        self.listener.close()
        for run in self.runs:
            if run.channel.socket is not None:
                run.channel.socket.close()
        for context in self.contexts.values():
            context.close_in_child()


class Run:
    """One connection: a request that is read, waits, runs, and is answered."""

    def __init__(self, supervisor, connection):
        self.supervisor = supervisor
        supervisor.runs.add(self)
        self.channel = Channel(supervisor.selector, connection, self.on_input, self.on_room, self.on_broken)
        self.received = bytearray()
        self.request = None
        self.context = None
        self.interrupted = False
        self.over = False

    def on_input(self):
        # Once in each turn: what is left is heard of in the next.
        data = self.channel.receive(REQUEST_PIECE_BYTES)
        if data is None or self.over:
            return
        if data == b"":
            self.channel.stop_reading()
            self.interrupt()
        elif self.request is None:
            self.received += data
            self.read_request()
        # What comes after the request means nothing.

    def read_request(self):
        end = self.received.find(b"\n")
        if end == -1 and len(self.received) < wire.REQUEST_BYTES_MAX:
            return
        try:
            if end == -1 or end >= wire.REQUEST_BYTES_MAX:
                raise wire.BadRequest(f"the request has more than {wire.REQUEST_BYTES_MAX} bytes")
            self.request = wire.read_request(self.received[:end])
        except wire.BadRequest as refusal:
            self.request = {}
            self.finish(("BadRequest", str(refusal), ""))
            return
        self.received = bytearray()
        self.begin()

    def begin(self):
        try:
            context = self.supervisor.context(self.request["context"])
        except LookupError:
            self.finish(("TooManyContexts", f"There are {CONTEXTS_MAX} contexts already: use one of them.", ""))
            return
        if len(context.waiting) >= QUEUE_MAX:
            self.finish(("ContextBusy", f"{QUEUE_MAX} runs wait in the context '{context.name}' already.", ""))
            return
        self.context = context
        context.take(self)

    def interrupt(self):
        """The host has closed its side: it wants no more of this."""
        if self.over or self.interrupted:
            return
        self.interrupted = True
        if self.context is None:
            self.close()
        else:
            self.context.interrupt(self)

    def send(self, frame):
        if not self.over:
            self.channel.send(frame)

    @property
    def has_room(self):
        return self.over or self.channel.has_room

    def finish(self, error=None):
        self.finish_with(wire.end_frame(error))

    def finish_with(self, end):
        if self.over:
            return
        self.channel.send(end)
        self.over = True
        self.channel.close_when_sent(self.closed)

    def on_room(self):
        if self.context is not None:
            self.context.on_room(self)

    def on_broken(self):
        """Nobody reads any more: the code ends, and what it prints until then is dropped."""
        if self.over:
            return
        self.interrupt()
        self.close()

    def close(self):
        if not self.over:
            self.over = True
            self.channel.close()
            self.closed()

    def closed(self):
        self.supervisor.runs.discard(self)
        self.on_room()


def generation():
    try:
        with open(GENERATION_FILE, "rb") as file:
            return file.read(64)
    except OSError:
        return b""
