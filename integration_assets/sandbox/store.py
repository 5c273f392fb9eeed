"""The memory of the sandbox: collections of JSON objects, held in memory and written through to PostgreSQL.

Belongs here: the one table, reading it at start, writing it, and nothing about what the objects mean.
"""

import contextlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import psycopg

_CREATE = """
create table if not exists object (
    collection text not null,
    id         text not null,
    body       jsonb not null,
    primary key (collection, id)
)
"""
_UPSERT = """
insert into object (collection, id, body) values (%s, %s, %s::jsonb)
on conflict (collection, id) do update set body = excluded.body
"""
_UPSERT_MANY = """
insert into object (collection, id, body)
select %s, t.id, t.body::jsonb from unnest(%b::text[], %b::text[]) as t(id, body)
on conflict (collection, id) do update set body = excluded.body
"""
_BATCH = 5000


class Store:
    """Collections of JSON objects by id.

    Every write reaches the database before the call returns (without waiting for the disk: it survives the death of
    this process, not that of the database server). Reads cost no statement. Safe to use from several threads.
    """

    def __init__(self, url: str) -> None:
        """Open the database at `url` (a SQLAlchemy driver suffix such as `+psycopg` is tolerated) and read it all."""
        scheme, _, rest = url.partition("://")
        self._connection = psycopg.connect(f"{scheme.partition('+')[0]}://{rest}", autocommit=True)
        self._connection.execute("set synchronous_commit = off")
        self._connection.execute("set client_min_messages = warning")
        self._connection.execute(_CREATE)
        self._write_lock = threading.RLock()
        self._collections: dict[str, dict[str, Any]] = {}
        with self._connection.cursor() as cursor:
            cursor.execute("select collection, id, body from object")
            for collection, object_id, body in cursor:
                self._collections.setdefault(collection, {})[object_id] = body

    def load(self, collection: str) -> dict[str, Any]:
        """The live content of a collection: the same dict at every call, kept current by the writes below.

        Callers read it and never change it, nor the objects in it: they write a new body by `put`.
        """
        return self._collections.setdefault(collection, {})

    def collections(self) -> list[str]:
        """Names of the collections that hold something, sorted."""
        return sorted(name for name, objects in self._collections.items() if objects)

    def put(self, collection: str, object_id: str, body: Any) -> None:
        """Write one object (new or changed)."""
        with self._write_lock:
            self._connection.execute(_UPSERT, (collection, object_id, json.dumps(body)))
            self.load(collection)[object_id] = body

    def put_many(self, collection: str, bodies: Mapping[str, Any]) -> None:
        """Write many objects, a few thousand per statement."""
        with self._write_lock:
            ids = list(bodies)
            for start in range(0, len(ids), _BATCH):
                chunk = ids[start : start + _BATCH]
                texts = [json.dumps(bodies[object_id]) for object_id in chunk]
                self._connection.execute(_UPSERT_MANY, (collection, chunk, texts))
            self.load(collection).update(bodies)

    def delete(self, collection: str, object_id: str) -> None:
        """Forget one object; nothing happens when it is not there."""
        with self._write_lock:
            self._connection.execute("delete from object where collection = %s and id = %s", (collection, object_id))
            self.load(collection).pop(object_id, None)

    def clear(self, *collections: str) -> None:
        """Empty these collections, or all of them when none is named. The live dicts stay the same objects."""
        names: Iterable[str] = collections or tuple(self._collections)
        with self._write_lock:
            for name in names:
                self._connection.execute("delete from object where collection = %s", (name,))
                self.load(name).clear()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write all that is written inside as one transaction, so that the death of this process leaves all or none.

        For the living it is no transaction: what was written before an error stays in memory.
        """
        with self._write_lock, self._connection.transaction():
            yield

    def close(self) -> None:
        """Close the connection; the store cannot be written afterwards."""
        self._connection.close()
