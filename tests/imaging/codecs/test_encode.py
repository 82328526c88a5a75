import errno
import os
import subprocess
import sys
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from enhance_cli.errors import OutputError, PhotoError
from enhance_cli.imaging.codecs import formats
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import WRITERS, write_photo
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo

PIXELS = np.linspace(0, 1, 24 * 16 * 3, dtype=np.float32).reshape(16, 24, 3)
PHOTO = Photo(PIXELS)


def test_a_grey_photo_is_written_in_one_channel(tmp_path):
    write_photo(Photo(PIXELS, grey=True), tmp_path / "grey.jpg")
    with Image.open(tmp_path / "grey.jpg") as image:
        assert image.mode == "L"


@pytest.mark.proves("Format", "no chroma subsampling")
def test_jpeg_does_not_subsample_chroma(tmp_path):
    write_photo(PHOTO, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        sampling = {tuple(component[1:3]) for component in image.layer}
    assert sampling == {(1, 1)}, "chroma is subsampled"


def test_each_suffix_that_is_written_has_a_writer():
    assert WRITERS.keys() == frozenset().union(*formats.SUFFIXES.values())
    families = [formats.JPEG, formats.PNG, formats.TIFF, formats.WEBP, formats.AVIF]
    families += [formats.HEIF, formats.JPEG_XL]
    writers = [{WRITERS[suffix] for suffix in family} for family in families]
    assert all(len(family) == 1 for family in writers), "one writer per format"
    assert len(set.union(*writers)) == len(families), "each format has a writer of its own"


def test_an_unknown_suffix_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"\.bmp"):
        write_photo(PHOTO, tmp_path / "a.bmp")


def test_a_photo_is_written_without_metadata_that_its_writer_refuses(tmp_path):
    metadata = Metadata(long_xmp=(bytes(70_000),))  # longer than a segment
    lost = write_photo(PHOTO, tmp_path / "a.jpg", metadata=metadata)
    assert lost == ("its metadata cannot be written and was left out",)
    assert decode(tmp_path / "a.jpg").size == PHOTO.size


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".tif", ".webp", ".avif"])
def test_every_format_can_be_read_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_photo(PHOTO, path)
    with Image.open(path) as image:
        profile = image.info["icc_profile"]
        back = np.asarray(image.convert("RGB"), np.float32) / 255
    assert np.abs(back - PIXELS).mean() < 0.02
    name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile)))
    assert "sRGB" in name


@pytest.mark.proves("Transparency", "laid on white in JPEG")
def test_transparent_parts_are_blended_with_white_in_jpeg(tmp_path):
    clear = Photo(np.zeros((8, 8, 3), np.float32), alpha=np.zeros((8, 8), np.float32))
    write_photo(clear, tmp_path / "a.jpg")
    write_photo(clear, tmp_path / "a.png")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGBA" and image.getpixel((4, 4))[3] == 0


class TestWholeOrNotAtAll:
    @pytest.fixture
    def failing(self, monkeypatch):
        def fail_with(number):
            def write(_photo, path, *_options):
                path.write_bytes(b"half a pic")
                raise OSError(number, "no")

            monkeypatch.setitem(WRITERS, ".jpg", write)

        return fail_with

    @pytest.mark.proves("Results", "only when they are complete")
    def test_a_failure_leaves_the_old_result_and_nothing_else(self, tmp_path, failing):
        path = tmp_path / "a.jpg"
        path.write_bytes(b"the old one")
        failing(errno.EIO)
        with pytest.raises(PhotoError, match=r"a\.jpg"):
            write_photo(PHOTO, path)
        assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
        assert path.read_bytes() == b"the old one"

    def test_a_full_disk_stops_the_run(self, tmp_path, failing):
        failing(errno.ENOSPC)
        with pytest.raises(OutputError, match="No space left"):
            write_photo(PHOTO, tmp_path / "a.jpg")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("number", "advice"),
        [
            (errno.ENOSPC, "; free some space, or choose another --out, and"),
            (errno.EDQUOT, "; free some space, or choose another --out, and"),
            (errno.EROFS, "; choose another --out, and"),
        ],
    )
    def test_the_advice_is_that_for_the_error(self, tmp_path, failing, number, advice):
        failing(number)
        with pytest.raises(OutputError, match=os.strerror(number) + advice):
            write_photo(PHOTO, tmp_path / "a.jpg")


