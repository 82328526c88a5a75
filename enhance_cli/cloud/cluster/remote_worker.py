"""What Ray starts on the nodes: it looks who is there before anything is asked of it.

Ray is given the code of these functions and not their names, since they are defined inside others,
and everything that is told is bytes or made of dictionaries and text. So a node that lacks enhance,
or has another version, can say so; and the server behind ``ray://`` needs neither.
"""

from __future__ import annotations

from typing import Any


def remote_worker_class() -> type:
    """The class of the actors."""

    class EnhanceWorker:
        """Answers at once who it is, and works once the networks are loaded."""

        def __init__(self) -> None:
            self.worker: Any = None

        def hello(self) -> dict[str, str]:
            """Say which node and which enhance is here, and what is wrong with it."""
            import socket

            import ray

            node = ray.get_runtime_context().get_node_id()
            said = {"host": socket.gethostname(), "node": node, "version": "", "error": ""}
            try:
                import enhance_cli

                said["version"] = enhance_cli.__version__
                from enhance_cli.cloud.cluster.node_worker import weights_here

                said["weights"] = weights_here()
            except Exception as problem:
                said["error"] = f"enhance cannot be used ({problem})"
            return said

        def load(self, pickled: bytes, weights: bytes | None, cores: int) -> dict[str, str]:
            """Load the networks; say where the journal is, or what is wrong."""
            import pickle

            from enhance_cli.cloud.cluster.node_worker import NodeWorker

            make, run = pickle.loads(pickled)  # noqa: S301, from whoever may run any code here
            self.worker = NodeWorker(make)
            error = self.worker.load(run, weights, cores)
            return {"journal": self.worker.journal, "error": error or ""}

        def begin(self, pickled: bytes) -> None:
            """Begin to work on photos of a shard."""
            import pickle

            self.worker.begin(*pickle.loads(pickled))  # noqa: S301

        def news(self, known: int, seconds: float) -> bytes:
            """What has become of them."""
            import pickle

            return pickle.dumps(self.worker.news(known, seconds))

        def stop(self) -> None:
            """Begin no further photo."""
            self.worker.stop()

        def close(self) -> None:
            """Remove temporary files."""
            if self.worker is not None:
                self.worker.close()

    return EnhanceWorker


def journal_reader() -> Any:
    """The function that reads the journal of a worker that has died, on its node."""

    def read(path: str, piece: int) -> bytes:
        import pickle

        from enhance_cli.cloud.cluster.journal import last_words

        return pickle.dumps(last_words(path, piece))

    return read
