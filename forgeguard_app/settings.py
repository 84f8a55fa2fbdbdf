"""The server's settings: read once from the environment or `.env`, refused all at once where they are wrong."""

from __future__ import annotations

import ipaddress
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from forgeguard_app.errors import UserError
from forgeguard_app.evaluation_limits import DEFAULT_TIMEOUT_S, MAX_TIMEOUT_S

PREFIX = "FORGEGUARD_"
MIN_KEY_CHARS = 32
_APP = ("APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET", "CLIENT_ID", "CLIENT_SECRET")


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(text: str) -> tuple[Network, ...]:
    """Return the networks that are named, an address being one of its own.

    Raises:
        ValueError: one is invalid.
    """
    return tuple(ipaddress.ip_network(name) for name in _names(text))


def default_home() -> Path:
    """Return the platform's user data folder; as root /var/lib/forgeguard."""
    return Path("/var/lib/forgeguard") if os.geteuid() == 0 else Path(platformdirs.user_data_dir("forgeguard"))


EVERYBODY = "*"


class Settings(BaseSettings):
    """The variables that the server reads; `docs/operating.md` describes each."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: SecretStr | None = None
    home: Path = Field(default_factory=default_home)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    public_url: str | None = None
    github_url: str = "https://github.com"
    github_api_url: str = "https://api.github.com"
    app_id: int | None = None
    private_key: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    secret_key: SecretStr | None = None
    workers: int = Field(default=1, ge=0, le=64)
    evaluation_timeout_s: float = Field(default=DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)
    mirror_max_bytes: int = Field(default=10 << 30, ge=1 << 20)
    mirrors_max_bytes: int = Field(default=100 << 30, ge=1 << 20)
    operators: str = ""
    trusted_proxies: str = ""
    metrics_from: str = "127.0.0.0/8,::1"
    run_as: str = ""
    builder_command: str = ""
    builder_env: str = ""
    builder_unconfined: bool = False
    builder_owners: str = ""
    builder_folders: str = ""
    builder_network: Literal["outside", "none", "host"] = "outside"

    @field_validator("public_url", "github_url", "github_api_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        if value is not None and not _is_address(value):
            raise ValueError("is not an address with a host and, if any, a port number")
        return None if value is None else value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        if value is not None:
            try:
                urlsplit(value.get_secret_value())
            except ValueError:  # whose text repeats a part of the address
                raise ValueError("is not an address that can be read") from None
        return value

    @field_validator("builder_owners")
    @classmethod
    def _owners(cls, value: str) -> str:
        if value.strip() == EVERYBODY or all(
            part.strip().isascii() and part.strip().isdigit() for part in value.split(",") if part.strip()
        ):
            return value
        raise ValueError(f"must be {EVERYBODY} or GitHub ids of accounts (numbers), separated by commas")

    @field_validator("builder_folders")
    @classmethod
    def _folders(cls, value: str) -> str:
        if not all(os.path.isabs(name) and os.path.realpath(name) != "/" for name in _names(value)):
            raise ValueError("must be absolute paths of files or folders, separated by commas, and not / itself")
        return value

    @field_validator("operators")
    @classmethod
    def _ids(cls, value: str) -> str:
        if not all(part.strip().isascii() and part.strip().isdigit() for part in value.split(",") if part.strip()):
            raise ValueError("must be GitHub user ids (numbers), separated by commas")
        return value

    @field_validator("trusted_proxies", "metrics_from")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            networks_of(value)
        except ValueError:
            raise ValueError("must be IP addresses or networks (10.0.0.0/8), separated by commas") from None
        return value

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The reverse proxies whose X-Forwarded-For is believed."""
        return networks_of(self.trusted_proxies)

    @property
    def metrics_networks(self) -> tuple[Network, ...]:
        """From where the figures may be read."""
        return networks_of(self.metrics_from)

    @property
    def builder_argv(self) -> tuple[str, ...]:
        """The builder's command, split as a shell would; empty for the built-in builder."""
        return tuple(shlex.split(self.builder_command))

    @property
    def builder_environment(self) -> dict[str, str]:
        """The variables of ours that a builder may have, by name."""
        return {name: os.environ[name] for name in _names(self.builder_env) if name in os.environ}

    @property
    def builder_visible(self) -> tuple[str, ...]:
        """Return the files and folders of this machine that a confined builder sees beside the system."""
        return tuple(_names(self.builder_folders))

    @property
    def operator_ids(self) -> frozenset[int]:
        """Return the GitHub user ids of the operators."""
        return _numbers(self.operators)

    @property
    def builder_owner_ids(self) -> frozenset[int] | None:
        """Return the GitHub ids of accounts that may build with the command: the operators' where none is named; None
        for everybody.
        """
        if self.builder_owners.strip() == EVERYBODY:
            return None
        return _numbers(self.builder_owners) or self.operator_ids

    @property
    def address(self) -> str:
        """Return the address at which browsers and GitHub reach the server."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def app(self) -> AppCredentials | None:
        """The App's credentials; None in set-up mode."""
        if self.app_id is None or self.private_key is None or self.webhook_secret is None:
            return None
        keys = tuple(_pem(part) for part in _key_parts(self.private_key.get_secret_value()))
        secrets = tuple(
            part.strip().encode() for part in self.webhook_secret.get_secret_value().split(",") if part.strip()
        )
        secret = self.client_secret.get_secret_value() if self.client_secret else None
        return AppCredentials(self.app_id, keys, secrets, self.client_id, secret)


