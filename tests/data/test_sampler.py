import random

import pytest

from enhance_cli.data.sampler import BatchSampler, epoch_order
from enhance_cli.errors import UsageError


class TestEpochOrder:
    def test_repeats_say_how_often_a_pair_comes_up(self):
        repeats = [1.0] * 10 + [2.5] * 4 + [0.25] * 8
        for epoch in range(3):
            refs = epoch_order(repeats, epoch, random.Random(epoch))
            assert len(refs) == len(set(refs)) == 10 + 10 + 2
            counts = [sum(ref.pair_index == number for ref in refs) for number in range(22)]
            assert counts[:10] == [1] * 10
            assert sorted(counts[10:14]) == [2, 2, 3, 3]
            assert sum(counts[14:]) == 2 and max(counts[14:]) == 1

    def test_every_epoch_has_its_own_order(self):
        orders = [
            [ref.pair_index for ref in epoch_order([1.0] * 50, 0, random.Random(seed))]
            for seed in (1, 1, 2)
        ]
        assert orders[0] == orders[1] != orders[2]
        assert sorted(orders[0]) == list(range(50))


class TestBatchSampler:
    def test_processes_share_each_batch_and_an_incomplete_one_is_dropped(self):
        alone = BatchSampler([1.0] * 11, 4, "0/refine", 0, 1)
        shared = [BatchSampler([1.0] * 11, 4, "0/refine", rank, 2) for rank in range(2)]
        assert len(alone) == len(shared[0]) == 2
        for whole, *parts in zip(alone, *shared, strict=True):
            assert len(whole) == 4 and {len(part) for part in parts} == {2}
            assert sorted(whole) == sorted(parts[0] + parts[1])

    def test_every_epoch_has_its_own_order(self):
        sampler = BatchSampler([1.0] * 8, 8, "0/refine", 0, 1)
        (first,) = sampler
        assert [first] == list(sampler)
        sampler.epoch = 1
        (second,) = sampler
        assert [ref.pair_index for ref in first] != [ref.pair_index for ref in second]

    def test_fewer_samples_than_a_batch_are_one_small_batch(self):
        (batch,) = BatchSampler([1.0] * 3, 16, "0/refine", 0, 1)
        assert len(batch) == 3

    def test_what_cannot_be_shared_equally_is_refused(self):
        with pytest.raises(UsageError, match="cannot be shared equally by 3 processes"):
            BatchSampler([1.0] * 16, 4, "0/refine", 0, 3)
