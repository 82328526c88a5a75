"""What goes wrong with object stores is one line that says what to look at."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections import Counter
from typing import ClassVar

import pytest
from stored import apply, results, upload

from enhance_cli.cloud.places import open_store, url_of
from enhance_cli.errors import UsageError


@pytest.fixture
def photos(tmp_path, write_photo):
    write_photo(tmp_path / "photos" / "a.jpg")
    return tmp_path / "photos"


def the_line(told, code: int) -> str:
    assert told.exit_code == code, told.output
    (line,) = told.stderr.splitlines()
    assert line.startswith("error: ") and "Debug source" not in line and len(line) < 400
    return line


@pytest.mark.usefixtures("s3")
def test_a_missing_bucket(photos, tmp_path):
    line = the_line(apply("s3://no-such-bucket/x", "-o", tmp_path / "out"), 2)
    assert "s3://no-such-bucket/x: there is no such bucket" in line
    line = the_line(apply(photos, "-o", "s3://no-such-bucket/x"), 2)
    assert "s3://no-such-bucket/x: there is no such bucket" in line


@pytest.mark.usefixtures("s3")
def test_a_network_that_is_down(photos, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "cannot be reached; check the network" in the_line(apply(photos, "-o", "s3://b/x"), 1)


@pytest.mark.parametrize("boto3", ["with boto3", "without boto3"])
def test_missing_credentials(boto3, photos, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if boto3 == "without boto3":
        monkeypatch.setitem(sys.modules, "boto3", None)
        monkeypatch.delitem(sys.modules, "obstore.auth.boto3", raising=False)
    line = the_line(apply(photos, "-o", "s3://b/x"), 2)
    assert "no credentials found; set AWS_ACCESS_KEY_ID" in line


def test_missing_credentials_of_azure(photos, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    line = the_line(apply(photos, "-o", "az://container/x"), 2)
    assert "no credentials found; set AZURE_STORAGE_ACCOUNT_NAME" in line


def test_without_the_package_a_line_says_what_to_install(photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "enhance_cli.cloud.object_store", raising=False)
    line = the_line(apply(photos, "-o", "s3://b/x"), 2)
    assert 'pip install "enhance-cli[cloud]"' in line


def test_folders_do_without_the_package(photos, tmp_path, identity_weights):
    code = "import sys; from enhance_cli.cli.main import main\ntry: main()\nfinally: "
    code += "print('obstore' in sys.modules, file=sys.stderr)"
    words = ["apply", str(photos), "-o", str(tmp_path / "out"), "--weights", str(identity_weights)]
    for more in ([], ["--shard", "1/1"]):
        command = [sys.executable, "-c", code, *words, *more]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert told.stderr.splitlines()[-1] == "False"


@pytest.mark.parametrize("url", ["http://h/x", "https://h/x", "memory://x"])
def test_places_that_cannot_be_listed_are_refused(url, tmp_path):
    assert "use s3, gs, az or file" in the_line(apply(url, "-o", tmp_path / "out"), 2)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://b/k/", "s3://b/k"),
        ("s3:/b/k", "s3://b/k"),
        ("s3a://b", "s3://b"),
        ("file:/tmp/x", "file:///tmp/x"),
        ("file:///tmp/x", "file:///tmp/x"),
        ("./s3/x", None),
        ("/s3:/x", None),
        ("C:/x", None),
    ],
)
def test_a_url_is_known_although_a_path_was_made_of_it(text, url):
    assert url_of(text) == url


@pytest.mark.parametrize(
    "options",
    [
        ("--series", "auto"),
        ("--sync-from", "a.jpg"),
        ("--gallery", "g.html"),
        ("--compare", "c"),
        ("--lut", "l"),
    ],
)
def test_what_works_with_folders_alone_is_refused(options, photos, tmp_path):
    line = the_line(apply(photos, "-o", tmp_path / "out", "--shard", "1/2", *options), 2)
    assert options[0] in line and "folders alone" in line


def test_results_never_replace_originals(photos, s3, bucket):
    upload(s3, photos, f"{bucket}/in")
    assert "holds the originals" in the_line(apply(f"{bucket}/in", "-o", f"{bucket}/in"), 2)
    line = the_line(apply(f"{bucket}/in/a.jpg", "-o", f"{bucket}/in"), 2)
    assert "would replace the original" in line
    upload(s3, photos, f"{bucket}/up/up")
    line = the_line(apply(f"{bucket}/up", "-o", bucket, "--on-conflict", "overwrite"), 2)
    assert "would replace the original" in line


def test_results_below_the_input_are_not_taken_for_photos(photos, s3, bucket, identity_weights):
    upload(s3, photos, f"{bucket}/in")
    for _ in range(2):
        told = apply(f"{bucket}/in", "-o", f"{bucket}/in/out", "--weights", identity_weights)
        assert told.exit_code == 0
    assert sorted(results(f"{bucket}/in")) == ["a.jpg", "out/a.jpg"]


def test_an_input_without_photos(s3, bucket):
    s3.put_object(Bucket=bucket[5:], Key="in/notes.txt", Body=b"")
    assert "no photo found" in the_line(apply(f"{bucket}/in", "-o", f"{bucket}/out"), 2)


def test_a_look_in_the_store_counts(photos, s3, bucket, tmp_path, brightening_weights):
    (photos / "enhance.toml").write_text("strength = 0\n")
    upload(s3, photos, f"{bucket}/in")
    weights = ("--weights", brightening_weights)
    apply(photos, "-o", tmp_path / "local", *weights)
    apply(f"{bucket}/in", "-o", f"{bucket}/out", *weights)
    assert results(f"{bucket}/out") == results(tmp_path / "local")
    apply(f"{bucket}/in", "-o", f"{bucket}/other", *weights, "--no-toml")
    assert results(f"{bucket}/other") != results(tmp_path / "local")
    s3.put_object(Bucket=bucket[5:], Key="in/enhance.toml", Body=b"long-edge = 20\n")
    line = apply(f"{bucket}/in", "-o", f"{bucket}/out", *weights).stderr.splitlines()[-1]
    assert f"{bucket}/in/enhance.toml: long-edge: holds for the whole run" in line
    s3.put_object(Bucket=bucket[5:], Key="in/enhance.toml", Body=b"strength = 9\n")
    line = apply(f"{bucket}/in", "-o", f"{bucket}/out", *weights).stderr.splitlines()[-1]
    assert line.startswith(f"error: {bucket}/in/enhance.toml: strength")


class _Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on to a server, but answers each first try by a refusal."""

    target, refusal = "", 503
    seen: ClassVar[Counter[str]] = Counter()

    def _pass_on(self) -> None:
        import urllib.request

        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen[f"{self.command} {self.path}"] += 1
        if self.seen[f"{self.command} {self.path}"] == 1:
            self.send_response(self.refusal)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        request = urllib.request.Request(
            self.target + self.path, body or None, headers, method=self.command
        )
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as problem:
            answer = problem
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        length = answer.headers["Content-Length"] if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("refusal", [503, 429])
def test_a_busy_store_is_asked_again(
    refusal, photos, s3, bucket, s3_server, monkeypatch, identity_weights
):
    upload(s3, photos, f"{bucket}/in")
    monkeypatch.setattr(_Proxy, "target", s3_server)
    monkeypatch.setattr(_Proxy, "refusal", refusal)
    monkeypatch.setattr(_Proxy, "seen", Counter())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server_port}")
        told = apply(f"{bucket}/in", "-o", f"{bucket}/out", "--weights", identity_weights)
        proxy.shutdown()
    assert told.exit_code == 0, told.output
    assert len(_Proxy.seen) > 8 and min(_Proxy.seen.values()) == 2
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    assert list(results(f"{bucket}/out")) == ["a.jpg"]


