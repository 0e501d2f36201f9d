"""Answers runCode in Python: what is left running in the snapshot.

    python3 driver.py PORT [MODULE ...]

Imports the modules first, so that every clone has them in memory, and listens on 127.0.0.1:PORT when that is done. Python 3.11 or
newer, nothing but its standard library. What is spoken is in protocol/runtime.md.
"""

import os
import sys

if sys.version_info < (3, 11):
    sys.exit("runCode needs Python 3.11 or newer, and %s is %s." % (sys.executable, sys.version.split()[0]))

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from warmcell_driver import supervisor  # noqa: E402

# The driver's own directory is no place for a tenant's import to look.
sys.path[:] = [place for place in sys.path if os.path.abspath(place) != HERE]


def main(arguments):
    if not arguments or not arguments[0].isdecimal() or not 0 <= int(arguments[0]) <= 65535:
        sys.exit("usage: driver.py PORT [MODULE ...]")
    supervisor.serve(int(arguments[0]), arguments[1:])


main(sys.argv[1:])
