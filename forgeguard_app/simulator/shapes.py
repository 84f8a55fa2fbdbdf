"""State in the shape of GitHub's JSON: what the REST API answers and what webhooks carry."""

from __future__ import annotations

import base64
from typing import Any

from forgeguard_app.simulator.state import (
    Account,
    App,
    CheckRun,
    Delivery,
    Installation,
    Pull,
    Repository,
    Suite,
    World,
    stamp,
)


class Shapes:
    """Shapes below one address."""

    def __init__(self, world: World, address: str) -> None:
        self.world, self.address = world, address
        self.api = f"{address}/api/v3"

    def account(self, account: Account) -> dict[str, Any]:
        """Return a simple user."""
        url = f"{self.api}/users/{account.login}"
        return {
            "login": account.login, "id": account.id, "node_id": _node("U", account.id), "avatar_url": f"{self.address}/avatars/{account.id}",
            "gravatar_id": "", "url": url, "html_url": f"{self.address}/{account.login}", "followers_url": f"{url}/followers",
            "following_url": f"{url}/following{{/other_user}}", "gists_url": f"{url}/gists{{/gist_id}}",
            "starred_url": f"{url}/starred{{/owner}}{{/repo}}", "subscriptions_url": f"{url}/subscriptions",
            "organizations_url": f"{url}/orgs", "repos_url": f"{url}/repos", "events_url": f"{url}/events{{/privacy}}",
            "received_events_url": f"{url}/received_events", "type": account.type, "site_admin": False, "user_view_type": "public",
        }  # fmt: skip

    def private_user(self, account: Account) -> dict[str, Any]:
        """Return the person whose token it is."""
        unsaid = ("name", "company", "location", "email", "hireable", "bio", "twitter_username")
        return self.account(account) | dict.fromkeys(unsaid) | {
            "blog": "", "notification_email": None, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": stamp(0), "updated_at": stamp(0),
        }  # fmt: skip

    def rules(self, repository: Repository, names: list[str]) -> list[dict[str, Any]]:
        """Return the rules of a branch under a ruleset with required checks."""
        checks = [{"context": name} for name in names]
        return [
            {
                "type": "required_status_checks", "ruleset_source_type": "Repository", "ruleset_source": repository.full_name, "ruleset_id": 1,
                "parameters": {"required_status_checks": checks, "strict_required_status_checks_policy": False},
            }
        ]  # fmt: skip

    def branch(self, repository: Repository, name: str, sha: str) -> dict[str, Any]:
        """Return a branch without protection, as lists carry it."""
        url = f"{self.api}/repos/{repository.full_name}"
        return {"name": name, "commit": {"sha": sha, "url": f"{url}/commits/{sha}"}, "protected": False}

    def protected_branch(self, repository: Repository, sha: str, names: list[str]) -> dict[str, Any]:
        """Return a branch with the older kind of protection, as lists carry it."""
        url = f"{self.api}/repos/{repository.full_name}"
        protection = f"{url}/branches/{repository.default_branch}/protection"
        checks = [{"context": name, "app_id": None} for name in names]
        return {
            "name": repository.default_branch, "commit": {"sha": sha, "url": f"{url}/commits/{sha}"}, "protected": True,
            "protection": {
                "enabled": True, "required_status_checks": {"enforcement_level": "non_admins", "contexts": names, "checks": checks},
            },
            "protection_url": protection,
        }  # fmt: skip

    def repository(self, repository: Repository) -> dict[str, Any]:
        """Return a repository as webhooks carry it."""
        url = f"{self.api}/repos/{repository.full_name}"
        html = f"{self.address}/{repository.full_name}"
        created = stamp(repository.created_at)
        return {
            "id": repository.id, "node_id": _node("R", repository.id), "name": repository.name, "full_name": repository.full_name, "private": repository.private,
            "owner": self.account(repository.owner), "html_url": html, "description": None, "fork": False, "url": url,
            "forks_url": f"{url}/forks", "keys_url": f"{url}/keys{{/key_id}}", "collaborators_url": f"{url}/collaborators{{/collaborator}}",
            "teams_url": f"{url}/teams", "hooks_url": f"{url}/hooks", "issue_events_url": f"{url}/issues/events{{/number}}",
            "events_url": f"{url}/events", "assignees_url": f"{url}/assignees{{/user}}", "branches_url": f"{url}/branches{{/branch}}",
            "tags_url": f"{url}/tags", "blobs_url": f"{url}/git/blobs{{/sha}}", "git_tags_url": f"{url}/git/tags{{/sha}}",
            "git_refs_url": f"{url}/git/refs{{/sha}}", "trees_url": f"{url}/git/trees{{/sha}}", "statuses_url": f"{url}/statuses/{{sha}}",
            "languages_url": f"{url}/languages", "stargazers_url": f"{url}/stargazers", "contributors_url": f"{url}/contributors",
            "subscribers_url": f"{url}/subscribers", "subscription_url": f"{url}/subscription", "commits_url": f"{url}/commits{{/sha}}",
            "git_commits_url": f"{url}/git/commits{{/sha}}", "comments_url": f"{url}/comments{{/number}}",
            "issue_comment_url": f"{url}/issues/comments{{/number}}", "contents_url": f"{url}/contents/{{+path}}",
            "compare_url": f"{url}/compare/{{base}}...{{head}}", "merges_url": f"{url}/merges",
            "archive_url": f"{url}/{{archive_format}}{{/ref}}", "downloads_url": f"{url}/downloads", "issues_url": f"{url}/issues{{/number}}",
            "pulls_url": f"{url}/pulls{{/number}}", "milestones_url": f"{url}/milestones{{/number}}",
            "notifications_url": f"{url}/notifications{{?since,all,participating}}", "labels_url": f"{url}/labels{{/name}}",
            "releases_url": f"{url}/releases{{/id}}", "deployments_url": f"{url}/deployments", "created_at": created,
            "updated_at": stamp(repository.updated_at or repository.created_at), "pushed_at": stamp(max(repository.pushed.values(), default=repository.created_at)), "git_url": f"git:{html.partition(':')[2]}.git", "ssh_url": f"git@{html}.git",
            "clone_url": f"{html}.git", "svn_url": html, "homepage": None, "size": 0, "stargazers_count": 0, "watchers_count": 0,
            "language": "Python", "has_issues": True, "has_projects": True, "has_downloads": True, "has_wiki": True,
            "has_pages": False, "has_discussions": False, "forks_count": 0, "mirror_url": None, "archived": repository.archived,
            "disabled": False, "open_issues_count": 0, "license": None, "allow_forking": True, "is_template": False,
            "web_commit_signoff_required": False, "topics": [], "visibility": "private" if repository.private else "public",
            "forks": 0, "open_issues": 0, "watchers": 0, "default_branch": repository.default_branch,
        }  # fmt: skip

    def short_repository(self, repository: Repository) -> dict[str, Any]:
        """Return a repository as installation events list it."""
        return {
            "id": repository.id,
            "node_id": _node("R", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.private,
        }

    def app(self, app: App) -> dict[str, Any]:
        """Return the App as check runs name it."""
        return {
            "id": app.id, "client_id": app.client_id, "slug": app.slug, "node_id": _node("A", app.id), "owner": self.account(app.owner),
            "name": app.name, "description": "", "external_url": self.address, "html_url": f"{self.address}/apps/{app.slug}",
            "created_at": stamp(app.created_at), "updated_at": stamp(app.created_at), "permissions": app.permissions,
            "events": app.events,
        }  # fmt: skip

    def check_run(self, run: CheckRun) -> dict[str, Any]:
        """Return a check run as the REST API answers it."""
        repository = self.world.repositories[run.repository_id]
        url = f"{self.api}/repos/{repository.full_name}/check-runs/{run.id}"
        app = self.world.app
        return {
            "id": run.id, "name": run.name, "node_id": _node("CR", run.id), "head_sha": run.head_sha, "external_id": run.external_id,
            "url": url, "html_url": f"{self.address}/{repository.full_name}/runs/{run.id}", "details_url": run.details_url,
            "status": run.status, "conclusion": run.conclusion, "started_at": run.started_at, "completed_at": run.completed_at,
            "output": {
                "title": run.output.get("title"), "summary": run.output.get("summary"), "text": run.output.get("text"),
                "annotations_count": len(run.annotations), "annotations_url": f"{url}/annotations",
            },
            "check_suite": {"id": run.suite_id}, "app": self.app(app) if app else None, "pull_requests": [],
        }  # fmt: skip

    def annotation(self, run: CheckRun, posted: dict[str, Any]) -> dict[str, Any]:
        """Return a posted annotation as the REST API lists it."""
        repository = self.world.repositories[run.repository_id]
        return {
            "path": posted["path"], "start_line": posted["start_line"], "end_line": posted["end_line"],
            "start_column": posted.get("start_column"), "end_column": posted.get("end_column"),
            "annotation_level": posted["annotation_level"], "title": posted.get("title"), "message": posted["message"],
            "raw_details": posted.get("raw_details"), "blob_href": f"{self.address}/{repository.full_name}/blob/{run.head_sha}/{posted['path']}",
        }  # fmt: skip

    def installation(self, installation: Installation) -> dict[str, Any]:
        """Return an installation as webhooks carry it."""
        app = self.world.app
        if app is None:
            raise LookupError("no App")
        suspended = None if installation.suspended_at is None else stamp(installation.suspended_at)
        return {
            "id": installation.id, "client_id": app.client_id, "account": self.account(installation.account), "repository_selection": "selected",
            "access_tokens_url": f"{self.api}/app/installations/{installation.id}/access_tokens",
            "repositories_url": f"{self.api}/installation/repositories", "html_url": f"{self.address}/settings/installations/{installation.id}",
            "app_id": app.id, "app_slug": app.slug, "target_id": installation.account.id, "target_type": installation.account.type,
            "permissions": self.world.granted(installation), "events": app.events, "created_at": stamp(installation.created_at),
            "updated_at": stamp(installation.updated_at), "single_file_name": None, "has_multiple_single_files": False,
            "single_file_paths": [], "suspended_by": None, "suspended_at": suspended,
        }  # fmt: skip

    def installation_event(self, action: str, installation: Installation) -> dict[str, Any]:
        """Return the body of an installation event."""
        repositories = [self.world.repositories[number] for number in sorted(installation.repository_ids)]
        body: dict[str, Any] = {
            "action": action,
            "installation": self.installation(installation),
            "repositories": [self.short_repository(each) for each in repositories],
            "sender": self.account(self.world.pusher),
        }
        if action == "created":
            body["requester"] = None
        return body

    def pull(self, pull: Pull) -> dict[str, Any]:
        """Return a pull request as the REST API lists it."""
        repository = self.world.repositories[pull.repository_id]
        url = f"{self.api}/repos/{repository.full_name}/pulls/{pull.number}"
        issue = f"{self.api}/repos/{repository.full_name}/issues/{pull.number}"
        html = f"{self.address}/{repository.full_name}/pull/{pull.number}"
        full = self.repository(repository)
        del full["has_downloads"]
        head = None if pull.head_repository_id is None else full
        side = {"user": full["owner"]}
        return {
            "url": url, "id": pull.id, "node_id": _node("PR", pull.id), "html_url": html, "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch", "issue_url": issue, "commits_url": f"{url}/commits",
            "review_comments_url": f"{url}/comments", "review_comment_url": f"{url}/comments{{/number}}",
            "comments_url": f"{issue}/comments", "statuses_url": f"{self.api}/repos/{repository.full_name}/statuses/{pull.head_sha}",
            "number": pull.number, "state": pull.state, "locked": False, "title": pull.title, "user": self.account(self.world.pusher),
            "body": pull.body or None, "labels": [], "milestone": None, "active_lock_reason": None, "created_at": stamp(pull.created_at),
            "updated_at": stamp(pull.updated_at), "closed_at": None, "merged_at": None,
            "assignees": [], "requested_reviewers": [], "requested_teams": [], "draft": False, "author_association": "MEMBER",
            "auto_merge": None,
            "head": {"label": f"{repository.owner.login}:{pull.head_ref}", "ref": pull.head_ref, "sha": pull.head_sha, "repo": head, **side},
            "base": {
                "label": f"{repository.owner.login}:{pull.base_ref}", "ref": pull.base_ref, "sha": pull.head_sha, "repo": full, **side,
            },
            "_links": {
                name: {"href": url}
                for name in ("self", "html", "issue", "comments", "review_comments", "review_comment", "commits", "statuses")
            },
        }  # fmt: skip

    def whole_pull(self, pull: Pull) -> dict[str, Any]:
        """Return a pull request as the REST API answers it by its number."""
        counts = dict.fromkeys(("comments", "review_comments", "commits", "additions", "deletions", "changed_files"), 0)
        return self.pull(pull) | counts | {
            "merged": False, "mergeable": None, "mergeable_state": "unknown", "merged_by": None, "maintainer_can_modify": False,
        }  # fmt: skip

    def suite_event(self, repository: Repository, sha: str, suite: Suite, action: str) -> dict[str, Any]:
        """Return the body of a check_suite event."""
        url = f"{self.api}/repos/{repository.full_name}/check-suites/{suite.id}"
        app = self.world.app
        person = {"name": "A", "email": "a@example.invalid"}
        return {
            "action": action,
            "check_suite": {
                "id": suite.id, "node_id": _node("CS", suite.id), "head_branch": suite.head_branch, "head_sha": sha,
                "status": "queued", "conclusion": None, "url": url, "before": suite.before, "after": sha, "pull_requests": [],
                "app": self.app(app) if app else None, "created_at": stamp(), "updated_at": stamp(),
                "rerequestable": True, "runs_rerequestable": True, "latest_check_runs_count": 0, "check_runs_url": f"{url}/check-runs",
                "head_commit": {
                    "id": sha, "tree_id": sha, "message": "", "timestamp": stamp(), "author": person, "committer": person,
                },
            },
        }  # fmt: skip

    def file(self, repository: Repository, path: str, blob: str, data: bytes) -> dict[str, Any]:
        """Return a file as the contents API answers it."""
        url = f"{self.api}/repos/{repository.full_name}/contents/{path}"
        links = {"self": url, "git": url, "html": url}
        return {
            "type": "file", "encoding": "base64", "size": len(data), "name": path.rpartition("/")[2], "path": path,
            "content": base64.b64encode(data).decode(), "sha": blob, "url": url, "git_url": url, "html_url": url,
            "download_url": url, "_links": links,
        }  # fmt: skip

    def simple_installation(self, installation: Installation) -> dict[str, Any]:
        """Return the installation as other events name it."""
        return {"id": installation.id, "node_id": _node("I", installation.id)}

    def delivery(self, delivery: Delivery) -> dict[str, Any]:
        """Return an entry of the delivery log."""
        return {
            "id": delivery.id, "guid": delivery.guid, "delivered_at": delivery.delivered_at, "redelivery": delivery.redelivery, "duration": delivery.duration,
            "status": delivery.status, "status_code": delivery.status_code, "event": delivery.event, "action": delivery.action,
            "installation_id": delivery.installation_id, "repository_id": delivery.repository_id, "throttled_at": None,
        }  # fmt: skip


def _node(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}:{number}".encode()).decode()
