"""A worker's turn is taken by who has brought it something, by one thread at a time, and never gets lost."""

import threading

from banyan.host import Turn, bringing


def lent(does):
    calls = []
    turn = Turn(lambda: calls.append("called"))
    turn.lend(does)
    return turn, calls


def test_who_brings_something_takes_the_turn_when_all_is_brought():
    done = []
    turn, calls = lent(lambda: done.append(threading.get_ident()))
    with bringing():
        turn.due()
        turn.due()
        assert done == []
    assert (done, calls) == ([threading.get_ident()], [])


def test_who_brings_nothing_else_calls_the_worker_itself():
    done = []
    turn, calls = lent(lambda: done.append(1))
    turn.due()
    assert (done, calls) == ([], ["called"])


def test_what_follows_is_done_by_the_same_thread_and_in_its_order():
    done = []
    second, _ = lent(lambda: done.append("second"))
    third, _ = lent(lambda: done.append("third"))

    def first_step():
        done.append("first")
        second.due()
        third.due()

    first, _ = lent(first_step)
    with bringing():
        first.due()
    assert done == ["first", "second", "third"]


def test_a_turn_that_somebody_has_is_left_to_the_worker():
    done = []
    turn, calls = lent(lambda: done.append(1))
    with bringing():
        turn.due()
        turn.taken.acquire()
    turn.taken.release()
    assert (done, calls) == ([], ["called"])


def test_a_turn_that_is_withdrawn_is_left_to_the_worker():
    done = []
    turn, calls = lent(lambda: done.append(1))
    with bringing():
        turn.due()
        turn.withdraw()
    assert (done, calls) == ([], ["called"])


def test_a_turn_that_is_withdrawn_just_when_somebody_begins_it_is_done_once_more():
    class Withdrawn(Turn):
        """Is withdrawn by its worker as soon as somebody has looked whether it may be done."""

        @property
        def _work(self):
            work, self._looked_at = self._looked_at, None
            return work

        @_work.setter
        def _work(self, work):
            self._looked_at = work

    done = []
    turn = Withdrawn(lambda: None)
    turn.lend(lambda: done.append(1))
    assert turn.is_done_here()
    assert turn.is_done_here() is None
    assert done == [1]


def test_a_turn_with_more_to_do_comes_again_and_at_last_goes_to_the_worker():
    done = []
    turn, calls = lent(lambda: done.append(1) or True)
    with bringing():
        turn.due()
    assert len(done) > 1
    assert calls == ["called"]


def test_who_has_more_to_bring_leaves_the_turns_to_the_workers():
    done = []
    turn, calls = lent(lambda: done.append(1))
    with bringing(lambda: True):
        turn.due()
    assert (done, calls) == ([], ["called"])


def test_a_turn_that_fails_is_given_back_and_the_rest_is_left_to_the_workers():
    def fails():
        raise ValueError("broken")

    broken, _ = lent(fails)
    other, calls = lent(lambda: None)
    try:
        with bringing():
            broken.due()
            other.due()
    except ValueError:
        assert calls == ["called"]
    else:
        raise AssertionError("the failure was hidden")
    assert broken.taken.acquire(blocking=False)
    other.due()
    assert calls == ["called", "called"], "this thread brings nothing any more"
