import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from enhance_cli.config.training import StageConfig
from enhance_cli.training.optimizer import StageState, learning_rate, make_optimizer


def stage_state(average: float) -> StageState:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    return StageState(net, StageConfig(learning_rate=1.0), average, Fabric(accelerator="cpu"))


def after_steps(average: float, steps: int) -> tuple[float, float]:
    """A weight that rises by 1 in each step, and its moving average."""
    state = stage_state(average)
    for step in range(1, steps + 1):
        with torch.no_grad():
            state.net.weight.fill_(step)
        state.ema.update_parameters(state.net)
    return state.net.weight.item(), next(state.ema.module.parameters()).item()


def test_the_average_spans_as_many_steps_as_its_decay_says():
    """The average lags behind a steadily rising weight by 1 / (1 - decay) - 1 steps."""
    now, average = after_steps(0.98, 2000)
    assert now - average == pytest.approx(49, abs=0.5)


def test_a_short_run_forgets_the_initial_weights():
    """A plain average of decay 0.995 would still be dominated by the initial weights."""
    now, average = after_steps(0.995, 100)
    assert average > 0.85 * now


def test_without_an_average_the_last_weights_are_kept():
    assert after_steps(0.0, 10) == (10, 10)


def test_with_ema_uses_the_average_temporarily():
    state = stage_state(0.9)
    for step in (1.0, 2.0, 3.0):
        with torch.no_grad():
            state.net.weight.fill_(step)
        state.ema.update_parameters(state.net)
    average = next(state.ema.module.parameters()).item()
    with state.with_ema():
        assert state.net.weight.item() == pytest.approx(average) and average < 3
        assert state.track_best(20.0) and not state.track_best(19.0)
    assert state.net.weight.item() == 3
    state.load_best_or_ema()
    assert state.net.weight.item() == pytest.approx(average)


def test_the_optimizer_is_the_configured_one():
    net = nn.Linear(1, 1)
    sgd = make_optimizer(net, StageConfig(momentum=0.8, weight_decay=0.1))
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["momentum"], sgd.defaults["weight_decay"]) == (0.8, 0.1)
    adamw = make_optimizer(net, StageConfig(optimizer="adamw", weight_decay=0.1))
    assert isinstance(adamw, torch.optim.AdamW) and adamw.defaults["weight_decay"] == 0.1


def test_muon_makes_orthogonal_updates():
    """All singular values of a step are alike, whatever the gradient's are (Jordan et al. 2024).

    Five Newton-Schulz iterations bring them to between 0.7 and 1.2; here the gradient's are 100 to
    1. With 0.2 sqrt(max(rows, columns)) before it the step is of AdamW's size (Liu et al. 2025). A
    bias moves as under AdamW, whose first step, with Nesterov's look ahead, is (1 + 0.9) rates.
    """
    torch.manual_seed(0)
    net = nn.Conv2d(4, 8, 3)
    before = [part.detach().clone() for part in net.parameters()]
    optimizer = make_optimizer(net, StageConfig(optimizer="muon", learning_rate=1e-3))
    left, right = torch.linalg.qr(torch.randn(8, 8))[0], torch.linalg.qr(torch.randn(36, 8))[0]
    net.weight.grad = (left * torch.logspace(0, -2, 8) @ right.T).view(8, 4, 3, 3)
    net.bias.grad = torch.ones(8)
    optimizer.step()
    kernel, bias = (was - part.detach() for was, part in zip(before, net.parameters(), strict=True))
    values = torch.linalg.svdvals(kernel.flatten(1))
    scaled = values / (1e-3 * 0.2 * 36**0.5)
    assert scaled.min() > 0.7 and scaled.max() < 1.2
    assert bias.tolist() == pytest.approx([1.9e-3] * 8, rel=1e-3)


def test_the_rate_is_set_for_every_step():
    state = stage_state(0)
    assert state.set_learning_rate(10_000, 60_000) == pytest.approx(0.1)
    assert state.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    assert learning_rate(StageConfig(), 20_000, 60_000) == pytest.approx(1e-4)
