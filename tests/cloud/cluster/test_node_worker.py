import threading

import pytest

from enhance_cli.cloud.cluster.journal import last_words
from enhance_cli.cloud.cluster.node_worker import NodeWorker, digest_of, weights_here
from enhance_cli.cloud.shard import ShardOutcome
from enhance_cli.errors import EnhanceError, WeightsError
from tests.cloud.cluster.nodes import run_in, shards_of
from tests.cloud.cluster.stand_in import StandInWorker


def all_news(worker):
    outcomes, news = [], worker.news(0, 5)
    while not news.ended:
        outcomes += news.outcomes
        news = worker.news(len(outcomes), 5)
    return [*outcomes, *news.outcomes], news


@pytest.fixture
def loaded(tmp_path, identity_weights):
    worker = NodeWorker(StandInWorker)
    assert worker.load(run_in(tmp_path), identity_weights.read_bytes(), 1) is None
    yield worker
    worker.close()


def test_it_tells_each_outcome_once(loaded):
    names = ["a.jpg", "broken.jpg", "c.jpg"]
    loaded.begin(shards_of(names, milliseconds=1)[0], None)
    outcomes, news = all_news(loaded)
    assert [one.photo for one in outcomes] == [0, 1, 2]
    assert [one.status for one in outcomes] == ["done", "failed", "done"]
    assert not news.stopped and news.error is None


def test_a_lost_answer_is_given_again(loaded):
    loaded.begin(shards_of(["a.jpg", "b.jpg"], milliseconds=1)[0], (1,))
    outcomes, _ = all_news(loaded)
    assert loaded.news(0, 0).outcomes == tuple(outcomes)
    assert [one.photo for one in outcomes] == [1]


def test_it_tells_which_settings_it_reads_for_a_piece(tmp_path, identity_weights):
    class Looking(StandInWorker):
        def work(self, shard, photos=None):
            self.look_read(f"{shard.photos[0].key}/enhance.toml")
            yield from super().work(shard, photos)

    worker = NodeWorker(Looking)
    assert worker.load(run_in(tmp_path), identity_weights.read_bytes(), 1) is None
    for name in "ab":
        worker.begin(shards_of([name], milliseconds=1)[0], None)
        assert all_news(worker)[1].looks == (f"{name}/enhance.toml",)
    worker.close()


def test_its_journal_says_what_is_in_flight(loaded):
    loaded.begin(shards_of(["a.jpg", "slow.jpg"], milliseconds=400)[0], None)
    while not (news := loaded.news(0, 0.05)).outcomes:
        pass
    words = last_words(loaded.journal, 1)
    assert words is not None
    assert (words.in_flight, words.outcomes) == ({1}, news.outcomes)
    all_news(loaded)


def test_stop_ends_a_piece_after_the_photo_in_flight(loaded):
    loaded.begin(shards_of([f"{n}.jpg" for n in range(50)], milliseconds=100)[0], None)
    loaded.news(0, 0.15)
    loaded.stop()
    outcomes, news = all_news(loaded)
    assert 1 <= len(outcomes) < 50
    assert news.stopped


def test_what_keeps_all_photos_from_being_done_is_told():
    class Full:
        def __init__(self, _run, _begun):
            self.close = self.warm_up = lambda: None

        def work(self, _shard, _photos):
            yield ShardOutcome(0, "a.jpg", "b.jpg", "done", "new")
            raise EnhanceError("the disk is full")

    worker = NodeWorker(Full)
    worker._worker = Full(None, None)
    worker.begin(shards_of(["a.jpg", "b.jpg"])[0], None)
    outcomes, news = all_news(worker)
    assert len(outcomes) == 1
    assert news.error == "the disk is full"
    worker.close()


def test_it_says_why_it_cannot_work(tmp_path, identity_weights):
    worker = NodeWorker(StandInWorker)
    (tmp_path / "refuses").touch()
    problem = worker.load(run_in(tmp_path), identity_weights.read_bytes(), 1)
    assert problem == "--device cuda: this node has no GPU"
    worker.close()


def test_weights_that_are_sent_are_stored_once(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    seen = []

    class Looks(StandInWorker):
        def warm_up(self):
            seen.append(self.run.config.weights)

    workers = [NodeWorker(Looks) for _ in range(4)]
    loads = [
        threading.Thread(target=one.load, args=(run_in(tmp_path), b"weights", 1)) for one in workers
    ]
    for load in loads:
        load.start()
    for load in loads:
        load.join()
    assert len(set(seen)) == 1
    assert seen[0].read_bytes() == b"weights"
    for one in workers:
        one.close()
    assert list((tmp_path / "node").iterdir()) == [seen[0]]


def test_a_node_without_weights_of_its_own_gets_them(monkeypatch, identity_weights):
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    assert weights_here() == digest_of(identity_weights)

    def none(_chosen):
        raise WeightsError("no weights")

    monkeypatch.setattr("enhance_cli.cloud.cluster.node_worker.find_weights", none)
    assert weights_here() == ""
