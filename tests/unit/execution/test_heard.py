"""What was heard of a broker is not told again by its statements, and what was not heard is."""

import numpy as np

from apps.execution.edge.link import Link
from apps.execution.edge.paper import _events
from apps.execution.edge.port import Executions, SessionBegan, Statement
from apps.execution.packed import pack
from apps.execution.paper import protocol
from apps.execution.paper.book import Book
from apps.execution.paper.broker import Broker, Options, Work
from apps.execution.paper.faults import Faults
from tests.unit.execution.desk import EURUSD


class Paper:
    """A paper broker as an edge's port, without a socket; `loses` drops what is said next."""

    name = "paper"

    def __init__(self):
        self.broker = Broker(Book(), Options(), Faults())
        self.said, self.asked, self.orders, self.loses = [], [], 0, False
        one = pack(np.ones(1, np.int64))
        self.do(protocol.Open(rows=1, account=one, deposit_micro=pack(np.array([10**12]))))
        price = pack(np.array([10**9]))
        self.do(protocol.Prices(rows=1, terms=[EURUSD], time_ns=1, bid_open=price, ask_open=price))
        self.do(protocol.Login(rows=1, account=one))

    def do(self, request):
        work = Work()
        self.broker.handle(0, request, 1, work)
        for _, frame in work.answers:
            self.said += [] if self.loses else _events(frame)
        self.loses = False

    def trade(self, *, is_lost=False):
        """Fill an order: two reports."""
        self.orders += 1
        self.loses = is_lost
        self.do(
            protocol.Submit(
                session=1, deadline_ns=2**62, rows=1, terms=[EURUSD], client_ids=b"%024d" % self.orders,
                account=pack(np.ones(1, np.int64)), instrument=b"", steps=pack(np.ones(1, np.int64)),
            )
        )  # fmt: skip

    def ask_statement(self, request, session, accounts, since):
        self.asked.append(since)
        self.do(protocol.AskStatement(request=request, session=session, rows=1, account=pack(accounts), since=since))

    def receive(self):
        said, self.said = self.said, []
        return said


def linked():
    paper = Paper()
    link = Link(paper, lambda _: None)
    link.is_connected, link.session, link.accounts = True, 1, {1: None}
    assert [type(each) for each in link.receive(0)] == [SessionBegan]
    return paper, link


def stated(link, since=0):
    """Ask for a statement and return the marks that it tells of."""
    link.ask_statement(since, set())
    told = [each for each in link.receive(0) if isinstance(each, Statement)]
    link.statement = 0
    return told[0].executions.marks.tolist()


def test_a_statement_tells_what_was_heard_since_the_last_one_no_more():
    paper, link = linked()
    paper.trade()
    link.receive(0)
    assert stated(link) == [1, 2], "the session's first statement tells all that no statement has covered"
    paper.trade()
    paper.trade()
    assert [each.marks.tolist() for each in link.receive(0) if isinstance(each, Executions)] == [[3], [4], [5], [6]]
    assert stated(link, since=2) == []
    assert paper.asked == [0, 6]


def test_a_statement_tells_again_from_where_something_was_lost():
    paper, link = linked()
    stated(link)
    paper.trade()
    paper.trade(is_lost=True)
    paper.trade()
    link.receive(0)
    assert stated(link) == [3, 4, 5, 6]
    paper.trade()
    link.receive(0)
    assert stated(link) == []


def test_what_comes_while_a_statement_is_on_its_way_is_heard_too():
    paper, link = linked()
    link.ask_statement(0, set())
    paper.trade()
    link.receive(0)
    assert link.heard == 2


def test_a_new_session_has_heard_nothing():
    paper, link = linked()
    paper.trade()
    stated(link)
    paper.do(protocol.Login(rows=1, account=pack(np.ones(1, np.int64))))
    link.receive(0)
    assert link.heard == -1


def test_what_a_broker_does_not_number_is_told_again():
    paper, link = linked()
    stated(link)
    paper.trade()
    paper.said = [each._replace(after=0, upto=0) for each in paper.said]
    link.receive(0)
    assert stated(link, since=0) == [1, 2]
