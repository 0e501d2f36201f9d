"""The parts of the driver: wire (bytes), supervisor (connections), context (one interpreter from outside), interpreter (the same from
inside), evaluate (one piece of code), present (one value)."""
