"""``enhance.toml``: which files count, for which photos and cameras, and what is refused."""

import pytest

from enhance_cli.config.look_files import Look, Looks, read_look_file
from enhance_cli.errors import UsageError

RUN = Look(exposure=0.5)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "day").mkdir(parents=True)
    return folder


def write(folder, text):
    (folder / "enhance.toml").write_text(text, encoding="utf-8")


def test_without_a_file_the_look_is_that_of_the_run(photos):
    looks = Looks(RUN)
    assert looks.of(photos / "a.jpg", ("NIKON", "D750")) == RUN
    assert looks.digest(photos / "a.jpg") == ""


def test_a_file_counts_in_its_folder_and_below_and_the_nearest_one_most(photos):
    write(photos.parent, "contrast = 10\nstrength = 0.8")
    write(photos / "day", "contrast = 20")
    looks = Looks(RUN)
    assert looks.of(photos / "a.jpg") == Look(exposure=0.5, contrast=10, strength=0.8)
    assert looks.of(photos / "day" / "a.jpg") == Look(exposure=0.5, contrast=20, strength=0.8)


@pytest.mark.parametrize(
    ("table", "camera"),
    [
        ("FUJIFILM X-T5", ("FUJIFILM", "X-T5")),
        ("X-T5", ("FUJIFILM", "X-T5")),
        ("fujifilm  x-t5", ("FUJIFILM", "X-T5")),
        ("Canon EOS R5", ("Canon", "Canon EOS R5")),
        ("NIKON D750", ("NIKON CORPORATION", "NIKON D750")),
        ("D-LUX 7", ("D-LUX 7",)),
    ],
)
def test_a_camera_is_known_by_its_model_or_by_make_and_model(photos, table, camera):
    write(photos, f'warmth = 1\n[camera."{table}"]\nwarmth = -8')
    looks = Looks(Look())
    assert looks.of(photos / "a.jpg", camera).warmth == -8
    for other in ((), ("FUJIFILM",), ("FUJIFILM", "X-T50")):
        assert looks.of(photos / "a.jpg", other).warmth == 1


def test_what_was_given_for_the_run_counts_most(photos):
    write(photos, 'exposure = 2\ntint = 3\n[camera."D750"]\nexposure = 1')
    looks = Looks(RUN, given=("exposure",))
    assert looks.of(photos / "a.jpg", ("D750",)) == Look(exposure=0.5, tint=3)
    assert Looks(RUN, use_files=False).of(photos / "a.jpg") == RUN


def test_the_digest_changes_with_what_counts(photos):
    seen = {Looks(RUN).digest(photos / "a.jpg")}
    for text in ("tint = 3", "tint = 4", 'tint = 4\n[camera."D750"]\ntint = 5', "contrast = 4"):
        write(photos, text)
        seen.add(Looks(RUN).digest(photos / "a.jpg"))
    assert len(seen) == 5
    write(photos, "exposure = 2")
    assert Looks(RUN, given=("exposure",)).digest(photos / "a.jpg") == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exposure = 6", r"exposure = 6: must be a number from -5"),
        ("exposure = '1'", "exposure = .*: must be a number"),
        ("exposure = nan", "exposure = nan: must be a number"),
        ("strength = true", "strength = true: must be a number from 0 to 1.5"),
        ('[camera."D750"]\nexposre = 1', r'camera\."D750"\.exposre: unknown key; did you mean'),
        ('[camera."D750"]\nformat = "tiff"', r'camera\."D750"\.format: unknown key'),
        ('[camera."D750"]\nlong-edge = 9', "holds for the whole run; write it above the tables"),
        ('[camera."D750"]\nfull-size = 1', "holds for the whole run; write it above the tables"),
        ('[camera."D750"]\nxyz = 1', r'unknown key; known keys are camera\."D750"\.exposure'),
        ("camera = 1", r"camera: must be tables like \[camera"),
        ("[camera]\nwarmth = 1", "camera: must be tables like"),
        ("tint = ", "not TOML"),
        ("a = " + "[" * 9999, "not TOML"),
        ("# " + "x" * 2**20, "too large"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_file_and_key(photos, text, message):
    write(photos, text)
    with pytest.raises(UsageError, match=rf"photos/enhance\.toml: .*{message}|{message}") as error:
        Looks(RUN).of(photos / "a.jpg")
    assert str(photos / "enhance.toml") in str(error.value) and "\n" not in str(error.value)


def test_text_that_is_not_utf8_is_refused(photos):
    (photos / "enhance.toml").write_bytes(b"# caf\xe9\ntint = 1")
    with pytest.raises(UsageError, match="not TOML"):
        read_look_file(photos / "enhance.toml")


def test_options_of_the_run_do_not_belong_below_the_inputs(photos):
    write(photos / "day", 'format = "tiff"')
    everything = [photos / "a.jpg", photos / "day" / "b.jpg"]
    with pytest.raises(UsageError, match=r"day/enhance\.toml: format: holds for the whole run"):
        Looks(RUN).read(everything, [photos])
    assert Looks(RUN).read(everything[1:], [photos / "day"]) == (photos / "day" / "enhance.toml",)
