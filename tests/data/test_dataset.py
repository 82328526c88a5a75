import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from enhance_cli.config.training import StageConfig
from enhance_cli.data.crops import CropConfig, GlobalView
from enhance_cli.data.dataset import PairDataset, SampleRef
from enhance_cli.data.pair_cache import PairCache
from enhance_cli.data.pairs import find_finished_photos, find_pairs


@pytest.fixture
def dataset(write_pairs, tmp_path):
    def make(crop, size=(48, 32), seed=0, **shares) -> PairDataset:
        pairs = list(find_pairs(write_pairs(size=size)).pairs)
        return PairDataset(pairs, PairCache(tmp_path / "cache"), crop, StageConfig(**shares), seed)

    return make


def test_padding_is_black_and_masked_out(dataset):
    padded = dataset(CropConfig(64))
    sample = padded[SampleRef(0, 1)]
    assert sample.original.shape == sample.expert.shape == (3, 64, 64)
    assert sample.mask.sum() == 48 * 32 and sample.mask[:, :32, :48].all()
    assert not sample.original[:, 32:].any() and not sample.original[:, :, 48:].any()
    original, expert = padded.cache.load(padded.pairs[1])
    torch.testing.assert_close(sample.original[:, :32, :48], original / 255)
    torch.testing.assert_close(sample.expert[:, :32, :48], expert / 255)


@pytest.mark.parametrize("keep_aspect", [True, False])
def test_both_photos_of_a_pair_are_cropped_alike(dataset, keep_aspect):
    crop = CropConfig(24, crop=True, min_scale=0.4, keep_aspect=keep_aspect, flip=True, rotate=True)
    cropped = dataset(crop)
    for epoch in range(6):
        sample = cropped[SampleRef(epoch, 0)]
        difference = sample.expert - sample.original
        torch.testing.assert_close(difference, torch.full_like(difference, 25 / 255))
        assert sample.mask.all()


def test_photos_are_flipped_and_rotated_in_all_eight_ways(dataset):
    whole = dataset(CropConfig(48, flip=True, rotate=True))
    photo = whole.cache.load(whole.pairs[0])[0] / 255
    ways = [one.rot90(k, (1, 2)) for one in (photo, photo.flip(2)) for k in range(4)]
    seen = set()
    for epoch in range(100):
        sample = whole[SampleRef(epoch, 0)]
        rows, columns = sample.mask.any(2).sum(), sample.mask.any(1).sum()
        part = sample.original[:, :rows, :columns]
        seen |= {k for k, way in enumerate(ways) if part.shape == way.shape and part.equal(way)}
    assert seen == set(range(8))


def test_samples_depend_on_seed_and_index_alone(dataset):
    crop = CropConfig(24, crop=True, min_scale=0.4, flip=True)
    one, other = (dataset(crop, identity_share=0.5, seed=3) for _ in range(2))
    random.seed(1)
    _ = one[SampleRef(0, 0)], one[SampleRef(0, 1)]
    for got, expected in zip(one[SampleRef(0, 2)], other[SampleRef(0, 2)], strict=True):
        assert torch.equal(got, expected)
    for ref in (SampleRef(1, 2), SampleRef(0, 2, 1)):
        assert not torch.equal(one[SampleRef(0, 2)].original, other[ref].original)


