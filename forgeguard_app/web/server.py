"""The web application: its routes in one table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web

from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.intake.receive_delivery import IntakeLines
from forgeguard_app.store.changes import ChangeFeed
from forgeguard_app.store.pool import Pool
from forgeguard_app.web import keys, live
from forgeguard_app.web.api.openapi import show_api, show_document
from forgeguard_app.web.api.operations import PERSON_RATES, RATES, serve
from forgeguard_app.web.api.rates import Rates
from forgeguard_app.web.api.table import OPERATIONS, PREFIX
from forgeguard_app.web.aside import ASIDE, Aside
from forgeguard_app.web.audit_log import noted
from forgeguard_app.web.badges import branch_badge, pull_badge
from forgeguard_app.web.connections import BODY_S, Unsigned
from forgeguard_app.web.health import READY, healthz, readyz
from forgeguard_app.web.in_turn import TURNS, ThreadTurns
from forgeguard_app.web.log_stream import LOG_BEAT_S, TAILS, Tails
from forgeguard_app.web.metrics import FIGURES, metrics
from forgeguard_app.web.middlewares import BODY_LIMIT_S, guarded, mark
from forgeguard_app.web.page_rates import PAGE_RATES, PageRates
from forgeguard_app.web.pages import (
    account,
    allowances,
    audits,
    badges,
    builds,
    configuration,
    contracts,
    kept_form,
    operator,
    projects,
    questionnaire,
    repos,
    rules,
    setup,
    sign_in,
    start,
)
from forgeguard_app.web.recent import Recent
from forgeguard_app.web.render import make_templates
from forgeguard_app.web.schemas import show_schema
from forgeguard_app.web.static_files import STATIC, StaticFiles
from forgeguard_app.web.webhook import UNSIGNED, webhook

MAX_FORM_BYTES = 200_000
_HERE = Path(__file__).parent
_PROJECT = "/projects/{project_id}"
_BUILD = "/builds/{build_id}"
_REPO = r"/repos/{owner:[^/]+}/{name:[^/]+}"


@dataclass(frozen=True, slots=True)
class OwnPools:
    """The connections that requests for pages cannot take: those of deliveries and those of event streams."""

    intake: Pool  # of at least `receive_delivery.CONNECTIONS`
    streams: Pool


def make_web(
    context: WebContext,
    dsn: str | None,
    *,
    pools: OwnPools | None = None,
    beat_s: float = live.BEAT_S,
    body_s: float = BODY_S,
) -> web.Application:
    """Return the application; `dsn` is where changes are listened for. Without secrets it refuses deliveries.

    Without `pools` deliveries and streams share the connections of the pages.
    """
    pools = pools or OwnPools(context.pool, context.pool)
    app = web.Application(middlewares=[noted, guarded], client_max_size=MAX_FORM_BYTES)
    app[keys.CONTEXT] = context
    app[keys.STREAM_CONTEXT] = replace(context, pool=pools.streams)
    app[keys.INTAKE] = IntakeLines(pools.intake)
    app[keys.CHANGES] = ChangeFeed(dsn)
    files = app[STATIC] = StaticFiles(_HERE / "static")
    app[keys.TEMPLATES] = make_templates(_HERE / "templates", files)
    app[TAILS] = Tails(pools.streams)
    app[live.STREAMS] = live.Streams(beat_s)
    app[live.LOG_STREAMS] = live.Streams(beat_s)
    app[LOG_BEAT_S] = beat_s
    app[BODY_LIMIT_S], app[UNSIGNED] = body_s, Unsigned()
    app[PAGE_RATES] = PageRates(context.pages_per_minute)
    app[ASIDE], app[TURNS] = Aside(), ThreadTurns()
    app[READY], app[FIGURES] = Recent(context.figures_kept_s), Recent(context.figures_kept_s)
    app[RATES], app[PERSON_RATES] = Rates(context.api_per_minute), Rates(2 * context.api_per_minute)
    app.on_response_prepare.append(mark)
    app.on_shutdown.append(_close)
    app.router.add_routes(_pages())
    app.router.add_routes(_machines())
    app.router.add_routes(_files(files))
    for operation in OPERATIONS:
        app.router.add_route(operation.method, PREFIX + operation.path, serve(operation))
    return app


def _pages() -> list[web.RouteDef]:
    return [
        web.get("/", start.show_start),
        web.get("/events", live.show_events),
        web.get("/installations", start.show_installations),
        web.get("/setup", setup.show_setup),
        web.post("/setup", setup.choose),
        web.get("/setup/callback", setup.setup_callback),
        web.get("/setup/installed", setup.installed),
        web.get(r"/installations/{number:\d{1,18}}", start.show_installation),
        web.get(r"/installations/{number:\d{1,18}}/audit-log.{form:csv|json}", start.export_audit_log),
        web.get("/login", sign_in.login),
        web.get("/login/callback", sign_in.callback),
        web.post("/logout", sign_in.logout),
        web.post("/logout/everywhere", sign_in.logout_everywhere),
        web.get("/account", account.show_account),
        web.post("/account/tokens", account.add_token),
        web.post("/account/tokens/{token_id}/delete", account.remove_token),
        web.post("/account/sessions/{session_id}/delete", account.remove_session),
        web.get(_REPO, repos.show_repo),
        web.get(_REPO + "/badge", badges.show_badge),
        web.get(_REPO + "/allowances", allowances.show_allowances),
        web.get(_REPO + "/allowances.{form:csv|json}", allowances.export_allowances),
        web.post(_REPO + "/allowances/{allowance_id}/end", allowances.end),
        web.post(_REPO + "/allowances/{allowance_id}/restore", allowances.restore),
        web.get(_REPO + "/configuration", configuration.show_configuration),
        web.post(_REPO + "/configuration/try", configuration.try_changed),
        web.post(_REPO + "/configuration/propose", configuration.propose),
        web.get(_REPO + "/trials/{trial_id}", configuration.show_trial),
        web.get("/audits/{run_id}", audits.show_audit),
        web.post("/audits/{run_id}/rerun", audits.rerun),
        web.post("/audits/{run_id}/allow", allowances.allow),
        web.get("/projects", projects.show_projects),
        web.post("/projects", projects.add_project),
        web.get(_PROJECT, projects.show_project),
        web.post(_PROJECT + "/rename", projects.rename),
        web.post(_PROJECT + "/link", projects.link),
        web.post(_PROJECT + "/delete", projects.remove),
        web.post(_PROJECT + "/restore", projects.restore),
        web.get(_PROJECT + "/questionnaire/{section}", questionnaire.show_section),
        web.post(_PROJECT + "/questionnaire/{section}", questionnaire.answer_section),
        web.post(_PROJECT + "/contracts", contracts.write),
        web.post(_PROJECT + "/contracts/export", contracts.export),
        web.get(_PROJECT + "/contracts.zip", contracts.download),
        web.get(_PROJECT + "/contracts/{contract_type}", contracts.show_contract),
        web.post(_PROJECT + "/contracts/{contract_type}", contracts.save),
        web.get(_PROJECT + "/contracts/{contract_type}/difference", contracts.show_difference),
        web.post(_PROJECT + "/builds", builds.start),
        web.get(_BUILD, builds.show_build),
        web.post(_BUILD + "/cancel", builds.cancel),
        web.post(_BUILD + "/approve", builds.approve),
        web.post(_BUILD + "/hand-back", builds.hand_back),
        web.get(_BUILD + "/log.txt", builds.download_log),
        web.get("/continue/{form_id}", kept_form.show_kept_form),
        web.post("/continue/{form_id}/drop", kept_form.drop_kept_form),
        web.get("/operator", operator.show_operator),
        web.get("/operator/audit-log.{form:csv|json}", operator.export_audit_log),
        web.post(r"/operator/deliveries/{attempt_id:\d{1,18}}", operator.redeliver),
        web.get("/rules", rules.show_rules),
        web.get("/rules/{rule:.+}", rules.show_rule),
        web.get("/api", show_api),
    ]


def _machines() -> list[web.AbstractRouteDef]:
    return [
        web.post("/webhooks/github", webhook),
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
        web.get(r"/badges/{owner:[^/]+}/{name:[^/]+}.{form:svg|json}", branch_badge),
        web.get(r"/badges/{owner:[^/]+}/{name:[^/]+}/pulls/{number:\d{1,9}}.{form:svg|json}", pull_badge),
        web.get(f"{PREFIX}/openapi.json", show_document),
        web.get("/schemas/{name}.json", show_schema),
    ]


def _files(files: StaticFiles) -> list[web.RouteDef]:
    return [
        web.get("/static/{name}", files.show),
        web.get("/static/{digest:[0-9a-f]{16}}/{name}", files.show),
        web.get("/favicon.ico", files.show_icon),
    ]


async def _close(app: web.Application) -> None:
    await app[keys.CHANGES].close()
