"""Running one piece of code as a notebook does: its last expression is its value, and await may stand anywhere."""

import ast
import asyncio
import collections
import inspect
import linecache
import selectors
import traceback

CELLS_MAX = 512
"""Pieces of code whose lines a traceback can still show."""
ASYNCIO = asyncio.__path__[0]
DRIVER = __file__[: __file__.rindex("/") + 1]


class Nothing:
    """What a piece of code comes to that does not end with an expression."""


class Evaluator:
    def __init__(self, namespace):
        self.namespace = namespace
        self.count = 0
        self.cells = collections.deque()
        self.loop = self.task = None
        self.cancelled = False

    def run(self, source):
        """The value of the last expression, or Nothing. Raises what the code raises."""
        self.count += 1
        filename = f"<cell {self.count}>"
        self.remember(filename, source)
        return self.evaluate(source, filename)

    def forget(self):
        for filename in self.cells:
            linecache.cache.pop(filename, None)

    def remember(self, filename, source):
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        self.cells.append(filename)
        if len(self.cells) > CELLS_MAX:
            linecache.cache.pop(self.cells.popleft(), None)

    def evaluate(self, source, filename):
        tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        # As in notebooks, a semicolon at the end says that its value is of no interest.
        shown = bool(tree.body) and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";")
        last = ast.Expression(tree.body.pop().value) if shown else None
        body = self.compile(tree, filename, "exec")
        value = last and self.compile(last, filename, "eval")
        codes = [code for code in (body, value) if code is not None]
        result = None
        if any(code.co_flags & inspect.CO_COROUTINE for code in codes):
            result = self.run_coroutine(self.steps(codes))
        else:
            for code in codes:
                result = eval(code, self.namespace)
        return result if shown else Nothing

    def compile(self, tree, filename, mode):
        return compile(tree, filename, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)

    async def steps(self, codes):
        result = None
        for code in codes:
            result = eval(code, self.namespace)
            if code.co_flags & inspect.CO_COROUTINE:
                result = await result
        return result

    def run_coroutine(self, coroutine):
        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        self.cancelled = False
        self.task = self.loop.create_task(coroutine)
        try:
            return self.loop.run_until_complete(self.task)
        except asyncio.CancelledError:
            if self.cancelled:
                raise KeyboardInterrupt from None
            raise
        finally:
            task, self.task = self.task, None
            if not task.done():
                task.cancel()

    def cancel(self, frame):
        """Of code that awaits, the await ends, so that its `finally` is run; False where code is being executed, which is interrupted itself."""
        if self.task is None or self.task.done() or frame is None:
            return False
        if frame.f_code.co_filename not in (selectors.__file__, asyncio.base_events.__file__, asyncio.events.__file__):
            return False
        self.cancelled = True
        self.loop.call_soon_threadsafe(self.task.cancel)
        return True


def describe_error(error):
    """(name, message, traceback), the last as Python would print it, without the driver's own frames."""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:
        message = f"<the text of {name} cannot be had>"
    try:
        told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        text = "".join(without_driver(told).format())
    except Exception:
        text = f"{name}: {message}\n"
    return name, message, text


def without_driver(told):
    """Of an error and of those that led to it. One that has no other frames, such as of code that is no Python, is shown without any."""
    for led in (told.__cause__, told.__context__):
        if led is not None:
            without_driver(led)
    frames = [one for one in told.stack if not one.filename.startswith(DRIVER)]
    # What runs the code that awaits is no more the tenant's than the driver is.
    while frames and frames[0].filename.startswith(ASYNCIO):
        del frames[0]
    told.stack = traceback.StackSummary.from_list(frames) if frames else None
    return told
