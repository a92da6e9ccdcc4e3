"""The proxy, with the real clients, against an upstream that answers as the real APIs do."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from tests.capture.helpers import Kolm, png

HERE = Path(__file__).parent
ANSWER = "The bar is 75 % – ✓"  # noqa: RUF001
KEY = "sk-API-KEY-SECRET"


def uri(colour: int = 0) -> str:
    return "data:image/png;base64," + base64.b64encode(png((colour, 0, 0))).decode()


def name(colour: int = 0) -> str:
    return sha256_bytes(png((colour, 0, 0)))


def asked(text: str, *colours: int) -> list[dict[str, Any]]:
    images = [{"type": "image_url", "image_url": {"url": uri(c)}} for c in colours]
    return [{"role": "user", "content": [{"type": "text", "text": text}, *images]}]


class Upstream:
    def __init__(self, delay: float = 0.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "upstream.py"), str(delay)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Running:
    """A proxy that runs as its own process, its JSON lines read as they come."""

    def __init__(self, home: Path, upstream: str, *more: str, **options: Any) -> None:
        environment = {**os.environ, "KOLM_HOME": str(home), **options.pop("env", {})}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kolm_cli.cli.app", "capture", "proxy", "--to", "ns",
             "--upstream", upstream, "--port", "0", *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options,
        )  # fmt: skip
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.url = json.loads(self._queue.get(timeout=150))["url"]
        except queue.Empty:
            self.process.kill()
            raise AssertionError(self.process.communicate()[1]) from None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._queue.put(line)

    def until(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 150
    ) -> dict[str, Any]:
        """The first report from now on that `wanted` accepts."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"its last report: {self.lines[-1:]}") from None
            event: dict[str, Any] = json.loads(line)
            if wanted(event):
                return event

    def recorded(self, calls: int) -> dict[str, Any]:
        return self.until(lambda event: event.get("recorded", 0) >= calls)

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=60)

    @property
    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lines[-1])
        return found


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    running = Upstream()
    yield running.url
    running.close()


Start = Callable[..., Running]


@pytest.fixture
def start(home: Path, upstream: str) -> Iterator[Start]:
    running: list[Running] = []

    def begin(*more: str, to: str = "", **options: Any) -> Running:
        running.append(Running(home, to or upstream, *more, **options))
        return running[-1]

    yield begin
    for proxy in running:
        proxy.process.kill()
        proxy.process.wait()


def pairs(home: Path) -> list[Any]:
    with Store.open(home) as store:
        return sorted(store.pairs("ns"), key=lambda pair: pair.id)


