"""Which Python web server, with which settings, for this app on this machine: measured, compared, told."""

__version__ = "0.1.0"
