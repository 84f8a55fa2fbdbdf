"""The simulated GitHub speaks GitHub's published schemas, strictly: what it sends, answers and is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from githubkit_schemas.latest import models
from pydantic import BaseModel, TypeAdapter, create_model

from forgeguard_app.github import check_runs
from forgeguard_app.github.check_runs import Annotation, CheckRun
from forgeguard_app.github.tokens import LOOK
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.story import Story
from tests.support.repositories import WorkTree
from tests.support.running import Product


def unknown_fields(model: type[BaseModel], data: Any, place: str = "") -> list[str]:
    """Return the fields of the data that the published model does not have. One member satisfies a union."""
    if not isinstance(data, dict):
        return []
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    open_ended = model.model_config.get("extra") == "allow"  # where GitHub publishes additionalProperties
    found = [] if open_ended else [f"{place}.{key}" for key in data if key not in known]
    for key, field in known.items():
        inner = models_of(field.annotation)
        values = data.get(key)
        for value in values if isinstance(values, list) else [values]:
            if inner and isinstance(value, dict):
                found += sorted(
                    (unknown_fields(inner_model, value, f"{place}.{key}") for inner_model in inner), key=len
                )[0]
    return found


def models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in models_of(argument)]


def strictly(model: Any, data: Any) -> None:
    """The data is what the model says, and holds nothing else."""
    TypeAdapter(model).validate_python(data)
    assert unknown_fields(model, data) == []


@pytest.fixture
async def pushed(product: Product, tree: WorkTree) -> Product:
    repository, _ = await product.repository()
    tree.commit({"pyproject.toml": "[project]\nname='x'\nversion='1'\n", "a.py": "import yaml\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    tree.commit({"a.py": None, "b.py": "import yaml\n"})
    await product.verdicts(repository, await product.push(tree, repository, "topic"))
    await product.push(tree, repository, "x", "HEAD:refs/tags/v1")
    await product.push(tree, repository, "x", ":refs/heads/topic")
    await product.idle()
    return product


@pytest.mark.nightly
async def test_deliveries_are_what_github_publishes(pushed: Product) -> None:
    kinds = {"push": models.WebhookPush, "installation": models.WebhookInstallationCreated}
    deliveries = [delivery for delivery in pushed.github.world.deliveries if delivery.event in kinds]
    assert {delivery.event for delivery in deliveries} == set(kinds)
    assert len(deliveries) == 5
    for delivery in deliveries:
        strictly(kinds[delivery.event], json.loads(delivery.body))


async def test_answers_are_what_github_publishes(pushed: Product) -> None:
    github = pushed.github
    shapes: Shapes = github.shapes
    for run in github.world.check_runs.values():
        strictly(models.CheckRun, shapes.check_run(run))
        for annotation in run.annotations:
            strictly(models.CheckAnnotation, shapes.annotation(run, annotation))
    assert github.world.app is not None
    strictly(models.Integration, shapes.app(github.world.app))
    for delivery in github.world.deliveries:
        strictly(models.HookDeliveryItem, shapes.delivery(delivery))
    repository = next(iter(github.world.repositories.values()))
    token = (await pushed.context.tokens.get(github.world.installation_of(repository.id).id, repository.id)).value  # type: ignore[union-attr]
    answer = await pushed.context.client.ask("GET", f"/repos/{repository.full_name}", token=token)
    strictly(models.Repository, answer)
    strictly(models.RepositoryRuleDetailedOneof8, shapes.rules(repository, ["x"])[0])
    strictly(models.ShortBranch, shapes.protected_branch(repository, "a" * 40, ["x"]))
    github.world.add_pull(repository, "topic", "a" * 40, "main")
    installation = github.world.installation_of(repository.id)
    assert installation is not None
    look = (await pushed.context.tokens.get(installation.id, repository.id, LOOK)).value
    whole = await pushed.context.client.ask("GET", f"/repos/{repository.full_name}/pulls/1", token=look)
    strictly(models.PullRequest, whole)
    strictly(models.Installation, await pushed.context.app.ask("GET", f"/app/installations/{installation.id}"))
    with_count = await pushed.context.client.ask("GET", "/installation/repositories", token=token)
    assert with_count["total_count"] == 1


def test_what_we_ask_is_what_github_takes() -> None:
    run = CheckRun(
        "n", "a" * 40, "x", "https://host.invalid", "success", "t", "s", (Annotation("p", 1, 2, "warning", "m", "t"),)
    )
    created = models.ReposOwnerRepoCheckRunsPostBodyOneof0
    strictly(created, check_runs.creation(run))
    in_progress = create_model("InProgress", __base__=models.ReposOwnerRepoCheckRunsPostBodyOneof1)
    strictly(in_progress, check_runs.progress(run))
    strictly(models.ReposOwnerRepoCheckRunsCheckRunIdPatchBodyAnyof0, check_runs.continuation(run, 0))


async def test_what_people_do_is_told_as_github_publishes_it(product: Product, tree: WorkTree) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    base = tree.commit({"a.py": ""})
    await product.push(tree, repository)
    sha = tree.commit({"b.py": ""})
    await product.push(tree, repository, "topic")
    story = Story(product.github)
    pull = await story.open_pull(repository, "topic", sha, "main")
    await story.retarget(repository, pull, "topic")
    story.close_pull(repository, pull)
    await story.queue_group(repository, sha, base)
    await story.drop_group(repository, sha, base)
    story.rerun(repository, sha)
    story.suspend(installation, on=True)
    story.suspend(installation, on=False)
    story.rename(repository, "other")
    kinds: Any = {
        ("check_suite", "requested"): models.WebhookCheckSuiteRequested,
        ("check_suite", "rerequested"): models.WebhookCheckSuiteRerequested,
        ("merge_group", "checks_requested"): models.WebhookMergeGroupChecksRequested,
        ("merge_group", "destroyed"): models.WebhookMergeGroupDestroyed,
        ("installation", "suspend"): models.WebhookInstallationSuspend,
        ("installation", "unsuspend"): models.WebhookInstallationUnsuspend,
        ("repository", "renamed"): models.WebhookRepositoryRenamed,
    }
    delivered = set()
    for delivery in product.github.world.deliveries:
        if (kind := (delivery.event, delivery.action)) in kinds:
            delivered.add(kind)
            TypeAdapter(kinds[kind]).validate_python(json.loads(delivery.body))
    assert delivered == set(kinds)
    strictly(models.PullRequestSimple, product.github.shapes.pull(pull))
    await product.idle()
