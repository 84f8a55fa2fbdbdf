"""One request for each rule of the simulated GitHub that breaks it."""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from forgeguard_app.simulator.rules import Rule
from forgeguard_app.simulator.state import PRIMARY_LIMIT, Limits
from tests.support.asking import ANNOTATION, CALLBACK, CHALLENGE, OTHER_PRIVATE, PRIVATE, VERIFIER, Answer, Place

Breaker = Callable[[Place], Awaitable[Answer]]
BREAKERS: dict[Rule, Breaker] = {}
JSON = {"Content-Type": "application/json"}


def breaks(*rules: Rule) -> Callable[[Breaker], Breaker]:
    def register(breaker: Breaker) -> Breaker:
        for rule in rules:
            BREAKERS[rule] = breaker
        return breaker

    return register


def simply(rule: Rule, breaker: Breaker) -> None:
    BREAKERS[rule] = breaker


# Every request.
simply(Rule.NO_USER_AGENT, lambda p: p.ask("/app", p.jwt(), headers={"User-Agent": "-"}))
simply(Rule.UNKNOWN_VERSION, lambda p: p.ask("/app", p.jwt(), headers={"X-GitHub-Api-Version": "2021-01-01"}))
simply(Rule.WRONG_ACCEPT, lambda p: p.ask("/app", p.jwt(), headers={"Accept": "text/html"}))
simply(
    Rule.WRONG_CONTENT_TYPE,
    lambda p: p.ask(f"{p.path}/check-runs", p.token(), "POST", data=b"{}", headers={"Content-Type": "text/xml"}),
)
simply(Rule.UNKNOWN_PATH, lambda p: p.ask("/apps/nothing/here", p.jwt()))
simply(Rule.UNKNOWN_METHOD, lambda p: p.ask("/app", p.jwt(), "DELETE"))
simply(Rule.NOT_JSON, lambda p: p.ask(f"{p.path}/check-runs", p.token(), "POST", data=b"{", headers=JSON))
simply(Rule.NOT_AN_OBJECT, lambda p: p.ask(f"{p.path}/check-runs", p.token(), "POST", body=[1]))

# The Authorization header.
simply(Rule.EMPTY_CREDENTIAL, lambda p: p.ask("/user", headers={"Authorization": "bearer "}))
simply(Rule.MALFORMED_CREDENTIAL, lambda p: p.ask("/user", headers={"Authorization": "Bearer a b"}))
simply(Rule.FOREIGN_SCHEME, lambda p: p.ask("/user", headers={"Authorization": "Digest abc"}))
simply(Rule.UNKNOWN_CREDENTIAL, lambda p: p.ask(p.path, "ghs_unknown"))
simply(
    Rule.CREDENTIAL_WHERE_NONE_BELONGS, lambda p: p.ask("/app-manifests/abc/conversions", p.token(), "POST", body={})
)
simply(Rule.NO_CREDENTIAL, lambda p: p.ask(p.path))

# The App's JWT.
simply(Rule.NO_JWT, lambda p: p.ask("/app"))
simply(Rule.TOKEN_FOR_JWT, lambda p: p.ask("/app", p.token()))
simply(Rule.USER_TOKEN_FOR_JWT, lambda p: p.ask("/app", p.user_token()))
simply(Rule.NOT_A_JWT, lambda p: p.ask("/app", "eyJ.x.y"))
simply(Rule.WRONG_KEY, lambda p: p.ask("/app", p.jwt(OTHER_PRIVATE)))
simply(Rule.WRONG_ALGORITHM, lambda p: p.ask("/app", p.jwt("k" * 32, "HS256")))
simply(Rule.EXP_TOO_FAR, lambda p: p.ask("/app", p.jwt(exp=int(time.time()) + 700)))
simply(Rule.EXP_PAST, lambda p: p.ask("/app", p.jwt(exp=int(time.time()) - 30)))
simply(Rule.EXP_MISSING, lambda p: p.ask("/app", p.jwt(exp=None)))
simply(Rule.IAT_FUTURE, lambda p: p.ask("/app", p.jwt(iat=int(time.time()) + 60)))
simply(Rule.IAT_MISSING, lambda p: p.ask("/app", p.jwt(iat=None)))
simply(Rule.ISS_MISSING, lambda p: p.ask("/app", p.jwt(iss=None)))
simply(Rule.ISS_UNKNOWN, lambda p: p.ask("/app", p.jwt(iss="8")))


