"""State on disk that survives a restart: named JSON documents in an SQLite file, changed in transactions."""

import json
import os
import sqlite3
import threading
from contextlib import contextmanager


class Locked(Exception):
    """Another process has the file."""


class Store:
    """`alone` keeps every other process from the file for as long as this one has it."""

    def __init__(self, path, alone=False):
        self.lock = threading.RLock()
        # For nobody else to read, as the real servers' files.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self.connection = sqlite3.connect(path, timeout=1 if alone else 10, isolation_level=None, check_same_thread=False)
        try:
            if alone:
                self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # The lock of the first transaction is kept with the exclusive mode.
            self.connection.execute("BEGIN EXCLUSIVE" if alone else "BEGIN IMMEDIATE")
            self.connection.execute("CREATE TABLE IF NOT EXISTS document (name TEXT PRIMARY KEY, body TEXT NOT NULL)")
            self.connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self.connection.close()
            raise Locked(f"{path}: {error}") from error

    @contextmanager
    def transaction(self):
        """The documents, whose changes are kept unless an exception ends the block."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            documents = Documents(self.connection)
            try:
                yield documents
                documents.write()
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def close(self):
        with self.lock:
            self.connection.close()


class Documents:
    """`documents["users"]` is a list, empty at first; `documents.number("user")` counts from 1 on."""

    def __init__(self, connection):
        self.connection = connection
        self.read = {}
        self.before = {}

    def __getitem__(self, name):
        return self._document(name, [])

    def __setitem__(self, name, value):
        self._document(name, [])
        self.read[name] = value

    def number(self, what, least=1):
        """A number that was not given before, and at least this."""
        numbers = self._document("numbers", {})
        numbers[what] = max(numbers.get(what, 0) + 1, least)
        return numbers[what]

    def _document(self, name, empty):
        if name not in self.read:
            row = self.connection.execute("SELECT body FROM document WHERE name = ?", (name,)).fetchone()
            self.before[name] = row[0] if row else None
            self.read[name] = json.loads(row[0]) if row else empty
        return self.read[name]

    def write(self):
        for name, value in self.read.items():
            body = json.dumps(value)
            if body != self.before[name]:
                self.connection.execute("INSERT OR REPLACE INTO document VALUES (?, ?)", (name, body))
