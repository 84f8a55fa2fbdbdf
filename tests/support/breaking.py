"""One request for each rule of the simulated GitHub that breaks it."""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from forgeguard_app.simulator.rules import RefusalRule
from forgeguard_app.simulator.state import PRIMARY_LIMIT, SecondaryLimits
from tests.support.asking import ANNOTATION, CALLBACK, CHALLENGE, OTHER_PRIVATE, PRIVATE, VERIFIER, Answer, Place

Breaker = Callable[[Place], Awaitable[Answer]]
BREAKERS: dict[RefusalRule, Breaker] = {}
JSON = {"Content-Type": "application/json"}


def breaks(*rules: RefusalRule) -> Callable[[Breaker], Breaker]:
    def register(breaker: Breaker) -> Breaker:
        for rule in rules:
            BREAKERS[rule] = breaker
        return breaker

    return register


def simply(rule: RefusalRule, breaker: Breaker) -> None:
    BREAKERS[rule] = breaker


# Every request.
simply(RefusalRule.NO_USER_AGENT, lambda p: p.ask("/app", p.jwt(), headers={"User-Agent": "-"}))
simply(RefusalRule.UNKNOWN_VERSION, lambda p: p.ask("/app", p.jwt(), headers={"X-GitHub-Api-Version": "2021-01-01"}))
simply(RefusalRule.WRONG_ACCEPT, lambda p: p.ask("/app", p.jwt(), headers={"Accept": "text/html"}))
simply(
    RefusalRule.WRONG_CONTENT_TYPE,
    lambda p: p.ask(f"{p.path}/check-runs", p.token(), "POST", data=b"{}", headers={"Content-Type": "text/xml"}),
)
simply(RefusalRule.UNKNOWN_PATH, lambda p: p.ask("/apps/nothing/here", p.jwt()))
simply(RefusalRule.UNKNOWN_METHOD, lambda p: p.ask("/app", p.jwt(), "DELETE"))
simply(RefusalRule.NOT_JSON, lambda p: p.ask(f"{p.path}/check-runs", p.token(), "POST", data=b"{", headers=JSON))
simply(RefusalRule.NOT_AN_OBJECT, lambda p: p.ask(f"{p.path}/check-runs", p.token(), "POST", body=[1]))

# The Authorization header.
simply(RefusalRule.EMPTY_CREDENTIAL, lambda p: p.ask("/user", headers={"Authorization": "bearer "}))
simply(RefusalRule.MALFORMED_CREDENTIAL, lambda p: p.ask("/user", headers={"Authorization": "Bearer a b"}))
simply(RefusalRule.FOREIGN_SCHEME, lambda p: p.ask("/user", headers={"Authorization": "Digest abc"}))
simply(RefusalRule.UNKNOWN_CREDENTIAL, lambda p: p.ask(p.path, "ghs_unknown"))
simply(
    RefusalRule.CREDENTIAL_WHERE_NONE_BELONGS,
    lambda p: p.ask("/app-manifests/abc/conversions", p.token(), "POST", body={}),
)
simply(RefusalRule.NO_CREDENTIAL, lambda p: p.ask(p.path))

# The App's JWT.
simply(RefusalRule.NO_JWT, lambda p: p.ask("/app"))
simply(RefusalRule.TOKEN_FOR_JWT, lambda p: p.ask("/app", p.token()))
simply(RefusalRule.USER_TOKEN_FOR_JWT, lambda p: p.ask("/app", p.user_token()))
simply(RefusalRule.NOT_A_JWT, lambda p: p.ask("/app", "eyJ.x.y"))
simply(RefusalRule.WRONG_KEY, lambda p: p.ask("/app", p.jwt(OTHER_PRIVATE)))
simply(RefusalRule.WRONG_ALGORITHM, lambda p: p.ask("/app", p.jwt("k" * 32, "HS256")))
simply(RefusalRule.EXP_TOO_FAR, lambda p: p.ask("/app", p.jwt(exp=int(time.time()) + 700)))
simply(RefusalRule.EXP_PAST, lambda p: p.ask("/app", p.jwt(exp=int(time.time()) - 30)))
simply(RefusalRule.EXP_MISSING, lambda p: p.ask("/app", p.jwt(exp=None)))
simply(RefusalRule.IAT_FUTURE, lambda p: p.ask("/app", p.jwt(iat=int(time.time()) + 60)))
simply(RefusalRule.IAT_MISSING, lambda p: p.ask("/app", p.jwt(iat=None)))
simply(RefusalRule.ISS_MISSING, lambda p: p.ask("/app", p.jwt(iss=None)))
simply(RefusalRule.ISS_UNKNOWN, lambda p: p.ask("/app", p.jwt(iss="8")))