# Tokens.
@breaks(Rule.EXPIRED_TOKEN)
async def break_expired_token(p: Place) -> Answer:
    token = p.token()
    p.github.world.tokens[token].expires_at = time.time() - 1
    return await p.ask(p.path, token)


@breaks(Rule.REVOKED_TOKEN)
async def break_revoked_token(p: Place) -> Answer:
    token = p.token()
    assert (await p.ask("/installation/token", token, "DELETE")).status == 204
    return await p.ask(p.path, token)


@breaks(Rule.TOKEN_OF_DELETED_INSTALLATION)
async def break_token_of_deleted_installation(p: Place) -> Answer:
    token = p.token()
    del p.github.world.installations[p.installation.id]
    return await p.ask(p.path, token)


@breaks(Rule.FRESH_TOKEN)
async def break_fresh_token(p: Place) -> Answer:
    p.github.world.token_lag_s = 60
    return await p.ask(p.path, p.token())


@breaks(Rule.SUSPENDED_TOKEN)
async def break_suspended_token(p: Place) -> Answer:
    token = p.token()
    p.installation.suspended_at = time.time()
    return await p.ask(p.path, token)


simply(Rule.JWT_FOR_TOKEN, lambda p: p.ask(p.path, p.jwt()))
simply(Rule.USER_TOKEN_FOR_TOKEN, lambda p: p.ask(f"{p.path}/check-runs", p.user_token(), "POST", {}))
simply(Rule.PERSONAL_TOKEN_FOR_TOKEN, lambda p: p.ask(f"{p.path}/check-runs", p.github.world.user_token, "POST", {}))
simply(Rule.TOKEN_FOR_USER_TOKEN, lambda p: p.ask("/user", p.token()))
simply(Rule.JWT_FOR_USER_TOKEN, lambda p: p.ask(f"/user/installations/{p.installation.id}/repositories", p.jwt()))
simply(Rule.NO_USER_TOKEN, lambda p: p.ask("/user/installations"))


@breaks(Rule.EXPIRED_USER_TOKEN)
async def break_expired_user_token(p: Place) -> Answer:
    p.github.people.life_s, kept = -1, p.github.people.life_s
    token = p.user_token()
    p.github.people.life_s = kept
    return await p.ask("/user", token)


@breaks(Rule.REVOKED_USER_TOKEN)
async def break_revoked_user_token(p: Place) -> Answer:
    token = p.user_token()
    p.github.people.revoke(p.user)
    return await p.ask("/user", token)


simply(Rule.FOREIGN_INSTALLATION, lambda p: p.ask("/user/installations/1/repositories", p.user_token()))


# What a token reaches.
@breaks(Rule.OUTSIDE_NARROWING)
async def break_outside_narrowing(p: Place) -> Answer:
    other = await p.github.create_repository(p.owner, "outside", private=True)
    p.installation.repository_ids.add(other.id)
    return await p.ask(f"/repos/{other.full_name}", p.token())


@breaks(Rule.LEFT_INSTALLATION)
async def break_left_installation(p: Place) -> Answer:
    token = p.token()
    p.installation.repository_ids = set()
    return await p.ask(p.path, token)


simply(Rule.UNKNOWN_REPOSITORY, lambda p: p.ask("/repos/acme/none", p.token()))
simply(Rule.UNKNOWN_PULL, lambda p: p.ask(f"{p.path}/pulls/99", p.token()))
simply(Rule.NO_PERMISSION, lambda p: p.ask(f"{p.path}/pulls", p.token(metadata="read")))
simply(
    Rule.READ_FOR_WRITE,
    lambda p: p.ask(f"{p.path}/check-runs", p.token(checks="read"), "POST", {"name": "n", "head_sha": p.sha}),
)


