import pytest

from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig


@pytest.fixture
def run(tmp_path, brightening_weights):
    def run(*inputs, **options):
        config = ApplyConfig(
            tuple(inputs), tmp_path / "out", weights=brightening_weights, device="cpu", **options
        )
        return list(BatchRunner(config))

    return run
