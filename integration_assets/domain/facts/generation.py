"""Generation: the master data template of a product writes facts, and whether it needs to (full generation)."""

from collections.abc import Mapping
from datetime import date

from integration_assets.domain.facts.calls import Container
from integration_assets.domain.facts.days import moment_after
from integration_assets.domain.facts.rules import VirtualDatePolicy
from integration_assets.domain.facts.run import Run
from integration_assets.domain.facts.store import NO_LINE, Binding, Contract, Provenance, fact_of, line_of
from integration_assets.domain.facts.templates import Attribute
from integration_assets.domain.facts.values import Value
from integration_assets.domain.facts.virtual import Circumstances


def generate(
    run: Run,
    contract: Contract,
    product: str,
    container: Container,
    first: date,
    last: date,
    *,
    product_related_only: bool = False,
    fill_only: bool = False,
) -> None:
    """Runs the product's template for the days from first to last: one active slice for each of its attributes.

    An attribute that the container does not hold generates nothing and is told in the log. `product_related_only`
    leaves out operands that do not hang on the product; `fill_only` writes only where nothing is active. Refuses
    where there is no template and where a value is not of its operand's class.
    """
    template = run.template(product, first)
    attributes = template.product_related if product_related_only else template.attributes
    end = moment_after(last)
    known, changed = run.installation.lines, run.changed
    written: dict[Binding, Provenance] = {}
    for attribute in attributes:
        key, operand, binding, fits, value, parameter, compute, first_day, last_day = attribute
        starts, ends = first, end
        if compute is not None or first_day is not None or last_day is not None:
            at = Circumstances(contract.start, contract.end, first, last)
            starts, ends = _days(run, attribute, at)
            value = value if compute is None else compute(at)
        if binding is Binding.PARAMETER:
            value = container.get(parameter)
        if value is None:
            run.tell(f"{operand.name} has no value for {parameter}, nothing generated")
            continue
        if binding is not Binding.CONSTANT and not fits(value):
            name, category = operand.name, operand.category
            run.refuse(f"{value!r} is no {operand.value_class} as operand {name} ({category}) needs")
        provenance = written.get(binding)
        if provenance is None:
            provenance = written[binding] = Provenance(binding, contract.id, product, run.process_id)
        before = changed.get(key) or known.get(key, NO_LINE)
        fact = fact_of(value, provenance, None, False, None)
        active = before.active
        active = active.filled(fact, starts, ends) if fill_only else active.written(starts, ends, fact)
        changed[key] = line_of(active, before.inactive)


def database_container(run: Run, product: str, day: date) -> Mapping[str, Value]:
    """The values of the external attributes of the product's template on a day; those without one are not in it."""
    values: dict[str, Value] = {}
    known, changed = run.installation.lines, run.changed
    for attribute in run.template(product, day).external:
        line = changed.get(attribute.key) or known.get(attribute.key)
        fact = None if line is None else line.active.at(day)
        if fact is not None and attribute.parameter not in values:
            values[attribute.parameter] = fact.value
    return values


def determine_full_generation(
    run: Run, product: str, container: Container, day: date, *, prices: bool, moved: bool = False
) -> bool:
    """Whether a process generates: prices are replicated, or a sent attribute differs from its value on the day.

    `moved` is a reason of its own: the contract's start has moved. Reason and answer are kept in the journal.
    """
    differing: list[str] = []
    if container:
        for attribute in run.template(product, day).external:
            sent = container.get(attribute.parameter)
            if sent is None:
                continue
            fact = run.line(attribute.key).active.at(day)
            if (fact is None or fact.value != sent) and attribute.parameter not in differing:
                differing.append(attribute.parameter)
    if prices:
        run.full_generation, run.reason = True, "prices replicated"
    elif differing:
        run.full_generation, run.reason = True, f"differs: {differing}"
    elif moved:
        run.full_generation, run.reason = True, "start moved"
    else:
        run.full_generation, run.reason = False, "no difference"
    run.tell(f"full generation {run.full_generation} ({run.reason})")
    return run.full_generation


def _days(run: Run, attribute: Attribute, at: Circumstances) -> tuple[date, date | None]:
    """Start and end (half-open) of what an attribute with virtual days generates."""
    first = at.period_start if attribute.first is None else attribute.first(at)
    last = at.period_end if attribute.last is None else attribute.last(at)
    outside_first = not at.period_start <= first <= at.period_end
    outside_last = not at.period_start <= last <= at.period_end
    if run.rules.readings.virtual_dates is VirtualDatePolicy.PER_BOUND:
        first = at.period_start if outside_first else first
        last = at.period_end if outside_last else last
        outside_first = outside_last = False
    if outside_first or outside_last or last < first:
        run.tell(f"{attribute.operand.name} virtual date outside generation period, whole period used")
        first, last = at.period_start, at.period_end
    return first, moment_after(last)
