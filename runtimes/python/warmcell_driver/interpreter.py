"""One interpreter from inside: a process that takes one piece of code after the other, and keeps what it defines."""

import builtins
import importlib
import marshal
import os
import signal
import struct
import sys
import threading
import types

from . import present, wire
from .evaluate import Evaluator, Nothing, describe_error

LENGTH = struct.Struct("<I")
NUMBER = struct.Struct("<Q")
OOM_SCORE = b"500"
"""Where memory runs out, the code goes before what starts it."""
PROBE = "import sys\nprint('ready')\nfor _ in range(3): pass\n1 + 1"
"""Treads what code will tread, and leaves nothing behind."""


def live(control, flag, outputs, close_others):
    """The life of a context that has just been forked. Never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        close_others()
        Interpreter(control, flag, outputs).run()
        status = 0
    except BaseException as error:
        try:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        except OSError:
            pass
    finally:
        os._exit(status)


class Interpreter:
    def __init__(self, control, flag, outputs):
        self.control, self.flag = control, flag
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.number = 0
        self.begun = False
        self.generation = None
        self.bytes_left, self.results_left, self.dropped = wire.RESULT_BYTES_MAX, wire.RESULTS_MAX, 0
        self.running = False
        # Results that go with the end, in one piece, unless they are large: each piece wakes the supervisor.
        self.unsent = bytearray()
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            try:
                file.write(OOM_SCORE)
            except OSError:
                pass
        self.take_standard_streams(outputs)
        self.main = self.make_main()
        self.evaluator = Evaluator(self.main.__dict__)
        signal.signal(signal.SIGINT, self.on_interrupt)

    def take_standard_streams(self, outputs):
        nothing = os.open("/dev/null", os.O_RDONLY)
        for fd, number in ((nothing, 0), (outputs[0], 1), (outputs[1], 2)):
            os.dup2(fd, number)
            os.close(fd)
        sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", buffering=1, closefd=False)
        sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
        for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
            stream.buffer.raw.name = ("<stdin>", "<stdout>", "<stderr>")[number]

    def make_main(self):
        """A real module: what pickle, dataclasses and typing look for."""
        main = types.ModuleType("__main__")
        main.__dict__["__builtins__"] = builtins
        # Kept: it is what this function runs in.
        sys.modules["_warmcell_main"] = sys.modules["__main__"]
        sys.modules["__main__"] = main
        sys.argv = [""]
        sys.path.insert(0, "")
        builtins.display = self.display
        builtins.input = no_input
        builtins.exit = builtins.quit = leave
        return main

    def run(self):
        while (message := self.receive()) is not None:
            self.number, generation, request = message
            self.bytes_left, self.results_left, self.dropped = wire.RESULT_BYTES_MAX, wire.RESULTS_MAX, 0
            error = self.answer(generation, request)
            if os.getpid() != self.pid:
                # The code has forked, and its child has come to the end of the code.
                flush()
                os._exit(0 if error is None else 1)
            self.end(wire.end_frame(error, self.dropped))

    def receive(self):
        head = self.receive_exactly(LENGTH.size)
        return None if head is None else marshal.loads(self.receive_exactly(LENGTH.unpack(head)[0]))

    def receive_exactly(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self.control.recv(min(count - len(data), 1_048_576))
            if piece == b"":
                return None
            data += piece
        return bytes(data)

    def answer(self, generation, request):
        if generation != self.generation:
            draw_anew()
            self.generation = generation
        if request.get("probe"):
            return self.tread()
        try:
            if not self.begun:
                self.begin(request)
        except OSError as error:
            return type(error).__name__, str(error), ""
        env = request.get("env", {})
        before = {name: os.environ.get(name) for name in env}
        set_variables(env)
        try:
            return self.evaluate(request["source"])
        finally:
            set_variables(before)

    def tread(self):
        """The way of a first run, in a namespace of its own."""
        evaluator, last = self.evaluator, getattr(builtins, "_", None)
        self.evaluator = Evaluator({"__builtins__": builtins, "__name__": "__main__"})
        try:
            set_variables({"WARMCELL_PROBE": None})
            os.chdir(".")
            return self.evaluate(PROBE)
        finally:
            self.evaluator.forget()
            self.evaluator = evaluator
            builtins._ = last
            if last is None:
                del builtins._

    def begin(self, request):
        set_variables(request.get("baseEnv", {}))
        if cwd := request.get("cwd"):
            os.chdir(os.path.join(os.environ.get("HOME", "/"), cwd))
        self.begun = True

    def evaluate(self, source):
        error = None
        try:
            try:
                self.running = True
                if NUMBER.unpack_from(self.flag)[0] == self.number:
                    raise KeyboardInterrupt  # It came before this was ready for it.
                value = self.evaluator.run(source)
                if value is not Nothing and value is not None:
                    builtins._ = value
                    self.show(value, True)
            except SystemExit as end:
                if end.code not in (None, 0):
                    error = ("SystemExit", str(end.code), "")
            except BaseException as raised:
                error = describe_error(raised)
            present.figures(lambda value: self.show(value, False))
            flush()
            self.running = False
        except BaseException as raised:
            # An interrupt, while an error was told or plots were drawn.
            self.running = False
            error = error or describe_error(raised)
            flush()
        return error

    def on_interrupt(self, _number, frame):
        if self.running and os.getpid() == self.pid and not self.evaluator.cancel(frame):
            raise KeyboardInterrupt

    def display(self, *values, raw=False):
        """Shows values as results of this run. With raw=True each is a dict of what it is, by MIME type."""
        for value in values:
            self.show(value, False, raw)

    def show(self, value, is_value, raw=False):
        bundle = present.raw_bundle(value) if raw else present.bundle(value)
        if os.getpid() != self.pid:
            return  # A child that the code has forked: it is asked for nothing.
        for mime, data in bundle:
            if self.results_left == 0 or len(data) > self.bytes_left:
                self.dropped += 1
                continue
            self.results_left -= 1
            self.bytes_left -= len(data)
            with self.lock:
                for one in wire.result_frames(is_value, mime, data):
                    self.unsent += one
                    if len(self.unsent) > wire.PAYLOAD_BYTES_MAX:
                        self.send_all()

    def end(self, frame):
        with self.lock:
            self.unsent += frame
            self.send_all()

    def send_all(self):
        data, self.unsent = self.unsent, bytearray()
        self.control.sendall(data)


def flush():
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except Exception:
            pass  # It was replaced by what cannot, or closed.


def set_variables(variables):
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "TZ" in variables:
        importlib.import_module("time").tzset()


def draw_anew():
    """What every clone has in common: the state of generators that were seeded before the snapshot."""
    modules = sys.modules
    if "random" in modules:
        modules["random"].seed()
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "torch" in modules:
        modules["torch"].seed()
    if "_ssl" in modules:
        modules["_ssl"].RAND_add(os.urandom(32), 32.0)


def no_input(prompt="", /):
    raise EOFError("input() has nothing to read in runCode: pass values in the code itself, or run a program with exec and stdin.")


def leave(code=None):
    raise SystemExit(code)
