"""What README and the guides show works as it stands there, on data that is thrown away."""

import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands

from apps.signals.interface import get_strategy
from apps.signals.testing import failed_checks
from tests.documents import ROOT, commands, mentions, python_blocks

pytestmark = pytest.mark.django_db(databases=["backtest", "feeds", "default"])
DOCUMENTS = ("README.md", "docs/backtesting.md", "docs/market-data.md", "docs/strategies.md")
SAMPLE = "apps/feeds/sample"

# What a document says for a reader to fill in, and what it is here.
FILLED_IN = {
    "STRATEGY …": "sma_cross --instrument NYSEARCA:SPY --interval 1d",
    "import_bars FILE… --instrument ID": f"import_bars {SAMPLE}/spy_1d.csv.gz --instrument NYSEARCA:SPY",
    "import_bars 'FILE…'": f"import_bars {SAMPLE}/eurusd_1h_quotes.csv.gz",
    "import_ticks 'FILE…'": f"import_ticks {SAMPLE}/eurusd_ticks_2014-05-02.csv.gz",
    "import_factors FILE": f"import_factors {SAMPLE}/aapl_factors.csv.gz",
    "--csv …": "--csv prices.csv.gz",
    "new_strategy NAME": "new_strategy my_first",
    "check_strategy NAME": "check_strategy my_first.py",
    "list_strategies NAME": "list_strategies sma_cross",
    "montecarlo RUN": "montecarlo last",
}

# What is run by another test, where it has what it needs.
ELSEWHERE = {
    "--distributed": "tests/integration/runs/test_distributed.py",
    "check --deploy": "tests/architecture/test_production.py",
    "schemas publish": "tests/integration/kafka/test_registry.py",
}
# Commands of the live system are run there against real processes.
LIVE = {
    "accounts": "tests/fault/test_pipeline.py",
    "events": "tests/fault/test_pipeline.py",
    "feeds": "tests/fault/test_feeds.py",
    "parity": "tests/fault/test_parity_command.py",
    "replay": "tests/fault/test_processes.py",
    "report": "tests/fault/test_pipeline.py",
    "risk": "tests/integration/risk/test_command.py",
    "run": "tests/fault/system.py",
    "sets": "tests/fault/test_processes.py",
    "status": "tests/fault/test_pipeline.py",
}


@pytest.fixture(autouse=True)
def a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder that looks like a clone, with the files that the guides speak of."""
    monkeypatch.chdir(tmp_path)
    Path("apps").symlink_to(ROOT / "apps")
    shutil.copy(ROOT / SAMPLE / "spy_1d.csv.gz", "prices.csv.gz")
    Path("path/to").mkdir(parents=True)
    Path("path/to/file.py").write_text(python_blocks("README.md")[1])
    Path("above_average.py").write_text(python_blocks("README.md")[1])


def typed(words: str) -> str:
    """Run a command as it is typed and return what it prints; fail with the command where it does not work."""
    out = StringIO()
    try:
        call_command(*words.split(), stdout=out)
    except BaseException as error:
        raise AssertionError(f"manage.py {words}: {error!r}") from error
    return out.getvalue()


def filled_in(words: str) -> str:
    for gap, filling in FILLED_IN.items():
        words = words.replace(gap, filling)
    if "k7m2p9qa" in words:
        words = words.replace("k7m2p9qa", a_job())
    elif "k7" in words or "RUN RUN" in words:
        older, newer = two_runs()
        words = words.replace("k7", newer).replace("m3", older).replace("RUN RUN", f"{older} {newer}")
    return words


def a_job() -> str:
    """Return the id of a job that waits, with nobody who works on it."""
    from apps.backtest.interface import Wanted
    from apps.backtest.jobs.keeping import submit

    wanted = Wanted(kind="backtest", strategy="buy_and_hold", instruments=["NYSEARCA:SPY"], interval="1d")
    return submit(wanted, "user of the document", "one").id


def two_runs() -> tuple[str, str]:
    """Return the ids of the two newest runs, made where there are not as many."""
    from apps.backtest.models import Run

    while Run.objects.count() < 2:
        typed("backtest buy_and_hold --instrument NYSEARCA:SPY --interval 1d")
    newer, older = Run.objects.values_list("short_id", flat=True)[:2]
    return older, newer


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_of_the_document_works(document: str) -> None:
    shown = [*commands(document), *mentions(document)]
    assert {words.split()[0] for words in shown} <= set(get_commands())
    assert len(shown) >= 5
    if "load_sample_data" not in shown:
        typed("load_sample_data")
    for words in shown:
        # A name alone, in prose, is a name; and some need more than a test of documents has.
        if (" " in words or words in commands(document)) and not is_elsewhere(words):
            typed(filled_in(words))


def is_elsewhere(words: str) -> bool:
    return words.split(maxsplit=1)[0] in LIVE or any(each in words for each in ELSEWHERE)


def test_what_is_run_elsewhere_is_run_there() -> None:
    for words, place in ELSEWHERE.items():
        assert words.split()[-1] in (ROOT / place).read_text(), place
    for words, place in LIVE.items():
        assert f'"{words}"' in (ROOT / place).read_text(), place


@pytest.mark.parametrize(("document", "names"), [("README.md", ("r", "s")), ("docs/backtesting.md", ("result",))])
def test_the_python_of_the_document_runs_as_it_stands(document: str, names: tuple[str, ...]) -> None:
    scope: dict[str, Any] = {}
    exec(compile(python_blocks(document)[0], document, "exec"), scope)
    assert {name: repr(scope[name])[0] for name in names} == dict.fromkeys(names, "<")


def test_the_strategy_of_the_readme_passes_every_check() -> None:
    assert failed_checks(get_strategy("above_average.py")) == []
