"""The error of the builders: one clear line that names the thing, the place and the remedy."""

from absl import app


class DatasetError(app.UsageError):
    """A fault in the input of a builder that the user can mend.

    It is absl's usage error, so that `tfds build`, an absl program, ends with this line and exit code 2 in place of
    a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, exitcode=2)
