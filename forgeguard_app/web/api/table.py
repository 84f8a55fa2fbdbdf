"""Every operation of the API, in one table."""

from __future__ import annotations

from forgeguard_app.web.api import allowances, audits, models, people
from forgeguard_app.web.api.operations import Operation

PREFIX = "/api/v1"
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/me", "Who the token stands for", people.show_me, models.Me),
    Operation("GET", "/installations", "Accounts with the App", people.show_installations, models.Installations, models.PageQuery),
    Operation("GET", "/repos", "Guarded repositories that you see", audits.show_repos, models.Repositories, models.PageQuery),
    Operation("GET", "/repos/{repo_id}", "One repository", audits.show_repo, models.Repository, for_all=True),
    Operation(
        "GET", "/repos/{repo_id}/audits", "Its audits, the newest first", audits.show_audits, models.Audits, models.AuditsQuery,
        for_all=True,
    ),
    Operation("GET", "/audits/{run_id}", "One audit with its verdict", audits.show_audit, models.Audit, for_all=True),
    Operation(
        "GET", "/audits/{run_id}/findings", "Its findings", audits.show_findings, models.Findings, models.FindingsQuery, for_all=True
    ),
    Operation("POST", "/audits/{run_id}/rerun", "Audit the same head again", audits.rerun, models.Rerun, status=202),
    Operation(
        "GET", "/allowances", "A repository's allowances", allowances.show_allowances, models.Allowances, models.AllowancesQuery
    ),
    Operation("POST", "/allowances", "Allow a finding", allowances.add_allowance, models.Allowance, body=models.NewAllowance, status=201),
    Operation("DELETE", "/allowances/{allowance_id}", "End an allowance", allowances.remove_allowance, None, status=204),
    Operation("GET", "/tokens", "Your personal API tokens", people.show_tokens, models.Tokens),
    Operation("POST", "/tokens", "Make a token", people.add_token, models.Token, body=models.NewToken, status=201),
    Operation("DELETE", "/tokens/{token_id}", "Delete a token", people.remove_token, None, status=204),
)  # fmt: skip
