"""The evaluation child: `python -m runners.child` reads a RunSpec, runs lm-eval and says what came out. No
Django.
"""
