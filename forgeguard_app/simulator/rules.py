"""Refusals of GitHub in one table: each with GitHub's answer and the place where it is documented or was seen.

The faces of the simulator refuse by these rules alone, and `tests/simulator/test_rules.py` breaks every one of them.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Any

_DOCS = "https://docs.github.com/en"
_REST = f"{_DOCS}/rest"
_USING = f"{_REST}/using-the-rest-api"
_TROUBLE = f"{_USING}/troubleshooting-the-rest-api"
_START = f"{_USING}/getting-started-with-the-rest-api"
_AUTH = f"{_REST}/authentication/authenticating-to-the-rest-api"
_APP_AUTH = f"{_DOCS}/apps/creating-github-apps/authenticating-with-a-github-app"
_JWT = f"{_APP_AUTH}/generating-a-json-web-token-jwt-for-a-github-app"
_AS_INSTALLATION = f"{_APP_AUTH}/authenticating-as-a-github-app-installation"
_USER_TOKEN = f"{_APP_AUTH}/generating-a-user-access-token-for-a-github-app"
_REFRESH = f"{_APP_AUTH}/refreshing-user-access-tokens"
_OAUTH = f"{_DOCS}/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors"
_AUTHORIZE = f"{_DOCS}/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-authorization-request-errors"
_MANIFEST = f"{_DOCS}/apps/sharing-github-apps/registering-a-github-app-from-a-manifest"
_APPS = f"{_REST}/apps/apps"
_TOKENS = f"{_APPS}#create-an-installation-access-token-for-an-app"
_HOOKS = f"{_REST}/apps/webhooks"
_RUNS = f"{_REST}/checks/runs"
_CREATE_RUN = f"{_RUNS}#create-a-check-run"
_PULLS = f"{_REST}/pulls/pulls#create-a-pull-request"
_REFS = f"{_REST}/git/refs#create-a-reference"
_CONTENTS = f"{_REST}/repos/contents#create-or-update-file-contents"
_SUSPENDED = f"{_DOCS}/apps/maintaining-github-apps/suspending-a-github-app-installation"
_GIT = f"{_DOCS}/get-started/git-basics/about-remote-repositories#cloning-with-https-urls"
_PERMISSIONS = f"{_REST}/authentication/permissions-required-for-github-apps"
_ISSUES = "https://github.com"

_BAD = "Bad credentials"
_NOT_OURS = "Resource not accessible by integration"
_UNDECODABLE = "A JSON web token could not be decoded"
_NOT_FOUND = "Not Found"
_FAILED = "Validation Failed"
_INVALID = "Invalid request.\n\n"


RULE_HEADER = "X-Refused-By"  # the simulator's own: which rule an answer follows


@unique
class RefusalRule(Enum):
    """When a request is refused, the status and message of the answer, and the source."""

    def __init__(self, when: str, status: int, message: str, source: str) -> None:
        self.when, self.status, self.message, self.source = when, status, message, source

    # fmt: off
    # Every request to the REST API.
    NO_USER_AGENT = ("it has no User-Agent", 403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header", f"{_START}#user-agent")
    UNKNOWN_VERSION = ("its X-GitHub-Api-Version is unknown", 400, "Unsupported 'X-GitHub-Api-Version' header: '{given}'", f"{_REST}/about-the-rest-api/api-versions")
    WRONG_ACCEPT = ("its Accept names another media type", 415, "Unsupported 'Accept' header: '{given}'. Must accept 'application/json'.", f"{_START}#accept")
    WRONG_CONTENT_TYPE = ("its body is of another media type than JSON", 415, "Unsupported Media Type", f"{_START}#media-types")
    UNKNOWN_PATH = ("its path is unknown", 404, _NOT_FOUND, f"{_TROUBLE}#404-not-found-for-an-existing-resource")
    UNKNOWN_METHOD = ("its path does not take the method", 404, _NOT_FOUND, f"{_TROUBLE}#404-not-found-for-an-existing-resource")
    NOT_JSON = ("its body is not JSON", 400, "Problems parsing JSON", f"{_TROUBLE}#invalid-json")
    NOT_AN_OBJECT = ("its body is not a JSON object", 400, "Body should be a JSON object", f"{_TROUBLE}#invalid-json")

    # The Authorization header.
    EMPTY_CREDENTIAL = ("the header holds no credential", 401, _BAD, f"{_TROUBLE}#401-unauthorized")
    MALFORMED_CREDENTIAL = ("the header holds more than a credential", 401, _BAD, f"{_TROUBLE}#401-unauthorized")
    FOREIGN_SCHEME = ("the header is of another scheme", 401, _BAD, _AUTH)
    UNKNOWN_CREDENTIAL = ("GitHub never gave out the credential", 401, _BAD, _AUTH)
    CREDENTIAL_WHERE_NONE_BELONGS = ("a code is traded with a credential beside it", 401, _BAD, f"{_APPS}#create-a-github-app-from-a-manifest")
    NO_CREDENTIAL = ("there is no header where a token is needed", 401, "Requires authentication", f"{_TROUBLE}#401-unauthorized")

    # The App's JWT.
    NO_JWT = ("there is no header where a JWT is needed", 401, _UNDECODABLE, f"{_ISSUES}/urcomputeringpal/kubevalidator/issues/48")
    TOKEN_FOR_JWT = ("an installation token stands where a JWT belongs", 401, _UNDECODABLE, f"{_ISSUES}/urcomputeringpal/kubevalidator/issues/48")
    USER_TOKEN_FOR_JWT = ("a user token stands where a JWT belongs", 401, _UNDECODABLE, f"{_APPS}#get-the-authenticated-app")
    NOT_A_JWT = ("it is no JWT", 401, _UNDECODABLE, f"{_ISSUES}/backstage/backstage/issues/12887")
    WRONG_KEY = ("it is signed by another key", 401, _UNDECODABLE, f"{_ISSUES}/octokit/request.js/issues/505")
    WRONG_ALGORITHM = ("it is signed by another algorithm than RS256", 401, _UNDECODABLE, _JWT)
    EXP_TOO_FAR = ("it lasts for more than ten minutes", 401, "'Expiration time' claim ('exp') is too far in the future", f"{_ISSUES}/octokit/auth-app.js/issues/698")
    EXP_PAST = ("it has expired", 401, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires", f"{_ISSUES}/sigmavirus24/github3.py/issues/1050")
    EXP_MISSING = ("it never expires", 401, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires", _JWT)
    IAT_FUTURE = ("it was issued in the future", 401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued", f"{_ISSUES}/probot/probot/issues/967")
    IAT_MISSING = ("it does not say when it was issued", 401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued", _JWT)
    ISS_MISSING = ("it does not say who issued it", 401, "'Issuer' claim ('iss') must be an Integer", _JWT)
    ISS_UNKNOWN = ("its issuer is no App", 404, "Integration not found", f"{_ISSUES}/actions/create-github-app-token/issues/76")

    # Tokens.
    EXPIRED_TOKEN = ("the installation token has expired", 401, _BAD, _TOKENS)
    REVOKED_TOKEN = ("the installation token was revoked", 401, _BAD, f"{_REST}/apps/installations#revoke-an-installation-access-token")
    TOKEN_OF_DELETED_INSTALLATION = ("the installation of the token was deleted", 401, _BAD, f"{_APPS}#delete-an-installation-for-the-authenticated-app")
    FRESH_TOKEN = ("not all of GitHub knows the new token yet", 401, _BAD, f"{_ISSUES}/octokit/auth-app.js/issues/65")
    SUSPENDED_TOKEN = ("the installation of the token is suspended", 403, "This installation has been suspended", _SUSPENDED)
    JWT_FOR_TOKEN = ("a JWT stands where an installation token belongs", 403, _NOT_OURS, f"{_ISSUES}/octokit/app.js/issues/349")
    USER_TOKEN_FOR_TOKEN = ("a user token stands where an installation token belongs", 403, _NOT_OURS, _PERMISSIONS)
    PERSONAL_TOKEN_FOR_TOKEN = ("a personal token stands where an installation token belongs", 403, "You must authenticate via a GitHub App.", _CREATE_RUN)
    TOKEN_FOR_USER_TOKEN = ("an installation token stands where a user token belongs", 403, _NOT_OURS, f"{_ISSUES}/actions/create-github-app-token/issues/258")
    JWT_FOR_USER_TOKEN = ("a JWT stands where a user token belongs", 403, _NOT_OURS, f"{_ISSUES}/octokit/app.js/issues/522")
    EXPIRED_USER_TOKEN = ("the user token has expired", 401, _BAD, _REFRESH)
    REVOKED_USER_TOKEN = ("the user took the authorization back", 401, _BAD, f"{_APP_AUTH}/about-authentication-with-a-github-app")
    NO_USER_TOKEN = ("there is no header where a user token is needed", 401, "Requires authentication", f"{_REST}/users/users#get-the-authenticated-user")
    FOREIGN_INSTALLATION = ("the user does not see the installation", 404, _NOT_FOUND, f"{_REST}/apps/installations#list-repositories-accessible-to-the-user-access-token")

    # What a token reaches.
    OUTSIDE_NARROWING = ("the repository is outside what the token was narrowed to", 404, _NOT_FOUND, f"{_TROUBLE}#404-not-found-for-an-existing-resource")
    LEFT_INSTALLATION = ("the repository left the installation", 404, _NOT_FOUND, f"{_TROUBLE}#404-not-found-for-an-existing-resource")
    UNKNOWN_REPOSITORY = ("there is no such repository", 404, _NOT_FOUND, f"{_TROUBLE}#404-not-found-for-an-existing-resource")
    NO_PERMISSION = ("the token lacks the permission", 403, _NOT_OURS, f"{_TROUBLE}#resource-not-accessible")
    READ_FOR_WRITE = ("the token may only read", 403, _NOT_OURS, f"{_TROUBLE}#resource-not-accessible")
    ARCHIVED = ("the repository is archived, and it writes", 403, "Repository was archived so is read-only.", f"{_ISSUES}/r-universe-org/help/issues/247")
    PRIMARY_LIMIT = ("the installation used its requests of this hour", 403, "API rate limit exceeded for installation.", f"{_USING}/rate-limits-for-the-rest-api")
    SECONDARY_LIMIT = ("too much is written at once", 403, "You have exceeded a secondary rate limit. Please wait a few minutes.", f"{_USING}/rate-limits-for-the-rest-api")

    # Creating an installation token.
    NOT_INSTALLED = ("the App is not installed on the repository", 404, _NOT_FOUND, f"{_APPS}#get-a-repository-installation-for-the-authenticated-app")
    UNKNOWN_PULL = ("the repository has no such pull request", 404, _NOT_FOUND, f"{_REST}/pulls/pulls#get-a-pull-request")
    UNKNOWN_INSTALLATION = ("the App has no such installation", 404, _NOT_FOUND, _TOKENS)
    SUSPENDED_INSTALLATION = ("the installation is suspended", 403, "This installation has been suspended", _SUSPENDED)
    NOT_GRANTED = ("a permission is not granted", 422, "The permissions requested are not granted to this installation.", _TOKENS)
    FOREIGN_REPOSITORY = ("a repository does not belong to the installation", 422, "There is at least one repository that does not exist or is not accessible to the parent installation.", _TOKENS)

    # Bodies, by the schemas that GitHub publishes.
    NOT_PERMITTED = ("a field is unknown", 422, _INVALID + '"{field}" is not a permitted key.', "https://github.com/github/rest-api-description")
    NOT_SUPPLIED = ("a required field is missing", 422, _INVALID + '"{field}" wasn\'t supplied.', f"{_ISSUES}/humanmade/linter-bot/issues/71")
    WRONG_TYPE = ("a field is of another type", 422, _INVALID + "For 'properties/{field}', {given} is not {wanted}.", f"{_ISSUES}/jekyll/Utterson/issues/29")
    NOT_A_MEMBER = ("a field holds an unknown word", 422, _INVALID + "For 'properties/{field}', {given} is not a member of {wanted}.", f"{_TROUBLE}#validation-failed")
    WRONG_FORM = ("a field is not in its form", 422, _INVALID + "For 'properties/{field}', {given} is not {wanted}.", f"{_TROUBLE}#validation-failed")
    TOO_SMALL = ("a number is too small", 422, _INVALID + "For 'properties/{field}', {given} is smaller than {wanted}.", f"{_TROUBLE}#validation-failed")
    TOO_LONG = ("a text is too long", 422, _INVALID + "Only {most} characters are allowed; {number} were supplied.", f"{_ISSUES}/github/docs/issues/35252")
    TOO_MANY = ("a list is too long", 422, _INVALID + "No more than {most} items are allowed; {number} were supplied.", f"{_ISSUES}/qiniu/reviewbot/issues/258")

    # Check runs.
    NO_CONCLUSION = ("a completed check run has no conclusion", 422, _INVALID + '"conclusion" wasn\'t supplied.', _CREATE_RUN)
    NO_COMMIT = ("the commit is unknown", 422, "No commit found for SHA: {sha}", _CREATE_RUN)
    BAD_DETAILS_URL = ("details_url is not a web address", 422, _FAILED, f"{_ISSUES}/packit/packit-service/pull/1169")
    ENDS_BEFORE_START = ("an annotation ends before it starts", 422, _INVALID + "end_line must be greater than or equal to start_line.", _CREATE_RUN)
    COLUMNS_OVER_LINES = ("an annotation of several lines has columns", 422, _INVALID + "start_column and end_column need start_line and end_line to be equal.", _CREATE_RUN)
    BAD_PATH = ("an annotation's path is no path in the repository", 422, _INVALID + "path must be relative to the repository's root.", _CREATE_RUN)
    UNKNOWN_RUN = ("there is no such check run", 404, _NOT_FOUND, f"{_RUNS}#get-a-check-run")

    # Other writes.
    PULL_EXISTS = ("there is a pull request of the branch already", 422, _FAILED, _PULLS)
    BAD_HEAD = ("the pull request's head is no branch", 422, _FAILED, _PULLS)
    BAD_BASE = ("the pull request's base is no branch", 422, _FAILED, _PULLS)
    NOTHING_TO_PULL = ("head has no commit that base lacks", 422, _FAILED, _PULLS)
    REF_EXISTS = ("the reference exists", 422, "Reference already exists", _REFS)
    BAD_REF = ("the reference does not begin with refs/ or is no name", 422, "Reference name is invalid", _REFS)
    NO_OBJECT = ("the reference's object is unknown", 422, "Object does not exist", _REFS)
    NO_BRANCH = ("the file's branch is unknown", 404, "Branch {branch} not found", _CONTENTS)
    NOT_BASE64 = ("the file's content is not Base64", 422, "content is not valid Base64", _CONTENTS)
    STALE_SHA = ("the file's sha is not the present one", 409, "{path} does not match {sha}", _CONTENTS)
    SHA_MISSING = ("a file that exists is written without its sha", 422, _INVALID + '"sha" wasn\'t supplied.', _CONTENTS)
    WORKFLOW = ("a workflow is written without the permission to", 403, _NOT_OURS, _CONTENTS)
    NO_FILE = ("there is no such file", 404, _NOT_FOUND, f"{_REST}/repos/contents#get-repository-content")

    # The delivery log.
    BAD_CURSOR = ("the cursor is none that a page named", 422, _FAILED, f"{_HOOKS}#list-deliveries-for-an-app-webhook")
    UNKNOWN_DELIVERY = ("there is no such delivery", 404, _NOT_FOUND, f"{_HOOKS}#get-a-delivery-for-an-app-webhook")
    OLD_DELIVERY = ("the delivery is older than three days", 404, _NOT_FOUND, f"{_DOCS}/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks")

    # The App Manifest's code.
    UNKNOWN_CODE = ("the code was never given out", 404, _NOT_FOUND, _MANIFEST)
    USED_CODE = ("the code was used", 404, _NOT_FOUND, _MANIFEST)
    OLD_CODE = ("the code is older than an hour", 404, _NOT_FOUND, _MANIFEST)
    BAD_MANIFEST = ("the manifest is not as GitHub wants it", 422, "Invalid manifest", _MANIFEST)

    # Signing in. These answers are 200 with `error`, or a redirect with `error`.
    UNKNOWN_CLIENT = ("no App has the client id", 404, "There is no such client", _AUTHORIZE)
    FOREIGN_REDIRECT = ("redirect_uri is not one of the App's", 302, "redirect_uri_mismatch", _AUTHORIZE)
    PLAIN_CHALLENGE = ("the code challenge is not S256", 302, "invalid_request", _USER_TOKEN)
    BAD_CLIENT = ("the client id or secret is wrong", 200, "incorrect_client_credentials", _OAUTH)
    BAD_OAUTH_CODE = ("the code was never given out", 200, "bad_verification_code", _OAUTH)
    USED_OAUTH_CODE = ("the code was used", 200, "bad_verification_code", _OAUTH)
    OLD_OAUTH_CODE = ("the code is older than ten minutes", 200, "bad_verification_code", _USER_TOKEN)
    OTHER_REDIRECT = ("redirect_uri is another than the one that was asked with", 200, "redirect_uri_mismatch", _OAUTH)
    BAD_VERIFIER = ("the code verifier does not match the challenge", 200, "bad_verification_code", _USER_TOKEN)
    NO_VERIFIER = ("the code verifier is missing", 200, "bad_verification_code", _USER_TOKEN)
    USED_REFRESH = ("the refresh token was used", 200, "bad_refresh_token", _REFRESH)
    UNKNOWN_REFRESH = ("the refresh token was never given out", 200, "bad_refresh_token", _REFRESH)
    UNKNOWN_GRANT = ("grant_type is unknown", 200, "unsupported_grant_type", _REFRESH)
    OAUTH_WITH_CREDENTIAL = ("a code is traded with an Authorization header", 401, _BAD, _USER_TOKEN)

    # git over HTTP.
    GIT_PRIVATE = ("a private repository is fetched without a credential", 401, "Repository not found.", _GIT)
    GIT_ANONYMOUS_PUSH = ("a push has no credential", 401, "No anonymous write access.", _GIT)
    GIT_BAD_CREDENTIAL = ("a public repository is fetched with a wrong credential", 401, "Invalid username or token.", _AS_INSTALLATION)
    GIT_JWT = ("a JWT is the password", 401, "Invalid username or token.", _AS_INSTALLATION)
    GIT_BEARER = ("the credential is not Basic", 401, "Invalid username or token.", _AS_INSTALLATION)
    GIT_EXPIRED = ("the token has expired", 401, "Invalid username or token.", _AS_INSTALLATION)
    GIT_UNKNOWN = ("there is no such repository", 404, "Repository not found.", _GIT)
    GIT_OUTSIDE = ("the private repository is outside what the token was narrowed to", 404, "Repository not found.", _AS_INSTALLATION)
    GIT_NO_CONTENTS = ("the token may not read contents", 403, "Write access to repository not granted.", _AS_INSTALLATION)
    GIT_READ_ONLY = ("a push has a token that may only read", 403, "Write access to repository not granted.", _AS_INSTALLATION)
    GIT_SUSPENDED = ("a private repository is fetched while the installation is suspended", 403, "This installation has been suspended", _SUSPENDED)
    GIT_SERVICE = ("the path is no service of git", 404, "Not Found", "https://git-scm.com/docs/http-protocol")
    # fmt: on


class Denied(Exception):
    """A request breaks a rule; `words` fill the rule's message, `errors` are GitHub's list of them."""

    def __init__(
        self,
        rule: RefusalRule,
        *,
        headers: dict[str, str] | None = None,
        errors: list[Any] | None = None,
        **words: object,
    ) -> None:
        self.rule, self.errors = rule, errors
        self.headers = {RULE_HEADER: rule.name, **(headers or {})}
        self.status, self.message = rule.status, rule.message.format(**words)
        super().__init__(self.message)


class Moved(Exception):
    """The repository has another name; the answer leads to it by its id."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location
