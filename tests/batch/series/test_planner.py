import numpy as np
import pytest
from pictures import srgb_to_linear
from PIL import Image

from enhance_cli.batch.conflicts import Reason
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.batch.series import first_pass
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import UsageError


@pytest.fixture
def run(tmp_path):
    def run(*inputs, out="out", **options):
        options = {"device": "cpu", "long_edge": 200} | options
        runner = BatchRunner(ApplyConfig(inputs or (tmp_path / "in",), tmp_path / out, **options))
        return {outcome.input.name: outcome for outcome in runner}

    return run


@pytest.fixture
def looked(monkeypatch):
    """Names of the photos that were looked at before the first one was retouched."""
    names, real = [], first_pass._look_at
    monkeypatch.setattr(
        first_pass,
        "_look_at",
        lambda i, path, *more: names.append(path.name) or real(i, path, *more),
    )
    return names


def pixels(folder, name):
    with Image.open(folder / name) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def scene(tmp_path, shoot, coffee):
    """Three crops of one photo within a minute, two other photos of it, and one of another time."""
    crops = (coffee[:, :450], coffee[60:, 100:], coffee[:330, 150:])
    for number, crop in enumerate(crops):
        shoot(tmp_path / "in" / f"a{number}.png", crop, second=20 * number)
    shoot(tmp_path / "in" / "b.png", coffee[::-1, :, ::-1].copy(), second=30)  # other colors
    shoot(tmp_path / "in" / "c.png", coffee, second=400)
    return tmp_path / "in"


@pytest.mark.usefixtures("scene")
def test_frames_of_a_scene_get_one_function_and_the_rest_stays(tmp_path, run):
    outcomes = run(series="auto", long_edge=None)
    assert [outcomes[f"{n}.png"].series for n in ("a0", "a1", "a2", "b", "c")] == [1] * 3 + [
        None
    ] * 2
    run(out="alone", long_edge=None)
    for name in ("b.png", "c.png"):
        alone = tmp_path / "alone" / name
        assert (tmp_path / "out" / name).read_bytes() == alone.read_bytes()
    for folder, match in (("out", True), ("alone", False)):
        one = pixels(tmp_path / folder, "a0.png")[60:330, 150:450]
        assert np.array_equal(one, pixels(tmp_path / folder, "a2.png")[60:330, :300]) == match


def test_the_same_photo_twice_comes_out_as_without(tmp_path, run, shoot):
    for number in range(2):
        shoot(tmp_path / "in" / f"{number}.png", second=number)
    assert {one.series for one in run(series="auto").values()} == {1}
    run(out="alone")
    difference = pixels(tmp_path / "out", "0.png").astype(int) - pixels(tmp_path / "alone", "0.png")
    assert np.array_equal(pixels(tmp_path / "out", "0.png"), pixels(tmp_path / "out", "1.png"))
    assert np.abs(difference).max() <= 2  # the first pass decodes it smaller


@pytest.mark.parametrize("told", [True, False])
def test_a_stop_more_stays_a_stop(tmp_path, run, shoot, coffee, told):
    stops = (-1, 0, 1)
    for number, more in enumerate(stops):
        dim = (coffee * 0.6).astype(np.uint8)  # so that little is clipped
        shoot(tmp_path / "in" / f"{number}.png", dim, second=number, stops=more, told=told)
    assert {one.series for one in run(series="auto", long_edge=None).values()} == {1}
    results = [pixels(tmp_path / "out", f"{number}.png") for number in range(3)]
    for one, other in ((0, 1), (1, 2)):
        lit = [((r > 40) & (r < 235)).all(-1) for r in (results[one], results[other])]
        few, more = (srgb_to_linear(results[i][lit[0] & lit[1]] / 255) for i in (one, other))
        assert np.median(np.log2(more / few)) == pytest.approx(1, abs=0.03)