def test_worker_processes_draw_the_same_samples(dataset):
    samples = dataset(CropConfig(24, crop=True, min_scale=0.4, flip=True))
    refs = [[SampleRef(epoch, number) for number in range(4)] for epoch in range(2)]
    here, there = (
        list(DataLoader(samples, batch_sampler=refs, num_workers=workers)) for workers in (0, 1)
    )
    for one, other in zip(here, there, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_share_of_the_samples_shows_the_expert_version_on_both_sides(dataset):
    some = dataset(CropConfig(64), identity_share=0.5)
    refs = [SampleRef(epoch, number) for epoch in range(50) for number in range(4)]
    finished = sum(torch.equal(some[ref].original, some[ref].expert) for ref in refs)
    assert 70 < finished < 130


def test_small_crops_come_from_halved_photos_and_look_the_same(tmp_path, coffee, write_photo):
    write_photo(tmp_path / "photos" / "a.png", coffee)
    found = list(find_finished_photos(tmp_path / "photos").pairs)
    cache = PairCache(tmp_path / "cache")
    crop = CropConfig(64, crop=True, min_scale=0.8)  # 500 x 333: at least 266 px, twice halved 66
    samples = PairDataset(found, cache, crop, StageConfig(identity_share=1.0), 0)
    halved = cache.load(found[0], 2)
    assert halved.shape == (1, 3, 84, 125)
    expected = F.avg_pool2d(
        cache.load(found[0]).float(), 4, ceil_mode=True, count_include_pad=False
    )
    assert (halved - expected).abs().max() <= 1.5  # rounded twice

    whole = samples.cache.load(found[0]).float() / 255
    small = F.interpolate(whole, (84, 125), mode="bilinear", antialias=True)
    assert (halved / 255 - small).abs().mean() < 0.02
    assert samples[SampleRef(0, 0)].expert.shape == (3, 64, 64)


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_the_view_shows_the_whole_original_as_cenet_sees_it(dataset, fit):
    sample = dataset(CropConfig(16, crop=True, min_scale=0.3, view=GlobalView(64, fit)))[
        SampleRef(0, 0)
    ]
    assert sample.view.shape == (3, 64, 64)
    plain = dataset(CropConfig(64, crop=fit == "squash", keep_aspect=False))[SampleRef(0, 0)]
    torch.testing.assert_close(sample.view, plain.original)


class TestVersionMixup:
    @pytest.fixture
    def versions(self, write_photo, tmp_path):
        """Three versions of one photo, plain grey before and after, and a photo without any."""
        for name, before, after in (("a", 40, 60), ("b", 80, 140), ("c", 120, 100), ("d", 20, 30)):
            for folder, level in (("input", before), ("expert", after)):
                plain = np.full((24, 24, 3), level, np.uint8)
                write_photo(tmp_path / "in" / folder / f"{name}.png", plain)
        (tmp_path / "in" / "list.csv").write_text(
            "file,source,kind\na.png,x.jpg,one\nb.png,x.jpg,two\nc.png,x.jpg,three\nd.png,y.jpg,\n"
        )

        def make(**shares) -> PairDataset:
            pairs = list(find_pairs(tmp_path / "in").pairs)
            cache = PairCache(tmp_path / "cache")
            return PairDataset(pairs, cache, CropConfig(24, crop=True), StageConfig(**shares), 0)

        return make

    def test_samples_lie_on_the_lines_between_versions(self, versions):
        mixed = versions(version_mixup=1.0)
        met = set()
        for epoch in range(60):
            sample = mixed[SampleRef(epoch, 0)]
            levels = [255 * one.mean().item() for one in (sample.original, sample.expert)]
            for name, before, after in (("b", 80, 140), ("c", 120, 100)):
                share = (levels[0] - 40) / (before - 40)
                if levels[1] == pytest.approx(60 + share * (after - 60), abs=0.01):
                    assert -0.3 <= share <= 1.3
                    met.add((name, round(share)))
        assert met == {("b", 0), ("b", 1), ("c", 0), ("c", 1)}

    def test_a_photo_with_one_version_is_not_mixed(self, versions):
        mixed = versions(version_mixup=1.0)
        levels = {
            round(255 * mixed[SampleRef(epoch, 3)].original.mean().item()) for epoch in range(9)
        }
        assert levels == {20}

    def test_without_mixup_nothing_is_mixed(self, versions):
        plain = versions()
        levels = {
            round(255 * plain[SampleRef(epoch, 0)].original.mean().item()) for epoch in range(9)
        }
        assert levels == {40}


def test_growing_samples_have_the_side_of_their_epoch(dataset):
    pairs = dataset(CropConfig(64, crop=True, initial_side=32, full_size_after=4))
    assert pairs[SampleRef(0, 0)].original.shape == (3, 32, 32)
    assert pairs[SampleRef(4, 0)].original.shape == (3, 64, 64)


def test_a_share_of_the_samples_is_synthetic_on_both_sides(dataset):
    some = dataset(CropConfig(32, crop=True), synthetic_share=0.25)
    samples = [some[SampleRef(epoch, 0)] for epoch in range(400)]
    same = [one for one in samples if torch.equal(one.original, one.expert)]
    assert 70 < len(same) < 130
    even = [one for one in same if one.original.std((1, 2)).max() < 1e-4]
    assert 0.35 < len(even) / len(same) < 0.65


def test_a_share_of_the_samples_is_shuffled_alike_on_both_sides(dataset):
    unshuffled = dataset(CropConfig(32, crop=True))
    some = dataset(CropConfig(32, crop=True), tile_shuffle=0.5)
    changed = 0
    for epoch in range(200):
        one, other = unshuffled[SampleRef(epoch, 0)], some[SampleRef(epoch, 0)]
        changed += not torch.equal(one.original, other.original)
        pixels = [torch.cat([x.original, x.expert]).flatten(1).T for x in (one, other)]
        rows = [sorted(map(tuple, both.tolist())) for both in pixels]
        assert rows[0] == rows[1], "each pixel keeps its partner"
    assert 75 < changed < 125


def test_only_identity_samples_have_a_plain_background(dataset):
    some = dataset(CropConfig(64), identity_share=0.5)
    samples = [some[SampleRef(epoch, 0)] for epoch in range(200)]
    whites = [(one.expert.amin(0) == 1).float().mean().item() > 0.05 for one in samples]
    finished = [torch.equal(one.original, one.expert) for one in samples]
    assert 3 < sum(whites) < 30
    assert all(done for done, white in zip(finished, whites, strict=True) if white)


class TestDistorted:
    @pytest.fixture
    def photos(self, tmp_path, write_photo, coffee):
        write_photo(tmp_path / "good" / "coffee.png", coffee)

        def make(crop) -> PairDataset:
            pairs = list(find_finished_photos(tmp_path / "good").pairs)
            return PairDataset(pairs, PairCache(tmp_path / "cache", 96), crop, StageConfig(), 0)

        return make

    def test_the_original_is_distorted_and_the_expert_version_is_not(self, photos):
        whole = photos(CropConfig(64, crop=True, keep_aspect=False))
        samples = [whole[SampleRef(epoch, 0)] for epoch in range(100)]
        assert all(torch.equal(sample.expert, samples[0].expert) for sample in samples)
        changes = [(one.original - one.expert).abs().mean().item() for one in samples]
        untouched = changes.count(0.0)
        assert 2 <= untouched <= 22, "a share is not distorted"
        assert sum(change > 0.02 for change in changes) >= 75

    def test_crop_and_view_are_distorted_alike(self, photos):
        both = photos(CropConfig(64, crop=True, view=GlobalView(64, "squash"), keep_aspect=False))
        for epoch in range(20):
            sample = both[SampleRef(epoch, 0)]
            torch.testing.assert_close(sample.original, sample.view)

    def test_padding_stays_black(self, photos):
        for epoch in range(20):
            sample = photos(CropConfig(96, view=GlobalView(96, "pad")))[SampleRef(epoch, 0)]
            assert not (sample.original * (1 - sample.mask)).any()
            torch.testing.assert_close(sample.view, sample.original)
