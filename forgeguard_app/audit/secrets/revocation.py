"""Places where leaked credentials are revoked, by provider: the provider's own page where it is known, else in
words.
"""

from __future__ import annotations

from dataclasses import dataclass

from forgeguard_app.audit.secrets.generic_rules import GENERIC_RULES
from forgeguard_app.audit.secrets.provider_rules import PROVIDER_RULES


@dataclass(frozen=True, slots=True)
class Revocation:
    """The way to revoke a credential: its provider, the place in words, and the page; None where none is known."""

    provider: str
    words: str
    url: str | None = None


_WORDS = "Revoke it where it was issued, and issue a new one"
_PLACES: dict[str, tuple[str, str | None]] = {
    "GitHub": ("Settings, Developer settings, Personal access tokens", "https://github.com/settings/tokens"),
    "GitLab": ("User settings, Access tokens", "https://gitlab.com/-/user_settings/personal_access_tokens"),
    "Stripe": ("Developers, API keys, Roll key", "https://dashboard.stripe.com/apikeys"),
    "Slack": ("Your apps, OAuth & Permissions, Revoke tokens", "https://api.slack.com/apps"),
    "Google": ("APIs & Services, Credentials", "https://console.cloud.google.com/apis/credentials"),
    "Azure": ("the resource's page, Access keys, Rotate key", "https://portal.azure.com/"),
    "AWS": (
        "IAM, Security credentials, Access keys, Deactivate",
        "https://console.aws.amazon.com/iam/home#/security_credentials",
    ),
    "HashiCorp": (
        "the token's lease: revoke it with the Vault or Terraform command line",
        "https://developer.hashicorp.com/vault/docs/commands/token/revoke",
    ),
    "Discord": ("Developer portal, the application, Reset token", "https://discord.com/developers/applications"),
    "Cloudflare": ("My profile, API tokens, Roll or Delete", "https://dash.cloudflare.com/profile/api-tokens"),
    "Twilio": ("Console, Account, API keys & tokens", "https://console.twilio.com/"),
    "Telegram": ("@BotFather, /revoke", "https://core.telegram.org/bots/features#botfather"),
    "Supabase": ("Account, Access tokens", "https://supabase.com/dashboard/account/tokens"),
    "Square": ("Developer dashboard, Credentials, Replace", "https://developer.squareup.com/apps"),
    "Shopify": ("the app's API credentials, Rotate", "https://partners.shopify.com/"),
    "Sentry": ("Settings, Auth tokens", "https://sentry.io/settings/account/api/auth-tokens/"),
    "SendGrid": ("Settings, API keys, Delete", "https://app.sendgrid.com/settings/api_keys"),
    "RubyGems": ("Settings, API keys", None),
    "PyPI": ("Account settings, API tokens, Remove token", None),
    "npm": ("Access tokens, Delete", None),
    "NuGet": ("API keys, Delete", None),
    "Docker": ("Account settings, Personal access tokens", "https://docs.docker.com/security/access-tokens/"),
    "Replicate": ("Account, API tokens", "https://replicate.com/account/api-tokens"),
    "Pulumi": ("Account, Access tokens", "https://app.pulumi.com/account/tokens"),
    "Postman": ("Settings, API keys", "https://go.postman.co/settings/me/api-keys"),
    "OpenAI": ("API keys, Revoke", "https://platform.openai.com/api-keys"),
    "Anthropic": ("API keys, Delete", "https://console.anthropic.com/settings/keys"),
    "Notion": ("My integrations, Refresh secret", "https://www.notion.so/my-integrations"),
    "New Relic": ("API keys, Delete", "https://one.newrelic.com/admin-portal/api-keys/home"),
    "Mailgun": ("API security, Delete", "https://app.mailgun.com/settings/api_security"),
    "Mailchimp": ("Account, Extras, API keys, Revoke", "https://us1.admin.mailchimp.com/account/api/"),
    "Linear": ("Settings, API, Revoke", "https://linear.app/settings/api"),
    "Hugging Face": ("Settings, Access tokens", "https://huggingface.co/settings/tokens"),
    "Heroku": ("Account, API key, Regenerate", "https://dashboard.heroku.com/account"),
    "Groq": ("API keys, Delete", "https://console.groq.com/keys"),
    "Grafana": (
        "Administration, Service accounts, Tokens",
        "https://grafana.com/docs/grafana/latest/administration/service-accounts/",
    ),
    "Fly.io": ("Tokens, Revoke", "https://fly.io/user/personal_access_tokens"),
    "Figma": ("Settings, Security, Personal access tokens", "https://www.figma.com/settings"),
    "DigitalOcean": ("API, Tokens, Delete", "https://cloud.digitalocean.com/account/api/tokens"),
    "Datadog": ("Organization settings, API keys, Revoke", "https://app.datadoghq.com/organization-settings/api-keys"),
    "Atlassian": ("Security, API tokens, Revoke", "https://id.atlassian.com/manage-profile/security/api-tokens"),
    "Airtable": ("Builder hub, Personal access tokens", "https://airtable.com/create/tokens"),
}
_PROVIDERS = {rule.id: rule.provider for rule in (*PROVIDER_RULES, *GENERIC_RULES)}


def revocation_of(rule: str) -> Revocation:
    """Return how a credential that the rule finds is revoked."""
    provider = _PROVIDERS.get(rule, "")
    words, url = _PLACES.get(provider, ("", None))
    if not words:
        return Revocation(provider, f"{_WORDS}{f' ({provider})' if provider else ''}.", None)
    return Revocation(provider, f"Revoke it at {provider}: {words}.", url)
