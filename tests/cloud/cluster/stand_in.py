"""Works on shards of pretended photos: it sleeps, writes a file, or dies."""

import os
import signal
import time
from pathlib import Path

from enhance_cli.cloud.shard import ShardOutcome
from enhance_cli.errors import EnhanceError


class StandInWorker:
    """What becomes of a photo is told by its name: ``poison``, ``broken``, or all is well.

    Below ``run.out``, results are in ``results``; ``begun`` and ``done`` have a line for each time.
    """

    def __init__(self, run, begun):
        self.run, self.begun, self.stopped = run, begun, False
        self.out = Path(run.out)

    def warm_up(self):
        if (self.out / "refuses").exists():
            raise EnhanceError("--device cuda: this node has no GPU")

    def work(self, shard, photos=None):
        for place in range(len(shard.photos)) if photos is None else photos:
            if self.stopped:
                return
            photo = shard.photos[place]
            result = self.out / "results" / photo.result
            self.begun(place)
            if result.exists():
                yield ShardOutcome(place, photo.key, str(result), "skipped", "up to date")
                continue
            self.note("begun", photo.key)
            if "poison" in photo.key:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(photo.size / 1000)
            if "broken" in photo.key:
                yield ShardOutcome(place, photo.key, None, "failed", "new", "it is damaged")
                continue
            result.parent.mkdir(parents=True, exist_ok=True)
            result.write_text(photo.key)
            self.note("done", photo.key)
            yield ShardOutcome(place, photo.key, str(result), "done", "new")

    def note(self, what, key):
        with (self.out / what).open("a") as file:
            file.write(f"{key} {os.getpid()}\n")

    def stop(self):
        self.stopped = True

    def close(self):
        with (self.out / "closed").open("a") as file:
            file.write(f"{os.getpid()}\n")
