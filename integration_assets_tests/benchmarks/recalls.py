"""How many recalls a second go from the outbox to the debt authority, and how many statuses come back in.

``python -m integration_assets_tests.benchmarks.recalls [--actions 20000] [--old 1000000]``

One worker, deliveries of 500 actions, an authority in a process of its own that answers at once with what it received.
The same is measured with nothing else in the tables, and with `--old` settled recalls of former years: the cost must
follow what is due. Statuses are final ones with one receipt each: as files of fifty, and posted one by one to the end
point by forty callers at once. Times are on the clock.
"""

import argparse
import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import sqlalchemy as sa
import uvicorn

from integration_assets.cache.engine import cache_engine, embedded_server_url, migrate
from integration_assets.cache.recalls import Decision, Wish
from integration_assets.domain.claims.ledger import CLAIMS
from integration_assets.domain.claims.rules import Asked
from integration_assets.endpoints.claim_statuses import PATH, application
from integration_assets_tests.clients import recall_messages as written
from integration_assets_tests.flows.collection import CREDITOR, TODAY, Utility

BAR = 1_000
FILE_STATUSES, CALLERS = 50, 40

_OLD_CLAIMS = """
INSERT INTO claim (claim_id, main_claim_id, art, type_code, creditor_id, creditor_ref, customer_number, amount,
  received_on, state_refund, recalled_for, recalled_from, recalled_amount, recalled_on, recalled_by)
SELECT n, n, 'INDR', 'FOFAKFY', 1999, 'old-' || n, 'old' || n, 100, '2020-01-01', false, 'FEJL', '2020-01-01', 100,
  '2020-02-01', n FROM generate_series(1000000000::bigint, 999999999::bigint + :old) AS n
"""
_OLD_ACTIONS = """
INSERT INTO recall_action (action_id, claim_id, main_claim_id, reason, why, proposed_by, state, outcome, delivery_id,
  sent_at, status_at)
SELECT n, n, n, 'FEJL', 'old', 'old', 'UDFOERT', 'DELIVERED', n / 500, '2020-01-31', '2020-02-01'
FROM generate_series(1000000000::bigint, 999999999::bigint + :old) AS n
"""
_OLD_DELIVERIES = """
INSERT INTO recall_delivery (delivery_id, transaction_id, outcome) SELECT n, 'old-' || n, 'DELIVERED'
FROM generate_series(2000000, 2000000 + :old / 500) AS n
"""