@breaks(Rule.ARCHIVED)
async def break_archived(p: Place) -> Answer:
    p.repository.archived = True
    return await p.run()


@breaks(Rule.PRIMARY_LIMIT)
async def break_primary_limit(p: Place) -> Answer:
    p.installation.used = PRIMARY_LIMIT
    return await p.ask(p.path, p.token())


@breaks(Rule.SECONDARY_LIMIT)
async def break_secondary_limit(p: Place) -> Answer:
    p.github.world.limits = Limits(writes_per_minute=1)
    assert (await p.run()).status == 201
    return await p.run()


# Creating a token.
def minted(p: Place, body: object, number: int | None = None) -> Awaitable[Answer]:
    return p.ask(f"/app/installations/{number or p.installation.id}/access_tokens", p.jwt(), "POST", body)


simply(Rule.NOT_INSTALLED, lambda p: p.ask("/repos/acme/none/installation", p.jwt()))
simply(Rule.UNKNOWN_INSTALLATION, lambda p: minted(p, {}, 1))
simply(Rule.NOT_GRANTED, lambda p: minted(p, {"permissions": {"issues": "read"}}))
simply(Rule.FOREIGN_REPOSITORY, lambda p: minted(p, {"repository_ids": [1]}))


@breaks(Rule.SUSPENDED_INSTALLATION)
async def break_suspended_installation(p: Place) -> Answer:
    p.installation.suspended_at = time.time()
    return await minted(p, {})


# Bodies.
simply(Rule.NOT_PERMITTED, lambda p: p.run(head_branch="main"))
simply(Rule.NOT_SUPPLIED, lambda p: p.run(head_sha=None))
simply(Rule.WRONG_TYPE, lambda p: p.run(external_id=7))
simply(Rule.NOT_A_MEMBER, lambda p: p.run(conclusion="perfect"))
simply(Rule.WRONG_FORM, lambda p: p.run(completed_at="yesterday"))
simply(Rule.TOO_SMALL, lambda p: p.annotated(start_line=0))
simply(Rule.TOO_LONG, lambda p: p.run(output={"title": "t", "summary": "\u00e4" * 32_768}))
simply(Rule.TOO_MANY, lambda p: p.run(output={"title": "t", "summary": "s", "annotations": [ANNOTATION] * 51}))

# Check runs.
simply(Rule.NO_CONCLUSION, lambda p: p.run(status="completed"))
simply(Rule.NO_COMMIT, lambda p: p.run(head_sha="f" * 40))
simply(Rule.BAD_DETAILS_URL, lambda p: p.run(details_url=""))
simply(Rule.ENDS_BEFORE_START, lambda p: p.annotated(start_line=2))
simply(Rule.COLUMNS_OVER_LINES, lambda p: p.annotated(end_line=2, start_column=1))
simply(Rule.BAD_PATH, lambda p: p.annotated(path="../a.py"))
simply(Rule.UNKNOWN_RUN, lambda p: p.run("PATCH", "/1", status="in_progress"))

# Other writes.


def pulled(p: Place, **changes: object) -> Awaitable[Answer]:
    body = {"title": "t", "head": "topic", "base": "main", **changes}
    return p.ask(f"{p.path}/pulls", p.token(), "POST", body)


def referred(p: Place, ref: str, sha: str | None = None) -> Awaitable[Answer]:
    return p.ask(f"{p.path}/git/refs", p.token(), "POST", {"ref": ref, "sha": sha or p.sha})


def put(p: Place, path: str, **changes: object) -> Awaitable[Answer]:
    body = {"message": "m", "content": base64.b64encode(b"x").decode(), "branch": "topic", **changes}
    return p.ask(f"{p.path}/contents/{path}", p.token(), "PUT", body)


