"""Questions from one context to another: a message each way, and a time by which the answer must be there."""

import threading
from collections.abc import Callable

from banyan.messages import Message

Ask = Callable[[Message], Message]
"""Returns the answer to a question. Raises NoAnswerError where there is none in time."""


class NoAnswerError(RuntimeError):
    """A question was not answered in time; the message says by whom."""


def answered_here(answer: Ask, of: str, seconds: float) -> Ask:
    """Return what has questions to `of` answered in this process, where nobody waits for it longer than so."""

    def ask(question: Message) -> Message:
        found: list[Message] = []
        problems: list[Exception] = []

        def look() -> None:
            try:
                found.append(answer(question))
            except Exception as problem:  # noqa: BLE001  (it is raised where somebody waits)
                problems.append(problem)

        thread = threading.Thread(target=look, name=f"ask-{of}", daemon=True)
        thread.start()
        thread.join(seconds)
        if problems:
            raise problems[0]
        if not found:
            raise NoAnswerError(f"{of} has not answered {question.wire_name} within {seconds:.0f} s")
        return found[0]

    return ask
