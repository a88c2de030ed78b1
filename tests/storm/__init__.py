"""A storm of faults over a real Redis and real workers; `python -m tests.storm` (`make storm`) prints its table."""
