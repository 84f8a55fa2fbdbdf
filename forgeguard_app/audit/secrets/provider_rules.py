"""The provider-specific rules: values that their provider made recognisable, in one table."""

from __future__ import annotations

from forgeguard_app.audit.secrets.rule import SecretRule
from forgeguard_app.audit.secrets.rules_clouds import CLOUDS
from forgeguard_app.audit.secrets.rules_code import GIT_AND_PACKAGES
from forgeguard_app.audit.secrets.rules_services import SERVICES

PROVIDER_RULES: tuple[SecretRule, ...] = (*GIT_AND_PACKAGES, *CLOUDS, *SERVICES)
