"""Every route, tried as owner, member, stranger and nobody: a stranger cannot tell private from absent."""

from __future__ import annotations

import re

import pytest

from forgeguard_app.web.server import make_web
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.stored import forget_access_checks, get_repo_id
from tests.support.stored_runs import get_run_id

# Which status owner, member (reads), stranger and nobody get, by route, of a private repository and of a public one.
PAGE = ("page", (200, 200, 404, 404), (200, 200, 200, 200))
API = ("api", (200, 200, 404, 404), (200, 200, 200, 200))
RERUN = ("rerun", (303, 403, 404, 401), (303, 403, 403, 401))
API_RERUN = ("api rerun", (202, 403, 404, 401), (202, 403, 403, 401))
MEMBERS = ("page", (200, 200, 404, 404), (200, 200, 403, 403))
OF_REPOSITORIES = {
    "GET /repos/{owner}/{name}": PAGE,
    "GET /repos/{owner}/{name}/badge": PAGE,
    "GET /repos/{owner}/{name}/allowances": MEMBERS,
    "GET /repos/{owner}/{name}/allowances.{form}": MEMBERS,
    "GET /repos/{owner}/{name}/configuration": MEMBERS,
    "POST /repos/{owner}/{name}/configuration/try": ("form", (400, 400, 404, 401), (400, 400, 403, 401)),
    "POST /repos/{owner}/{name}/configuration/propose": RERUN,
    "GET /repos/{owner}/{name}/trials/{trial_id}": (
        "page",
        (404, 404, 404, 404),
        (404, 404, 403, 403),
    ),  # test_configuration.py
    "GET /audits/{run_id}": PAGE,
    "POST /audits/{run_id}/rerun": RERUN,
    "GET /api/v1/repos/{repo_id}": API,
    "GET /api/v1/repos/{repo_id}/audits": API,
    "GET /api/v1/audits/{run_id}": API,
    "GET /api/v1/audits/{run_id}/findings": API,
    "POST /api/v1/audits/{run_id}/rerun": API_RERUN,
}
# Routes that belong to the person who asks: 200 for everybody signed in, to the sign-in or 401 for nobody.
OF_PERSONS = {
    "GET /installations", "GET /installations/{number}", "GET /installations/{number}/audit-log.{form}", "GET /setup/installed", "GET /account", "GET /api/v1/me", "GET /api/v1/installations", "GET /api/v1/repos", "GET /api/v1/tokens",
}  # fmt: skip
# tests/web/test_allowances.py
OF_ALLOWANCES = {
    "POST /repos/{owner}/{name}/allowances/{allowance_id}/end", "POST /repos/{owner}/{name}/allowances/{allowance_id}/restore", "POST /audits/{run_id}/allow", "GET /api/v1/allowances",
    "POST /api/v1/allowances", "DELETE /api/v1/allowances/{allowance_id}",
}  # fmt: skip
# tests/web/test_builds.py and tests/web/api/test_projects.py
OF_PROJECTS = {
    f"{method} {prefix}{path}"
    for method, prefix, path in (
        *((verb, "/projects", rest) for verb, rest in (
            ("GET", ""), ("POST", ""), ("GET", "/{project_id}"), ("POST", "/{project_id}/rename"), ("POST", "/{project_id}/link"),
            ("POST", "/{project_id}/delete"), ("POST", "/{project_id}/restore"), ("GET", "/{project_id}/questionnaire/{section}"),
            ("POST", "/{project_id}/questionnaire/{section}"), ("POST", "/{project_id}/contracts"),
            ("POST", "/{project_id}/contracts/export"), ("GET", "/{project_id}/contracts.zip"),
            ("GET", "/{project_id}/contracts/{contract_type}"), ("POST", "/{project_id}/contracts/{contract_type}"),
            ("GET", "/{project_id}/contracts/{contract_type}/difference"), ("POST", "/{project_id}/builds"),
        )),
        *((verb, "/builds/{build_id}", rest) for verb, rest in (
            ("GET", ""), ("POST", "/cancel"), ("POST", "/approve"), ("POST", "/hand-back"), ("GET", "/log.txt"),
        )),
        *((verb, "/api/v1/projects", rest) for verb, rest in (
            ("GET", ""), ("POST", ""), ("GET", "/{project_id}"), ("PATCH", "/{project_id}"), ("DELETE", "/{project_id}"),
            ("GET", "/{project_id}/questionnaire"), ("PUT", "/{project_id}/questionnaire"), ("GET", "/{project_id}/contracts"),
            ("POST", "/{project_id}/contracts"), ("GET", "/{project_id}/contracts/{contract_type}"),
            ("PUT", "/{project_id}/contracts/{contract_type}"), ("GET", "/{project_id}/builds"), ("POST", "/{project_id}/builds"),
        )),
        *((verb, "/api/v1/builds/{build_id}", rest) for verb, rest in (
            ("GET", ""), ("POST", "/cancel"), ("POST", "/approve"), ("POST", "/hand-back"), ("GET", "/logs"),
        )),
    )
}  # fmt: skip
FORMS = {
    "POST /logout", "POST /logout/everywhere", "POST /account/tokens", "POST /account/tokens/{token_id}/delete",
    "POST /account/sessions/{session_id}/delete", "GET /continue/{form_id}", "POST /continue/{form_id}/drop", "POST /api/v1/tokens", "DELETE /api/v1/tokens/{token_id}",
}  # fmt: skip
OF_OPERATORS = {
    "GET /operator",
    "GET /operator/audit-log.{form}",
    "POST /operator/deliveries/{attempt_id}",
}  # tests/web/test_operator.py
OPEN = {
    "GET /", "GET /setup", "POST /setup", "GET /setup/callback", "GET /login", "GET /login/callback", "GET /rules", "GET /rules/{rule}", "GET /api", "GET /api/v1/openapi.json",
    "GET /healthz", "GET /readyz", "GET /metrics", "POST /webhooks/github", "GET /schemas/{name}.json", "GET /badges/{owner}/{name}.{form}",
    "GET /badges/{owner}/{name}/pulls/{number}.{form}", "GET /static/{name}",
    "GET /static/{digest}/{name}", "GET /favicon.ico", "GET /events",  # tests/web/test_live.py
}  # fmt: skip


