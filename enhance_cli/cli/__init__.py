"""The command line: options in, one engine call, tables and exit codes out."""
