"""Imports a module that is not installed."""

import nosuchlibrary

app = nosuchlibrary.make_app()
