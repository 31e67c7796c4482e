"""The addresses of the API."""

from django.conf import settings
from django.urls import path, re_path, register_converter
from django.utils.module_loading import import_string

from apps.api.docs import Contract, Docs
from apps.api.resources import (
    accounts,
    acting,
    extraction,
    hooks,
    jobs,
    levels,
    market_records,
    markets,
    put_aside,
    signalled,
    steering,
    strategies,
    system,
    trading,
)
from apps.api.streams import stream
from apps.api.views import Missing


class _Name:
    """What an account, an instrument or a set can be called."""

    regex = r"[^/\x00-\x1f\x7f]{1,64}"

    def to_python(self, value: str) -> str:
        """Return it."""
        return value

    def to_url(self, value: str) -> str:
        """Return it."""
        return value


class _Number(_Name):
    """A number that fits a column."""

    regex = r"[0-9]{1,18}"

    def to_python(self, value: str) -> int:  # type: ignore[override]
        """Return it."""
        return int(value)


register_converter(_Name, "name")
register_converter(_Number, "number")

_ACCOUNT = "api/v1/accounts/<name:account>"
_INSTRUMENT = "api/v1/instruments/<name:instrument>"
_QUARANTINED = "api/v1/quarantine/<number:record>"
_PUT_ASIDE = "api/v1/feeds/<name:feed>/quarantine/<number:number>/<number:event>"
_HOOK = "api/v1/webhooks/<name:webhook>"
_ORDER = "api/v1/orders/<name:account>/<name:instrument>/<number:decision>"
urlpatterns = [  # what is asked for most comes first: they are tried one after the other
    path("api/v1/accounts", accounts.Accounts.as_view(), name="api-accounts"),
    path(_ACCOUNT, accounts.Account.as_view(), name="api-account"),
    path(f"{_ACCOUNT}/equity", accounts.Equity.as_view(), name="api-equity"),
    path(f"{_ACCOUNT}/settings", accounts.Settings.as_view(), name="api-settings"),
    path(f"{_ACCOUNT}/settings/own", levels.AccountSettings.as_view(), name="api-account-settings"),
    path(f"{_ACCOUNT}/subscriptions/<name:set>", levels.Subscription.as_view(), name="api-subscription"),
    path(f"{_ACCOUNT}/limits/own", levels.LimitsOfAccount.as_view(), name="api-account-limits"),
    path("api/v1/limits", levels.AllLimits.as_view(), name="api-all-limits"),
    path(
        "api/v1/instruments/<name:instrument>/limits", levels.LimitsOfInstrument.as_view(), name="api-instrument-limits"
    ),
    path(f"{_ACCOUNT}/subscriptions", accounts.Subscriptions.as_view(), name="api-subscriptions"),
    path(f"{_ACCOUNT}/restrictions", accounts.Restrictions.as_view(), name="api-restrictions"),
    path(f"{_ACCOUNT}/limits", system.AccountLimits.as_view(), name="api-limits"),
    path(f"{_ACCOUNT}/flatten", acting.Flatten.as_view(), name="api-flatten"),
    path(f"{_ACCOUNT}/resume", acting.Resume.as_view(), name="api-resume"),
    path(f"{_ACCOUNT}/trading-state", acting.SetAccountState.as_view(), name="api-account-state"),
    path("api/v1/orders", acting.Orders.as_view(), name="api-orders"),
    path(_ORDER, trading.Order.as_view(), name="api-order"),
    path(f"{_ORDER}/cancel", acting.CancelOrder.as_view(), name="api-cancel"),
    path("api/v1/fills", trading.Fills.as_view(), name="api-fills"),
    path("api/v1/refusals", trading.Refusals.as_view(), name="api-refusals"),
    path("api/v1/skips", trading.Skips.as_view(), name="api-skips"),
    path("api/v1/positions", trading.Positions.as_view(), name="api-positions"),
    path("api/v1/pnl", trading.Pnl.as_view(), name="api-pnl"),
    path("api/v1/version", system.Version.as_view(), name="api-version"),
    path("api/v1/health/live", system.Live.as_view(), name="api-live"),
    path("api/v1/health/ready", system.Ready.as_view(), name="api-ready"),
    path("api/v1/key", system.OwnKey.as_view(), name="api-key"),
    path("api/v1/instruments", markets.Instruments.as_view(), name="api-instruments"),
    path(_INSTRUMENT, markets.Instrument.as_view(), name="api-instrument"),
    path(f"{_INSTRUMENT}/bars", markets.Bars.as_view(), name="api-bars"),
    path(f"{_INSTRUMENT}/ticks", market_records.Ticks.as_view(), name="api-ticks"),
    path("api/v1/feeds", markets.Feeds.as_view(), name="api-feeds"),
    path("api/v1/feeds/<name:feed>", markets.Feed.as_view(), name="api-feed"),
    path("api/v1/feeds/<name:feed>/quarantine", put_aside.FeedQuarantine.as_view(), name="api-feed-quarantine"),
    path("api/v1/quarantine", market_records.Quarantine.as_view(), name="api-quarantine"),
    path(_QUARANTINED, market_records.QuarantinedRecord.as_view(), name="api-quarantined"),
    path(
        "api/v1/feeds/<name:feed>/quarantine/discard",
        put_aside.DiscardLiveRecords.as_view(),
        name="api-feed-quarantine-discard",
    ),
    path(_PUT_ASIDE, put_aside.LiveRecord.as_view(), name="api-feed-quarantined"),
    path(f"{_PUT_ASIDE}/release", put_aside.ReleaseLiveRecord.as_view(), name="api-feed-quarantine-release"),
    path(f"{_QUARANTINED}/release", market_records.ReleaseRecord.as_view(), name="api-quarantine-release"),
    path(f"{_QUARANTINED}/discard", market_records.DiscardRecord.as_view(), name="api-quarantine-discard"),
    path("api/v1/strategies", strategies.Strategies.as_view(), name="api-strategies"),
    path("api/v1/strategies/<name:strategy>", strategies.Strategy.as_view(), name="api-strategy"),
    path("api/v1/sets", steering.Sets.as_view(), name="api-sets"),
    path("api/v1/sets/<name:set>", strategies.Set.as_view(), name="api-set"),
    path("api/v1/sets/<name:set>/definition", steering.Definition.as_view(), name="api-set-definition"),
    path("api/v1/sets/<name:set>/settings", levels.SetSettings.as_view(), name="api-set-settings"),
    path("api/v1/sets/<name:set>/start", steering.StartSet.as_view(), name="api-set-start"),
    path("api/v1/sets/<name:set>/pause", steering.PauseSet.as_view(), name="api-set-pause"),
    path("api/v1/signals", signalled.Signals.as_view(), name="api-signals"),
    path("api/v1/signals/<name:set>/<number:number>", signalled.Signal.as_view(), name="api-signal"),
    path("api/v1/runs", strategies.Runs.as_view(), name="api-runs"),
    path("api/v1/runs/compared", jobs.RunsCompared.as_view(), name="api-runs-compared"),
    path("api/v1/runs/<name:run>", strategies.Run.as_view(), name="api-run"),
    path("api/v1/jobs", jobs.AllJobs.as_view(), name="api-jobs"),
    path("api/v1/jobs/<name:job>", jobs.Job.as_view(), name="api-job"),
    path("api/v1/jobs/<name:job>/result", jobs.JobResult.as_view(), name="api-job-result"),
    path("api/v1/jobs/<name:job>/report", jobs.JobReport.as_view(), name="api-job-report"),
    path("api/v1/jobs/<name:job>/cancel", jobs.CancelJob.as_view(), name="api-job-cancel"),
    path("api/v1/trading-states", acting.TradingStates.as_view(), name="api-trading-states"),
    path("api/v1/kill-switch", acting.KillSwitch.as_view(), name="api-kill-switch"),
    path("api/v1/contexts", system.Contexts.as_view(), name="api-contexts"),
    path("api/v1/stages", system.Stages.as_view(), name="api-stages"),
    path("api/v1/stages/<name:context>/changes", extraction.StageChanges.as_view(), name="api-stage-changes"),
    path("api/v1/stages/<name:context>/comparisons", extraction.Comparisons.as_view(), name="api-comparisons"),
    path("api/v1/stages/<name:context>/differences", extraction.Differences.as_view(), name="api-differences"),
    path("api/v1/dead-letters", system.DeadLetters.as_view(), name="api-dead-letters"),
    path("api/v1/audit", system.Audit.as_view(), name="api-audit"),
    path("api/v1/webhooks", hooks.AllWebhooks.as_view(), name="api-webhooks"),
    path(_HOOK, hooks.OneWebhook.as_view(), name="api-webhook"),
    path(f"{_HOOK}/deliveries", hooks.Deliveries.as_view(), name="api-deliveries"),
    path(f"{_HOOK}/pause", hooks.PauseWebhook.as_view(), name="api-webhook-pause"),
    path(f"{_HOOK}/resume", hooks.ResumeWebhook.as_view(), name="api-webhook-resume"),
    path(f"{_HOOK}/remove", hooks.RemoveWebhook.as_view(), name="api-webhook-remove"),
    path(f"{_HOOK}/rotate", hooks.RotateSecret.as_view(), name="api-webhook-rotate"),
    path(f"{_HOOK}/redrive", hooks.RedriveWebhook.as_view(), name="api-webhook-redrive"),
    path("api/v1/streams/<name:family>", stream, name="api-stream"),
    path("api/v1/openapi.json", Contract.as_view(), name="api-contract"),
    path("api/docs", Docs.as_view(), name="api-docs"),
    *(address for each in settings.API_ADDRESSES for address in import_string(each)),
    re_path(r"^api/", Missing.as_view(), name="api-missing"),
]
