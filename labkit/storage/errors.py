"""The one error of a file that cannot be used."""


class FileError(ValueError):
    """A file is missing, damaged, or holds what this lab does not know."""
