import time
from itertools import permutations
from pathlib import Path

import pytest

from enhance_cli.atomic_write import FileSignature
from enhance_cli.batch.output_paths import plan_outputs
from enhance_cli.batch.record_places import records_for
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import UsageError


@pytest.fixture
def touch(tmp_path):
    def touch(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        return tmp_path

    return touch


def planned(out: Path, *inputs: Path) -> dict[str, str]:
    plan = plan_outputs(ApplyConfig(tuple(inputs), out))
    return {photo.input.name: str(photo.output.relative_to(out)) for photo in plan.jobs}


@pytest.mark.proves("Names", "The result of a RAW file is a JPEG")
@pytest.mark.proves("Format", "RAW, HEIC, JPEG 2000, MPO and AVIF sequences become JPEG")
def test_the_tree_of_a_folder_is_mirrored(touch):
    root = touch("p/a.JPG", "p/day 1/b.png", "p/day 1/raw/c.NEF", "p/notes.txt")
    assert planned(root / "out", root / "p") == {
        "a.JPG": "a.JPG",
        "b.png": "day 1/b.png",
        "c.NEF": "day 1/raw/c.jpg",
    }


@pytest.mark.parametrize("as_folders", [False, True])
def test_thousands_of_inputs_of_one_name_take_seconds(touch, as_folders):
    """Each has a number of its own; the next free one is not searched from the first."""
    root = touch(*(f"{number}/photos/a.jpg" for number in range(3000)))
    inputs = [root / f"{number}/photos" for number in range(3000)]
    inputs = inputs if as_folders else [folder / "a.jpg" for folder in inputs]
    started = time.process_time()
    plan = plan_outputs(ApplyConfig(tuple(inputs), root / "out"))
    assert time.process_time() - started < 20
    names = [job.output.relative_to(root / "out").as_posix() for job in plan.jobs]
    first, last = ("photos", "photos-3000") if as_folders else ("a.jpg", "a-3000.jpg")
    assert names[0].startswith(first) and names[-1].startswith(last) and len(set(names)) == 3000


def test_several_folders_keep_their_names(touch):
    root = touch("x/photos/a.jpg", "y/photos/a.jpg", "z/b.jpg")
    plan = plan_outputs(
        ApplyConfig((root / "x/photos", root / "y/photos", root / "z"), root / "out")
    )
    assert [str(photo.output.relative_to(root / "out")) for photo in plan.jobs] == [
        "photos/a.jpg",
        "photos-2/a.jpg",
        "z/b.jpg",
    ]


@pytest.mark.proves("Names", "Two results never share a name")
def test_results_never_share_a_path(touch):
    root = touch("p/a.dng", "p/a.jpg", "p/A.JPG", "p/a.nef", "q/a.jpg")
    outputs = planned_paths(root / "out", root / "p")
    assert len({path.casefold() for path in outputs}) == 4
    assert outputs == planned_paths(root / "out", root / "p"), "the same on every run"


@pytest.mark.proves("Names", "that of `a.nef` is `a.nef.jpg`")
def test_a_raw_beside_its_jpeg_gets_the_longer_name(touch):
    root = touch("p/a.dng", "p/a.jpg", "p/b.NEF")
    assert planned(root / "out", root / "p") == {
        "a.dng": "a.dng.jpg",
        "a.jpg": "a.jpg",
        "b.NEF": "b.jpg",
    }


def planned_paths(out: Path, *inputs: Path) -> list[str]:
    return [str(photo.output) for photo in plan_outputs(ApplyConfig(tuple(inputs), out)).jobs]


def test_a_photo_given_twice_is_done_once(touch):
    root = touch("p/a.jpg")
    assert len(planned_paths(root / "out", root / "p", root / "p/a.jpg", root / "p")) == 1


def test_system_files_are_ignored(touch):
    root = touch("p/._a.jpg", "p/.cache/b.jpg", "p/@eaDir/c.jpg", "p/Thumbs.db", "p/d.jpg")
    assert planned(root / "out", root / "p") == {"d.jpg": "d.jpg"}


def test_results_of_an_earlier_run_are_not_inputs(touch):
    root = touch("p/a.jpg", "p/retouched/a.jpg")
    assert planned(root / "p/retouched", root / "p") == {"a.jpg": "a.jpg"}


@pytest.mark.proves("Originals", "would replace an original is refused")
def test_a_result_never_replaces_an_original(touch):
    root = touch("p/a.jpg", "p/b.jpg")
    with pytest.raises(UsageError, match="p: holds the originals"):
        plan_outputs(ApplyConfig((root / "p",), root / "p"))
    with pytest.raises(UsageError, match=r"would replace the original .*b\.jpg"):
        plan_outputs(ApplyConfig((root / "p/b.jpg",), root / "p"))


def test_a_result_never_replaces_an_original_through_a_link(touch):
    root = touch("p/a.jpg")
    (root / "elsewhere").symlink_to(root / "p", target_is_directory=True)
    with pytest.raises(UsageError, match="elsewhere: holds the originals"):
        plan_outputs(ApplyConfig((root / "p",), root / "elsewhere"))


def test_a_folder_that_links_to_itself_is_walked_once(touch):
    root = touch("p/a.jpg")
    (root / "p" / "again").symlink_to(root / "p", target_is_directory=True)
    assert planned(root / "out", root / "p") == {"a.jpg": "a.jpg"}


def test_a_folder_without_photos_and_a_missing_one_are_errors(touch):
    root = touch("p/notes.txt")
    with pytest.raises(UsageError, match="no photo found"):
        plan_outputs(ApplyConfig((root / "p",), root / "out"))
    with pytest.raises(UsageError, match="gone: no such file or folder"):
        plan_outputs(ApplyConfig((root / "gone",), root / "out"))


@pytest.mark.proves("Format", "RAW, HEIC, JPEG 2000, MPO and AVIF sequences become JPEG")
def test_results_of_heic_and_raw_are_jpegs(touch):
    root = touch("p/a.heic", "p/b.HIF", "p/c.cr3", "p/d.avif", "p/e.jxl", "p/f.jp2",
                 "p/g.mpo", "p/h.avifs")  # fmt: skip
    assert planned(root / "out", root / "p") == {
        "a.heic": "a.jpg",
        "b.HIF": "b.jpg",
        "c.cr3": "c.jpg",
        "d.avif": "d.avif",
        "e.jxl": "e.jxl",
        "f.jp2": "f.jpg",
        "g.mpo": "g.jpg",
        "h.avifs": "h.jpg",
    }


def test_what_was_passed_over_is_told_by_kind(touch):
    names = ("a.jpg", "a.mp4", "b/c.MP4", "b/notes.txt", "README", ".hidden", "enhance.toml")
    plan = plan_outputs(ApplyConfig((touch(*names),), Path("out")))
    said = "4 files are no photos and were passed over: 2 .mp4, 1 without a suffix, 1 .txt"
    assert sorted(plan.passed_over) == sorted(said) and plan.passed_over.startswith(said[:48])
    assert plan_outputs(ApplyConfig((touch("x/d.jpg") / "x",), Path("out"))).passed_over == ""


class TestNamesStay:
    """Photos come, go and are named in another order; each finds its own result."""

    @pytest.fixture
    def out(self, tmp_path) -> Path:
        return tmp_path / "out"

    def run(self, out: Path, *inputs: Path, **options) -> dict[str, str]:
        """Plan a run, and leave a result and a record where there is none as that run would."""
        config = ApplyConfig(tuple(inputs), None if "suffix" in options else out, **options)
        plan = plan_outputs(config)
        records = records_for(config, [job.output for job in plan.jobs])
        for folder in {job.output.parent for job in plan.jobs}:
            folder.mkdir(parents=True, exist_ok=True)
        with records.locked():
            for job in plan.jobs:
                if not job.output.exists():
                    job.output.write_text(f"result of {job.input}")
                    source = FileSignature.of(job.input)
                    records.add(job.input, source, job.output, "settings")
        root = out.parent
        return {
            job.input.relative_to(root).as_posix(): job.output.relative_to(root).as_posix()
            for job in plan.jobs
        }

    @pytest.mark.parametrize("raw", ["a.jp2", "a.nef", "a.heic"])
    def test_a_raw_that_came_before_its_jpeg(self, touch, out, raw):
        root = touch(f"p/{raw}")
        assert self.run(out, root / "p") == {f"p/{raw}": "out/a.jpg"}
        touch("p/a.jpg")
        for _ in range(2):
            names = self.run(out, root / "p")
            assert names[f"p/{raw}"] == "out/a.jpg" and names["p/a.jpg"] == "out/a-2.jpg"
        (root / "p" / raw).unlink()
        assert self.run(out, root / "p") == {"p/a.jpg": "out/a-2.jpg"}

    def test_beside_the_photos_and_for_tables_alone(self, touch, out):
        root = touch("p/a.nef", "q/a.nef")
        tables = {"pictures": False, "lut": out}
        assert self.run(out, root / "p", suffix="_x") == {"p/a.nef": "p/a_x.jpg"}
        assert self.run(out, root / "q", **tables) == {"q/a.nef": "out/a.jpg.cube"}
        touch("p/a.jpg", "q/a.jpg")
        names = self.run(out, root / "p", suffix="_x")
        assert names == {"p/a.nef": "p/a_x.jpg", "p/a.jpg": "p/a-2_x.jpg"}
        names = self.run(out, root / "q", **tables)
        assert names == {"q/a.nef": "out/a.jpg.cube", "q/a.jpg": "out/a-2.jpg.cube"}

    def test_the_order_of_arguments(self, touch, out):
        root = touch(*(f"c{number}/I.jpg" for number in range(4)))
        for number in range(4):
            (root / f"c{number}" / "I.jpg").write_text(f"photo {number}")
        photos = [root / f"c{number}" / "I.jpg" for number in range(4)]
        first = self.run(out, *photos[:3])
        assert first == {"c0/I.jpg": "out/I.jpg", "c1/I.jpg": "out/I-2.jpg",
                         "c2/I.jpg": "out/I-3.jpg"}  # fmt: skip
        for order in permutations(photos[:3]):
            assert self.run(out, *order) == first
        for photo in photos[1:3]:
            assert self.run(out, photo).items() <= first.items()
        new = self.run(out, photos[3], photos[0])
        assert new == {"c0/I.jpg": "out/I.jpg", "c3/I.jpg": "out/I-4.jpg"}

    def test_folders_that_have_been_moved_since(self, touch, out):
        root = touch("c1/I.jpg", "c2/I.jpg")
        (root / "c2" / "I.jpg").write_text("another photo")
        self.run(out, root / "c1/I.jpg", root / "c2/I.jpg")
        for number in (1, 2):
            (root / f"c{number}").rename(root / f"d{number}")
        names = self.run(out, root / "d2/I.jpg", root / "d1/I.jpg")
        assert names == {"d1/I.jpg": "out/I.jpg", "d2/I.jpg": "out/I-2.jpg"}

    def test_a_result_that_was_removed_leaves_its_name_free(self, touch, out):
        root = touch("p/a.nef")
        self.run(out, root / "p")
        (out / "a.jpg").unlink()
        touch("p/a.jpg")
        assert self.run(out, root / "p") == {"p/a.nef": "out/a.nef.jpg", "p/a.jpg": "out/a.jpg"}
