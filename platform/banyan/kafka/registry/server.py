"""A schema registry of Banyan's own, for development and tests: Apicurio, built once by Maven, with nothing on disk.

It speaks Confluent's protocol at the path of `url`. What it is told is gone when it stops.
"""

import os
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from banyan.kafka.running import KafkaError, answers, command_of, end, free_ports, lock_path, locked, run, tail
from banyan.kafka.server import missing_programs

_HERE = Path(__file__).parent
_SECONDS_MAX = 180.0
_PATH = "/apis/ccompat/v7"


@dataclass(frozen=True, slots=True)
class RegistryServer:
    """The registry that is built and runs in `directory`. Making this object touches nothing."""

    directory: Path

    def url(self) -> str | None:
        """Return where it answers, or None when it does not run."""
        try:
            address, pid = (self.directory / "running").read_text().split()
        except (OSError, ValueError):
            return None
        is_ours = any(b"quarkus-run.jar" in word for word in command_of(int(pid)))
        return f"http://{address}{_PATH}" if is_ours and answers(address) else None

    def start(self) -> str:
        """Return where it answers; build and start it where needed. Raises KafkaError where that cannot be."""
        running = self.url()
        if running is not None:
            return running
        missing = missing_programs()
        if missing:
            raise KafkaError(f"A registry of our own needs {' and '.join(missing)}; for yours: SCHEMA_REGISTRY_URL.")
        self.build()
        with locked(self.directory):
            return self.url() or self._launch()

    def build(self) -> None:
        """Have Maven build what is not there. Raises KafkaError with the end of what it said."""
        pom = (_HERE / "pom.xml").read_bytes()
        kept = self.directory / "app" / "pom.xml"
        if kept.exists() and kept.read_bytes() == pom:
            return
        with locked(self.directory):
            staging = self.directory / "building"
            shutil.rmtree(staging, ignore_errors=True)
            resources = staging / "src" / "main" / "resources"
            resources.mkdir(parents=True)
            (staging / "pom.xml").write_bytes(pom)
            shutil.copy(_HERE / "application.properties", resources)
            done = run("mvn", "-q", "-B", "-f", staging / "pom.xml", "package", "-Dquarkus.package.type=fast-jar")
            if done.returncode:
                raise KafkaError(f"Maven could not build the registry. The end of what it said:\n{tail(done.stdout)}")
            shutil.rmtree(self.directory / "app", ignore_errors=True)
            (staging / "target" / "quarkus-app").rename(self.directory / "app")
            kept.write_bytes(pom)
            shutil.rmtree(staging)

    def stop(self) -> bool:
        """Stop it; return whether it ran."""
        if self.url() is None:
            return False
        end(int((self.directory / "running").read_text().split()[1]))
        return True

    def remove(self) -> None:
        """Stop it and delete what was built."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        lock_path(self.directory).unlink(missing_ok=True)

    def _launch(self) -> str:
        [port] = free_ports(1)
        jar = self.directory / "app" / "quarkus-run.jar"
        options = ("-Xmx256m", "-XX:+UseSerialGC", f"-Dquarkus.http.port={port}", "-Dquarkus.http.host=127.0.0.1")
        log = self.directory / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["java", *options, "-jar", str(jar)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, "REGISTRY_LOG_LEVEL": "WARN"},
            )  # fmt: skip
        (self.directory / "running").write_text(f"127.0.0.1:{port} {process.pid}")
        until = time.monotonic() + _SECONDS_MAX
        while not _is_well(f"http://127.0.0.1:{port}{_PATH}/subjects"):
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                said = tail(log.read_text(errors="replace"))
                raise KafkaError(f"The registry did not start. The end of {log}:\n{said}")
            time.sleep(0.1)
        return f"http://127.0.0.1:{port}{_PATH}"


def _is_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310  # nosec B310 # our own address
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
