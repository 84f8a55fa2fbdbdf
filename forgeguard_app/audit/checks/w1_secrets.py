"""Secrets scan: did any commit of the push add a credential?

What it finds: values in the formats of providers (with the provider's own checksum verified where there is one),
private keys, and values that look random under a name that says secret.

Why it hurts: everybody who can read the repository, its forks or its history can use the credential, also after a later
commit removed the line.

Example: a personal access token in a test's configuration.

How to fix it: revoke the credential at its provider first, then take it out of the history. A value that is no secret
may be excepted with `forgeguard:allow` in its line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from forgeguard_app.audit.fingerprints import digest
from forgeguard_app.audit.model import CheckCode, Finding, Level
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.secrets.scanner import Secret


def check(new: Iterable[Secret], standing: Iterable[Secret], policy: CheckPolicy) -> tuple[Finding, ...]:
    """Return new findings for what was added; existing ones for what stands in the files, where the gate asks for
    those.
    """
    added = tuple(new)
    seen = {(secret.rule.id, secret.path, secret.digest_key) for secret in added}
    old = [secret for secret in standing if (secret.rule.id, secret.path, secret.digest_key) not in seen]
    findings = [*_findings(added, policy, new=True), *_findings(old, policy, new=False)]
    return tuple(sorted(findings, key=lambda finding: finding.order))


def _findings(secrets: Iterable[Secret], policy: CheckPolicy, *, new: bool) -> Iterable[Finding]:
    ordinals: Counter[tuple[str, str, str]] = Counter()
    for secret in secrets:
        key = (secret.rule.id, secret.commit or "", secret.path)
        ordinal = ordinals[key]
        ordinals[key] += 1
        level = policy.level
        if secret.verified and policy.fail_on == "verified":
            level = Level.FAILURE
        yield Finding(
            path=secret.path,
            line=secret.line,
            end_line=secret.line,
            column=secret.column,
            end_column=secret.end_column,
            rule=secret.rule.id,
            message=_message(secret),
            level=level,
            new=new,
            commit=secret.commit,
            fingerprint=digest(CheckCode.W1, *key, str(ordinal)),
            verified=secret.verified,
        )


def _message(secret: Secret) -> str:
    rule = secret.rule
    shown = f" ({rule.prefix}…)" if rule.prefix else ""
    kind = (
        rule.provider
        if rule.id.startswith(("generic-", "password-"))
        else f"{rule.provider}: {rule.id.replace('-', ' ')}"
    )
    certain = ", its checksum is right" if secret.verified else ""
    where = f" in commit {secret.commit[:10]}" if secret.commit else ""
    return f"Possible credential{where}: {kind}{shown}{certain}. Revoke it first, then remove it from the history."
