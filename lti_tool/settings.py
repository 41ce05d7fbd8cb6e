"""Settings, read once.

Layers, later ones win::

    defaults in this module
    config/<env>.toml                  development.toml or production.toml, shipped with the tool
    the file named by LTI_TOOL_CONFIG  an installation's own
    LTI_TOOL_* in the environment
    files in the secrets folder        LTI_TOOL_SECRETS_DIR, /run/secrets unless named; lti_tool_secret_key, …
    keyword arguments                  of load_settings, for tests and commands

All problems are reported at once, each with the layer that it came from. A name that is no setting is a
problem too: a misspelt setting that silently does nothing is found months later. Registrations are data, not
settings.

Each field's description is checked against ``docs/reference/settings.md``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lti_tool.errors import ConfigurationInvalid, ErrorCode

PREFIX: Final = "LTI_TOOL_"
NOT_SETTINGS: Final = ("LTI_TOOL_SECRETS_DIR", "LTI_TOOL_TEST_")
"""Names in the environment that begin alike and are no settings: where secrets lie; what tests are told."""

SECRET_KEY_LENGTH: Final = 32
"""Shortest secret key accepted, in characters: 256 bits need at least that many."""

LEAST_ROTATION_DAYS: Final = 2

DEFAULT_PORTS: Final = {"https": 443, "http": 80}

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _comma_separated(value: object) -> object:
    """``a, b c`` from the environment and ``["a", "b"]`` from TOML mean the same."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


# Defaults that follow from other settings.
def _keys_beside_the_data(chosen: dict[str, Any]) -> Path:
    return Path(chosen["data_dir"], "keys")


def _sqlite_database(chosen: dict[str, Any]) -> str:
    # An absolute path, so that a command started in another folder finds the same database.
    return f"sqlite:///{chosen['data_dir']}/lti-tool.sqlite3"


def _queue_of_the_database(chosen: dict[str, Any]) -> str:
    database_url = str(chosen["database_url"])
    if database_url.startswith("postgresql"):
        # One queue for all machines that share the database; an SQLite file would be one for each.
        return database_url
    return f"sqlite:///{chosen['data_dir']}/queue.sqlite3"


def _queue_is_sqlite(chosen: dict[str, Any]) -> bool:
    return str(chosen["queue_url"]).startswith("sqlite")