@breaks(Rule.PULL_EXISTS)
async def break_pull_exists(p: Place) -> Answer:
    p.github.world.add_pull(p.repository, "topic", p.sha, "main")
    answer = await pulled(p)
    p.github.world.pulls.clear()
    return answer


simply(Rule.BAD_HEAD, lambda p: pulled(p, head="none"))
simply(Rule.BAD_BASE, lambda p: pulled(p, base="none"))
simply(Rule.NOTHING_TO_PULL, lambda p: pulled(p, head="main", base="topic"))
simply(Rule.REF_EXISTS, lambda p: referred(p, "refs/heads/main"))
simply(Rule.BAD_REF, lambda p: referred(p, "heads/x"))
simply(Rule.NO_OBJECT, lambda p: referred(p, "refs/heads/x", "f" * 40))
simply(Rule.NO_BRANCH, lambda p: put(p, "c.py", branch="none"))
simply(Rule.NOT_BASE64, lambda p: put(p, "c.py", content="ä"))
simply(Rule.STALE_SHA, lambda p: put(p, "a.py", sha="f" * 40))
simply(Rule.SHA_MISSING, lambda p: put(p, "a.py"))
simply(Rule.WORKFLOW, lambda p: put(p, ".github/workflows/ci.yml"))
simply(Rule.NO_FILE, lambda p: p.ask(f"{p.path}/contents/none.py", p.token()))

# The delivery log.
simply(Rule.UNKNOWN_DELIVERY, lambda p: p.ask("/app/hook/deliveries/1", p.jwt()))


@breaks(Rule.OLD_DELIVERY)
async def break_old_delivery(p: Place) -> Answer:
    old = p.github.world.deliveries[0]
    p.github.world.skew_s = 4 * 86_400
    now = int(p.github.world.now())
    token = p.jwt(iat=now - 60, exp=now + 480)
    assert (await p.ask("/app/hook/deliveries", token)).text == "[]"
    return await p.ask(f"/app/hook/deliveries/{old.id}/attempts", token, "POST", {})


# The App Manifest's code.
def manifest(**changes: object) -> dict[str, Any]:
    return {
        "name": "Guard", "url": "http://127.0.0.1:9", "hook_attributes": {"url": "http://127.0.0.1:9/hooks"},
        "redirect_url": "http://127.0.0.1:9/setup/callback", "default_permissions": {"contents": "read"},
        "default_events": ["push"], **changes,
    }  # fmt: skip


def converted(p: Place, code: str) -> Awaitable[Answer]:
    return p.ask(f"/app-manifests/{code}/conversions", method="POST", body={})


def waiting(p: Place, code: str) -> str:
    p.github.pages.codes[code] = (p.app, PRIVATE)
    p.github.pages.codes_made_at[code] = p.github.world.now()
    return code


simply(Rule.UNKNOWN_CODE, lambda p: converted(p, "unknown"))


@breaks(Rule.USED_CODE)
async def break_used_code(p: Place) -> Answer:
    code = waiting(p, "used")
    assert (await converted(p, code)).status == 201
    return await converted(p, code)


@breaks(Rule.OLD_CODE)
async def break_old_code(p: Place) -> Answer:
    code = waiting(p, "old")
    p.github.world.skew_s = 3_601
    return await converted(p, code)


@breaks(Rule.BAD_MANIFEST)
async def break_bad_manifest(p: Place) -> Answer:
    return await p.form("/settings/apps/new?state=s", {"manifest": "{}"}, Accept="text/html")


# Signing in.
def authorized(p: Place, **changes: str) -> Awaitable[Answer]:
    asked = {"client_id": p.app.client_id, "redirect_uri": CALLBACK, "state": "s", **changes}
    return p.ask(f"{p.github.address}/login/oauth/authorize?{urlencode(asked)}")


