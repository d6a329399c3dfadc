"""The tour's stage: the authority, an upstream that echoes, a model provider, and Envoy with Portcullis in front of them.

Everything listens on loopback, on ports that the system picks, so several stages can run side by side. A stage
has a folder with a log and a pid file per process: `down` ends the processes that these name, and no others.
"""

import base64
import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Public, like those of authority/tour.toml.
GATEWAY_SECRET = "gateway-secret-b5e803c7d1946fa2"
ENVIRONMENT = {
    "API_KEY_PEPPER": "a pepper for the tour, not for you",
    "INTROSPECTION_SECRET": GATEWAY_SECRET,
    "LIST_AUTHORIZATION": "Basic " + base64.b64encode(f"gateway:{GATEWAY_SECRET}".encode()).decode(),
}


class Failed(Exception):
    """The stage cannot be started; the message says why."""


class Actor:
    """One process of the stage."""

    def __init__(self, folder, name):
        self.name = name
        self.log = folder / f"{name}.log"
        self.pid_file = folder / f"{name}.pid"
        self.process = None

    def start(self, argv, env=None):
        with open(self.log, "wb") as log:
            try:
                self.process = subprocess.Popen(
                    [str(word) for word in argv],
                    cwd=ROOT,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C reaches this process only, which ends the others in order
                )
            except OSError as error:
                raise Failed(f"{argv[0]}: {error.strerror}") from error
        self.pid_file.write_text(f"{self.process.pid} {born(self.process.pid)}\n")

    def says(self, word):
        """Waits for a line of its log that begins with `word`, and returns the rest."""
        return self.wait_for(lambda: next(
            (line[len(word):].strip() for line in self.log.read_text(errors="replace").splitlines()
             if line.startswith(word)),
            None,
        ), f"says `{word.strip()}`")

    def wait_for(self, ready, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = ready()
            if found:
                return found
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.last_words()}")
            time.sleep(0.05)
        raise Failed(f"{self.name} did not get so far that it {what} within {seconds} s:\n{self.last_words()}")

    def last_words(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def running(self):
        """Its pid, if the process that we started still runs; the pid alone may belong to another by now."""
        try:
            pid, birth = self.pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if born(pid) == birth else None

    def end(self, sig=signal.SIGTERM):
        for sig, seconds in ((sig, 5), (signal.SIGKILL, 5)):
            pid = self.running()
            if pid is None:
                break
            os.kill(pid, sig)
            end = time.monotonic() + seconds
            while self.running() and time.monotonic() < end:
                if self.process:
                    self.process.poll()  # our child: reaps it
                time.sleep(0.02)
        self.pid_file.unlink(missing_ok=True)


def born(pid):
    """When a process started, in ticks since boot; None if it has ended."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if after_name[0] == "Z" else after_name[19]


class Stage:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority_actor = Actor(self.folder, "authority")
        self.upstream_actor = Actor(self.folder, "upstream")
        self.models_actor = Actor(self.folder, "models")
        self.envoy_actor = Actor(self.folder, "envoy")
        self.actors = [self.authority_actor, self.upstream_actor, self.models_actor, self.envoy_actor]
        self.addresses = self.folder / "addresses.json"
        self.authority = self.authority_admin = self.upstream = self.provider = None
        self.envoy = self.models = self.envoy_admin = None

    def up(self):
        for left in self.folder.glob("authority.db*"):
            left.unlink()
        self.start_authority()
        self.upstream_actor.start(["python3", "-u", "scripts/echo_upstream.py"])
        self.upstream = self.upstream_actor.says("listening ")
        self.models_actor.start([ROOT / "target/debug/model-upstream", "--listen", "127.0.0.1:0"])
        self.provider = self.models_actor.says("listening ")
        self.start_envoy()
        self.addresses.write_text(json.dumps({
            name: getattr(self, name)
            for name in ("authority", "authority_admin", "upstream", "provider", "envoy", "models", "envoy_admin")
        }))

    def down(self):
        """Ends what was started and returns what that was."""
        ended = [actor.name for actor in self.actors if actor.running()]
        for actor in reversed(self.actors):
            actor.end()
        self.addresses.unlink(missing_ok=True)
        return ended

    def found_up(self):
        """Whether an earlier `up` still runs; if so, takes over its addresses."""
        if not self.addresses.exists() or not all(actor.running() for actor in self.actors):
            return False
        for name, address in json.loads(self.addresses.read_text()).items():
            setattr(self, name, address)
        return True

    def start_authority(self):
        """On free ports; after an outage on the same ports, where Envoy looks for it, and with the same database."""
        config = self.folder / "authority.toml"
        config.write_text("".join((ROOT / "authority" / name).read_text() for name in ("tour.toml", "tour-agents.toml")))
        self.authority_actor.start([
            ROOT / "target/debug/authority", "serve", "--config", config, "--faults",
            "--database", self.folder / "authority.db",
            "--listen", (self.authority or "http://127.0.0.1:0")[len("http://"):],
            "--admin", (self.authority_admin or "http://127.0.0.1:0")[len("http://"):],
        ])
        self.authority = self.authority_actor.says("listening ")
        self.authority_admin = self.authority_actor.says("admin ")

    def start_envoy(self):
        authority, upstream = host_and_port(self.authority), host_and_port(self.upstream)
        provider = host_and_port(self.provider)
        config = subprocess.run(
            ["scripts/envoy_config.sh"], cwd=ROOT, check=True, stdout=subprocess.PIPE,
            env={
                **os.environ,
                "MODULE": str(ROOT / "target/wasm32-wasip1/release/portcullis.wasm"),
                "MODELS_MODULE": str(ROOT / "target/wasm32-wasip1/release/portcullis-ai.wasm"),
                "LISTEN_ADDRESS": "127.0.0.1", "LISTEN_PORT": "0", "MODELS_PORT": "0", "ADMIN_PORT": "0",
                "MODELS_HOST": provider[0], "MODELS_UPSTREAM_PORT": provider[1],
                "AUTHORITY_HOST": authority[0], "AUTHORITY_PORT": authority[1],
                "UPSTREAM_HOST": upstream[0], "UPSTREAM_PORT": upstream[1],
            },
        ).stdout
        (self.folder / "envoy.yaml").write_bytes(config)

        admin = self.folder / "envoy.admin"
        admin.unlink(missing_ok=True)
        self.envoy_actor.start(
            [
                os.environ.get("ENVOY_BIN", "envoy"), "-c", self.folder / "envoy.yaml",
                "--admin-address-path", admin,
                "--disable-hot-restart",  # it would take shared memory that a second Envoy also needs
                "--concurrency", "2",
                "--file-flush-interval-msec", "200",
            ],
            env=ENVIRONMENT,
        )
        self.envoy_actor.wait_for(lambda: admin.exists() and admin.read_text(), "has an admin port")
        self.envoy_admin = "http://" + admin.read_text()
        self.envoy_actor.wait_for(lambda: answers(self.envoy_admin + "/ready"), "is ready")
        with urllib.request.urlopen(self.envoy_admin + "/listeners?format=json", timeout=5) as reply:
            listeners = {
                listener["name"]: listener["local_address"]["socket_address"]
                for listener in json.load(reply)["listener_statuses"]
            }
        self.envoy = "http://{address}:{port_value}".format(**listeners["edge"])
        self.models = "http://{address}:{port_value}".format(**listeners["models"])


def host_and_port(url):
    host, _, port = url[len("http://"):].rpartition(":")
    return host, port


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False
