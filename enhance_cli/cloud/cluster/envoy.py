"""The actor that Ray starts on a node: it looks who is there before anything is asked of it."""

from __future__ import annotations

from typing import Any


def envoy_class() -> type:
    """The class of the actors.

    It is made in a function, so that Ray sends its code and not its name: a node that lacks enhance
    or has another version can say so.
    """

    class Envoy:
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

        def load(self, make: Any, run: Any, weights: bytes | None, threads: int) -> dict[str, str]:
            """Load the networks; say where the journal is, or what is wrong."""
            from enhance_cli.cloud.cluster.node_worker import NodeWorker

            self.worker = NodeWorker(make)
            error = self.worker.load(run, weights, threads)
            return {"journal": self.worker.journal, "error": error or ""}

        def do(self, what: str, *arguments: Any) -> Any:
            """Call a method of the worker."""
            if self.worker is not None:
                return getattr(self.worker, what)(*arguments)
            return None

    return Envoy
