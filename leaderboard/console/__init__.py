"""The operators' console: every run, what stands in its way, and the few things one may do about it."""
