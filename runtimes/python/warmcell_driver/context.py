"""One interpreter as the supervisor sees it: a process that was forked, its pipes, the run it is at, and those that wait."""

import collections
import fcntl
import marshal
import mmap
import os
import selectors
import signal
import socket
import struct
import termios

from . import wire
from .channel import Channel
from .interpreter import live

PRELOADED = ("asyncio",)
"""What most code needs and takes long to import: it is in the snapshot."""
INTERRUPT_GRACE_S = 2
"""Between an interrupt and the end of a context that does not heed it."""
LATE_BYTES_MAX = 262_144
"""Of what is printed between two runs, per stream: the last of it is kept for the next."""
NUMBER = struct.Struct("<Q")
LENGTH = struct.Struct("<I")


class Context:
    def __init__(self, supervisor, name):
        self.supervisor, self.name = supervisor, name
        self.current, self.waiting = None, collections.deque()
        self.number = 0
        self.frames = bytearray()
        self.late = {wire.STDOUT: bytearray(), wire.STDERR: bytearray()}
        self.watching = False
        self.stubborn = False
        self.cancel_kill = lambda: None
        # The number of the run that is to be interrupted, seen by both processes.
        self.flag = mmap.mmap(-1, mmap.PAGESIZE)
        ours, theirs = socket.socketpair()
        pipes = [os.pipe(), os.pipe()]
        self.pid = os.fork()
        if self.pid == 0:

            def close_others():
                supervisor.close_in_child()
                ours.close()
                for read, _ in pipes:
                    os.close(read)

            live(theirs, self.flag, [write for _, write in pipes], close_others)
        try:
            os.setpgid(self.pid, self.pid)
        except OSError:
            pass  # It was faster.
        theirs.close()
        for read, write in pipes:
            os.close(write)
            os.set_blocking(read, False)
        self.pipes = {pipes[0][0]: wire.STDOUT, pipes[1][0]: wire.STDERR}
        self.pidfd = os.pidfd_open(self.pid)
        supervisor.selector.register(self.pidfd, selectors.EVENT_READ, lambda _: self.on_death())
        self.control = Channel(supervisor.selector, ours, self.on_control, lambda: None, lambda: None)
        self.watch(True)

    def close_in_child(self):
        self.control.socket.close()
        for fd in (*self.pipes, self.pidfd):
            os.close(fd)

    def take(self, run):
        if self.current is None:
            self.start(run)
        else:
            self.waiting.append(run)

    def start(self, run):
        from .supervisor import generation

        self.current = run
        self.number += 1
        for kind, text in self.late.items():
            for start in range(0, len(text), wire.PAYLOAD_BYTES_MAX):
                run.send(wire.frame(kind, text[start : start + wire.PAYLOAD_BYTES_MAX]))
            text.clear()
        message = marshal.dumps((self.number, generation(), run.request))
        self.control.send(LENGTH.pack(len(message)) + message)
        if run.interrupted:
            self.strike(run)

    def interrupt(self, run):
        if run is self.current:
            self.strike(run)
        elif run in self.waiting:
            self.waiting.remove(run)
            run.finish(("KeyboardInterrupt", "It was interrupted before it began.", ""))

    def strike(self, run):
        """As Ctrl-C at a terminal: the code, and the programs that it has started."""
        NUMBER.pack_into(self.flag, 0, self.number)
        self.signal_group(signal.SIGINT)
        self.cancel_kill = self.supervisor.after(INTERRUPT_GRACE_S, self.kill)

    def kill(self):
        self.stubborn = True
        self.signal_group(signal.SIGKILL)

    def signal_group(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass  # It has just ended, or has not begun.

    def on_room(self, run):
        if run is self.current and run.has_room:
            self.watch(True)
            self.on_frames()

    def watch(self, wanted):
        """Whether what comes from it is taken."""
        if wanted == self.watching:
            return
        self.watching = wanted
        for fd, kind in self.pipes.items():
            if wanted:
                self.supervisor.selector.register(fd, selectors.EVENT_READ, lambda _, fd=fd: self.on_output(fd))
            else:
                self.supervisor.selector.unregister(fd)
        (self.control.start_reading if wanted else self.control.stop_reading)()

    def on_output(self, fd):
        try:
            self.take_output(fd, os.read(fd, wire.PAYLOAD_BYTES_MAX))
        except BlockingIOError:
            return  # It has been drained in this very turn.
        if self.current is not None and not self.current.has_room:
            self.watch(False)

    def take_output(self, fd, data):
        kind = self.pipes[fd]
        if self.current is not None:
            if data:
                self.current.send(wire.frame(kind, data))
            return
        late = self.late[kind]
        late += data
        del late[:-LATE_BYTES_MAX]

    def drain(self):
        """Takes what was printed up to now, and not what a thread goes on to print."""
        for fd in self.pipes:
            left = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]
            while left > 0:
                data = os.read(fd, min(left, wire.PAYLOAD_BYTES_MAX))
                left -= len(data)
                self.take_output(fd, data)

    def on_control(self):
        data = self.control.receive(wire.PAYLOAD_BYTES_MAX)
        if data == b"":
            self.control.stop_reading()  # Its end is heard of by its own descriptor.
        elif data is not None:
            self.frames += data
            self.on_frames()

    def on_frames(self, dying=False):
        run = self.current
        if run is not None:
            run.channel.cork()
        self.pass_frames(dying)
        if run is not None:
            run.channel.uncork()

    def pass_frames(self, dying):
        while len(self.frames) >= wire.HEAD.size:
            if self.current is not None and not self.current.has_room and not dying:
                self.watch(False)
                return
            kind, length = wire.HEAD.unpack_from(self.frames)
            if length > wire.PAYLOAD_BYTES_MAX:
                self.kill()  # Somebody else writes there.
                self.frames.clear()
                return
            end = wire.HEAD.size + length
            if len(self.frames) < end:
                return
            one = bytes(self.frames[:end])
            del self.frames[:end]
            if self.current is None:
                continue  # A thread that shows something between two runs.
            if kind == wire.END:
                self.drain()
                self.on_end(one)
            else:
                self.current.send(one)

    def on_end(self, end):
        run, self.current = self.current, None
        self.cancel_kill()
        run.finish_with(end)
        self.watch(True)
        if self.waiting:
            self.start(self.waiting.popleft())

    def on_death(self):
        _, status = os.waitpid(self.pid, os.WNOHANG)
        self.signal_group(signal.SIGKILL)
        while self.control.socket is not None and (data := self.control.receive(wire.PAYLOAD_BYTES_MAX)):
            self.frames += data
        self.on_frames(dying=True)
        self.drain()
        self.watch(False)
        self.cancel_kill()
        self.supervisor.selector.unregister(self.pidfd)
        self.control.close()
        for fd in (*self.pipes, self.pidfd):
            os.close(fd)
        self.flag.close()
        self.supervisor.forget(self)
        run, self.current = self.current, None
        if run is not None:
            run.finish(("ContextLost", self.describe(status), ""))
        # What waited is not at fault.
        for run in self.waiting:
            run.begin()

    def describe(self, status):
        if self.stubborn:
            how = f"did not stop within {INTERRUPT_GRACE_S} s of being interrupted, and was ended"
        elif os.WIFEXITED(status):
            how = f"exited with {os.WEXITSTATUS(status)}"
        elif os.WTERMSIG(status) == signal.SIGKILL:
            how = "was ended by SIGKILL, most likely because there was no memory left"
        else:
            how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"The interpreter of the context '{self.name}' {how}: its variables are gone. The next run begins with a fresh one."