# Tokens.
@breaks(RefusalRule.EXPIRED_TOKEN)
async def break_expired_token(p: Place) -> Answer:
    token = p.token()
    p.github.world.tokens[token].expires_at = time.time() - 1
    return await p.ask(p.path, token)


@breaks(RefusalRule.REVOKED_TOKEN)
async def break_revoked_token(p: Place) -> Answer:
    token = p.token()
    assert (await p.ask("/installation/token", token, "DELETE")).status == 204
    return await p.ask(p.path, token)


@breaks(RefusalRule.TOKEN_OF_DELETED_INSTALLATION)
async def break_token_of_deleted_installation(p: Place) -> Answer:
    token = p.token()
    del p.github.world.installations[p.installation.id]
    return await p.ask(p.path, token)


@breaks(RefusalRule.FRESH_TOKEN)
async def break_fresh_token(p: Place) -> Answer:
    p.github.world.token_lag_s = 60
    return await p.ask(p.path, p.token())


@breaks(RefusalRule.SUSPENDED_TOKEN)
async def break_suspended_token(p: Place) -> Answer:
    token = p.token()
    p.installation.suspended_at = time.time()
    return await p.ask(p.path, token)


simply(RefusalRule.JWT_FOR_TOKEN, lambda p: p.ask(p.path, p.jwt()))
simply(RefusalRule.USER_TOKEN_FOR_TOKEN, lambda p: p.ask(f"{p.path}/check-runs", p.user_token(), "POST", {}))
simply(
    RefusalRule.PERSONAL_TOKEN_FOR_TOKEN, lambda p: p.ask(f"{p.path}/check-runs", p.github.world.user_token, "POST", {})
)
simply(RefusalRule.TOKEN_FOR_USER_TOKEN, lambda p: p.ask("/user", p.token()))
simply(
    RefusalRule.JWT_FOR_USER_TOKEN, lambda p: p.ask(f"/user/installations/{p.installation.id}/repositories", p.jwt())
)
simply(RefusalRule.NO_USER_TOKEN, lambda p: p.ask("/user/installations"))


@breaks(RefusalRule.EXPIRED_USER_TOKEN)
async def break_expired_user_token(p: Place) -> Answer:
    p.github.people.life_s, kept = -1, p.github.people.life_s
    token = p.user_token()
    p.github.people.life_s = kept
    return await p.ask("/user", token)


@breaks(RefusalRule.REVOKED_USER_TOKEN)
async def break_revoked_user_token(p: Place) -> Answer:
    token = p.user_token()
    p.github.people.revoke(p.user)
    return await p.ask("/user", token)


simply(RefusalRule.FOREIGN_INSTALLATION, lambda p: p.ask("/user/installations/1/repositories", p.user_token()))


# What a token reaches.
@breaks(RefusalRule.OUTSIDE_NARROWING)
async def break_outside_narrowing(p: Place) -> Answer:
    other = await p.github.create_repository(p.owner, "outside", private=True)
    p.installation.repository_ids.add(other.id)
    return await p.ask(f"/repos/{other.full_name}", p.token())


@breaks(RefusalRule.LEFT_INSTALLATION)
async def break_left_installation(p: Place) -> Answer:
    token = p.token()
    p.installation.repository_ids = set()
    return await p.ask(p.path, token)