def test_the_real_clients_keep_working_and_every_call_becomes_a_pair(
    start: Start, home: Path
) -> None:
    import anthropic
    import openai

    proxy = start()
    gpt = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY)
    claude = anthropic.Anthropic(base_url=proxy.url, api_key=KEY)

    said = gpt.chat.completions.create(model="m", messages=asked("chat", 1))  # type: ignore[arg-type]
    assert said.choices[0].message.content == ANSWER
    chunks = gpt.chat.completions.create(
        model="m",
        messages=asked("chat stream", 2),
        stream=True,  # type: ignore[arg-type]
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER

    def given(text: str, colour: int) -> Any:
        return [{"role": "user", "content": [
            {"type": "input_text", "text": text},
            {"type": "input_image", "image_url": uri(colour), "detail": "auto"}]}]  # fmt: skip

    answer = gpt.responses.create(model="m", instructions="Brief.", input=given("responses", 3))
    assert answer.output_text == ANSWER
    with gpt.responses.stream(model="m", input=given("responses stream", 4)) as events:
        assert events.get_final_response().output_text == ANSWER

    def shown(text: str, colour: int) -> Any:
        data = uri(colour).partition(",")[2]
        source = {"type": "base64", "media_type": "image/png", "data": data}
        return [{"role": "user", "content": [
            {"type": "image", "source": source}, {"type": "text", "text": text}]}]  # fmt: skip

    message = claude.messages.create(model="c", max_tokens=9, messages=shown("claude", 5))
    assert message.content[-1].text == ANSWER  # type: ignore[union-attr]
    with claude.messages.stream(
        model="c", max_tokens=9, system="Brief.", messages=shown("claude stream", 6)
    ) as text:
        assert text.get_final_text() == ANSWER

    report = proxy.recorded(6)
    assert report["pairs"] == report["new_pairs"] == 6
    assert proxy.stop() == 0
    found = pairs(home)
    questions = [pair.conversation.messages[-2].text for pair in found]
    assert questions == [
        "chat", "chat stream", "responses", "responses stream", "claude", "claude stream",
    ]  # fmt: skip
    assert [pair.conversation.images for pair in found] == [(name(i),) for i in range(1, 7)]
    assert {pair.conversation.response for pair in found} == {ANSWER}
    assert [pair.model for pair in found] == ["m-2026"] * 4 + ["c"] * 2
    assert [pair.conversation.messages[0].role for pair in found] == [
        "user", "user", "system", "user", "user", "system",
    ]  # fmt: skip
    assert {pair.source for pair in found} == {"proxy"}


def test_several_images_and_turns_are_kept(start: Start, home: Path) -> None:
    import openai

    proxy = start()
    turns: Any = [
        {"role": "system", "content": "Be brief."},
        *asked("first", 1, 2),
        {"role": "assistant", "content": "I see two."},
        *asked("and now", 3),
    ]
    client = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY)
    client.chat.completions.create(model="m", messages=turns)
    proxy.recorded(1)
    (pair,) = pairs(home)
    assert [message.role for message in pair.conversation.messages] == [
        "system", "user", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert pair.conversation.images == (name(1), name(2), name(3))


def request(stream: bool = False, model: str = "m", text: str = "q") -> dict[str, Any]:
    return {"model": model, "messages": asked(text, 1), "stream": stream}


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br, gzip;q=0.5"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_comes_back_byte_for_byte(
    start: Start, upstream: str, home: Path, encoding: str, stream: bool
) -> None:
    proxy = start()
    seen = []
    for base in (upstream, proxy.url):
        with (
            httpx.Client() as client,
            client.stream(
                "POST",
                f"{base}/v1/chat/completions",
                json=request(stream),
                headers={"Accept-Encoding": encoding},
            ) as response,
        ):
            headers = [
                (k, v)
                for k, v in response.headers.raw
                if k.lower() not in (b"date", b"server", b"transfer-encoding", b"connection")
            ]
            seen.append((response.status_code, headers, b"".join(response.iter_raw())))
    assert seen[0] == seen[1]
    assert proxy.recorded(1)["pairs"] == 1
    assert pairs(home)[0].conversation.response == ANSWER


def test_a_stream_arrives_as_it_is_made(start: Start) -> None:
    proxy = start()
    url = f"{proxy.url}/v1/chat/completions"
    with httpx.Client() as client, client.stream("POST", url, json=request(True)) as response:
        times = [time.monotonic() for _ in response.iter_raw()]
    # The upstream waits 10 ms inside each of its nine events.
    assert len(times) > 9
    assert times[-1] - times[0] > 0.05


