"""Settings: layers, checks, and all problems at once."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.settings import Settings, load_settings

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def production(**more: str) -> dict[str, str]:
    return {"LTI_TOOL_BASE_URL": "https://badges.example.edu", "LTI_TOOL_SECRET_KEY": SECRET, **more}


def development(**more: str) -> dict[str, str]:
    return {"LTI_TOOL_ENV": "development", **more}


def problems(environ: dict[str, str], **overrides: object) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as refusal:
        load_settings(environ, **overrides)
    assert refusal.value.code is ErrorCode.SETTINGS_INVALID
    found = refusal.value.params["problems"]
    assert isinstance(found, list)
    return found


def test_two_settings_are_enough_for_production(tmp_path: Path) -> None:
    settings = load_settings(production())
    assert settings.env == "production"
    assert not settings.is_development
    assert settings.data_dir == tmp_path / "data"
    assert settings.keys_dir == tmp_path / "data/keys"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/lti-tool.sqlite3"
    assert settings.queue_url == f"sqlite:///{tmp_path}/data/queue.sqlite3"
    assert settings.embedded_worker
    assert settings.log_format == "json"
    assert not (tmp_path / "data").exists(), "reading settings writes nothing in production"


def test_development_needs_nothing_and_keeps_its_secret(tmp_path: Path) -> None:
    first, second = load_settings(development()), load_settings(development())
    assert first.base_url == "http://localhost:8000"
    assert first.log_format == "console"
    assert first.secret_key == second.secret_key
    assert len(first.secret_key.get_secret_value()) >= 48
    assert stat.S_IMODE((tmp_path / "data/secret_key").stat().st_mode) == 0o600


def test_processes_that_start_together_keep_one_secret() -> None:
    start, found = threading.Barrier(8), []

    def begin() -> None:
        start.wait()
        found.append(load_settings(development()).secret_key.get_secret_value())

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_each_layer_wins_over_the_ones_before(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('web_workers = 3\nlog_level = "error"\nlog_format = "console"\ndata_dir = "elsewhere"\n')
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "lti_tool_log_level").write_text("debug\n")
    environ = production(
        LTI_TOOL_CONFIG=str(own),
        LTI_TOOL_WEB_WORKERS="4",
        LTI_TOOL_LOG_LEVEL="warning",
        LTI_TOOL_SECRETS_DIR=str(folder),
    )
    settings = load_settings(environ)
    assert settings.log_format == "console", "the installation's file wins over config/production.toml"
    assert settings.data_dir == tmp_path / "elsewhere"
    assert settings.web_workers == 4, "the environment wins over the file"
    assert settings.log_level == "debug", "a secret wins over the environment"
    assert load_settings(environ, log_level="info").log_level == "info"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "lti_tool_secret_key").write_text(SECRET + "\n")
    environ = {"LTI_TOOL_BASE_URL": "https://badges.example.edu", "LTI_TOOL_SECRETS_DIR": str(tmp_path)}
    assert load_settings(environ).secret_key.get_secret_value() == SECRET


def test_all_problems_are_reported_at_once_with_their_origin_and_without_the_secret(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('web_workerz = 3\nlog_level = "loud"\n')
    found = problems(
        {
            "LTI_TOOL_BASE_URL": "http://badges.example.edu",
            "LTI_TOOL_SECRET_KEY": "hunter2hunter2",
            "LTI_TOOL_CONFIG": str(own),
            "LTI_TOOL_WEB_WORKERS": "none",
            "LTI_TOOL_DATABASE": "sqlite://",
            "LTI_TOOL_DATABASE_URL": "mysql://x",
        }
    )
    assert {line.split(":")[0] for line in found} == {
        "LTI_TOOL_DATABASE (environment)",
        "base_url (environment)",
        "database_url (environment)",
        "log_level (own.toml)",
        "secret_key (environment)",
        "web_workers (environment)",
        "web_workerz (own.toml)",
    }
    assert "hunter2" not in "".join(found)


def test_production_without_anything_says_what_is_missing() -> None:
    assert [line.split(" ")[0] for line in problems({})] == ["base_url", "secret_key"]


@pytest.mark.parametrize("secret", ["short", "a" * 64, "abcabcabcabcabcabcabcabcabcabcabcabc", " " * 40])
def test_a_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    assert problems(production(LTI_TOOL_SECRET_KEY=secret))


@pytest.mark.parametrize(
    "url",
    [
        "http://badges.example.edu",
        "http://localhost:8000",
        "badges.example.edu",
        "https://badges.example.edu/tool",
        "https://badges.example.edu?x=1",
        "https://badges.example.edu#x",
        "https://user@badges.example.edu",
        "https://badges.example.edu:port",
        "https://",
        "ftp://badges.example.edu",
        "javascript:alert(1)",
    ],
)
def test_a_base_url_that_is_no_https_origin_is_refused(url: str) -> None:
    (problem,) = problems(production(LTI_TOOL_BASE_URL=url))
    assert problem.startswith("base_url (environment)")


def test_a_base_url_is_kept_as_an_origin() -> None:
    assert load_settings(production(LTI_TOOL_BASE_URL="https://Badges.Example.edu/")).base_url == (
        "https://badges.example.edu"
    )
    assert load_settings(development(LTI_TOOL_BASE_URL="http://[::1]:8000/")).base_url == "http://[::1]:8000"


@pytest.mark.parametrize(
    "given, kept",
    [
        (production(LTI_TOOL_BASE_URL="https://badges.example.edu:443"), "https://badges.example.edu"),
        (production(LTI_TOOL_BASE_URL="https://badges.example.edu:80"), "https://badges.example.edu:80"),
        (development(LTI_TOOL_BASE_URL="http://localhost:80/"), "http://localhost"),
        (development(LTI_TOOL_BASE_URL="http://localhost:443"), "http://localhost:443"),
    ],
)
def test_a_base_url_is_the_origin_that_browsers_send(given: dict[str, str], kept: str) -> None:
    """A browser's Origin header names no default port; what is compared with it must not either."""
    assert load_settings(given).base_url == kept


