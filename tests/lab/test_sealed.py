"""A sealed room: programs as they are reach the lab under every name, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hstssim.errors import LabError
from hstssim.lab import Lab, clients, namespaces
from hstssim.lab.clients import CLIENTS
from hstssim.lab.sealed import Room
from tests.programs import missing

pytestmark = pytest.mark.oracle

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
"""Seconds that a program may take."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def room(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    """A room whose programs have a home of their own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    lab.site("good.test", sts="max-age=31536000")
    try:
        room = lab.sealed()
    except LabError as error:
        missing(f"no namespaces: {error}")
    with room:
        yield room


@pytest.fixture
def run(room: Room) -> Run:
    def start(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
        return room.run(words, capture_output=True, text=True, timeout=PATIENCE, **options)  # type: ignore[arg-type]

    return start


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", code)


# ── the clients of the table

SEEN = (
    "curl", "wget", "wget2", "aria2", "lynx", "w3m", "node", "urllib", "urllib3", "requests", "httpx", "aiohttp",
    "scrapy", "libsoup", "chromium", "firefox",
)  # fmt: skip
"""Those that are asked here; the others of the table were asked by hand."""


def installed(name: str) -> clients.Client:
    client = CLIENTS[name]
    program = client.run[0].replace("{python}", sys.executable)
    if shutil.which(program) is None:
        missing(f"{program} is not installed")
    if (
        name == "libsoup"
        and subprocess.run([*client.run[:2], "import gi"], check=False, capture_output=True).returncode
    ):
        missing("python3-gi is not installed")
    return client


@pytest.mark.parametrize("name", SEEN)
def test_a_client_reaches_a_site_and_finds_no_fault_in_its_certificate(
    lab: Lab, run: Run, tmp_path: Path, name: str
) -> None:
    installed(name).prepare(str(tmp_path))
    words = installed(name).command(f"https://good.test/{name}", str(tmp_path))
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {request.url for request in lab.requests if request.target == f"/{name}"} == {
        f"https://good.test/{name}"
    }


@pytest.mark.parametrize("name", [name for name in SEEN if CLIENTS[name].verifies and name != "firefox"])
def test_a_client_that_verifies_refuses_a_certificate_that_is_not_the_labs(
    lab: Lab, run: Run, tmp_path: Path, name: str
) -> None:
    lab.site("stranger.test", certificate="unknown-issuer")
    run(*installed(name).command(f"https://stranger.test/{name}", str(tmp_path)), cwd=tmp_path)
    assert any(connection.certificate == "unknown-issuer" for connection in lab.log.connections)
    assert [request for request in lab.requests if request.target == f"/{name}"] == []


def test_every_row_of_the_table_can_be_run_or_says_that_it_cannot() -> None:
    for client in CLIENTS.values():
        if client.run:
            words = client.command("http://a.test/", "/work", "/store" if client.state else None)
            assert sum("http://a.test/" in word for word in words) == 1
            assert not [word for word in words if re.search(r"\{(url|workdir|store|python)\}", word)]
            assert client.trusted_by or not client.verifies
        else:
            with pytest.raises(LabError, match=f"starts {client.name}"):
                client.command("http://a.test/", "/work")
    with pytest.raises(LabError, match="cannot be told where"):
        CLIENTS["requests"].command("http://a.test/", "/work", "/store")


# ── what a program finds

NAMES = """
import socket
for name in ("github.com", "a.b.example", "localhost", socket.gethostname()):
    print(name == "localhost" or socket.gethostbyname(name) == "127.0.0.1")
"""


def test_every_name_is_here(room: Room, run: Run) -> None:
    assert run(*python(NAMES)).stdout.split() == ["True"] * 4
    assert [lookup for lookup in room.lookups if lookup.type == "A"] == [("github.com", "A"), ("a.b.example", "A")]


@pytest.mark.parametrize(
    "url", ["http://shop.test/", "https://shop.test/", "http://shop.test:8080/", "https://shop.test:8443/"]
)
def test_the_ports_are_real(lab: Lab, run: Run, url: str) -> None:
    lab.site("*")
    assert run("curl", "-sS", url).stdout == f"the lab answers {url}\n"


def test_ports_are_chosen(lab: Lab, room: Room) -> None:
    with lab.sealed(ports=(81,)) as other:
        assert other.run(["curl", "-s", "https://good.test:81/"]).returncode == 0
        assert other.run(["curl", "-s", "https://good.test/"]).returncode == 7


def test_the_user_is_the_same_and_processes_are_its_own(run: Run) -> None:
    done = run(*python("import os; print(os.getuid(), os.getgid(), os.getpid() < 5, os.getcwd())"), cwd="/usr")
    assert done.stdout.split() == [str(os.getuid()), str(os.getgid()), "True", "/usr"]


def test_no_proxy_of_the_users_is_left(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in clients.PROXY_VARIABLES:
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert run("curl", "-sS", "https://good.test/").returncode == 0


def test_the_environment_arrives_as_given(run: Run) -> None:
    done = run("env", env={"PATH": os.environ["PATH"], "LC_ALL": "C", "ODD": "a=b\nc"})
    assert done.stdout == f"PATH={os.environ['PATH']}\nLC_ALL=C\nODD=a=b\nc\n"


def test_openssl_finds_the_authority_by_its_hash(run: Run) -> None:
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    done = run("sh", "-c", "ls /etc/ssl/certs; openssl x509 -subject_hash -noout -in /etc/ssl/certs/hstssim.pem")
    *names, found = done.stdout.split()
    assert f"{found}.0" in names


def test_an_nss_database_of_the_user_is_covered_and_comes_back(lab: Lab, tmp_path: Path, run: Run) -> None:
    if shutil.which("certutil") is None:
        missing("certutil is not installed")
    database = tmp_path / ".pki" / "nssdb"
    database.mkdir(parents=True)
    (database / "mine").write_text("")
    with lab.sealed() as room:
        said = room.run(["certutil", "-L", "-d", f"sql:{database}"], capture_output=True, text=True).stdout
    assert "hstssim lab" in said
    assert os.listdir(database) == ["mine"]


# ── what passes through


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -15), ("kill -KILL $$", -9)]
)
def test_the_exit_status_is_the_programs(run: Run, script: str, status: int) -> None:
    assert run("sh", "-c", script).returncode == status


