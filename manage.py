#!/usr/bin/env python
"""Django's command line for Gyeoru."""

from config.manage import main

if __name__ == "__main__":
    main()