simply(RefusalRule.UNKNOWN_REPOSITORY, lambda p: p.ask("/repos/acme/none", p.token()))
simply(RefusalRule.UNKNOWN_PULL, lambda p: p.ask(f"{p.path}/pulls/99", p.token()))
simply(RefusalRule.NO_PERMISSION, lambda p: p.ask(f"{p.path}/pulls", p.token(metadata="read")))
simply(
    RefusalRule.READ_FOR_WRITE,
    lambda p: p.ask(f"{p.path}/check-runs", p.token(checks="read"), "POST", {"name": "n", "head_sha": p.sha}),
)


@breaks(RefusalRule.ARCHIVED)
async def break_archived(p: Place) -> Answer:
    p.repository.archived = True
    return await p.run()


@breaks(RefusalRule.PRIMARY_LIMIT)
async def break_primary_limit(p: Place) -> Answer:
    p.installation.used = PRIMARY_LIMIT
    return await p.ask(p.path, p.token())


@breaks(RefusalRule.SECONDARY_LIMIT)
async def break_secondary_limit(p: Place) -> Answer:
    p.github.world.limits = SecondaryLimits(writes_per_minute=1)
    assert (await p.run()).status == 201
    return await p.run()


# Creating a token.
def minted(p: Place, body: object, number: int | None = None) -> Awaitable[Answer]:
    return p.ask(f"/app/installations/{number or p.installation.id}/access_tokens", p.jwt(), "POST", body)


simply(RefusalRule.NOT_INSTALLED, lambda p: p.ask("/repos/acme/none/installation", p.jwt()))
simply(RefusalRule.UNKNOWN_INSTALLATION, lambda p: minted(p, {}, 1))
simply(RefusalRule.NOT_GRANTED, lambda p: minted(p, {"permissions": {"issues": "read"}}))
simply(RefusalRule.FOREIGN_REPOSITORY, lambda p: minted(p, {"repository_ids": [1]}))


@breaks(RefusalRule.SUSPENDED_INSTALLATION)
async def break_suspended_installation(p: Place) -> Answer:
    p.installation.suspended_at = time.time()
    return await minted(p, {})


# Bodies.
simply(RefusalRule.NOT_PERMITTED, lambda p: p.run(head_branch="main"))
simply(RefusalRule.NOT_SUPPLIED, lambda p: p.run(head_sha=None))
simply(RefusalRule.WRONG_TYPE, lambda p: p.run(external_id=7))
simply(RefusalRule.NOT_A_MEMBER, lambda p: p.run(conclusion="perfect"))
simply(RefusalRule.WRONG_FORM, lambda p: p.run(completed_at="yesterday"))
simply(RefusalRule.TOO_SMALL, lambda p: p.annotated(start_line=0))
simply(RefusalRule.TOO_LONG, lambda p: p.run(output={"title": "t", "summary": "\u00e4" * 32_768}))
simply(RefusalRule.TOO_MANY, lambda p: p.run(output={"title": "t", "summary": "s", "annotations": [ANNOTATION] * 51}))

# Check runs.
simply(RefusalRule.NO_CONCLUSION, lambda p: p.run(status="completed"))
simply(RefusalRule.NO_COMMIT, lambda p: p.run(head_sha="f" * 40))
simply(RefusalRule.BAD_DETAILS_URL, lambda p: p.run(details_url=""))
simply(RefusalRule.ENDS_BEFORE_START, lambda p: p.annotated(start_line=2))
simply(RefusalRule.COLUMNS_OVER_LINES, lambda p: p.annotated(end_line=2, start_column=1))
simply(RefusalRule.BAD_PATH, lambda p: p.annotated(path="../a.py"))
simply(RefusalRule.UNKNOWN_RUN, lambda p: p.run("PATCH", "/1", status="in_progress"))

# Other writes.


def pulled(p: Place, **changes: object) -> Awaitable[Answer]:
    body = {"title": "t", "head": "topic", "base": "main", **changes}
    return p.ask(f"{p.path}/pulls", p.token(), "POST", body)


def referred(p: Place, ref: str, sha: str | None = None) -> Awaitable[Answer]:
    return p.ask(f"{p.path}/git/refs", p.token(), "POST", {"ref": ref, "sha": sha or p.sha})


