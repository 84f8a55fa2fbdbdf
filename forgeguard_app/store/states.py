"""Closed sets of states, as the database holds them; a constraint of each column allows exactly these values."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of an audit run."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    """The cause of an audit run."""

    PUSH = "push"
    PULL_REQUEST = "pull_request"
    MERGE_GROUP = "merge_group"
    RERUN = "rerun"
    INSTALLATION = "installation"


class InstallationStatus(StrEnum):
    """The status of an installation of the App."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class DeliveryOutcome(StrEnum):
    """The outcome of a delivery: an audit run, a change of what is stored, nothing, or a refusal as malformed."""

    ACCEPTED = "accepted"
    APPLIED = "applied"
    IGNORED = "ignored"
    REFUSED = "refused"


class PullState(StrEnum):
    """The state of a pull request."""

    OPEN = "open"
    CLOSED = "closed"


class BuildStatus(StrEnum):
    """The status of a build or of one of its phases."""

    PENDING = "pending"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TrialKind(StrEnum):
    """The kind of a trial: a changed configuration, a first one, or a project's contracts as a pull request."""

    CONFIGURATION = "configuration"
    FIRST_RULES = "first_rules"
    CONTRACTS = "contracts"


class TrialStatus(StrEnum):
    """The status of a trial of a configuration."""

    PENDING = "pending"
    COMPLETED = "completed"
    ERROR = "error"


class TokenScope(StrEnum):
    """The scope of a personal API token."""

    READ = "read"
    WRITE = "write"
