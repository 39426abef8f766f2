"""`python -m servermatrix`."""

from servermatrix.cli import main

if __name__ == "__main__":
    main()
