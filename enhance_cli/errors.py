"""All expected errors: everything that can go wrong and is not a bug.

Each message is one line that says what happened, where, and what to do about it.
``cli`` catches :class:`EnhanceError` once and prints it; other exceptions keep their traceback.
"""


class EnhanceError(Exception):
    """The run cannot go on."""


class UsageError(EnhanceError):
    """The command line, a recipe or an argument asks for something impossible.

    To read what does not exist is impossible, too. That a result cannot be written is an
    :class:`OutputError`.
    """


class PictureError(UsageError, TypeError):
    """An argument is of another kind than is taken: no picture, or one of another shape or type."""


class NoPhotosError(UsageError):
    """There is no photo among the inputs."""


class DeviceError(EnhanceError):
    """The requested device is not available."""


class PhotoError(EnhanceError):
    """One photo cannot be read or written; other photos are unaffected."""


class RetouchError(EnhanceError):
    """The networks' result for a photo cannot be used, or memory runs out."""


class OutputError(EnhanceError):
    """Nothing more can be written to the output folder."""


class PlaceTakenError(EnhanceError):
    """Another file is in the place of an output, and may not be replaced."""


class PairsError(EnhanceError):
    """A folder of training pairs is empty or inconsistent."""


class NoPairsError(PairsError, UsageError):
    """A folder of training pairs, or a split, does not exist or holds nothing of the kind."""


class WeightsError(EnhanceError):
    """A weights file is missing, damaged or of an unknown version."""


class NoWeightsError(WeightsError, UsageError):
    """There is no weights file where one is said to be."""


class TrainingError(EnhanceError):
    """Training cannot go on."""
