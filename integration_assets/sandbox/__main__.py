"""`python -m integration_assets.sandbox`: run the sandbox in the foreground until SIGTERM or SIGINT."""

import argparse
import json
from pathlib import Path

from integration_assets.sandbox.faults import FaultPlan
from integration_assets.sandbox.server import serve
from integration_assets.sandbox.systems import SYSTEM_MODULES, SandboxOptions


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="integration_assets.sandbox", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--systems", default=",".join(SYSTEM_MODULES), help="comma-separated")
    parser.add_argument("--ports", type=json.loads, default={}, help="JSON object: fixed ports by system")
    parser.add_argument("--faults", type=json.loads, default={}, help="JSON object: fault plans by system")
    parser.add_argument("--no-tls", action="store_true", help="serve the registers over plain http")
    parser.add_argument("--lora-extension-fields", action="store_true", help="the registry has the ava_* fields")
    parser.add_argument("--lora-parameters", default="", help="newer parameters the registry knows, comma-separated")
    parser.add_argument("--lora-request-line", type=int, default=4094, help="bytes of a request line; 0 for any")
    arguments = parser.parse_args()
    serve(
        SandboxOptions(
            data_dir=arguments.data_dir.resolve(),
            customers=arguments.customers,
            seed=arguments.seed,
            systems=tuple(name for name in arguments.systems.split(",") if name),
            ports=arguments.ports,
            faults={system: FaultPlan.from_json(plan) for system, plan in arguments.faults.items()},
            tls=not arguments.no_tls,
            lora_extension_fields=arguments.lora_extension_fields,
            lora_parameters=tuple(name for name in arguments.lora_parameters.split(",") if name),
            lora_request_line=arguments.lora_request_line,
        )
    )


if __name__ == "__main__":
    main()
