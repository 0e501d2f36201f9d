"""What a value looks like: its text, and whatever richer forms it offers of itself, as notebooks ask for them."""

import base64
import io
import json
import sys

from . import wire

TEXT_CHARS_MAX = 10 * 1024 * 1024
"""Of what repr says; the rest is left out, with an ellipsis."""
METHODS = (
    ("text/html", "_repr_html_"),
    ("text/markdown", "_repr_markdown_"),
    ("text/latex", "_repr_latex_"),
    ("image/svg+xml", "_repr_svg_"),
    ("image/png", "_repr_png_"),
    ("image/jpeg", "_repr_jpeg_"),
    ("application/json", "_repr_json_"),
)


def bundle(value):
    """All that it offers, as (mime, bytes): text/plain first, and always there."""
    text = repr(value)
    if len(text) > TEXT_CHARS_MAX:
        text = text[:TEXT_CHARS_MAX] + "…"
    found = {"text/plain": text}
    # A class has the methods of its instances, and is none.
    if not isinstance(value, type):
        offered = call(value, "_repr_mimebundle_")
        if isinstance(offered, tuple):
            offered = offered[0]
        if isinstance(offered, dict):
            found.update(offered)
        for mime, method in METHODS:
            if mime not in found and (offered := call(value, method)) is not None:
                found[mime] = offered[0] if isinstance(offered, tuple) else offered
    return encoded(found)


def raw_bundle(value):
    """What display(…, raw=True) was given."""
    if not isinstance(value, dict):
        raise TypeError("display(…, raw=True) takes a dict of values by MIME type")
    return encoded({"text/plain": f"<{', '.join(map(str, value))}>", **value})


def call(value, method):
    """What the method returns; None where there is none, or it fails: a value that cannot draw itself still has its text."""
    try:
        found = getattr(value, method, None)
        return found() if callable(found) else None
    except Exception as error:
        print(f"{method} of {type(value).__name__} failed: {type(error).__name__}: {error}", file=sys.stderr)
        return None


def encoded(found):
    for mime, data in found.items():
        mime = str(mime).lower()
        if data is None or wire.MIME.fullmatch(mime) is None:
            continue
        if isinstance(data, (bytes, bytearray, memoryview)):
            data = base64.b64encode(data)
        elif not isinstance(data, str):
            data = json.dumps(data, default=repr).encode()
        else:
            data = data.encode("utf-8", "replace")
        yield mime, data


def figures(show):
    """Shows the plots that are open, and closes them, as a notebook does at the end of a cell."""
    plots = sys.modules.get("matplotlib.pyplot")
    if plots is None or not hasattr(plots, "get_fignums"):
        return
    try:
        for number in plots.get_fignums():
            show(Drawn(plots.figure(number)))
    finally:
        plots.close("all")


class Drawn:
    def __init__(self, figure):
        self.figure = figure

    def __repr__(self):
        return repr(self.figure)

    def _repr_png_(self):
        image = io.BytesIO()
        self.figure.savefig(image, format="png", bbox_inches="tight")
        return image.getvalue()
