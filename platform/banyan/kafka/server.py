"""An Apache Kafka of Banyan's own, one node in KRaft mode, for whoever has no Docker: Java, and Maven to get its jars.

It listens on this machine only, on ports that were free when it was made and are kept, so that several checkouts have
one each. It stays up between commands until `manage.py kafka stop`. It is for development and tests: one node without
copies, whose listener asks nobody who they are.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from banyan.kafka.running import (
    STOP_SECONDS_MAX,
    KafkaError,
    answers,
    come_free,
    command_of,
    end,
    free_ports,
    lock_path,
    locked,
    run,
    tail,
    wait_until_gone,
    write_whole,
)

_POM = Path(__file__).with_name("pom.xml")
_HEAP = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC")
_START_SECONDS_MAX = 180.0
_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    # One node keeps one copy, of what it keeps for itself too.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # After a kill the next start waits until the dead registration has run out.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "16777216",
    # Who is not known by name may do anything here; rules for those who are can be tried out.
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """The broker whose data is in `directory`, run from the jars in `jars`. Making this object touches nothing."""

    directory: Path
    jars: Path

    def address(self) -> str | None:
        """Return where the broker answers, as `host:port`, or None when it does not run."""
        try:
            address = (self.directory / "address").read_text()
        except OSError:
            return None
        return address if self._pid() is not None and answers(address) else None

    def start(self) -> str:
        """Return where the broker answers; get, make and start it where needed.

        Raises KafkaError when Java or Maven is missing, and with the end of its log when it does not start.
        """
        running = self.address()
        if running is not None:
            return running
        if not Path("/proc/self").exists():
            raise KafkaError("A Kafka broker of our own needs Linux. Name your own by KAFKA_BOOTSTRAP.")
        missing = missing_programs()
        if missing:
            raise KafkaError(
                f"A Kafka broker of our own needs {' and '.join(missing)} (on Debian: apt-get install "
                "default-jre-headless maven). With Docker: docker compose up -d kafka. For your own: KAFKA_BOOTSTRAP."
            )
        self.get_jars()
        with locked(self.directory):
            return self.address() or self._launch()

    def get_jars(self) -> None:
        """Have Maven get the jars that are not there. Raises KafkaError with the end of what it said."""
        pom = _POM.read_bytes()
        kept = self.jars / "pom.xml"
        if kept.exists() and kept.read_bytes() == pom:
            return
        with locked(self.jars):
            if kept.exists() and kept.read_bytes() == pom:
                return
            staging = self.jars.with_name(f".{self.jars.name}.new")
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            (staging / "pom.xml").write_bytes(pom)
            goal = ("dependency:copy-dependencies", f"-DoutputDirectory={staging}", "-DincludeScope=runtime")
            done = run("mvn", "-q", "-B", "-f", staging / "pom.xml", *goal)
            if done.returncode:
                shutil.rmtree(staging, ignore_errors=True)
                raise KafkaError(f"Maven could not get Kafka's jars. The end of what it said:\n{tail(done.stdout)}")
            shutil.rmtree(self.jars, ignore_errors=True)
            staging.rename(self.jars)

    def stop(self) -> bool:
        """Stop the broker in order; return whether it ran."""
        if not self.directory.exists():
            return False
        with locked(self.directory):
            pid = self._pid()
            if pid is None:
                return False
            end(pid)
            return True

    def kill(self) -> None:
        """End the broker as a crash would."""
        pid = self._pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until_gone(pid, STOP_SECONDS_MAX)

    def remove(self) -> None:
        """Stop the broker and delete all its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        lock_path(self.directory).unlink(missing_ok=True)

    def _launch(self) -> str:
        self.directory.mkdir(parents=True, exist_ok=True)
        address = self._configure()
        properties = self.directory / "server.properties"
        if not (self.directory / "data" / "meta.properties").exists():
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
            tool = (*self._java(), "kafka.tools.StorageTool", "format")
            done = run(*tool, "-t", cluster, "-c", properties, "--ignore-formatted")
            if done.returncode:
                raise KafkaError(f"Kafka could not make {self.directory / 'data'}:\n{tail(done.stdout)}")
        log = self.directory / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*map(str, self._java()), "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/",
            )  # fmt: skip
        (self.directory / "pid").write_text(str(process.pid))
        end = time.monotonic() + _START_SECONDS_MAX
        while not _is_well(address):
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise KafkaError(f"Kafka did not start. The end of {log}:\n{tail(log.read_text(errors='replace'))}")
        write_whole(self.directory / "address", address)
        return address

    def _configure(self) -> str:
        """Write the broker's settings, with ports that are free; return its address."""
        kept = self.directory / "ports.json"
        ports = json.loads(kept.read_text()) if kept.exists() else []
        if len(ports) != 2 or not come_free(ports):
            ports = free_ports(2)
            write_whole(kept, json.dumps(ports))
        port, controller = ports
        listeners = f"PLAINTEXT://127.0.0.1:{port}"
        properties = {
            **_PROPERTIES,
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.directory / "data"),
        }
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        write_whole(self.directory / "server.properties", lines)
        return f"127.0.0.1:{port}"

    def _java(self) -> list[str | Path]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return ["java", *_HEAP, quiet, "-cp", f"{self.jars}/*"]

    def _pid(self) -> int | None:
        """Return the process of the broker; None where it has ended and its number may be another's by now."""
        try:
            pid = int((self.directory / "pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.directory / "server.properties") in command_of(pid) else None


def missing_programs() -> list[str]:
    """Return what this machine lacks for a broker of our own."""
    return [name for name, program in (("Java", "java"), ("Maven", "mvn")) if shutil.which(program) is None]


def _is_well(address: str) -> bool:
    """Tell whether the broker answers questions, waiting a moment for it."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    if not answers(address):
        time.sleep(0.05)
        return False
    try:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        return bool(admin.list_topics(timeout=1.0).brokers)
    except KafkaException:
        return False
