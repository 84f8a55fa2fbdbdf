"""A report as SARIF 2.1.0, with what GitHub's code scanning reads of it.

https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from forgeguard_app import __version__
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.explain import explain
from forgeguard_app.audit.model import CONFIGURATION_RULE, NOTICE_RULE, SEVERITY, CheckReport, Finding, Level
from forgeguard_app.audit.plain_text import escaped
from forgeguard_app.audit.report import problem_findings
from forgeguard_app.cli.accept import how_to_accept
from forgeguard_app.cli.outcome import CommandOutcome

_LEVELS = {Level.FAILURE: "error", Level.WARNING: "warning", Level.NOTICE: "note"}
_PROBLEM = {Level.FAILURE: "error", Level.WARNING: "warning", Level.NOTICE: "recommendation"}
# GitHub shows a `security-severity` of 7.0 to 8.9 as high and more as critical:
# https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
_SECRET, _VERIFIED_SECRET = "8.0", "9.5"
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
# https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
MAX_RESULTS = 25_000  # GitHub refuses a run with more


def sarif_log(outcome: CommandOutcome) -> dict[str, Any]:
    """Return the log with its one run."""
    found = [
        (check, finding)
        for check in outcome.report.checks
        for finding in (*problem_findings(check), *sorted(check.findings, key=lambda f: not f.counted))
    ][:MAX_RESULTS]
    groups: dict[str, list[tuple[CheckReport, Finding]]] = {}
    for check, finding in found:
        groups.setdefault(_rule_id(check, finding), []).append((check, finding))
    numbers = {name: number for number, name in enumerate(groups)}
    rules = [_rule(name, group[0][0], [finding for _, finding in group]) for name, group in groups.items()]
    run = {
        "tool": {"driver": {"name": "ForgeGuard", "version": __version__, "rules": rules}},
        "automationDetails": {"id": "forgeguard/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(outcome)],
        **({"versionControlProvenance": [_provenance(outcome)]} if outcome.repository_uri else {}),
        "results": [_result(check, finding, numbers[_rule_id(check, finding)]) for check, finding in found],
    }
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _rule_id(check: CheckReport, finding: Finding) -> str:
    return f"{check.code}/{escaped(finding.rule)}"


def _rule(name: str, check: CheckReport, findings: list[Finding]) -> dict[str, Any]:
    """Return a rule with its help; how severe it is follows from its worst finding."""
    worst = min(findings, key=lambda finding: SEVERITY[finding.level])
    about = _about(check, worst)
    accept = how_to_accept(check.code, worst)
    text = about + (f"\n\n{escaped(accept)}" if accept else "")
    properties: dict[str, Any] = {
        "precision": "high",
        "problem.severity": _PROBLEM[worst.level],
        "tags": [str(check.code)],
    }
    if CHECKS[check.code].kind.finds_secrets and worst.rule not in (CONFIGURATION_RULE, NOTICE_RULE):
        severity = _VERIFIED_SECRET if any(finding.verified for finding in findings) else _SECRET
        properties |= {"security-severity": severity, "tags": [str(check.code), "security"]}
    return {
        "id": name,
        "name": escaped(worst.rule),
        "shortDescription": {"text": f"{CHECKS[check.code].kind.name}: {escaped(worst.rule)}"},
        "fullDescription": {"text": about.partition("\n\n")[0].replace("\n", " ")},
        "help": {"text": text, "markdown": text},
        "helpUri": CHECKS[check.code].help_address(worst.rule),
        "defaultConfiguration": {"level": _LEVELS[worst.level]},
        "properties": properties,
    }


def _about(check: CheckReport, finding: Finding) -> str:
    if finding.rule == CONFIGURATION_RULE:
        return "A file that configures ForgeGuard cannot be used as it is.\n\nNothing is checked until it is corrected."
    return explain(f"{check.code}/{finding.rule}") or explain(check.code) or CHECKS[check.code].kind.name


def _result(check: CheckReport, finding: Finding, rule: int) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": max(finding.end_line, finding.line),
        **({"endColumn": finding.end_column} if finding.end_column else {}),  # without it, to the line's end
    }
    place = {"artifactLocation": {"uri": _uri(finding.path), "uriBaseId": "%SRCROOT%"}, "region": region}
    return {
        "ruleId": _rule_id(check, finding),
        "ruleIndex": rule,
        "level": _LEVELS[finding.level],
        "message": {"text": escaped(finding.message)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"forgeguard/v1": finding.fingerprint},
        "baselineState": "new" if finding.new else "unchanged",
    }


def _invocation(outcome: CommandOutcome) -> dict[str, Any]:
    return {
        "executionSuccessful": outcome.exit_status != 2,
        "exitCode": outcome.exit_status,
        "exitCodeDescription": escaped(outcome.last_line()),
        "toolExecutionNotifications": list(_notifications(outcome)),
    }


def _notifications(outcome: CommandOutcome) -> Iterable[dict[str, Any]]:
    for check in outcome.report.checks:
        for level, sentences in (("warning", check.incomplete), ("note", check.notes)):
            for sentence in sentences:
                text = f"Not read: {sentence}" if level == "warning" else sentence
                yield {"level": level, "message": {"text": f"{check.code}: {escaped(text)}"}}


def _provenance(outcome: CommandOutcome) -> dict[str, Any]:
    revision = {"revisionId": outcome.report.head} if outcome.report.head else {}
    return {"repositoryUri": outcome.repository_uri, "mappedTo": {"uriBaseId": "%SRCROOT%"}, **revision}


def _uri(path: str) -> str:
    raw = path.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw)