def test_other_paths_and_errors_pass_untouched(start: Start, upstream: str, home: Path) -> None:
    proxy = start()
    with httpx.Client(base_url=proxy.url) as client:
        got = client.request(
            "PUT",
            "/v1/files/a%2Fb;c?x=1&y=%20z&x=2",
            content=b"\x00\xff raw",
            headers={"X-Own": "yes", "Authorization": f"Bearer {KEY}", "X-Status": "418"},
        )
        assert got.status_code == 418
        seen = got.json()
        assert seen["path"] == "/v1/files/a%2Fb;c"
        assert seen["query"] == "x=1&y=%20z&x=2"
        assert seen["body"] == "\x00\xff raw"
        assert seen["method"] == "PUT"
        assert seen["headers"]["x-own"] == "yes"
        assert seen["headers"]["authorization"] == f"Bearer {KEY}"
        assert seen["headers"]["host"] == upstream.removeprefix("http://")
        assert client.get("/v1/models").json()["body"] == ""
        chunked = client.post("/v1/upload", content=iter([b"a", b"b"]))
        assert chunked.json()["body"] == "ab"
        failed = client.post("/v1/chat/completions", json=request(model="broken"))
        assert failed.status_code == 404
        assert failed.json() == {"error": {"message": "no such model"}}
    assert proxy.stop() == 0
    assert proxy.last["calls"] == 4
    assert proxy.last["recordable"] == 0


def test_an_upstream_base_url_with_and_without_its_version(start: Start, upstream: str) -> None:
    proxy = start(to=f"{upstream}/v1")
    for path in ("/v1/echo", "/echo"):
        assert httpx.get(proxy.url + path).json()["path"] == "/v1/echo"


def test_no_key_cookie_or_token_is_stored_or_shown(start: Start, home: Path) -> None:
    token = "PROXY-TOKEN-SECRET-0123456789"
    proxy = start(env={"KOLM_PROXY_TOKEN": token})
    secrets = [KEY, "COOKIE-SECRET", "CLIENT-COOKIE", token, "QUERY-SECRET"]
    headers = {
        "Authorization": f"Bearer {KEY}",
        "x-api-key": KEY,
        "Cookie": "a=CLIENT-COOKIE",
        "X-Kolm-Token": token,
    }
    url = f"{proxy.url}/v1/chat/completions?key=QUERY-SECRET"
    answer = httpx.post(url, json=request(), headers=headers)
    assert "COOKIE-SECRET" in answer.headers["set-cookie"]
    assert httpx.post(f"{proxy.url}/v1/x", headers=headers).status_code == 200
    echoed = httpx.get(f"{proxy.url}/v1/x", headers=headers).json()
    assert "x-kolm-token" not in echoed["headers"]
    proxy.recorded(1)
    # Killed, so that the spool is still there as well.
    spool = list((home / "spool").rglob("*.calls"))
    content = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    proxy.stop()
    assert spool
    assert proxy.process.stderr is not None
    shown = "".join(proxy.lines) + proxy.process.stderr.read()
    for secret in secrets:
        assert secret.encode() not in content
        assert secret not in shown


def test_calls_that_make_no_pair_pass_and_are_counted_with_the_reason(
    start: Start, home: Path
) -> None:
    proxy = start()
    broken = request()
    broken["messages"][0]["content"][1]["image_url"]["url"] = uri(1)[:-40]
    remote = request()
    remote["messages"][0]["content"][1]["image_url"]["url"] = "http://127.0.0.1:1/x.png?k=SECRET"
    file = request()
    file["messages"][0]["content"][1]["image_url"]["url"] = "/etc/hostname"
    with httpx.Client(base_url=proxy.url) as client:
        for body in (broken, remote, file):
            assert client.post("/v1/chat/completions", json=body).status_code == 200
        cut = client.post("/v1/chat/completions", json=request(True), headers={"X-Cut": "1"})
        assert cut.status_code == 200
        asked = {"model": "m", "input": "q", "previous_response_id": "resp_0"}
        assert client.post("/v1/responses", json=asked).status_code == 200
    report = proxy.recorded(5)
    assert report["without_pair"] == 5
    with Store.open(home) as store:
        notes = [note for (note,) in store.connection.execute("SELECT note FROM calls ORDER BY id")]
    assert "damaged" in notes[0]
    assert (
        notes[1]
        == "images from 127.0.0.1 are not allowed (--allow-image-host); "
        + notes[1].partition("; ")[2]
    )
    assert "no such image file" in notes[2]
    assert notes[3] == "the stream ended before the answer did"
    assert "previous_response_id" in notes[4]


