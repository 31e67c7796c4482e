"""The page around the sections: everything inlined, nothing fetched, no script but our own."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from apps.backtest.report.markup import Markup, element, join

_HERE: Final = Path(__file__).parent
_LIBRARY: Final = _HERE / "vendor" / "lightweight-charts"
_SCRIPTS: Final = (
    "packed.js",
    "format.js",
    "tips.js",
    "plots.js",
    "dense.js",
    "marks.js",
    "chart.js",
    "equity.js",
    "price.js",
    "trades.js",
    "sweep.js",
    "main.js",
)


def render(title: str, navigation: Sequence[tuple[str, str]], content: Markup, payload: Mapping[str, Any]) -> str:
    """Give the whole page as text. `navigation` is (section, name); `payload` goes to the scripts as JSON.

    The policy in its head lets no address be reached and lets only scripts run whose hash it names.
    """
    theme = _asset("theme.js")
    scripts = [(_LIBRARY / "lightweight-charts.standalone.production.js").read_text("utf-8"), _program()]
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src {' '.join(_hash(script) for script in (theme, *scripts))}"
    )
    links = [element("li", element("a", name, href=f"#{section}")) for section, name in navigation]
    return Template((_HERE / "page.html").read_text("utf-8")).substitute(
        policy=policy,
        title=join(title),
        style=_asset("report.css"),
        theme=theme,
        navigation=join(*links),
        content=content,
        footer=_footer(),
        data=_json(payload),
        scripts=join(*(Markup(f"<script>{script}</script>") for script in scripts)),
    )


def _program() -> str:
    return '"use strict";\nconst Banyan = {};\n' + "\n".join(_asset(name) for name in _SCRIPTS)


def _asset(name: str) -> str:
    return (_HERE / "assets" / name).read_text("utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"


def _json(payload: Mapping[str, Any]) -> str:
    """JSON that cannot end its script element, whatever is in it."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _footer() -> Markup:
    notice = (_LIBRARY / "NOTICE").read_text("utf-8").splitlines()
    return join(
        element("p", "A backtest says what would have happened under its assumptions. It promises nothing."),
        element(
            "p",
            "Charts: ",
            element("a", notice[0], href="https://www.tradingview.com/", rel="noopener noreferrer"),
            ", ",
            notice[1].removesuffix("https://www.tradingview.com/").strip(),
            ", under the Apache License 2.0.",
        ),
    )
