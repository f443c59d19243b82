"""What this package raises: one family, so that a host can catch it with one name."""


class EdgeRuntimeError(Exception):
    """Any failure that this package reports; the message is one line for a person."""


class BundleError(EdgeRuntimeError):
    """A bundle or model that cannot be used: missing, altered, not understood, or for want of an
    execution provider."""


class OutputError(EdgeRuntimeError):
    """An output that cannot be written, or that cannot be gone on with."""


class MissingExtraError(EdgeRuntimeError):
    """An optional library that is not installed; the message says how to install it."""


class InputError(EdgeRuntimeError):
    """One input that cannot be read.

    `status` is the word that stands in the results: `not_found`, `permission`, `not_a_file`,
    `empty`, `wrong_kind`, `not_an_image`, `not_a_sound`, `not_a_series`, `wrong_shape`, `corrupt`,
    `too_large` or `unreadable`.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str]]:
        return type(self), (self.status, str(self))


ImageError = InputError
"""The same class, by the name that fits when the input is an image."""


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
