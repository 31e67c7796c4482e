"""Accounts stay in the shards that they were opened in: another number is refused, and the right one named."""

import pytest

from apps.execution.interface import AccountError, NewAccount, check_spread, open_accounts
from settings import warming

pytestmark = pytest.mark.django_db(databases=["execution"], transaction=True)


def accounts(first: int, count: int, **more: bool) -> list[NewAccount]:
    return [NewAccount(id=f"A-{number}", client="a", deposit=1e4, **more) for number in range(first, first + count)]


def test_with_another_number_of_shards_nothing_is_opened(settings):
    settings.SHARDS = 5
    open_accounts(accounts(0, 40))
    settings.SHARDS = 12
    with pytest.raises(AccountError, match="not spread over 12 shards, and stay where they are: set BANYAN_SHARDS=5"):
        open_accounts(accounts(40, 1))
    settings.SHARDS = 5
    assert len(open_accounts(accounts(40, 1))) == 1


def test_a_system_does_not_start_with_another_number_of_shards(settings, monkeypatch):
    monkeypatch.setattr(warming, "compile_all", lambda: pytest.fail("it went on"))
    settings.SHARDS = 5
    open_accounts(accounts(0, 40))
    settings.SHARDS = 4
    with pytest.raises(AccountError, match="set BANYAN_SHARDS=5"):
        warming.prepare()


def test_the_canary_shard_says_nothing_about_others(settings):
    settings.SHARDS = 5
    open_accounts(accounts(0, 40, is_canary=True))
    settings.SHARDS = 4
    check_spread()