@dataclass(frozen=True)
class AppCredentials:
    """The App's credentials. During rotation there are two of a kind; the first is used, all are accepted."""

    app_id: int
    private_keys: tuple[str, ...]
    webhook_secrets: tuple[bytes, ...]
    client_id: str | None = None
    client_secret: str | None = None

    def __repr__(self) -> str:
        return f"AppCredentials(app_id={self.app_id}, …)"


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _key_parts(text: str) -> list[str]:
    return [text] if "-----BEGIN" in text else [part.strip() for part in text.split(",") if part.strip()]


def _pem(text: str) -> str:
    if "-----BEGIN" in text:
        return text.replace("\\n", "\n")
    return Path(text).read_text("utf-8")


def load_settings() -> Settings:
    """Return the settings.

    Raises:
        UserError: names every variable that is missing or malformed, never its value.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [
            f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise UserError("the configuration is wrong:\n  " + "\n  ".join(lines)) from None
    problems = _problems(settings)
    if problems:
        raise UserError("the configuration is wrong:\n  " + "\n  ".join(problems))
    return settings


def _problems(settings: Settings) -> list[str]:
    problems: list[str] = []
    given = [name for name in _APP[:3] if getattr(settings, name.lower()) is not None]
    if given and len(given) < 3:
        missing = [name for name in _APP[:3] if name not in given]
        problems += [
            f"{PREFIX}{name}: missing, while {PREFIX}{given[0]} is set; both are needed or neither" for name in missing
        ]
    if (settings.client_id is None) != (settings.client_secret is None):
        absent = "CLIENT_ID" if settings.client_id is None else "CLIENT_SECRET"
        problems.append(f"{PREFIX}{absent}: missing; signing in needs CLIENT_ID and CLIENT_SECRET, both or neither")
    if settings.webhook_secret is not None and not settings.webhook_secret.get_secret_value().strip(", "):
        problems.append(f"{PREFIX}WEBHOOK_SECRET: empty")
    if settings.private_key is not None:
        problems += _key_problems(settings.private_key.get_secret_value())
    problems += _builder_problems(settings)
    if settings.secret_key is not None:
        keys = settings.secret_key.get_secret_value().split(",")
        if any(len(key.strip()) < MIN_KEY_CHARS for key in keys):
            problems.append(f"{PREFIX}SECRET_KEY: every key needs {MIN_KEY_CHARS} characters or more")
    elif settings.database_url is not None:
        problems.append(
            f"{PREFIX}SECRET_KEY: missing; it is required where {PREFIX}DATABASE_URL is set, since several "
            f"machines share it"
        )
    return problems


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if part.strip())


def _builder_problems(settings: Settings) -> list[str]:
    try:
        shlex.split(settings.builder_command)
    except ValueError:
        return [f"{PREFIX}BUILDER_COMMAND: a quote is not closed"]
    problems = [
        f"{PREFIX}BUILDER_ENV: names {name}, which is not set"
        for name in _names(settings.builder_env)
        if name not in os.environ
    ]
    ours = [name for name in _names(settings.builder_env) if name.startswith(PREFIX)]
    return problems + [f"{PREFIX}BUILDER_ENV: {name} is ForgeGuard's own, and not for builders" for name in ours]


def _key_problems(text: str) -> list[str]:
    for part in _key_parts(text):
        try:
            if "PRIVATE KEY-----" not in _pem(part):
                return [f"{PREFIX}PRIVATE_KEY: not a private key in PEM form"]
        except (OSError, UnicodeDecodeError):
            return [f"{PREFIX}PRIVATE_KEY: neither a PEM text nor the path of a readable file"]
    return []
