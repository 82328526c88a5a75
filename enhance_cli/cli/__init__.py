"""The command line: a module for each command, and how a run is shown. Only this room prints."""