def test_running_again_does_only_what_is_new(run, scene, shoot, coffee, looked):
    run(series="auto")
    assert sorted(looked) == ["a0.png", "a1.png", "a2.png", "b.png"], "c is known to be alone"
    looked.clear()
    again = run(series="auto")
    assert looked == [] and {one.reason for one in again.values()} == {Reason.UP_TO_DATE}
    assert [one.series for one in again.values()] == [1, 1, 1, None, None]
    shoot(scene / "a3.png", coffee[30:, 30:], second=50)
    reasons = {name: one.reason for name, one in run(series="auto").items()}
    assert reasons["a3.png"] is Reason.NEW and reasons["a0.png"] is Reason.SETTINGS_CHANGED
    assert reasons["b.png"] is reasons["c.png"] is Reason.UP_TO_DATE


def test_one_more_of_another_scene_changes_nothing(run, scene, shoot, coffee, looked):
    run(series="auto")
    shoot(scene / "d.png", coffee[..., [1, 2, 0]].copy(), second=45)
    reasons = {name: one.reason for name, one in run(series="auto").items()}
    assert reasons.pop("d.png") is Reason.NEW
    assert set(reasons.values()) == {Reason.UP_TO_DATE}
    looked.clear()
    assert {one.reason for one in run(series="auto").values()} == {Reason.UP_TO_DATE}
    assert looked == [], "what was found out is known from now on"


@pytest.mark.usefixtures("scene")
def test_turning_it_on_and_off_redoes_series_alone(run):
    run()
    for option, expected in (("auto", Reason.SETTINGS_CHANGED), ("off", Reason.SETTINGS_CHANGED)):
        reasons = {name: one.reason for name, one in run(series=option).items()}
        assert reasons["b.png"] is reasons["c.png"] is Reason.UP_TO_DATE
        assert {reasons[f"a{number}.png"] for number in range(3)} == {expected}


@pytest.mark.usefixtures("scene")
def test_a_missing_look_up_table_brings_back_the_shared_look(tmp_path, run):
    luts = tmp_path / "luts"
    run(series="auto", lut=luts)
    tables = [(luts / f"a{number}.png.cube").read_text().split("\n", 1)[1] for number in range(3)]
    assert tables[0] == tables[1] == tables[2]
    (luts / "a1.png.cube").unlink()
    assert run(series="auto", lut=luts)["a1.png"].reason is Reason.SIDE_OUTPUT_MISSING
    assert (luts / "a1.png.cube").read_text().split("\n", 1)[1] == tables[0]


def test_a_file_beside_the_photos_and_a_shared_look_are_both_remembered(run, scene):
    """Photos that stand alone have a record as well, of what they were compared with."""
    (scene / "enhance.toml").write_text("contrast = 10")
    for expected in (Reason.NEW, Reason.UP_TO_DATE, Reason.UP_TO_DATE):
        outcomes = run(series="auto", look_files=True)
        assert {one.reason for one in outcomes.values()} == {expected}
    (scene / "enhance.toml").write_text("contrast = 20")
    outcomes = run(series="auto", look_files=True)
    assert {one.reason for one in outcomes.values()} == {Reason.SETTINGS_CHANGED}


def test_turned_on_later_the_file_stays_remembered(run, scene):
    (scene / "enhance.toml").write_text("contrast = 10")
    run(look_files=True)
    run(series="auto", look_files=True)
    outcomes = run(series="auto", look_files=True)
    assert {one.reason for one in outcomes.values()} == {Reason.UP_TO_DATE}


@pytest.mark.usefixtures("scene")
def test_the_gap_is_a_choice(run):
    assert run(series="auto", series_gap=15)["a0.png"].series is None


def test_cameras_and_photos_without_a_time_stay_apart(tmp_path, run, shoot):
    shoot(tmp_path / "in" / "a.png", camera=b"X")
    shoot(tmp_path / "in" / "b.png", camera=b"Y")
    shoot(tmp_path / "in" / "c.png", second=None)
    assert {one.series for one in run(series="auto").values()} == {None}


