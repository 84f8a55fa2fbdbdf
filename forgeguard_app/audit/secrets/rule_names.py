"""Our rules under the names that gitleaks gives them, in whose files people except secrets."""

from __future__ import annotations

# Where several of our rules belong to one provider, or the providers' names differ; else the first word decides.
_THEIRS: dict[str, str] = {
    "aws-access-key": "aws-access-token aws-access-key-id",
    "aws-secret-key": "aws-secret-access-key aws-secret-key",
    "aws-bedrock-key": "aws-amazon-bedrock-api-key-long-lived aws-amazon-bedrock-api-key-short-lived",
    "generic-assignment": "generic-api-key",
    "generic-setting": "generic-api-key",
    "password-in-address": "generic-api-key",
    "json-web-token": "jwt jwt-base64",
    "private-key": "private-key pkcs12-file openssh-private-key",
    "github-personal-token": "github-pat",
    "github-oauth-token": "github-oauth",
    "github-user-token": "github-app-token",
    "github-app-token": "github-app-token",
    "github-refresh-token": "github-refresh-token",
    "github-fine-grained-token": "github-fine-grained-pat",
    "gitlab-personal-token": "gitlab-pat gitlab-pat-routable",
    "gitlab-pipeline-trigger": "gitlab-ptt",
    "gitlab-runner-token": "gitlab-rrt gitlab-runner-authentication-token gitlab-runner-authentication-token-routable",
    "gitlab-deploy-token": "gitlab-deploy-token",
    "vault-token": "vault-service-token vault-batch-token",
    "terraform-cloud-token": "hashicorp-tf-api-token",
    "gcp-api-key": "gcp-api-key",
    "gcp-oauth-secret": "gcp-oauth-client-secret",
    "gcp-access-token": "gcp-access-token",
    "azure-storage-key": "azure-storage-key",
    "azure-client-secret": "azure-ad-client-secret",
    "azure-devops-token": "azure-devops-pat",
    "cloudflare-token": "cloudflare-api-key cloudflare-global-api-key",
    "cloudflare-origin-key": "cloudflare-origin-ca-key",
    "slack-token": "slack-bot-token slack-user-token slack-legacy-token slack-legacy-bot-token "
    "slack-legacy-workspace-token"
    " slack-config-access-token slack-config-refresh-token",
    "slack-app-token": "slack-app-token",
    "slack-webhook": "slack-webhook-url",
    "discord-bot-token": "discord-api-token discord-client-secret discord-client-id",
    "discord-webhook": "discord-webhook",
    "stripe-key": "stripe-access-token",
    "stripe-test-key": "stripe-access-token",
    "stripe-webhook-secret": "stripe-webhook-secret",
    "fly-token": "flyio-access-token",
    "brevo-key": "sendinblue-api-token",
    "newrelic-key": "new-relic-user-api-key new-relic-browser-api-token new-relic-insert-key new-relic-user-api-id",
}
_BY_NAME = {ours: frozenset(theirs.split()) | {ours} for ours, theirs in _THEIRS.items()}
_ALL_THEIRS = frozenset(name for names in _BY_NAME.values() for name in names)
_GENERIC = frozenset(("generic-assignment", "generic-setting", "password-in-address"))


def is_named(ours: str, name: str, known: frozenset[str]) -> bool:
    """Return whether a name in a file of gitleaks means our rule; `known` are the first words of all our rules.

    A rule of theirs that we lack finds what one of our generic rules finds.
    """
    if ours in _BY_NAME:
        if name in _BY_NAME[ours]:
            return True
        return ours in _GENERIC and name not in _ALL_THEIRS and name.partition("-")[0] not in known
    return name == ours or name.partition("-")[0] == ours.partition("-")[0]
