"""`python -m hourglass`: what a person does with source files."""

from hourglass.cli.app import main

if __name__ == "__main__":
    main()