def test_a_file_names_series_by_hand(tmp_path, scene):
    names = tmp_path / "series.txt"
    names.write_text("b.png c.png\na0.png a[12].png gone.jpg\n")
    runner = BatchRunner(ApplyConfig((scene,), tmp_path / "out", series=names, device="cpu"))
    assert any("line 2: gone.jpg fits no photo" in warning for warning in runner.plan.warnings)
    numbers = [one.series for one in runner]
    assert numbers == [1, 1, 1, 2, 2]


def test_all_photos_get_the_look_of_one(tmp_path, run, scene):
    luts = tmp_path / "luts"
    outcomes = run(sync_from=scene / "b.png", lut=luts)
    assert {one.series for one in outcomes.values()} == {1}
    tables = {(luts / f"{n}.png.cube").read_text().split("\n", 1)[1] for n in ("a0", "b", "c")}
    assert len(tables) == 1
    run(out="alone")
    assert (tmp_path / "out" / "b.png").read_bytes() == (tmp_path / "alone" / "b.png").read_bytes()
    again = run(sync_from=scene / "b.png", lut=luts)
    assert {one.reason for one in again.values()} == {Reason.UP_TO_DATE}
    other = run(sync_from=scene / "c.png", lut=luts)
    assert {one.reason for one in other.values()} == {Reason.SETTINGS_CHANGED}


def test_a_grey_photo_stays_grey(tmp_path, run, scene, shoot):
    shoot(scene / "grey.png", np.tile(np.arange(200, dtype=np.uint8), (90, 1)), second=31)
    run(sync_from=scene / "a0.png")
    with Image.open(tmp_path / "out" / "grey.png") as image:
        assert image.mode == "L"


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize("options", [{"strength": 0.5}, {"srgb": True}, {"coarse_only": True}])
def test_other_options_go_on_working(tmp_path, run, options):
    outcomes = run(series="auto", long_edge=None, **options)
    assert outcomes["a0.png"].series == 1
    one = pixels(tmp_path / "out", "a0.png")[60:330, 150:450]
    assert np.array_equal(one, pixels(tmp_path / "out", "a2.png")[60:330, :300])


@pytest.mark.usefixtures("scene")
def test_without_strength_there_is_nothing_to_share(run, looked):
    assert {one.series for one in run(series="auto", strength=0).values()} == {None}
    assert looked == []


def test_a_photo_that_cannot_be_read_does_not_keep_the_rest_from_sharing(run, scene):
    content = (scene / "a1.png").read_bytes()
    (scene / "a1.png").write_bytes(content[: len(content) // 2])
    outcomes = run(series="auto")
    assert outcomes["a1.png"].status == "failed"
    assert outcomes["a0.png"].series == outcomes["a2.png"].series == 1


def test_stopped_while_looking_it_writes_nothing(tmp_path, scene):
    runner = BatchRunner(ApplyConfig((scene,), tmp_path / "out", series="auto", device="cpu"))
    runner.looked_at = lambda _done, _total: runner.stop()
    assert list(runner) == []
    assert all(path.name.startswith(".") for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"series": "auto"}, "--series: these weights retouch each pixel by its place"),
        ({"sync_from": "a0.png"}, "--sync-from: these weights"),
        ({"sync_from": "gone.png", "coarse_only": True}, "--sync-from .*gone.png: no such file"),
        ({"sync_from": ".", "coarse_only": True}, "--sync-from .*: is a folder; name one photo"),
    ],
)
def test_what_cannot_be_shared_is_refused(tmp_path, scene, identity_weights, options, message):
    if "sync_from" in options:
        options = options | {"sync_from": scene / options["sync_from"]}
    with pytest.raises(UsageError, match=message):
        BatchRunner(ApplyConfig((scene,), tmp_path / "out", weights=identity_weights, **options))


@pytest.mark.usefixtures("scene")
def test_a_photo_that_cannot_be_read_has_no_look(tmp_path, run):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no photo")
    with pytest.raises(UsageError, match=r"--sync-from .*broken\.jpg"):
        run(sync_from=broken)
