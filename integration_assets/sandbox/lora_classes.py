"""The classes of the OIO registry: their fields, states and relations.

Belongs here: the structure of release 1.3.0 for the services organisation, indsats and klassifikation as one table, and
the fields by which an installation extends it. What is served about it, the module `lora_fields` makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

_LINKS = ("enheder", "funktioner", "interessefaellesskaber", "organisationer", "personer", "itsystemer")
ACTOR_TYPES = (
    "Organisation",
    "OrganisationEnhed",
    "OrganisationFunktion",
    "Bruger",
    "ItSystem",
    "Interessefaellesskab",
)


@dataclass(frozen=True)
class LoraClass:
    """One class. `fields` are texts unless named in `timestamps` or `lists` (of texts); `words` is the field that
    holds search words.

    `states` gives the values of each state group by its plain name. `one` are relations that hold at most one target
    at a time, `many` those that hold any number; `indexed` says that the latter are numbered by the server.
    """

    service: str
    name: str
    fields: tuple[str, ...]
    states: Mapping[str, tuple[str, ...]]
    one: tuple[str, ...]
    many: tuple[str, ...]
    required: tuple[str, ...] = ("brugervendtnoegle",)
    timestamps: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    words: str | None = None
    indexed: bool = False

    @property
    def path(self) -> str:
        """`service/class`, as in URLs and in the store."""
        return f"{self.service}/{self.name}"

    @property
    def attribute_group(self) -> str:
        """Name of the one attribute group: `<class>egenskaber`."""
        return f"{self.name}egenskaber"


def _links(*also: str) -> tuple[str, ...]:
    return tuple(f"tilknyttede{link}" for link in (*also, *_LINKS))


_PUBLISHED = {"publiceret": ("Publiceret", "IkkePubliceret")}
_VALIDITY = {"gyldighed": ("Aktiv", "Inaktiv")}
_BASE = ("brugervendtnoegle", "integrationsdata")

CLASSES = {
    spec.path: spec
    for spec in (
        LoraClass(
            "organisation",
            "organisation",
            (*_BASE, "organisationsnavn"),
            _VALIDITY,
            (
                "branche",
                "myndighed",
                "myndighedstype",
                "overordnet",
                "produktionsenhed",
                "skatteenhed",
                "tilhoerer",
                "virksomhed",
                "virksomhedstype",
            ),
            ("adresser", "ansatte", "opgaver", *_links("brugere")),
        ),
        LoraClass(
            "organisation",
            "bruger",
            (*_BASE, "brugernavn", "brugertype"),
            _VALIDITY,
            ("tilhoerer",),
            ("adresser", "brugertyper", "opgaver", *_links()),
        ),
        LoraClass(
            "organisation",
            "organisationfunktion",
            (*_BASE, "funktionsnavn"),
            _VALIDITY,
            ("organisatoriskfunktionstype",),
            ("adresser", "opgaver", *_links("brugere")),
        ),
        LoraClass(
            "organisation",
            "interessefaellesskab",
            (*_BASE, "interessefaellesskabsnavn", "interessefaellesskabstype"),
            _VALIDITY,
            ("branche", "interessefaellesskabstype", "overordnet", "tilhoerer"),
            ("adresser", "opgaver", *_links("brugere")),
        ),
        LoraClass(
            "indsats",
            "indsats",
            (*_BASE, "beskrivelse", "starttidspunkt", "sluttidspunkt"),
            {
                "publiceret": ("Publiceret", "IkkePubliceret", "Normal"),
                "fremdrift": ("Uoplyst", "Visiteret", "Disponeret", "Leveret", "Vurderet"),
            },
            ("indsatsmodtager", "indsatstype"),
            ("indsatskvalitet", "indsatsaktoer", "samtykke", "indsatssag", "indsatsdokument"),
            timestamps=frozenset({"starttidspunkt", "sluttidspunkt"}),
            indexed=True,
        ),
        LoraClass(
            "klassifikation",
            "klasse",
            (*_BASE, "titel", "beskrivelse", "eksempel", "omfang", "retskilde", "aendringsnotat", "soegeord"),
            _PUBLISHED,
            ("ejer", "ansvarlig", "overordnetklasse", "facet"),
            ("redaktoerer", "sideordnede", "mapninger", "tilfoejelser", "erstatter", "lovligekombinationer"),
            required=("brugervendtnoegle", "titel"),
            words="soegeord",
        ),
        LoraClass(
            "organisation",
            "organisationenhed",
            (*_BASE, "enhedsnavn"),
            _VALIDITY,
            ("branche", "enhedstype", "overordnet", "produktionsenhed", "skatteenhed", "tilhoerer"),
            ("adresser", "ansatte", "opgaver", *_links("brugere")),
        ),
        LoraClass(
            "organisation",
            "itsystem",
            (*_BASE, "itsystemnavn", "itsystemtype", "konfigurationreference"),
            _VALIDITY,
            ("tilhoerer",),
            ("adresser", "opgaver", "systemtyper", *_links("brugere")),
            lists=frozenset({"konfigurationreference"}),
        ),
        LoraClass(
            "klassifikation",
            "facet",
            (*_BASE, "beskrivelse", "opbygning", "ophavsret", "plan", "supplement", "retskilde"),
            _PUBLISHED,
            ("ansvarlig", "ejer", "facettilhoerer"),
            ("redaktoerer",),
        ),
        LoraClass(
            "klassifikation",
            "klassifikation",
            (*_BASE, "beskrivelse", "kaldenavn", "ophavsret"),
            _PUBLISHED,
            ("ansvarlig", "ejer"),
            (),
        ),
    )
}


@dataclass(frozen=True)
class Extension:
    """Texts among egenskaber and 0..1 relations that an installation has beyond the release."""

    fields: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()


# What AffaldVarme Aarhus installed over the release: for heat, and (arosia, ids of the waste system) for waste.
EXTENSIONS = {
    "organisation/bruger": Extension(
        fields=(
            "ava_fornavn",
            "ava_mellemnavn",
            "ava_efternavn",
            "ava_civilstand",
            "ava_koen",
            "ava_adressebeskyttelse",
            "ava_sms_notifikation",
            "ava_masterid",
        )
    ),
    "organisation/organisation": Extension(fields=("ava_sms_notifikation", "ava_masterid")),
    "organisation/interessefaellesskab": Extension(relations=("ava_ejendom", "ava_arosia_id")),
    "klassifikation/klasse": Extension(
        relations=("ava_opstillingsadresse", "ava_afhentningstype", "ava_arosia_id", "ava_aftale_id")
    ),
}


def classes(*, extended: bool) -> dict[str, LoraClass]:
    """The classes by path, of the plain release or with the extension fields of `EXTENSIONS`."""
    if not extended:
        return dict(CLASSES)
    return {
        path: replace(spec, fields=spec.fields + more.fields, one=spec.one + more.relations)
        for path, spec in CLASSES.items()
        for more in (EXTENSIONS.get(path, Extension()),)
    }
