"""The suffixes of photo files, and the search for photos in a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from enhance_cli.atomic_write import identity
from enhance_cli.config.apply import Format
from enhance_cli.config.look_files import NAME as LOOK_FILE

JPEG = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".jps", ".pjp", ".pjpeg",
})  # fmt: skip
PNG = frozenset({".png"})
TIFF = frozenset({".tif", ".tiff"})
WEBP = frozenset({".webp"})
AVIF = frozenset({".avif"})
HEIF = frozenset({".heic", ".heif", ".hif"})
JPEG_XL = frozenset({".jxl"})
JPEG_2000 = frozenset({".jp2", ".j2k", ".jpc", ".j2c", ".jpf", ".jpx"})
SEVERAL = frozenset({".mpo", ".avifs", ".heics", ".heifs"})
"""Suffixes of JPEG, AVIF and HEIC with several pictures, of which results have one."""

KEPT = JPEG | PNG | TIFF | WEBP | AVIF | JPEG_XL
"""Suffixes of the formats that results keep unless another one is asked for."""

RAW = frozenset({
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".drf",
    ".eip", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kc2", ".kdc", ".mdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".ptx", ".pxn", ".qtk", ".raf", ".raw", ".rdc", ".rw2", ".rwl",
    ".rwz", ".sr2", ".srf", ".srw", ".sti", ".x3f",
})  # fmt: skip
"""Suffixes of the RAW formats that LibRaw reads."""

SIDECAR = ".xmp"
"""Suffix of the files that editors write beside RAW files."""

SUFFIXES: dict[Format, frozenset[str]] = {
    "keep": KEPT,
    "jpg": JPEG,
    "png": PNG,
    "tiff": TIFF,
    "webp": WEBP,
    "avif": AVIF,
    "heic": HEIF,
    "jxl": JPEG_XL,
}
"""Suffixes of the results in each format."""

READ = {
    "JPEG": JPEG,
    "PNG": PNG,
    "TIFF": TIFF,
    "WebP": WEBP,
    "AVIF": AVIF,
    "HEIC": HEIF,
    "JPEG XL": JPEG_XL,
    "JPEG 2000": JPEG_2000,
    "RAW": RAW,
}
"""Suffixes of the formats that are read, by their names."""

PHOTOS = SEVERAL.union(*READ.values())
"""Suffixes of all photos that are read."""

OTHER_PICTURES = frozenset({
    ".ai", ".apng", ".bmp", ".bpg", ".cgm", ".cin", ".cur", ".dds", ".dib", ".djvu", ".dpx", ".emf",
    ".eps", ".exr", ".fits", ".flif", ".gif", ".hdr", ".icns", ".ico", ".iff", ".indd", ".jng",
    ".jls", ".jpm", ".jxr", ".hdp", ".wdp", ".kra", ".mng", ".ora", ".pam", ".pbm", ".pcd", ".pcx",
    ".pdf", ".pfm", ".pgm", ".pict", ".pnm", ".ppm", ".ps", ".psb", ".psd", ".qoi", ".rgb", ".sgi",
    ".svg", ".svgz", ".tga", ".wbmp", ".wmf", ".xbm", ".xcf", ".xpm",
})  # fmt: skip
"""Suffixes of pictures that are neither read nor written."""

SIGNATURE_LENGTH = 64
"""Bytes at the beginning of a file that tell its format."""

_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Of TIFF and BigTIFF, in either byte order."""

_OTHER_FORMATS = (
    (b"II\xbc", "JPEG XR"),
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"<svg", "SVG"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"icns", "ICNS"),
    (b"\0\0\1\0", "ICO"),
    *((b"P%d" % number, "Netpbm") for number in range(1, 8)),
)
"""First bytes of files that are pictures and are not read."""

SYSTEM_FOLDERS = frozenset({"@eaDir", "__MACOSX", "$RECYCLE.BIN", "System Volume Information"})
"""Names of folders that operating systems and network drives create among photos."""


