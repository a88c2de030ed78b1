"""The public read API: each endpoint is described once, and its address, its checks and its page come from that.

A new endpoint is a module here with functions under `@registry.endpoint(…)`, named in `urls.py`.
"""
