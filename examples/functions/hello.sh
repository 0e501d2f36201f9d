#!/bin/sh
# A handler: the request's body is its stdin, what it prints is the answer, an exit code other than 0 is a failure.
# It lives as long as its instance does: what it writes to disk, the next invocation of the same instance finds.
read -r name
count=$(cat /tmp/count 2>/dev/null || echo 0)
echo $((count + 1)) >/tmp/count
echo "hello ${name:-nobody}, from $(hostname), invocation $((count + 1)) of this instance"
