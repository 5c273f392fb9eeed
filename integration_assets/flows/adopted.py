"""The registry by our own ids: where it was adopted, uuids are translated on the way out and on the way in.

Everything else of the product knows computed ids only. A registry that was not adopted costs one question to the cache
per batch and none to the registry.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_assets.cache.adoptions import Adoptions
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.content import ENDED, same_content
from integration_assets.domain.registry.keeping import foreign, with_foreign, without_foreign
from integration_assets.domain.registry.objects import in_two_steps
from integration_assets.domain.registry.references import object_renamed, referenced, renamed

Json = dict[str, Any]


@dataclass(frozen=True)
class Body:
    """A whole object of ours to be written: its computed id, its class, the body of a PUT."""

    object_id: str
    lora_class: str
    content: Json


class AdoptedReader:
    """Reads objects by computed ids and answers in them, whatever uuids they have in the registry."""

    def __init__(self, client: LoraClient, adoptions: Adoptions) -> None:
        self._client = client
        self._adoptions = adoptions

    def read_many(self, lora_class: str, ids: Iterable[str], *, ended: bool = False) -> dict[str, Json]:
        """As `LoraClient.read_many`. References to superseded objects come as references to who stands for them.

        Of adopted objects what others put into them is left out: it stays there, and is no difference from what was
        delivered.
        """
        if not self._adoptions.are_any():
            return self._client.read_many(lora_class, ids, ended=ended)
        wanted = list(ids)
        registry_ids = self._adoptions.registry_ids(wanted)
        read = self._client.read_many(lora_class, (registry_ids.get(each, each) for each in wanted), ended=ended)
        mentioned = {each for found in read.values() for each in referenced(found["registreringer"][0])}
        adopted = {there: here for here, there in registry_ids.items()}
        ours = self._adoptions.object_ids(mentioned) | adopted
        return {
            ours.get(each, each): object_renamed(without_foreign(lora_class, found) if each in adopted else found, ours)
            for each, found in read.items()
        }


class AdoptedBatch:
    """Some objects about to be written: under which uuids, and what the adopted ones among them hold now."""

    def __init__(self, client: LoraClient, adoptions: Adoptions | None, bodies: Sequence[Body]) -> None:
        """Asks the cache once, and the registry for the adopted objects of the batch. Raises CallError."""
        self._client = client
        ids = {body.object_id for body in bodies}
        mentioned = {each for body in bodies for each in referenced(body.content)}
        self._registry_ids = {} if adoptions is None else adoptions.registry_ids(ids | mentioned)
        adopted: dict[str, list[str]] = {}
        for body in bodies:
            if body.object_id in self._registry_ids:
                adopted.setdefault(body.lora_class, []).append(self._registry_ids[body.object_id])
        self._found: dict[str, Json] = {}
        for lora_class, wanted in adopted.items():
            self._found |= client.read_many(lora_class, wanted, ended=True)

    def is_adopted(self, object_id: str) -> bool:
        """Whether an object of the batch was there before us: then it is known how it is there now."""
        return object_id in self._registry_ids

    def registry_id(self, object_id: str) -> str:
        """The uuid of an object in the registry."""
        return self._registry_ids.get(object_id, object_id)

    def put(self, body: Body, *, revive: bool) -> None:
        """Writes the object; what others put into an adopted one stays, and one that holds all that is left alone.

        `revive` says whether the object may be deleted or passive; of an adopted one the registry was asked. Raises
        CallError, and ValueError where LoRa cannot hold the object.
        """
        registry_id = self.registry_id(body.object_id)
        content = renamed(body.content, self._registry_ids)
        others: Mapping[str, list[Json]] = {}
        if self.is_adopted(body.object_id):
            found = self._found.get(registry_id)
            registration = found["registreringer"][0] if found else {"livscykluskode": "Slettet"}
            revive = registration.get("livscykluskode") in ENDED
            content, others = with_foreign(content, foreign(body.lora_class, registration))
            if found is not None and not others and same_content(content, found):
                return
        whole, over_time = in_two_steps(body.lora_class, content)
        self._client.put(body.lora_class, registry_id, whole, revive=revive)
        later = {**(over_time or {}).get("relationer", {}), **others}
        if later:
            self._client.patch(body.lora_class, registry_id, {"relationer": later})
