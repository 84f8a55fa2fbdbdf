"""The questionnaire: eight sections, what each asks, and which contracts an answer changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forgeguard_app.audit.check_kinds import kind_with
from forgeguard_app.audit.check_settings import BOUNDARIES
from forgeguard_app.projects.contract_types import ContractType as T

MAX_CELL_CHARS = 2_000
MAX_NAME_CHARS = 100  # of what other cells or contracts repeat: a layer, a table, a column
MAX_PATH_CHARS = 200


class QuestionKind(StrEnum):
    """The form of a question's answer."""

    TEXT = "text"
    CHOICE = "choice"
    LIST = "list"
    TABLE = "table"
    LAYERS = "layers"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `choices` where its cells are of a closed set, `lines` where they hold several lines.

    A cell has at most `max_chars` characters.
    """

    key: str
    title: str
    choices: tuple[str, ...] = ()
    required: bool = True
    lines: bool = False
    max_chars: int = MAX_CELL_CHARS


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `contracts` are those that its answer changes."""

    key: str
    title: str
    kind: QuestionKind
    help: str
    contracts: tuple[T, ...]
    required: bool = False
    choices: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Questions of one subject."""

    key: str
    title: str
    intro: str
    questions: tuple[Question, ...]


STACKS = ("python-aiohttp", "python-fastapi", "python-library", "other")
DATABASES = ("postgresql", "sqlite", "none")
COLUMN_TYPES = ("uuid", "bigint", "integer", "numeric", "text", "boolean", "date", "timestamptz", "jsonb")
COLUMN_RULES = ("primary key", "required", "unique", "optional")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_ALL = tuple(T)
LAYER_COLUMNS = (
    Column("name", "Layer", max_chars=MAX_NAME_CHARS),
    Column("glob", "Files", max_chars=500),
    Column("may_import", "May import", required=False),
    Column("forbidden_imports", "Must not import", required=False),
    Column("reason", "Why not", required=False, max_chars=500),
)

SECTIONS: tuple[Section, ...] = (
    Section("intent", "Product intent", "What it is for, and for whom. Everything else is measured against this.", (
        Question("summary", "What does it do?", QuestionKind.TEXT, "Two or three sentences that a newcomer understands.", _ALL, required=True),
        Question("users", "Who uses it?", QuestionKind.LIST, "One kind of people, or of programs, a line.", (T.BLUEPRINT, T.UI), required=True),
        Question("outcomes", "What can they do with it that they could not before?", QuestionKind.LIST, "One outcome a line; each becomes something to check at the end.", (T.BLUEPRINT, T.PHASES), required=True),
        Question("non_goals", "What is it on purpose not?", QuestionKind.LIST, "What people might expect, and will not get.", (T.BLUEPRINT, T.BUILDER_DIRECTIVE)),
        Question("principles", "What is never traded away?", QuestionKind.LIST, "One principle a line, the most important first.", (T.MANIFESTO, T.BUILDER_CONTRACT)),
    )),
    Section("stack", "Stack", "What it is written in, and what it stands on.", (
        Question("kind", "Which stack?", QuestionKind.CHOICE, "The built-in builder lays the skeleton of the three Python ones.", (T.STACK, T.BOUNDARIES, T.PHASES), required=True, choices=STACKS),
        Question("language", "Which language and version?", QuestionKind.TEXT, "As its manifest will say it.", (T.STACK,), required=True),
        Question("database", "Which database?", QuestionKind.CHOICE, "Where the data of the next section live.", (T.STACK, T.SCHEMA, T.BOUNDARIES), required=True, choices=DATABASES),
        Question("dependencies", "Which libraries?", QuestionKind.LIST, "One distribution a line, as the manifest names it; each is one that the dependency gate lets through.", (T.STACK,)),
    )),
    Section("data", "Data model", "What is kept, field by field.", (
        Question("tables", "Which tables and columns?", QuestionKind.TABLE, "A row a column. The schema contract is made of this.", (T.SCHEMA, T.PHYSICS), columns=(
            Column("table", "Table", max_chars=MAX_NAME_CHARS), Column("column", "Column", max_chars=MAX_NAME_CHARS), Column("type", "Type", COLUMN_TYPES), Column("rule", "Rule", COLUMN_RULES, required=False),
            Column("references", "References (table)", required=False, max_chars=MAX_NAME_CHARS),
        )),
        Question("retention", "How long is it kept?", QuestionKind.TEXT, "And what happens then.", (T.SCHEMA,)),
    )),
    Section("api", "API", "What programs may ask.", (
        Question("endpoints", "Which operations?", QuestionKind.TABLE, "A row an operation; `{id}` marks a parameter of the path.", (T.PHYSICS, T.PHASES), columns=(
            Column("method", "Method", METHODS), Column("path", "Path", max_chars=MAX_PATH_CHARS), Column("purpose", "What it does"),
        )),
        Question("authentication", "How does a caller prove who it is?", QuestionKind.CHOICE, "The same for every operation.", (T.PHYSICS,), choices=("none", "session cookie", "bearer token", "OAuth 2")),
    )),
    Section("ui", "User interface", "What people see.", (
        Question("kind", "Which kind?", QuestionKind.CHOICE, "None, where programs are the only users.", (T.UI,), choices=("none", "server-rendered pages", "single-page application", "command line")),
        Question("screens", "Which screens or commands?", QuestionKind.TABLE, "A row a screen.", (T.UI, T.PHASES), columns=(Column("screen", "Screen"), Column("purpose", "What somebody does there"))),
        Question("rules", "What holds for every screen?", QuestionKind.LIST, "Keyboard, contrast, phone width, empty and error states.", (T.UI,)),
    )),
    Section("boundaries", "Architectural boundaries", f"Which part may reach for which. {kind_with(BOUNDARIES).code} audits every push for this.", (
        Question("layers", "Which layers, from the top?", QuestionKind.LAYERS, "Upper layers may import lower ones. Files is a glob such as `app/api/**`.", (T.BOUNDARIES, T.BLUEPRINT, T.BUILDER_CONTRACT), required=True, columns=LAYER_COLUMNS),
        Question("exhaustive", "Must every module have a layer?", QuestionKind.CHOICE, "With yes, a new module without one fails the check.", (T.BOUNDARIES,), choices=("yes", "no")),
    )),
    Section("deployment", "Deployment", "Where it runs, and who looks after it.", (
        Question("target", "Where does it run?", QuestionKind.CHOICE, "What the last phase prepares.", (T.STACK, T.PHASES), choices=("container", "virtual machine", "serverless", "package index", "not decided")),
        Question("environment", "Which settings does it need?", QuestionKind.LIST, "One environment variable a line; no values.", (T.STACK, T.BUILDER_CONTRACT)),
        Question("operations", "What does an operator watch?", QuestionKind.LIST, "Health, metrics, logs, backups.", (T.STACK,)),
    )),
    Section("phases", "Phases", "In which steps it is built. A build works through them one by one, each audited.", (
        Question("phases", "Which phases?", QuestionKind.TABLE, "Each ends with something that can be checked. Deliverables and exit criteria: one a line.", (T.PHASES,), required=True, columns=(
            Column("name", "Name", max_chars=MAX_NAME_CHARS), Column("objective", "Objective"), Column("deliverables", "Deliverables", lines=True), Column("exit_criteria", "Exit criteria", lines=True),
        )),
    )),
)  # fmt: skip

QUESTIONS: dict[str, Question] = {
    f"{section.key}.{question.key}": question for section in SECTIONS for question in section.questions
}


def find_section(key: str) -> Section | None:
    """Return the section of that name."""
    return next((section for section in SECTIONS if section.key == key), None)
