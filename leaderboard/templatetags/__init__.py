"""How figures and moments are written on every page."""
