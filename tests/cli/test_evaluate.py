from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, list(map(str, arguments)))


def test_the_table_has_identity_on_top_and_says_how_ssim_is_measured(
    tmp_path, write_pairs, brightening_weights
):
    split = tmp_path / "split.txt"
    split.write_text("a0001\na0002\n")
    told = run(
        *("eval", "--fivek-root", write_pairs(), "--split", split),
        *("--weights", brightening_weights, "--device", "cpu"),
    )
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    identity = next(i for i, line in enumerate(lines) if " identity " in line)
    assert " ce " in lines[identity + 1] and "1 of them" in lines[identity + 1]
    assert "Gaussian window, sigma 1.5" in told.stdout
    assert "trained on 1 of these 2 photos" in told.stderr