def test_an_upstream_that_is_not_there_is_said(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = start(to=f"http://127.0.0.1:{port}")
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=request())
    assert answer.status_code == 502
    assert "cannot be reached" in answer.json()["error"]["message"]


def test_an_allowed_host_on_this_machine_is_still_refused(start: Start, home: Path) -> None:
    proxy = start("--allow-image-host", "localhost")
    body = request()
    body["messages"][0]["content"][1]["image_url"]["url"] = "http://localhost:1/x.png"
    httpx.post(f"{proxy.url}/v1/chat/completions", json=body).raise_for_status()
    assert "not on the public internet" in proxy.recorded(1)["last"]["no_pair"]


def test_an_upstream_that_breaks_off_is_seen_to_break_off(start: Start) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_half() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n"
        )
        connection.close()

    threading.Thread(target=answer_half, daemon=True).start()
    proxy = start(to=f"http://127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{proxy.url}/v1/chat/completions", json=request(True))
    assert proxy.stop() == 0
    listener.close()
    assert (proxy.last["recordable"], proxy.last["upstream_failed"]) == (0, 1)
    assert proxy.process.stderr is not None
    assert proxy.process.stderr.read() == ""


def test_a_client_that_goes_away_is_not_waited_for(start: Start) -> None:
    slow = Upstream(0.5)
    proxy = start(to=slow.url)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{proxy.url}/v1/chat/completions", json=request(True), timeout=0.2)
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=request(), timeout=30)
    assert answer.status_code == 200
    proxy.recorded(1)
    assert proxy.stop() == 0
    slow.close()
    # Only the call that was acknowledged is recorded.
    assert (proxy.last["recordable"], proxy.last["recorded"]) == (1, 1)


EVERYWHERE = "0.0.0.0"  # noqa: S104


def test_beyond_loopback_a_token_is_demanded(start: Start, kolm: Kolm, upstream: str) -> None:
    arguments = ("capture", "proxy", "--to", "ns", "--upstream", upstream, "--host", EVERYWHERE)
    refused = kolm(*arguments)
    assert refused.code == 2
    assert "a token is needed" in refused.err
    token = "0123456789abcdef0123"
    proxy = start("--host", EVERYWHERE, env={"KOLM_PROXY_TOKEN": token})
    url = proxy.url.replace(EVERYWHERE, "127.0.0.1")
    assert httpx.get(f"{url}/v1/x").status_code == 403
    assert httpx.get(f"{url}/v1/x", headers={"X-Kolm-Token": "wrong"}).status_code == 403
    assert httpx.get(f"{url}/v1/x", headers={"X-Kolm-Token": token}).status_code == 200
    echoed = httpx.get(f"{url}/kolm-token/{token}/v1/x")
    assert echoed.json()["path"] == "/v1/x"


