"""What the user wrote -> values: matrix.yaml, app files, the changes of the command line; nothing is combined or started."""