class Settings(BaseModel):
    """What an operator decides. Frozen; made by :func:`load_settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    env: Literal["production", "development"] = Field(
        "production", description="Which defaults and checks apply"
    )
    base_url: str = Field(
        "", description="What LMSs and the public reach this installation as: an origin, no path"
    )
    data_dir: Path = Field(Path("data"), description="Folder of databases, queue, metrics and keys")
    keys_dir: Path = Field(default_factory=_keys_beside_the_data, description="Folder of signing keys")
    database_url: str = Field(
        default_factory=_sqlite_database, repr=False, description="SQLite or PostgreSQL"
    )
    queue_url: str = Field(
        default_factory=_queue_of_the_database, repr=False, description="SQLite, Redis or PostgreSQL"
    )
    embedded_worker: bool = Field(
        default_factory=_queue_is_sqlite,
        description="Whether `serve` starts the worker beside the web processes",
    )
    keys_passphrase: SecretStr | None = Field(
        None, description="Encrypts the files of signing keys; or name a file that holds it"
    )
    keys_passphrase_file: Path | None = Field(
        None, description="A file that only the tool's own user can read, with the passphrase of the keys"
    )
    key_rotation_days: int = Field(
        0, ge=0, le=3650, description="After how many days the key that LMSs know is replaced; 0: by hand"
    )
    secret_key: SecretStr = Field(SecretStr(""), description="Signs login states and hashes session tokens")
    config: Path | None = Field(None, description="An installation's own settings file")
    outbound_allow: Annotated[tuple[str, ...], BeforeValidator(_comma_separated)] = Field(
        (), description="Hosts and networks on private addresses or plain http that LMS calls may go to"
    )
    calls_per_minute: int | None = Field(
        None, ge=10, le=100_000, description="Calls that one LMS is sent in a minute at most"
    )
    evidence_max_file_bytes: int = Field(
        5_242_880, ge=10_000, le=52_428_800, description="How large a file that a learner hands in may be"
    )
    review_undo_hours: int = Field(
        24, ge=0, le=720, description="How long a revocation that a teacher decided can be undone"
    )
    web_workers: int = Field(2, ge=1, le=256, description="Web processes that `serve` starts")
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="Reverse proxies in front, each of which adds to X-Forwarded-For"
    )
    log_format: Literal["console", "json"] = Field(
        "json", description="Lines for people, or one JSON object each"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged"
    )

    @property
    def is_development(self) -> bool:
        """Whether plain http on loopback is allowed and costly self-checks run."""
        return self.env == "development"

    @property
    def templates_path(self) -> Path:
        """The folder of Jinja templates, in the package where it is installed, else beside it."""
        return packaged_folder("templates")

    @property
    def config_path(self) -> Path:
        """The folder of shipped configuration, in the package where it is installed, else beside it."""
        return packaged_folder("config")

    @property
    def metrics_dir(self) -> Path:
        """Where web processes and worker leave their counters; ``serve`` empties it at its start."""
        return self.data_dir / "metrics"

    def read_keys_passphrase(self) -> bytes | None:
        """What opens and encrypts key files; ``None`` where they are not encrypted.

        :raises ConfigurationInvalid: ``key_passphrase_missing`` where the file that was named is gone, is
            empty, or can be read by others.
        """
        if self.keys_passphrase is not None:
            return self.keys_passphrase.get_secret_value().encode()
        if self.keys_passphrase_file is None:
            return None
        try:
            return _passphrase_in(self.keys_passphrase_file)
        except (OSError, ValueError) as error:
            what = error if isinstance(error, ValueError) else f"cannot be read: {type(error).__name__}"
            raise ConfigurationInvalid(
                ErrorCode.KEY_PASSPHRASE_MISSING, f"{self.keys_passphrase_file} {what}"
            ) from None

    def granian_options(self) -> dict[str, Any]:
        """Arguments of granian's constructor from ``config/granian.toml``, and the number of processes."""
        options = tomllib.loads((self.config_path / "granian.toml").read_text(encoding="utf-8"))
        return {**options, "workers": self.web_workers}

    @field_validator("base_url")
    @classmethod
    def _base_url_is_an_origin(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            raise ValueError("is missing: say what LMSs and the public reach this installation as")
        parts = urlsplit(value)
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError("has a port that is no number") from error
        if (
            not parts.hostname
            or parts.username is not None
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError(
                "must be an origin such as https://badges.example.edu, without path, query or user"
            )
        is_loopback = parts.hostname in LOOPBACK_NAMES or parts.hostname.endswith(".localhost")
        if parts.scheme != "https" and not (
            parts.scheme == "http" and info.data.get("env") == "development" and is_loopback
        ):
            raise ValueError("must begin with https:// (plain http only on loopback, in development)")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        # As browsers write an origin: what they send is compared with this.
        is_default = port is None or port == DEFAULT_PORTS[parts.scheme]
        return f"{parts.scheme}://{host}" + ("" if is_default else f":{port}")

    @field_validator("data_dir", "keys_dir")
    @classmethod
    def _folder_is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _database_url_is_known(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if scheme in ("postgresql", "postgres"):  # SQLAlchemy would take psycopg2 for these
            return f"postgresql+psycopg://{rest}"
        if scheme in ("sqlite", "postgresql+psycopg"):
            return value
        raise ValueError("must begin with sqlite:/// or postgresql://")

    @field_validator("queue_url")
    @classmethod
    def _queue_url_is_known(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if scheme in ("postgres", "postgresql+psycopg"):
            return f"postgresql://{rest}"
        if scheme in ("sqlite", "redis", "rediss", "postgresql"):
            return value
        raise ValueError("must begin with sqlite:///, redis:// or postgresql://")

    @field_validator("secret_key")
    @classmethod
    def _secret_key_is_long(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if not secret:
            raise ValueError("is missing: put one into the secrets folder or the environment")
        if len(secret) < SECRET_KEY_LENGTH or len(set(secret)) < SECRET_KEY_LENGTH // 4:
            raise ValueError(f"is too easy to guess: at least {SECRET_KEY_LENGTH} random characters")
        return value

    @field_validator("keys_passphrase")
    @classmethod
    def _passphrase_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _checked_passphrase(value.get_secret_value())
        return value

    @field_validator("keys_passphrase_file")
    @classmethod
    def _passphrase_file_is_private(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        if info.data.get("keys_passphrase") is not None:
            raise ValueError("and keys_passphrase are both set: which one counts?")
        value = value.expanduser().absolute()
        try:
            _passphrase_in(value)
        except OSError as error:
            raise ValueError(f"cannot be read: {type(error).__name__}") from None
        return value

    @field_validator("key_rotation_days")
    @classmethod
    def _rotation_is_no_rush(cls, value: int) -> int:
        if 0 < value < LEAST_ROTATION_DAYS:
            raise ValueError(
                f"must be 0, or {LEAST_ROTATION_DAYS} at least: a key is published a day before it signs"
            )
        return value

    @field_validator("outbound_allow")
    @classmethod
    def _outbound_allow_is_readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if "/" in entry:
                try:
                    network = ipaddress.ip_network(entry)
                except ValueError as error:
                    raise ValueError(f"{entry!r} is no network such as 10.20.0.0/16") from error
                if network.prefixlen == 0:
                    raise ValueError(f"{entry!r} would switch the policy off")
            elif not entry.strip(".") or (any(mark in entry for mark in "*:@?#") and not _is_address(entry)):
                raise ValueError(f"{entry!r} is no host name, address or network")
        return tuple(entry.lower() for entry in value)

    @model_validator(mode="after")
    def _queue_is_a_file_of_its_own(self) -> Self:
        if self.queue_url == self.database_url and self.queue_url.startswith("sqlite"):
            raise ValueError(
                "queue_url: must not be the file of database_url, whose writers would block each other"
            )
        return self


def packaged_folder(name: str) -> Path:
    """Where ``templates`` or ``config`` is: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read all layers.

    In development a secret key is made on first use and kept in the data folder: sessions survive a restart.

    :param environ: the environment; the process's own unless given.
    :param overrides: settings by name, which win over every layer.
    :raises ConfigurationInvalid: ``settings_invalid``, with ``problems``: one line for each.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    layers: list[tuple[str, dict[str, object]]] = []

    from_environment = _environment_layer(environ, problems)
    from_secrets = _secrets_layer(environ, problems)
    nearest = {**from_environment, **from_secrets, **overrides}
    env = nearest.get("env", "production")

    if env in ("production", "development"):
        layers.append(_toml_layer(packaged_folder("config") / f"{env}.toml", problems))
    if nearest.get("config"):
        name, values = _toml_layer(Path(str(nearest["config"])).expanduser(), problems)
        if values.pop("env", env) != env:
            problems.append(
                f"env ({name}): must be set in the environment, since it decides which files are read"
            )
        layers.append((name, values))
    layers += [
        ("environment", from_environment),
        ("secrets folder", from_secrets),
        ("argument", dict(overrides)),
    ]

    values = {key: value for _, layer in layers for key, value in layer.items()}
    origin = {key: name for name, layer in layers for key in layer}
    if values.get("env") == "development" and not values.get("secret_key"):
        data_dir = Path(str(values.get("data_dir", Settings.model_fields["data_dir"].default)))
        values["secret_key"] = _kept_secret(data_dir.expanduser().absolute())

    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [
            _problem(details, origin)
            for details in error.errors(include_url=False, include_input=False)
            if details["type"] != "default_factory_not_called"  # follows from another problem in the list
        ]
    else:
        if not problems:
            return settings
    raise ConfigurationInvalid(ErrorCode.SETTINGS_INVALID, "; ".join(problems), problems=problems)


def is_installation_named(environ: Mapping[str, str] | None = None) -> bool:
    """Whether anything says which installation this process is of: any setting, right or wrong, except the
    data folder alone, which an image names before anybody has set it up.

    :param environ: as of :func:`load_settings`.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    named = _environment_layer(environ, problems).keys() | _secrets_layer(environ, problems).keys()
    return bool(problems or named - {"data_dir"})


def _environment_layer(environ: Mapping[str, str], problems: list[str]) -> dict[str, object]:
    layer: dict[str, object] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name.startswith(NOT_SETTINGS):
            continue
        field = name.removeprefix(PREFIX).lower()
        if name.isupper() and field in Settings.model_fields:
            layer[field] = value
        else:
            problems.append(f"{name} (environment): no such setting")
    return layer


def _secrets_layer(environ: Mapping[str, str], problems: list[str]) -> dict[str, object]:
    """Files named as the variables, in lower case, the way container platforms mount secrets."""
    named = environ.get("LTI_TOOL_SECRETS_DIR")
    folder = Path(named or "/run/secrets")
    if not folder.is_dir():
        if named:
            problems.append(f"LTI_TOOL_SECRETS_DIR (environment): {named} is no folder")
        return {}
    layer: dict[str, object] = {}
    for field in Settings.model_fields:
        path = folder / f"{PREFIX}{field}".lower()
        try:
            if path.is_file():
                layer[field] = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{field} (secrets folder): cannot be read: {type(error).__name__}")
    return layer


def _toml_layer(path: Path, problems: list[str]) -> tuple[str, dict[str, object]]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"config: {path} cannot be read: {type(error).__name__}")
        return path.name, {}
    except tomllib.TOMLDecodeError as error:
        problems.append(f"config: {path} is no TOML: {error}")
        return path.name, {}
    return path.name, values


def _problem(details: Any, origin: Mapping[str, str]) -> str:
    """One line: the setting, where its value came from, and what is wrong, never the value itself."""
    message = str(details["msg"]).removeprefix("Value error, ")
    if not details["loc"]:
        return message
    field = str(details["loc"][0])
    if details["type"] == "extra_forbidden":
        message = "no such setting"
    return f"{field} ({origin.get(field, 'default')}): {message}"


def _checked_passphrase(text: str) -> str:
    if len(text) < SECRET_KEY_LENGTH or len(set(text)) < SECRET_KEY_LENGTH // 4:
        raise ValueError(f"is too easy to guess: at least {SECRET_KEY_LENGTH} random characters")
    return text


def _passphrase_in(path: Path) -> bytes:
    """The passphrase in a file; lines around it do not count.

    :raises ValueError: where others can read the file, or it holds none.
    :raises OSError: where this user cannot read it.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("is no file")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise ValueError("can be read by others: chmod 600 it, and choose another passphrase")
        if status.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
            raise ValueError("belongs to another user, who can read it")
        content = file.read(4096)
    try:
        return _checked_passphrase(content.decode().strip()).encode()
    except UnicodeDecodeError:
        raise ValueError("is no text") from None


def _kept_secret(data_dir: Path) -> str:
    """This machine's development secret, made once even when two processes start together."""
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh = data_dir / f".secret_key.{secrets.token_hex(8)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):  # the other process was first: its secret counts
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text(encoding="ascii").strip()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
