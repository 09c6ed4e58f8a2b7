"""What of a stack may be set, and under which name its template knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How the functions are to be; None keeps what the stack has, or the template's default."""

    runtime: str | None = None
    architecture: str | None = None
    memory: int | None = None
    scratch: int | None = None
    seconds: int | None = None
    concurrency: int | None = None
    log_days: int | None = None
    collate_memory: int | None = None
    boundary: str | None = None
    subnets: tuple[str, ...] | None = None
    security_groups: tuple[str, ...] | None = None
    database: str | None = None
    database_secret: str | None = None
    database_secret_key: str | None = None
    database_master: str | None = None
    database_authorities: str | None = None
    queue: str | None = None
    spot_queue: str | None = None
    job: str | None = None
    key: str | None = None
    schedule: str | None = None
    schedule_input: str | None = None
    alarm: str | None = None
    alarm_email: str | None = None
    base: str | None = None
    refreshed: str | None = None

    def to_parameters(self) -> dict[str, str]:
        names = {"runtime": "Runtime", "architecture": "Architecture", "memory": "Memory", "scratch": "Scratch",
                 "seconds": "Seconds", "concurrency": "Concurrency", "log_days": "LogDays",
                 "collate_memory": "CollateMemory", "boundary": "Boundary",
                 "subnets": "Subnets", "security_groups": "SecurityGroups", "database": "Database",
                 "database_secret": "DatabaseSecret", "database_secret_key": "DatabaseSecretKey",
                 "database_authorities": "DatabaseAuthorities", "database_master": "DatabaseMaster",
                 "queue": "Queue", "spot_queue": "SpotQueue", "job": "Job", "key": "KmsKey", "schedule": "Schedule",
                 "schedule_input": "ScheduleInput", "alarm": "Alarm", "alarm_email": "AlarmEmail",
                 "base": "Base", "refreshed": "Refreshed"}  # fmt: skip
        given = {parameter: getattr(self, name) for name, parameter in names.items()}
        texts = {
            parameter: ",".join(value) if isinstance(value, tuple) else str(value)
            for parameter, value in given.items()
            if value is not None
        }
        return texts | ({"NetworkRights": "true"} if self.subnets else {})
