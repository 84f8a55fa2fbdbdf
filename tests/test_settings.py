"""Settings of the environment: refused all at once, by name and never by value."""

from __future__ import annotations

import pytest

from forgeguard_app.errors import UserError
from forgeguard_app.settings import load_settings


def test_every_builder_setting_that_is_wrong_stops_the_start_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGEGUARD_BUILDER_COMMAND", "agent 'unclosed")
    with pytest.raises(UserError, match="BUILDER_COMMAND: a quote is not closed"):
        load_settings()
    monkeypatch.setenv("FORGEGUARD_BUILDER_COMMAND", "agent --flag 'two words'")
    monkeypatch.setenv("FORGEGUARD_BUILDER_ENV", "KEY_OF_AGENT,NOT_SET_ANYWHERE,FORGEGUARD_SECRET_KEY")
    monkeypatch.setenv("KEY_OF_AGENT", "k")
    with pytest.raises(UserError) as refused:
        load_settings()
    assert "names NOT_SET_ANYWHERE, which is not set" in str(refused.value)
    assert "FORGEGUARD_SECRET_KEY is ForgeGuard's own" in str(refused.value)
    monkeypatch.setenv("FORGEGUARD_BUILDER_ENV", "KEY_OF_AGENT")
    settings = load_settings()
    assert settings.builder_argv == ("agent", "--flag", "two words")
    assert settings.builder_environment == {"KEY_OF_AGENT": "k"}
    for wrong in ("agent", "/srv/agent,../x", "/", "/srv/.."):
        monkeypatch.setenv("FORGEGUARD_BUILDER_FOLDERS", wrong)
        with pytest.raises(UserError, match="BUILDER_FOLDERS: must be absolute paths"):
            load_settings()
    monkeypatch.setenv("FORGEGUARD_BUILDER_FOLDERS", "/srv/agent, /etc/pip.conf")
    assert load_settings().builder_visible == ("/srv/agent", "/etc/pip.conf")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:hunter2@[h/d"),
        ("PUBLIC_URL", "https://h:hunter2"),
        ("GITHUB_URL", "https://:443"),
    ],
)
def test_an_address_that_cannot_be_read_is_named_and_never_repeated(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"FORGEGUARD_{name}", value)
    monkeypatch.setenv("FORGEGUARD_SECRET_KEY", "k" * 32)
    with pytest.raises(UserError, match=f"FORGEGUARD_{name}: is not an address") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)
