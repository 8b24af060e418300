"""The points on disk, in an SQLite file of their own beside the names and rights."""

import json
import sqlite3
import threading

from .errors import Refusal

SCHEMA = """CREATE TABLE IF NOT EXISTS point (bucket TEXT, measurement TEXT, tags TEXT, field TEXT, kind TEXT, value TEXT, time INTEGER,
PRIMARY KEY (bucket, measurement, tags, field, time))"""


class Points:
    def __init__(self, path):
        self.lock = threading.Lock()
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute(SCHEMA)

    def write(self, bucket, seconds, values, now):
        """All of the values or none of them; a point at the time of another one of its series takes its place."""
        with self.lock:
            for measurement, _, field, kind, _, time in values:
                if seconds and time < now - seconds * 1_000_000_000:
                    raise _partial("points beyond retention policy")
                there = self.connection.execute("SELECT kind FROM point WHERE bucket = ? AND measurement = ? AND field = ? LIMIT 1",
                                                (bucket, measurement, field)).fetchone()
                if there and there[0] != kind:
                    raise _partial(f'field type conflict: input field "{field}" on measurement "{measurement}" is type {kind}, '
                                   f"already exists as type {there[0]}")
            self.connection.execute("BEGIN")
            for measurement, tags, field, kind, value, time in values:
                row = (bucket, measurement, json.dumps(tags, sort_keys=True), field, kind, json.dumps(value), time)
                self.connection.execute("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self.connection.execute("COMMIT")

    def read(self, bucket, start, stop):
        """(measurement, tags, field, type, value, nanoseconds), series by series, each in the order of time."""
        with self.lock:
            rows = self.connection.execute(
                "SELECT measurement, tags, field, kind, value, time FROM point WHERE bucket = ? AND time >= ? AND time < ? "
                "ORDER BY measurement, tags, field, time", (bucket, start, stop)).fetchall()
        return [(measurement, json.loads(tags), field, kind, json.loads(value), time)
                for measurement, tags, field, kind, value, time in rows]

    def drop(self, bucket):
        with self.lock:
            self.connection.execute("DELETE FROM point WHERE bucket = ?", (bucket,))


def _partial(why):
    return Refusal("unprocessable entity", f"failure writing points to database: partial write: {why} dropped=1")
