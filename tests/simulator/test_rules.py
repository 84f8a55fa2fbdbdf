"""Every rule of the simulated GitHub is broken once, over real HTTP, and answered as GitHub answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from githubkit_schemas.latest import models

from forgeguard_app.simulator import bodies
from forgeguard_app.simulator.manifest import problems_of
from forgeguard_app.simulator.rules import RefusalRule
from tests.support.asking import ANNOTATION, VERIFIER, Place, asking, restore
from tests.support.breaking import BREAKERS, converted, granted, manifest, minted, pulled, put, referred, waiting

pytestmark = pytest.mark.asyncio(loop_scope="module")
# Pages of people, which have no place for the name of a rule.
PAGES = {
    RefusalRule.BAD_MANIFEST,
    RefusalRule.UNKNOWN_CLIENT,
    RefusalRule.FOREIGN_REDIRECT,
    RefusalRule.PLAIN_CHALLENGE,
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def module_place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with asking(tmp_path_factory.mktemp("rules")) as made:
        yield made


@pytest.fixture
def place(module_place: Place) -> Place:
    restore(module_place)
    return module_place


@pytest.mark.parametrize("rule", list(RefusalRule), ids=lambda rule: rule.name)
async def test_a_broken_rule_is_answered_as_github_answers(place: Place, rule: RefusalRule) -> None:
    answer = await BREAKERS[rule](place)
    words = re.escape(rule.message.replace("\n", "\\n") if rule.status == 422 else rule.message)
    wanted = re.sub(r"\\\{\w+\\\}", ".*", words).replace('"', r'\\?"')
    answered = f"{answer.text} {answer.location}"
    assert answer.status == rule.status, f"refused where {rule.when}: {answered}"
    assert re.search(wanted, answered), answered
    assert answer.rule == ("" if rule in PAGES else rule.name)


async def test_every_rule_is_broken_once_and_has_a_source() -> None:
    assert set(BREAKERS) == set(RefusalRule)
    assert [rule for rule in RefusalRule if not re.match(r"https://[\w.-]+/.+", rule.source)] == []


LIMITS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("annotations", {"annotations": [ANNOTATION] * 50}, {"annotations": [ANNOTATION] * 51}),
    ("summary", {"summary": "x" * 65_535}, {"summary": "x" * 65_536}),
    ("summary in bytes", {"summary": "\u00e4" * 32_767}, {"summary": "\u00e4" * 32_768}),
    ("text", {"text": "x" * 65_535}, {"text": "x" * 65_536}),
    ("title", {"title": "x" * 255}, {"title": "x" * 256}),
    ("message", {"annotations": [ANNOTATION | {"message": "x" * 65_536}]}, {"annotations": [ANNOTATION | {"message": "x" * 65_537}]}),
    ("annotation title", {"annotations": [ANNOTATION | {"title": "x" * 255}]}, {"annotations": [ANNOTATION | {"title": "x" * 256}]}),
    ("raw details", {"annotations": [ANNOTATION | {"raw_details": "x" * 65_536}]}, {"annotations": [ANNOTATION | {"raw_details": "x" * 65_537}]}),
    ("columns", {"annotations": [ANNOTATION | {"start_column": 1, "end_column": 9}]}, {"annotations": [ANNOTATION | {"end_line": 2, "end_column": 9}]}),
)  # fmt: skip
ACTION = {"label": "l" * 20, "description": "d" * 40, "identifier": "i" * 20}


@pytest.mark.parametrize(("fits", "breaks"), [pytest.param(*rest, id=name) for name, *rest in LIMITS])
async def test_outputs_are_taken_up_to_the_limit_and_refused_past_it(
    place: Place, fits: dict[str, Any], breaks: dict[str, Any]
) -> None:
    plain = {"title": "t", "summary": "s"}
    assert (await place.run(output=plain | fits)).status == 201
    assert (await place.run(output=plain | breaks)).status == 422


@pytest.mark.parametrize(
    "actions",
    [[ACTION] * 4, [ACTION | {"label": "l" * 21}], [ACTION | {"description": "d" * 41}], [ACTION | {"identifier": "i" * 21}],
     [{"label": "l", "description": "d"}], [ACTION | {"more": "x"}], ["x"], "x"],
)  # fmt: skip
async def test_actions_past_the_limits_are_refused(place: Place, actions: Any) -> None:
    assert (await place.run(actions=[ACTION] * 3)).status == 201
    assert (await place.run(actions=actions)).status == 422


@pytest.mark.parametrize(
    "changes",
    [{"name": ""}, {"name": "n" * 256}, {"name": None}, {"head_sha": "abc"}, {"head_sha": "A" * 40}, {"status": "done"}, {"status": "waiting"},
     {"conclusion": "stale"}, {"conclusion": "startup_failure"}, {"started_at": "2026-01-01"}, {"completed_at": 7}, {"details_url": "ftp://x/"},
     {"details_url": "/x"}, {"output": []}, {"output": {"summary": "s"}}, {"output": {"title": "t"}}, {"output": {"title": "", "summary": "s"}},
     {"output": {"title": "t", "summary": None}}, {"output": {"title": "t", "summary": "s", "more": 1}}],
)  # fmt: skip
async def test_check_runs_that_say_nothing_sensible_are_refused(place: Place, changes: dict[str, Any]) -> None:
    assert (await place.run(**changes)).status == 422


@pytest.mark.parametrize(
    "body",
    [{"repository_ids": list(range(501))}, {"repositories": ["r"] * 501}, {"repositories": ["none"]}, {"repository_ids": ["1"]},
     {"permissions": {"checks": "all"}}, {"permissions": {"contents": "admin"}}, {"permissions": []}, {"repository_id": 1}],
)  # fmt: skip
async def test_tokens_past_the_limits_are_refused(place: Place, body: dict[str, Any]) -> None:
    assert (await minted(place, {})).status == 201
    assert (await minted(place, {"repositories": ["shop"]})).status == 201
    assert (await minted(place, body)).status == 422


async def test_requests_that_break_no_rule_are_taken(place: Place) -> None:
    p = place
    full = {
        "title": "t",
        "summary": "s",
        "text": "x",
        "annotations": [ANNOTATION | {"start_column": 1, "end_column": 2}] * 50,
    }
    taken = [
        await p.ask("/app", p.jwt()),
        await p.ask("/app", p.jwt(iss=p.app.client_id), headers={"Accept": "application/vnd.github+json"}),
        await p.ask(p.path, None, headers={"Authorization": f"token {p.token()}", "X-GitHub-Api-Version": "2022-11-28"}),
        await minted(p, {"repository_ids": [p.repository.id], "permissions": {"checks": "write", "metadata": "read"}}),
        await p.run(status="completed", conclusion="success", output=full, details_url="https://host/", external_id="x",
                    actions=[{"label": "l" * 20, "description": "d" * 40, "identifier": "i" * 20}] * 3),
        await p.run(status="in_progress", started_at="2026-01-01T00:00:00Z"),
        await p.ask("/user", p.user_token()),
        await p.ask(f"/user/installations/{p.installation.id}/repositories", p.user_token()),
        await pulled(p),
        await referred(p, "refs/heads/second"),
        await put(p, "c.py", branch="second"),
        await converted(p, waiting(p, "good")),
        await p.git(password=p.token(contents="read")),
        await p.git(password=p.token(), service="git-receive-pack"),
        await p.git(password=p.user_token()),
    ]  # fmt: skip
    assert [answer.status for answer in taken if answer.status not in (200, 201)] == [], taken
    p.github.world.pulls.clear()


async def test_a_page_holds_at_most_a_hundred(place: Place) -> None:
    p = place
    for number in range(101):
        p.github.world.add_pull(p.repository, f"b{number}", p.sha, "main")
    for size, wanted in (("101", 100), ("100", 100), ("0", 30), ("x", 30), ("", 30), ("-1", 30), ("7", 7)):
        answer = await p.ask(f"{p.path}/pulls?per_page={size}", p.token())
        assert answer.text.count('"number"') == wanted, size
    p.github.world.pulls.clear()


async def test_without_accept_the_oauth_answer_is_a_form(place: Place) -> None:
    p = place
    form = {
        "client_id": p.app.client_id,
        "client_secret": p.app.client_secret,
        "code": granted(p),
        "code_verifier": VERIFIER,
    }
    answer = await p.form("/login/oauth/access_token", form, Accept="*/*")
    assert parse_qs(answer.text)["access_token"][0].startswith("ghu_")


@pytest.mark.parametrize(
    ("shape", "published"),
    [
        (bodies.CREATE_CHECK_RUN, models.ReposOwnerRepoCheckRunsPostBodyOneof0),
        (bodies.UPDATE_CHECK_RUN, models.ReposOwnerRepoCheckRunsCheckRunIdPatchBodyAnyof0),
        (bodies.CREATE_TOKEN, models.AppInstallationsInstallationIdAccessTokensPostBody),
        (bodies.CREATE_PULL, models.ReposOwnerRepoPullsPostBody),
        (bodies.CREATE_REF, models.ReposOwnerRepoGitRefsPostBody),
        (bodies.PUT_FILE, models.ReposOwnerRepoContentsPathPutBody),
    ],
)
async def test_the_fields_that_bodies_take_are_those_that_github_publishes(shape: bodies.Shape, published: Any) -> None:
    known = {field.alias or name for name, field in published.model_fields.items()}
    needed = {field.alias or name for name, field in published.model_fields.items() if field.is_required()}
    assert set(shape.fields) == known
    # GitHub publishes title of a pull request and conclusion of a completed run apart from the list of required fields.
    assert needed - {"conclusion", "status"} <= shape.required


async def test_manifests_that_github_refuses_are_refused(place: Place) -> None:
    here = "https://github.com"
    good = manifest(hook_attributes={"url": "https://guard.example/hooks"})
    assert problems_of(good, here=here) == []
    changes: tuple[dict[str, Any], ...] = (
        {"name": "x" * 35}, {"name": 7}, {"url": ""}, {"url": None}, {"unknown": 1}, {"public": "no"}, {"redirect_url": "nowhere"},
        {"setup_url": "ftp://x"}, {"callback_urls": ["https://h/"] * 11}, {"callback_urls": "https://h/"}, {"callback_urls": ["x"]},
        {"default_events": ["check_run"]}, {"default_events": ["installation"]}, {"default_events": ["issues"]}, {"default_events": "push"},
        {"default_permissions": {"check": "write"}}, {"default_permissions": {"contents": "all"}}, {"default_permissions": ["contents"]},
        {"default_permissions": {"metadata": "read"}}, {"hook_attributes": {"url": "http://127.0.0.1/hooks"}},
        {"hook_attributes": {"url": "https://guard.example/", "secret": "x"}}, {"hook_attributes": {"active": True}},
        {"hook_attributes": {"url": "https://guard.example/", "active": "yes"}}, {"hook_attributes": []},
        {"request_oauth_on_install": True, "setup_url": "https://h/"}, {"setup_on_update": 1}, {"description": 1},
    )  # fmt: skip
    for change in changes:
        assert problems_of(good | change, here=here), change
    nothings: tuple[Any, ...] = (None, [], "x", 7, {})
    for nothing in nothings:
        assert problems_of(nothing, here=here), nothing


async def test_names_of_apps_are_unique_and_at_most_34_characters(place: Place) -> None:
    p = place
    for name, status in (("x" * 35, 422), ("", 302), (p.app.name, 422), ("Another", 302)):
        form = {"manifest": str(manifest(name="Yet another")).replace("'", '"'), "name": name, "state": "s"}
        assert (await p.form("/settings/apps", form)).status == status, name
