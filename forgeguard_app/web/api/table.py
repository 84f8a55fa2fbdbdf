"""Every operation of the API, in one table."""

from __future__ import annotations

from forgeguard_app.web.api import allowances, audits, builds, models, people, projects
from forgeguard_app.web.api import project_models as shapes
from forgeguard_app.web.api.operations import Operation

PREFIX = "/api/v1"
MOST_BYTES = 1 << 20  # of a body with texts of people
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
    Operation("GET", "/projects", "Projects that you see", projects.show_projects, shapes.Projects, models.PageQuery),
    Operation("POST", "/projects", "Make a project", projects.add_project, shapes.Project, body=shapes.NewProject, status=201),
    Operation("GET", "/projects/{project_id}", "One project", projects.show_project, shapes.Project),
    Operation(
        "PATCH", "/projects/{project_id}", "Rename, describe or link it", projects.change_project, shapes.Project, body=shapes.ProjectChange
    ),
    Operation("DELETE", "/projects/{project_id}", "Delete it", projects.delete_project, None, status=204),
    Operation("GET", "/projects/{project_id}/questionnaire", "Questions, answers, proposals", projects.show_questionnaire, shapes.Questionnaire),
    Operation(
        "PUT", "/projects/{project_id}/questionnaire", "Answer questions", projects.answer, shapes.Questionnaire, body=shapes.NewAnswers,
        most_bytes=MOST_BYTES,
    ),
    Operation("GET", "/projects/{project_id}/contracts", "Its contracts", projects.show_contracts, shapes.Contracts),
    Operation(
        "POST", "/projects/{project_id}/contracts", "Write contracts from the answers", projects.write, shapes.Written,
        body=shapes.WriteContracts,
    ),
    Operation("GET", "/projects/{project_id}/contracts/{contract_type}", "One contract", projects.show_contract, shapes.Contract),
    Operation(
        "PUT", "/projects/{project_id}/contracts/{contract_type}", "Save a new version", projects.edit_contract, shapes.Contract,
        body=shapes.ContractEdit, conflicts=True, most_bytes=MOST_BYTES,
    ),
    Operation("GET", "/projects/{project_id}/builds", "Its builds, the newest first", builds.show_builds, shapes.Builds, models.PageQuery),
    Operation("POST", "/projects/{project_id}/builds", "Start a build", builds.start, shapes.Build, status=201),
    Operation("GET", "/builds/{build_id}", "One build with its phases", builds.show_build, shapes.Build),
    Operation("POST", "/builds/{build_id}/cancel", "Cancel it", builds.cancel, shapes.Build, status=202),
    Operation(
        "POST", "/builds/{build_id}/approve", "Approve its changes", builds.approve, shapes.Build, body=shapes.Approval, conflicts=True
    ),
    Operation(
        "POST", "/builds/{build_id}/hand-back", "Hand its changes back to the builder", builds.hand_back, shapes.Build,
        body=shapes.HandBack, conflicts=True,
    ),
    Operation("GET", "/builds/{build_id}/logs", "Its log", builds.show_logs, shapes.Logs, shapes.LogsQuery, stream=builds.stream),
)  # fmt: skip
