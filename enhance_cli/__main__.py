"""Run the command line as ``python -m enhance_cli``."""

from enhance_cli.cli.main import main

if __name__ == "__main__":
    main()
