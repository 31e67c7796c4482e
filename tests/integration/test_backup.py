"""Backups: whole or refused, of one moment, and back again; whoever holds a key is in the way."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from apps.execution.models import Account
from banyan.backup import RESTORING, BackupError, check, make, release, replace
from banyan.models import DeadLetter, Key, Mark

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
ALIASES = ("execution", "risk", "edge")


@pytest.fixture
def backup(tmp_path):
    """A backup of three databases, in which an account is open, and a key at record 7 of epoch 3."""
    Account.objects.using("execution").create(id="A1", number=1, shard="00", client="c", broker="paper", currency="USD")
    Key.objects.using("execution").create(key="00", epoch=3, number=7)
    make(tmp_path / "backup", ALIASES)
    return tmp_path / "backup"


def test_what_was_there_is_there_again_and_what_came_later_is_not(backup):
    Account.objects.using("execution").create(id="A2", number=2, shard="00", client="c", broker="paper", currency="USD")
    Key.objects.using("execution").filter(key="00").update(number=9)
    replace(backup, check(backup, ALIASES), ALIASES, lambda _: False)
    assert [each.id for each in Account.objects.using("execution").all()] == ["A1"]
    assert Key.objects.using("execution").get(key="00").number == 7


def test_a_backup_is_for_its_owner_only(backup):
    assert backup.stat().st_mode & 0o077 == 0


def test_keys_are_held_in_an_epoch_that_nobody_has_heard_of_until_they_are_let_go(backup):
    Mark.objects.using("risk").create(key="00", sender="execution", sender_key="00", epoch=11, position=4097)
    replace(backup, check(backup, ["execution"]), ["execution"], lambda _: False)
    key = Key.objects.using("execution").get(key="00")
    assert (key.epoch, key.owner) == (12, RESTORING)
    release(ALIASES)
    assert Key.objects.using("execution").get(key="00").owner == ""


def test_rows_that_are_added_after_a_restore_get_numbers_of_their_own(backup):
    letter = {"key": "00", "number": 1, "reason": "r", "header": b"", "body": b"", "parked_at": "2026-01-01T00:00Z"}
    for _ in range(3):
        DeadLetter.objects.using("execution").create(**letter)
    folder = backup.with_name("later")
    make(folder, ALIASES)
    DeadLetter.objects.using("execution").all().delete()
    replace(folder, check(folder, ALIASES), ALIASES, lambda _: False)
    DeadLetter.objects.using("execution").create(**letter)
    assert DeadLetter.objects.using("execution").count() == 4


def damage(path):
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "is no backup"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "cannot be read"),
        (lambda folder: (folder / "execution" / "execution_account.copy").unlink(), "is missing or not what"),
        (lambda folder: damage(folder / "execution" / "execution_account.copy"), "is missing or not what"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_nothing_changes(backup, spoil, says):
    Account.objects.using("execution").create(id="A2", number=2, shard="00", client="c", broker="paper", currency="USD")
    spoil(backup)
    with pytest.raises(BackupError, match=says):
        check(backup, ALIASES)
    with pytest.raises(CommandError, match=says):
        call_command("restore", str(backup), only=["execution"])
    assert Account.objects.using("execution").count() == 2


def test_a_backup_of_other_migrations_is_refused(backup):
    with connections["execution"].cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('execution', '0099_new', now())")
        try:
            with pytest.raises(BackupError, match="under other migrations.*0099_new"):
                check(backup, ALIASES)
        finally:
            cursor.execute("DELETE FROM django_migrations WHERE name = '0099_new'")


def test_a_database_that_is_in_use_is_not_touched(backup):
    with connections["risk"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO banyan_key (key, epoch, is_leading, number, owner, lease_until, parked_because, parked_id) "
            "VALUES ('00', 1, true, 5, 'somebody', now() + interval '1 minute', '', '')"
        )
    with pytest.raises(BackupError, match="risk is in use by somebody"):
        replace(backup, check(backup, ["execution"]), ["execution"], lambda _: False)
    replace(backup, check(backup, ["execution"]), ["execution"], lambda owner: owner == "somebody")


def test_a_folder_that_is_there_already_is_not_written_to(backup):
    with pytest.raises(BackupError, match="exists already"):
        make(backup, ALIASES)
