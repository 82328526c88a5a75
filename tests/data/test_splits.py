import pytest

from enhance_cli.data.pairs import find_pairs
from enhance_cli.data.splits import divide, held_out_keys, scored_keys
from enhance_cli.errors import PairsError

NAMES = ("a0001-x", "a0002-y", "a0003-z", "b")

# Three of the photos on the published list.
KNOWN = {"a0017", "a0027", "a0047"}


def test_random250_is_250_ids_of_fivek():
    keys = held_out_keys("random250")
    assert len(keys) == 250 and keys >= KNOWN
    assert all(key[0] == "a" and key[1:].isdigit() and 1 <= int(key[1:]) <= 5000 for key in keys)


def test_validation50_is_every_fifth_of_random250():
    ids = sorted(held_out_keys("random250"))
    assert held_out_keys("validation50") == set(ids[::5])


def test_unseen28_lies_in_random250_and_shares_four_photos_with_validation50():
    keys = held_out_keys("unseen28")
    assert len(keys) == 28 and keys < held_out_keys("random250")
    assert len(keys & held_out_keys("validation50")) == 4


def test_several_splits_hold_out_the_photos_of_all(tmp_path):
    (tmp_path / "mine.txt").write_text("b.png\na0001\n")
    both = held_out_keys(f"validation50,unseen28, {tmp_path / 'mine.txt'}")
    assert both == held_out_keys("validation50") | held_out_keys("unseen28") | {"b.png", "a0001"}
    with pytest.raises(PairsError, match="unsene28: neither"):
        held_out_keys("validation50,unsene28")


def test_highvar50_is_50_ids_of_fivek():
    keys = held_out_keys("highvar50")
    assert len(keys) == 50 and keys >= {"a0004", "a0011", "a0042"}


def test_a_file_of_ids_and_names(tmp_path, write_pairs):
    split = tmp_path / "mine.txt"
    split.write_text("# to be scored\na0002\n\nb.png\na0003-some_other_ending.dng\n")
    train, held_out = divide(find_pairs(write_pairs(names=NAMES)).pairs, held_out_keys(str(split)))
    assert [pair.key for pair in train] == ["a0001"]
    assert [pair.key for pair in held_out] == ["a0002", "a0003", "fivek/b"]


def test_an_unknown_split(tmp_path):
    with pytest.raises(PairsError, match="random250"):
        held_out_keys("random25")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(PairsError, match="names no photo"):
        held_out_keys(str(tmp_path / "empty.txt"))


def test_what_is_scored(tmp_path):
    """Without a split, RANDOM250 of FiveK, and all pairs of other folders."""
    (tmp_path / "mine.txt").write_text("b\n")
    assert scored_keys(None, "fivek") == held_out_keys("random250")
    assert scored_keys(None, "pairs") is None
    for kind in ("fivek", "pairs"):
        assert scored_keys("all", kind) is None
        assert scored_keys(str(tmp_path / "mine.txt"), kind) == {"b"}
    with pytest.raises(PairsError, match="random25: neither"):
        scored_keys("random25", "pairs")
