import pickle

from enhance_cli.cloud.shard import CloudPhoto, Shard


def test_a_shard_can_be_sent_to_another_process():
    shard = Shard("000001", (CloudPhoto(0, "a/b.jpg", 7, '"tag"', "a/b.jpg"),))
    assert pickle.loads(pickle.dumps(shard)) == shard  # noqa: S301
