"""The addresses of the console."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path

from apps.console import accounts, alerts, jobs, markets, operations, orders, people, research, risk, sets, views
from apps.console.doing import act
from apps.console.entrance import SignIn, SignOut, type_code
from apps.console.stream import stream

urlpatterns = [
    path("", views.show_overview, name="overview"),
    path("orders/", orders.show_orders, name="orders"),
    path("orders/<str:account>/<str:instrument>/<int:decision>/", orders.show_order, name="order"),
    path("followed/<str:account>/<str:instrument>/<int:decision>/", operations.follow_order, name="follow-order"),
    path("accounts/", accounts.show_accounts, name="accounts"),
    path("accounts/<str:account>/", accounts.show_account, name="account"),
    path("accounts/<str:account>/equity/", accounts.equity, name="equity"),
    path("risk/", risk.show_risk, name="risk"),
    path("risk/limits/", risk.change_limits, name="limits"),
    path("sets/", sets.show_sets, name="sets"),
    path("sets/+/", sets.edit_set, name="set-edit"),
    path("sets/<str:name>/", sets.show_set, name="set"),
    path("markets/", markets.show_markets, name="markets"),
    path("markets/feeds/<str:name>/", markets.show_feed, name="feed"),
    path("markets/<str:instrument>/", markets.show_instrument, name="instrument"),
    path("markets/<str:instrument>/bars/", markets.bars, name="bars"),
    path("alerts/", alerts.show_alerts, name="alerts"),
    path("alerts/rule/", alerts.edit_rule, name="alert-rule"),
    path("research/", research.show_research, name="research"),
    path("research/compare/", research.compare_runs, name="compare"),
    path("research/jobs/", jobs.show_jobs, name="jobs"),
    path("research/jobs/new/", jobs.ask_for_job, name="job-form"),
    path("research/jobs/submit/", jobs.submit_job, name="job-submit"),
    path("research/jobs/<str:job>/", jobs.show_job, name="job"),
    path("research/jobs/<str:job>/cancel/", jobs.cancel_job, name="job-cancel"),
    path("research/jobs/<str:job>/report/", jobs.show_report, name="job-report"),
    path("research/<str:run>/", research.show_run, name="run"),
    path("research/<str:run>/curve/", research.curve, name="curve"),
    path("streams/", operations.show_streams, name="streams"),
    path("streams/<str:context>/<str:key>/<int:number>/", operations.show_step, name="step"),
    path("streams/<str:context>/<str:key>/<int:number>/followed/", operations.follow_step, name="follow-step"),
    path("dead-letters/", operations.show_dead_letters, name="dead-letters"),
    path("dead-letters/<str:context>/<int:letter>/", operations.show_dead_letter, name="dead-letter"),
    path("configuration/", operations.show_configuration, name="configuration"),
    path("audit/", views.show_audit, name="audit"),
    path("act/<str:name>/", act, name="act"),
    path("stream/", stream, name="stream"),
    path("sign-in/", login_not_required(SignIn.as_view()), name="sign-in"),
    path("sign-in/code/", login_not_required(type_code), name="sign-in-code"),
    path("people/", people.show_people, name="people"),
    path("people/<str:name>/", people.show_person, name="person"),
    path("you/", people.show_you, name="you"),
    path("you/password/", people.change_password, name="you-password"),
    path("you/second-factor/", people.add_factor, name="you-add-factor"),
    path("you/second-factor/remove/", people.remove_factor, name="you-remove-factor"),
    path("you/second-factor/codes/", people.new_codes, name="you-new-codes"),
    path("you/sessions/end/", people.end_session, name="you-end-session"),
    path("sign-out/", SignOut.as_view(), name="sign-out"),
]
