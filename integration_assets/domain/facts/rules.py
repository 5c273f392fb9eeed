"""What processes go by: operands, templates, the readings chosen where the description leaves a choice, extensions."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from integration_assets.domain.facts.extensions import Extensions
from integration_assets.domain.facts.operands import Operands
from integration_assets.domain.facts.templates import Templates


class VirtualDatePolicy(StrEnum):
    """What holds when a virtual day lies outside the generation period."""

    WHOLE_PERIOD = "whole_period"
    """Both days are dropped and the whole period is used: a discount of twelve months may become unlimited."""
    PER_BOUND = "per_bound"
    """Only the day that lies outside is replaced by the period's."""


class MoveOutGeneration(StrEnum):
    """For which days a move-out generates, when it does."""

    CURRENT_PRODUCT = "current_product"
    """From the current product's first day, since the container is that of the current product."""
    WHOLE_CONTRACT = "whole_contract"
    """From the contract's start."""


class Readings(NamedTuple):
    """The readings where the description is ambiguous. The defaults are those that it supports best."""

    virtual_dates: VirtualDatePolicy = VirtualDatePolicy.WHOLE_PERIOD
    move_out_generation: MoveOutGeneration = MoveOutGeneration.CURRENT_PRODUCT
    product_change_skips_contract_related: bool = True
    """Product changes and their cancellation leave out operands of the template that hang on the contract."""
    cancelled_start_keeps_virtual: bool = True
    """Slices with a virtual value stay when the contract start is cancelled, as constants do."""
    contract_change_overwrites: bool = True
    """A contract change adapts what lies in its period; else it only fills what is empty."""


class Rules(NamedTuple):
    """All that a process needs to know besides the installation and its call.

    `unusable` says of products whose templates cannot be used why not: their processes are refused with that sentence.
    """

    operands: Operands
    templates: Templates
    readings: Readings = Readings()
    extensions: Extensions = Extensions()
    unusable: Mapping[str, str] = {}
