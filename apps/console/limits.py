"""What limits are called in words; risk has them by the names that its command takes."""

_TITLES = {
    "position": "Largest position",
    "order": "Largest order",
    "order-notional": "Largest order in money",
    "collar": "Furthest price from the quote",
    "price-age": "Oldest price",
    "gross": "Gross exposure",
    "net": "Net exposure",
    "leverage": "Leverage",
    "margin": "Margin used",
    "orders-per-second": "Orders a second",
    "orders-per-minute": "Orders a minute",
    "daily-loss": "Loss of a day",
    "daily-balance-loss": "Loss of a day, of balance",
    "weekly-loss": "Loss of a week",
    "weekly-balance-loss": "Loss of a week, of balance",
    "monthly-loss": "Loss of a month",
    "monthly-balance-loss": "Loss of a month, of balance",
    "drawdown": "Drawdown",
    "balance-drawdown": "Drawdown of balance",
    "flatten-on-stop": "Flatten when stopped",
}


def limit_title(name: str) -> str:
    """Return what a limit is called in words."""
    return _TITLES.get(name, name)
