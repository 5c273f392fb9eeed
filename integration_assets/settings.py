"""All configuration of the product: one class, from the environment, an optional `.env` file and an optional JSON file.

Every name is read from the environment with the prefix ``INTEGRATION_`` (``INTEGRATION_LORA_URL`` …). The JSON file
named by ``INTEGRATION_SETTINGS_FILE`` supplies what the environment does not; the sandbox writes such a file. Reading
settings never opens a connection, and code loads without any of them: what is missing is named by what needs it.
"""

import json
import os
import warnings
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from integration_assets.domain.supervision.datasets import ClassName, DatasetClass
from integration_assets.domain.supervision.folders import Folder, is_address, require_distinct

SETTINGS_FILE_VARIABLE = "INTEGRATION_SETTINGS_FILE"


class MissingSetting(RuntimeError):
    """A setting that the work at hand needs has no value; the message names it and the way to give it."""


class _JsonFile(PydanticBaseSettingsSource):
    """The ``settings`` object of the JSON file named by ``INTEGRATION_SETTINGS_FILE``; nothing when unset or absent."""

    def _values(self) -> dict[str, Any]:
        path = os.environ.get(SETTINGS_FILE_VARIABLE)
        if not path or not Path(path).exists():
            return {}
        values: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8")).get("settings", {})
        return values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base names it
        return self._values().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        known = set(self.settings_cls.model_fields)
        return {name: value for name, value in self._values().items() if name in known}


EndingEntity = Literal["accounts", "customer_roles", "agreements", "installations"]
"""Entities of the CRM that end."""

Ending = Literal["deactivate", "update"]
"""How a row ends: it becomes inactive, or it only gets its last day."""

SpService = Literal["person_lookup", "person_search", "company_lookup", "person_subscriptions"]
"""The services of Serviceplatformen that are used."""


CrmEntity = Literal["addresses", "contacts", "accounts", "customer_roles", "agreements", "installations"]
"""What we keep in the CRM."""

RegistryEntity = Literal["customers", "customer_relations", "customer_roles", "installations", "agreements"]
"""What we keep in the registry."""

WebLogin = Literal["none", "oidc", "proxy"]
"""How it is known who somebody at a browser is."""

WebRole = Literal["viewer", "operator", "privacy"]
"""A viewer looks, an operator acts, privacy may see personal numbers."""

DriftRule = Literal["repair", "leave"]
"""Deliver again what others changed in an outside system, or only tell of it."""