def test_a_web_page_cannot_use_the_proxy_under_another_name(start: Start) -> None:
    proxy = start()
    assert httpx.get(f"{proxy.url}/v1/x", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{proxy.url}/v1/x", headers={"Host": "localhost:1"}).status_code == 200


def test_a_taken_port_and_a_wrong_upstream_are_said(kolm: Kolm, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = kolm("capture", "proxy", "--to", "ns", "--upstream", "http://x", "--port", port)
    assert ran.code == 5
    assert "cannot listen" in ran.err
    ran = kolm("capture", "proxy", "--to", "ns", "--upstream", "api.openai.com")
    assert ran.code == 2
    assert "is not a URL" in ran.err


async def _many(url: str, clients: int, calls: int) -> list[str]:
    """Texts of the calls that were answered."""
    waiting = iter(range(calls))
    done: list[str] = []

    async def one(client: httpx.AsyncClient) -> None:
        for number in waiting:
            # Ten calls ask the same: they are ten records and one pair.
            text = f"question {number // 10}"
            body = {"model": "m", "messages": asked(text, number // 10 % 200)}
            answer = await client.post(f"{url}/v1/chat/completions", json=body)
            assert answer.status_code == 200
            done.append(text)

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(limits=limits, timeout=120) as client:
        await asyncio.gather(*(one(client) for _ in range(clients)))
    return done


@pytest.mark.parametrize(
    ("clients", "calls"), [(10, 300), pytest.param(50, 5000, marks=pytest.mark.slow)]
)
def test_every_acknowledged_call_has_exactly_one_record(
    start: Start, home: Path, clients: int, calls: int
) -> None:
    proxy = start()
    done = asyncio.run(_many(proxy.url, clients, calls))
    assert len(done) == calls
    assert proxy.stop() == 0
    assert proxy.last["not_recorded"] == proxy.last["faults"] == 0
    with Store.open(home) as store:
        (records, keys, held) = store.connection.execute(
            "SELECT count(*), count(DISTINCT key), count(pair) FROM calls"
        ).fetchone()
        assert (records, keys, held) == (calls, calls, calls)
        assert store.count("ns") == calls // 10
        per_pair = store.connection.execute(
            "SELECT DISTINCT count(*) FROM calls GROUP BY pair"
        ).fetchall()
        assert per_pair == [(10,)]
    assert not list((home / "spool").rglob("*.calls"))


@pytest.mark.parametrize("moment", [0.3, pytest.param(1.2, marks=pytest.mark.slow), 2.0])
def test_sigkill_loses_nothing_that_a_client_saw_a_second_before(
    start: Start, home: Path, kolm: Kolm, moment: float
) -> None:
    proxy = start()
    seen: list[tuple[float, str]] = []
    begun = time.monotonic()

    def calls(worker: int) -> None:
        with httpx.Client(timeout=10) as client:
            for number in range(10_000):
                text = f"w{worker} n{number}"
                try:
                    body = {"model": "m", "messages": asked(text, number % 100)}
                    client.post(f"{proxy.url}/v1/chat/completions", json=body).raise_for_status()
                except httpx.HTTPError:
                    return
                seen.append((time.monotonic(), text))

    workers = [threading.Thread(target=calls, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    time.sleep(moment + 1)
    killed = time.monotonic()
    assert proxy.stop(signal.SIGKILL) == -signal.SIGKILL
    for worker in workers:
        worker.join()
    due = {text for when, text in seen if when < killed - 1}
    assert due or moment < 0.5
    assert begun < killed
    # The recorder ends by itself; what it did not store is in the spool, and check stores it.
    deadline = time.monotonic() + 30
    while True:
        assert kolm("capture", "check").code == 0
        stored = {pair.conversation.messages[0].text for pair in pairs(home)}
        if due <= stored or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert due <= stored
    with Store.open(home) as store:
        (records, keys) = store.connection.execute(
            "SELECT count(*), count(DISTINCT key) FROM calls"
        ).fetchone()
    assert records == keys


def test_sigterm_drains_what_is_under_way(home: Path) -> None:
    slow = Upstream(1.0)
    proxy = Running(home, slow.url)
    answers: list[int] = []

    def call() -> None:
        url = f"{proxy.url}/v1/chat/completions"
        answers.append(httpx.post(url, json=request(), timeout=30).status_code)

    caller = threading.Thread(target=call)
    caller.start()
    time.sleep(0.4)
    assert proxy.stop() == 0
    caller.join()
    slow.close()
    assert answers == [200]
    assert len(pairs(home)) == 1
    assert proxy.last["event"] == "stopped"
    assert proxy.last["recorded"] == 1


def test_the_recorder_is_started_again_when_it_dies(start: Start, home: Path) -> None:
    import psutil

    proxy = start()
    url = f"{proxy.url}/v1/chat/completions"
    httpx.post(url, json=request(text="before")).raise_for_status()
    proxy.recorded(1)
    (child,) = psutil.Process(proxy.process.pid).children()
    child.kill()
    httpx.post(url, json=request(text="after")).raise_for_status()
    proxy.recorded(2)
    assert proxy.stop() == 0
    assert [pair.conversation.messages[0].text for pair in pairs(home)] == ["before", "after"]
    assert proxy.last["faults"] == 1


def test_a_full_disk_stops_the_recording_loudly_and_not_the_traffic(
    start: Start, home: Path
) -> None:
    def small_files() -> None:
        # No file may grow beyond this: for a process the same as a disk that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    proxy = start(preexec_fn=small_files)
    url = f"{proxy.url}/v1/chat/completions"
    with httpx.Client() as client:
        for number in range(150):
            body = request(text=f"{number} " + "x" * 20_000)
            assert client.post(url, json=body).status_code == 200
    report = proxy.until(lambda event: bool(event.get("trouble")))
    assert "cannot record" in report["trouble"]
    with httpx.Client() as client:
        assert client.post(url, json=request()).status_code == 200
    proxy.stop()
    assert proxy.last["recordable"] == 151
    assert proxy.last["trouble"]


def test_recording_goes_on_when_there_is_space_again(home: Path, tmp_path: Path) -> None:
    from kolm_cli.capture.proxy.recording import Recording
    from kolm_cli.capture.proxy.spool import Call, SpoolReader

    home.mkdir()
    recording = Recording(home, (), min_free=1 << 60)
    call = Call("k", "ns", 0, "/v1/messages", "", "", "", b"{}", b"{}")

    def settle() -> None:
        recording._thread.submit(lambda: None).result()

    recording.take(call)
    settle()
    assert recording.lost == 1
    assert "the disk is full" in recording.trouble
    recording._min_free = 0
    recording.take(call)
    settle()
    assert recording.trouble == ""
    assert SpoolReader(recording.folder).read(9, 999) == [call]


def test_half_an_entry_is_not_read_and_hides_nothing(tmp_path: Path) -> None:
    from kolm_cli.capture.proxy.spool import Call, Spool, SpoolReader

    spool = Spool(tmp_path)
    calls = [Call(str(i), "ns", i, "/p", "", "", "", b"q" * i, b"a" * 9) for i in range(5)]
    for call in calls:
        spool.append(call)
    (segment,) = SpoolReader(tmp_path).segments()
    whole = segment.read_bytes()
    for cut in range(len(whole)):
        segment.write_bytes(whole[:cut])
        found = SpoolReader(tmp_path).read(99, 1 << 20)
        assert found == calls[: len(found)]
        segment.write_bytes(whole[:cut] + bytes([whole[cut] ^ 1]) + whole[cut + 1 :])
        damaged = SpoolReader(tmp_path).read(99, 1 << 20)
        assert damaged == calls[: len(damaged)]
        assert len(damaged) < 5
    segment.write_bytes(whole)
    assert SpoolReader(tmp_path).read(99, 1 << 20) == calls


def test_a_client_that_leaves_at_the_last_event_has_a_record(start: Start) -> None:
    """Clients close at the end mark; the upstream's own end may come later."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while not asked.endswith(b"}"):
                asked += connection.recv(65536)
            choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
            piece = json.dumps({"choices": [choice]})
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                + f"data: {piece}\n\ndata: [DONE]\n\n".encode()
            )
            left.wait(30)

    threading.Thread(target=answer, daemon=True).start()
    proxy = start(to=f"http://127.0.0.1:{listener.getsockname()[1]}")
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "q"}]}
    with httpx.stream("POST", f"{proxy.url}/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            if line == "data: [DONE]":
                break
    time.sleep(0.5)
    left.set()
    assert proxy.recorded(1)["pairs"] == 1
    listener.close()
