"""Rules for credentials that no provider made recognisable: keys in PEM, assignments, addresses with a password.

Nothing of such a value is ever shown. Precision comes from what the scanner rules out beside the pattern.
"""

from __future__ import annotations

from forgeguard_app.audit.secrets.rule import SecretRule

_NAME = (
    r"[A-Za-z0-9_.\-]{0,40}(?i:api[_\-]?key|apikey|secret|token|passw(?:or)?d|passwd|passphrase|pwd|credentials?|private[_\-]?key"
    r"|access[_\-]?key|auth[_\-]?key|signing[_\-]?key|encryption[_\-]?key|master[_\-]?key)[A-Za-z0-9_.\-]{0,20}"
)
_KEYWORDS = ("key", "secret", "token", "passw", "pwd", "passphrase", "credential")
_VALUE = "k3J9xQ2mZ8vN5tR7pL4w"

PRIVATE_KEY = SecretRule(
    "private-key",
    "PEM",
    "RFC 7468, Textual Encodings of PKIX, PKCS, and CMS Structures; RFC 9580 for OpenPGP",
    r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:\\+[nr]|[\s\"'+,|>;()])*(?:[A-Za-z\-]{3,30}: [^\n]{0,200}(?:\\+[nr]|[\s\"'+,])+)*([A-Za-z0-9+/=]{32,})",
    ("private key",),
    3.0,
    ("-----BEGIN RSA PRIVATE", " KEY-----\nMIIEpAIBAAKCAQEA7k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2s"),
    ("-----BEGIN RSA PRIVATE", " KEY-----\n...\n-----END RSA PRIVATE KEY-----"),
)
QUOTED = SecretRule(
    "generic-assignment",
    "a name that says secret, and a value that looks random",
    "our own",
    rf"(?:^|[^A-Za-z0-9_.\-])({_NAME})[\"'\]`]{{0,2}}\s*(?::=|=>|==?|:)\s*(?:[rbuf]{{0,2}})[\"'`]([^\s\"'`]{{12,200}})[\"'`]",
    _KEYWORDS,
    3.4,
    ("api_key", f' = "{_VALUE}"'),
    ("api_key = ", '"your-api-key-goes-here"'),
)
BARE = SecretRule(
    "generic-setting",
    "a setting whose name says secret, and a value that looks random",
    "our own",
    rf"^[ \t]*(?:export[ \t]+|ENV[ \t]+|-[ \t]+)?({_NAME})[ \t]*[=:][ \t]*([A-Za-z0-9+/=_\-.~!@#$%^&*]{{16,200}})[ \t\r]*$",
    _KEYWORDS,
    3.5,
    ("API_TOKEN", f"={_VALUE}"),
    ("API_TOKEN=", "${API_TOKEN_FROM_ENV}"),
)
ADDRESS = SecretRule(
    "password-in-address",
    "an address with a user's password",
    "RFC 3986, section 3.2.1",
    r"(?i)[a-z][a-z0-9+.\-]{1,20}://([^/\s:@\"'<>{}$\\]{0,64}):([^/\s:@\"'<>{}$\\()*]{6,100})@([a-z0-9.\-]+)",
    ("://",),
    2.5,
    ("postgresql://app:", "Zx8-k3J9xQ2m@db.internal/app"),
    ("postgresql://user:", "password@db.internal/app"),
)
JWT = SecretRule(
    "json-web-token",
    "JSON Web Token",
    "RFC 7519",
    r"(?:^|[^A-Za-z0-9_\-.])(eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{20,})(?:[^A-Za-z0-9_\-.]|\.?$|\.\s)",
    ("eyj",),
    3.5,
    ("ey", "JhbGciOiJIUzI1NiJ9.ey", f"JzdWIiOiI5ODc2NTQzMjEwIn0.{_VALUE}{_VALUE}"),
    ("eyJ", "hbGciOi.example.signature"),
)

GENERIC_RULES: tuple[SecretRule, ...] = (PRIVATE_KEY, JWT, ADDRESS, QUOTED, BARE)

# Where a bare setting is written without quotes.
SETTING_FILES = (
    ".env", ".properties", ".ini", ".cfg", ".conf", ".toml", ".yml", ".yaml", ".sh", ".bash", ".zsh", ".service", ".envrc",
    "dockerfile", ".npmrc", ".pypirc", ".netrc", ".txt", "credentials",
)  # fmt: skip
# Files made by tools, full of hashes that are none of ours.
GENERATED_FILES = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "pipfile.lock", "uv.lock",
    "pdm.lock", "cargo.lock", "go.sum", "composer.lock", "gemfile.lock", "flake.lock", ".min.js", ".min.css", ".map", ".svg",
    ".ipynb", ".po", ".pot", ".csv", ".tsv", ".snap", ".lock",
)  # fmt: skip

# Words that make a value a placeholder, looked for in its lower-case form.
PLACEHOLDER_WORDS = (
    "example", "changeme", "change-me", "change_me", "placeholder", "your-", "your_", "yourkey", "yoursecret", "yourtoken", "xxxx",
    "dummy", "fake", "insert", "replace", "redacted", "sample", "todo", "undefined", "not-a-", "notreal", "not_real",
    "goes-here", "goes_here", "1234567890", "abcdefgh", "deadbeef", "lorem", "foobar", "secret-here", "<", ">", "${", "{{", "%(",
    "$(", "}}", "****", "....",
)  # fmt: skip
PLACEHOLDER_PASSWORDS = frozenset(
    "password passwd pass secret changeme change-me admin root user username test testing example postgres mysql redis guest"
    " rabbitmq mongo mongodb pwd mypassword mysecret mysecretpassword token default docker development letmein p@ssw0rd"
    " password1 password123 secret123 123456 1234567 12345678".split()
)
# Endings of names whose value is about a secret, not one.
HARMLESS_NAME_ENDINGS = (
    "url", "uri", "path", "file", "filename", "name", "id", "ids", "type", "field", "fields", "header", "regex", "pattern",
    "format", "label", "title", "prefix", "suffix", "expiry", "expires", "ttl", "length", "len", "count", "limit", "env",
    "var", "class", "module", "function", "column", "table", "ref", "arn", "alias", "algorithm", "policy", "scheme", "method",
    "endpoint", "issuer", "audience", "scope", "scopes", "placeholder", "help", "message", "error", "text", "description",
    "selector", "location", "version", "encoding", "backend", "provider", "handler", "hasher", "validator", "hash", "digest",
    "checksum", "fingerprint", "sha", "sha1", "sha256", "md5", "thumbprint", "public", "pub", "public_key", "publickey",
)  # fmt: skip