def put(p: Place, path: str, **changes: object) -> Awaitable[Answer]:
    body = {"message": "m", "content": base64.b64encode(b"x").decode(), "branch": "topic", **changes}
    return p.ask(f"{p.path}/contents/{path}", p.token(), "PUT", body)


@breaks(RefusalRule.PULL_EXISTS)
async def break_pull_exists(p: Place) -> Answer:
    p.github.world.add_pull(p.repository, "topic", p.sha, "main")
    answer = await pulled(p)
    p.github.world.pulls.clear()
    return answer


simply(RefusalRule.BAD_HEAD, lambda p: pulled(p, head="none"))
simply(RefusalRule.BAD_BASE, lambda p: pulled(p, base="none"))
simply(RefusalRule.NOTHING_TO_PULL, lambda p: pulled(p, head="main", base="topic"))
simply(RefusalRule.REF_EXISTS, lambda p: referred(p, "refs/heads/main"))
simply(RefusalRule.BAD_REF, lambda p: referred(p, "heads/x"))
simply(RefusalRule.NO_OBJECT, lambda p: referred(p, "refs/heads/x", "f" * 40))
simply(RefusalRule.NO_BRANCH, lambda p: put(p, "c.py", branch="none"))
simply(RefusalRule.NOT_BASE64, lambda p: put(p, "c.py", content="ä"))
simply(RefusalRule.STALE_SHA, lambda p: put(p, "a.py", sha="f" * 40))
simply(RefusalRule.SHA_MISSING, lambda p: put(p, "a.py"))
simply(RefusalRule.WORKFLOW, lambda p: put(p, ".github/workflows/ci.yml"))
simply(RefusalRule.NO_FILE, lambda p: p.ask(f"{p.path}/contents/none.py", p.token()))

# The delivery log.
simply(RefusalRule.UNKNOWN_DELIVERY, lambda p: p.ask("/app/hook/deliveries/1", p.jwt()))


simply(RefusalRule.BAD_CURSOR, lambda p: p.ask("/app/hook/deliveries?cursor=2", p.jwt()))


@breaks(RefusalRule.OLD_DELIVERY)
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
        "name": "Guard",
        "url": "http://127.0.0.1:9",
        "hook_attributes": {"url": "http://127.0.0.1:9/hooks"},
        "redirect_url": "http://127.0.0.1:9/setup/callback",
        "default_permissions": {"contents": "read"},
        "default_events": ["push"],
        **changes,
    }


def converted(p: Place, code: str) -> Awaitable[Answer]:
    return p.ask(f"/app-manifests/{code}/conversions", method="POST", body={})


def waiting(p: Place, code: str) -> str:
    p.github.pages.codes[code] = (p.app, PRIVATE)
    p.github.pages.codes_made_at[code] = p.github.world.now()
    return code


simply(RefusalRule.UNKNOWN_CODE, lambda p: converted(p, "unknown"))


@breaks(RefusalRule.USED_CODE)
async def break_used_code(p: Place) -> Answer:
    code = waiting(p, "used")
    assert (await converted(p, code)).status == 201
    return await converted(p, code)


@breaks(RefusalRule.OLD_CODE)
async def break_old_code(p: Place) -> Answer:
    code = waiting(p, "old")
    p.github.world.skew_s = 3_601
    return await converted(p, code)


@breaks(RefusalRule.BAD_MANIFEST)
async def break_bad_manifest(p: Place) -> Answer:
    return await p.form("/settings/apps/new?state=s", {"manifest": "{}"}, Accept="text/html")


# Signing in.
def authorized(p: Place, **changes: str) -> Awaitable[Answer]:
    asked = {"client_id": p.app.client_id, "redirect_uri": CALLBACK, "state": "s", **changes}
    return p.ask(f"{p.github.address}/login/oauth/authorize?{urlencode(asked)}")


