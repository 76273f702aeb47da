"""What is shown has no password in it, and everything else."""

from __future__ import annotations

import io
import json
import logging

import pytest
from lockstock_server import logs
from lockstock_server.errors import StartError
from lockstock_server.masking import masked, masked_url
from lockstock_server.projection.database import away, parse_url
from lockstock_server.projection.errors import ProjectionError
from lockstock_server.settings import LogFormat, LogLevel, Settings, load


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("sqlite:///data/lockstock.db", "sqlite:///data/lockstock.db"),
        ("postgresql://clerk@db/shop", "postgresql://clerk@db/shop"),
        ("postgresql://clerk:hush@db/shop", "postgresql://clerk:***@db/shop"),
        ("postgresql+psycopg://clerk:hu@s:h/@db:5432/shop", "postgresql+psycopg://clerk:***@db:5432/shop"),
        ("postgresql://clerk:hu sh\n@db/shop", "postgresql://clerk:***@db/shop"),
        ("postgresql://:hush@db", "postgresql://:***@db"),
        (
            "postgresql://db/shop?user=clerk&password=hush&x=1",
            "postgresql://db/shop?user=clerk&password=***&x=1",
        ),
        ("postgresql://db/shop?sslpassword=hush", "postgresql://db/shop?sslpassword=***"),
        ("host=db password = 'hu sh' user=clerk", "host=db password = *** user=clerk"),
    ],
)
def test_of_a_url_everything_is_shown_but_its_password(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_in_a_sentence_every_url_is_masked_and_what_is_none_stays() -> None:
    assert (
        masked("from a://b:hush@c to d://e:h@ush@f, and g@h at 10:30 to 127.0.0.1:5432")
        == "from a://b:***@c to d://e:***@f, and g@h at 10:30 to 127.0.0.1:5432"
    )


@pytest.mark.parametrize(
    "url", ["mysql://clerk:hush@db/shop", "clerk:hush@db", "postgresql://clerk:hush@db:x/y"]
)
def test_a_url_that_is_refused_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ProjectionError) as refused:
        parse_url(url)
    assert "hush" not in str(refused.value)


def test_what_a_driver_says_is_told_without_the_password() -> None:
    assert (
        str(away(OSError("cannot reach postgresql://clerk:hush@db")))
        == "cannot reach postgresql://clerk:***@db"
    )


def test_settings_are_shown_and_printed_without_the_password() -> None:
    settings = Settings(database_url="postgresql://clerk:hush@db/shop")
    assert settings.shown()["database_url"] == "postgresql://clerk:***@db/shop"
    assert settings.shown().keys() == Settings.model_fields.keys()
    assert "hush" not in repr(settings)
    with pytest.raises(StartError) as refused:
        load(database_url=["postgresql://clerk:hush@db/shop"])
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("form", LogFormat)
def test_a_log_line_has_no_password_even_in_a_traceback(
    form: LogFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    before = logging.getLogger().handlers
    try:
        logs.configure(LogLevel.INFO, form)
        away_now = OSError("away: postgresql://clerk:hush@db/shop")
        logs.get("lockstock_server").error("failed", url="postgresql://clerk:hush@db/shop", exc_info=away_now)
        logging.getLogger("elsewhere").warning("at %s", "postgresql://clerk:hush@db/shop")
    finally:
        logging.getLogger().handlers = before
    lines = written.getvalue()
    assert "hush" not in lines
    assert "clerk:***@db" in lines
    if form is LogFormat.JSON:
        assert all(json.loads(line) for line in lines.splitlines())
