"""The one exception tree: what is raised when the caller is at fault.

What a peer does wrong (a bad header, a name that no DNS could hold in a response) is never
raised from here during normal use; it comes back as a value with a reason.

```
HSTSSimError
├── InvalidHeader (ValueError)   .value .code .offset .rule .problems
├── InvalidHost   (ValueError)   .host
├── InvalidURL    (ValueError)   .url
├── InvalidRequest (ValueError)  a method, header or initiator that no request can have
├── InvalidTime   (ValueError)   .text
├── FormatError   (ValueError)   .format .path .line .offset
├── StoreError    (OSError)      .path: a state file that cannot be read, made or written
├── PreloadError                 the list is missing, damaged, or of another version
├── MissingExtra  (ImportError)  names the pip command
├── LabError                     the lab was asked for what cannot be; says what to do instead
└── AuditError                   so was an audit
```
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hstssim.header import Problem


class HSTSSimError(Exception):
    """Every exception that this package raises on purpose is one of these."""


class InvalidHeader(HSTSSimError, ValueError):
    """A Strict-Transport-Security field value that the grammar in force refuses.

    `value` is the field value, `problems` all that is wrong with it in order of place;
    `code`, `offset` (in characters from its start) and `rule` are those of the first problem that
    refuses it.
    """

    def __init__(self, value: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(value, problems)
        self.value = value
        self.problems = problems
        first = next(problem for problem in problems if problem.refuses)
        self.code = first.code
        self.offset = first.offset
        self.rule = first.rule

    def __str__(self) -> str:
        first = next(problem for problem in self.problems if problem.refuses)
        return f"{first.message} (at offset {self.offset} of {short(self.value)})"


class InvalidHost(HSTSSimError, ValueError):
    """A text that is no host: no browser would take it as the host of a URL."""

    def __init__(self, host: object, requirement: str) -> None:
        super().__init__(host, requirement)
        self.host = host

    def __str__(self) -> str:
        return f"{self.args[1]}; seen {short(self.host)}"


class InvalidURL(HSTSSimError, ValueError):
    """A text that is no absolute URL by the WHATWG URL standard."""

    def __init__(self, url: object, requirement: str) -> None:
        super().__init__(url, requirement)
        self.url = url

    def __str__(self) -> str:
        return f"{self.args[1]}; seen {short(self.url)}"


class InvalidRequest(HSTSSimError, ValueError):
    """A method, a header field or an initiator that no request of a browser can have."""


class InvalidTime(HSTSSimError, ValueError):
    """A time that is neither ISO 8601, nor POSIX seconds, nor an offset such as `+30d`."""

    def __init__(self, text: object, requirement: str) -> None:
        super().__init__(text, requirement)
        self.text = text

    def __str__(self) -> str:
        return f"{self.args[1]}; seen {short(self.text)}"


class FormatError(HSTSSimError, ValueError):
    """A state file, or one line of it, that its format does not allow.

    `format` is the format's name (None if it was not recognised), `line` the line number
    counted from 1, `offset` the byte in a file without lines (both None where the whole file is meant).
    """

    def __init__(
        self,
        message: str,
        *,
        format: str | None = None,
        path: str = "",
        line: int | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.format = format
        self.path = path
        self.line = line
        self.offset = offset

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line is not None else self.path
        if self.offset is not None:
            place = f"{place}: byte {self.offset}"
        return f"{place}: {self.args[0]}" if place else str(self.args[0])


class StoreError(HSTSSimError, OSError):
    """A state file that cannot be read, made or written; what was in it is still there.

    `path` is the file, `requirement` what it takes, `seen` what the system said.
    """

    def __init__(self, path: str, requirement: str, seen: object) -> None:
        super().__init__(f"{path}: {requirement}; {getattr(seen, 'strerror', None) or seen}")
        self.path = path
        self.requirement = requirement
        self.seen = seen

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.path, self.requirement, str(self.seen))


class PreloadError(HSTSSimError):
    """A preload list that is missing, damaged, of another version, or cannot be built."""


class MissingExtra(HSTSSimError, ImportError):
    """A library that is needed for just this is not installed; the message names the command."""


class LabError(HSTSSimError):
    """The lab was asked for what cannot be: an unknown site, a port in use, a script that cannot be sent."""


class AuditError(HSTSSimError):
    """An audit was asked for what cannot be: an unknown case, a command without a URL, a missing program."""


def short(seen: object) -> str:
    """What was seen, in a form fit for one line of a message."""
    text = repr(seen)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"
