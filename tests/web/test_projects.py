"""Projects on their pages: from a name over the questionnaire to contracts that several people edit, and a pull
request.
"""

from __future__ import annotations

import io
import re
import zipfile
from html import unescape

from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.state import Repository
from forgeguard_app.store.repos import set_removed
from tests.support.browsing import Browser
from tests.support.project_pages import EVIL, as_shown, make, written
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import started


async def edit(browser: Browser, path: str, content: str, **more: str) -> int:
    return await browser.submit(path, content=content, **more)


async def content_of(browser: Browser, path: str) -> str:
    browser.home()
    await browser.get(path)
    return unescape(re.findall(r'<textarea class="code"[^>]*>(.*?)</textarea>', browser.text, re.S)[0])


async def test_a_questionnaire_becomes_ten_contracts_that_read_well(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        project = await make(browser, user)
        await browser.get(project)
        assert "Required before contracts can be written" in browser.text
        await browser.submit(f"{project}/contracts")
        assert "Answer the questionnaire first" in browser.text
        await written(browser, project)
        assert "contracts ready" in browser.text
        for kind in ContractType:
            assert await browser.get(f"{project}/contracts/{kind}") == 200
            assert EVIL not in browser.text, "nobody's markup is markup here"


async def test_a_wrong_answer_is_told_and_shown_as_given_while_the_right_ones_are_kept(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        project = await make(browser, user)
        path = f"{project}/questionnaire/data"
        await browser.get(path)
        row = {"tables.0.table": "orders", "tables.0.column": "", "tables.0.type": "numeric"}
        assert await browser.submit(path, retention="A year", **row) == 400
        assert "Row 1, Column: is missing." in browser.text
        assert 'value="orders"' in browser.text, "what was typed is not lost"
        await browser.get(path)
        assert "A year" in browser.text
        assert 'value="orders"' not in browser.text


async def test_a_layer_that_no_row_names_is_refused_at_its_field_and_not_dropped(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        project = await make(browser, user)
        path = f"{project}/questionnaire/boundaries"
        await browser.get(path)
        rows = {
            "layers.0.name": "web",
            "layers.0.glob": "shop/web/**",
            "layers.0.may_import": "core, stroe",
            "layers.1.name": "core",
            "layers.1.glob": "shop/core/**",
        }
        assert await browser.submit(path, **rows) == 400
        assert "Row 1, May import: no layer is called “stroe”. The layers are web, core." in browser.text
        assert 'value="core, stroe"' in browser.text, "what was typed is not lost"
        assert await browser.submit(path, **(rows | {"layers.0.may_import": "core"})) == 200


async def test_answers_changed_later_say_which_contracts_they_change(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        project = await make(browser, user)
        await written(browser, project)
        path = f"{project}/questionnaire/intent"
        await browser.get(path)
        await browser.submit(path, **(as_shown(browser.text) | {"principles": "Slow is fine"}))
        notice = browser.text[browser.text.index("would say something else") :]
        assert ">Manifesto<" in notice
        assert ">Builder contract<" in notice
        assert ">Schema<" not in notice
        # Edited by hand: writing again leaves it alone unless it is chosen.
        manifesto = f"{project}/contracts/manifesto"
        await content_of(browser, manifesto)
        await edit(browser, manifesto, "# Ours\n\nBy hand.\n")
        await browser.get(project)
        assert re.search(r'value="manifesto" aria-label="[^"]+">', browser.text), "not checked"
        await browser.submit(f"{project}/contracts", type="builder_contract")
        assert "By hand." in await content_of(browser, manifesto)
        assert "Slow is fine" in await content_of(browser, f"{project}/contracts/builder_contract")


async def test_two_people_edit_and_nobodys_edit_is_lost(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    mona, hubot = (product.github.people.add(name) for name in ("mona", "hubot"))
    for user, level in ((mona, "admin"), (hubot, "write")):
        product.github.people.allow(user, repository, level)
    async with Browser(product) as first, Browser(product) as second:
        project = await make(first, mona, repository=repository.full_name)
        await written(first, project)
        path = f"{project}/contracts/ui"
        await second.sign_in(hubot, path)
        await content_of(first, path)
        await content_of(second, path)
        await edit(first, path, "# UI\n\nOne.\n")
        assert first.status == 200
        assert await edit(second, path, "# UI\n\nTwo.\n") == 409
        assert "mona saved version 2 meanwhile" in second.text
        assert "Two." in second.text, "the second one's text is still there"
        assert "+One." in second.text
        assert await edit(second, path, "# UI\n\nOne and two.\n") == 200
        await second.get(f"{path}/difference?from=2&to=3")
        assert "+One and two." in second.text
        assert await second.get(f"{path}/difference?from=2&to=99") == 404


async def test_a_contract_that_is_not_what_its_type_says_is_not_saved(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        project = await make(browser, user)
        await written(browser, project)
        for kind, text, message in (
            ("boundaries", '{"layers": [{"name": "a"}]}', "1:13"),
            ("physics", "openapi: 3.1.0\n", "the key &#39;paths&#39; is missing"),
            ("phases", "# None\n", "there is no phase"),
        ):
            path = f"{project}/contracts/{kind}"
            before = await content_of(browser, path)
            assert await edit(browser, path, text) == 400
            assert message in browser.text
            assert await content_of(browser, path) == before
            await edit(browser, path, text, preview="1")
            assert "not saved" in browser.text
            assert message in browser.text


async def exported(product: Product, browser: Browser, repository: Repository, project: str) -> None:
    await browser.get(project)
    await browser.submit(f"{project}/contracts/export")
    await product.idle()
    await browser.get(browser.address)
    assert "See the pull request" in browser.text, browser.text


async def test_contracts_are_proposed_and_evaluate_a_repository_without_its_own(
    product: Product, tree: WorkTree
) -> None:
    app = product.github.world.app
    assert app is not None
    app.permissions |= {"contents": "write", "pull_requests": "write"}
    repository = await started(
        product,
        tree,
        {"pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndependencies = ["aiohttp"]\n', "a.py": "x = 1\n"},
    )
    user = product.github.people.add("mona")
    writer = product.github.people.add("writer")
    product.github.people.allow(user, repository, "admin")
    product.github.people.allow(writer, repository, "write")
    async with Browser(product) as browser, Browser(product) as other:
        project = await make(browser, user, repository=repository.full_name)
        await written(browser, project)
        await exported(product, browser, repository, project)
        await exported(product, browser, repository, project)
        pulls = [pull for pull in product.github.world.pulls.values() if pull.repository_id == repository.id]
        assert len(pulls) == 1, "the same contracts are proposed once"
        names = await git(repository.folder, "diff", "--name-only", "main", f"refs/heads/{pulls[0].head_ref}")
        assert len(names.decode().split()) == 10
        # The repository has none of its own: the project's apply, and the check run says so.
        tree.git("switch", "--quiet", "-c", "topic")
        tree.commit({"shop/domain/a.py": "import aiohttp\n"})
        runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
        assert runs["A4"].conclusion == "failure"
        path = f"{project}/contracts/boundaries"
        assert f"version 1, written from the answers: {product.address}{path}" in runs["A4"].output["summary"]
        # Who may only write does not decide it, on no way.
        await other.sign_in(writer, path)
        free = '{"layers": [{"name": "all", "glob": "**"}]}'
        assert await other.submit(path, content=free) == 400
        assert "only admins of the repository may change" in other.text
        second = await make(other, writer, "Second")
        await written(other, second)
        await other.get(second)
        assert await other.submit(f"{second}/link", repository=repository.full_name) == 400
        assert "only admins of the repository may change" in other.text
        # An admin does, and each check run says so until another version follows.
        await browser.get(path)
        assert await browser.submit(path, content=free) == 200
        for number in range(2):
            tree.commit({"shop/domain/b.py": f"b = {number}\n"})
            runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
            assert runs["A4"].conclusion == "success"
            summary = runs["A4"].output["summary"]
            assert "version 2, edited by mona" in summary
            assert re.search(
                r"Version 2 loosens the rules against version 1, evaluated before: \d+ rules? removed", summary
            )
        await browser.get(project)
        await browser.submit(f"{project}/link", unlink="1")
        tree.commit({"shop/domain/b.py": "b = 2\n"})
        runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
        assert "No project's boundaries apply any more: version 2 did" in runs["A4"].output["summary"]
        tree.commit({"boundaries.json": '{"layers": [{"name": "x", "glob": "x/**"}]}'})
        runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
        assert runs["A4"].conclusion == "success", "its own file goes first"


async def test_a_project_is_linked_to_what_one_may_write_alone_renamed_and_deleted(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    user, reader = product.github.people.add("mona"), product.github.people.add("reader")
    product.github.people.allow(user, repository, "write")
    product.github.people.allow(reader, repository, "read")
    async with Browser(product) as browser, Browser(product) as other:
        project = await make(browser, user)
        await other.sign_in(reader, project)
        assert other.status == 404
        await browser.get(project)
        await browser.submit(f"{project}/link", repository="nobody/none")
        assert browser.status == 400
        assert "no guarded repository of that name" in browser.text
        browser.home()
        await browser.get(project)
        await browser.submit(f"{project}/link", repository=repository.full_name)
        await browser.submit(f"{project}/rename", name=EVIL, description="")
        assert EVIL not in browser.text
        other.home()
        assert await other.get(project) == 200, "whoever GitHub lets into the repository reads its project"
        assert "Start a build" not in other.text
        await other.get("/projects")
        assert project in other.text
        await browser.get(project)
        await browser.submit(f"{project}/delete", confirmation="another")
        assert browser.status == 400
        assert "type its name" in browser.text
        await browser.submit(f"{project}/delete", confirmation=EVIL)
        assert f'href="{project}"' not in browser.text
        assert await browser.get(project) == 404
        assert await other.get(project) == 404
        other.home()
        await other.get("/projects")
        assert project not in other.text, "only its maker restores it"
        await browser.get("/projects")
        await browser.submit(f"{project}/restore")
        assert browser.status == 200
        assert browser.address.endswith(project)


async def test_the_zip_holds_all_ten(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        project = await make(browser, user)
        await written(browser, project)
        jar = next(iter(browser.cookies[f"127.0.0.1:{product.address.rpartition(':')[2]}"].items()))
        async with product.session.get(
            f"{product.address}{project}/contracts.zip", headers={"Cookie": "=".join(jar)}
        ) as answer:
            data = await answer.read()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert len(archive.namelist()) == 10
            stored = {entry.compress_type for entry in archive.infolist()}
            assert stored == {zipfile.ZIP_STORED}, "each who asks would cost a second of a processor"
            assert b"It keeps orders." in archive.read("Forge/Contracts/blueprint.md")


async def test_a_long_contract_is_taken_and_one_beyond_all_bounds_is_not(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        project = await make(browser, user)
        await written(browser, project)
        path = f"{project}/contracts/ui"
        await content_of(browser, path)
        assert await edit(browser, path, "# UI\n\n" + "ä" * 150_000) == 200, "900 KB as a form sends it"
        await content_of(browser, path)
        assert await edit(browser, path, "x" * 200_001) == 400
        assert "at most 200,000 are kept" in browser.text
        assert await edit(browser, path, "x" * 1_010_000) == 413


async def test_nobody_decides_for_a_repository_while_it_is_removed_and_may_come_back(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    maker = product.github.people.add("maker")
    product.github.people.allow(maker, repository, "admin")
    async with Browser(product) as browser:
        project = await make(browser, maker, repository=repository.full_name)
        await written(browser, project)
        async with product.pool.acquire() as connection:
            await set_removed(connection, [repository.id])
        path = f"{project}/contracts/boundaries"
        await browser.get(path)
        assert await browser.submit(path, content='{"layers": [{"name": "all", "glob": "**"}]}') == 400
        assert "only admins of the repository may change" in browser.text
        await browser.get(project)
        assert await browser.submit(f"{project}/link", unlink="") == 200, "the maker takes the project away from it"
        await browser.get(path)
        assert await browser.submit(path, content='{"layers": [{"name": "all", "glob": "**"}]}') == 200
