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
from collections.abc import Iterable, Sequence
from inspect import cleandoc

from forgeguard_app.audit.check import Change, CheckOutcome, CheckRecord, reads_none
from forgeguard_app.audit.check_kinds import secrets_kind
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.facts import Facts
from forgeguard_app.audit.fingerprints import digest
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import Finding, Level
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.secrets.allowlists import CONFIG_PATH
from forgeguard_app.audit.secrets.masking import quoted
from forgeguard_app.audit.secrets.own_rules import own_secret_rules
from forgeguard_app.audit.secrets.rule import SecretRule
from forgeguard_app.audit.secrets.scanner import RULES, Secret

KIND = secrets_kind()
MAX_PLACES = 10


def evaluate(change: Change, facts: Facts, config: EffectiveConfig, memo: Memo) -> CheckOutcome:
    """Return the secrets that the search found, and which rules the repository turns off."""
    findings = check(change.added, change.standing, config.policy[KIND.code])
    disabled = ", ".join(quoted(name) for name in config.exceptions.disabled[:MAX_PLACES])
    notes = (f"Rules that disabledRules in {CONFIG_PATH} turns off: {disabled}.",) if disabled else ()
    return CheckOutcome(findings, notes=notes)


def check(new: Iterable[Secret], standing: Iterable[Secret], policy: CheckPolicy) -> tuple[Finding, ...]:
    """Return new findings for the added secrets, and existing ones for the others that stand in the files."""
    added = tuple(new)
    known = {(secret.rule.id, secret.path, secret.digest_key) for secret in added}
    old = [secret for secret in standing if (secret.rule.id, secret.path, secret.digest_key) not in known]
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
            fingerprint=digest(KIND.code, *key, str(ordinal)),
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


def _how_to_accept(finding: Finding) -> str:
    return "To accept a value that is no credential, write `forgeguard:allow` in a comment on its line."


def _find_rule(name: str) -> SecretRule | None:
    return next((rule for rule in RULES if rule.id == name), None)


def _explain_rule(parts: Sequence[str]) -> str | None:
    found = _find_rule(parts[0])
    if found is None:
        return None
    checksum = "Its checksum is verified.\n" if found.checksum else ""
    return f"{found.id} ({found.provider})\nSource: {found.source}\n{checksum}\n{CHECK.about}"


def _help_address(rule: str) -> str:
    """Return where to read on: what the provider says, else what the check is about."""
    found = _find_rule(rule)
    return found.source if found is not None and found.source.startswith("https://") else KIND.help_url


CHECK = CheckRecord(
    KIND,
    cleandoc(__doc__ or ""),
    evaluate,
    _how_to_accept,
    _explain_rule,
    tuple(rule.id for rule in RULES),
    _help_address,
    contents=reads_none,  # it reads what the commits add, not the files at head
    imports=reads_none,
    own_rules=lambda configuration: own_secret_rules(configuration.exceptions),
)