@pytest.mark.parametrize(
    "url", ["http://badges.example.edu", "http://localhost.example.edu", "http://10.0.0.1"]
)
def test_plain_http_is_for_loopback_only_even_in_development(url: str) -> None:
    assert problems(development(LTI_TOOL_BASE_URL=url))


def test_a_postgresql_database_serves_as_queue_and_its_worker_is_a_process_of_its_own() -> None:
    settings = load_settings(production(LTI_TOOL_DATABASE_URL="postgresql://tool:pass@db.example.edu/tool"))
    assert settings.database_url == "postgresql+psycopg://tool:pass@db.example.edu/tool"
    assert settings.queue_url == "postgresql://tool:pass@db.example.edu/tool"
    assert not settings.embedded_worker
    assert "tool:pass" not in repr(settings)


def test_the_queue_may_not_share_the_databases_file() -> None:
    url = "sqlite:////srv/one.sqlite3"
    (problem,) = problems(production(LTI_TOOL_DATABASE_URL=url, LTI_TOOL_QUEUE_URL=url))
    assert problem.startswith("queue_url")


def test_exceptions_for_outgoing_calls_are_read_from_text_and_from_a_list(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('outbound_allow = ["Moodle.campus.example", "10.0.0.0/8"]\n')
    from_list = load_settings(production(LTI_TOOL_CONFIG=str(own)))
    from_text = load_settings(production(LTI_TOOL_OUTBOUND_ALLOW="Moodle.campus.example, 10.0.0.0/8"))
    assert from_list.outbound_allow == from_text.outbound_allow == ("moodle.campus.example", "10.0.0.0/8")
    assert load_settings(production(LTI_TOOL_OUTBOUND_ALLOW="::1 10.1.2.3")).outbound_allow == (
        "::1",
        "10.1.2.3",
    )


@pytest.mark.parametrize(
    "entry",
    "0.0.0.0/0 ::/0 * *.example 10.0.0.1/8 10.0.0.0/40 https://x.example x:80 a@b".split(),
)
def test_an_exception_that_says_too_much_or_nothing_is_refused(entry: str) -> None:
    (problem,) = problems(production(LTI_TOOL_OUTBOUND_ALLOW=entry))
    assert problem.startswith("outbound_allow")


def test_what_cannot_be_read_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("= 1")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for name in ("absent.toml", "broken.toml", "bytes.toml"):
        assert any(name in line for line in problems(production(LTI_TOOL_CONFIG=str(tmp_path / name))))
    assert problems(production(LTI_TOOL_SECRETS_DIR=str(tmp_path / "absent")))


def test_a_file_cannot_change_which_files_are_read(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('env = "development"\n')
    assert any(line.startswith("env (own.toml)") for line in problems(production(LTI_TOOL_CONFIG=str(own))))


def test_what_tests_are_told_is_no_setting() -> None:
    assert load_settings(production(LTI_TOOL_TEST_POSTGRES_URL="postgresql://x")).env == "production"


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = load_settings(production())
    with pytest.raises(ValueError, match="frozen"):
        settings.env = "development"  # type: ignore[misc]


def test_the_shipped_files_are_found_and_valid() -> None:
    settings = load_settings(production())
    assert (settings.templates_path / "pages").is_dir()
    assert settings.granian_options()["workers"] == settings.web_workers == 2
    example = settings.config_path / "production.example.toml"
    environ = {"LTI_TOOL_CONFIG": str(example), "LTI_TOOL_SECRET_KEY": SECRET}
    assert load_settings(environ).base_url == "https://badges.example.edu"


def test_the_names_that_others_rely_on_are_settings() -> None:
    public = "env base_url database_url queue_url embedded_worker data_dir keys_dir secret_key config"
    assert {*public.split(), "outbound_allow"} <= set(Settings.model_fields)


# -- the passphrase of keys

PASSPHRASE = "a passphrase of more than 32 characters"


def private_file(tmp_path: Path, text: str = PASSPHRASE + "\n", mode: int = 0o600) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_passphrase_of_keys_is_given_itself_or_by_its_file(tmp_path: Path) -> None:
    assert load_settings(production()).read_keys_passphrase() is None
    given = load_settings(production(LTI_TOOL_KEYS_PASSPHRASE=PASSPHRASE))
    assert given.read_keys_passphrase() == PASSPHRASE.encode()
    assert PASSPHRASE not in repr(given)
    path = private_file(tmp_path)
    named = load_settings(production(LTI_TOOL_KEYS_PASSPHRASE_FILE=str(path)))
    assert named.read_keys_passphrase() == PASSPHRASE.encode()
    (found,) = problems(
        production(LTI_TOOL_KEYS_PASSPHRASE=PASSPHRASE, LTI_TOOL_KEYS_PASSPHRASE_FILE=str(path))
    )
    assert found.startswith("keys_passphrase_file (environment): and keys_passphrase are both set")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_passphrase_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = private_file(tmp_path)
    settings = load_settings(production(LTI_TOOL_KEYS_PASSPHRASE_FILE=str(path)))
    path.chmod(mode)
    (found,) = problems(production(LTI_TOOL_KEYS_PASSPHRASE_FILE=str(path)))
    assert "can be read by others" in found
    with pytest.raises(ConfigurationInvalid) as refusal:
        settings.read_keys_passphrase()
    assert refusal.value.code is ErrorCode.KEY_PASSPHRASE_MISSING


@pytest.mark.parametrize("text", ["", "\n", "short", "a" * 64, "\udcff" * 40])
def test_a_file_without_a_good_passphrase_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = private_file(tmp_path)
    path.write_bytes(text.encode(errors="surrogateescape"))
    (found,) = problems(production(LTI_TOOL_KEYS_PASSPHRASE_FILE=str(path)))
    assert "easy to guess" in found or "no text" in found
    assert not text.strip() or text not in found


@pytest.mark.parametrize("where", ["missing", "."])
def test_what_is_no_file_holds_no_passphrase(tmp_path: Path, where: str) -> None:
    assert problems(production(LTI_TOOL_KEYS_PASSPHRASE_FILE=str(tmp_path / where)))


def test_a_short_passphrase_is_refused() -> None:
    (found,) = problems(production(LTI_TOOL_KEYS_PASSPHRASE="hunter2"))
    assert "easy to guess" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("days, is_good", [("0", True), ("1", False), ("2", True), ("-1", False)])
def test_no_key_is_replaced_before_it_signed_for_a_day(days: str, is_good: bool) -> None:
    environ = production(LTI_TOOL_KEY_ROTATION_DAYS=days)
    if is_good:
        assert load_settings(environ).key_rotation_days == int(days)
    else:
        assert problems(environ)
