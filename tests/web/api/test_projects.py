"""Projects, contracts and builds by the API, as a script would: from a name to a build, with everything that can be
refused.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from forgeguard_app.projects.contract_types import ContractType
from tests.support.answers import filled
from tests.support.api import Known, ask
from tests.support.building import BUILDER
from tests.support.stored_builds import insert_person


@pytest.mark.nightly
async def test_from_a_name_to_a_build_and_its_log(known: Known) -> None:
    app = known.product.github.world.app
    assert app is not None
    made = await ask(
        known, "/projects", method="POST", status=201, json={"name": "Script", "repo_id": known.ids["repo_id"]}
    )
    path = f"/projects/{made['id']}"
    refused = await ask(known, f"{path}/contracts", method="POST", status=400, json={})
    assert "questionnaire first" in refused["detail"]
    answers: dict[str, Any] = dict(filled("python-library").values)
    questionnaire = await ask(
        known,
        f"{path}/questionnaire",
        method="PUT",
        json={
            "answers": {
                "stack.kind": "cobol",
                "nothing.at_all": "x",
                **{key: value for key, value in answers.items() if key != "stack.kind"},
            }
        },
    )
    assert {problem["place"] for problem in questionnaire["problems"]} == {"stack.kind", "nothing.at_all"}
    assert questionnaire["missing"] == ["stack.kind"]
    questionnaire = await ask(
        known, f"{path}/questionnaire", method="PUT", json={"answers": {"stack.kind": "python-library"}}
    )
    assert questionnaire["missing"] == []
    written = await ask(known, f"{path}/contracts", method="POST", json={})
    assert len(written["written"]) == 10
    assert [contract["contract_type"] for contract in (await ask(known, f"{path}/contracts"))["items"]] == [
        kind.value for kind in ContractType
    ]
    assert (await ask(known, path))["status"] == "contracts_ready"
    refused = await ask(known, f"{path}/builds", method="POST", status=400)
    assert "contents: write" in refused["detail"]
    async with known.product.pool.acquire() as connection:
        await connection.execute(
            'UPDATE installations SET permissions = permissions || \'{"contents": "write", "pull_requests": '
            '"write"}\'::jsonb'
        )
    app.permissions |= BUILDER
    installation = next(iter(known.product.github.world.installations.values()))
    known.product.github.webhooks.send(
        "installation", known.product.github.installation_payload("new_permissions_accepted", installation)
    )
    await known.product.idle()
    build = await ask(known, f"{path}/builds", method="POST", status=201)
    await ask(known, path, method="DELETE", status=400)
    async with asyncio.timeout(60):
        while (await ask(known, f"/builds/{build['id']}"))["status"] in ("pending", "running"):
            await asyncio.sleep(0.1)
    ended = await ask(known, f"/builds/{build['id']}")
    assert ended["status"] == "completed", ended
    assert ended["pull_url"]
    assert {phase["status"] for phase in ended["phases"]} == {"completed"}
    await ask(known, f"/builds/{build['id']}/cancel", method="POST", status=400)
    first = await ask(known, f"/builds/{build['id']}/logs", params={"limit": "5"})
    rest = await ask(known, f"/builds/{build['id']}/logs", params={"cursor": first["next"], "limit": "1000"})
    numbers = [line["number"] for line in first["items"] + rest["items"]]
    assert numbers == sorted(set(numbers))
    assert rest["next"] is None
    headers = {
        "Authorization": f"Bearer {known.token}",
        "Accept": "text/event-stream",
        "Last-Event-ID": str(numbers[-2]),
    }
    async with known.product.session.get(
        f"{known.product.address}/api/v1/builds/{build['id']}/logs", headers=headers
    ) as answer:
        text = await answer.text()
    assert text.count("event: line") == 1
    assert text.endswith("event: end\ndata: \n\n")
    assert [item["id"] for item in (await ask(known, f"{path}/builds"))["items"]] == [build["id"]]
    await ask(known, path, method="DELETE", status=204)
    await ask(known, path, status=404)


async def test_contracts_are_edited_with_the_version_that_one_has(known: Known) -> None:
    path = f"/projects/{known.ids['project_id']}/contracts/phases"
    first = await ask(known, path)
    wrong = await ask(known, path, method="PUT", status=400, json={"content": "## Phase 3: x", "version": 1})
    assert wrong["errors"][0]["place"] == "1:1"
    second = await ask(known, path, method="PUT", json={"content": first["content"] + "\n", "version": 1})
    assert (second["version"], second["edited_by"]) == (2, "mona")
    stale = await ask(known, path, method="PUT", status=409, json={"content": first["content"], "version": 1})
    assert "meanwhile" in stale["detail"]
    await ask(known, path.replace("phases", "none"), status=404)


async def test_a_project_is_changed_and_linked_to_what_one_may_write_alone(known: Known) -> None:
    path = f"/projects/{known.ids['project_id']}"
    assert (await ask(known, path, method="PATCH", json={"description": "new"}))["description"] == "new"
    assert (await ask(known, path, method="PATCH", json={"name": "Other", "repo_id": None}))["repository"] is None
    await ask(known, path, method="PATCH", status=404, json={"repo_id": known.ids["run_id"]})
    await ask(known, path, method="PATCH", status=400, json={"name": " "})
    listed = await ask(known, "/projects", params={"limit": "1"})
    assert listed["items"][0]["name"] == "Other"


@pytest.mark.nightly
@pytest.mark.parametrize(
    "path",
    [
        "/projects/{project_id}",
        "/projects/{project_id}/questionnaire",
        "/projects/{project_id}/contracts",
        "/projects/{project_id}/contracts/ui",
        "/projects/{project_id}/builds",
        "/builds/{build_id}",
        "/builds/{build_id}/logs",
    ],
)
async def test_a_stranger_cannot_tell_a_project_from_none(known: Known, path: str) -> None:
    async with known.product.pool.acquire() as connection:
        other = await insert_person(connection, 999, "other")
        await connection.execute("UPDATE projects SET user_id = $1, repo_id = NULL", other)
    hidden = await ask(known, path.format(**known.ids), status=404)
    absent = await ask(known, path.format(project_id=known.ids["run_id"], build_id=known.ids["run_id"]), status=404)
    assert hidden == absent


@pytest.mark.nightly
async def test_a_body_of_very_many_values_is_refused_in_one_sentence(known: Known) -> None:
    path = f"/projects/{known.ids['project_id']}/questionnaire"
    many = await ask(known, path, method="PUT", status=400, json={"answers": {"a": [[]] * 250_000}})
    assert "20,000 values" in many["detail"]
    wrong = await ask(known, path, method="PUT", status=400, json={"answers": {"a": [[]] * 19_000}})
    assert [error["place"] for error in wrong["errors"]] == ["body"]
    assert "too many to be listed" in wrong["errors"][0]["message"]