def is_photo(path: Path) -> bool:
    """Whether this is a file with the suffix of a photo, and not hidden."""
    return path.suffix.lower() in PHOTOS and not path.name.startswith(".") and path.is_file()


def is_raw(path: Path) -> bool:
    """Whether the file has the suffix of a camera RAW file."""
    return path.suffix.lower() in RAW


def formats_read() -> str:
    """The names of the formats that are read, for messages."""
    *names, last = READ
    return f"{', '.join(names)} and {last}"


def suffixes_written() -> str:
    """The suffix that results have in each format that is written, for messages."""
    *suffixes, last = (f".{kind}" for kind in SUFFIXES if kind != "keep")
    return f"{', '.join(suffixes)} or {last}"


def mime_type(suffix: str) -> str:
    """The media type of a format that is written, by the suffix of its files in lower case."""
    kinds = (kind for kind, suffixes in SUFFIXES.items() if kind != "keep" and suffix in suffixes)
    kind = next(kinds, suffix.removeprefix("."))
    return "image/jpeg" if kind == "jpg" else f"image/{kind}"


def is_tiff(signature: bytes) -> bool:
    """Whether the first bytes of a file are those of a TIFF or BigTIFF."""
    return signature.startswith(_TIFF_SIGNATURES)


def unread_format(signature: bytes) -> str | None:
    """The name of a picture's format that is not read, by the first bytes of its file."""
    return next((name for first, name in _OTHER_FORMATS if signature.startswith(first)), None)


def photos_below(
    folder: Path,
    without: Collection[Path] = (),
    warnings: list[str] | None = None,
    left_out: list[Path] | None = None,
    others: Counter[str] | None = None,
    walked: list[Path] | None = None,
    inputs: Collection[Path] = (),
) -> Iterator[Path]:
    """Find the photos in a folder and its subfolders, ordered by name.

    Hidden folders and those of ``SYSTEM_FOLDERS`` are skipped. So are links to folders elsewhere:
    whoever follows them may find results, or folders without end.

    Args:
        folder: The folder.
        without: Subfolders to skip as well, under whichever name they are found.
        warnings: Gets a line for each folder that cannot be read, or is a link to one elsewhere.
        left_out: Gets those of ``without`` that are there.
        others: Counts files that are no photos by their suffixes; not hidden ones, sidecars, nor
            our own.
        walked: Gets the folder and those below it that were looked at.
        inputs: Real paths of folders whose photos are found anyway; no warning tells of links into
            them.

    Yields:
        The photos of a folder before those of its subfolders.
    """

    def unreadable(problem: OSError) -> None:
        if warnings is not None:
            warnings.append(f"{problem.filename}: folder cannot be read ({problem.strerror})")

    skipped = {identity(path) for path in without} - {None}
    reached = {Path(os.path.realpath(folder)), *inputs}
    for root, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(root)
        if walked is not None:
            walked.append(here)
        own = {name for name in folders if skipped and identity(here / name) in skipped}
        if left_out is not None:
            left_out += (here / name for name in own)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in SYSTEM_FOLDERS and name not in own
        )
        if warnings is not None:
            warnings += (
                f"{path}: folder passed over, since it is a link; give it as an input as well to "
                "have its photos"
                for path in (here / name for name in folders)
                if path.is_symlink() and not _is_within(path, reached)
            )
        for name in sorted(files):
            try:
                found = is_photo(here / name)
            except OSError as problem:  # a folder whose files may be listed, but not read
                unreadable(OSError(problem.errno, problem.strerror, root))
                break
            if found:
                yield here / name
            elif others is not None and not name.startswith(".") and name != LOOK_FILE:
                suffix = Path(name).suffix.lower()
                if suffix != SIDECAR:
                    others[suffix] += 1


def _is_within(link: Path, reached: Collection[Path]) -> bool:
    """Whether a link leads into one of some folders, whose real paths are given."""
    real = Path(os.path.realpath(link))
    return any(folder in reached for folder in (real, *real.parents))
