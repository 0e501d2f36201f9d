"""What is spoken with the host: one line of JSON in, frames out. The contract is protocol/runtime.md."""

import json
import re
import struct

VERSION = 1
REQUEST_BYTES_MAX = 8 * 1024 * 1024
"""One line, with its line feed."""
PAYLOAD_BYTES_MAX = 65_536
RESULT_BYTES_MAX = 64 * 1024 * 1024
"""Of all results of one run together."""
RESULTS_MAX = 1_024
ERROR_BYTES_MAX = 60_000
"""Of an error in JSON: what is around it stays within a frame."""

STDOUT, STDERR, RESULT, DATA, END = 1, 2, 3, 4, 5
HEAD = struct.Struct(">BI")
RESULT_HEAD = struct.Struct(">BI")
CONTEXT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


class BadRequest(Exception):
    """What came is no request; the text says why."""


def frame(kind, payload):
    return HEAD.pack(kind, len(payload)) + payload


def result_frames(is_value, mime, data):
    """One representation of a value: its head, and then all its bytes."""
    yield frame(RESULT, RESULT_HEAD.pack(1 if is_value else 0, len(data)) + mime.encode("ascii"))
    view = memoryview(data)
    for start in range(0, len(data), PAYLOAD_BYTES_MAX):
        yield frame(DATA, bytes(view[start : start + PAYLOAD_BYTES_MAX]))


def end_frame(error=None, dropped=0):
    """`error` is (name, message, traceback), `dropped` how many results were left out."""
    end = {}
    if dropped:
        end["dropped"] = dropped
    if error is not None:
        end["error"] = bounded_error(*error)
    return frame(END, json.dumps(end).encode("ascii"))


def bounded_error(name, message, traceback):
    """Of a long message the beginning is kept, of a long traceback its end: what went wrong is said there."""
    budget = ERROR_BYTES_MAX
    error = {"name": _shortened(name, 256), "message": _shortened(message, budget // 4)}
    budget -= len(json.dumps(error))
    while len(json.dumps(traceback)) > budget:
        traceback = "…" + traceback[1 + max(1, len(traceback) // 4) :]
    error["traceback"] = traceback
    return error


def _shortened(text, budget):
    while len(json.dumps(text)) > budget:
        text = text[: len(text) * 3 // 4 - 1] + "…"
    return text


def read_request(line):
    """The request in one line, checked. Raises BadRequest."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the request is no JSON: {error}") from None
    if not isinstance(request, dict):
        raise BadRequest("the request is no object")
    if request.get("version") != VERSION:
        raise BadRequest(f"version {request.get('version')!r:.40} is not spoken here, but {VERSION}")
    if request.get("probe") is True:
        return {"probe": True, "context": "default"}
    name = request.get("context", "default")
    if not isinstance(name, str) or CONTEXT_NAME.fullmatch(name) is None:
        raise BadRequest("the context's name is not 1 to 64 of A-Z a-z 0-9 _ . -")
    if not isinstance(request.get("source"), str):
        raise BadRequest("there is no source")
    if not isinstance(request.get("cwd", ""), str):
        raise BadRequest("cwd is no text")
    for field in ("baseEnv", "env"):
        _check_environment(field, request.get(field, {}))
    known = ("source", "cwd", "baseEnv", "env")
    return {"context": name, **{field: request[field] for field in known if field in request}}


def _check_environment(field, variables):
    if not isinstance(variables, dict):
        raise BadRequest(f"{field} is no object")
    for name, value in variables.items():
        if name == "" or "=" in name or "\0" in name:
            raise BadRequest(f"{field} has a name that is none")
        if value is not None and (not isinstance(value, str) or "\0" in value):
            raise BadRequest(f"{field} has a value that is none")