simply(RefusalRule.UNKNOWN_CLIENT, lambda p: authorized(p, client_id="x"))
simply(RefusalRule.FOREIGN_REDIRECT, lambda p: authorized(p, redirect_uri="http://evil.example/login/callback"))
simply(RefusalRule.PLAIN_CHALLENGE, lambda p: authorized(p, code_challenge=CHALLENGE, code_challenge_method="plain"))
simply(RefusalRule.BAD_CLIENT, lambda p: p.oauth(client_secret="x", code="x"))
simply(RefusalRule.BAD_OAUTH_CODE, lambda p: p.oauth(code="unknown"))
simply(RefusalRule.UNKNOWN_GRANT, lambda p: p.oauth(grant_type="password"))
simply(RefusalRule.UNKNOWN_REFRESH, lambda p: p.oauth(grant_type="refresh_token", refresh_token="unknown"))
simply(RefusalRule.OAUTH_WITH_CREDENTIAL, lambda p: p.form("/login/oauth/access_token", {}, Authorization="bearer "))


def granted(p: Place) -> str:
    return p.github.people.grant(p.user, CALLBACK, CHALLENGE)


@breaks(RefusalRule.USED_OAUTH_CODE)
async def break_used_oauth_code(p: Place) -> Answer:
    code = granted(p)
    assert "access_token" in (await p.oauth(code=code, code_verifier=VERIFIER, redirect_uri=CALLBACK)).text
    return await p.oauth(code=code, code_verifier=VERIFIER)


@breaks(RefusalRule.OLD_OAUTH_CODE)
async def break_old_oauth_code(p: Place) -> Answer:
    code = granted(p)
    p.github.world.skew_s = 601
    return await p.oauth(code=code, code_verifier=VERIFIER)


simply(
    RefusalRule.OTHER_REDIRECT, lambda p: p.oauth(code=granted(p), code_verifier=VERIFIER, redirect_uri=f"{CALLBACK}/x")
)
simply(RefusalRule.BAD_VERIFIER, lambda p: p.oauth(code=granted(p), code_verifier="w" * 43))
simply(RefusalRule.NO_VERIFIER, lambda p: p.oauth(code=granted(p)))


@breaks(RefusalRule.USED_REFRESH)
async def break_used_refresh(p: Place) -> Answer:
    _, token = p.github.people._mint(p.user)
    asked = {"grant_type": "refresh_token", "refresh_token": token.refresh_token}
    assert "access_token" in (await p.oauth(**asked)).text
    return await p.oauth(**asked)


# git over HTTP.
simply(RefusalRule.GIT_PRIVATE, lambda p: p.git())
simply(RefusalRule.GIT_ANONYMOUS_PUSH, lambda p: p.git(service="git-receive-pack"))
simply(RefusalRule.GIT_JWT, lambda p: p.git(password=p.jwt()))
simply(RefusalRule.GIT_BEARER, lambda p: p.git(password=p.token(), scheme="Bearer"))
simply(RefusalRule.GIT_UNKNOWN, lambda p: p.git("acme/none", p.token()))
simply(RefusalRule.GIT_NO_CONTENTS, lambda p: p.git(password=p.token(metadata="read")))
simply(RefusalRule.GIT_READ_ONLY, lambda p: p.git(password=p.token(contents="read"), service="git-receive-pack"))
simply(RefusalRule.GIT_SERVICE, lambda p: p.git(password=p.token(), service="git-upload-archive"))


@breaks(RefusalRule.GIT_BAD_CREDENTIAL)
async def break_git_bad_credential(p: Place) -> Answer:
    public = await p.github.create_repository(p.owner, "public")
    assert (await p.git(public.full_name)).status == 200
    return await p.git(public.full_name, "ghs_wrong")


@breaks(RefusalRule.GIT_EXPIRED)
async def break_git_expired(p: Place) -> Answer:
    token = p.token()
    p.github.world.tokens[token].expires_at = time.time() - 1
    return await p.git(password=token)


@breaks(RefusalRule.GIT_OUTSIDE)
async def break_git_outside(p: Place) -> Answer:
    other = await p.github.create_repository(p.owner, "private", private=True)
    return await p.git(other.full_name, p.token())


@breaks(RefusalRule.GIT_SUSPENDED)
async def break_git_suspended(p: Place) -> Answer:
    token = p.token()
    p.installation.suspended_at = time.time()
    return await p.git(password=token)
