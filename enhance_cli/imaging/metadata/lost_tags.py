"""Tags of EXIF that a result cannot have: what to say of them."""

from __future__ import annotations

from collections.abc import Sequence

import piexif

from enhance_cli.imaging.metadata.tiff_tags import TagId

LEFT_OUT = "cannot be read and {were} left out"
"""What is said of damaged tags."""

_ALL_TAGS = {
    "0th": "some tags",
    "Exif": "all or some tags on the exposure",
    "GPS": "all or some tags on the location",
    "Interop": "InteroperabilityIndex",
}
"""What is lost with a directory that is cut short or lies outside of the file."""

_MOST_NAMED = 6


def describe_tags(tags: Sequence[TagId], fate: str) -> tuple[str, ...]:
    """A line that names tags, or says how many they are; none if there are none.

    Args:
        tags: The tags.
        fate: What has become of them, with ``{were}`` and ``{do}`` for forms of these verbs.
    """
    names = [*dict.fromkeys(_name_of(*one) for one in tags)]
    if not names:
        return ()
    if len(names) > _MOST_NAMED:
        listed = f"{len(names)} tags"
    else:
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    one = len(names) == 1 and tags[0][1] is not None
    verbs = {"were": "was", "do": "does"} if one else {"were": "were", "do": "do"}
    return (f"{listed} in its EXIF {fate.format(**verbs)}",)


def _name_of(directory: str, tag: int | None) -> str:
    if tag is None:
        return _ALL_TAGS[directory]
    known = piexif.TAGS["Image" if directory == "0th" else directory].get(tag)
    return known["name"] if known else f"tag 0x{tag:04X}"
