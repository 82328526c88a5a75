"""Everything that can go wrong and is not a programmer's mistake.

Each message is one line that says what happened, where, and what to do about it.
``cli`` catches :class:`EnhanceError` once and prints it; any other exception keeps its traceback.
"""


class EnhanceError(Exception):
    """The run cannot go on."""


class UsageError(EnhanceError):
    """The command line asks for something that cannot be meant."""


class DeviceError(EnhanceError):
    """The device that was asked for is not there."""


class PhotoError(EnhanceError):
    """One photo cannot be read or written; the others are not concerned."""


class RetouchError(EnhanceError):
    """What the networks make of a photo cannot be used."""


class OutputError(EnhanceError):
    """Nothing more can be written where the results go."""


class PairsError(EnhanceError):
    """A folder of training pairs is missing, empty or inconsistent."""


class WeightsError(EnhanceError):
    """A weights file is missing, damaged or of a kind that this version does not know."""


class TrainingError(EnhanceError):
    """Training cannot go on."""
