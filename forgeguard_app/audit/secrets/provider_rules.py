"""The provider-specific rules: values that their provider made recognisable.

Each pattern follows the format that the provider documents or has published by its own scanners; `source` says which.
"""

from __future__ import annotations

from forgeguard_app.audit.secrets.rule import Rule

_B64 = "Qm9vS2VlcGVy"
_A32 = "k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2s"
_HEX32 = "9f86d081884c7d659a2feaa0c55ad015"
_HEX40 = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"
_W = r"(?:^|[^A-Za-z0-9_])"
_E = r"(?:[^A-Za-z0-9_]|$)"
_GITHUB = "GitHub Docs, About authentication: token formats"


def _near(word: str, value: str) -> str:
    """A value without a prefix of its own, assigned to a name that holds the provider's word."""
    return rf"(?i:{word})[\w.\-]{{0,30}}[\"']?\s*(?::|=|=>|:=|,)\s*[\"'`]?({value})(?:[\"'`\s;,)]|$)"


GIT_AND_PACKAGES: tuple[Rule, ...] = (
    Rule("github-personal-token", "GitHub", _GITHUB, rf"{_W}(ghp_[A-Za-z0-9]{{36}}){_E}", ("ghp_",), 3.0, ("ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"), ("ghp_", "short"), "ghp_", "crc32"),
    Rule("github-oauth-token", "GitHub", _GITHUB, rf"{_W}(gho_[A-Za-z0-9]{{36}}){_E}", ("gho_",), 3.0, ("gho", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"), ("gho_", "x" * 36), "gho_", "crc32"),
    Rule("github-user-token", "GitHub", _GITHUB, rf"{_W}(ghu_[A-Za-z0-9]{{36}}){_E}", ("ghu_",), 3.0, ("ghu", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"), ("ghu_", "token-goes-here"), "ghu_", "crc32"),
    Rule("github-refresh-token", "GitHub", _GITHUB, rf"{_W}(ghr_[A-Za-z0-9]{{36,76}}){_E}", ("ghr_",), 3.0, ("ghr", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"), ("ghr_", "1234"), "ghr_"),
    Rule("github-app-token", "GitHub", _GITHUB, rf"{_W}(ghs_(?:[A-Za-z0-9]{{36}}|[0-9]+_eyJ[A-Za-z0-9_\-]{{10,}}\.[A-Za-z0-9_\-]{{10,}}\.[A-Za-z0-9_\-]{{10,}}))(?:[^A-Za-z0-9_.]|\.?$|\.\s)", ("ghs_",), 3.0, ("ghs", "_12345_eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJlLXBhcnQ"), ("ghs_", "TOKEN"), "ghs_", "crc32"),
    Rule("github-fine-grained-token", "GitHub", _GITHUB, rf"{_W}(github_pat_[A-Za-z0-9]{{22}}_[A-Za-z0-9]{{59}}){_E}", ("github_pat_",), 3.0, ("github", "_pat_11ABCDEFG0k3J9xQ2mZ8vN", "_", _A32, "k3J9xQ2mZ8vN5tR7pL4wY6cB1dF"), ("github_pat_", "11ABC"), "github_pat_"),
    Rule("gitlab-personal-token", "GitLab", "GitLab Docs, Token overview: prefixes", rf"{_W}(glpat-[A-Za-z0-9_\-]{{20,300}}(?:\.[0-9a-z]{{2}}\.[0-9a-z]{{9}})?)(?:[^A-Za-z0-9_\-]|$)", ("glpat-",), 3.0, ("glpat", "-k3J9xQ2mZ8vN5tR7pL4w"), ("glpat-", "your-token"), "glpat-"),
    Rule("gitlab-pipeline-trigger", "GitLab", "GitLab Docs, Token overview: prefixes", rf"{_W}(glptt-[0-9a-f]{{40}}){_E}", ("glptt-",), 2.5, ("glptt", "-", _HEX40), ("glptt-", "xyz"), "glptt-"),
    Rule("gitlab-runner-token", "GitLab", "GitLab Docs, Token overview: prefixes", rf"{_W}(glrt-[A-Za-z0-9_\-]{{20,}})(?:[^A-Za-z0-9_\-]|$)", ("glrt-",), 3.0, ("glrt", "-k3J9xQ2mZ8vN5tR7pL4w"), ("glrt-", "none"), "glrt-"),
    Rule("gitlab-deploy-token", "GitLab", "GitLab Docs, Token overview: prefixes", rf"{_W}(gldt-[A-Za-z0-9_\-]{{20,}})(?:[^A-Za-z0-9_\-]|$)", ("gldt-",), 3.0, ("gldt", "-k3J9xQ2mZ8vN5tR7pL4w"), ("gldt-", "none"), "gldt-"),
    Rule("npm-token", "npm", "npm Blog, new token format", rf"{_W}(npm_[A-Za-z0-9]{{36}}){_E}", ("npm_",), 3.0, ("npm", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"), ("npm_", "config_cache"), "npm_", "crc32"),
    Rule("pypi-token", "PyPI", "PyPI help, API tokens", rf"{_W}(pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_\-]{{50,}})(?:[^A-Za-z0-9_\-]|$)", ("pypi-ageichlwas5vcmc",), 3.0, ("pypi", "-AgEIcHlwaS5vcmc", _A32, "Cj8tQ2mZ8vN5tR7pL4wY6cB1dF0g"), ("pypi-", "AgEIcHlwaS5vcmc"), "pypi-"),
    Rule("rubygems-token", "RubyGems", "RubyGems guides, API key", rf"{_W}(rubygems_[0-9a-f]{{48}}){_E}", ("rubygems_",), 2.5, ("rubygems", "_", _HEX40, "9f86d081"), ("rubygems_", "version"), "rubygems_"),
    Rule("cargo-token", "crates.io", "crates.io, token prefix", rf"{_W}(cio[A-Za-z0-9]{{32}}){_E}", ("cio",), 3.7, ("cio", _A32), ("cio", "a" * 32), "cio"),
    Rule("docker-hub-token", "Docker", "Docker Docs, access tokens", rf"{_W}(dckr_(?:pat|oat)_[A-Za-z0-9_\-]{{27,32}})(?:[^A-Za-z0-9_\-]|$)", ("dckr_",), 3.0, ("dckr", "_pat_k3J9xQ2mZ8vN5tR7pL4wY6cB1dF"), ("dckr_pat_", "xxx"), "dckr_"),
    Rule("atlassian-token", "Atlassian", "Atlassian Support, API tokens", rf"{_W}(AT[AC]TT3[A-Za-z0-9_\-=]{{50,}})(?:[^A-Za-z0-9_\-=]|$)", ("atatt3", "atctt3"), 3.5, ("ATA", "TT3xFfGF0", _A32, _A32, "k3J9xQ2m"), ("ATATT3", "xFf"), "ATATT3"),
    Rule("linear-key", "Linear", "Linear Docs, API keys", rf"{_W}(lin_api_[A-Za-z0-9]{{40}}){_E}", ("lin_api_",), 3.0, ("lin", "_api_", _A32, "k3J9xQ2m"), ("lin_api_", "key"), "lin_api_"),
    Rule("notion-token", "Notion", "Notion Docs, integration tokens", rf"{_W}((?:ntn_[0-9]{{11}}[A-Za-z0-9]{{35}}|secret_[A-Za-z0-9]{{43}})){_E}", ("ntn_", "secret_"), 3.5, ("ntn", "_12345678901", _A32, "k3J"), ("secret_", "manager_client_configuration_of_the_team_x"), "ntn_"),
    Rule("postman-key", "Postman", "Postman Docs, API keys", rf"{_W}(PMAK-[0-9a-f]{{24}}-[0-9a-f]{{34}}){_E}", ("pmak-",), 2.5, ("PMAK", "-9f86d081884c7d659a2feaa0-", _HEX32, "c5"), ("PMAK-", "abc"), "PMAK-"),
    Rule("sonar-token", "SonarSource", "SonarQube Docs, tokens", rf"{_W}(sq[upa]_[0-9a-f]{{40}}){_E}", ("squ_", "sqp_", "sqa_"), 2.5, ("squ", "_", _HEX40), ("squ_", "x"), "squ_"),
    Rule("terraform-cloud-token", "HashiCorp", "Terraform Docs, API tokens", rf"{_W}([A-Za-z0-9]{{14}}\.atlasv1\.[A-Za-z0-9_\-]{{60,70}})(?:[^A-Za-z0-9_\-]|$)", (".atlasv1.",), 3.5, ("k3J9xQ2mZ8vN5t", ".atlasv1.", _A32, _A32), ("x", ".atlasv1.", "y")),
    Rule("vault-token", "HashiCorp", "Vault Docs, token prefixes", rf"{_W}(hv[sbr]\.[A-Za-z0-9_\-]{{24,300}})(?:[^A-Za-z0-9_\-]|$)", ("hvs.", "hvb.", "hvr."), 3.5, ("hvs", ".CAESI", _A32), ("hvs.", "example"), "hvs."),
)

CLOUDS: tuple[Rule, ...] = (
    Rule("aws-access-key", "AWS", "AWS IAM User Guide, unique identifiers", rf"{_W}((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}){_E}", ("akia", "asia", "abia", "acca"), 3.0, ("AKI", "AY3T6Z5XQWERUIOP7"), ("AKIA", "IOSFODNN7EXAMPLE"), "AKIA"),
    Rule("aws-secret-key", "AWS", "AWS IAM User Guide, access keys", _near("aws_?.{0,20}(?:secret|key)|secret_?access_?key", r"[A-Za-z0-9/+]{40}"), ("aws", "secret"), 4.2, ("aws_secret", '_access_key = "wJalr7tnFEMIzK7MDbNGxRfiCYzR8pLmQvT3sXuB"'), ("aws_secret_access_key = ", '"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"')),
    Rule("aws-bedrock-key", "AWS", "AWS Bedrock User Guide, API keys", rf"{_W}(ABSK[A-Za-z0-9+/]{{109,}}={{0,2}})", ("absk",), 3.5, ("ABS", "K", _B64, _A32, _A32, _A32, "k3J9xQ2mZ8vN5tR7"), ("ABSK", "short"), "ABSK"),
    Rule("gcp-api-key", "Google", "Google Cloud Docs, API keys", rf"{_W}(AIza[A-Za-z0-9_\-]{{35}})(?:[^A-Za-z0-9_\-]|$)", ("aiza",), 3.0, ("AIz", "aSyD8k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gHi"), ("AIza", "your-key"), "AIza"),
    Rule("gcp-oauth-secret", "Google", "Google Cloud Docs, OAuth clients", rf"{_W}(GOCSPX-[A-Za-z0-9_\-]{{28}})(?:[^A-Za-z0-9_\-]|$)", ("gocspx-",), 3.0, ("GOCSPX", "-k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0"), ("GOCSPX-", "x"), "GOCSPX-"),
    Rule("gcp-access-token", "Google", "Google Identity, OAuth 2.0 tokens", rf"{_W}(ya29\.[A-Za-z0-9_\-]{{60,}})(?:[^A-Za-z0-9_\-]|$)", ("ya29.",), 3.5, ("ya29", ".a0AfH6SMB", _A32, _A32), ("ya29.", "abc"), "ya29."),
    Rule("azure-storage-key", "Azure", "Azure Docs, storage account keys", r"(?i)AccountKey=([A-Za-z0-9+/]{86}==)", ("accountkey=",), 4.0, ("Account", "Key=", _A32, _A32, "k3J9xQ2mZ8vN5tR7pL4wY6", "=="), ("AccountKey=", "<key>")),
    Rule("azure-client-secret", "Azure", "Microsoft Entra, client secrets", r"(?:^|[^A-Za-z0-9_~.\-])([A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34})(?:[^A-Za-z0-9_~.\-]|$)", ("q~",), 3.7, ("Zx1", "8Q~k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2s"), ("abc8Q~", "short")),
    Rule("azure-devops-token", "Azure", "Azure DevOps, personal access tokens", rf"{_W}([A-Za-z0-9]{{76}}AZDO[A-Za-z0-9]{{4}}){_E}", ("azdo",), 3.5, (_A32, _A32, "k3J9xQ2mZ8vN", "AZDO", "a1B2"), ("x", "AZDO", "a1B2")),
    Rule("digitalocean-token", "DigitalOcean", "DigitalOcean Docs, token prefixes", rf"{_W}(do[por]_v1_[0-9a-f]{{64}}){_E}", ("dop_v1_", "doo_v1_", "dor_v1_"), 2.5, ("dop", "_v1_", _HEX32, _HEX32), ("dop_v1_", "abc"), "dop_v1_"),
    Rule("cloudflare-token", "Cloudflare", "Cloudflare Docs, token formats", rf"{_W}(cf(?:k|ut|at)_[A-Za-z0-9]{{40}}[0-9a-f]{{8}}){_E}", ("cfk_", "cfut_", "cfat_"), 3.5, ("cfut", "_", _A32, "k3J9xQ2m9f86d081"), ("cfut_", "abc"), "cf"),
    Rule("cloudflare-origin-key", "Cloudflare", "Cloudflare Docs, Origin CA keys", rf"{_W}(v1\.0-[0-9a-f]{{24}}-[0-9a-f]{{146}}){_E}", ("v1.0-",), 2.5, ("v1", ".0-9f86d081884c7d659a2feaa0-", _HEX32 * 4, "9f86d081884c7d659a"), ("v1.0-", "beta")),
    Rule("alibaba-access-key", "Alibaba Cloud", "Alibaba Cloud Docs, AccessKey pair", rf"{_W}(LTAI[A-Za-z0-9]{{17,26}}){_E}", ("ltai",), 3.5, ("LTA", "I5tK3J9xQ2mZ8vN5tR7pL4"), ("LTAI", "abc"), "LTAI"),
    Rule("fly-token", "Fly.io", "Fly.io Docs, access tokens", r"(FlyV1 fm[12]_[A-Za-z0-9+/=,_\-]{60,})", ("flyv1 ",), 3.5, ("Fly", "V1 fm2_lJPECAAAAAAA", _A32, _A32), ("FlyV1 ", "fm2_x"), "FlyV1"),
    Rule("heroku-key", "Heroku", "Heroku Dev Center, token prefix", rf"{_W}(HRKU-[A-Za-z0-9_\-]{{58,62}})(?:[^A-Za-z0-9_\-]|$)", ("hrku-",), 3.0, ("HRKU", "-AA", _A32, "k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0"), ("HRKU-", "x"), "HRKU-"),
    Rule("databricks-token", "Databricks", "Databricks Docs, personal access tokens", rf"{_W}(dapi[0-9a-f]{{32}}(?:-[0-9])?){_E}", ("dapi",), 2.5, ("dap", "i", _HEX32), ("dapi", "0" * 32), "dapi"),
    Rule("planetscale-token", "PlanetScale", "PlanetScale Docs, service tokens", rf"{_W}(pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.\-]{{32,64}})(?:[^A-Za-z0-9_.\-]|$)", ("pscale_",), 3.0, ("pscale", "_tkn_", _A32), ("pscale_tkn_", "x"), "pscale_"),
    Rule("supabase-key", "Supabase", "Supabase Docs, API keys", rf"{_W}(sb_secret_[A-Za-z0-9_\-]{{31}}|sbp_[0-9a-f]{{40}})(?:[^A-Za-z0-9_\-]|$)", ("sb_secret_", "sbp_"), 2.5, ("sbp", "_", _HEX40), ("sbp_", "short"), "sb"),
)

SERVICES: tuple[Rule, ...] = (
    Rule("slack-token", "Slack", "Slack API, token types", rf"{_W}(xox[abposr]-(?:[0-9]{{10,13}}-){{1,3}}[A-Za-z0-9\-]{{20,64}})(?:[^A-Za-z0-9\-]|$)", ("xox",), 3.0, ("xox", "b-123456789012-1234567890123-k3J9xQ2mZ8vN5tR7pL4wY6cB"), ("xoxb-", "not-a-token"), "xox"),
    Rule("slack-app-token", "Slack", "Slack API, token types", rf"(?i){_W}(xapp-[0-9]-[A-Z0-9]{{9,12}}-[0-9]{{10,14}}-[a-z0-9]{{40,80}}){_E}", ("xapp-",), 3.0, ("xapp", "-1-A0123456789-1234567890123-", _HEX32, _HEX32), ("xapp-", "1-x"), "xapp-"),
    Rule("slack-webhook", "Slack", "Slack API, incoming webhooks", r"(https://hooks\.slack\.com/(?:services|workflows|triggers)/T[A-Z0-9]{6,12}/[A-Z0-9]{6,20}/[A-Za-z0-9]{16,32})", ("hooks.slack.com",), 3.0, ("https://hooks.", "slack.com/services/T0A1B2C3D/B0A1B2C3D/k3J9xQ2mZ8vN5tR7pL4wY6cB"), ("https://hooks.", "slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX")),
    Rule("discord-bot-token", "Discord", "Discord Docs, authentication", _near("discord", r"[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}"), ("discord",), 4.0, ("discord", '_token = "MTE4', "k3J9xQ2mZ8vN5tR7pL4wY6", ".Gk3J9x.", _A32, '"'), ("discord_token = ", '"Module.thing.other"')),
    Rule("discord-webhook", "Discord", "Discord Docs, webhooks", r"(https://(?:canary\.|ptb\.)?discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_\-]{60,80})", ("/api/webhooks/",), 3.0, ("https://", "discord.com/api/webhooks/123456789012345678/", _A32, _A32, "k3J9"), ("https://", "discord.com/api/webhooks/id/token")),
    Rule("telegram-bot-token", "Telegram", "Telegram Bot API, tokens", r"(?:^|[^A-Za-z0-9_:])([0-9]{8,10}:AA[A-Za-z0-9_\-]{33})(?:[^A-Za-z0-9_\-]|$)", (":aa",), 3.5, ("123456789", ":AA", _A32, "k"), ("12:", "AAB")),
    Rule("stripe-key", "Stripe", "Stripe Docs, API keys", rf"{_W}((?:sk|rk)_(?:live|prod)_[A-Za-z0-9]{{16,247}}){_E}", ("_live_", "_prod_"), 3.0, ("sk", "_live_", _A32), ("sk_live_", "x"), "sk_live_"),
    Rule("stripe-test-key", "Stripe", "Stripe Docs, API keys", rf"{_W}((?:sk|rk)_test_[A-Za-z0-9]{{24,247}}){_E}", ("_test_",), 3.5, ("sk", "_test_", _A32), ("sk_test_", "x"), "sk_test_"),
    Rule("stripe-webhook-secret", "Stripe", "Stripe Docs, webhook signatures", rf"{_W}(whsec_[A-Za-z0-9+/]{{32,64}})(?:[^A-Za-z0-9+/]|$)", ("whsec_",), 3.5, ("whsec", "_", _A32), ("whsec_", "test"), "whsec_"),
    Rule("square-token", "Square", "Square Docs, access tokens", rf"{_W}((?:EAAA[A-Za-z0-9_\-]{{60}}|sq0(?:atp|csp)-[A-Za-z0-9_\-]{{22,43}}))(?:[^A-Za-z0-9_\-]|$)", ("eaaa", "sq0atp-", "sq0csp-"), 3.5, ("sq0", "atp-k3J9xQ2mZ8vN5tR7pL4wY6"), ("sq0atp-", "x"), "sq0"),
    Rule("paypal-braintree-token", "Braintree", "Braintree Docs, access tokens", r"(access_token\$production\$[0-9a-z]{16}\$[0-9a-f]{32})", ("access_token$production$",), 2.5, ("access", "_token$production$k3j9xq2mz8vn5tr7$", _HEX32), ("access_token$", "sandbox$"), "access_token$"),
    Rule("shopify-token", "Shopify", "Shopify Docs, access tokens", rf"{_W}(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}}){_E}", ("shpat_", "shpca_", "shppa_", "shpss_"), 2.5, ("shpat", "_", _HEX32), ("shpat_", "x"), "shp"),
    Rule("twilio-api-key", "Twilio", "Twilio Docs, API keys", _near("twilio", r"(?:SK)?[0-9a-f]{32}"), ("twilio",), 3.0, ("twilio_auth", '_token = "', _HEX32, '"'), ("twilio_auth_token = ", '"', "0" * 32, '"')),
    Rule("sendgrid-key", "SendGrid", "SendGrid Docs, API keys", rf"{_W}(SG\.[A-Za-z0-9_\-]{{22}}\.[A-Za-z0-9_\-]{{43}})(?:[^A-Za-z0-9_\-]|$)", ("sg.",), 3.5, ("SG", ".k3J9xQ2mZ8vN5tR7pL4wY6.", _A32, "k3J9xQ2mZ8v"), ("SG.", "x.y"), "SG."),
    Rule("mailgun-key", "Mailgun", "Mailgun Docs, API keys", rf"{_W}(key-[0-9a-f]{{32}}|[0-9a-f]{{32}}-[0-9a-f]{{8}}-[0-9a-f]{{8}}){_E}", ("key-", "mailgun"), 2.8, ("key", "-", _HEX32), ("key-", "0" * 32)),
    Rule("mailchimp-key", "Mailchimp", "Mailchimp Docs, API keys", _near("mailchimp|mc_?api", r"[0-9a-f]{32}-us[0-9]{1,2}"), ("mailchimp", "mc_api", "mcapi"), 2.8, ("mailchimp", "_key = '", _HEX32, "-us12'"), ("mailchimp_key = ", "'x-us12'")),
    Rule("brevo-key", "Brevo", "Brevo Docs, API keys", rf"{_W}(xkeysib-[0-9a-f]{{64}}-[A-Za-z0-9]{{16}}){_E}", ("xkeysib-",), 3.0, ("xkeysib", "-", _HEX32, _HEX32, "-k3J9xQ2mZ8vN5tR7"), ("xkeysib-", "x"), "xkeysib-"),
    Rule("openai-key", "OpenAI", "OpenAI Docs, API keys", rf"{_W}(sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_\-]{{20,}}T3BlbkFJ[A-Za-z0-9_\-]{{20,}}|[A-Za-z0-9]{{20}}T3BlbkFJ[A-Za-z0-9]{{20}}))(?:[^A-Za-z0-9_\-]|$)", ("t3blbkfj",), 3.0, ("sk", "-k3J9xQ2mZ8vN5tR7pL4w", "T3BlbkFJ", "k3J9xQ2mZ8vN5tR7pL4w"), ("sk-", "your-key"), "sk-"),
    Rule("anthropic-key", "Anthropic", "Anthropic Docs, API keys", rf"{_W}(sk-ant-(?:api|admin|oat)[0-9]{{2}}-[A-Za-z0-9_\-]{{80,}})(?:[^A-Za-z0-9_\-]|$)", ("sk-ant-",), 3.5, ("sk", "-ant-api03-", _A32, _A32, _A32, "AA"), ("sk-ant-", "xxx"), "sk-ant-"),
    Rule("huggingface-token", "Hugging Face", "Hugging Face Docs, access tokens", rf"{_W}(hf_[A-Za-z]{{34}}){_E}", ("hf_",), 3.5, ("hf", "_kJxQmZvNtRpLwYcBdFgHsAeUiOqTzXnMbC"), ("hf_", "a" * 34), "hf_"),
    Rule("groq-key", "Groq", "Groq Docs, API keys", rf"{_W}(gsk_[A-Za-z0-9]{{52}}){_E}", ("gsk_",), 3.5, ("gsk", "_", _A32, "k3J9xQ2mZ8vN5tR7pL4w"), ("gsk_", "x"), "gsk_"),
    Rule("replicate-token", "Replicate", "Replicate Docs, API tokens", rf"{_W}(r8_[A-Za-z0-9]{{37}}){_E}", ("r8_",), 3.5, ("r8", "_", _A32, "k3J9x"), ("r8_", "x"), "r8_"),
    Rule("perplexity-key", "Perplexity", "Perplexity Docs, API keys", rf"{_W}(pplx-[A-Za-z0-9]{{48}}){_E}", ("pplx-",), 3.5, ("pplx", "-", _A32, "k3J9xQ2mZ8vN5tR7"), ("pplx-", "x"), "pplx-"),
    Rule("datadog-key", "Datadog", "Datadog Docs, API and application keys", _near("datadog|dd_?(?:api|app)", r"[0-9a-f]{32}|[0-9a-f]{40}"), ("datadog", "dd_api", "dd_app", "ddapi", "ddapp"), 3.0, ("DD_API", "_KEY=", _HEX32), ("DD_API_KEY=", "0" * 32)),
    Rule("newrelic-key", "New Relic", "New Relic Docs, API keys", rf"{_W}(NRAK-[A-Z0-9]{{27}}|NRII-[A-Za-z0-9_\-]{{32}}|NRJS-[0-9a-f]{{19}}){_E}", ("nrak-", "nrii-", "nrjs-"), 3.0, ("NRAK", "-K3J9XQ2MZ8VN5TR7PL4WY6CB1DF"), ("NRAK-", "X"), "NR"),
    Rule("grafana-token", "Grafana", "Grafana Docs, service accounts", rf"{_W}(glsa_[A-Za-z0-9]{{32}}_[0-9a-f]{{8}}|glc_[A-Za-z0-9+/]{{32,400}}={{0,2}})(?:[^A-Za-z0-9_+/=]|$)", ("glsa_", "glc_"), 3.5, ("glsa", "_", _A32, "_9f86d081"), ("glsa_", "x"), "gl"),
    Rule("sentry-token", "Sentry", "Sentry Docs, auth tokens", rf"{_W}(sntr(?:ys_[A-Za-z0-9+/=_\-]{{60,}}|yu_[0-9a-f]{{64}}))(?:[^A-Za-z0-9_+/=\-]|$)", ("sntrys_", "sntryu_"), 3.0, ("sntryu", "_", _HEX32, _HEX32), ("sntrys_", "x"), "sntry"),
    Rule("pulumi-token", "Pulumi", "Pulumi Docs, access tokens", rf"{_W}(pul-[0-9a-f]{{40}}){_E}", ("pul-",), 2.5, ("pul", "-", _HEX40), ("pul-", "x"), "pul-"),
    Rule("doppler-token", "Doppler", "Doppler Docs, token formats", rf"{_W}(dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_\-]{{2,35}}\.)?[A-Za-z0-9]{{40,44}}){_E}", ("dp.",), 3.5, ("dp", ".pt.", _A32, "k3J9xQ2mZ8v"), ("dp.", "pt.x"), "dp."),
    Rule("airtable-token", "Airtable", "Airtable Docs, personal access tokens", rf"{_W}(pat[A-Za-z0-9]{{14}}\.[0-9a-f]{{64}}){_E}", ("pat",), 3.0, ("pat", "k3J9xQ2mZ8vN5t", ".", _HEX32, _HEX32), ("pattern", ".sub")),
    Rule("figma-token", "Figma", "Figma Docs, access tokens", rf"{_W}(fig[duor]_[A-Za-z0-9_\-]{{40}})(?:[^A-Za-z0-9_\-]|$)", ("figd_", "figu_", "figo_", "figr_"), 3.5, ("figd", "_", _A32, "k3J9xQ2m"), ("figd_", "x"), "fig"),
    Rule("age-secret-key", "age", "age specification, keys", r"(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})", ("age-secret-key-1",), 3.0, ("AGE-SECRET", "-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", "QPZRY9X8GF2TVDW0S3JN54KHCE"), ("AGE-SECRET-KEY-1", "XXX"), "AGE-SECRET-KEY-1"),
    Rule("1password-service-token", "1Password", "1Password Docs, service accounts", rf"{_W}(ops_eyJ[A-Za-z0-9+/]{{200,}}={{0,3}})", ("ops_eyj",), 3.0, ("ops", "_eyJ", _A32 * 7), ("ops_eyJ", "x"), "ops_"),
    Rule("dynatrace-token", "Dynatrace", "Dynatrace Docs, token format", rf"{_W}(dt0[a-z][0-9]{{2}}\.[A-Z0-9]{{24}}\.[A-Z0-9]{{64}}){_E}", ("dt0",), 3.0, ("dt0", "c01.K3J9XQ2MZ8VN5TR7PL4WY6CB.", _A32.upper(), _A32.upper()), ("dt0c01.", "X"), "dt0"),
    Rule("plaid-token", "Plaid", "Plaid Docs, access tokens", rf"{_W}(access-(?:production|development)-[0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}){_E}", ("access-production-", "access-development-"), 2.5, ("access", "-production-9f86d081-884c-7d65-9a2f-eaa0c55ad015"), ("access-production-", "x"), "access-"),
)

PROVIDER_RULES: tuple[Rule, ...] = (*GIT_AND_PACKAGES, *CLOUDS, *SERVICES)
