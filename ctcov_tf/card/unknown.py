"""What a card says where the run does not say it."""


class Unknown(str):
    """A fact that is missing: `unknown: ` and what would supply it."""

    def __new__(cls, remedy: str) -> "Unknown":
        """Names the remedy: a command to run, or what the author has to say."""
        return super().__new__(cls, f"unknown: {remedy}")
