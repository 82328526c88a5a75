from itertools import chain

import pytest
import torch

from enhance_cli.data.dataset import Sample
from enhance_cli.data.sampler import BatchSampler
from enhance_cli.training.cached_samples import CachedBatches, CachedSample, subsampled

SIDE = 12


@pytest.fixture
def computed():
    """Indices of the samples that were computed, in order."""
    return []


@pytest.fixture
def make_batches(computed):
    """Batches of ten samples; the pixels of each are its index, in hundredths."""

    def make(batch_size=4):
        order = BatchSampler([1.0] * 10, batch_size, "order", 0, 1)

        class Loader:
            def __iter__(self):
                for refs in order:
                    index = torch.tensor([ref.pair_index for ref in refs])
                    pixels = (index / 100)[:, None, None, None].expand(-1, 3, SIDE, SIDE)
                    yield Sample(pixels, pixels + 0.5, pixels[:, :1], pixels[:, :, :0], index)

        def compute(batch):
            computed.extend(batch.pair_index.tolist())
            pixels = (subsampled(part) for part in (batch.original, batch.original, batch.expert))
            statistics = batch.original.flatten(1)[:, :7]
            return CachedSample(statistics, *pixels, subsampled(batch.mask), batch.pair_index)

        return order, CachedBatches(Loader(), order, compute, "seed")

    return make


def run(order, batches, epochs):
    """For each epoch, its batches."""
    return [list(batches) for order.epoch in epochs]


def indices(epoch):
    return list(chain.from_iterable(batch.pair_index.tolist() for batch in epoch))


def test_later_epochs_have_the_samples_of_the_first_in_another_order(make_batches, computed):
    epochs = run(*make_batches(), range(4))
    first = indices(epochs[0])
    assert len(first) == 8  # two batches of four; the incomplete third one is dropped
    orders = {tuple(indices(epoch)) for epoch in epochs}
    assert len(orders) == 4 and {tuple(sorted(order)) for order in orders} == {tuple(sorted(first))}
    assert computed == first
    assert all([len(batch.pair_index) for batch in epoch] == [4, 4] for epoch in epochs)


def test_every_sample_keeps_its_own_pixels(make_batches):
    for batch in chain.from_iterable(run(*make_batches(), range(3))):
        for name, offset in (("original", 0), ("before", 0), ("expert", 0.5), ("mask", 0)):
            pixels = getattr(batch, name)
            assert pixels.dtype == torch.float32 and pixels.shape[2:] == (2, 2)
            expected = (batch.pair_index / 100 + offset)[:, None, None, None].expand_as(pixels)
            torch.testing.assert_close(pixels, expected, atol=5e-4, rtol=0)  # half precision


def test_a_resumed_run_computes_the_first_epoch_again(make_batches, computed):
    expected = run(*make_batches(), range(3))[2]
    computed.clear()
    order, batches = make_batches()
    assert indices(run(order, batches, [2])[0]) == indices(expected)
    assert len(computed) == 8 and order.epoch == 2


def test_a_small_photo_keeps_at_least_one_pixel():
    for height, width in ((1, 1), (2, 3), (5, 40)):
        assert subsampled(torch.rand(2, 3, height, width)).numel() >= 6
