"""What the tests of the CRM sandbox say again and again: ids, the token request, errors, batches."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

CLIENT_ID = "3f1a2b4c-0000-4000-8000-00000000c11e"
CLIENT_SECRET = "the secret of the sandbox"
UPDATE_ONLY = {"If-Match": "*"}
CREATE_ONLY = {"If-None-Match": "*"}
REPRESENTATION = {"Prefer": "return=representation"}


def row_id(number: int) -> str:
    """A GUID that is easy to recognise."""
    return f"00000000-0000-8000-8000-{number:012d}"


def get_token(server: str, **changes: str) -> httpx.Response:
    """A client credentials request, with some of its fields changed."""
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return httpx.post(f"{server}/oauth2/token", data=form | {"scope": f"{server}/.default"} | changes)


@dataclass(frozen=True)
class Part:
    """One response out of a batch response."""

    status: int
    part_headers: dict[str, str]
    headers: dict[str, str]
    body: str
    in_change_set: bool

    @property
    def error(self) -> tuple[int, str]:
        return self.status, json.loads(self.body)["error"]["code"]


class Api:
    """An httpx client of the Web API with words for what tests ask."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.root = str(client.base_url)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=_dashes(headers))

    def rows(self, path: str) -> list[dict[str, Any]]:
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()["value"]

    def row(self, path: str) -> dict[str, Any]:
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return self.client.request(method, path, json=body, headers=headers)

    def create(self, entity_set: str, **values: Any) -> httpx.Response:
        response = self.client.post(entity_set, json=values)
        assert response.status_code == 204, response.text
        return response

    def bulk(self, entity_set: str, message: str, logical: str, targets: list[dict[str, Any]]) -> httpx.Response:
        typed = [{"@odata.type": f"Microsoft.Dynamics.CRM.{logical}", **target} for target in targets]
        return self.client.post(f"{entity_set}/Microsoft.Dynamics.CRM.{message}", json={"Targets": typed})

    def batch(self, body: str, *, go_on: bool = False) -> tuple[int, list[Part]]:
        """Send a batch written with bare line feeds and the boundary batch_1; its status and responses."""
        headers = {"Content-Type": 'multipart/mixed; boundary="batch_1"'}
        if go_on:
            headers["Prefer"] = "odata.continue-on-error"
        content = body.lstrip("\n").replace("\n", "\r\n").encode()
        response = self.client.post("$batch", content=content, headers=headers)
        return response.status_code, parts(response)


def error(response: httpx.Response) -> tuple[int, str]:
    """HTTP status and Dataverse code of a refusal."""
    return response.status_code, response.json()["error"]["code"]


def message(response: httpx.Response) -> str:
    return response.json()["error"]["message"]


def parts(response: httpx.Response) -> list[Part]:
    """The responses in a batch response, those of change sets in their place."""
    return _parts(response.content.decode(), response.headers["content-type"], in_change_set=False)


def _parts(text: str, content_type: str, in_change_set: bool) -> list[Part]:
    match = re.match(r"multipart/mixed; boundary=(.+)$", content_type)
    assert match, content_type
    pieces = text.split(f"--{match[1]}")
    assert pieces[-1].strip() == "--", "the multipart body is not closed"
    found: list[Part] = []
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix("\r\n").partition("\r\n\r\n")
        part_headers = _headers(head.split("\r\n"))
        if part_headers["content-type"].startswith("multipart/"):
            found += _parts(content, part_headers["content-type"], in_change_set=True)
            continue
        lines, _, body = content.partition("\r\n\r\n")
        status_line, *headers = lines.split("\r\n")
        status = int(status_line.removeprefix("HTTP/1.1 ")[:3])
        found.append(Part(status, part_headers, _headers(headers), body.strip(), in_change_set))
    return found


def _headers(lines: list[str]) -> dict[str, str]:
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def _dashes(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