class ServiceSettings(BaseModel):
    """What differs for one service of Serviceplatformen; what is left out is as for all of them.

    `service`, `agreement`, `user_system` and `authority` are uuids; `service` is needed where the environment gives a
    service another uuid than the published one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str | None = None
    version: int | None = None
    service: str | None = None
    agreement: str | None = None
    user_system: str | None = None
    authority: str | None = None
    timeout_seconds: float | None = Field(default=None, gt=0)


class Settings(BaseSettings):
    """Where the outside systems are, who we are to them, and the limits we keep."""

    # A value that does not do may be a secret: errors name the setting only.
    model_config = SettingsConfigDict(
        env_parse_none_str="null",  # how the environment says that a setting with a default has no value
        env_prefix="INTEGRATION_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(default=Path("var"), description="Folder of the embedded database and of all files we write")
    cache_url: SecretStr | None = Field(
        default=None, description="PostgreSQL URL of the cache; unset: the embedded server"
    )

    kmd_ee_url: SecretStr | None = Field(default=None, description="SQLAlchemy URL of KMD EE, e.g. mssql+pyodbc://…")
    source_window_days: int = Field(
        default=35, description="Days a moved-out customer stays in the window that is read nightly"
    )
    supply_area_digits: int = Field(
        default=4, ge=1, le=4, description="Leading digits of the postal code that name a supply area"
    )
    utility: str = Field(default="Varme", description="Utility type (forsyningsart) of this billing system")

    tariff_files: Path | None = Field(
        default=None,
        description="File, or folder of files, of the tariff tables (operands, templates, prices, products; CSV or "
        "parquet) that billing goes by; unset: what `facts tariffs load` loaded last",
    )

    lora_url: str | None = Field(default=None, description="Base URL of the registry (LoRa)")
    lora_organisation: str | None = Field(default=None, description="Uuid of our organisation: owner of all objects")
    lora_actor: str | None = Field(default=None, description="Uuid of the system user that virkning names as actor")
    lora_auth: Literal["none", "header", "bearer"] = Field(
        default="header",
        description="How we log in to the registry: not at all; with lora_token as the whole Authorization header, "
        "where it is set; or with lora_token as bearer token",
    )
    lora_token: SecretStr | None = Field(
        default=None, description='What lora_auth sends; for LoRa 1.3.0 the whole header, "saml-gzipped <token>"'
    )
    lora_revives: bool = Field(
        default=False,
        description="Ask the registry about objects that are new to us, and bring back those that were deleted there "
        "or made passive: a list call for every 90 new objects",
    )
    lora_workers: int = Field(default=8, ge=1, description="Requests to the registry under way at once")
    lora_lists: int = Field(
        default=4, ge=1, description="Lists of 90 objects read from the registry at once after a delivery; by turns two"
    )
    lora_reconcile_days: int = Field(
        default=30, ge=1, description="Days in which every object of the registry is read again once and compared"
    )
    lora_drift: dict[RegistryEntity, DriftRule] = Field(
        default_factory=dict,
        description="What is done with objects that others changed, where it is not repair, as JSON: "
        '{"customers": "leave"}; entities are customers, customer_relations, customer_roles, installations, agreements',
    )
    lora_repair_limit: int = Field(
        default=3,
        ge=1,
        description="Repairs in a row of one object in the registry, after which it is left and told of",
    )

    lora_max_changes: int | None = Field(
        default=None, ge=0, description="Objects that one run may create or change per entity of the registry"
    )
    lora_max_changed_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of an entity's objects in a run's areas that may change"
    )

    crm_url: str | None = Field(default=None, description="Address of the Dynamics organisation, without /api")
    crm_api_version: str = Field(default="v9.2", description="Version of the Web API; on-premises v9.1 at most")
    crm_tenant: str | None = Field(default=None, description="Entra tenant; unset where there is none (AD FS)")
    crm_authority: str = Field(
        default="https://login.microsoftonline.com",
        description="Who gives tokens: the host of another cloud (login.microsoftonline.us, login.partner."
        "microsoftonline.cn), or AD FS on-premises as https://<host>/adfs",
    )
    crm_token_url: str | None = Field(
        default=None, description="Token end point of another authority (OAuth 2.0 client credentials; sandbox)"
    )
    crm_token_provider: str | None = Field(
        default=None,
        description="Function that gives token providers where none of these does, as module:function; "
        "it gets the settings",
    )
    crm_client_id: str | None = Field(default=None, description="Application id")
    crm_client_secret: SecretStr | None = Field(default=None, description="Application secret")
    crm_certificate: Path | None = Field(
        default=None, description="In the secret's place: certificate with key, as one PEM file or PFX (.pfx, .p12)"
    )
    crm_certificate_password: SecretStr | None = Field(default=None, description="Password of its key, if any")
    crm_further_users: dict[str, SecretStr] = Field(
        default={},
        description="Further application users that share the work, JSON: secrets by application id",
    )
    crm_scope: str | None = Field(default=None, description="Scope; default <crm_url>/.default")
    crm_batch_rows: int = Field(
        default=500, ge=1, le=1000, description="Rows of a bulk request at first; adapts between 100 and 1000"
    )
    crm_mapping_file: Path | None = Field(
        default=None, description="JSON file with what differs from the standard mapping (docs/crm_mapping.md)"
    )
    crm_accounts_table: str | None = Field(
        default=None,
        description="Logical name of the custom table for installation accounts (with its entity set behind a slash "
        "where that is not the name with an s); unset: they are not delivered",
    )
    crm_endings: dict[EndingEntity, Ending] = Field(
        default={},
        description='How rows end, by entity, JSON: {"agreements": "update"}; deactivate (default) or update: '
        "the dates only",
    )
    crm_max_changes: int | None = Field(
        default=None, ge=0, description="Rows that one run may create or change per entity of the CRM; unset: any"
    )
    crm_max_changed_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of an entity's CRM rows in a run's areas that may change"
    )
    crm_drift: dict[CrmEntity, DriftRule] = Field(
        default_factory=dict,
        description="What is done with rows that others changed in columns of ours or deleted, where it is not repair, "
        'as JSON: {"contacts": "leave"}; entities are addresses, contacts, accounts, customer_roles, agreements, '
        "installations",
    )
    crm_repair_limit: int = Field(
        default=3, ge=1, description="Repairs in a row of one row of the CRM, after which it is left and told of"
    )
    crm_preflight: bool = Field(
        default=True, description="Check the CRM's tables, columns and rights before the first delivery of a run"
    )

    account_order: Literal["purpose", "document"] = Field(
        default="purpose",
        description="When an installation account is made: purpose looks for one with the market location first, "
        "document only where the customer has one with the installation",
    )
    market_locations_file: Path | None = Field(
        default=None,
        description="CSV file with installation_number and market_location (MaLo-ID or GSRN), which KMD EE has not",
    )

    address_register_url: str | None = Field(default=None, description="Base URL of the register's file downloads")
    address_register_key: SecretStr | None = Field(default=None, description="API key of the file downloads")
    address_register_kind: Literal["current", "bitemporal"] = Field(
        default="bitemporal", description="Files to load: with former names and addresses (bitemporal) or without"
    )

    address_register_national: bool = Field(
        default=True,
        description="The register on offer is that of the whole country: files with too few rows are refused",
    )

    address_provider: Literal["local", "dawa"] = Field(
        default="local", description="Who resolves addresses: our copy of the register, or a host of DAWA's protocol"
    )
    address_second_opinion: Literal["none", "adressevask"] = Field(
        default="none", description="Who is asked about texts that were not resolved"
    )
    dawa_url: str | None = Field(default=None, description="Base URL of a host that speaks DAWA's protocol")
    dawa_api_key: SecretStr | None = Field(default=None, description="Its key (X-Api-Key), where it asks for one")
    adressevask_url: str | None = Field(default=None, description="Base URL of Adressevask")
    adressevask_token: SecretStr | None = Field(default=None, description="Its token, ten characters at least")
    adressevask_parallel: int = Field(default=16, ge=1, le=16, description="Questions to Adressevask under way at once")

    person_register_url: str | None = Field(default=None, description="Person look-up (PersonBaseDataExtended)")
    person_register_version: int = Field(
        default=5, ge=4, le=5, description="Version of the person look-up; the address must be that of the same version"
    )
    person_search_url: str | None = Field(default=None, description="Address search (ADRSOG1)")
    person_subscription_url: str | None = Field(
        default=None, description="Person subscriptions (SF6002); unset: there are none"
    )
    company_register_url: str | None = Field(default=None, description="Company look-up (CVR Online)")
    sp_agreement: str | None = Field(default=None, description="Service agreement uuid")
    sp_user_system: str | None = Field(default=None, description="Uuid of the calling system")
    sp_authority: str | None = Field(default=None, description="Uuid of the authority on whose behalf calls are made")
    sp_services: dict[SpService, ServiceSettings] = Field(
        default_factory=dict,
        description='What differs for a service, as JSON: {"person_search": {"agreement": "…", "timeout_seconds": 60}}',
    )
    sp_timeout_seconds: float = Field(default=30.0, gt=0, description="Longest wait for an answer of a service")
    sp_on_behalf_of: str | None = Field(default=None, description="User named in the registers' audit trail")
    sp_accounting_info: str | None = Field(default=None, description="Text for the platform's bill")
    sp_certificate: Path | None = Field(default=None, description="Client certificate with key (one PEM file)")
    sp_ca: Path | None = Field(default=None, description="Certificate authority to trust, where not the system's")

    person_events_source: Literal["none", "sftp"] = Field(
        default="none", description="Where the person register's events come from: nowhere, or files over SFTP"
    )
    person_events_host: str | None = Field(default=None, description="Host of the event files")
    person_events_port: int = Field(default=22, ge=1, le=65535, description="Its SFTP port")
    person_events_user: str | None = Field(default=None, description="Our user name there")
    person_events_key: Path | None = Field(default=None, description="File of our private SSH key, without passphrase")
    person_events_host_key: str | None = Field(
        default=None, description="Public key of the host in one line (ssh-ed25519 AAAA…); nothing is read without it"
    )
    person_events_folder: str = Field(default="IN", description="Folder in which the register puts its files")

    completion_authority: str | None = Field(default=None, description="Authority that may complete personal numbers")
    completion_legal_basis: str | None = Field(
        default=None, description="Legal basis of the completion; unset: completion is off"
    )

    person_sweep_days: int = Field(
        default=30, ge=1, description="Days in which every person without subscription is looked up again once"
    )
    person_net_days: int | None = Field(
        default=365,
        ge=1,
        description="Days in which persons with a subscription are looked up too, in case that an event went astray; "
        "null: never",
    )
    company_sweep_days: int = Field(default=30, ge=1, description="Days in which every company is looked up again once")
    register_calls_per_second: float | None = Field(
        default=20.0, gt=0, description="Look-ups a second of a sweep at most; null: no limit"
    )
    share_protected_addresses: bool = Field(
        default=False, description="Copy registered addresses to the CRM although name and address are protected"
    )

    claims_enabled: bool = Field(
        default=False, description="Recall claims from the debt authority; for utilities under public collection only"
    )
    claims_ledger: Path | None = Field(default=None, description="CSV or Parquet file of the claims handed over")
    claims_movements: Path | None = Field(
        default=None, description="CSV or Parquet file of write-downs and write-ups of these claims"
    )
    claims_two_approvals: bool = Field(
        default=False, description="Recalls that nothing brings back (FEJL) need two different people to approve"
    )
    claims_messages_kept_days: int = Field(
        default=5 * 365 + 2, ge=90, description="Days the authority's messages and settled deliveries are kept"
    )
    dmi_url: str | None = Field(default=None, description="Address of DMIFordringAsynkronTilbagekald, https")
    dmi_certificate: Path | None = Field(default=None, description="Our certificate with key (one PEM file)")
    dmi_ca: Path | None = Field(default=None, description="Certificate authority to trust, where not the system's")
    dmi_creditor_system: str | None = Field(
        default=None, pattern="^[0-9]{8}$", description="SE number of the creditor system, eight digits"
    )
    dmi_creditor_id: int | None = Field(default=None, ge=0, description="Our number as creditor (DMIFordringHaverID)")
    dmi_max_actions_per_delivery: int = Field(default=500, ge=1, le=5000, description="Recalls of one delivery at most")
    dmi_timeout_seconds: float = Field(default=60.0, gt=0, description="Longest wait for the authority's answer")
    dmi_status_folder: Path | None = Field(default=None, description="Folder in which statuses are dropped as *.xml")
    dmi_status_port: int = Field(
        default=8443, ge=1, le=65535, description="Port of the end point that the authority posts statuses to"
    )
    dmi_status_certificate: Path | None = Field(
        default=None, description="Certificate with key of that end point (one PEM file); unset: dmi_certificate"
    )
    dmi_status_callers: list[str] = Field(
        default_factory=list,
        description="Values of certificates' subjects (such as NTRDK-19552101) that may post statuses; needed where "
        "the end point listens at another address than loopback",
    )
    dmi_answer_working_days: int = Field(
        default=5, ge=1, description="Danish working days after which a recall without final status is told of"
    )

    identity_key: SecretStr | None = Field(default=None, description="Secret behind all object ids; never change it")
    cipher_key: SecretStr | None = Field(default=None, description="Secret that encrypts personal numbers at rest")
    cipher_key_id: str = Field(default="k1", description="Name of that secret, kept in every value it encrypts")
    cipher_former_keys: dict[str, SecretStr] = Field(
        default={}, description='Other secrets that values may be encrypted with, JSON: {"k1": "…"}'
    )

    answers_kept_days: int = Field(
        # Not below the longest interval of completion (`cache.rejections.RETRY_DAYS`), or it would be asked too soon.
        default=30,
        ge=30,
        description="Days an answer of the registers is kept once nobody needs it any more",
    )
    audit_kept_days: int = Field(default=5 * 365 + 2, ge=1, description="Days the audit of look-ups is kept")
    vanished_rows_kept_days: int = Field(
        default=365, ge=1, description="Days a row that vanished from its source is kept"
    )
    closed_rejections_kept_days: int = Field(
        default=365,
        ge=1,
        description="Days a closed rejection, drift or alarm is kept, and a mail that was sent",
    )
    journal_kept_days: int = Field(default=400, ge=1, description="Days the journal of runs is kept")
    run_history_kept_days: int = Field(
        default=180, ge=1, description="Days Dagster's runs are kept; the newest of each partition stay"
    )
    accounting_year_first_month: int = Field(
        default=1, ge=1, le=12, description="Month in which the accounting year (regnskabsår) begins"
    )

    web_host: str = Field(default="127.0.0.1", description="Address that the pages are served on")
    web_port: int = Field(default=3100, ge=1, le=65535, description="Their port")
    web_url: str | None = Field(
        default=None, description="Address by which browsers reach the pages, where it is another (https://…)"
    )
    web_login: WebLogin = Field(
        default="none",
        description="Who may see the pages: anybody on this machine, as an operator (none; on 127.0.0.1 only), whom an "
        "identity provider knows (oidc), or whom a reverse proxy names (proxy)",
    )
    web_session_hours: float = Field(default=10, gt=0, description="Hours after which everybody logs in again")
    web_idle_minutes: float = Field(default=60, gt=0, description="Minutes without use after which a session ends")
    web_oidc_issuer: str | None = Field(default=None, description="Issuer of the identity provider (OpenID Connect)")
    web_oidc_client_id: str | None = Field(default=None, description="Our application id there")
    web_oidc_client_secret: SecretStr | None = Field(default=None, description="Our secret there, if it gave one")
    web_roles_claim: str = Field(default="roles", description="Claim of the id token that lists what somebody is")
    web_roles: dict[WebRole, list[str]] = Field(
        default={"viewer": ["viewer"], "operator": ["operator"], "privacy": ["privacy"]},
        description="Values of that claim, or of the proxy's header, that make somebody one of these, JSON",
    )
    web_proxy_secret: SecretStr | None = Field(
        default=None, description="What the reverse proxy sends as X-Proxy-Secret, 16 characters at least"
    )
    web_proxy_user_header: str = Field(default="X-Forwarded-User", description="Header in which it names the user")
    web_proxy_roles_header: str = Field(
        default="X-Forwarded-Groups", description="Header in which it lists her groups, with commas between"
    )
    supervision_folders: list[Folder] = Field(
        default_factory=lambda: [Folder()],
        description='Folders (dossiers) that are supervised, as JSON: [{"name": "varme", "alert_delay_min": 30, '
        '"frequency_min": 15, "window": {"weekdays": ["mon"], "start": "08:20", "hours": 10}}]',
    )
    supervision_classes: dict[ClassName, DatasetClass] = Field(
        default_factory=dict,
        description="Which deliveries and rejections make up a class of datasets, where it is not the standard, as "
        'JSON: {"claim": {"deliveries": ["dmi/*"], "rejections": ["claims/*"]}}',
    )
    mail_recipients: list[str] = Field(
        default_factory=list,
        description="Who gets alerts of failed runs, and of folders that name nobody (dest_interact_erpcrm), as JSON",
    )
    mail_sender: str | None = Field(default=None, description="Address that mails come from; unset: there are none")
    smtp_host: str | None = Field(default=None, description="Mail server; unset: mails are kept and not sent")
    smtp_port: int | None = Field(
        default=None, ge=1, le=65535, description="Its port; default 587 for starttls, 465 for tls, 25 for none"
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is secured; there is no falling back to plain text"
    )
    smtp_ca: Path | None = Field(default=None, description="Certificate authority to trust, where not the system's")
    smtp_user: str | None = Field(default=None, description="User name; unset: no login")
    smtp_password: SecretStr | None = Field(default=None, description="Password")
    smtp_timeout_seconds: float = Field(default=20.0, gt=0, description="Longest wait for an answer of the mail server")
    dagit_url: str | None = Field(
        default=None, description="Address of Dagster's web server, for links in pages and mails"
    )

    business_day: str | None = Field(
        default=None, description="ISO date that stands for today (played days); unset: the clock"
    )
    max_vanished_share: float = Field(default=0.2, description="Share of an area's rows that may vanish in one run")
    max_rejected_share: float = Field(default=0.5, description="Share of an area's rows that may be rejected")
    tolerated_rows: int = Field(default=20, description="So many vanished or rejected rows pass whatever their share")
    retry_base_seconds: float = Field(default=30.0, description="First pause before a failed delivery is tried again")
    http_attempts: int = Field(default=4, ge=1, description="Tries of one request before it counts as failed")
    http_first_pause_seconds: float = Field(
        default=0.5, description="Pause before a request is tried again; doubles with each try"
    )

    @field_validator("lora_token")
    @classmethod
    def _one_line(cls, value: SecretStr | None) -> SecretStr | None:
        """A token that was wrapped by its tool makes no header; the error that comes of it would show the token."""
        text = value.get_secret_value().strip() if value else ""
        if not all(" " <= character <= "~" for character in text):
            raise ValueError("the token must be one line of plain characters")
        return SecretStr(text) if text else None

    @field_validator(
        "sp_services",
        "lora_drift",
        "crm_drift",
        "crm_endings",
        "crm_further_users",
        "web_roles",
        "supervision_folders",
        "supervision_classes",
        "mail_recipients",
        "dmi_status_callers",
        mode="before",
    )
    @classmethod
    def _mappings_from_json(cls, value: Any) -> Any:
        """The JSON file may hold the mapping as text, as the environment does."""
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("supervision_folders")
    @classmethod
    def _folders(cls, value: list[Folder]) -> list[Folder]:
        """Folders are told apart by name; what will surprise is said at once."""
        require_distinct(value)
        for warning in (text for folder in value for text in folder.warnings()):
            warnings.warn(warning, stacklevel=2)
        return value

    @field_validator("mail_recipients", "mail_sender")
    @classmethod
    def _addresses(cls, value: list[str] | str | None) -> list[str] | str | None:
        """An address in a header must be nothing but an address."""
        for address in [value] if isinstance(value, str) else value or []:
            if not is_address(address):
                raise ValueError(f"{address!r} is no plain mail address")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments beat the environment, the environment beats `.env`, and that beats the JSON file."""
        return init_settings, env_settings, dotenv_settings, _JsonFile(settings_cls), file_secret_settings

    def need(self, name: str) -> str:
        """The value of the setting as text, secrets opened. Raises MissingSetting where it has none."""
        value = getattr(self, name)
        if value is None:
            raise MissingSetting(
                f"Setting {name} has no value. Give it as INTEGRATION_{name.upper()} in the environment."
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