def routes(product: Product) -> set[str]:
    app = make_web(product.web_context, None)
    found = set()
    for route in app.router.routes():
        resource = route.resource
        assert resource is not None
        if route.method != "HEAD":
            found.add(f"{route.method} {resource.canonical}")
    return found


async def test_every_route_is_tried_here(product: Product) -> None:
    assert (
        routes(product) == set(OF_REPOSITORIES) | OF_PERSONS | FORMS | OPEN | OF_OPERATORS | OF_ALLOWANCES | OF_PROJECTS
    )


class People:
    """Owner, member and stranger with a browser and a token each, and nobody."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.browsers: dict[str, Browser] = {}
        self.tokens: dict[str, str] = {}

    async def enter(self, name: str, browser: Browser) -> None:
        self.browsers[name] = browser
        if name == "nobody":
            return
        user = next(person for person in self.product.github.people.users() if person.login == name)
        await browser.sign_in(user, "/account")
        await browser.submit("/account/tokens", name="t", scope="write", days="30")
        self.tokens[name] = re.findall(r"fgp_[\w-]+", browser.text)[0]

    async def status(self, who: str, kind: str, method: str, path: str) -> int:
        if kind.startswith("api"):
            headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
            async with self.product.session.request(method, self.product.address + path, headers=headers) as answer:
                return answer.status
        browser = self.browsers[who]
        browser.home()
        if method == "GET":
            return await browser.get(path, follow=False)
        await browser.get("/account")
        csrf = re.search(r'name="csrf" value="([^"]+)"', browser.text)
        browser.home()
        return await browser.post(path, {"csrf": csrf[1]} if csrf else {}, follow=False)


@pytest.mark.parametrize("private", [True, False])
async def test_each_sees_what_github_lets_them_see(product: Product, tree: WorkTree, private: bool) -> None:
    repository, _ = await product.repository(private=private)
    tree.commit({"a.py": "x = 1"})
    await product.verdicts(repository, await product.push(tree, repository))
    world, people = product.github.people, People(product)
    for name, level in (("owner", "admin"), ("member", "read"), ("stranger", None)):
        user = world.add(name)
        if level:
            world.allow(user, repository, level)
    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection)
        repo_id = await get_repo_id(connection)
    async with (
        Browser(product) as owner,
        Browser(product) as member,
        Browser(product) as stranger,
        Browser(product) as nobody,
    ):
        for name, browser in zip(
            ("owner", "member", "stranger", "nobody"), (owner, member, stranger, nobody), strict=True
        ):
            await people.enter(name, browser)
        absent = {
            "form": "csv",
            "owner": "o",
            "name": "absent",
            "run_id": repo_id,
            "repo_id": run_id,
            "trial_id": run_id,
        }
        for route, (kind, of_private, of_public) in OF_REPOSITORIES.items():
            method, _, path = route.partition(" ")
            names = {
                "form": "csv",
                "owner": repository.owner.login,
                "name": repository.name,
                "run_id": run_id,
                "repo_id": repo_id,
                "trial_id": run_id,
            }
            got = [await people.status(who, kind, method, path.format(**names)) for who in people.browsers]
            assert tuple(got) == (of_private if private else of_public), route
            for who in ("owner", "stranger") if kind not in ("rerun", "form") else ("owner",):
                assert await people.status(who, kind, method, path.format(**absent)) == 404, route
        await owner.get("/")
        assert repository.full_name in owner.text
        stranger.home()
        await stranger.get("/")
        assert repository.full_name not in stranger.text


async def test_private_and_absent_read_the_same_to_a_stranger(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository(private=True)
    tree.commit({"a.py": "x = 1"})
    await product.verdicts(repository, await product.push(tree, repository))
    user = product.github.people.add("stranger")
    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection)
        repo_id = await get_repo_id(connection)
    pairs = [
        (f"/repos/{repository.full_name}", f"/repos/{repository.owner.login}/other"),
        (f"/audits/{run_id}", f"/audits/{repo_id}"),
        (f"/badges/{repository.full_name}.svg", f"/badges/{repository.owner.login}/other.svg"),
        (f"/badges/{repository.full_name}.json", f"/badges/{repository.owner.login}/other.json"),
    ]
    async with Browser(product) as browser:
        for signed_in in (False, True):
            if signed_in:
                await browser.sign_in(user)
                browser.home()
            for hidden, absent in pairs:
                answers = []
                for path in (hidden, absent):
                    await browser.get(path)
                    text = browser.text.replace(path, "").replace(path.replace("/", "%2F"), "")
                    answers.append((browser.status, re.sub(r'<code>\w+</code>|name="csrf" value="[^"]+"', "", text)))
                assert answers[0][1].splitlines() == answers[1][1].splitlines()
                assert answers[0] == answers[1]
        for hidden, absent in pairs[:2]:
            found = []
            for path in (hidden, absent):  # GitHub is asked who asks before anything is looked for
                await browser.sign_in(user)
                browser.home()
                product.github.people.revoke(user)
                async with product.pool.acquire() as connection:
                    await forget_access_checks(connection)
                found.append(await browser.get(path, follow=False))
            assert found == [303, 303], hidden


async def test_access_that_github_takes_back_is_gone_at_once(product: Product, tree: WorkTree) -> None:
    repository, installation = await product.repository(private=True)
    assert installation is not None
    tree.commit({"a.py": "x = 1"})
    await product.verdicts(repository, await product.push(tree, repository))
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "write")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/projects")
        await browser.submit("/projects", name="Shop", description="", repository=repository.full_name)
        project = re.findall(r"/projects/[0-9a-f-]{36}", browser.address)[0]
        browser.home()
        path = f"/repos/{repository.full_name}"
        assert await browser.get(path) == 200
        installation.repository_ids.discard(repository.id)
        body = product.github.installation_payload("removed", installation)
        del body["repositories"]
        removed = [product.github.shapes.short_repository(repository)]
        more = {
            "repositories_removed": removed,
            "repositories_added": [],
            "repository_selection": "selected",
            "requester": None,
        }
        product.github.webhooks.send("installation_repositories", body | more)
        await product.idle()
        assert await browser.get(path) == 404
        for address in (project, "/projects"):
            assert await browser.get(address) == 200
            assert "left ForgeGuard" in browser.text
            assert "no repository yet" not in browser.text


async def test_a_read_token_writes_nothing(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": "x = 1"})
    await product.verdicts(repository, await product.push(tree, repository))
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "admin")
    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection)
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        await browser.submit("/account/tokens", name="t", scope="read", days="30")
        token = re.findall(r"fgp_[\w-]+", browser.text)[0]
    headers = {"Authorization": f"Bearer {token}"}
    async with product.session.post(f"{product.address}/api/v1/audits/{run_id}/rerun", headers=headers) as answer:
        assert answer.status == 403
        assert "scope" in (await answer.json(content_type=None))["detail"]
    async with product.session.get(
        f"{product.address}/api/v1/me", headers={"Authorization": "Bearer fgp_wrong"}
    ) as answer:
        assert answer.status == 401
        assert answer.headers["Cache-Control"] == "no-store", "no cache keeps it for others"


async def test_a_nul_in_an_address_or_form_is_no_fault_of_ours(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": "x = 1"})
    runs = await product.verdicts(repository, await product.push(tree, repository))
    audit = "/audits/" + str(runs["A4"].details_url).rpartition("/")[2].partition("?")[0]
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "admin")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        csrf = re.search(r'name="csrf" value="([^"]+)"', browser.text)
        assert csrf is not None
        for path in ("/?after=%00", "/repos/a%00/b", "/badges/a/b%00.svg", f"/repos/{repository.full_name}?branch=%00"):
            assert await browser.get(path) == 400, path
        form = {"csrf": csrf[1], "check_code": "A4\0", "fingerprint": "\0x", "reason": "r\0", "days": ""}
        assert await browser.post(f"{audit}/allow", form) == 400
