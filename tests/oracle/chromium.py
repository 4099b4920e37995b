"""A headless Chromium that is told by the DevTools protocol, over a pipe, to navigate, and says what it did.

Here: the protocol, and the events of a navigation as hops. Never here: what Chromium ought to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.programs import need

PATIENCE = 30.0
"""Seconds that a command or a navigation may take."""
SETTLED = 0.15
"""Seconds without news after which a navigation whose end was reported is over."""

Message = dict[str, Any]


class Hop(NamedTuple):
    """One request of a navigation and what became of it, as the network panel lists it."""

    method: str
    url: str
    status: int = 0
    """0 where there was no response."""
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    """The response's, by name in lower case; repeated ones joined by line feeds, as the protocol does."""
    from_cache: bool = False


class Chain(NamedTuple):
    """A whole navigation."""

    hops: tuple[Hop, ...]
    error: str = ""
    """`net::ERR_…` without its beginning; empty if a response was shown."""


def need_chromium() -> None:
    """Skip the test, or fail it where it must not be skipped, if there is no Chromium that trusts the lab."""
    need("chromium", "certutil")


class Chromium:
    """A running browser.

    Args:
        arguments: those that lead it to the lab.
        environment: that makes it trust the lab.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        words = ["chromium", "--headless", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage"]
        words += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        words += ["--disable-extensions", "--disable-default-apps", "--no-default-browser-check", *arguments]
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        self._words = words
        self._environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment}
        self._number = 0
        self._events: list[Message] = []
        self._buffer = b""

    def __enter__(self) -> Self:
        # Chromium reads commands from descriptor 3 and writes to descriptor 4. A shell puts them there, from
        # where they are in nobody's way.
        (asks, self._out), (self._in, answers) = ([_high(end) for end in os.pipe()] for _ in range(2))
        shell = ["bash", "-c", f'exec "$@" 3<&{asks} 4>&{answers} {asks}<&- {answers}>&-', "bash", *self._words]
        self._process = subprocess.Popen(
            shell,
            env=self._environment,
            pass_fds=(asks, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(asks)
        os.close(answers)
        try:
            self.send("Browser.getVersion")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def send(self, method: str, session: str | None = None, **parameters: Any) -> Message:
        """Send a command and wait for its result."""
        self._number += 1
        number = self._number
        message: Message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(until)
            if answer is None:
                raise TimeoutError(f"Chromium did not answer {method} within {PATIENCE} seconds")
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: Message = answer["result"]
                return result
            self._events.append(answer)

    def _receive(self, until: float) -> Message | None:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            received = os.read(self._in, 1 << 20)
            if not received:
                raise ConnectionError("Chromium ended")
            self._buffer += received
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: Message = json.loads(text)
        return message

    def events(self, session: str, until: float) -> Iterator[Message]:
        """The events of a session, as they come, until then."""
        while True:
            while self._events:
                event = self._events.pop(0)
                if event.get("sessionId") == session:
                    yield event
            received = self._receive(until)
            if received is None:
                return
            self._events.append(received)

    @contextlib.contextmanager
    def context(self) -> Iterator[Tab]:
        """A tab in a fresh browser context: it knows nothing but the preload list."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        try:
            yield self.tab(context)
        finally:
            self.send("Target.disposeBrowserContext", browserContextId=context)

    def tab(self, context: str | None = None, url: str = "about:blank") -> Tab:
        """A new tab, in a context or the browser's own."""
        where = {} if context is None else {"browserContextId": context}
        target = self.send("Target.createTarget", url=url, **where)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Page", "Runtime"):
            self.send(f"{domain}.enable", session)
        return Tab(self, session)


class Tab:
    """One tab, which navigates."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def type(self, url: str) -> Chain:
        """Navigate as if the URL had been typed."""
        begun = self._browser.send("Page.navigate", self._session, url=url, transitionType="typed")
        return self._chain(begun.get("errorText", ""))

    def submit(self, url: str, method: str = "POST", fields: Mapping[str, str] | None = None) -> Chain:
        """Navigate from the page that is shown, by a form."""
        script = """((url, method, fields) => {
            const form = document.createElement("form")
            form.action = url; form.method = method
            for (const [name, value] of Object.entries(fields)) {
                const input = document.createElement("input")
                input.name = name; input.value = value; form.append(input)
            }
            document.documentElement.append(form); form.submit()
        })(%s)"""
        return self._run(script % ", ".join(map(json.dumps, (url, method, dict(fields or {"a": "b"})))))

    def follow(self, url: str) -> Chain:
        """Navigate from the page that is shown, by a link."""
        script = """(url => {
            const link = document.createElement("a")
            link.href = url; document.documentElement.append(link); link.click()
        })(%s)"""
        return self._run(script % json.dumps(url))

    def evaluate(self, script: str) -> Any:
        """What a script in the page gives; a promise is waited for."""
        result = self._browser.send(
            "Runtime.evaluate", self._session, expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def _run(self, script: str) -> Chain:
        self._browser.send("Runtime.evaluate", self._session, expression=script, userGesture=True)
        return self._chain("")

    def _chain(self, refused: str) -> Chain:
        """Read events until the main frame's request is over."""
        hops: list[Hop] = []
        request = ""
        error = refused.removeprefix("net::")
        until = time.monotonic() + (SETTLED if refused else PATIENCE)
        for event in self._browser.events(self._session, until):
            method, about = event["method"], event["params"]
            if method == "Network.requestWillBeSent" and about["type"] == "Document":
                if about["requestId"] != request:
                    if request and hops:
                        break
                    request = about["requestId"]
                if "redirectResponse" in about:
                    hops[-1] = _answered(hops[-1], about["redirectResponse"])
                asked = about["request"]
                hops.append(Hop(asked["method"], asked["url"] + asked.get("urlFragment", "")))
            elif method == "Network.responseReceived" and about["requestId"] == request:
                hops[-1] = _answered(hops[-1], about["response"])
                error = ""
            elif method == "Network.loadingFailed" and about["requestId"] == request:
                error = about["errorText"].removeprefix("net::")
                break
            elif method == "Network.loadingFinished" and about["requestId"] == request:
                break
            elif method == "Page.frameRequestedNavigation":
                continue
        return Chain(tuple(hops), error)


def _high(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(descriptor)
    return moved


def _answered(hop: Hop, response: Message) -> Hop:
    headers = tuple(sorted((name.lower(), value) for name, value in response["headers"].items()))
    return hop._replace(
        status=response["status"],
        reason=response["statusText"],
        headers=headers,
        from_cache=bool(response.get("fromDiskCache")),
    )
