"""Where PostgreSQL and Redis are, from the settings."""

from __future__ import annotations

from typing import Any

from nexustrader._settings import settings


def get_postgresql_config() -> dict[str, Any]:
    """Return host, port, user, password and database of PostgreSQL from the settings `PG_*`."""
    return {
        "host": str(getattr(settings, "PG_HOST", "localhost")),
        "port": int(getattr(settings, "PG_PORT", 5432)),
        "user": str(getattr(settings, "PG_USER", "postgres")),
        "password": _text(getattr(settings, "PG_PASSWORD", "")),
        "database": str(getattr(settings, "PG_DATABASE", "postgres")),
    }


def get_redis_config() -> dict[str, Any]:
    """Return host, port, db and password of Redis from the settings `REDIS_*`.

    Raises ValueError naming the settings that are not set.
    """
    values = {
        name: getattr(settings, f"REDIS_{name.upper()}", None) for name in ("host", "port", "db", "password")
    }
    missing = [f"REDIS_{name.upper()}" for name, value in values.items() if value is None]
    if missing:
        env = ", ".join(f"NEXUS_{name}" for name in missing)
        raise ValueError(
            f"Redis is not configured: {', '.join(missing)} not set; set {env} in the environment, or "
            "the same names without NEXUS_ in .keys/.secrets.toml"
        )
    return {
        "host": str(values["host"]),
        "port": int(str(values["port"])),
        "db": int(str(values["db"])),
        "password": _text(values["password"]),
    }


def _text(value: Any) -> str:
    """A password as text: one of digits reads as a number, and a masked one must stay masked."""
    return value if isinstance(value, str) else str(value)
