import itertools
from pathlib import Path

import pytest
from pictures import scene

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.data.pair_collection import PairCollection
from enhance_cli.errors import OutputError, PairsError, UsageError


def collected(*sources, **options) -> PairCollection:
    collection = PairCollection(DataConfig(tuple(sources), **options))
    for _ in collection.render_missing():
        pass
    return collection


@pytest.fixture
def photos(tmp_path, write_photo) -> Path:
    for number in range(3):
        write_photo(tmp_path / "good" / f"{number}.png", scene(number))
    return tmp_path / "good"


def test_sources_are_combined_with_their_repeats(write_pairs, photos, tmp_path):
    fivek, mine = write_pairs(), write_pairs(names=("a", "b"), root="mine")
    (tmp_path / "split.txt").write_text("a0001\nb\n1.png\n")
    collection = collected(
        Source("fivek", fivek),
        Source("pairs", mine, 2.0),
        Source("photos", photos, 0.5),
        split=str(tmp_path / "split.txt"),
    )
    repeats = dict(zip([pair.key for pair in collection.train], collection.repeats, strict=True))
    assert repeats == {
        **{"a0002": 1, "a0003": 1, "a0004": 1},
        "mine/a": 2,
        **{"good/0.png": 0.5, "good/2.png": 0.5},
    }
    # A finished photo can be held out of training, but there is no original to score.
    assert [pair.key for pair in collection.held_out] == ["a0001", "mine/b"]


def test_a_folder_given_twice_is_scored_once(write_pairs, tmp_path):
    root = write_pairs()
    (tmp_path / "split.txt").write_text("a0001\n")
    both = Source("fivek", root), Source("pairs", root)
    collection = collected(*both, split=str(tmp_path / "split.txt"))
    assert len(collection.train) == 6 and len(collection.held_out) == 1


class TestBadPairs:
    @pytest.fixture
    def root(self, write_pairs, write_photo) -> Path:
        root = write_pairs()
        (root / "expertC" / "a0001-x.png").unlink()  # missing
        write_photo(root / "input" / "a0002-again.png")  # duplicate
        write_photo(root / "expertC" / "a0003-z.png", scene(5, 48, 32))  # another photo
        return root

    def test_missing_and_duplicate_photos_are_reported_before_rendering(self, root):
        with pytest.raises(PairsError) as refused:
            PairCollection(DataConfig((Source("fivek", root),)))
        line = str(refused.value)
        assert line.startswith("2 bad pairs: a0001: ") and "; a0002: duplicate id: " in line
        assert line.endswith("--skip-bad-pairs") and "\n" not in line

    def test_rendering_reports_pairs_that_do_not_match(self, root, write_photo):
        write_photo(root / "expertC" / "a0001-x.png", size=(48, 33))  # another size
        (root / "input" / "a0002-again.png").unlink()
        collection = PairCollection(DataConfig((Source("fivek", root),)))
        with pytest.raises(PairsError) as refused:
            list(collection.render_missing())
        line = str(refused.value)
        assert "2 bad pairs" in line and "48 x 32" in line and "48 x 33" in line
        assert "a0003" in line and "different photos" in line

    def test_they_are_skipped_on_request(self, root):
        collection = collected(Source("fivek", root), skip_bad_pairs=True)
        assert [pair.key for pair in collection.train] == ["a0004"] and len(collection.repeats) == 1
        assert {bad.key for bad in collection.bad} == {"a0001", "a0002", "a0003"}

    def test_no_usable_pair_is_left(self, root):
        (root / "expertC" / "a0004-w.png").write_bytes(b"")
        with pytest.raises(PairsError, match="none of the 2 pairs can be used"):
            collected(Source("fivek", root), skip_bad_pairs=True)

    def test_a_long_list_of_bad_pairs_is_shortened(self, write_pairs):
        root = write_pairs(names=[f"a{number:04d}" for number in range(1, 13)])
        for path in (root / "expertC").iterdir():
            path.unlink()
        with pytest.raises(PairsError, match=r"12 bad pairs: a0001.*a0005.*; and 7 more; "):
            PairCollection(DataConfig((Source("fivek", root),)))


def test_the_cache_folder_is_the_users_or_the_one_given(write_pairs, tmp_path):
    source = Source("fivek", write_pairs())
    own = collected(source).cache.folder
    assert own.name == "pairs" and len(list(own.glob("*.png"))) == 4
    chosen = collected(source, cache_dir=tmp_path / "here").cache.folder
    assert chosen == tmp_path / "here" and len(list(chosen.glob("*.png"))) == 4


def test_a_cache_folder_that_cannot_be_created(write_pairs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--cache-dir"):
        collected(Source("fivek", write_pairs()), cache_dir=tmp_path / "file" / "below")


def test_no_source():
    with pytest.raises(UsageError, match="--photos DIR"):
        PairCollection(DataConfig())


def test_processes_share_the_rendering(write_pairs, tmp_path, monkeypatch):
    """As under torchrun: each has found all pairs missing, and renders about its part of them."""
    from enhance_cli.data import pair_cache

    root = write_pairs(names=[f"a{number:04d}-x" for number in range(40)])
    config = DataConfig((Source("fivek", root),), cache_dir=tmp_path / "cache", split=None)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    rendered = []
    real = pair_cache.render_pair

    def counted(pair, *rest):
        rendered.append(pair.key)
        return real(pair, *rest)

    monkeypatch.setattr(pair_cache, "render_pair", counted)
    processes = [PairCollection(config, part=(number, 4)) for number in range(4)]
    for steps in itertools.zip_longest(*(process.render_missing() for process in processes)):
        assert any(steps)
    assert set(rendered) == {f"a{number:04d}" for number in range(40)}
    assert len(rendered) <= 48, "a few may be rendered twice, and 160 once were"
    assert not any(process.missing for process in processes)