class TestErrorsThatPass:
    """A disk or a network drive that fails once is no reason to lose anything."""

    METADATA = Metadata(comment=b"kept")

    @pytest.fixture
    def fails(self, monkeypatch):
        monkeypatch.setattr("time.sleep", lambda _: None)

        def fails(times, problem):
            real, failed = WRITERS[".jpg"], []

            def write(*arguments):
                if len(failed) < times:
                    failed.append(arguments)
                    raise problem
                real(*arguments)

            monkeypatch.setitem(WRITERS, ".jpg", write)

        return fails

    @pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
    @pytest.mark.parametrize("times", [1, 2])
    def test_the_metadata_is_kept(self, tmp_path, fails, number, times):
        fails(times, OSError(number, "no"))
        assert write_photo(PHOTO, tmp_path / "a.jpg", metadata=self.METADATA) == ()
        with Image.open(tmp_path / "a.jpg") as image:
            assert image.info["comment"] == b"kept"

    def test_also_where_pillow_does_not_say_that_it_was_the_disk(self, tmp_path, fails):
        fails(1, OSError("encoder error -2 when writing image file"))
        assert write_photo(PHOTO, tmp_path / "a.jpg", metadata=self.METADATA) == ()

    @pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENAMETOOLONG])
    def test_one_that_does_not_pass_fails_the_photo(self, tmp_path, fails, number):
        fails(99, OSError(number, "no"))
        with pytest.raises(PhotoError, match=r"a\.jpg: cannot be written \(no\)"):
            write_photo(PHOTO, tmp_path / "a.jpg", metadata=self.METADATA)
        assert not list(tmp_path.iterdir())

    def test_too_little_memory_is_not_the_metadatas_fault(self, tmp_path, fails):
        fails(1, MemoryError())
        with pytest.raises(PhotoError, match="memory"):
            write_photo(PHOTO, tmp_path / "a.jpg", metadata=self.METADATA)


def test_the_profile_has_a_fixed_date(tmp_path, coffee):
    """So that two runs give equal bytes; the rest of the profile stays as it is."""
    write_photo(Photo(coffee), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
    assert profile.profile.creation_date == datetime(2000, 1, 1)
    assert "sRGB" in ImageCms.getProfileDescription(profile)


@pytest.mark.proves("Format", "JPEG has quality 95")
def test_jpeg_has_quality_95_unless_told_otherwise(tmp_path):
    """Pillow's quantisation tables of the same quality."""
    Image.new("RGB", (8, 8)).save(tmp_path / "reference.jpg", quality=95)
    write_photo(PHOTO, tmp_path / "a.jpg")
    with (
        Image.open(tmp_path / "reference.jpg") as reference,
        Image.open(tmp_path / "a.jpg") as ours,
    ):
        assert ours.quantization == reference.quantization


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from enhance_cli.errors import EnhanceError
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.photo import Photo

path, kind = Path(sys.argv[1]), sys.argv[2]
levels = np.random.default_rng(0).integers(0, 2**16, (90, 90, 3)).astype(np.uint16)
levels = levels if kind.startswith("deep") else (levels >> 8).astype(np.uint8)
grey, alpha = "grey" in kind, levels[..., 0] if "alpha" in kind else None
photo = Photo(levels[..., :1].repeat(3, axis=2) if grey else levels, alpha=alpha, grey=grey)
write_photo(photo, path)
size = path.stat().st_size
for length in (0, 1, 500, size // 2, size - 4096, size - 1):
    if 0 <= length < size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))
        path.unlink(missing_ok=True)
        try:
            write_photo(photo, path)
        except EnhanceError as problem:
            assert "large" in str(problem), problem  # the reason, in the system's words
        else:
            print(length, "of", size, "bytes called whole")
        assert list(path.parent.iterdir()) == []
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size")
@pytest.mark.parametrize("kind", ["color", "grey", "alpha", "grey alpha", "deep", "deep alpha"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_a_file_of_which_the_system_takes_a_part_is_not_called_whole(tmp_path, suffix, kind):
    """A write to a disk that becomes full takes a part, and so it does at a limit of the size."""
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path / f"a{suffix}", kind],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0 and not ran.stdout, ran.stdout + ran.stderr
