"""The command line: a module or a folder for each command. Only this room prints."""
