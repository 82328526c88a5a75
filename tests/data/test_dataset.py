import random

import pytest
import torch

from enhance_cli.data.dataset import Framing, PairDataset, frame, jittered, load_pair
from enhance_cli.data.pairs import Pair, find_pairs
from enhance_cli.errors import PairsError


def test_padding_is_black_and_masked_out(write_pairs):
    dataset = PairDataset(find_pairs(write_pairs(size=(48, 32))), Framing(64))
    sample = dataset[1]
    assert sample.original.shape == sample.expert.shape == (3, 64, 64)
    assert sample.mask.sum() == 48 * 32 and sample.mask[:, :32, :48].all()
    assert not sample.original[:, 32:].any() and not sample.original[:, :, 48:].any()
    original, expert = load_pair(dataset.pairs[1])
    torch.testing.assert_close(sample.original[:, :32, :48], original / 255)
    torch.testing.assert_close(sample.expert[:, :32, :48], expert / 255)


@pytest.mark.parametrize("keep_aspect", [True, False])
def test_both_photos_of_a_pair_are_cut_alike(write_pairs, keep_aspect):
    framing = Framing(24, crop=True, zoom=0.4, keep_aspect=keep_aspect, flip=True)
    dataset = PairDataset(find_pairs(write_pairs()), framing)
    for dataset.epoch in range(6):
        sample = dataset[0]
        difference = sample.expert - sample.original
        torch.testing.assert_close(difference, torch.full_like(difference, 25 / 255))
        assert sample.mask.all()


def test_what_is_drawn_depends_on_seed_epoch_and_pair_alone(write_pairs):
    pairs, framing = find_pairs(write_pairs()), Framing(24, crop=True, zoom=0.4, flip=True)
    one, other = (PairDataset(pairs, framing, finished_share=0.5, seed=3) for _ in range(2))
    random.seed(1)
    _ = one[0], one[1]
    for got, expected in zip(one[2], other[2], strict=True):
        assert torch.equal(got, expected)
    other.epoch = 1
    assert not torch.equal(one[2].original, other[2].original)


def test_a_share_of_the_samples_is_finished_on_both_sides(write_pairs):
    dataset = PairDataset(find_pairs(write_pairs()), Framing(64), finished_share=0.5)
    finished = []
    for dataset.epoch in range(50):
        for sample in (dataset[number] for number in range(4)):
            finished.append(bool(sample.finished))
            assert torch.equal(sample.original, sample.expert) == finished[-1]
    assert 70 < sum(finished) < 130


def test_a_crop_without_zoom_is_the_whole_photo():
    photos = torch.rand(2, 3, 30, 30)
    squares, _ = frame(photos, Framing(30, crop=True), random.Random(0))
    torch.testing.assert_close(squares, photos)


def test_jitter_stays_within_its_bounds():
    photo = torch.full((3, 4, 4), 0.4)
    for seed in range(50):
        ratio = jittered(photo, 0.3, random.Random(seed)) / photo
        assert ratio.min() > 2**-0.41 and ratio.max() < 2**0.41


def test_large_photos_are_brought_to_500_px(write_pairs):
    pair = find_pairs(write_pairs(size=(900, 600)))[0]
    assert load_pair(pair)[0].shape == (3, 333, 500)
    assert load_pair(pair, 60)[0].shape == (3, 40, 60)


def test_photos_of_different_size_are_no_pair(tmp_path, write_photo):
    one = write_photo(tmp_path / "1.png", size=(30, 20))
    other = write_photo(tmp_path / "2.png", size=(30, 21))
    with pytest.raises(PairsError, match=r"pair a0007: .*30 x 20.*30 x 21"):
        load_pair(Pair("a0007", one, other))