simply(Rule.UNKNOWN_CLIENT, lambda p: authorized(p, client_id="x"))
simply(Rule.FOREIGN_REDIRECT, lambda p: authorized(p, redirect_uri="http://evil.example/login/callback"))
simply(Rule.PLAIN_CHALLENGE, lambda p: authorized(p, code_challenge=CHALLENGE, code_challenge_method="plain"))
simply(Rule.BAD_CLIENT, lambda p: p.oauth(client_secret="x", code="x"))
simply(Rule.BAD_OAUTH_CODE, lambda p: p.oauth(code="unknown"))
simply(Rule.UNKNOWN_GRANT, lambda p: p.oauth(grant_type="password"))
simply(Rule.UNKNOWN_REFRESH, lambda p: p.oauth(grant_type="refresh_token", refresh_token="unknown"))
simply(Rule.OAUTH_WITH_CREDENTIAL, lambda p: p.form("/login/oauth/access_token", {}, Authorization="bearer "))


def granted(p: Place) -> str:
    return p.github.people.grant(p.user, CALLBACK, CHALLENGE)


@breaks(Rule.USED_OAUTH_CODE)
async def break_used_oauth_code(p: Place) -> Answer:
    code = granted(p)
    assert "access_token" in (await p.oauth(code=code, code_verifier=VERIFIER, redirect_uri=CALLBACK)).text
    return await p.oauth(code=code, code_verifier=VERIFIER)


@breaks(Rule.OLD_OAUTH_CODE)
async def break_old_oauth_code(p: Place) -> Answer:
    code = granted(p)
    p.github.world.skew_s = 601
    return await p.oauth(code=code, code_verifier=VERIFIER)


simply(Rule.OTHER_REDIRECT, lambda p: p.oauth(code=granted(p), code_verifier=VERIFIER, redirect_uri=f"{CALLBACK}/x"))
simply(Rule.BAD_VERIFIER, lambda p: p.oauth(code=granted(p), code_verifier="w" * 43))
simply(Rule.NO_VERIFIER, lambda p: p.oauth(code=granted(p)))


@breaks(Rule.USED_REFRESH)
async def break_used_refresh(p: Place) -> Answer:
    _, token = p.github.people._mint(p.user)
    asked = {"grant_type": "refresh_token", "refresh_token": token.refresh_token}
    assert "access_token" in (await p.oauth(**asked)).text
    return await p.oauth(**asked)


# git over HTTP.
simply(Rule.GIT_PRIVATE, lambda p: p.git())
simply(Rule.GIT_ANONYMOUS_PUSH, lambda p: p.git(service="git-receive-pack"))
simply(Rule.GIT_JWT, lambda p: p.git(password=p.jwt()))
simply(Rule.GIT_BEARER, lambda p: p.git(password=p.token(), scheme="Bearer"))
simply(Rule.GIT_UNKNOWN, lambda p: p.git("acme/none", p.token()))
simply(Rule.GIT_NO_CONTENTS, lambda p: p.git(password=p.token(metadata="read")))
simply(Rule.GIT_READ_ONLY, lambda p: p.git(password=p.token(contents="read"), service="git-receive-pack"))
simply(Rule.GIT_SERVICE, lambda p: p.git(password=p.token(), service="git-upload-archive"))


@breaks(Rule.GIT_BAD_CREDENTIAL)
async def break_git_bad_credential(p: Place) -> Answer:
    public = await p.github.create_repository(p.owner, "public")
    assert (await p.git(public.full_name)).status == 200
    return await p.git(public.full_name, "ghs_wrong")


@breaks(Rule.GIT_EXPIRED)
async def break_git_expired(p: Place) -> Answer:
    token = p.token()
    p.github.world.tokens[token].expires_at = time.time() - 1
    return await p.git(password=token)


@breaks(Rule.GIT_OUTSIDE)
async def break_git_outside(p: Place) -> Answer:
    other = await p.github.create_repository(p.owner, "private", private=True)
    return await p.git(other.full_name, p.token())


@breaks(Rule.GIT_SUSPENDED)
async def break_git_suspended(p: Place) -> Answer:
    token = p.token()
    p.installation.suspended_at = time.time()
    return await p.git(password=token)
