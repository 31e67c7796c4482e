"""The edge's side of one broker: its session, and what it was asked and has not answered yet."""

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from apps.execution.edge.port import (
    Broker,
    BrokerUnavailableError,
    Event,
    Executions,
    NewAccount,
    Orders,
    SessionBegan,
    Statement,
)
from apps.execution.growing import Ids
from banyan.columns import Ints

_LOGGER = logging.getLogger(__name__)
_RETRY_NS = 200_000_000
_LOGIN_NS_MAX = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Orders that the broker was asked about."""

    client_ids: Ids
    accounts: Ints


@dataclass(slots=True)
class Link:
    """A broker and the session over all accounts that are traded there. `session` is 0 while there is none.

    A loss is told by `on_lost`, once, whoever notices it.
    """

    broker: Broker
    on_lost: "Callable[[Link], None]"
    session: int = 0
    is_connected: bool = False
    is_logging_in: bool = False
    accounts: dict[int, NewAccount] = field(default_factory=dict)
    asked: dict[int, Asked] = field(default_factory=dict)
    statement: int = 0
    """The number of the statement that was asked for; 0: none is awaited."""
    busy_when_asked: set[int] = field(default_factory=set)
    is_stale: bool = False
    """Accounts have been added: all have to be in one session."""
    absent: set[int] = field(default_factory=set)
    """Accounts that the broker does not have."""
    next_try_ns: int = 0
    login_ends_ns: int = 0
    reconcile_at_ns: int = 0
    waits_since_ns: int = 0
    """Since when a question has been without answer; 0: none is."""
    heard: int = -1
    """Up to which mark the broker has told everything: by a statement, and what followed it; -1: nobody knows."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def keep_up(self, now_ns: int) -> None:
        """Connect and log in where that is missing and it is time to try."""
        if not self.is_connected:
            if now_ns < self.next_try_ns or not self.accounts:
                return
            try:
                self.broker.connect()
            except BrokerUnavailableError as problem:
                _LOGGER.warning("%s: %s", self.broker.name, problem)
                self.next_try_ns = now_ns + _RETRY_NS
                return
            self.is_connected = True
            self.is_stale = True
        if self.is_logging_in and now_ns >= self.login_ends_ns:
            self.lose("no answer to a login", now_ns)
        elif self.is_stale and not self.is_logging_in:
            self.absent.clear()
            self.log_in(now_ns)

    def log_in(self, now_ns: int) -> None:
        """Begin a session over all accounts; the one before ends with it."""
        self.is_stale = False
        self.login_ends_ns = now_ns + _LOGIN_NS_MAX
        self.is_logging_in = self._do(lambda: self.broker.login(self.numbers()))

    def is_changing_sessions(self) -> bool:
        """Tell whether a session is about to follow another: what is sent in between would be of an ended one."""
        return self.is_logging_in and self.session != 0

    def open_missing(self, missing: list[int]) -> bool:
        """Open accounts that the broker does not have, where it lets us; tell whether it does."""
        if not missing or not self.broker.capabilities.opens_accounts:
            self.absent.update(missing)
            return False
        return self._do(lambda: self.broker.open_accounts([self.accounts[number] for number in missing]))

    def numbers(self) -> Ints:
        """Return the numbers of the accounts that the broker has."""
        return np.array(sorted(self.accounts.keys() - self.absent), np.int64)

    def submit(self, orders: Orders) -> bool:
        """Write orders; tell whether the broker was there. If not, nobody knows what has arrived."""
        return self._do(lambda: self.broker.submit(orders))

    def cancel(self, client_ids: Ids) -> None:
        """Ask to cancel orders."""
        self._do(lambda: self.broker.cancel(self.session, client_ids))

    def query(self, client_ids: Ids, accounts: Ints) -> None:
        """Ask what became of orders."""
        request = next(self._numbers)
        self.asked[request] = Asked(client_ids, accounts)
        self._do(lambda: self.broker.query(request, self.session, client_ids, accounts))

    def ask_statement(self, since: int, busy: set[int]) -> None:
        """Ask what accounts hold, and what has happened after `since` that was not heard; `busy` await an answer."""
        self.statement = next(self._numbers)
        self.busy_when_asked = busy
        since = max(since, self.heard)
        self._do(lambda: self.broker.ask_statement(self.statement, self.session, self.numbers(), since))

    def give_up_waiting(self, now_ns: int, most_ns: int) -> None:
        """Forget questions that have not been answered for so long, so that they are asked again."""
        if not (self.statement or self.asked):
            self.waits_since_ns = 0
        elif not self.waits_since_ns:
            self.waits_since_ns = now_ns
        elif now_ns - self.waits_since_ns > most_ns:
            _LOGGER.warning("%s: no answer to a question, it is asked again", self.broker.name)
            self.statement = 0
            self.asked.clear()
            self.waits_since_ns = 0

    def receive(self, now_ns: int) -> list[Event]:
        """Return what the broker has said."""
        if not self.is_connected:
            return []
        try:
            events = self.broker.receive()
        except BrokerUnavailableError as problem:
            self.lose(str(problem), now_ns)
            return []
        for event in events:
            self._hear(event)
        return events

    def _hear(self, event: Event) -> None:
        match event:
            case SessionBegan():
                self.heard = -1
            case Statement() if event.request == self.statement:
                self.heard = event.upto
            case Executions() if self.heard >= 0 and event.upto and event.after <= self.heard:
                self.heard = max(self.heard, event.upto)

    def lose(self, reason: str, now_ns: int = 0) -> None:
        """Note that the connection is gone."""
        if not self.is_connected:
            return
        _LOGGER.warning("%s: the connection is lost: %s", self.broker.name, reason)
        self.broker.close()
        self.is_connected = False
        self.is_logging_in = False
        self.session = 0
        self.statement = 0
        self.asked.clear()
        self.next_try_ns = now_ns
        self.on_lost(self)

    def _do(self, what: Callable[[], None]) -> bool:
        try:
            what()
        except BrokerUnavailableError as problem:
            self.lose(str(problem))
            return False
        return True