def test_input_and_output_pass_through(room: Room) -> None:
    done = room.run(["sh", "-c", "cat; echo wrong >&2"], input="said", capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("said", "wrong\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_the_program(room: Room, number: signal.Signals) -> None:
    script = f"trap 'echo heard; exit 3' {number.name[3:]}; echo ready; while :; do sleep 0.01; done"
    with room.popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert (process.stdout.read(), process.wait(PATIENCE)) == ("heard\n", 3)


def test_a_program_that_takes_too_long_is_killed_with_its_children(room: Room, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        room.run(bomb(tmp_path, "sleep 1000"), capture_output=True, timeout=1)
    assert caught.value.stdout == b"up\n"
    assert left(tmp_path) == []


def test_a_program_that_cannot_be_run_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    done = run(str(tmp_path / "text"))
    assert done.returncode == namespaces.NOT_EXECUTABLE
    assert done.stderr == f"hstssim: {tmp_path / 'text'} cannot be run: Permission denied\n"


# ── what does not get out

OUTSIDE = """
import errno, socket
for family, address in (
    (socket.AF_INET, "1.1.1.1"), (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")
):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as sock:
            try:
                sock.connect((address, 443))
                print("connected")
            except OSError as error:
                print(errno.errorcode[error.errno])
"""


def test_an_address_outside_is_unreachable(lab: Lab, run: Run) -> None:
    assert set(run(*python(OUTSIDE)).stdout.split()) <= {"ENETUNREACH", "EADDRNOTAVAIL"}
    assert lab.log.connections == []


def test_the_loopback_of_the_machine_is_another(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        outside.setblocking(False)
        port = outside.getsockname()[1]
        assert run("curl", "-s", f"http://127.0.0.1:{port}/").returncode == 7
        with pytest.raises(BlockingIOError):
            outside.accept()


RAW = """
import socket
print(*(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]))
try:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.sendto(b"\\x08\\x00\\xf7\\xff\\x00\\x00\\x00\\x00", ("1.1.1.1", 0))
        print("sent")
except OSError as error:
    print("refused")
"""


def test_a_raw_socket_finds_loopback_alone(run: Run) -> None:
    assert run(*python(RAW)).stdout.split("\n")[:2] == ["lo", "refused"]


@pytest.mark.parametrize("server", ["dns.google", "1.1.1.1"])
def test_dns_over_https_reaches_the_lab_or_nothing(lab: Lab, run: Run, server: str) -> None:
    lab.site("*")
    done = run("curl", "-sS", "--doh-url", f"https://{server}/dns-query", "https://github.com/")
    assert done.returncode == 6
    assert {request.host for request in lab.requests} == ({"dns.google"} if server == "dns.google" else set())


def test_the_sockets_of_the_machines_services_are_hidden(run: Run) -> None:
    assert run("ls", "/run").stdout.split() == ["lock", "user"]


def bomb(folder: Path, end: str = "") -> list[str]:
    """Fifty children that nobody waits for, each in a session of its own."""
    name = shutil.copy("/bin/sleep", folder / marker(folder))
    script = f"for i in $(seq 50); do (setsid {name} 1000 >/dev/null 2>&1 &) ; done; echo up; {end}"
    return ["sh", "-c", script]


def marker(folder: Path) -> str:
    """A name that no other run has used."""
    return f"sleep-{folder.stat().st_ino}-{os.getpid()}"


def left(folder: Path) -> list[str]:
    """What still runs of them, anywhere on the machine."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if marker(folder).encode() in words.split(b"\0")[0]:
            found.append(process.name)
    return found


def test_what_a_program_leaves_behind_ends_with_it(run: Run, tmp_path: Path) -> None:
    assert run(*bomb(tmp_path)).stdout == "up\n"
    assert left(tmp_path) == []


def test_a_room_closes_with_its_lab() -> None:
    with Lab() as lab:
        room = lab.sealed()
    with pytest.raises(LabError, match="a program runs in a room that is open; this one is closed"):
        room.run(["true"])


def test_what_still_runs_ends_with_the_room(room: Room, tmp_path: Path) -> None:
    process = room.popen(bomb(tmp_path, "sleep 1000"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    assert eventually(lambda: len(left(tmp_path)) == 50)
    room.close()
    assert left(tmp_path) == []
    process.stdout.close()


KILLED = """
import sys
from hstssim.lab import Lab
with Lab() as lab, lab.sealed() as room:
    print(lab.ca_file, flush=True)
    room.run(sys.argv[1:])
"""


def test_a_lab_that_is_killed_leaves_neither_processes_nor_files(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, *bomb(tmp_path, "sleep 1000")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as lab:
        assert lab.stdout is not None
        file = lab.stdout.readline().strip()
        if not file or lab.stdout.readline() != "up\n":
            assert lab.stderr is not None
            missing(f"no namespaces: {lab.stderr.read()}")
        lab.kill()
    assert eventually(lambda: not left(tmp_path) and not os.path.exists(os.path.dirname(file)))


def eventually(claim: Callable[[], bool]) -> bool:
    """Whether a claim comes true; the processes that make it true are no children of ours to be waited for."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if claim():
            return True
        os.sched_yield()
    return False


def test_a_room_leaves_no_file_descriptors(lab: Lab, room: Room) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with lab.sealed() as other:
            other.run(["true"])
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_root_there_is_a_room_too(stack: ExitStack) -> None:
    if os.geteuid() != 0:
        pytest.skip("that is how the other tests ran")
    program = """
import os, sys, tempfile
sys.path[:0] = sys.argv[1:]
import hstssim.lab.sealed, hstssim.lab.names
from hstssim.lab import Lab
with Lab() as lab:
    lab.site("good.test")
    with lab.sealed() as room:
        room.run(["sh", "-c", "id -u; id -g; curl -sS https://good.test/"])
"""
    pythons = [sys.executable, "/usr/bin/python3"]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = [path for path in sys.path if path.endswith("site-packages")]
    check = "import sys; sys.path += sys.argv[1:]; import ada_url, cryptography.x509, dns, h11, urllib3; "
    check += f"sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for name in pythons:
        try:
            fits = subprocess.run(
                [name, "-c", check, *packages], user=65534, group=65534, check=False, capture_output=True
            ).returncode
        except OSError:
            continue
        if fits == 0:
            break
    else:
        pytest.skip(f"no Python {version}, with our packages, that a user other than root may start")
    # pytest's own folders are closed to others.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    folder.chmod(0o755)
    shutil.copytree(ROOT / "hstssim", folder / "hstssim")
    paths = [str(folder), *packages]
    done = subprocess.run(
        [name, "-c", program, *paths],
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[:3] == ["65534", "65534", "good.test answers / over https"], done.stderr


def test_root_needs_no_user_namespace(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can do without")

    def refused(process: int) -> None:
        raise PermissionError(f"no mapping for {process}")

    monkeypatch.setattr("hstssim.lab.sealed._map_users", refused)
    lab.site("good.test")
    with lab.sealed() as room:
        done = room.run(["curl", "-sS", "https://good.test/"], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("good.test answers / over https\n", "")
        assert room.run(["mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode != 0


def test_a_fresh_home_knows_nothing_and_keeps_nothing(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / ".wget-hsts").write_text("good.test 0 1 1700000000 3000000000\n")
    lab.site("good.test", sts="max-age=300")
    before = sorted(os.listdir(tmp_path))
    try:
        room = lab.sealed(fresh_home=True)
    except LabError as error:
        missing(f"no namespaces: {error}")
    with room:
        room.run(["wget", "-q", "-O", "/dev/null", "http://good.test/a", "https://good.test/b"])
        said = room.run(["sh", "-c", "env; ls -A ~"], capture_output=True, text=True).stdout
    assert [request.url for request in lab.requests] == ["http://good.test/a", "https://good.test/b"]
    assert ".wget-hsts" in said.split("\n")
    assert "XDG_CONFIG_HOME" not in said
    assert sorted(os.listdir(tmp_path)) == before


# ── what is refused


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-program"], "a command is a program that is installed; seen 'no-such-program'"),
        (["/no/such/program"], "a command is a program that is installed; seen '/no/such/program'"),
        ([], r"a command is a list, its program first, without a shell; seen \[\]"),
        ("curl https://a.test/", "a command is a list"),
    ],
    ids=["name", "path", "nothing", "text"],
)
def test_a_command_that_does_not_exist_is_refused(room: Room, command: list[str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        room.run(command)


def test_a_closed_room_is_refused(room: Room) -> None:
    room.close()
    room.close()
    with pytest.raises(LabError, match="this one is closed"):
        room.run(["true"])


@pytest.mark.parametrize("ports", [(0,), (80, 80), (70000,), ("80",)])
def test_ports_that_are_none_are_refused(lab: Lab, ports: tuple[int, ...]) -> None:
    with pytest.raises(LabError, match="the ports of a room are different numbers"):
        lab.sealed(ports=ports)


def test_where_there_are_no_namespaces_it_names_the_proxy_way(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "refused.py"
    script.write_text(
        "import socket, sys\nlink = socket.socket(fileno=int(sys.argv[2]))\nlink.recv(65536)\n"
        'link.sendall(b\'{"error": "a user namespace: Operation not permitted"}\\n\')\n'
    )
    monkeypatch.setattr(namespaces, "__file__", str(script))
    with pytest.raises(LabError, match=r"needs namespaces.*client_env.*through a proxy.*Operation not permitted"):
        lab.sealed()


def test_other_systems_are_told_the_proxy_way(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LabError, match=r"namespaces of Linux.*client_env.*seen darwin"):
        lab.sealed()
