"""The one exception for mistakes that a person can correct: it says what is wrong, where, and what to do."""


class UserError(Exception):
    """A mistake in the config, the data or the environment, which is reported without a traceback.

    The message names the place (file, key, video) and what to do. Programming errors are never of this class.

    Examples:
        >>> from fsar.errors import UserError
        >>> try:
        ...     FewShotClassifier("efficientnet-lite9")
        ... except UserError as error:
        ...     print("efficientnet-lite9" in str(error))
        True
    """


class NotWritableError(UserError):
    """What was read cannot be written: the disk is full, or the folder closed. No other source would help."""