def test_a_conditional_put_stores_nothing_over_another_object(bucket):
    store = open_store(f"{bucket}/x")
    assert store.write("k", b"1", create=True)
    assert not store.write("k", b"2", create=True)
    assert store.read("k") == b"1"
    assert store.read("none") is None and store.head("none") is None
    many = [f"n/{number:03}" for number in range(30)]
    for key in many[::2]:
        store.write(key, b"x")
    assert sorted(store.heads(many)) == many[::2]
    store.delete(many)
    assert store.heads(many) == {}


def test_a_name_with_an_empty_part_is_reported(s3, bucket):
    s3.put_object(Bucket=bucket[5:], Key="in/a//b.jpg", Body=b"x")
    line = the_line(apply(f"{bucket}/in", "-o", f"{bucket}/out"), 2)
    assert "a//b.jpg" in line and "rename" in line


def test_refused_urls_raise_one_error():
    with pytest.raises(UsageError):
        url_of("https://example.org/photos")


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("options", "words"),
    [(("--suffix", "_x"), "--out is missing"), (("-o", "s3://b/a.jpg"), "names a file")],
)
def test_results_need_a_place_of_their_own(options, words, tmp_path):
    assert words in the_line(apply("s3://b/in/a.jpg", *options), 2)
    (tmp_path / "a.jpg").touch()
    assert words in the_line(apply(tmp_path / "a.jpg", *options, "--shard", "1/2"), 2)
