"""Evidence: what can be run, what was run, what came out."""

VERSION = "0.1.0"
