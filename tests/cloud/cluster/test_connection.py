"""What is said if there is no cluster to work on."""

import builtins
import socket

import pytest

pytest.importorskip("ray")

from enhance_cli.cli.console import ExitCode
from enhance_cli.cloud.cluster.connection import HeadLostError, HeadWatch, _connect, one_line
from enhance_cli.errors import EnhanceError
from tests.stored import apply


@pytest.fixture
def photos(tmp_path, write_photo, coffee):
    write_photo(tmp_path / "photos" / "a.jpg", coffee)
    return tmp_path / "photos"


def test_without_ray_one_line_says_what_to_install(photos, tmp_path, monkeypatch):
    real = builtins.__import__

    def without_ray(name, *rest):
        if name.partition(".")[0] == "ray":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    run = apply(photos, "--out", tmp_path / "out", "--cluster", "auto")
    assert run.exit_code == ExitCode.USAGE
    assert run.stderr.splitlines() == [
        "error: Ray is missing, which --cluster needs; install it by "
        'pip install "enhance-cli[cluster]"'
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["{}", "ray://{}"])
def test_a_cluster_that_is_not_there_is_said_in_one_line(photos, tmp_path, kind):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = kind.format(f"127.0.0.1:{free.getsockname()[1]}")
    run = apply(photos, "--out", tmp_path / "out", "--cluster", address)
    assert run.exit_code == ExitCode.STOPPED
    assert run.stderr.splitlines() == [
        f"error: --cluster {address}: no connection (Connection refused); check the address, that "
        "`ray status` there shows the cluster, and that this machine may reach it"
    ]
    assert run.stdout == ""


def test_a_part_on_a_cluster_is_refused(photos, tmp_path):
    run = apply(photos, "--out", tmp_path / "out", "--cluster", "auto", "--shard", "1/2")
    assert run.exit_code == ExitCode.USAGE
    assert run.stderr.splitlines() == ["error: --shard and --cluster: give one of the two"]


@pytest.mark.parametrize(
    ("said", "gist"),
    [
        ("The actor died.\n\tclass_name: A\n", "The actor died"),
        ("Traceback (most recent call last):\n  File\nValueError: no", "ValueError: no"),
        ("", "ValueError"),
    ],
)
def test_of_many_lines_one_is_told(said, gist):
    assert one_line(ValueError(said)) == gist


def test_a_server_that_did_not_begin_is_asked_again():
    asked = []

    class Ray:
        def init(self, *_, **__):
            asked.append(1)
            if len(asked) < 3:
                raise ConnectionAbortedError("RuntimeError: Starting Ray client server failed.")

    _connect(Ray(), "ray://head:10001")
    assert len(asked) == 3


def test_a_wrong_version_is_not_asked_again():
    class Ray:
        def init(self, *_, **__):
            raise RuntimeError("Version mismatch: the cluster was started with:\n Python: 3.12.1\n")

    with pytest.raises(EnhanceError, match="install the same Python and Ray here as there") as told:
        _connect(Ray(), "auto")
    assert "\n" not in str(told.value)
    assert "Python: 3.12.1" in str(told.value)


def test_a_head_node_is_lost_once_it_has_been_silent_for_a_while():
    with socket.socket() as head:
        head.bind(("127.0.0.1", 0))
        head.listen()
        address = f"127.0.0.1:{head.getsockname()[1]}"
        seconds = iter([100.0, 110.0, 119.0, 121.0])
        watch = HeadWatch(address, lambda: next(seconds))
        assert watch.answers()
    assert [watch.answers() for _ in range(3)] == [False] * 3
    with pytest.raises(HeadLostError, match="does not answer"):
        watch.answers()
    assert HeadWatch("").answers()
