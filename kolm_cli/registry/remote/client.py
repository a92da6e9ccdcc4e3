"""Requests to one repository: authentication, redirects, patience, and clear errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

from kolm_cli.core.errors import InputError, KolmError, LackingError, Problem, VerificationError
from kolm_cli.registry.names import Remote
from kolm_cli.registry.remote import patience
from kolm_cli.registry.remote.auth import authorization, challenges
from kolm_cli.registry.remote.credentials import credentials_for
from kolm_cli.registry.remote.patience import InterruptedTransferError, Watchdog

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = (408, 429, 500, 502, 503, 504)
_HUB = {"docker.io": "registry-1.docker.io"}


class Client:
    """Speaks with one repository. Use it as a context.

    Args:
        remote: the place.
        write: whether blobs and manifests will be written.
        plain_http: allow http with a host that is not this machine.

    Raises:
        LackingError: httpx is not installed.
    """

    def __init__(self, remote: Remote, *, write: bool, plain_http: bool = False) -> None:
        try:
            import httpx
        except ImportError as error:
            raise LackingError(
                Problem("oci:// needs the package httpx"),
                hint="pip install 'kolm-cli[registry]'",
            ) from error
        self.remote = remote
        self._plain = plain_http or remote.loopback
        scheme = "http" if self._plain else "https"
        host = _HUB.get(remote.host, remote.host)
        self._root = f"{scheme}://{host}/v2/{remote.repository}/"
        self._scope = f"repository:{remote.repository}:{'pull,push' if write else 'pull'}"
        self._authorization = ""
        self._watchdog = Watchdog()
        self._http = httpx.Client(
            timeout=httpx.Timeout(60, connect=15),
            # No proxy for this machine; elsewhere the usual variables count.
            trust_env=not remote.loopback,
            # What is digested are the bytes as they are stored.
            headers={"User-Agent": "kolm", "Accept-Encoding": "identity"},
            event_hooks={"request": [self._watch]},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _watch(self, request: httpx.Request) -> None:
        request.extensions = {**request.extensions, "trace": self._watchdog.trace}

    @contextlib.contextmanager
    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        expected: tuple[int, ...] = (200,),
        large: bool = False,
    ) -> Iterator[httpx.Response]:
        """One request; the answer's body is not read yet.

        Args:
            method: of HTTP.
            path: below the repository, or a whole address that the registry gave.
            headers: further ones.
            content: the body.
            expected: the status codes that are no error.
            large: the answer's body may take its time, and whoever reads it looks to its pace;
                else the whole exchange must be over in `SECONDS`, and the time its body takes.

        Raises:
            InputError: there is no such thing there.
            InterruptedTransferError: another attempt may succeed.
            LackingError: the network or the permission is lacking.
        """
        import httpx

        seconds = patience.SECONDS + len(content or b"") / patience.SLOWEST
        with self._watchdog.limit(seconds) as timer:
            try:
                url = urljoin(self._root, path)
                answer = self._follow(method, url, dict(headers or {}), content)
            except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:
                # A ValueError: the registry leads to something that is no address.
                raise self._cut(error) from error
            try:
                if answer.status_code not in expected:
                    raise self._refusal(answer)
                self._check_encoding(answer)
                if large:
                    timer.cancel()
                try:
                    yield answer
                except httpx.TransportError as error:
                    raise self._cut(error) from error
                _drain(answer)
            finally:
                answer.close()

    def _check_encoding(self, answer: httpx.Response) -> None:
        """What is digested are the bytes as they are stored: compressed ones are others."""
        encoding = answer.headers.get("content-encoding", "identity")
        if encoding.strip().lower() not in ("", "identity"):
            raise LackingError(
                Problem(
                    f"sends {encoding!r:.40} although it was asked to send content as it is",
                    self.remote.host,
                )
            )

    def _follow(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None
    ) -> httpx.Response:
        asked = False
        for _ in range(MAX_REDIRECTS + 2):
            self._check(url)
            own = self._same_host(url)
            sent = dict(headers)
            if own and self._authorization:
                # Credentials are for the registry, not for where it sends us.
                sent["Authorization"] = self._authorization
            request = self._http.build_request(method, url, headers=sent, content=content)
            answer = self._http.send(request, stream=True)
            if answer.status_code == 401 and own and not asked:
                asked = True
                offered = challenges(answer.headers.get_list("www-authenticate"))
                _drain(answer)
                answer.close()
                self._authorization = authorization(
                    self._http,
                    offered,
                    credentials_for(self.remote.host),
                    host=self.remote.host,
                    scope=self._scope,
                    plain_http=self._plain,
                )
                continue
            if answer.status_code in _REDIRECTS and method in ("GET", "HEAD"):
                answer.close()
                url = urljoin(url, answer.headers.get("location", ""))
                continue
            return answer
        raise LackingError(Problem("redirects without end", self.remote.host))

    def _check(self, url: str) -> None:
        if urlsplit(url).scheme != "https" and not (self._plain and url.startswith("http://")):
            raise LackingError(
                Problem(f"leads to {url[:200]!r}, which is not https", self.remote.host),
                hint="--plain-http allows http",
            )

    def _same_host(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self._root)[:2]

    def _cut(self, error: Exception) -> InterruptedTransferError:
        words = str(error) or type(error).__name__
        if self._watchdog.barked:
            words = "it took too long"
        return InterruptedTransferError(
            Problem(f"the connection failed: {words:.200}", self.remote.host),
            hint="the same command again continues",
        )

    def _refusal(self, answer: httpx.Response) -> KolmError:
        code, where = answer.status_code, f"{answer.request.method} {answer.request.url.path}"
        if code in (401, 403):
            return LackingError(
                Problem("the registry refuses permission", str(self.remote)),
                hint=f"docker login {self.remote.host}",
            )
        if code == 404:
            return InputError(Problem("is not there", str(self.remote)))
        problem = Problem(f"{where}: the registry answers {code} {_reason(answer)}".rstrip())
        if code in _LATER:
            return InterruptedTransferError(problem, hint="try again later")
        if "DIGEST_INVALID" in problem.what:
            return VerificationError(problem)
        return LackingError(problem)


def _drain(answer: httpx.Response) -> None:
    """Read what is left of a short answer: only then can its connection be used again."""
    import httpx

    with contextlib.suppress(httpx.TransportError):
        if not answer.is_stream_consumed and len(answer.headers.get("content-length", "")) < 6:
            count = 0
            for piece in answer.iter_raw():
                count += len(piece)
                if count > 1 << 16:
                    break


def _reason(answer: httpx.Response) -> str:
    """The registry's own words, bounded and printable."""
    import httpx

    with contextlib.suppress(httpx.TransportError):
        text = b""
        for piece in answer.iter_bytes(2048):
            text += piece
            if len(text) >= 2048:
                break
        words = text[:400].decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in words).strip()
    return ""
