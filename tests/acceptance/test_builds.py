"""Builds from their start to a pull request: real git, real processes, and builders that mean no good."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from forgeguard_app.audit.secrets.masking import forms_of
from forgeguard_app.builders.confinement import Confinement
from forgeguard_app.builders.given_values import find_given
from forgeguard_app.builders.process import RunBounds
from forgeguard_app.builders.workspace import list_workspaces, open_workspace, place_for
from forgeguard_app.errors import UserError
from forgeguard_app.flows.builds.advance_build import advance_build
from forgeguard_app.flows.builds.cancel_build import cancel_build
from forgeguard_app.flows.builds.start_build import NotReady, TooManyBuilds, enqueue_build, requeue_builds
from forgeguard_app.flows.context.worker_context import Builder
from forgeguard_app.flows.projects.manage_project import link_project, remove_project
from forgeguard_app.flows.upkeep.purge_old import prune_disk
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.faults import Faults
from forgeguard_app.simulator.git_http import git
from forgeguard_app.store.build_shares import is_over_share
from forgeguard_app.store.users import SealedTokens, upsert_user
from tests.support.building import PHASES, PROJECT, agent, ready, running_with_mark
from tests.support.disks import enlarge, small_disk
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.stored import is_removed
from tests.support.stored_builds import has_base, has_head, is_logged
from tests.support.stored_jobs import drop_jobs, was_attempted

BAD, GOOD = "echo 'import aiohttp' > shop/domain/orders.py", "echo 'x = 1' > shop/domain/orders.py"
# Whichever of a folder and a link tar meets first, some link follows its file in a `.git`, whose name is no UTF-8.
LINKED = "for i in $(seq 20); do mkdir -p a$i/.git; echo x > b$i; ln b$i a$i/.git/$'\\xff'; ln b$i c$i; done"
MENDS = f"if [ -e shop/domain/orders.py ]; then {GOOD}; else {PROJECT}{BAD}; fi"


@pytest.mark.nightly
async def test_the_built_in_builder_lays_a_skeleton_that_passes_its_own_audit(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p") as product:
        place = await ready(product, tree, phases=None)
        build = await place.ended(await place.start())
        assert (build.status, build.error_detail) == ("completed", None)
        assert await place.status() == "completed"
        [pull] = place.pulls()
        assert build.pull_url is not None
        assert (pull.head_ref, pull.base_ref) == (f"forgeguard/build-{build.id}", "main")
        for path in (
            "Forge/Contracts/blueprint.md",
            "boundaries.json",
            "shop/api/__init__.py",
            "tests/test_layers.py",
            ".github/workflows/tests.yml",
        ):
            assert await place.show(f"{build.branch}:{path}")
        assert "# Built" in await place.show(f"{build.branch}:README.md"), "what was there stays"
        phases = await place.phases(build.id)
        assert all(phase.status == "completed" for phase in phases)
        assert [phase.audit["A4"]["result"] for phase in phases if phase.audit] == ["PASS"] * len(phases)
        # The branch is a push like any other: GitHub gets its check runs.
        assert {run.conclusion for run in (await product.verdicts(place.repository, str(build.head_sha))).values()} == {
            "success"
        }


async def test_findings_are_handed_back_and_mended_and_each_phase_is_a_commit(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(
        dsn,
        tmp_path / "p",
        builder=agent(
            MENDS
            + '; echo $(cat | head -c 3); echo \'{"message": "half way", "level": "debug", "nothing_needed": true}\''
        ),
    ) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert build.status == "completed", await place.text(build.id)
        first, second = await place.phases(build.id)
        assert (first.loops, second.loops) == (1, 0)
        assert first.commit_sha and second.commit_sha is None, "the second phase changed nothing"
        assert await place.show(f"{build.branch}:shop/domain/orders.py") == "x = 1\n"
        lines = await place.lines(build.id)
        assert any(line.source == "audit" and "aiohttp" in line.message and line.level == "warn" for line in lines)
        assert any((line.source, line.level, line.message) == ("builder", "debug", "half way") for line in lines)
        assert [line.number for line in lines] == sorted(line.number for line in lines)
        assert "Returned to the builder" in await place.text(build.id)


@pytest.mark.nightly
async def test_three_failures_in_a_row_end_the_build_and_the_project_can_go_on(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent(PROJECT + BAD)) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert "3 times in a row" in str(build.error_detail)
        assert build.loop_count == 3
        assert str(build.id) not in os.listdir(place_for(product.context.home)), "its place on this machine is gone"
        assert place.pulls() == []
        assert await place.status() == "contracts_ready"
        again = await place.start()
        assert (await place.ended(again)).status == "failed"


@pytest.mark.nightly
async def test_a_builder_cannot_write_itself_free(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    free = (
        PROJECT
        + BAD
        + '; echo \'{"layers": [{"name": "all", "glob": "**"}]}\' > boundaries.json; mkdir -p .github Forge/Contracts; '
        "cp boundaries.json Forge/Contracts/; printf 'enabled: false\\nchecks: {A4: {enabled: false}}\\n' > "
        ".github/forgeguard.yml"
    )
    async with running(dsn, tmp_path / "p", builder=agent(free)) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert "aiohttp" in str(build.error_detail)


async def test_a_secret_in_a_file_does_not_pass_and_none_is_kept_in_the_log(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    token = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    script = (
        f'echo "T = \'{token}\'  # forgeguard:allow" > a.py; echo {token}; echo "$API_KEY"; printf -- '
        f"'-----BEGIN RSA PRIVATE KEY-----\\nQUJD\\n'; sleep 0.2; printf 'REVG\\n-----END RSA PRIVATE "
        f"KEY-----\\nafter\\n'"
    )
    async with running(dsn, tmp_path / "p", builder=agent(script, API_KEY="k3y-of-the-agent")) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert "credential" in str(build.error_detail).lower()
        text = await place.text(build.id)
        for value in (token, "k3y-of-the-agent", "QUJD", "REVG"):
            assert value not in text
        assert "[masked]" in text
        assert "after" in text


@pytest.mark.parametrize(
    "leak",
    [
        'echo "key=$API_KEY" > a.txt',
        'echo "$API_KEY" | base64 -w 7 > a.txt',
        'printf "xy$API_KEY" | base64 > a.txt',
        'printf %s "$API_KEY" | xxd -p > a.txt || printf %s "$API_KEY" | od -An -tx1 > a.txt',
        'printf %s "$API_KEY" | rev > a.txt',
        'printf %s "$API_KEY" | iconv -t UTF-16 > a.txt',
        'echo x > "a-$API_KEY"',
        'ln -s "$API_KEY" a',
    ],
)
def test_a_value_of_the_builder_s_environment_is_found_however_it_is_written(tmp_path: Path, leak: str) -> None:
    key = "k3y+of?the-agent"
    subprocess.run(["bash", "-c", leak], cwd=tmp_path, env={**os.environ, "API_KEY": key}, check=True)
    (tmp_path / "other").write_text("nothing of it")
    names = sorted(os.listdir(tmp_path))
    assert find_given(tmp_path, names, forms_of([key, "short"])) in ("a.txt", "a", "A file's name")
    assert find_given(tmp_path, names, forms_of(["another-value", "short"])) is None


async def test_a_value_of_the_builder_s_environment_is_never_pushed(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = 'echo "$API_KEY" > settings.txt'
    async with running(dsn, tmp_path / "p", builder=agent(script, API_KEY="k3y-of-the-agent")) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert "settings.txt holds a value of the builder's environment" in str(build.error_detail)
        assert place.pulls() == []
        assert build.head_sha is None


@pytest.mark.nightly
async def test_escape_sequences_and_bytes_of_any_kind_become_text(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = (
        "printf '\\033[31mred\\033[0m \\033]0;title\\007done\\n\\377\\000x\\n10%%\\r20%%\\n'; head -c 3000 "
        "/dev/urandom; echo; echo '<b>bold</b>'"
    )
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        messages = [line.message for line in await place.lines(build.id) if line.source == "builder"]
        assert messages[:3] == ["red done", "��x", "20%"]
        assert "<b>bold</b>" in messages, "text is text; the page escapes it"
        assert not any(char in "".join(messages) for char in "\x1b\0\x07")


async def test_cancelled_within_seconds_with_all_its_processes(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(
        dsn, tmp_path / "p", builder=agent("trap '' TERM; (setsid bash -c 'sleep 600' &); echo up; sleep 600")
    ) as product:
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(is_logged, build_id=build_id, message="up"), True)
        with pytest.raises(UserError, match="cancel it first"):
            await remove_project(product.pool, place.project_id)
        await cancel_build(product.pool, await place.build(build_id), "mona")
        build = await place.ended(build_id)
        assert build.status == "cancelled"
        assert await place.status() == "contracts_ready"
        assert running_with_mark(str(build_id)) == []
        with pytest.raises(UserError, match="at its end"):
            await cancel_build(product.pool, build, "mona")


@pytest.mark.nightly
async def test_a_build_that_nobody_took_up_is_cancelled_at_once_and_one_is_made_at_a_time(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p") as product:
        place = await ready(product, tree)
        await product.idle()
    async with running(dsn, tmp_path / "q", worker=False) as product:
        place.product = product
        build_id = await place.start()
        with pytest.raises(UserError, match="under way already"):
            await place.start()
        home = place_for(product.context.home)
        open_workspace(home, str(build_id), Confinement.UNCONFINED)
        await prune_disk(product.context)
        assert build_id in list_workspaces(home)
        await cancel_build(product.pool, await place.build(build_id), "mona")
        assert (await place.build(build_id)).status == "cancelled"
        await prune_disk(product.context)
        assert build_id not in list_workspaces(home)
        await place.start()


@pytest.mark.nightly
async def test_a_worker_that_stops_in_mid_phase_hands_back_and_another_goes_on_from_the_last_commit(
    dsn: str, tmp_path: Path, tree: WorkTree, seen_folder: Path
) -> None:
    once = (
        f"{PROJECT}echo {{}} >> shop/domain/n.py; if grep -q '\"number\": 1' $FORGEGUARD_PHASE && [ ! -e "
        f"{seen_folder}/{tmp_path.name} ]; then echo waits; sleep 600; fi; echo done"
    )
    async with running(dsn, tmp_path / "p", worker=False, builder=agent(once)) as product:
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop, shutdown_s=0.2))
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(is_logged, build_id=build_id, message="waits"), True)
        stop.set()
        await worker
        build = await place.build(build_id)
        assert (build.status, build.phase_number, build.deaths, build.interruptions) == ("running", 1, 0, 0)
        assert build.head_sha is not None
        assert running_with_mark(str(build_id)) == []
        (seen_folder / tmp_path.name).touch()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        build = await place.ended(build_id)
        stop.set()
        await worker
        assert build.status == "completed", await place.text(build_id)
        assert (await place.show(f"{build.branch}:shop/domain/n.py")).count("{}") == 2, "one line a phase, none twice"


async def test_a_phase_that_kills_its_worker_three_times_ends_the_build(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        place = await ready(product, tree)
        stop.set()
        await worker
        build_id = await place.start()
        async with product.pool.acquire() as connection:
            await connection.execute(
                "UPDATE builds SET status = 'running', deaths = 3, started_at = now(), created_at = now() - "
                "interval '1 hour'"
            )
            await drop_jobs(connection)
        assert await requeue_builds(product.pool) == 1
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        build = await place.ended(build_id)
        stop.set()
        await worker
        assert build.status == "failed"
        assert "died each time" in str(build.error_detail)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("bounds", "script", "message"),
    [
        (RunBounds(time_s=0.5, grace_s=0.2), "sleep 600", "longer than a phase"),
        (RunBounds(output_bytes=50_000, grace_s=0.2), "yes", "printed more"),
        (
            RunBounds(checkout_bytes=3_000_000, grace_s=0.2),
            "while true; do head -c 1000000 /dev/zero >> big; sleep 0.01; done",
            "more room",
        ),
        (RunBounds(), "exit 4", "status 4"),
        (RunBounds(), "echo 401 Unauthorized", "changed nothing. The last that it printed: 401 Unauthorized"),
        (RunBounds(), "kill -9 $$", "signal 9"),
        (RunBounds(), "mkdir in && cd in && git init -q . && echo x > f", "repository of its own"),
        (RunBounds(), "echo '*' > .gitignore; echo 'import aiohttp' > a.py", ".gitignore hides 1 source file"),
        (RunBounds(), "ln -sf /etc/passwd link", "link that leads out"),
        (RunBounds(), "mkdir -m 0 closed", "closed: Cannot open"),
        (RunBounds(), LINKED, "is a link to a file that is not in the checkout"),
    ],
)
async def test_what_a_builder_may_not_take_or_leave_is_said(
    dsn: str, tmp_path: Path, tree: WorkTree, bounds: RunBounds, script: str, message: str
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent(script, bounds)) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert message in str(build.error_detail), await place.text(build.id)


@pytest.mark.nightly
async def test_a_repository_unlinked_or_withdrawn_in_mid_build_ends_it(
    dsn: str, tmp_path: Path, tree: WorkTree, seen_folder: Path
) -> None:
    go = seen_folder / f"go-{tmp_path.name}"
    script = f"echo x >> a.py; echo waits; while [ ! -e {go} ]; do sleep 0.1; done"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        with pytest.raises(UserError, match="cancel it first"):
            build_id = await place.start()
            await link_project(product.pool, place.project_id, None)
        await product.until(partial(is_logged, build_id=build_id, message="waits"), True)
        installation = product.github.world.installation_of(place.repository.id)
        assert installation is not None
        installation.repository_ids.discard(place.repository.id)
        removed = {
            "repositories_removed": [product.github.shapes.short_repository(place.repository)],
            "repositories_added": [],
            "repository_selection": "selected",
            "requester": None,
        }
        body = product.github.installation_payload("removed", installation)
        del body["repositories"]
        product.github.webhooks.send("installation_repositories", body | removed)
        await product.until(is_removed, True)
        build = await place.ended(build_id)
        assert not go.exists(), "the builder was ended, and not waited for"
        assert build.status == "failed"
        assert "not active" in str(build.error_detail)
        assert running_with_mark(str(build_id)) == []
        assert place.pulls() == []


@pytest.mark.nightly
async def test_somebody_else_who_pushed_to_the_branch_keeps_it(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", builder=agent("date +%N >> a.txt; sleep 1")) as product:
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(has_base, build_id=build_id), True)
        tree.commit({"mine.txt": "x"})
        await product.push(tree, place.repository, f"forgeguard/build-{build_id}")
        build = await place.ended(build_id)
        assert build.status == "failed"
        assert "Somebody else pushed" in str(build.error_detail)
        assert await place.show(f"forgeguard/build-{build_id}:mine.txt") == "x"


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["exit 7", "yes"])
async def test_what_a_builder_wrote_before_it_failed_or_was_ended_is_there_again(
    dsn: str, tmp_path: Path, tree: WorkTree, way: str
) -> None:
    ci = "mkdir -p .github/workflows; echo 'on: push' > .github/workflows/ci.yml; "
    script = ci + f"echo x >> n.txt; [ $(wc -l < n.txt) -ge 2 ] || {way}"
    bounds = RunBounds(output_bytes=50_000, grace_s=0.2)
    async with running(dsn, tmp_path / "p", builder=agent(script, bounds)) as product:
        place = await ready(product, tree)
        waiting, _ = await place.asked(await place.start())
        await place.answer(waiting, approves=True)
        build = await place.ended(waiting.id)
        assert build.status == "completed", await place.text(build.id)
        assert [phase.loops for phase in await place.phases(build.id)] == [1, 0]
        assert await place.show(f"{build.branch}:n.txt") == "x\nx\nx\n"
        assert "Review before merging" in place.pulls()[0].body
        assert "- `.github/workflows/ci.yml`\n" in place.pulls()[0].body


@pytest.mark.nightly
async def test_a_branch_that_is_deleted_in_mid_build_is_said_to_be(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", builder=agent("date +%N >> a.txt; sleep 1")) as product:
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(has_head, build_id=build_id), True)
        await git(place.repository.folder, "update-ref", "-d", f"refs/heads/forgeguard/build-{build_id}")
        build = await place.ended(build_id)
        assert build.status == "failed"
        assert "branch was deleted" in str(build.error_detail)


@pytest.mark.nightly
@pytest.mark.parametrize("commits", [1, 120])
async def test_a_main_that_is_rewritten_in_mid_build_loses_no_work(
    dsn: str, tmp_path: Path, tree: WorkTree, commits: int
) -> None:
    for number in range(commits):
        tree.commit({"n.txt": f"{number}\n"})
    async with running(dsn, tmp_path / "p", builder=agent("date +%N >> a.txt; sleep 1")) as product:
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(has_base, build_id=build_id), True)
        tree.git("checkout", "--quiet", "--orphan", "rewritten")
        tree.commit({"README.md": "# All of it again\n"})
        await git(place.repository.folder, "fetch", "--quiet", str(tree.folder), "+HEAD:refs/heads/main")
        build = await place.ended(build_id)
        assert build.status == "completed", await place.text(build.id)
        assert len((await place.show(f"{build.branch}:a.txt")).split()) == 2


@pytest.mark.nightly
async def test_what_github_says_of_a_push_that_it_refuses_is_passed_on(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent("echo x > large")) as product:
        place = await ready(product, tree)
        hook = place.repository.folder / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho 'error: File large exceeds the limit of 100 MB' >&2\nexit 1\n")
        hook.chmod(0o755)
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert "File large exceeds the limit" in str(build.error_detail)


@pytest.mark.nightly
async def test_a_file_that_fails_on_the_worker_ends_the_build_and_is_not_taken_for_the_database(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent("true")) as product:
        place = await ready(product, tree)
        for name in ("mirrors", "builds"):
            await asyncio.to_thread(shutil.rmtree, product.context.home / name, ignore_errors=True)
            (product.context.home / name).write_text("no folder")
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert "on the worker's machine" in str(build.error_detail)
        assert ("errors", "DatabaseAway") not in product.context.counts.pop_all()
        tree.commit({"README.md": "# Again\n"})
        checks = await product.verdicts(place.repository, await product.push(tree, place.repository))
        assert all("on the worker's machine" in str(check.output) for check in checks.values()), checks


@pytest.mark.nightly
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a small disk")
async def test_a_full_disk_is_waited_for_and_takes_no_attempt(dsn: str, tree: WorkTree) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # so that builds lie in it, and not where other tests have theirs
        await _on_a_full_disk(dsn, folder, tree)


async def _on_a_full_disk(dsn: str, folder: Path, tree: WorkTree) -> None:
    async with running(dsn, folder / "p", builder=agent("date +%N > x")) as product:
        place = await ready(product, tree)
        with small_disk(place_for(product.context.home), 2) as disk:
            build_id = await place.start()
            await product.until(partial(was_attempted, task="advance_build", more_than=1), True)
            enlarge(disk, 600)
            build = await place.ended(build_id)
        assert build.status == "completed", await place.text(build.id)
        assert [phase.loops for phase in await place.phases(build.id)] == [0, 0]


@pytest.mark.nightly
async def test_a_repository_that_is_too_large_for_a_build_says_so(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", builder=agent("true"), worker=False) as product:
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, replace(product.context, mirror_max_bytes=1 << 20), stop))
        place = await ready(product, tree)
        tree.commit({"large": random.Random(1).randbytes(3 << 20)})
        await product.push(tree, place.repository)
        build = await place.ended(await place.start())
        assert build.status == "failed"
        assert "more than 1,048,576 bytes" in str(build.error_detail)
        stop.set()
        await worker


@pytest.mark.nightly
async def test_a_repository_whose_files_fill_a_checkout_fails_without_an_attempt(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent("true", RunBounds(checkout_bytes=1 << 20))) as product:
        place = await ready(product, tree)
        for size in (3 << 20, 60 << 20):  # beyond the bound, and beyond the place
            tree.commit({"large": random.Random(size).randbytes(size)})
            await product.push(tree, place.repository)
            build = await place.ended(await place.start())
            assert (build.status, build.loop_count) == ("failed", 0)
            assert "The repository's files take more than the 1 MiB" in str(build.error_detail)


@pytest.mark.nightly
async def test_each_phase_is_a_job_of_its_own(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", builder=agent(f"{PROJECT}date +%N > x"), worker=False) as product:
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        place = await ready(product, tree)
        await product.idle()
        stop.set()
        await worker
        build_id = await place.start()
        for number in (1, 2):
            async with product.pool.acquire() as connection:
                jobs = "DELETE FROM procrastinate_jobs WHERE task_name = 'advance_build' RETURNING id"
                assert len(await connection.fetch(jobs)) == 1
            await advance_build(replace(product.context, stopping=asyncio.Event()), build_id)
            build = await place.build(build_id)
            assert (build.status, build.phase_number) == ("running", number)


async def other_builds(product: Product, like: UUID, number: int, user_id: UUID, status: str) -> list[UUID]:
    """So many builds of other projects in the same repository, instead of those that were there."""
    async with product.pool.acquire() as connection:
        await connection.execute("DELETE FROM builds WHERE id <> $1", like)
        rows = await connection.fetch(
            """
            WITH made AS (INSERT INTO projects (user_id, name) SELECT $1, 'p' || n
                FROM generate_series(1, $2) n RETURNING id)
            INSERT INTO builds (project_id, user_id, repo_id, status)
            SELECT m.id, $1, b.repo_id, $3 FROM made m, builds b WHERE b.id = $4 RETURNING id
            """,
            user_id,
            number,
            status,
            like,
        )
    return [row["id"] for row in rows]


async def test_a_person_and_an_account_have_so_many_builds_at_once_and_an_hour(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p") as product:
        place = await ready(product, tree)
        await product.idle()
    async with running(dsn, tmp_path / "q", worker=False) as product:
        place.product = product
        mine, first = place.person.user_id, await place.start()
        async with product.pool.acquire() as connection:
            other = await upsert_user(connection, 4_712, "other", None, SealedTokens("x", None, None))
        [running_of_mine] = await other_builds(product, first, 1, mine, "running")
        async with product.pool.acquire() as connection:
            assert not await is_over_share(connection, first, [running_of_mine]), "nobody else waits"
            theirs = await connection.fetchval(
                """
                WITH made AS (INSERT INTO projects (user_id, name) VALUES ($1, 'theirs') RETURNING id)
                INSERT INTO builds (project_id, user_id, status) SELECT id, $1, 'running' FROM made RETURNING id
                """,
                other,
            )
            assert not await is_over_share(connection, first, [running_of_mine]), "another worker works at it"
            await enqueue_build(connection, theirs)
            assert await is_over_share(connection, first, [running_of_mine])
            assert not await is_over_share(connection, first, [first]), "its own slot"
        await cancel_build(product.pool, await place.build(first), "mona")
        for number, whose, status, message in (
            (3, mine, "pending", "You have 3 builds under way, of at most 3"),
            (6, other, "running", "this account have 6 builds under way, of at most 6"),
            (9, mine, "cancelled", "You began 10 builds within an hour"),
        ):
            await other_builds(product, first, number, whose, status)
            with pytest.raises(TooManyBuilds, match=message):
                await place.start()
        await other_builds(product, first, 2, mine, "pending")
        await place.start()


async def test_what_is_not_ready_is_refused_with_every_reason(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=True) as product:
        place = await ready(product, tree)
        async with product.pool.acquire() as connection:
            await connection.execute("DELETE FROM project_contracts WHERE contract_type = 'ui'")
            await connection.execute(
                "UPDATE project_contracts SET content = $1 WHERE contract_type = 'phases'", PHASES * 260
            )
            await connection.execute('UPDATE installations SET permissions = \'{"contents": "read"}\'::jsonb')
        with pytest.raises(NotReady) as refused:
            await place.start()
        for reason in ("not written yet: ui", "520 phases", "contents: write, pull_requests: write"):
            assert reason in str(refused.value)
        assert await place.status() == "contracts_ready"


def test_a_builder_shows_no_value_of_its_environment() -> None:
    assert "s3cret" not in repr(Builder(("agent",), {"KEY": "s3cret"}))


@pytest.mark.nightly
@pytest.mark.parametrize(("owners", "serves"), [({4_711}, True), ({1, 2}, False), (set(), False)])
async def test_the_operator_s_command_builds_for_the_named_accounts_alone(
    dsn: str, tmp_path: Path, tree: WorkTree, owners: set[int], serves: bool
) -> None:
    builder = replace(agent("echo spent; exit 4"), owners=frozenset(owners))
    async with running(dsn, tmp_path / "p", builder=builder) as product:
        place = await ready(product, tree, None)
        build = await place.ended(await place.start())
        text = await place.text(build.id)
        assert ("spent" in text) is serves
        assert (build.status, build.builder) == (("failed", builder.name) if serves else ("completed", "built-in"))
        assert ("not for this account" in text) is not serves


@pytest.mark.nightly
async def test_the_bytes_of_a_file_are_committed_whatever_attributes_say(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    script = (
        "printf '*.dat working-tree-encoding=IBM037\\n*.txt eol=crlf\\n' > .gitattributes; echo "
        ".gitattributes > .gitignore; "
        'printf "key $API_KEY\\n" | iconv -t IBM037 > k.dat; printf "a\\n" > a.txt; date +%N > t'
    )
    async with running(dsn, tmp_path / "p", builder=agent(script, API_KEY="plain-words-of-the-operator")) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert build.status == "completed", await place.text(build.id)
        stored = await git(place.repository.folder, "show", f"{build.branch}:k.dat")
        assert stored.decode("cp037").startswith("key plain"), (
            "no value of the environment in a form that is searched for"
        )
        assert b"plain-words" not in stored
        assert await git(place.repository.folder, "show", f"{build.branch}:a.txt") == b"a\n"


@pytest.mark.nightly
async def test_a_push_that_fails_for_a_while_builds_nothing_again(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    builder = agent("echo a run of the builder; date +%N > t")
    async with running(dsn, tmp_path / "p", builder=builder) as product:
        place = await ready(product, tree)
        product.github.world.faults = Pushes()
        build_id = await place.start()
        await product.until(partial(was_attempted, task="advance_build", more_than=2), True)
        product.github.world.faults = None
        build = await place.ended(build_id)
        assert build.status == "completed", await place.text(build.id)
        assert (await place.text(build.id)).count("a run of the builder") == 2, "one of each phase"


class Pushes(Faults):
    """GitHub fails at every push."""

    of_pushes = True

    def __init__(self) -> None:
        super().__init__(0, {})

    def choose(self, where: str, identity: str, kinds: Sequence[str]) -> str | None:
        return "500" if "receive-pack" in identity and "500" in kinds else None


@pytest.mark.nightly
async def test_a_name_with_git_s_words_for_a_full_disk_counts_as_an_attempt(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    script = "mkdir -p 'No space left on device/git~1'; echo x > 'No space left on device/git~1/x'"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        build = await place.ended(await place.start())
        assert (build.status, build.loop_count) == ("failed", 3)
        assert "cannot be committed" in str(build.error_detail)


@pytest.mark.nightly
async def test_failed_attempts_leave_nothing_in_the_build_s_repository(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    script = (
        "echo x >> n; [ $(wc -l < n) -lt 3 ] || { echo the third; sleep 600; }; head -c 3000000 /dev/urandom "
        "> big; exit 1"
    )
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(is_logged, build_id=build_id, message="the third"), True)
        folder = place_for(product.context.home) / str(build_id) / "ledger.git" / "objects"
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        assert sum(size > 1_000_000 for size in sizes) == 1, "that of the attempt before alone"
        await cancel_build(product.pool, await place.build(build_id), "mona")
        await place.ended(build_id)


@pytest.mark.nightly
async def test_a_worker_that_stops_while_files_are_copied_hands_the_phase_back(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    many = "python3 -c \"import os\nfor n in range(20000): os.symlink('x', f'l{n}')\" 2>/dev/null; date +%N > t"
    async with running(dsn, tmp_path / "p", builder=agent(many), worker=False) as product:
        first, stop = asyncio.Event(), asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, first))
        place = await ready(product, tree)
        build_id = await place.start()
        taken = place_for(product.context.home) / str(build_id) / "taken"
        while not taken.exists():
            await asyncio.sleep(0.005)
        first.set()
        await worker
        build = await place.build(build_id)
        assert (build.status, build.error_detail) == ("running", None), await place.text(build_id)
        assert not taken.exists()
        await cancel_build(product.pool, build, "mona")
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        assert (await place.ended(build_id)).status == "cancelled"
        stop.set()
        await worker