class _Authority(BaseHTTPRequestHandler):
    """Answers a delivery with MODTAGET for each of its actions."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        pairs = re.findall(r"<MFAktionID>(\d+)<.*?<DMIFordringID>(\d+)<", body)
        told = (written.status(int(action), int(claim), "MODTAGET", "2025-11-03T09:00:01") for action, claim in pairs)
        (transaction,) = re.findall(r"TransaktionsID>([^<]+)<", body)
        content = written.answer(written.info(*told), transaction=transaction).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ARG002 - silence
        return


@contextmanager
def _authority() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", __spec__.name, "--authority", str(port)])
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _utility(engine: sa.Engine, url: str, first: int, count: int) -> tuple[Utility, dict[int, int]]:
    """A utility with approved recalls of claims from a number on; claims by action."""
    utility = Utility(engine, url, timeout_s=60.0)
    claims = pl.DataFrame({"claim_id": range(first, first + count)}).with_columns(
        pl.col("claim_id").alias("main_claim_id"),
        *(
            pl.lit(value).alias(name)
            for name, value in (("art", "INDR"), ("type_code", "FOFAKFY"), ("amount", "10.00"))
        ),
        pl.lit(CREDITOR).alias("creditor_id"),
        pl.format("K{}-1", "claim_id").alias("creditor_ref"),
        pl.format("K{}", "claim_id").alias("customer_number"),
        pl.lit(None, pl.Date).alias("period_from"),
        pl.lit(None, pl.Date).alias("period_to"),
        pl.lit(date(2025, 6, 2)).alias("received_on"),
        pl.lit(False).alias("state_refund"),
    )
    utility.hand_over(claims.select(pl.col(name).cast(dtype) for name, dtype in CLAIMS.items()))
    wishes = [Wish(Asked(claim, "FEJL"), "benchmark") for claim in claims["claim_id"]]
    began = time.perf_counter()
    done = utility.recalls.propose(wishes, CREDITOR, TODAY, "anna", utility.now)
    ids = {one.action_id: one.wish.asked.claim_id for one in done if one.action_id is not None}
    utility.recalls.decide(Decision.APPROVE, list(ids), "bent", utility.now)
    _tell("proposed and approved", count, time.perf_counter() - began)
    return utility, ids


def _final(action: int, claim: int) -> str:
    receipt = written.receipt(claim, claim, "10.00", "2025-06-02")
    return written.info(written.status(action, claim, "UDFOERT", receipts=receipt))


def _sent(utility: Utility, count: int) -> None:
    began = time.perf_counter()
    counts = utility.send()
    _tell("outbox to MODTAGET", count, time.perf_counter() - began, f"{counts['sent']} deliveries")


def _files(utility: Utility, actions: dict[int, int], folder: Path) -> None:
    pairs = list(actions.items())
    for start in range(0, len(pairs), FILE_STATUSES):
        infos = [_final(action, claim) for action, claim in pairs[start : start + FILE_STATUSES]]
        (folder / f"{start:09}.xml").write_text(written.update(*infos))
    began = time.perf_counter()
    counts = utility.take_in(folder)
    assert counts["applied"] == len(pairs), counts
    _tell("statuses from files", len(pairs), time.perf_counter() - began, f"{counts['messages']} files")


def _posts(utility: Utility, actions: dict[int, int]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    app = application(utility.statuses, lambda: datetime.now(UTC))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
    messages = [written.enveloped(written.update(_final(action, claim))) for action, claim in actions.items()]
    command = [sys.executable, "-m", __spec__.name, "--post", url]
    began = time.perf_counter()
    subprocess.run(command, input="\n".join(messages), text=True, check=True)
    _tell("statuses posted one by one", len(messages), time.perf_counter() - began, f"{CALLERS} callers")
    server.should_exit = True
    thread.join(timeout=10)
    assert set(utility.rows("SELECT DISTINCT state FROM recall_action WHERE claim_id >= 5000000")) == {("UDFOERT",)}


async def _post_all(url: str) -> None:
    """Posts the messages of standard input, a line each; by bare sockets, so that the end point is measured."""
    parts = urlsplit(url)
    lines = iter(sys.stdin.read().splitlines())

    async def caller() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for line in lines:
            body = line.encode()
            head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: text/xml\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            (length,) = re.findall(rb"content-length: (\d+)", answer.lower())
            await reader.readexactly(int(length))
        writer.close()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


def _tell(what: str, count: int, seconds: float, remark: str = "") -> None:
    told = f"  {what}: {count:,} in {seconds:.2f} s = {count / seconds:,.0f} a second"
    print(f"{told} (load {os.getloadavg()[0]:.1f}{', ' + remark if remark else ''})", flush=True)


def _plan(utility: Utility) -> None:
    """How the database finds what is due, among all that is settled."""
    for name, query in (
        ("approved", "SELECT action_id FROM recall_action WHERE state = 'APPROVED' ORDER BY action_id LIMIT 500"),
        ("due", "SELECT delivery_id FROM recall_delivery WHERE next_attempt_at <= now() AND outcome = 'UNKNOWN'"),
        ("overdue", "SELECT * FROM recall_action WHERE state IN ('SENT','MODTAGET','SAGSBEHANDL') AND sent_at < now()"),
    ):
        began = time.perf_counter()
        plan = "\n".join(str(row[0]) for row in utility.rows(f"EXPLAIN {query}"))
        utility.rows(query)
        scan = "sequential scan" if "Seq Scan" in plan else "index"
        print(f"  {name}: {scan}, {(time.perf_counter() - began) * 1000:.1f} ms", flush=True)


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--actions", type=int, default=20_000)
    arguments.add_argument("--old", type=int, default=1_000_000)
    arguments.add_argument("--authority", type=int)
    arguments.add_argument("--post")
    given = arguments.parse_args()
    if given.authority:
        ThreadingHTTPServer(("127.0.0.1", given.authority), _Authority).serve_forever()
    if given.post:
        asyncio.run(_post_all(given.post))
        return
    folder = Path(tempfile.mkdtemp(prefix="recalls-"))
    engine = cache_engine(embedded_server_url(folder, "cache"), folder)
    migrate(engine)
    posted = max(1, given.actions // 4)
    with _authority() as url:
        for old, first in ((0, 1_000_000), (given.old, 3_000_000)):
            print(f"{old:,} settled recalls in the tables (bar {BAR:,} a second)", flush=True)
            if old:
                for statement in (_OLD_CLAIMS, _OLD_ACTIONS, _OLD_DELIVERIES):
                    with engine.begin() as connection:
                        connection.execute(sa.text(statement), {"old": old})
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(sa.text("VACUUM ANALYZE"))
            utility, actions = _utility(engine, url, first, given.actions)
            _sent(utility, len(actions))
            (drop := folder / "drop").mkdir(exist_ok=True)
            _files(utility, actions, drop)
            utility, actions = _utility(engine, url, first * 5, posted)
            _sent(utility, len(actions))
            _posts(utility, actions)
            _plan(utility)
    engine.dispose()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
